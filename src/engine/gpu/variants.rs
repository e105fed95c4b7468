//! Every variant of every kernel that a program can be made of, for the tests: the stages of all
//! objectives on the layouts of all kinds of adapters, for rows of several lengths.

use std::collections::HashSet;

use naga::valid::{Capabilities, ModuleInfo, ShaderStages, SubgroupOperationSet};
use naga::valid::{ValidationFlags, Validator};

use super::kernels::KERNELS;
use super::layout::{AdapterTraits, Layout};
use super::options::GpuOptions;
use super::program::{Stage, stages};
use super::shards::Shards;
use crate::engine::Objective;
use crate::engine::tests::{MEANS_AND_CHOICES, WITH_SUBWORDS};
use crate::model::Storage;

/// All objectives that choose kernels of their own.
const OBJECTIVES: [Objective; 3] = [Objective::SIGMOID, Objective::SOFTMAX, WITH_SUBWORDS[0]];

/// Adapters that get layouts of their own: without subgroups, with such of one size or of sizes that
/// vary, and with more lanes than a workgroup takes. The last three are like WARP, lavapipe, and
/// lavapipe without subgroups.
const ADAPTERS: [AdapterTraits; 10] = [
    adapter(false, None, 16),
    adapter(false, Some((4, 4)), 16),
    adapter(false, Some((32, 32)), 16),
    adapter(false, Some((64, 64)), 32),
    adapter(false, Some((8, 32)), 32),
    adapter(false, Some((4, 64)), 32),
    adapter(false, Some((128, 128)), 32),
    adapter(true, Some((4, 4)), 16),
    adapter(true, Some((8, 8)), 32),
    adapter(true, None, 32),
];

/// An adapter whose workgroups may have so many kilobytes of memory.
const fn adapter(software: bool, subgroup: Option<(u32, u32)>, kilobytes: u32) -> AdapterTraits {
    AdapterTraits {
        software,
        subgroup,
        workgroup_bytes: kilobytes << 10,
    }
}

/// Elements of a row: fewer than a lane takes, and one and several columns to a lane. The sums of a
/// span fit into the memory of a workgroup, fit on some adapters, and never fit.
const DIMS: [u32; 4] = [4, 100, 300, 1000];

/// Rows of W'.
const ROWS: usize = 1000;

/// A kernel as a program compiles it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Variant {
    objective: Objective,
    pub(super) stage: Stage,
    pub(super) layout: Layout,
}

impl Variant {
    /// The values of its constants.
    fn constants(&self) -> Vec<(&'static str, f64)> {
        let mut constants = self.stage.kernel.constants(self.layout);
        constants.extend(self.stage.constants(self.objective, ROWS));
        constants
    }

    /// Its WGSL, with the values of the constants that are used in it.
    fn identity(&self) -> String {
        let text = self.stage.kernel.text(self.layout);
        let mut constants = self.constants();
        // The first time is the declaration.
        constants.retain(|(name, _)| text.matches(name).count() > 1);
        format!("{text}{constants:?} {}", self.layout.checks)
    }

    /// The shader as wgpu hands it to a backend: validated for a device that has no more features
    /// than it is asked for, the constants in their places.
    pub(super) fn module(&self) -> (naga::Module, ModuleInfo) {
        let name = self.stage.kernel.name;
        let module = naga::front::wgsl::parse_str(&self.stage.kernel.text(self.layout))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let (capabilities, operations) = if self.layout.subgroups {
            (Capabilities::SUBGROUP, SubgroupOperationSet::all())
        } else {
            (Capabilities::empty(), SubgroupOperationSet::empty())
        };
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .subgroup_stages(ShaderStages::COMPUTE)
            .subgroup_operations(operations)
            .validate(&module)
            .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let constants = self.constants().into_iter();
        let constants = constants.map(|(name, value)| (name.to_owned(), value));
        let entry_point = Some((naga::ShaderStage::Compute, "main"));
        let (module, info) = naga::back::pipeline_constants::process_overrides(
            &module,
            &info,
            entry_point,
            &constants.collect(),
        )
        .unwrap_or_else(|e| panic!("{name}: {e:?}"));
        (module.into_owned(), info.into_owned())
    }
}

/// The layouts that adapters get: with either reduction and without checks, in one shard and more.
fn layouts() -> impl Iterator<Item = Layout> {
    ADAPTERS.into_iter().flat_map(|adapter| {
        DIMS.into_iter().flat_map(move |dim| {
            let forms = [
                (Storage::F32, 1, false),
                (Storage::F32, 2, true),
                (Storage::F32, 3, false),
                (Storage::F16, 1, true),
                (Storage::F16, 1, false),
                (Storage::F16, 3, false),
            ];
            forms
                .into_iter()
                .filter_map(move |(storage, shards, checks)| {
                    let options = GpuOptions {
                        storage,
                        shader_checks: checks,
                        ..GpuOptions::default()
                    };
                    let width = dim.div_ceil(4);
                    let shards = Shards::new(1, width, u64::from(width.div_ceil(shards)) * 16)?;
                    Some(Layout::choose(adapter, options, width, shards))
                })
        })
    })
}

/// All variants, each once.
///
/// # Panics
/// Where a kernel of the table is in none.
pub(super) fn variants() -> Vec<Variant> {
    let mut seen = HashSet::new();
    let variants: Vec<Variant> = layouts()
        .flat_map(|layout| {
            // Other constants change little of a kernel: one length of rows will do.
            let others = MEANS_AND_CHOICES
                .into_iter()
                .filter(move |_| layout.width == 25);
            OBJECTIVES
                .into_iter()
                .chain(others)
                .flat_map(move |objective| {
                    let stages = stages(objective, layout.span_sums_fit).into_iter();
                    stages.map(move |stage| Variant {
                        objective,
                        stage,
                        layout,
                    })
                })
        })
        .filter(|variant| seen.insert(variant.identity()))
        .collect();
    for &kernel in KERNELS {
        let taken = variants
            .iter()
            .any(|variant| variant.stage.kernel.is(kernel));
        assert!(taken, "no objective of OBJECTIVES takes {}", kernel.name);
    }
    variants
}
