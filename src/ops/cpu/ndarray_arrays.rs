//! burn-ndarray's tensors as slices.

use std::borrow::Cow;

use burn_ndarray::NdArrayTensor;
use ndarray::{ArcArray, ArrayViewD, CowArray, Ix2, IxDyn};

use super::{HostBackend, NdArrayBackend};

impl HostBackend for NdArrayBackend {
    fn matrix(tensor: &NdArrayTensor) -> CowArray<'_, f32, Ix2> {
        let NdArrayTensor::F32(storage) = tensor else {
            unreachable!("this backend's floats are f32")
        };
        storage.view().into_dimensionality().expect("a matrix has two dimensions").into()
    }

    fn numbers(tensor: &NdArrayTensor) -> Cow<'_, [f32]> {
        let NdArrayTensor::F32(storage) = tensor else {
            unreachable!("this backend's floats are f32")
        };
        in_rows(storage.view())
    }

    fn integers(tensor: &NdArrayTensor) -> Cow<'_, [i32]> {
        let NdArrayTensor::I32(storage) = tensor else {
            unreachable!("this backend's integers are i32")
        };
        in_rows(storage.view())
    }

    fn from_numbers(numbers: Vec<f32>, shape: &[usize]) -> NdArrayTensor {
        ArcArray::from_shape_vec(IxDyn(shape), numbers)
            .expect("as many numbers as the shape says")
            .into()
    }

    fn from_integers(integers: Vec<i32>, shape: &[usize]) -> NdArrayTensor {
        ArcArray::from_shape_vec(IxDyn(shape), integers)
            .expect("as many integers as the shape says")
            .into()
    }
}

/// An array's elements row by row, copied only where they lie otherwise.
fn in_rows<T: Copy>(array: ArrayViewD<'_, T>) -> Cow<'_, [T]> {
    match array.to_slice() {
        Some(elements) => Cow::Borrowed(elements),
        None => Cow::Owned(array.iter().copied().collect()),
    }
}
