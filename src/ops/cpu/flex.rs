//! burn-flex's tensors as slices.

use std::borrow::Cow;

use burn::tensor::TensorData;
use burn_flex::{Flex, FlexTensor};
use ndarray::{Array2, ArrayView2, CowArray, Ix2};

use super::HostBackend;

impl HostBackend for Flex {
    fn matrix(tensor: &FlexTensor) -> CowArray<'_, f32, Ix2> {
        let shape = tensor.layout().shape();
        let shape = (shape[0], shape[1]);
        match Self::numbers(tensor) {
            Cow::Borrowed(numbers) => ArrayView2::from_shape(shape, numbers).expect("contiguous").into(),
            Cow::Owned(numbers) => Array2::from_shape_vec(shape, numbers).expect("contiguous").into(),
        }
    }

    fn numbers(tensor: &FlexTensor) -> Cow<'_, [f32]> {
        match tensor.as_slice() {
            Some(numbers) => Cow::Borrowed(numbers),
            None => Cow::Owned(tensor.clone().into_data().into_vec().expect("this backend's floats are f32")),
        }
    }

    fn integers(tensor: &FlexTensor) -> Cow<'_, [i32]> {
        match tensor.as_slice() {
            Some(integers) => Cow::Borrowed(integers),
            None => Cow::Owned(tensor.clone().into_data().into_vec().expect("this backend's integers are i32")),
        }
    }

    fn from_numbers(numbers: Vec<f32>, shape: &[usize]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(numbers, shape))
    }

    fn from_integers(integers: Vec<i32>, shape: &[usize]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(integers, shape))
    }
}
