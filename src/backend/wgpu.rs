//! A GPU through Vulkan, Metal or DirectX.

use std::sync::OnceLock;

use burn_wgpu::graphics::{AutoGraphicsApi, GraphicsApi};
use burn_wgpu::{RuntimeOptions, Wgpu, WgpuDevice};

use super::BackendError;
use crate::numerics::{DeviceInfo, Inspect, On};
use crate::panics::{one_line, quietly};

pub(super) fn open() -> Result<Box<dyn Inspect>, BackendError> {
    /// The device is started once in a process.
    static DEVICE: OnceLock<Result<DeviceInfo, BackendError>> = OnceLock::new();
    Ok(Box::new(On::<Wgpu> {
        info: DEVICE.get_or_init(start).clone()?,
        device: WgpuDevice::DefaultDevice,
    }))
}

/// Asks wgpu for an adapter and then starts burn's default device on it. burn-wgpu itself panics on a thread of its own where there is
/// none.
fn start() -> Result<DeviceInfo, BackendError> {
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
