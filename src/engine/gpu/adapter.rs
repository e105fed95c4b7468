//! Which adapters there are, and which one is taken.

use wgpu::{Adapter, Backends, DeviceType, Features, Instance, InstanceDescriptor};

use super::limits::{most, room};
use crate::engine::adapter::{AdapterKind, AdapterSummary};
use crate::error::{Error, Result};

/// An adapter that can be trained on.
#[derive(Clone, Debug)]
pub struct GpuAdapter {
    pub(super) adapter: Adapter,
    index: usize,
}

/// All adapters, in the order of their index.
pub fn adapters() -> Vec<GpuAdapter> {
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let found = pollster::block_on(Instance::new(descriptor).enumerate_adapters(Backends::all()));
    found
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| GpuAdapter { adapter, index })
        .collect()
}

/// The best hardware adapter, if there is one.
pub fn hardware() -> Option<GpuAdapter> {
    best(
        adapters()
            .into_iter()
            .filter(|adapter| !adapter.is_software()),
    )
}

/// The adapter of an index or a part of a name; without one, the best, software included.
///
/// # Errors
/// [`Error::Adapter`], with a list of those there are.
pub fn select(wanted: Option<&str>) -> Result<GpuAdapter> {
    let all = adapters();
    let lines: Vec<String> = all
        .iter()
        .map(|adapter| format!("  {}", adapter.describe()))
        .collect();
    let found = match wanted {
        None => best(all),
        Some(wanted) => match wanted.parse::<usize>() {
            Ok(index) => all.into_iter().find(|adapter| adapter.index == index),
            Err(_) => {
                let wanted = wanted.to_lowercase();
                best(
                    all.into_iter()
                        .filter(|adapter| adapter.summary().name.to_lowercase().contains(&wanted)),
                )
            }
        },
    };
    found.ok_or_else(|| Error::Adapter {
        why: match wanted {
            Some(wanted) => format!("`adapter = {wanted}`: no adapter has this index or name"),
            None => "`engine = gpu`: no adapter was found".to_owned(),
        },
        adapters: lines,
    })
}

fn best(adapters: impl IntoIterator<Item = GpuAdapter>) -> Option<GpuAdapter> {
    // Of equals the first, as the driver lists them.
    adapters
        .into_iter()
        .min_by_key(|adapter| match adapter.adapter.get_info().device_type {
            DeviceType::DiscreteGpu => 0,
            DeviceType::IntegratedGpu => 1,
            DeviceType::VirtualGpu => 2,
            DeviceType::Other => 3,
            DeviceType::Cpu => 4,
        })
}

impl GpuAdapter {
    /// Whether the adapter is a program on the CPU, such as lavapipe.
    pub fn is_software(&self) -> bool {
        self.adapter.get_info().device_type == DeviceType::Cpu
    }

    /// Whether kernels can be timed on it.
    pub(super) fn has_timestamps(&self) -> bool {
        self.adapter.features().contains(Features::TIMESTAMP_QUERY)
    }

    /// All that `w2v-gpu devices` shows.
    pub fn summary(&self) -> AdapterSummary {
        let (info, limits) = (self.adapter.get_info(), self.adapter.limits());
        AdapterSummary {
            index: self.index,
            name: info.name,
            backend: info.backend.to_string(),
            kind: match info.device_type {
                DeviceType::DiscreteGpu => AdapterKind::Discrete,
                DeviceType::IntegratedGpu => AdapterKind::Integrated,
                DeviceType::VirtualGpu => AdapterKind::Virtual,
                DeviceType::Cpu => AdapterKind::Software,
                DeviceType::Other => AdapterKind::Other,
            },
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            max_binding: limits.max_storage_buffer_binding_size,
            max_matrix: room(&limits).saturating_mul(u64::from(most(&limits))),
            max_buffer: limits.max_buffer_size,
            subgroup: self
                .adapter
                .features()
                .contains(Features::SUBGROUP)
                .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        }
    }

    /// Index, name, backend and kind in one line.
    pub fn describe(&self) -> String {
        let AdapterSummary {
            index,
            name,
            backend,
            kind,
            ..
        } = self.summary();
        format!("{index}: {name} ({backend}, {kind})")
    }
}
