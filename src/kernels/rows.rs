//! The product of a binary matrix and a wide table, by the rows of the table that the 1s choose.

use ndarray::ArrayView2;
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

/// A matrix with its rows padded to whole registers.
struct Table<F> {
    rows: Vec<Lanes<F>>,
    /// Registers in a row.
    lanes: usize,
    /// Numbers in a row, without the padding.
    width: usize,
}

impl<F: Number> Table<F> {
    fn new(matrix: ArrayView2<F>) -> Self {
        let (count, width) = matrix.dim();
        let lanes = width.div_ceil(LANES);
        let mut rows = vec![[F::default(); LANES]; count * lanes];
        rows.par_chunks_mut(lanes * super::grain(count, width))
            .enumerate()
            .for_each(|(chunk, rows)| {
                let first = chunk * super::grain(count, width);
                if matrix.strides()[1] == 1 {
                    for (row, values) in rows.chunks_exact_mut(lanes).zip(matrix.rows().into_iter().skip(first)) {
                        for (value, &number) in row.as_flattened_mut().iter_mut().zip(values) {
                            *value = number;
                        }
                    }
                } else {
                    let rows = rows.as_flattened_mut();
                    for (k, column) in matrix.columns().into_iter().enumerate() {
                        for (row, &number) in rows.chunks_exact_mut(lanes * LANES).zip(column.iter().skip(first)) {
                            row[k] = number;
                        }
                    }
                }
            });
        Self { rows, lanes, width }
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
                let lit = || lit.chunks_exact(room).zip(&counts).map(|(lit, &count)| &lit[..count]);
                let table = &self.rows[first * WORD * self.lanes..];
                let strips = self.lanes.div_ceil(8);
                for strip in 0..strips {
                    let [start, end] = [strip, strip + 1].map(|strip| strip * self.lanes / strips);
                    let task = (table, self.lanes, start, &mut *sums);
                    // A short strip leaves registers free: several partial sums hide the time that an addition takes.
                    match end - start {
                        1 => add_strip::<F, 1, 8>(lit(), task),
                        2 => add_strip::<F, 2, 4>(lit(), task),
                        3 => add_strip::<F, 3, 2>(lit(), task),
                        4 => add_strip::<F, 4, 2>(lit(), task),
                        5 => add_strip::<F, 5, 1>(lit(), task),
                        6 => add_strip::<F, 6, 1>(lit(), task),
                        7 => add_strip::<F, 7, 1>(lit(), task),
                        _ => add_strip::<F, 8, 1>(lit(), task),
                    }
                }
            }
        }
        for (sum, padded) in sums.chunks_exact_mut(self.width).zip(padded.chunks_exact(self.lanes)) {
            sum.copy_from_slice(&padded.as_flattened()[..self.width]);
        }
    }
}

/// Adds a strip of WIDTH registers of the chosen rows of a table to every sum, in PARTS partial sums. The task is the table, the
/// registers in its rows, the first of the strip, and the sums.
#[inline(always)]
fn add_strip<'a, F: Number, const WIDTH: usize, const PARTS: usize>(
    lit: impl Iterator<Item = &'a [u16]>,
    (rows, lanes, first, sums): (&[Lanes<F>], usize, usize, &mut [Lanes<F>]),
) {
    let strip = |column: u16| -> &[Lanes<F>; WIDTH] {
        let start = usize::from(column) * lanes + first;
        rows[start..start + WIDTH].try_into().expect("WIDTH registers")
    };
    for (lit, sum) in lit.zip(sums.chunks_exact_mut(lanes)) {
        let mut parts = [[[F::default(); LANES]; WIDTH]; PARTS];
        let mut groups = lit.chunks_exact(PARTS);
        for group in &mut groups {
            for part in 0..PARTS {
                add(&mut parts[part], strip(group[part]));
            }
        }
        for &column in groups.remainder() {
            add(&mut parts[0], strip(column));
        }
        let sum: &mut [Lanes<F>; WIDTH] = (&mut sum[first..first + WIDTH]).try_into().expect("WIDTH registers");
        for part in parts {
            add(sum, &part);
        }
    }
}
