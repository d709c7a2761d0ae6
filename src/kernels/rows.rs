//! The product of a binary matrix and a wide table, by the rows of the table that the 1s choose.

use std::ops::Range;

use ndarray::{ArrayView2, s};
use rayon::prelude::*;

use super::bits::{Bits, WORD, lit_columns};
use super::lanes::{LANES, Lanes, Number, add};

/// Words and rows of x taken at a time, so many that what they need of a wide table stays in the nearest cache from row to row.
const BLOCK: (usize, usize) = (4, 64);

/// `s + x M`, as [`super::products::affine`].
pub(super) fn sums<F: Number>(x: Bits, table: ArrayView2<F>, start: Option<&[F]>) -> Vec<F> {
    let width = table.ncols();
    let mut sums = vec![F::default(); x.rows() * width];
    let table = Table::new(table);
    let rows = super::grain(x.rows(), x.columns / 4 * table.lanes);
    sums.par_chunks_mut(rows * width)
        .zip(x.words.par_chunks(rows * x.stride()))
        .for_each(|(sums, words)| {
            let x = Bits { words, ..x };
            super::vectorized(
                #[inline(always)]
                || table.sums(x, start, sums),
            );
        });
    sums
}

/// A matrix in strips of at most [`WIDEST`] registers, its rows padded to whole ones. A strip lies in one piece: what a block of its rows needs fills few lines of
/// the nearest cache, and no more.
struct Table<F> {
    strips: Vec<Strip<F>>,
    /// Registers in a row.
    lanes: usize,
    /// Numbers in a row, without the padding.
    width: usize,
}

/// Registers of a strip: half of those that there are.
const WIDEST: usize = 8;

struct Strip<F> {
    /// Row by row.
    registers: Vec<Lanes<F>>,
    /// The first register of a row that is in the strip, and the end.
    place: Range<usize>,
}

impl<F: Number> Strip<F> {
    fn new(matrix: ArrayView2<F>, place: Range<usize>) -> Self {
        let columns = place.start * LANES..matrix.ncols().min(place.end * LANES);
        let matrix = matrix.slice(s![.., columns]);
        let mut registers = vec![[F::default(); LANES]; matrix.nrows() * place.len()];
        let (numbers, length) = (registers.as_flattened_mut(), place.len() * LANES);
        if matrix.strides()[1] == 1 {
            for (own, row) in numbers.chunks_exact_mut(length).zip(matrix.rows()) {
                own.iter_mut().zip(row).for_each(|(own, &number)| *own = number);
            }
        } else {
            for (k, column) in matrix.columns().into_iter().enumerate() {
                numbers
                    .chunks_exact_mut(length)
                    .zip(column)
                    .for_each(|(own, &number)| own[k] = number);
            }
        }
        Self { registers, place }
    }

    /// Adds the chosen rows, counted from `first`, to the strip of every sum. A narrow strip leaves registers free: several partial sums hide the time that an
    /// addition takes.
    #[inline(always)]
    fn add<'a>(&self, first: usize, lit: impl Iterator<Item = &'a [u16]>, sums: impl Iterator<Item = &'a mut [Lanes<F>]>)
    where
        F: 'a,
    {
        let width = self.place.len();
        let task = (
            &self.registers[first * width..],
            lit.zip(sums.map(|sum| &mut sum[self.place.clone()])),
        );
        match width {
            1 => add_rows::<F, 1, 8>(task),
            2 => add_rows::<F, 2, 4>(task),
            3 => add_rows::<F, 3, 2>(task),
            4 => add_rows::<F, 4, 2>(task),
            5 => add_rows::<F, 5, 1>(task),
            6 => add_rows::<F, 6, 1>(task),
            7 => add_rows::<F, 7, 1>(task),
            _ => add_rows::<F, WIDEST, 1>(task),
        }
    }
}

impl<F: Number> Table<F> {
    fn new(matrix: ArrayView2<F>) -> Self {
        let width = matrix.ncols();
        let lanes = width.div_ceil(LANES);
        let count = lanes.div_ceil(WIDEST);
        let place = |strip: usize| strip * lanes / count..(strip + 1) * lanes / count;
        let strips = (0..count).into_par_iter().map(|strip| Strip::new(matrix, place(strip)));
        Self {
            strips: strips.collect(),
            lanes,
            width,
        }
    }

    #[inline(always)]
    fn sums(&self, x: Bits, start: Option<&[F]>, sums: &mut [F]) {
        let mut padded = vec![[F::default(); LANES]; x.rows() * self.lanes];
        if let Some(start) = start {
            for row in padded.chunks_exact_mut(self.lanes) {
                row.as_flattened_mut()[..self.width].copy_from_slice(start);
            }
        }
        let (block, group) = BLOCK;
        let room = block * WORD + 8;
        let mut lit = vec![0; group * room];
        let mut counts = vec![0; group];
        for (number, sums) in padded.chunks_mut(group * self.lanes).enumerate() {
            for first in (0..x.stride()).step_by(block) {
                let words = first..x.stride().min(first + block);
                let rows = number * group..(number * group + sums.len() / self.lanes);
                for (row, (count, lit)) in rows.zip(counts.iter_mut().zip(lit.chunks_exact_mut(room))) {
                    *count = lit_columns(&x.row(row)[words.clone()], lit);
                }
                for strip in &self.strips {
                    let lit = lit.chunks_exact(room).zip(&counts).map(|(lit, &count)| &lit[..count]);
                    strip.add(first * WORD, lit, sums.chunks_exact_mut(self.lanes));
                }
            }
        }
        for (sum, padded) in sums.chunks_exact_mut(self.width).zip(padded.chunks_exact(self.lanes)) {
            sum.copy_from_slice(&padded.as_flattened()[..self.width]);
        }
    }
}

/// Adds the chosen rows of a strip, WIDTH registers each, to every sum, in PARTS partial sums.
#[inline(always)]
fn add_rows<'a, F: Number + 'a, const WIDTH: usize, const PARTS: usize>(
    (registers, sums): (&[Lanes<F>], impl Iterator<Item = (&'a [u16], &'a mut [Lanes<F>])>),
) {
    let (rows, _) = registers.as_chunks::<WIDTH>();
    for (lit, sum) in sums {
        let mut parts = [[[F::default(); LANES]; WIDTH]; PARTS];
        let mut groups = lit.chunks_exact(PARTS);
        for group in &mut groups {
            for part in 0..PARTS {
                add(&mut parts[part], &rows[usize::from(group[part])]);
            }
        }
        for &column in groups.remainder() {
            add(&mut parts[0], &rows[usize::from(column)]);
        }
        let sum: &mut [Lanes<F>; WIDTH] = sum.try_into().expect("WIDTH registers");
        for part in parts {
            add(sum, &part);
        }
    }
}
