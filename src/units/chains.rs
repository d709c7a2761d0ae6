//! Chains of a machine of units: started anew, and followed.

use super::UnitConditionals;
use crate::data::packed::PackedImages;
use crate::random::{Seed, Stream};
use crate::watch::{Stopped, Watch};

/// N chains at one time: words h, and the images x ~ q(.|h) drawn from them.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// h.
    pub words: PackedImages,
    /// x.
    pub images: PackedImages,
}

/// Where chains begin.
#[derive(Clone, Copy, Debug)]
pub enum Start<'a> {
    /// At images of words whose bits are fair coins.
    Noise,
    /// At these images.
    Images(&'a PackedImages),
}

/// Chains that begin somewhere; `time` keys their draws.
#[derive(Clone, Copy, Debug)]
pub struct Walkers<'a> {
    /// The machine.
    pub model: &'a UnitConditionals,
    /// Of all draws.
    pub seed: Seed,
    /// First index of the draws: walks of different times share none.
    pub time: u64,
}

impl Walkers<'_> {
    /// N chains after some full steps, one or more, `h ~ p(.|x)`, `x ~ q(.|h)`, from where they begin.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn after(&self, start: Start, count: usize, steps: usize, watch: &dyn Watch) -> Result<Moment, Stopped> {
        let mut images = match start {
            Start::Noise => {
                let words = self.model.fair_words(count, self.seed.draws(Stream::FreshChains, self.time, 0));
                self.model.draw_images(&words, self.seed.draws(Stream::FreshChains, self.time, 1))
            }
            Start::Images(images) => {
                let chosen: Vec<usize> = (0..count).map(|chain| chain % images.len()).collect();
                images.select(&chosen)
            }
        };
        let mut step = 1;
        loop {
            watch.go_on()?;
            let moment = self.next(&images, step);
            if step >= steps as u64 {
                return Ok(moment);
            }
            images = moment.images;
            step += 1;
        }
    }

    /// The chains some full steps later; `done` steps lie behind them.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn on(&self, moment: &Moment, done: usize, steps: usize, watch: &dyn Watch) -> Result<Moment, Stopped> {
        let mut moment = moment.clone();
        for step in 1..=steps {
            watch.go_on()?;
            moment = self.next(&moment.images, (done + step) as u64);
        }
        Ok(moment)
    }

    /// Some moments of the chains one after the other, the given one first; `done` steps lie behind it.
    ///
    /// # Errors
    /// When it is stopped.
    pub fn film(&self, first: Moment, done: usize, moments: usize, watch: &dyn Watch) -> Result<Vec<Moment>, Stopped> {
        let mut film = vec![first];
        while film.len() < moments {
            watch.go_on()?;
            let last = &film[film.len() - 1];
            film.push(self.next(&last.images, (done + film.len()) as u64));
            watch.part_done();
        }
        Ok(film)
    }

    /// Step `number`, from 1.
    pub fn next(&self, images: &PackedImages, number: u64) -> Moment {
        let draws = |part| self.seed.draws(Stream::FreshChains, self.time, 2 * number + part);
        let words = self.model.draw_words(images, draws(0));
        let images = self.model.draw_images(&words, draws(1));
        Moment { words, images }
    }
}
