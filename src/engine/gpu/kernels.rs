//! The kernels: which fragments each is made of, what it is bound to, and its pipeline.

use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, BindGroupLayoutDescriptor,
    BindGroupLayoutEntry, BindingType, Buffer, BufferBindingType, ComputePipeline,
    ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayoutDescriptor,
    ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, ShaderStages,
};

use self::Access::{Read, ReadWrite};
use super::accessors::Use;
use super::device::Device;
use super::tables::Shards;
use crate::batch::SPAN_CENTERS;
use crate::model::Storage;

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    ReadWrite,
}

/// A kernel: its fragments, behind those that all share, and its bindings in order.
#[derive(Debug)]
pub(super) struct Kernel {
    pub(super) name: &'static str,
    fragments: &'static [&'static str],
    /// What the fragments declare themselves.
    bindings: &'static [Access],
    /// Matrices, whose shards are bound behind that.
    matrices: &'static [(&'static str, Use)],
}

macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/", $name, ".wgsl"))
    };
}

/// Every kernel there is.
#[cfg(test)]
const KERNELS: [&Kernel; 9] = [
    &WINDOW,
    &WINDOW_OF_WIDE_ROWS,
    &APPLY_FIXED,
    &APPLY_FLOAT,
    &LOSS,
    &SOFTMAX_SCORES,
    &SOFTMAX_ERRORS,
    &SOFTMAX_CENTER_SUMS,
    &SOFTMAX_TARGET_SUMS,
];

pub(super) const WINDOW: Kernel = Kernel {
    name: "window",
    fragments: &[
        shader!("span_sums_workgroup"),
        FIXED_POINT,
        shader!("window"),
    ],
    bindings: &[Read, ReadWrite, Read],
    matrices: OF_WINDOW,
};
pub(super) const WINDOW_OF_WIDE_ROWS: Kernel = Kernel {
    name: "window",
    fragments: &[shader!("span_sums_storage"), FIXED_POINT, shader!("window")],
    bindings: &[Read, ReadWrite, Read, ReadWrite],
    matrices: OF_WINDOW,
};
const OF_WINDOW: &[(&str, Use)] = &[
    ("input", Use::Read),
    ("output", Use::Read),
    ("center_sums", Use::Add),
    ("target_sums", Use::Add),
];
pub(super) const APPLY_FIXED: Kernel = Kernel {
    name: "apply fixed-point sums",
    fragments: &[FIXED_POINT, shader!("sums_fixed"), shader!("apply")],
    bindings: &[Read, ReadWrite],
    matrices: &[("table", Use::Move), ("sums", Use::Fixed)],
};
pub(super) const APPLY_FLOAT: Kernel = Kernel {
    name: "apply sums in floats",
    fragments: &[shader!("sums_float"), shader!("apply")],
    bindings: &[Read],
    matrices: &[("table", Use::Move), ("sums", Use::Floats)],
};
pub(super) const LOSS: Kernel = Kernel {
    name: "loss",
    fragments: &[shader!("loss")],
    bindings: &[Read, Read, ReadWrite, ReadWrite],
    matrices: &[],
};
pub(super) const SOFTMAX_SCORES: Kernel = Kernel {
    name: "softmax scores",
    fragments: &[shader!("product"), shader!("softmax_scores")],
    bindings: &[Read, ReadWrite],
    matrices: &[("input", Use::Read), ("output", Use::Read)],
};
pub(super) const SOFTMAX_ERRORS: Kernel = Kernel {
    name: "softmax errors",
    fragments: &[shader!("softmax_errors")],
    bindings: &[Read, ReadWrite, ReadWrite],
    matrices: &[],
};
pub(super) const SOFTMAX_CENTER_SUMS: Kernel = Kernel {
    name: "softmax sums of centers",
    fragments: &[shader!("product"), shader!("softmax_center_sums")],
    bindings: &[Read, Read],
    matrices: &[("output", Use::Read), ("sums", Use::Floats)],
};
pub(super) const SOFTMAX_TARGET_SUMS: Kernel = Kernel {
    name: "softmax sums of targets",
    fragments: &[shader!("product"), shader!("softmax_target_sums")],
    bindings: &[Read, Read],
    matrices: &[("input", Use::Read), ("sums", Use::Floats)],
};

/// Buffers that a kernel binds at most with so many shards of each matrix.
pub(super) fn most_buffers(shards: u32) -> u32 {
    WINDOW_OF_WIDE_ROWS.buffers(shards)
}

const BATCH: &str = shader!("batch");
const FIXED_POINT: &str = shader!("fixed_point");
const REDUCE_SUBGROUP: &str = shader!("reduce_subgroup");
const ROUND_HALF: &str = shader!("round_half");
const REDUCE_WORKGROUP: &str = shader!("reduce_workgroup");

/// How the kernels are laid out on an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Invocations of a workgroup, a power of two.
    pub(super) lanes: u32,
    /// Whether sums are made by subgroup operations.
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
    /// In what the tables are stored.
    pub(super) storage: Storage,
    /// Whether shaders check their bounds.
    pub(super) checks: bool,
}

impl Layout {
    /// Groups of four elements that a lane has of a row.
    pub(super) fn columns(&self) -> u32 {
        self.width.div_ceil(self.lanes)
    }

    /// Groups of four elements of the centers that a span may have.
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

/// A kernel ready to run.
#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) pipeline: ComputePipeline,
    layout: BindGroupLayout,
    name: &'static str,
}

impl Kernel {
    /// Whether a constant is among those that can be overridden.
    pub(super) fn knows(&self, constant: &str) -> bool {
        let declaration = format!("override {constant}:");
        self.fragments
            .iter()
            .any(|fragment| fragment.contains(&declaration))
    }

    /// Buffers that it binds with so many shards of each matrix.
    pub(super) fn buffers(&self, shards: u32) -> u32 {
        self.bindings.len() as u32 + self.matrices.len() as u32 * shards
    }

    /// All its bindings in order.
    fn accesses(&self, shards: u32) -> impl Iterator<Item = Access> {
        let of_matrices = self
            .matrices
            .iter()
            .flat_map(move |(_, usage)| (0..shards).map(|_| usage.access()));
        self.bindings.iter().copied().chain(of_matrices)
    }

    fn text(&self, layout: Layout) -> String {
        let reduce = if layout.subgroups {
            REDUCE_SUBGROUP
        } else {
            REDUCE_WORKGROUP
        };
        let shards = layout.shards.count;
        let firsts = (self.bindings.len()..).step_by(shards as usize);
        let matrices = firsts
            .zip(self.matrices)
            .map(|(first, (name, usage))| usage.accessors(name, first, shards, layout.storage));
        // No array within a function may have a length that is overridden.
        let columns = format!(
            "// Groups of four elements that a lane has of a row.\nconst COLUMNS = {}u;\n",
            layout.columns()
        );
        let mut text = [BATCH, &columns, reduce].join("\n");
        text.extend(matrices);
        let moves = self.matrices.iter().any(|(_, usage)| *usage == Use::Move);
        if moves && layout.storage == Storage::F16 {
            text += ROUND_HALF;
        }
        text + &self.fragments.join("\n")
    }

    /// Compiles the kernel; `overrides` are the constants that it has beyond those of every kernel.
    pub(super) fn pipeline(
        &self,
        device: &Device,
        layout: Layout,
        overrides: &[(&'static str, f64)],
    ) -> Pipeline {
        let device = &device.device;
        let descriptor = ShaderModuleDescriptor {
            label: Some(self.name),
            source: ShaderSource::Wgsl(self.text(layout).into()),
        };
        let module = if layout.checks {
            device.create_shader_module(descriptor)
        } else {
            #[expect(
                unsafe_code,
                reason = "checks within shaders halve the speed of the window kernel"
            )]
            // SAFETY: every index that the kernels follow comes from a batch, and `Batch::validate`
            // has passed it.
            unsafe {
                device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked())
            }
        };
        let entries: Vec<BindGroupLayoutEntry> = (0..)
            .zip(self.accesses(layout.shards.count))
            .map(|(binding, access)| BindGroupLayoutEntry {
                binding,
                visibility: ShaderStages::COMPUTE,
                ty: BindingType::Buffer {
                    ty: BufferBindingType::Storage {
                        read_only: access == Read,
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let bindings = device.create_bind_group_layout(&BindGroupLayoutDescriptor {
            label: Some(self.name),
            entries: &entries,
        });
        let pipeline_layout = device.create_pipeline_layout(&PipelineLayoutDescriptor {
            label: Some(self.name),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        let mut constants = vec![
            ("LANES", f64::from(layout.lanes)),
            ("WIDTH", f64::from(layout.width)),
            ("SHARD_WIDTH", f64::from(layout.shards.width)),
        ];
        if layout.subgroups {
            constants.push(("ONE_SUBGROUP", f64::from(u8::from(layout.one_subgroup))));
        }
        if self.knows("SPAN_SUMS") {
            constants.push(("SPAN_SUMS", f64::from(layout.span_sums())));
        }
        constants.extend_from_slice(overrides);
        let pipeline = device.create_compute_pipeline(&ComputePipelineDescriptor {
            label: Some(self.name),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: PipelineCompilationOptions {
                constants: &constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        Pipeline {
            pipeline,
            layout: bindings,
            name: self.name,
        }
    }
}

impl Pipeline {
    /// Binds buffers, in the order of the kernel's bindings.
    pub(super) fn bind<'a>(
        &self,
        device: &Device,
        buffers: impl Iterator<Item = &'a Buffer>,
    ) -> BindGroup {
        let entries: Vec<BindGroupEntry<'_>> = (0..)
            .zip(buffers)
            .map(|(binding, buffer)| BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        device.device.create_bind_group(&BindGroupDescriptor {
            label: Some(self.name),
            layout: &self.layout,
            entries: &entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use wgpu::naga;

    use super::*;
    use crate::batch::TARGET_BLOCK;
    use crate::engine::fixed_point::{BASE, EXPONENTS, OF_CENTERS};
    use crate::engine::gpu::program::PRODUCT_TILE;
    use crate::engine::gpu::upload::{HEADER_OFFSETS, HEADER_WORDS};

    fn parsed(kernel: &Kernel, subgroups: bool, shards: u32, storage: Storage) -> naga::Module {
        let shards = Shards {
            count: shards,
            width: 32u32.div_ceil(shards),
        };
        let layout = Layout {
            lanes: 32,
            subgroups,
            one_subgroup: false,
            groups: 1,
            width: 32,
            span_sums_fit: true,
            shards,
            storage,
            checks: true,
        };
        naga::front::wgsl::parse_str(&kernel.text(layout))
            .unwrap_or_else(|e| panic!("{}: {e}", kernel.name))
    }

    /// Every kernel with either reduction and any number of shards is valid, and is bound as the
    /// table says.
    #[test]
    fn kernels_are_valid_and_match_their_table() {
        for kernel in KERNELS {
            for (subgroups, shards, storage) in [
                (false, 1, Storage::F32),
                (true, 1, Storage::F16),
                (true, 2, Storage::F32),
                (false, 3, Storage::F16),
            ] {
                let module = parsed(kernel, subgroups, shards, storage);
                let mut validator = naga::valid::Validator::new(
                    naga::valid::ValidationFlags::all(),
                    naga::valid::Capabilities::all(),
                );
                validator
                    .validate(&module)
                    .unwrap_or_else(|e| panic!("{}: {e:?}", kernel.name));
                let mut bindings: Vec<(u32, Access)> = module
                    .global_variables
                    .iter()
                    .filter_map(|(_, variable)| {
                        let naga::AddressSpace::Storage { access } = variable.space else {
                            return None;
                        };
                        let writes = access.contains(naga::StorageAccess::STORE);
                        Some((
                            variable.binding?.binding,
                            if writes { ReadWrite } else { Read },
                        ))
                    })
                    .collect();
                bindings.sort_by_key(|&(binding, _)| binding);
                assert_eq!(
                    bindings,
                    (0..).zip(kernel.accesses(shards)).collect::<Vec<_>>(),
                    "{}",
                    kernel.name
                );
                assert_eq!(bindings.len() as u32, kernel.buffers(shards));
                assert!(
                    kernel.buffers(shards) <= most_buffers(shards),
                    "{}",
                    kernel.name
                );
            }
        }
    }

    /// The host's header is the shader's, member by member.
    #[test]
    fn the_header_is_laid_out_alike() {
        let module = parsed(&WINDOW, false, 1, Storage::F32);
        let members = |name: &str| {
            let (_, ty) = module
                .types
                .iter()
                .find(|(_, ty)| ty.name.as_deref() == Some(name))
                .unwrap();
            match &ty.inner {
                naga::TypeInner::Struct { members, .. } => members
                    .iter()
                    .map(|m| (m.name.clone().unwrap(), m.offset as usize))
                    .collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            }
        };
        let header = members("Header");
        assert_eq!(
            header
                .iter()
                .map(|(name, at)| (name.as_str(), *at))
                .collect::<Vec<_>>(),
            HEADER_OFFSETS
        );
        assert_eq!(members("Batch")[1], ("data".to_owned(), HEADER_WORDS * 4));
    }

    /// Constants that host and shader share. (naga's parser keeps no names of constants, so the
    /// text is compared.)
    #[test]
    fn constants_are_alike() {
        let line = format!("const TARGET_BLOCK = {TARGET_BLOCK}u;");
        assert!(WINDOW.fragments[2].lines().any(|own| own == line), "{line}");
        let [low, high] = EXPONENTS;
        for line in [
            format!("const LOWEST_EXPONENT = {low}u;"),
            format!("const HIGHEST_EXPONENT = {high}u;"),
            format!("const BASE = {BASE}u;"),
            format!("const OF_CENTERS = {OF_CENTERS:#x}u;"),
        ] {
            assert!(FIXED_POINT.lines().any(|own| own == line), "{line}");
        }
        let line = format!("const TILE = {PRODUCT_TILE}u;");
        assert!(
            SOFTMAX_SCORES.fragments[0].lines().any(|own| own == line),
            "{line}"
        );
    }
}
