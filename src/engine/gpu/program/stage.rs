//! The parts of a program: buffers by name, the size of a step, and a stage.

use crate::batch::{CbowGradient, Inputs, SPAN_CENTERS};
use crate::engine::gpu::kernels::{Kernel, PRODUCT_TILE};
use crate::engine::gpu::layout::Layout;
use crate::engine::{LossFunction, Objective};

/// A buffer that a kernel binds, by the part it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::gpu) enum BufferRole {
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
pub(in crate::engine::gpu) struct FixedBuffer {
    /// Shown in plans, in errors and in debuggers.
    pub(in crate::engine::gpu) label: &'static str,
    /// Its size.
    pub(in crate::engine::gpu) bytes: u64,
}

/// Losses kept on the device, one for each upload, before the host must read them.
pub(in crate::engine::gpu) const LOSSES: usize = 4096;

/// The loss of each upload.
pub(in crate::engine::gpu) const BATCH_LOSSES: FixedBuffer = FixedBuffer {
    label: "losses of batches",
    bytes: LOSSES as u64 * 4,
};

/// The largest elements of W and W', as the bits of floats: two for the step under way, then two
/// for the next.
pub(in crate::engine::gpu) const LARGEST: FixedBuffer = FixedBuffer {
    label: "largest elements",
    bytes: 16,
};

/// A buffer between the kernels of a step. It grows with the batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine::gpu) enum ScratchBuffer {
    /// Scores of a tile of centers with all words, which become errors in their place.
    Scores,
    /// Words that are composed of parts, by slot.
    Words,
    /// Sums for rows of W, or for words that are composed of parts, by slot.
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
pub(in crate::engine::gpu) struct ScratchShape {
    /// Shown in plans, in errors and in debuggers.
    pub(in crate::engine::gpu) label: &'static str,
    /// Whether it is a matrix that is cut into shards as the tables are.
    pub(in crate::engine::gpu) is_matrix: bool,
    /// Bytes that a step needs of it; of a matrix, in each shard.
    pub(in crate::engine::gpu) bytes: u64,
}

impl ScratchBuffer {
    /// Label, size and cut for a step of some size.
    pub(in crate::engine::gpu) fn shape(self, size: &StepSize) -> ScratchShape {
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
            Self::Words => matrix("words composed of parts", size.centers),
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
pub(in crate::engine::gpu) struct StepSize {
    /// Spans that the upload adds up; 0 in a softmax, and in a half that only moves rows.
    pub(in crate::engine::gpu) spans: u64,
    /// Workgroups that take these spans: `span_groups` of the sigmoid.
    pub(in crate::engine::gpu) span_groups: u64,
    /// Slots of W in the batch, or in the tile of a softmax.
    pub(in crate::engine::gpu) centers: u64,
    /// Slots of W' in the batch; 0 in a softmax.
    pub(in crate::engine::gpu) targets: u64,
    /// Rows of W that are parts of the batch's words; 0 without subwords.
    pub(in crate::engine::gpu) parts: u64,
    /// Rows of W'.
    pub(in crate::engine::gpu) words: u64,
    /// Whether the rows of W move.
    pub(in crate::engine::gpu) moves_input: bool,
    /// Whether the rows of W' move; in a softmax they do after the last tile.
    pub(in crate::engine::gpu) moves_output: bool,
    /// Groups of four elements in a row.
    pub(in crate::engine::gpu) width: u64,
    /// Bytes of a row of sums in each shard.
    pub(in crate::engine::gpu) row_bytes: u64,
    /// Workgroups of a dispatch at most; kernels stride over the rest.
    pub(in crate::engine::gpu) most_groups: u64,
    /// Floating-point operations of a stage at most, where they may be too many for a submission:
    /// in a softmax those of a product of matrices, otherwise 0.
    pub(in crate::engine::gpu) stage_work: u64,
}

impl StepSize {
    /// A step of nothing on matrices of some layout, to be filled in.
    pub(in crate::engine::gpu) fn on(layout: &Layout, output_rows: usize) -> Self {
        Self {
            spans: 0,
            span_groups: 0,
            centers: 0,
            targets: 0,
            parts: 0,
            words: output_rows as u64,
            moves_input: false,
            moves_output: false,
            width: u64::from(layout.width),
            row_bytes: layout.shards.row_bytes(),
            most_groups: layout.groups as u64,
            stage_work: 0,
        }
    }

    /// The step with the work of the products of a softmax tile.
    pub(in crate::engine::gpu) fn with_products(self) -> Self {
        Self {
            stage_work: 8 * self.centers * self.words * self.width,
            ..self
        }
    }

    /// A workgroup for each item, up to the most: kernels stride over the rest.
    pub(super) fn line(&self, items: u64) -> [u64; 2] {
        [items.min(self.most_groups), 1]
    }

    /// Workgroups for a product of so many rows and columns.
    pub(super) fn tiles(&self, rows: u64, columns: u64) -> [u64; 2] {
        [columns, rows].map(|length| length.div_ceil(PRODUCT_TILE as u64))
    }
}

/// The table whose rows a stage moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::gpu) enum MovedTable {
    /// W.
    Input,
    /// W'.
    Output,
}

/// One kernel of a step, on its buffers.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::gpu) struct Stage {
    pub(in crate::engine::gpu) kernel: &'static Kernel,
    /// The table whose rows an `apply` kernel moves.
    pub(in crate::engine::gpu) moves: Option<MovedTable>,
    /// The buffers of the kernel's bindings, in order; a matrix stands for all its shards.
    pub(in crate::engine::gpu) buffers: &'static [BufferRole],
    /// Workgroups; with a 0 among them the stage is left out.
    pub(in crate::engine::gpu) groups: fn(&StepSize) -> [u64; 2],
}

impl Stage {
    /// The constants of its kernel that the stage gives, for an objective and so many rows of W'.
    pub(in crate::engine::gpu) fn constants(
        &self,
        objective: Objective,
        output_rows: usize,
    ) -> Vec<(&'static str, f64)> {
        let mut constants = Vec::new();
        if let Some(table) = self.moves {
            let is_output = table == MovedTable::Output;
            constants.push(("IS_OUTPUT", f64::from(u8::from(is_output))));
        }
        if self.kernel.knows("ROWS") {
            constants.push(("ROWS", output_rows as f64));
        }
        if self.kernel.knows("MEAN") {
            constants.extend(window_constants(objective));
        }
        constants
    }
}

/// The constants by which the window kernel follows an objective.
fn window_constants(objective: Objective) -> [(&'static str, f64); 4] {
    let (mean, share) = match objective.inputs {
        Inputs::Each => (false, false),
        Inputs::Mean(gradient) => (true, gradient == CbowGradient::Share),
    };
    let branches = match objective.loss {
        LossFunction::Choice { branches } => branches,
        LossFunction::Sigmoid | LossFunction::Softmax => 0,
    };
    [
        ("MEAN", f64::from(u8::from(mean))),
        ("SHARE", f64::from(u8::from(share))),
        ("BRANCHES", branches as f64),
        ("COMPOSED", f64::from(u8::from(objective.subwords))),
    ]
}
