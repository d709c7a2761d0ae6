//! Sets of images: selected from a source one after the other, binary at once where a threshold makes them so.

use ndarray::Array2;
use sha2::{Digest, Sha256};

use super::DataError;
use super::formats::ImageSet;
use super::packed::{PackedImages, pack_row};
use crate::config::Binarize;
use crate::kernels::bits::WORD;
use crate::random::{Seed, Stream};

/// A set of grey images that a threshold has made binary, or that are drawn binary.
#[derive(Clone, Debug)]
pub struct GreyImages {
    pub(super) pixels: Pixels,
    labels: Option<Vec<usize>>,
}

#[derive(Clone, Debug)]
pub(super) enum Pixels {
    /// Lit above a threshold. The grey values are not needed any more.
    Binary(PackedImages),
    /// Grey values, `[n, D]`: the probability of each pixel to be lit, in 255ths.
    Grey(Array2<u8>),
}

impl GreyImages {
    /// The number of images, at least one.
    pub fn len(&self) -> usize {
        match &self.pixels {
            Pixels::Binary(images) => images.len(),
            Pixels::Grey(grey) => grey.nrows(),
        }
    }

    /// Never true: a set without images is refused when it is loaded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of every image, as an index into [`Dataset::classes`](super::Dataset::classes).
    pub fn labels(&self) -> Option<&[usize]> {
        self.labels.as_deref()
    }

    /// All images as evaluation sees them: a stochastic binarization is drawn once for a run and stays.
    ///
    /// `set` is 0 for training and 1 for test images.
    pub fn evaluation_images(&self, seed: Seed, set: u64) -> PackedImages {
        let all: Vec<usize> = (0..self.len()).collect();
        self.binary(&all, |_, image| seed.generator(Stream::BinarizeEvaluation, set, image as u64))
    }

    /// The mean binary image, `[D]`: the probability of each pixel to be lit.
    pub fn mean(&self) -> Vec<f64> {
        let count = self.len() as f64;
        match &self.pixels {
            Pixels::Binary(images) => images.lit().into_iter().map(|lit| lit as f64 / count).collect(),
            Pixels::Grey(grey) => {
                let pixels = grey.columns().into_iter();
                pixels
                    .map(|pixel| pixel.iter().map(|&grey| f64::from(grey) / 255.0).sum::<f64>() / count)
                    .collect()
            }
        }
    }

    /// The share of lit pixels.
    pub fn lit(&self) -> f64 {
        let mean = self.mean();
        mean.iter().sum::<f64>() / mean.len() as f64
    }
}

/// How images of a source become sets.
pub(super) struct Selection<'a> {
    /// The labels in use, in ascending order; empty where there are none.
    pub classes: &'a [u8],
    /// How grey becomes binary.
    pub binarize: Binarize,
    /// The pixels in use, if not all.
    pub pixels: Option<Vec<usize>>,
    /// Over sizes, grey values and labels of all images in use.
    pub digest: Sha256,
}

impl Selection<'_> {
    /// Keeps the images of the classes in use, at most `limit` of them. `size` is height and width of what is kept.
    pub fn take(
        &mut self,
        set: &mut ImageSet,
        limit: Option<usize>,
        (rows, columns): (usize, usize),
        what: &str,
    ) -> Result<GreyImages, DataError> {
        let shape = set.images.shape();
        let ImageSet { images, labels: all, .. } = set;
        let (all, classes) = (all.as_deref(), self.classes);
        // Those in use, with their classes where there are any.
        let class_of = |image: usize| match all {
            Some(labels) if !classes.is_empty() => classes.iter().position(|&class| class == labels[image]).map(Some),
            _ => Some(None),
        };
        let kept = || {
            (0..shape.count)
                .filter_map(|image| Some((image, class_of(image)?)))
                .take(limit.unwrap_or(usize::MAX))
        };
        let count = kept().count();
        if count == 0 {
            return Err(DataError::Inconsistent(format!(
                "no {what} image is of the classes in data.classes"
            )));
        }
        for size in [count, rows, columns] {
            self.digest.update((size as u64).to_le_bytes());
        }
        let mut collected = Collected::new(self.binarize, count, rows * columns)
            .ok_or_else(|| DataError::Inconsistent(format!("the {what} images need more memory than is to be had; set data.max_images")))?;
        let mut image = vec![0; shape.visible()];
        let mut seen = vec![0; rows * columns];
        let mut labels = Vec::new();
        let mut next = 0;
        for (index, class) in kept() {
            while next <= index {
                images.read(&mut image)?;
                next += 1;
            }
            let seen = match &self.pixels {
                None => &image,
                Some(pixels) => {
                    seen.iter_mut().zip(pixels).for_each(|(to, &from)| *to = image[from]);
                    &seen
                }
            };
            self.digest.update(seen);
            collected.push(seen);
            labels.extend(class);
        }
        images.finish()?;
        for &class in &labels {
            self.digest.update([self.classes[class]]);
        }
        // Few of the pixels may well be all dark.
        if self.pixels.is_none() {
            collected.check(self.binarize, what)?;
        }
        set.notes.extend(collected.note(self.binarize, what));
        Ok(GreyImages {
            labels: (labels.len() == collected.count).then_some(labels),
            pixels: collected.pixels(rows * columns)?,
        })
    }
}

/// Images as they are kept, and the range of their grey values.
struct Collected {
    /// Of images that a threshold makes binary.
    words: Vec<u32>,
    /// Of others.
    grey: Vec<u8>,
    threshold: Option<u8>,
    count: usize,
    least: u8,
    most: u8,
}

impl Collected {
    /// Room for `count` images; `None` if there is not as much memory. The system gives it as it is filled.
    fn new(binarize: Binarize, count: usize, visible: usize) -> Option<Self> {
        let mut collected = Self {
            words: Vec::new(),
            grey: Vec::new(),
            // grey / 255 > t for an integer grey is grey > floor(255 t).
            threshold: match binarize {
                Binarize::Threshold(threshold) => Some((255.0 * threshold).floor() as u8),
                Binarize::Stochastic => None,
            },
            count: 0,
            least: u8::MAX,
            most: 0,
        };
        let room = match collected.threshold {
            Some(_) => collected.words.try_reserve_exact(count.checked_mul(visible.div_ceil(WORD))?),
            None => collected.grey.try_reserve_exact(count.checked_mul(visible)?),
        };
        room.ok().map(|()| collected)
    }

    fn push(&mut self, image: &[u8]) {
        self.count += 1;
        for &grey in image {
            self.least = self.least.min(grey);
            self.most = self.most.max(grey);
        }
        match self.threshold {
            Some(threshold) => pack_row(image.iter().map(|&grey| grey > threshold), &mut self.words),
            None => self.grey.extend_from_slice(image),
        }
    }

    /// Refuses images of which every pixel is dark, or lit.
    fn check(&self, binarize: Binarize, what: &str) -> Result<(), DataError> {
        let Self { least, most, .. } = *self;
        let all = match self.threshold {
            Some(threshold) if most <= threshold => "dark",
            Some(threshold) if least > threshold => "lit",
            None if most == 0 => "dark",
            None if least == u8::MAX => "lit",
            _ => return Ok(()),
        };
        let refuse = |why: String| Err(DataError::Inconsistent(format!("every pixel of the {what} images is {all}: {why}")));
        if least == most {
            return refuse(format!("all have the value {least}; give other images"));
        }
        let Binarize::Threshold(threshold) = binarize else {
            return refuse("give other images".into());
        };
        let side = if all == "dark" { "at most" } else { "above" };
        refuse(format!(
            "their values, {least} to {most}, are {side} data.threshold = {threshold}, which is {} of 255; set data.threshold={}, so that what is above {} is lit",
            255.0 * threshold,
            middle(least, most),
            (255.0 * middle(least, most).parse::<f64>().unwrap_or(threshold)).floor()
        ))
    }

    /// Warns of values that are no probabilities in 255ths.
    fn note(&self, binarize: Binarize, what: &str) -> Option<String> {
        let Self { least, most, .. } = *self;
        (binarize == Binarize::Stochastic && most < 128).then(|| {
            format!(
                "the largest value of the {what} images is {most} of 255, so that their pixels are lit with probabilities up to {:.3}; if they are \
                 not meant to be that dark, scale them, or set data.binarize=threshold and data.threshold={}",
                f64::from(most) / 255.0,
                middle(least, most)
            )
        })
    }

    fn pixels(self, visible: usize) -> Result<Pixels, DataError> {
        if self.threshold.is_some() {
            return Ok(Pixels::Binary(PackedImages::from_words(self.words, visible)));
        }
        let grey = Array2::from_shape_vec((self.count, visible), self.grey);
        grey.map(Pixels::Grey)
            .map_err(|error| DataError::Inconsistent(format!("the images do not form a table: {error}")))
    }
}

/// A threshold between the least and the largest grey value, as it is written.
fn middle(least: u8, most: u8) -> String {
    if (least, most) == (0, 1) {
        return "0".to_owned();
    }
    let middle = (f64::from(least) + f64::from(most)) / 2.0 / 255.0;
    format!("{middle:.3}")
}
