//! A step as the device takes it: which buffers it works on, and which kernels run one after the
//! other.
//!
//! Buffers have names ([`BufferRole`], [`ScratchBuffer`]), stated once with their size. A
//! [`Stage`] says which kernel runs, on which buffers, in how many workgroups. The stages of each
//! objective stand in a file of their own.

mod sigmoid;
mod softmax;

pub(super) use sigmoid::span_groups;
pub(super) use softmax::{SCORES, most_words, tile_centers};

use super::device::Device;
use super::kernels::{Kernel, PRODUCT_TILE};
use super::layout::Layout;
use super::pipeline::Pipeline;
use crate::batch::SPAN_CENTERS;
use crate::engine::{LossFunction, Objective};

/// A buffer that a kernel binds, by the part it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BufferRole {
    /// The batch, or a part of it, with the numbers of the step.
    Upload,
    /// W, in its shards.
    Input,
    /// W', in its shards.
    Output,
    /// A buffer between kernels.
    Scratch(ScratchBuffer),
    /// [`BATCH_LOSSES`].
    BatchLosses,
    /// [`LARGEST`].
    Largest,
}

/// A buffer of a size that no batch changes.
#[derive(Debug)]
pub(super) struct FixedBuffer {
    /// Shown in plans, in errors and in debuggers.
    pub(super) label: &'static str,
    /// Its size.
    pub(super) bytes: u64,
}

/// Losses kept on the device, one for each upload, before the host must read them.
pub(super) const LOSSES: usize = 4096;

/// The loss of each upload.
pub(super) const BATCH_LOSSES: FixedBuffer = FixedBuffer {
    label: "losses of batches",
    bytes: LOSSES as u64 * 4,
};

/// The largest elements of W and W', as the bits of floats: two for the step under way, then two
/// for the next.
pub(super) const LARGEST: FixedBuffer = FixedBuffer {
    label: "largest elements",
    bytes: 16,
};

/// A buffer between the kernels of a step. It grows with the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ScratchBuffer {
    /// Scores of a tile of centers with all words, which become errors in their place.
    Scores,
    /// Sums for rows of W, by slot.
    CenterSums,
    /// Sums for rows of W', by slot.
    TargetSums,
    /// Sums for all rows of W'.
    WordSums,
    /// The loss of each span.
    SpanLosses,
    /// The loss of each center of a tile.
    CenterLosses,
    /// Contributions of spans to their centers, where no workgroup's memory has room for them.
    SpanSums,
}

/// The shape of a [`ScratchBuffer`].
#[derive(Clone, Copy, Debug)]
pub(super) struct ScratchShape {
    /// Shown in plans, in errors and in debuggers.
    pub(super) label: &'static str,
    /// Whether it is a matrix that is cut into shards as the tables are.
    pub(super) is_matrix: bool,
    /// Bytes that a step needs of it; of a matrix, in each shard.
    pub(super) bytes: u64,
}

impl ScratchBuffer {
    /// Label, size and cut for a step of some size.
    pub(super) fn shape(self, size: &StepSize) -> ScratchShape {
        let whole = |label, bytes| ScratchShape {
            label,
            is_matrix: false,
            bytes,
        };
        let matrix = |label, rows| ScratchShape {
            label,
            is_matrix: true,
            bytes: rows * size.row_bytes,
        };
        match self {
            Self::Scores => whole("scores of the softmax", size.centers * size.words * 4),
            Self::CenterSums => matrix("sums of centers", size.centers),
            Self::TargetSums => matrix("sums of targets", size.targets),
            Self::WordSums => matrix("sums of all words", size.words),
            Self::SpanLosses => whole("losses of spans", size.spans * 4),
            Self::CenterLosses => whole("losses of centers", size.centers * 4),
            Self::SpanSums => {
                let sums_bytes = SPAN_CENTERS as u64 * size.width * 16;
                whole("sums of spans", size.span_groups * sums_bytes)
            }
        }
    }
}

/// The numbers from which the sizes of buffers and the workgroups of stages follow, for one upload.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepSize {
    /// Spans that the upload adds up; 0 in a softmax, and in a half that only moves rows.
    pub(super) spans: u64,
    /// Workgroups that take these spans: [`span_groups`].
    pub(super) span_groups: u64,
    /// Slots of W in the batch, or in the tile of a softmax.
    pub(super) centers: u64,
    /// Slots of W' in the batch; 0 in a softmax.
    pub(super) targets: u64,
    /// Rows of W'.
    pub(super) words: u64,
    /// Whether the rows of W move.
    pub(super) moves_input: bool,
    /// Whether the rows of W' move; in a softmax they do after the last tile.
    pub(super) moves_output: bool,
    /// Groups of four elements in a row.
    pub(super) width: u64,
    /// Bytes of a row of sums in each shard.
    pub(super) row_bytes: u64,
    /// Workgroups of a dispatch at most; kernels stride over the rest.
    pub(super) most_groups: u64,
}

impl StepSize {
    /// A step of nothing on matrices of some layout, to be filled in.
    pub(super) fn on(layout: &Layout, output_rows: usize) -> Self {
        Self {
            spans: 0,
            span_groups: 0,
            centers: 0,
            targets: 0,
            words: output_rows as u64,
            moves_input: false,
            moves_output: false,
            width: u64::from(layout.width),
            row_bytes: layout.shards.row_bytes(),
            most_groups: layout.groups as u64,
        }
    }

    /// A workgroup for each item, up to the most: kernels stride over the rest.
    fn line(&self, items: u64) -> [u64; 2] {
        [items.min(self.most_groups), 1]
    }

    /// Workgroups for a product of so many rows and columns.
    fn tiles(&self, rows: u64, columns: u64) -> [u64; 2] {
        [columns, rows].map(|length| length.div_ceil(PRODUCT_TILE as u64))
    }
}

/// The table whose rows a stage moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MovedTable {
    /// W.
    Input,
    /// W'.
    Output,
}

/// One kernel of a step, on its buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) kernel: &'static Kernel,
    /// Of an `apply` kernel, the table whose rows it moves.
    pub(super) moves: Option<MovedTable>,
    /// What the kernel's bindings are bound to, in their order; a matrix stands for all its shards.
    pub(super) buffers: &'static [BufferRole],
    /// Workgroups; with a 0 among them the stage is left out.
    pub(super) groups: fn(&StepSize) -> [u64; 2],
}

/// The stages of an objective's steps, in order. This is the one place where an objective chooses
/// its kernels on the GPU.
pub(super) fn stages(objective: Objective, span_sums_fit: bool) -> Vec<Stage> {
    match objective.loss {
        LossFunction::Sigmoid => sigmoid::stages(span_sums_fit).to_vec(),
        LossFunction::Softmax => softmax::STAGES.to_vec(),
    }
}

/// The buffers between some stages, each once, in the order in which plans list them.
pub(super) fn scratch_buffers(stages: &[Stage]) -> Vec<ScratchBuffer> {
    let bound = stages.iter().flat_map(|stage| stage.buffers);
    let mut buffers: Vec<ScratchBuffer> = bound
        .filter_map(|role| match role {
            BufferRole::Scratch(buffer) => Some(*buffer),
            _ => None,
        })
        .collect();
    buffers.sort_unstable();
    buffers.dedup();
    buffers
}

/// A stage whose kernel is compiled.
#[derive(Debug)]
pub(super) struct CompiledStage {
    /// The kernel's name, and the table where the kernel moves one.
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) pipeline: Pipeline,
}

/// The compiled stages of an objective, and the buffers between them.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) stages: Vec<CompiledStage>,
    pub(super) scratch: Vec<ScratchBuffer>,
}

impl Program {
    /// Compiles the kernels of an objective.
    pub(super) fn new(
        objective: Objective,
        device: &Device,
        layout: Layout,
        output_rows: usize,
    ) -> Self {
        let stages = stages(objective, layout.span_sums_fit);
        let scratch = scratch_buffers(&stages);
        let compile = |stage: Stage| {
            let is_output = stage.moves.map(|table| table == MovedTable::Output);
            let mut constants = Vec::new();
            constants.extend(is_output.map(|output| ("IS_OUTPUT", f64::from(u8::from(output)))));
            if stage.kernel.knows("ROWS") {
                constants.push(("ROWS", output_rows as f64));
            }
            let table = match stage.moves {
                None => "",
                Some(MovedTable::Input) => ": W",
                Some(MovedTable::Output) => ": W'",
            };
            CompiledStage {
                name: format!("{}{table}", stage.kernel.name),
                stage,
                pipeline: Pipeline::compile(stage.kernel, device, layout, &constants),
            }
        };
        Self {
            stages: stages.into_iter().map(compile).collect(),
            scratch,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each stage binds as many buffers as its kernel declares, and matrices in the places of
    /// matrices, whatever the number of shards.
    #[test]
    fn stages_bind_what_their_kernels_declare() {
        for (objective, fit) in [
            (Objective::SIGMOID, true),
            (Objective::SIGMOID, false),
            (Objective::SOFTMAX, true),
        ] {
            let size = StepSize {
                spans: 1,
                span_groups: 1,
                centers: 1,
                targets: 1,
                words: 1,
                moves_input: true,
                moves_output: true,
                width: 1,
                row_bytes: 16,
                most_groups: 1,
            };
            for stage in stages(objective, fit) {
                let is_matrix = |role: &&BufferRole| match role {
                    BufferRole::Input | BufferRole::Output => true,
                    BufferRole::Scratch(buffer) => buffer.shape(&size).is_matrix,
                    _ => false,
                };
                let matrices = stage.buffers.iter().filter(is_matrix).count() as u32;
                let plain = stage.buffers.len() as u32 - matrices;
                for shards in [1, 3] {
                    assert_eq!(
                        stage.kernel.buffers(shards),
                        plain + matrices * shards,
                        "{}",
                        stage.kernel.name
                    );
                }
                let first_matrix = stage.buffers.iter().position(|role| is_matrix(&role));
                assert!(first_matrix.is_none_or(|first| first as u32 == plain));
            }
        }
    }
}
