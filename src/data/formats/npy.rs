//! .npy, numpy's file of one array: a magic number, a header in Python's words, then the numbers.

use std::io::Read;
use std::path::Path;

use super::{FormatError, InMemory, LARGEST, Shape, open};
use crate::text::shortened;

const IMAGES_NEEDED: &str =
    "images must be an array [N, D] or [N, H, W] of bool, of integers from 0 to 255, or of floats from 0 to 1 or 0 to 255";
const LABELS_NEEDED: &str = "labels must be an array [N] of integers from 0 to 255";

/// The images of a .npy file.
pub(super) fn images(path: &Path) -> Result<InMemory, FormatError> {
    images_of(open(path)?, path)
}

/// The images of a .npy file that `path` holds or is.
pub(super) fn images_of(source: impl Read, path: &Path) -> Result<InMemory, FormatError> {
    let (shape, grey) = grey(source).map_err(FormatError::malformed(path, IMAGES_NEEDED))?;
    Ok(InMemory::new(shape, grey))
}

/// The labels of a .npy file.
pub(super) fn labels(path: &Path) -> Result<Vec<u8>, FormatError> {
    labels_of(open(path)?, path)
}

/// The labels of a .npy file that `path` holds or is: `[N]` or `[N, 1]`.
pub(super) fn labels_of(source: impl Read, path: &Path) -> Result<Vec<u8>, FormatError> {
    read_labels(source).map_err(FormatError::malformed(path, LABELS_NEEDED))
}

fn read_labels(source: impl Read) -> Result<Vec<u8>, String> {
    let column = Column::read(source)?;
    let byte = |(place, label): (usize, i128)| u8::try_from(label).map_err(|_| format!("label {place} is {label}"));
    column.integers().enumerate().map(byte).collect()
}

/// The integers of an array of one dimension, or of one column.
///
/// # Errors
/// Says in words what is wrong.
pub fn integers(source: impl Read) -> Result<Vec<i128>, String> {
    Ok(Column::read(source)?.integers().collect())
}

/// An array of integers of one dimension, or of one column.
struct Column {
    header: Header,
    bytes: Vec<u8>,
}

impl Column {
    fn read(mut source: impl Read) -> Result<Self, String> {
        let header = Header::read(&mut source)?;
        let count = match header.sizes[..] {
            [count] | [count, 1] => count,
            _ => return Err(format!("it has the sizes {:?}, not one dimension", header.sizes)),
        };
        if matches!(header.element, Element::Bool | Element::Float) {
            return Err("its numbers are not integers".into());
        }
        let bytes = header.numbers(source, count)?;
        Ok(Self { header, bytes })
    }

    fn integers(&self) -> impl Iterator<Item = i128> {
        let signed = self.header.element == Element::Signed;
        let numbers = self.bytes.chunks_exact(self.header.size);
        numbers.map(move |number| self.header.integer(number, signed))
    }
}

/// The grey values of an array of images, image by image, and their sizes.
///
/// # Errors
/// Says in words what is wrong.
pub fn grey(mut source: impl Read) -> Result<(Shape, Vec<u8>), String> {
    let header = Header::read(&mut source)?;
    let shape = Shape::of_sizes(&header.sizes)?;
    let count = shape.count * shape.visible();
    let bytes = header.numbers(source, count)?;
    let grey = match (header.element, header.size) {
        (Element::Bool, _) => bytes.into_iter().map(|lit| if lit == 0 { 0 } else { 255 }).collect(),
        (Element::Unsigned, 1) => bytes,
        (Element::Float, _) => grey_of_floats(&header, &bytes)?,
        (element, size) => {
            let signed = element == Element::Signed;
            let numbers = bytes.chunks_exact(size).map(|number| header.integer(number, signed));
            let byte = |number: i128| u8::try_from(number).map_err(|_| format!("holds the value {number}"));
            numbers.map(byte).collect::<Result<_, _>>()?
        }
    };
    let grey = if header.fortran { in_order(&grey, &header.sizes) } else { grey };
    Ok((shape, grey))
}

/// Fractions of 1 where no value is above 1, otherwise values up to 255; to the nearest 255th, of two equally near to the darker.
fn grey_of_floats(header: &Header, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let values = || bytes.chunks_exact(header.size).map(|number| header.float(number));
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    for value in values() {
        if !value.is_finite() {
            return Err(format!("holds the value {value}"));
        }
        (least, most) = (least.min(value), most.max(value));
    }
    if least < 0.0 || most > 255.0 {
        return Err(format!("holds values from {least} to {most}"));
    }
    let unit = if most <= 1.0 { 255.0 } else { 1.0 };
    Ok(values().map(|value| (unit * value - 0.5).ceil() as u8).collect())
}

/// From the order of Fortran, first index fastest, to that of C.
fn in_order(numbers: &[u8], sizes: &[usize]) -> Vec<u8> {
    let strides = sizes.iter().scan(1, |stride, size| {
        let of_this = *stride;
        *stride *= size;
        Some(of_this)
    });
    let strides: Vec<usize> = strides.collect();
    let place = |mut index: usize| {
        let parts = sizes.iter().zip(&strides).rev();
        parts.fold(0, |place, (size, stride)| {
            let part = index % size;
            index /= size;
            place + part * stride
        })
    };
    (0..numbers.len()).map(|index| numbers[place(index)]).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Bool,
    Unsigned,
    Signed,
    Float,
}

/// What an array is.
struct Header {
    element: Element,
    /// Bytes of a number.
    size: usize,
    big_endian: bool,
    /// Is the first index the fastest?
    fortran: bool,
    sizes: Vec<usize>,
}

impl Header {
    /// Reads the magic number, the version and the header.
    fn read(source: &mut impl Read) -> Result<Self, String> {
        let bad = |_| "it has no header of a .npy file".to_owned();
        let mut start = [0; 8];
        source.read_exact(&mut start).map_err(bad)?;
        if start[..6] != *b"\x93NUMPY" {
            return Err("it has no header of a .npy file".into());
        }
        let mut length = [0; 4];
        source.read_exact(&mut length[..if start[6] == 1 { 2 } else { 4 }]).map_err(bad)?;
        let length = u32::from_le_bytes(length);
        let mut text = String::new();
        source.take(length.min(1 << 16).into()).read_to_string(&mut text).map_err(bad)?;
        if text.len() as u64 != u64::from(length) {
            return Err("it has no header of a .npy file".into());
        }
        Self::parse(&text)
    }

    /// As in `{'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let after = |key: &str| {
            let (_, after) = text.split_once(key)?;
            Some(after.trim_start_matches(['\'', '"', ':', ' ']))
        };
        let bad = || "its header says no type, order or shape".to_owned();
        let kind = after("descr").ok_or_else(bad)?;
        if kind.starts_with('[') {
            return Err("its elements are records of several fields".into());
        }
        let kind = kind.split(['\'', '"']).next().unwrap_or_default();
        let order = after("fortran_order").ok_or_else(bad)?;
        let fortran = order.starts_with("True");
        if !fortran && !order.starts_with("False") {
            return Err(bad());
        }
        let shape = after("shape")
            .and_then(|after| after.strip_prefix('(')?.split_once(')'))
            .ok_or_else(bad)?
            .0;
        let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        // Older files write 28L.
        let sizes = sizes.map(|size| size.trim_end_matches('L').parse().map_err(|_| bad()));
        let sizes: Vec<usize> = sizes.collect::<Result<_, _>>()?;
        let (order, element) = kind.split_at_checked(1).ok_or_else(bad)?;
        let (element, size) = match element {
            "b1" => (Element::Bool, 1),
            "u1" | "u2" | "u4" | "u8" => (Element::Unsigned, usize::from(element.as_bytes()[1] - b'0')),
            "i1" | "i2" | "i4" | "i8" => (Element::Signed, usize::from(element.as_bytes()[1] - b'0')),
            "f4" => (Element::Float, 4),
            "f8" => (Element::Float, 8),
            _ => return Err(format!("its elements are of type {:?}", shortened(kind))),
        };
        Ok(Self {
            element,
            size,
            big_endian: order == ">",
            fortran,
            sizes,
        })
    }

    /// The bytes of all `count` numbers; the source must hold just these.
    fn numbers(&self, source: impl Read, count: usize) -> Result<Vec<u8>, String> {
        let there = "it is longer or shorter than its header says";
        let length = count
            .checked_mul(self.size)
            .filter(|&length| length as u64 <= 8 * LARGEST)
            .ok_or(there)?;
        let mut bytes = Vec::new();
        // Asked for once: the system gives it as it is filled, and a buffer that grows lies in memory twice.
        bytes
            .try_reserve_exact(length + 1)
            .map_err(|_| format!("needs {length} bytes of memory, which are not to be had"))?;
        source
            .take(length as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| error.to_string())?;
        if bytes.len() == length { Ok(bytes) } else { Err(there.into()) }
    }

    /// The bytes of a number, the least significant first.
    fn little_endian<const SIZE: usize>(&self, number: &[u8]) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[..number.len()].copy_from_slice(number);
        if self.big_endian {
            bytes[..number.len()].reverse();
        }
        bytes
    }

    fn integer(&self, number: &[u8], signed: bool) -> i128 {
        let value = i128::from_le_bytes(self.little_endian(number));
        let half = 1_i128 << (8 * self.size - 1);
        if signed && value >= half { value - 2 * half } else { value }
    }

    fn float(&self, number: &[u8]) -> f64 {
        match self.size {
            4 => f32::from_le_bytes(self.little_endian(number)).into(),
            _ => f64::from_le_bytes(self.little_endian(number)),
        }
    }
}
