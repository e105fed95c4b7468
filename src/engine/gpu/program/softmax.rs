//! The stages of a full softmax, for a tile of a batch's centers: products of matrices, and the
//! errors between them. The rows of W' move after the last tile.

use super::stage::BufferRole::{BatchLosses, Input, Largest, Output, Scratch, Upload};
use super::stage::ScratchBuffer::{CenterLosses, CenterSums, Scores, WordSums};
use super::stage::{MovedTable, Stage};
use crate::engine::gpu::kernels::{
    APPLY_FLOAT, LOSS, PRODUCT_TILE, SOFTMAX_CENTER_SUMS, SOFTMAX_ERRORS, SOFTMAX_SCORES,
    SOFTMAX_TARGET_SUMS,
};
use crate::engine::gpu::limits::MAX_GROUPS;

/// Scores held at a time: 64 MB.
pub(in crate::engine::gpu) const SCORES: usize = 1 << 24;

/// The most words: each workgroup of a product takes [`PRODUCT_TILE`] of them.
pub(in crate::engine::gpu) const fn most_words() -> usize {
    MAX_GROUPS * PRODUCT_TILE
}

/// Centers in a tile, for at most `scores` scores with `words` words.
pub(in crate::engine::gpu) fn tile_centers(scores: usize, words: usize) -> usize {
    (scores / words.max(1)).clamp(1, most_words())
}

pub(super) const STAGES: &[Stage] = &[
    Stage {
        kernel: &SOFTMAX_SCORES,
        moves: None,
        buffers: &[Upload, Scratch(Scores), Input, Output],
        groups: |size| size.tiles(size.centers, size.words),
    },
    Stage {
        kernel: &SOFTMAX_ERRORS,
        moves: None,
        buffers: &[Upload, Scratch(Scores), Scratch(CenterLosses)],
        groups: |size| size.line(size.centers),
    },
    Stage {
        kernel: &SOFTMAX_CENTER_SUMS,
        moves: None,
        buffers: &[Upload, Scratch(Scores), Output, Scratch(CenterSums)],
        groups: |size| size.tiles(size.centers, 4 * size.width),
    },
    Stage {
        kernel: &SOFTMAX_TARGET_SUMS,
        moves: None,
        buffers: &[Upload, Scratch(Scores), Input, Scratch(WordSums)],
        groups: |size| size.tiles(size.words, 4 * size.width),
    },
    Stage {
        kernel: &APPLY_FLOAT,
        moves: Some(MovedTable::Input),
        buffers: &[Upload, Input, Scratch(CenterSums)],
        groups: |size| size.line(if size.moves_input { size.centers } else { 0 }),
    },
    Stage {
        kernel: &LOSS,
        moves: None,
        buffers: &[Upload, Scratch(CenterLosses), BatchLosses, Largest],
        groups: |size| size.line(1),
    },
    Stage {
        kernel: &APPLY_FLOAT,
        moves: Some(MovedTable::Output),
        buffers: &[Upload, Output, Scratch(WordSums)],
        groups: |size| size.line(if size.moves_output { size.words } else { 0 }),
    },
];
