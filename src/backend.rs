//! From a backend's name to its type, once; and whether the machine has what it needs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use burn_flex::{Flex, FlexDevice};
use burn_ndarray::NdArrayDevice;
use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{RuntimeOptions, Wgpu, WgpuDevice};
use clap::ValueEnum;

use crate::numerics::{DeviceInfo, Numerics, On};
use crate::ops::cpu::NdArrayBackend;

/// The backends that the program was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// The CPU, through ndarray
    Ndarray,
    /// The CPU, through burn's own kernels
    Flex,
    /// A GPU through Vulkan, Metal or DirectX
    Wgpu,
    /// An NVIDIA GPU through CUDA
    #[cfg(feature = "cuda")]
    Cuda,
}

/// Why a backend cannot be used on this machine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackendError {
    /// wgpu finds nothing to run on.
    #[error(
        "backend wgpu: no graphics adapter was found ({0}); install a Vulkan driver (Debian's mesa-vulkan-drivers and libvulkan1 run \
         on any CPU) or use --backend ndarray"
    )]
    NoAdapter(String),
    /// The device is there and does not start.
    #[error("backend {backend}: the device could not be started: {problem}; use --backend ndarray")]
    Device {
        /// The backend's name.
        backend: &'static str,
        /// Its own words.
        problem: String,
    },
}

impl BackendName {
    /// The name as `--backend` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndarray => "ndarray",
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            #[cfg(feature = "cuda")]
            Self::Cuda => "cuda",
        }
    }

    /// Starts the backend's default device.
    ///
    /// # Errors
    /// When the machine has no such device, in one sentence.
    pub fn open(self) -> Result<Box<dyn Numerics>, BackendError> {
        Ok(match self {
            Self::Ndarray => Box::new(On::<NdArrayBackend> {
                device: NdArrayDevice::Cpu,
                info: cpu(self),
            }),
            Self::Flex => Box::new(On::<Flex> {
                device: FlexDevice,
                info: cpu(self),
            }),
            Self::Wgpu => Box::new(On::<Wgpu> {
                device: WgpuDevice::DefaultDevice,
                info: wgpu_device()?,
            }),
            #[cfg(feature = "cuda")]
            Self::Cuda => open_cuda()?,
        })
    }
}

/// The processor by name, with the threads in use.
fn cpu(backend: BackendName) -> DeviceInfo {
    let model = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    DeviceInfo {
        backend: backend.name(),
        name: format!(
            "{}, {} threads",
            model.as_deref().unwrap_or(std::env::consts::ARCH),
            rayon::current_num_threads()
        ),
        largest_array: u64::MAX,
        host: true,
        software: false,
    }
}

/// Asks wgpu for an adapter and then starts burn's default device on it, once in a process.
///
/// burn-wgpu itself panics on a thread of its own where there is none.
fn wgpu_device() -> Result<DeviceInfo, BackendError> {
    static DEVICE: OnceLock<Result<DeviceInfo, BackendError>> = OnceLock::new();
    DEVICE.get_or_init(start_wgpu).clone()
}

fn start_wgpu() -> Result<DeviceInfo, BackendError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: AutoGraphicsApi::backend().into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    }))
    .map_err(|error| BackendError::NoAdapter(one_line(&error.to_string())))?;
    drop(adapter);
    let setup = quietly(|| burn_wgpu::init_setup::<AutoGraphicsApi>(&WgpuDevice::DefaultDevice, RuntimeOptions::default()))
        .map_err(|problem| BackendError::Device { backend: "wgpu", problem })?;
    let info = setup.adapter.get_info();
    Ok(DeviceInfo {
        backend: "wgpu",
        name: format!("{} ({:?}, {:?})", info.name, info.backend, info.device_type),
        // Larger buffers panic on the device's thread: 128 MiB on software Vulkan.
        largest_array: setup.device.limits().max_storage_buffer_binding_size,
        host: false,
        software: info.device_type == wgpu::DeviceType::Cpu,
    })
}

#[cfg(feature = "cuda")]
fn open_cuda() -> Result<Box<dyn Numerics>, BackendError> {
    use burn::tensor::Tensor;
    use burn_cuda::{Cuda, CudaDevice};

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

/// Runs something that may panic, without the panic's message on the terminal, and gives that message as an error.
fn quietly<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(action));
    std::panic::set_hook(hook);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        one_line(&text.unwrap_or_else(|| "it gave no reason".to_owned()))
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
