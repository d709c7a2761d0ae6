//! From a backend's name to its type, once; and whether this build and this machine have what it needs.

#[cfg(feature = "cuda")]
mod cuda;
#[cfg(feature = "wgpu")]
mod wgpu;

use burn_ndarray::NdArrayDevice;
use clap::ValueEnum;

use crate::numerics::{DeviceInfo, Inspect, Numerics, On};
use crate::ops::cpu::NdArrayBackend;

/// The backends. The program always has ndarray; each of the others is a cargo feature of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// The CPU, through ndarray
    Ndarray,
    /// A GPU through Vulkan, Metal or DirectX
    Wgpu,
    /// An NVIDIA GPU through CUDA
    Cuda,
    /// The CPU, through burn-flex
    Flex,
}

/// Why a backend cannot be used on this machine.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BackendError {
    /// The program was built without it.
    #[error(
        "backend {0} is not in this build of the program; build it with `cargo build --release --features {0}`, or use --backend ndarray"
    )]
    NotBuilt(&'static str),
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
            Self::Wgpu => "wgpu",
            Self::Cuda => "cuda",
            Self::Flex => "flex",
        }
    }

    /// Does it compute on the CPU?
    pub fn is_cpu(self) -> bool {
        matches!(self, Self::Ndarray | Self::Flex)
    }

    /// Starts the backend's default device.
    ///
    /// # Errors
    /// When the build lacks the backend or the machine has no such device, in one sentence.
    pub fn open(self) -> Result<Box<dyn Numerics>, BackendError> {
        Ok(self.inspect()?)
    }

    /// As [`BackendName::open`], with the operations that tests look at one by one.
    ///
    /// # Errors
    /// As [`BackendName::open`].
    pub fn inspect(self) -> Result<Box<dyn Inspect>, BackendError> {
        match self {
            Self::Ndarray => Ok(Box::new(On::<NdArrayBackend> {
                device: NdArrayDevice::Cpu,
                info: cpu(self),
            })),
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Box::new(On::<burn_flex::Flex> {
                device: burn_flex::FlexDevice,
                info: cpu(self),
            })),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => wgpu::open(),
            #[cfg(feature = "cuda")]
            Self::Cuda => cuda::open(),
            #[cfg(not(all(feature = "flex", feature = "wgpu", feature = "cuda")))]
            missing => Err(BackendError::NotBuilt(missing.name())),
        }
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
