//! What several ranks tell each other in a run.

use serde::Serialize;

use crate::config::Sync;
use crate::engine::memory::Sizes;
use crate::train::dataset::Dataset;
use crate::train::ranks::{meeting_rows, meetings};

/// What several ranks tell each other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RanksPlan {
    /// Number of ranks.
    pub ranks: u64,
    /// Whether each step is one of all ranks.
    pub exact: bool,
    /// Number of times that they meet, about.
    pub meetings: u64,
    /// Bytes that each rank sends in a meeting, on average, if it has moved all rows of the meeting.
    pub bytes: u64,
}

impl RanksPlan {
    /// The plan of a run of several ranks with so many batches; `None` if there is one.
    pub(super) fn of(data: &Dataset, sizes: &Sizes, batches: u64) -> Option<Self> {
        let ranks = data.config.ranks.ranks? as u64;
        let exact = data.config.ranks.sync == Some(Sync::Exact);
        let (meetings, rows) = if exact {
            (batches, sizes.batch.center_rows + sizes.batch.target_rows)
        } else {
            let rows = [sizes.input_rows, sizes.output_rows].map(meeting_rows);
            (meetings(data).min(batches), rows.iter().sum())
        };
        // A row of numbers goes to its owner, and from the owner to all others.
        let to_others = 2 * rows * sizes.dim * 4 * (ranks - 1) / ranks;
        Some(Self {
            ranks,
            exact,
            meetings,
            bytes: to_others,
        })
    }
}
