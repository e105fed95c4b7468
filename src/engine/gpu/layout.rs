//! How the kernels are laid out on an adapter, and how that is chosen.

use super::limits::{MAX_GROUPS, MAX_LANES};
use super::options::GpuOptions;
use super::shards::Shards;
use crate::batch::SPAN_CENTERS;
use crate::model::Storage;

/// Groups of four elements of a row that a lane takes at most: rows of targets and their sums stay
/// in its registers.
const COLUMNS: u32 = 4;

/// Workgroups of a dispatch on a software adapter, where a workgroup costs as much as some rows: a
/// few for every core.
const SOFTWARE_GROUPS: usize = 128;

/// Memory of a workgroup that its kernels take at most on hardware, in bytes. With more, too few
/// workgroups run at a time.
const WORKGROUP_BYTES: u32 = 16 << 10;

/// The traits of an adapter by which a layout is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdapterTraits {
    /// Whether it is a program on the CPU.
    pub(super) software: bool,
    /// The fewest and the most lanes of its subgroups, where it has them.
    pub(super) subgroup: Option<(u32, u32)>,
    /// Memory that a workgroup may have, in bytes.
    pub(super) workgroup_bytes: u32,
}

/// The shape of the kernels: the same for all of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Invocations of a workgroup, a power of two.
    pub(super) lanes: u32,
    /// Whether sums over a workgroup are made by subgroup operations.
    pub(super) subgroups: bool,
    /// Whether a workgroup is known to be a single subgroup.
    pub(super) one_subgroup: bool,
    /// Workgroups of a dispatch at most: kernels stride over the rest.
    pub(super) groups: usize,
    /// Groups of four elements in a row.
    pub(super) width: u32,
    /// Whether the contributions of a span to its centers fit into the memory of a workgroup.
    pub(super) span_sums_fit: bool,
    /// How matrices are cut.
    pub(super) shards: Shards,
    /// The number format of the tables.
    pub(super) storage: Storage,
    /// Whether shaders check their bounds.
    pub(super) checks: bool,
}

impl Layout {
    /// Chooses a layout for rows of `width` groups of four elements.
    ///
    /// Workgroups as wide as a subgroup measured fastest. Wide rows take several subgroups, except
    /// on a software adapter: its registers lie in memory anyway, and barriers cost it more. Where
    /// subgroups vary or are missing, the width suits all adapters.
    pub(super) fn choose(
        adapter: AdapterTraits,
        options: GpuOptions,
        width: u32,
        shards: Shards,
    ) -> Self {
        let AdapterTraits { software, .. } = adapter;
        let subgroup = adapter.subgroup.filter(|_| options.subgroups);
        let narrowest = match subgroup {
            Some((_, max)) => max.clamp(4, 64),
            // A software adapter runs a workgroup's lanes in one SIMD register, of 8 floats on
            // most processors.
            None if software => 8,
            None => 32,
        };
        let wide_enough = if software {
            1
        } else {
            width.div_ceil(COLUMNS).next_power_of_two()
        };
        let lanes = options
            .lanes
            .unwrap_or(narrowest.max(wide_enough))
            .min(MAX_LANES);
        let workgroup_bytes = if software {
            adapter.workgroup_bytes
        } else {
            adapter.workgroup_bytes.min(WORKGROUP_BYTES)
        };
        let mut layout = Self {
            lanes,
            subgroups: subgroup.is_some(),
            one_subgroup: subgroup == Some((lanes, lanes)),
            groups: if software {
                SOFTWARE_GROUPS
            } else {
                MAX_GROUPS
            },
            width,
            span_sums_fit: true,
            shards,
            storage: options.storage,
            checks: options.shader_checks,
        };
        layout.span_sums_fit = layout.workgroup_bytes() <= workgroup_bytes;
        layout
    }

    /// Groups of four elements of a row that each lane takes.
    pub(super) fn columns(&self) -> u32 {
        self.width.div_ceil(self.lanes)
    }

    /// Groups of four elements in the sums of a span: a row for each center that it may have.
    pub(super) fn span_sums(&self) -> u32 {
        SPAN_CENTERS as u32 * self.width
    }

    /// Bytes of a workgroup's memory that its kernels take at most.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        let sums = if self.span_sums_fit {
            self.span_sums()
        } else {
            0
        };
        16 * (self.lanes + sums)
    }
}
