//! The table of kernels: the fragments that each is made of, and what it binds.

use super::bindings::Access::{self, Read, ReadWrite};
use super::bindings::MatrixUse;
use super::layout::Layout;
use crate::model::Storage;

/// Rows, and columns, of a product that a workgroup takes: `TILE` of `shaders/product.wgsl`.
pub(super) const PRODUCT_TILE: usize = 64;

/// A kernel: its fragments, behind those that all share, and its bindings in order.
///
/// A new kernel is a line of the table below and the text in `shaders/`; the stage that runs it
/// stands in `program/`.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Shown by `bench`, in errors and in debuggers.
    pub(super) name: &'static str,
    fragments: &'static [&'static str],
    /// The buffers that the fragments declare themselves, from binding 0 on.
    bindings: &'static [Access],
    /// The matrices, whose shards are bound after these buffers.
    matrices: &'static [(&'static str, MatrixUse)],
}

macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!("../../../shaders/", $name, ".wgsl"))
    };
}

/// Declares the kernels, and lists them for the tests.
macro_rules! kernels {
    ($(pub(super) const $name:ident: Kernel = $kernel:expr;)*) => {
        $(pub(super) const $name: Kernel = $kernel;)*

        #[cfg(test)]
        pub(super) const KERNELS: &[&Kernel] = &[$(&$name),*];
    };
}

kernels! {
    pub(super) const WINDOW: Kernel = Kernel {
        name: "window",
        fragments: &[
            shader!("span_sums_workgroup"),
            FIXED_POINT,
            FINITE,
            shader!("window"),
        ],
        bindings: &[Read, ReadWrite, Read],
        matrices: WINDOW_MATRICES,
    };

    pub(super) const WINDOW_OF_WIDE_ROWS: Kernel = Kernel {
        name: "window",
        fragments: &[
            shader!("span_sums_storage"),
            FIXED_POINT,
            FINITE,
            shader!("window"),
        ],
        bindings: &[Read, ReadWrite, Read, ReadWrite],
        matrices: WINDOW_MATRICES,
    };

    pub(super) const WINDOW_OF_COMPOSED: Kernel = Kernel {
        matrices: WINDOW_MATRICES_COMPOSED,
        ..WINDOW
    };

    pub(super) const WINDOW_OF_WIDE_COMPOSED: Kernel = Kernel {
        matrices: WINDOW_MATRICES_COMPOSED,
        ..WINDOW_OF_WIDE_ROWS
    };

    pub(super) const COMPOSE: Kernel = Kernel {
        name: "compose",
        fragments: &[shader!("compose")],
        bindings: &[Read],
        matrices: &[
            ("input", MatrixUse::Read),
            ("words", MatrixUse::Floats),
            ("sums", MatrixUse::Fixed),
        ],
    };

    pub(super) const APPLY_FIXED: Kernel = Kernel {
        name: "apply fixed-point sums",
        fragments: &[FIXED_POINT, shader!("largest"), shader!("sums_fixed"), shader!("apply")],
        bindings: &[Read, ReadWrite],
        matrices: &[("table", MatrixUse::Move), ("sums", MatrixUse::Fixed)],
    };

    pub(super) const APPLY_PARTS: Kernel = Kernel {
        name: "apply sums of words to their parts",
        fragments: &[FIXED_POINT, shader!("largest"), shader!("sums_parts"), shader!("apply")],
        ..APPLY_FIXED
    };

    pub(super) const APPLY_FLOAT: Kernel = Kernel {
        name: "apply sums in floats",
        fragments: &[shader!("sums_float"), shader!("apply")],
        bindings: &[Read],
        matrices: &[("table", MatrixUse::Move), ("sums", MatrixUse::Floats)],
    };

    pub(super) const LOSS: Kernel = Kernel {
        name: "loss",
        fragments: &[FINITE, shader!("loss")],
        bindings: &[Read, Read, ReadWrite, ReadWrite],
        matrices: &[],
    };

    pub(super) const SOFTMAX_SCORES: Kernel = Kernel {
        name: "softmax scores",
        fragments: &[shader!("product"), shader!("softmax_scores")],
        bindings: &[Read, ReadWrite],
        matrices: &[("input", MatrixUse::Read), ("output", MatrixUse::Read)],
    };

    pub(super) const SOFTMAX_ERRORS: Kernel = Kernel {
        name: "softmax errors",
        fragments: &[FINITE, shader!("softmax_errors")],
        bindings: &[Read, ReadWrite, ReadWrite],
        matrices: &[],
    };

    pub(super) const SOFTMAX_CENTER_SUMS: Kernel = Kernel {
        name: "softmax sums of centers",
        fragments: &[shader!("product"), shader!("softmax_center_sums")],
        bindings: &[Read, Read],
        matrices: &[("output", MatrixUse::Read), ("sums", MatrixUse::Floats)],
    };

    pub(super) const SOFTMAX_TARGET_SUMS: Kernel = Kernel {
        name: "softmax sums of targets",
        fragments: &[shader!("product"), shader!("softmax_target_sums")],
        bindings: &[Read, Read],
        matrices: &[("input", MatrixUse::Read), ("sums", MatrixUse::Floats)],
    };
}

const WINDOW_MATRICES: &[(&str, MatrixUse)] = &[
    ("input", MatrixUse::Read),
    ("output", MatrixUse::Read),
    ("center_sums", MatrixUse::Add),
    ("target_sums", MatrixUse::Add),
];

const WINDOW_MATRICES_COMPOSED: &[(&str, MatrixUse)] = &[
    ("input", MatrixUse::ReadFloats),
    ("output", MatrixUse::Read),
    ("center_sums", MatrixUse::Add),
    ("target_sums", MatrixUse::Add),
];

const BATCH: &str = shader!("batch");
const FINITE: &str = shader!("finite");
const FIXED_POINT: &str = shader!("fixed_point");
pub(super) const REDUCE_SUBGROUP: &str = shader!("reduce_subgroup");
const ROUND_HALF: &str = shader!("round_half");
pub(super) const REDUCE_WORKGROUP: &str = shader!("reduce_workgroup");
pub(super) const WIDEN_HALF: &str = shader!("widen_half");

impl Kernel {
    /// Whether a constant is among those that can be overridden.
    pub(super) fn knows(&self, constant: &str) -> bool {
        let declaration = format!("override {constant}:");
        self.fragments
            .iter()
            .any(|fragment| fragment.contains(&declaration))
    }

    /// The constants that a layout gives it.
    pub(super) fn constants(&self, layout: Layout) -> Vec<(&'static str, f64)> {
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
        constants
    }

    /// Whether it is a kernel of the table: their names need not differ.
    #[cfg(test)]
    pub(super) fn is(&self, other: &Self) -> bool {
        self.fragments == other.fragments && self.matrices == other.matrices
    }

    /// Buffers that it binds with so many shards of each matrix.
    #[cfg(test)]
    pub(super) fn buffers(&self, shards: u32) -> u32 {
        self.bindings.len() as u32 + self.matrices.len() as u32 * shards
    }

    /// All its bindings in order.
    pub(super) fn accesses(&self, shards: u32) -> impl Iterator<Item = Access> {
        let of_matrices = self
            .matrices
            .iter()
            .flat_map(move |(_, usage)| (0..shards).map(|_| usage.access()));
        self.bindings.iter().copied().chain(of_matrices)
    }

    /// The text of its shader.
    pub(super) fn text(&self, layout: Layout) -> String {
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
        if layout.storage == Storage::F16 {
            let has = |wanted| self.matrices.iter().any(|&(_, usage)| usage == wanted);
            if has(MatrixUse::Read) || has(MatrixUse::Move) {
                text += WIDEN_HALF;
            }
            if has(MatrixUse::Move) {
                text += ROUND_HALF;
            }
        }
        let own = self.fragments.join("\n");
        if layout.subgroups && own.contains("lane: Lane") {
            // The translator to HLSL looks for what it must compute of subgroups among the arguments
            // themselves. With one there, it also finds what is in the structure `Lane`.
            text += &own.replacen(
                "fn main(",
                "fn main(@builtin(subgroup_size) subgroup_size: u32, ",
                1,
            );
        } else {
            text += &own;
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{SPAN_CENTERS, TARGET_BLOCK};
    use crate::engine::fixed_point::{BASE, EXPONENTS, OF_CENTERS};
    use crate::engine::gpu::limits::most_buffers;
    use crate::engine::gpu::upload::{HEADER_OFFSETS, HEADER_WORDS};
    use crate::engine::gpu::variants::variants;

    /// Every variant is bound as the table says, and asks for no more buffers than a device is
    /// asked for.
    #[test]
    fn kernels_match_their_table() {
        for variant in variants() {
            let (kernel, shards) = (variant.stage.kernel, variant.layout.shards.count);
            let (module, _) = variant.module();
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

    /// The host's header is the shader's, member by member.
    #[test]
    fn the_header_is_laid_out_alike() {
        let (module, _) = variants()[0].module();
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
        for line in [
            format!("const TARGET_BLOCK = {TARGET_BLOCK}u;"),
            format!("const SPAN_CENTERS = {SPAN_CENTERS}u;"),
        ] {
            assert!(shader!("window").lines().any(|own| own == line), "{line}");
        }
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
        assert!(shader!("product").lines().any(|own| own == line), "{line}");
    }
}
