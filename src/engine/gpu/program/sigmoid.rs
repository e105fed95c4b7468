//! The stages of a step whose targets are scored one by one: `window` adds up all contributions,
//! `apply` moves the rows of W and of W', `loss` ends the step. With subwords `compose` comes first,
//! and the rows of W move by the sums of the words that they are parts of.

use super::stage::BufferRole::{BatchLosses, Input, Largest, Output, Scratch, Upload};
use super::stage::ScratchBuffer::{CenterSums, SpanLosses, SpanSums, TargetSums, Words};
use super::stage::{MovedTable, Stage};
use crate::batch::SPAN_CENTERS;
use crate::engine::gpu::kernels::{
    APPLY_FIXED, APPLY_PARTS, COMPOSE, LOSS, WINDOW, WINDOW_OF_COMPOSED, WINDOW_OF_WIDE_COMPOSED,
    WINDOW_OF_WIDE_ROWS,
};

/// Bytes that the sums of spans take in a buffer at most, where they are not in the memory of
/// workgroups.
const SPAN_SUMS_BYTES: u64 = 64 << 20;

/// Where the sums of a span fit into the memory of its workgroup.
const WINDOW_STAGE: Stage = Stage {
    kernel: &WINDOW,
    moves: None,
    buffers: &[
        Upload,
        Scratch(SpanLosses),
        Largest,
        Input,
        Output,
        Scratch(CenterSums),
        Scratch(TargetSums),
    ],
    groups: |size| size.line(size.span_groups),
};

/// Where the sums of a span lie in a buffer.
const WIDE_WINDOW_STAGE: Stage = Stage {
    kernel: &WINDOW_OF_WIDE_ROWS,
    buffers: &[
        Upload,
        Scratch(SpanLosses),
        Largest,
        Scratch(SpanSums),
        Input,
        Output,
        Scratch(CenterSums),
        Scratch(TargetSums),
    ],
    ..WINDOW_STAGE
};

/// [`WINDOW_STAGE`] on words that are composed of parts.
const COMPOSED_WINDOW_STAGE: Stage = Stage {
    kernel: &WINDOW_OF_COMPOSED,
    buffers: &[
        Upload,
        Scratch(SpanLosses),
        Largest,
        Scratch(Words),
        Output,
        Scratch(CenterSums),
        Scratch(TargetSums),
    ],
    ..WINDOW_STAGE
};

/// [`WIDE_WINDOW_STAGE`] on words that are composed of parts.
const WIDE_COMPOSED_WINDOW_STAGE: Stage = Stage {
    kernel: &WINDOW_OF_WIDE_COMPOSED,
    buffers: &[
        Upload,
        Scratch(SpanLosses),
        Largest,
        Scratch(SpanSums),
        Scratch(Words),
        Output,
        Scratch(CenterSums),
        Scratch(TargetSums),
    ],
    ..WINDOW_STAGE
};

const COMPOSE_STAGE: Stage = Stage {
    kernel: &COMPOSE,
    moves: None,
    buffers: &[Upload, Input, Scratch(Words), Scratch(CenterSums)],
    groups: |size| size.line(size.centers),
};

const APPLY_TO_PARTS: Stage = Stage {
    kernel: &APPLY_PARTS,
    moves: Some(MovedTable::Input),
    buffers: &[Upload, Largest, Input, Scratch(CenterSums)],
    groups: |size| size.line(if size.moves_input { size.parts } else { 0 }),
};

const APPLY_INPUT: Stage = Stage {
    kernel: &APPLY_FIXED,
    moves: Some(MovedTable::Input),
    buffers: &[Upload, Largest, Input, Scratch(CenterSums)],
    groups: |size| size.line(if size.moves_input { size.centers } else { 0 }),
};

const APPLY_OUTPUT: Stage = Stage {
    kernel: &APPLY_FIXED,
    moves: Some(MovedTable::Output),
    buffers: &[Upload, Largest, Output, Scratch(TargetSums)],
    groups: |size| size.line(if size.moves_output { size.targets } else { 0 }),
};

const LOSS_STAGE: Stage = Stage {
    kernel: &LOSS,
    moves: None,
    buffers: &[Upload, Scratch(SpanLosses), BatchLosses, Largest],
    groups: |size| size.line(1),
};

/// The stages of a step, and of each of its halves: the first half moves no rows, and the second
/// has no spans.
pub(super) fn stages(span_sums_fit: bool, subwords: bool) -> Vec<Stage> {
    let window = match (span_sums_fit, subwords) {
        (true, false) => WINDOW_STAGE,
        (false, false) => WIDE_WINDOW_STAGE,
        (true, true) => COMPOSED_WINDOW_STAGE,
        (false, true) => WIDE_COMPOSED_WINDOW_STAGE,
    };
    if subwords {
        vec![
            COMPOSE_STAGE,
            window,
            APPLY_TO_PARTS,
            APPLY_OUTPUT,
            LOSS_STAGE,
        ]
    } else {
        vec![window, APPLY_INPUT, APPLY_OUTPUT, LOSS_STAGE]
    }
}

/// Workgroups that take `spans` spans: one for each, up to the most of a dispatch. Where their sums
/// lie in a buffer, they are also so few that the buffer keeps to [`SPAN_SUMS_BYTES`].
pub(in crate::engine::gpu) fn span_groups(
    spans: u64,
    width: u64,
    most_groups: u64,
    span_sums_fit: bool,
) -> u64 {
    let groups = spans.min(most_groups);
    if span_sums_fit {
        return groups;
    }
    let bytes = SPAN_CENTERS as u64 * width * 16;
    groups.min((SPAN_SUMS_BYTES / bytes.max(1)).max(1))
}
