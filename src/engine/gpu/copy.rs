//! How fast a device copies: what any kernel that is bound by memory can be held against.

use std::time::{Duration, Instant};

use wgpu::Features;

use super::adapter::GpuAdapter;
use super::device::{Device, Needed};
use crate::error::Result;

/// Bytes copied at a time: far beyond any cache.
const BYTES: u64 = 256 << 20;

/// A measurement lasts at least this long.
const ENOUGH: Duration = Duration::from_millis(40);

/// Bytes per second that the adapter reads and writes when it copies a large buffer to another:
/// twice what it copies.
///
/// # Errors
/// [`crate::Error::Device`] and [`crate::Error::DeviceMemory`] when the adapter does not work or
/// has no room.
pub fn copy_bandwidth(selected: &GpuAdapter) -> Result<f64> {
    let limits = selected.adapter.limits();
    let bytes = BYTES
        .min(limits.max_storage_buffer_binding_size)
        .min(limits.max_buffer_size);
    let needed = Needed {
        features: Features::empty(),
        buffers: 0,
        largest: bytes,
        workgroup_bytes: 0,
    };
    let mut device = Device::new(&selected.adapter, needed)?;
    let (from, to) = (
        device.storage("a buffer to copy", bytes)?,
        device.storage("its copy", bytes)?,
    );
    let mut copy = |times: u32| -> Result<Duration> {
        let started = Instant::now();
        let mut encoder = device.device.create_command_encoder(&Default::default());
        (0..times).for_each(|_| encoder.copy_buffer_to_buffer(&from, 0, &to, 0, bytes));
        device.submit(encoder)?;
        device.wait(None)?;
        Ok(started.elapsed())
    };
    // The first touch of the memory is not what is measured.
    copy(1)?;
    let mut times = 1;
    let mut took = copy(times)?;
    while took < ENOUGH {
        times *= 2;
        took = copy(times)?;
    }
    Ok(2.0 * (bytes * u64::from(times)) as f64 / took.as_secs_f64())
}
