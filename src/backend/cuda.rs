//! An NVIDIA GPU through CUDA.

use burn::tensor::Tensor;
use burn_cuda::{Cuda, CudaDevice};

use super::BackendError;
use crate::numerics::{DeviceInfo, Inspect, On};
use crate::panics::quietly;

pub(super) fn open() -> Result<Box<dyn Inspect>, BackendError> {
    let device = CudaDevice::default();
    // The first array starts the device; without a driver that panics.
    quietly(|| Tensor::<Cuda, 1>::zeros([1], &device).into_data()).map_err(|problem| BackendError::Device { backend: "cuda", problem })?;
    Ok(Box::new(On::<Cuda> {
        info: DeviceInfo {
            backend: "cuda",
            name: format!("{device:?}"),
            largest_array: u64::MAX,
            host: false,
            software: false,
        },
        device,
    }))
}
