//! How much memory an engine takes, known before it starts.

use super::Objective;
use crate::model::Storage;

/// A piece of memory, by what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Allocation {
    /// What it holds.
    pub what: &'static str,
    /// Its size.
    pub bytes: u64,
}

impl Allocation {
    /// A piece of so many bytes.
    pub fn new(what: &'static str, bytes: u64) -> Self {
        Self { what, bytes }
    }
}

/// What the sizes of an engine's buffers follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How the loss is computed.
    pub objective: Objective,
    /// Rows of W.
    pub input_rows: u64,
    /// Rows of W'.
    pub output_rows: u64,
    /// Elements in a row.
    pub dim: u64,
    /// In what a GPU keeps them.
    pub storage: Storage,
    /// The largest batch.
    pub batch: BatchSizes,
}

/// The lengths of a batch's arrays, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSizes {
    /// Spans.
    pub spans: u64,
    /// Centers of all spans.
    pub span_centers: u64,
    /// Windows.
    pub windows: u64,
    /// Centers of all windows.
    pub centers: u64,
    /// Targets of all windows.
    pub targets: u64,
    /// Different centers: rows of W that are touched.
    pub center_rows: u64,
    /// Different targets: rows of W' that are touched.
    pub target_rows: u64,
}

impl BatchSizes {
    /// Bytes of all arrays.
    pub fn bytes(&self) -> u64 {
        let Self {
            spans,
            span_centers,
            windows,
            centers,
            targets,
            center_rows,
            target_rows,
        } = self;
        let offsets = 2 * (spans + 1) + 2 * (windows + 1);
        let of_rows = |rows: &u64| rows + rows.div_ceil(4);
        4 * (offsets
            + span_centers
            + centers.div_ceil(4)
            + targets
            + of_rows(center_rows)
            + of_rows(target_rows))
    }
}
