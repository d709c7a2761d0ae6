//! Products of binary images, or numbers, with tables of numbers.

use burn::tensor::DType;
use burn_cubecl::CubeRuntime;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::product_kernels::*;
use super::{CUBE, SIDE, a_thread_each, cubes, empty, launch, shape_of};
use crate::kernels::bits::WORD;

/// The most neighbouring columns of a table that share a cube.
const WIDEST: usize = 32;
/// Columns of a table that is read as it lies, also by columns: as long as to copy it would take longer.
const NARROW: usize = 32;
/// Columns of a thread where the sums are so many that a large GPU stays busy: it finds the lit pixels once for all.
const COLUMNS: usize = 4;
/// So many sums.
const MANY: usize = 1 << 19;
/// Words of an image that a thread should at least have where several threads share them.
const WORDS_A_THREAD: usize = 2;

/// See [`crate::ops::ChainBackend::unpack`].
pub fn unpack<R: CubeRuntime>(words: CubeTensor<R>, visible: usize) -> CubeTensor<R> {
    let [count, stride] = shape_of(&words);
    let pixels = empty(&words, [count, visible], DType::F32);
    launch!(
        unpack_kernel,
        (pixels, a_thread_each(&pixels)),
        words.into_array_arg(),
        pixels.clone().into_array_arg(),
        stride as u32,
        visible as u32,
    );
    pixels
}

/// See [`crate::ops::ChainBackend::affine`]; the table may lie in columns.
pub fn affine<R: CubeRuntime>(words: CubeTensor<R>, table: CubeTensor<R>, start: CubeTensor<R>) -> CubeTensor<R> {
    product(words, table, Some(start))
}

fn product<R: CubeRuntime>(words: CubeTensor<R>, table: CubeTensor<R>, start: Option<CubeTensor<R>>) -> CubeTensor<R> {
    let ([count, stride], [_, latent]) = (shape_of(&words), shape_of(&table));
    let table = if latent > NARROW { into_contiguous(table) } else { table };
    let (next_row, next_column) = (table.meta.strides()[0], table.meta.strides()[1]);
    let sums = empty(&table, [count, latent], DType::F32);
    let width = latent.next_power_of_two().min(WIDEST);
    let (columns, lanes) = match latent > WIDEST && count * latent >= MANY {
        true => (COLUMNS, 1),
        false => (1, stride.div_ceil(WORDS_A_THREAD).next_power_of_two().min(CUBE as usize / width)),
    };
    let tiles = latent.div_ceil(width * columns);
    let starts = start.is_some();
    launch!(
        affine_kernel,
        (sums, cubes(&sums, (count * tiles).div_ceil(CUBE as usize / width / lanes))),
        words.into_array_arg(),
        table.clone().into_array_arg(),
        start.unwrap_or(table).into_array_arg(),
        sums.clone().into_array_arg(),
        count as u32,
        stride as u32,
        latent as u32,
        next_row as u32,
        next_column as u32,
        width as u32,
        columns as u32,
        lanes as u32,
        starts,
    );
    sums
}

/// See [`crate::ops::ChainBackend::transposed_product`]: of images with so many pixels.
pub fn transposed<R: CubeRuntime>(words: CubeTensor<R>, visible: usize, weights: CubeTensor<R>) -> CubeTensor<R> {
    let [count, _] = shape_of(&weights);
    let (stride, groups) = (visible.div_ceil(WORD), count.div_ceil(WORD));
    let transposed = empty(&words, [visible, groups], DType::I32);
    launch!(
        transpose_kernel,
        (transposed, a_thread_each(&transposed)),
        words.into_array_arg(),
        transposed.clone().into_array_arg(),
        count as u32,
        visible as u32,
        stride as u32,
        groups as u32,
    );
    product(transposed, weights, None)
}

/// `t_ik / N - rho_k s_ki`, `[L, D]`, of totals t `[D, L]` over N images, rho `[1, L]` and s `[L, D]`.
pub fn residuals<R: CubeRuntime>(totals: CubeTensor<R>, rho: CubeTensor<R>, means: CubeTensor<R>, count: usize) -> CubeTensor<R> {
    let [latent, visible] = shape_of(&means);
    let residuals = empty(&means, [latent, visible], DType::F32);
    launch!(
        residuals_kernel,
        (residuals, a_thread_each(&residuals)),
        totals.into_array_arg(),
        rho.into_array_arg(),
        means.into_array_arg(),
        residuals.clone().into_array_arg(),
        count as f32,
        latent as u32,
        visible as u32,
    );
    residuals
}

/// See [`crate::ops::ChainBackend::dense`].
pub fn dense<R: CubeRuntime>(a: CubeTensor<R>, b: CubeTensor<R>) -> CubeTensor<R> {
    let ([rows, inner], [_, columns]) = (shape_of(&a), shape_of(&b));
    let found = empty(&a, [rows, columns], DType::F32);
    let tiles = columns.div_ceil(SIDE as usize);
    launch!(
        dense_kernel,
        (found, cubes(&found, rows.div_ceil(SIDE as usize) * tiles)),
        a.into_array_arg(),
        b.into_array_arg(),
        found.clone().into_array_arg(),
        rows as u32,
        inner as u32,
        columns as u32,
        tiles as u32,
    );
    found
}
