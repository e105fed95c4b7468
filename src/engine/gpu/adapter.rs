//! Which adapters there are, and which one is taken.

use wgpu::{Adapter, Backends, DeviceType, Dx12Compiler, Features, Instance, InstanceDescriptor};

use super::layout::AdapterTraits;
use super::limits::{most, room};
use crate::engine::adapter::{AdapterKind, AdapterSummary};
use crate::error::{Error, Result, one_line};

/// An adapter that can be trained on.
#[derive(Clone, Debug)]
pub struct GpuAdapter {
    pub(super) adapter: Adapter,
    index: usize,
}

/// All adapters, in the order of their index.
pub fn adapters() -> Vec<GpuAdapter> {
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backend_options.dx12.shader_compiler = shader_compiler();
    descriptor.backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let found = pollster::block_on(Instance::new(descriptor).enumerate_adapters(Backends::all()));
    found
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| GpuAdapter { adapter, index })
        .collect()
}

/// DX12's shader compiler: DXC, be it linked into the program or a library beside it. The older FXC,
/// which every Windows has, knows no subgroups and may refuse barriers in loops whose bounds it does
/// not know. Without DXC there are no DX12 adapters, and Vulkan's remain.
fn shader_compiler() -> Dx12Compiler {
    let linked = cfg!(all(
        windows,
        target_env = "msvc",
        not(target_arch = "aarch64")
    ));
    if linked {
        Dx12Compiler::StaticDxc
    } else {
        Dx12Compiler::default_dynamic_dxc()
    }
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
    find(wanted).map(|(adapter, _)| adapter)
}

/// As [`select`], with a line for each other adapter whose name has the wanted part too.
pub(in crate::engine) fn find(wanted: Option<&str>) -> Result<(GpuAdapter, Vec<String>)> {
    let all = adapters();
    let summaries: Vec<AdapterSummary> = all.iter().map(GpuAdapter::summary).collect();
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
    let found = found.map(|found| {
        let others = wanted.map_or(Vec::new(), |wanted| others(&summaries, found.index, wanted));
        (found, others)
    });
    found.ok_or_else(|| Error::Adapter {
        why: match wanted {
            Some(wanted) => format!(
                "`adapter = {}`: no adapter has this index or name",
                one_line(wanted)
            ),
            None => "`engine = gpu`: no adapter was found".to_owned(),
        },
        adapters: lines,
    })
}

/// The adapters beside the chosen one whose names have the wanted part too; none where an index was
/// wanted.
fn others(all: &[AdapterSummary], chosen: usize, wanted: &str) -> Vec<String> {
    if wanted.parse::<usize>().is_ok() {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    all.iter()
        .filter(|other| other.index != chosen && other.name.to_lowercase().contains(&wanted))
        .map(AdapterSummary::line)
        .collect()
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

    /// The traits by which the layout of kernels is chosen.
    pub(super) fn traits(&self) -> AdapterTraits {
        AdapterTraits {
            software: self.is_software(),
            subgroup: self.summary().subgroup,
            workgroup_bytes: self.adapter.limits().max_compute_workgroup_storage_size,
        }
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
        self.summary().line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(index: usize, name: &str, backend: &str) -> AdapterSummary {
        AdapterSummary {
            index,
            name: name.to_owned(),
            backend: backend.to_owned(),
            kind: AdapterKind::Discrete,
            driver: String::new(),
            max_binding: 0,
            max_matrix: 0,
            max_buffer: 0,
            subgroup: None,
        }
    }

    /// A GPU that two backends list, or two GPUs of a kind, have the same name.
    #[test]
    fn adapters_of_one_name_are_told_apart() {
        let all = [
            summary(0, "Chip 7", "Vulkan"),
            summary(1, "Other 7", "Vulkan"),
            summary(2, "Chip 7", "Dx12"),
        ];
        assert_eq!(others(&all, 0, "chip"), ["2: Chip 7 (Dx12, discrete GPU)"]);
        assert_eq!(others(&all, 1, "Other"), [""; 0]);
        // An index is an index, even where names have the digit.
        assert_eq!(others(&all, 2, "7"), [""; 0]);
    }
}
