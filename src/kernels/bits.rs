//! Matrices of bits: 32 columns to a word, the first in the lowest bit.

use std::array::from_fn;

use rayon::prelude::*;

/// Columns in a word.
pub const WORD: usize = 32;

/// A matrix of bits in rows of whole words; the bits beyond the last column are 0.
#[derive(Clone, Copy, Debug)]
pub struct Bits<'a> {
    /// All rows, one after the other.
    pub words: &'a [u32],
    /// The number of columns.
    pub columns: usize,
}

impl<'a> Bits<'a> {
    /// Words in a row.
    pub fn stride(self) -> usize {
        self.columns.div_ceil(WORD)
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        self.words.len().checked_div(self.stride()).unwrap_or(0)
    }

    /// One row.
    pub fn row(self, row: usize) -> &'a [u32] {
        &self.words[row * self.stride()..][..self.stride()]
    }

    /// The words of the transposed matrix.
    pub fn transposed(self) -> Vec<u32> {
        let (rows, stride) = (self.rows(), self.stride());
        let across = rows.div_ceil(WORD);
        let mut transposed = vec![0; self.columns * across];
        transposed
            .par_chunks_mut(SQUARES * WORD * across)
            .enumerate()
            .for_each(|(group, lines)| {
                super::vectorized(
                    #[inline(always)]
                    || {
                        let words = group * SQUARES..stride.min((group + 1) * SQUARES);
                        for block in 0..across {
                            let mut squares = [[0; SQUARES]; WORD];
                            for (line, row) in squares.iter_mut().zip(block * WORD..rows) {
                                line[..words.len()].copy_from_slice(&self.row(row)[words.clone()]);
                            }
                            transpose(&mut squares);
                            for (line, words) in lines.chunks_exact_mut(across).enumerate() {
                                words[block] = squares[line % WORD][line / WORD];
                            }
                        }
                    },
                );
            });
        transposed
    }
}

/// Squares of 32 x 32 bits that are transposed together: a vector register of words.
pub const SQUARES: usize = 8;

/// Transposes squares of 32 x 32 bits: bit j of word i becomes bit i of word j. Quadrants are exchanged, then their quadrants, down to
/// single bits.
#[inline(always)]
pub fn transpose(squares: &mut [[u32; SQUARES]; WORD]) {
    exchange_quadrants::<16>(squares, 0x0000_FFFF);
    exchange_quadrants::<8>(squares, 0x00FF_00FF);
    exchange_quadrants::<4>(squares, 0x0F0F_0F0F);
    exchange_quadrants::<2>(squares, 0x3333_3333);
    exchange_quadrants::<1>(squares, 0x5555_5555);
}

#[inline(always)]
fn exchange_quadrants<const SIZE: usize>(squares: &mut [[u32; SQUARES]; WORD], low: u32) {
    // Row by row, and with a condition: loops over pairs of rows would be vectorized across pairs, with gathers and scatters.
    for first in (0..WORD).filter(|row| row & SIZE == 0) {
        let (upper, lower) = (squares[first], squares[first + SIZE]);
        let difference: [u32; SQUARES] = from_fn(|square| ((upper[square] >> SIZE) ^ lower[square]) & low);
        squares[first] = from_fn(|square| upper[square] ^ difference[square] << SIZE);
        squares[first + SIZE] = from_fn(|square| lower[square] ^ difference[square]);
    }
}

/// The positions of the 1s in every byte, in ascending order.
static PLACES: [[u16; 8]; 256] = {
    let mut places = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut count, mut bit) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                places[byte][count] = bit;
                count += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    places
};

/// Writes the columns of a row's 1s in ascending order, and says how many there are; `columns` has room for 8 more than there are columns.
///
/// Bytes are looked up, and all eight places are written whether they count or not: the end of a loop over
/// the 1s would be mispredicted at almost every byte.
#[inline(always)]
pub fn lit_columns(words: &[u32], columns: &mut [u16]) -> usize {
    let mut count = 0;
    for (word, &bits) in words.iter().enumerate() {
        if bits == 0 {
            continue;
        }
        for byte in 0..4 {
            let bits = bits >> (8 * byte) & 0xFF;
            let first = (WORD * word + 8 * byte) as u16;
            columns[count..count + 8].copy_from_slice(&PLACES[bits as usize].map(|place| place + first));
            count += bits.count_ones() as usize;
        }
    }
    count
}
