//! The product of a binary matrix and a narrow table, by tabulated sums of four rows of the table.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::bits::{Bits, WORD};
use super::lanes::{LANES, Lanes, Number, add};

/// Columns whose every combination has its sum in the table.
const QUAD: usize = 4;
/// Combinations of them.
const SUMS: usize = 1 << QUAD;

type Sums<F, const WIDTH: usize> = [[Lanes<F>; WIDTH]; SUMS];

/// `s + x M`, as [`super::products::affine`], for M of at most WIDTH registers. It takes the same time for every x.
pub(super) fn sums<F: Number, const WIDTH: usize>(x: Bits, matrix: ArrayView2<F>, start: Option<&[F]>) -> Vec<F> {
    let width = matrix.ncols();
    let table = table::<F, WIDTH>(matrix, x.stride() * WORD);
    let mut first = [[F::default(); LANES]; WIDTH];
    if let Some(start) = start {
        first.as_flattened_mut()[..width].copy_from_slice(start);
    }
    let mut sums = vec![F::default(); x.rows() * width];
    let rows = super::grain(x.rows(), x.columns / 2);
    sums.par_chunks_mut(rows * width)
        .zip(x.words.par_chunks(rows * x.stride()))
        .for_each(|(sums, words)| {
            super::vectorized(
                #[inline(always)]
                || {
                    for (sum, words) in sums.chunks_exact_mut(width).zip(words.chunks_exact(x.stride())) {
                        sum.copy_from_slice(&row(words, &table, first).as_flattened()[..width]);
                    }
                },
            );
        });
    sums
}

/// All sums of the rows of each four columns, the rows beyond the last being zero.
fn table<F: Number, const WIDTH: usize>(matrix: ArrayView2<F>, columns: usize) -> Vec<Sums<F, WIDTH>> {
    let mut table = vec![[[[F::default(); LANES]; WIDTH]; SUMS]; columns / QUAD];
    let grain = super::grain(table.len(), 8 * SUMS * WIDTH);
    table.par_chunks_mut(grain).enumerate().for_each(|(chunk, quads)| {
        super::vectorized(
            #[inline(always)]
            || {
                for (quad, sums) in quads.iter_mut().enumerate() {
                    fill(sums, matrix, (chunk * grain + quad) * QUAD);
                }
            },
        );
    });
    table
}

#[inline(always)]
fn fill<F: Number, const WIDTH: usize>(sums: &mut Sums<F, WIDTH>, matrix: ArrayView2<F>, first: usize) {
    for column in 0..QUAD.min(matrix.nrows().saturating_sub(first)) {
        let row = matrix.row(first + column);
        let padded = sums[1 << column].as_flattened_mut();
        match row.as_slice() {
            Some(row) => padded[..row.len()].copy_from_slice(row),
            None => padded.iter_mut().zip(row).for_each(|(number, &value)| *number = value),
        }
    }
    for bits in 1..SUMS {
        let lowest = bits & bits.wrapping_neg();
        if bits != lowest {
            let mut sum = sums[bits - lowest];
            add(&mut sum, &sums[lowest]);
            sums[bits] = sum;
        }
    }
}

/// The sum of one row of x, in four partial sums that hide the time an addition takes.
#[inline(always)]
fn row<F: Number, const WIDTH: usize>(words: &[u32], table: &[Sums<F, WIDTH>], first: [Lanes<F>; WIDTH]) -> [Lanes<F>; WIDTH] {
    let mut parts = [[[F::default(); LANES]; WIDTH]; 4];
    parts[0] = first;
    for (&word, table) in words.iter().zip(table.chunks_exact(WORD / QUAD)) {
        for quad in 0..WORD / QUAD {
            add(&mut parts[quad % 4], &table[quad][(word >> (QUAD * quad)) as usize % SUMS]);
        }
    }
    let [mut sum, others @ ..] = parts;
    for part in &others {
        add(&mut sum, part);
    }
    sum
}
