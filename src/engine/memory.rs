//! How much memory an engine takes, computed before it starts.

use super::Objective;
use crate::model::Storage;

/// A piece of memory and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Allocation {
    /// The content of the memory, as a noun phrase for the user.
    pub what: &'static str,
    /// The size in bytes.
    pub bytes: u64,
}

impl Allocation {
    /// A piece of `bytes` bytes that holds `what`.
    pub fn new(what: &'static str, bytes: u64) -> Self {
        Self { what, bytes }
    }
}

/// The numbers from which the sizes of an engine's buffers follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How the loss is computed.
    pub objective: Objective,
    /// Number of rows of W.
    pub input_rows: u64,
    /// Number of rows of W'.
    pub output_rows: u64,
    /// Number of elements in a row.
    pub dim: u64,
    /// The format in which a GPU stores the elements of W and W'.
    pub storage: Storage,
    /// The sizes of the largest batch.
    pub batch: BatchSizes,
}

/// The largest lengths of a batch's arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSizes {
    /// Number of spans.
    pub spans: u64,
    /// Number of centers of all spans.
    pub span_centers: u64,
    /// Number of windows.
    pub windows: u64,
    /// Number of centers of all windows.
    pub centers: u64,
    /// Number of targets of all windows.
    pub targets: u64,
    /// Number of different centers: the rows of W that the batch touches.
    pub center_rows: u64,
    /// Number of different targets: the rows of W' that the batch touches.
    pub target_rows: u64,
    /// Number of parts of all different centers; 0 without subwords.
    pub parts: u64,
    /// Number of different parts: the rows of W that then move.
    pub part_rows: u64,
}

impl BatchSizes {
    /// The size of all arrays together, in bytes.
    pub fn bytes(&self) -> u64 {
        let Self {
            spans,
            span_centers,
            windows,
            centers,
            targets,
            center_rows,
            target_rows,
            parts,
            part_rows,
        } = self;
        let offsets = 2 * (spans + 1) + 2 * (windows + 1);
        let of_rows = |rows: &u64| rows + rows.div_ceil(4);
        let of_parts = if *parts > 0 {
            center_rows + 1 + 2 * (parts + part_rows) + 1
        } else {
            0
        };
        4 * (offsets
            + span_centers
            + centers.div_ceil(4)
            + targets
            + of_rows(center_rows)
            + of_rows(target_rows)
            + of_parts)
    }
}
