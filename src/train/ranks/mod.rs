//! Several ranks that train one model together.
//!
//! A **rank** is one of the engines of a run, with a share of the text and a model of its own. All
//! ranks run the same loop ([`train`](super::train)) and meet now and then. Between two meetings
//! they know nothing of each other.
//!
//! | file | does |
//! |---|---|
//! | `mod` | what ranks can say to each other |
//! | `threads` | ranks that are threads of one process |
//! | `mpi` | ranks that are processes, on one machine or several |
//! | `team` | what the loop asks: when to meet, and what the others have done |
//! | `local` | steps on a rank's own model, and how the models become one again |
//! | `exact` | steps of all ranks at once |
//! | `combine` | what becomes of a row that several ranks have moved |
//! | `words` | numbers as they travel |

mod combine;
mod exact;
mod local;
#[cfg(feature = "mpi")]
mod mpi;
mod team;
mod threads;
mod words;

use std::fmt::Debug;

pub(super) use local::meeting_rows;
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub(super) use team::{Meeting, Tally, Team, meetings};
pub use threads::Threads;
#[cfg(test)]
pub(super) use threads::tests::on_each;

use crate::error::Result;

/// What one of several ranks can say to the others.
///
/// A message is a list of 32-bit words. Every rank must make the same calls in the same order. A
/// call waits until all ranks have made it.
pub trait Ranks: Debug {
    /// Number of this rank, from 0. Rank 0 shows, evaluates and writes.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn size(&self) -> usize;

    /// Gives each rank its part of `parts`; returns what each rank has for this one. Both are in
    /// the order of the ranks, this one included.
    ///
    /// # Errors
    /// [`Error::Ranks`](crate::Error::Ranks) when a rank has ended.
    fn exchange(&self, parts: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>>;

    /// Gives every rank the same; returns what every rank gives, in the order of the ranks.
    ///
    /// # Errors
    /// As [`exchange`](Self::exchange).
    fn gather(&self, own: Vec<u32>) -> Result<Vec<Vec<u32>>> {
        self.exchange(vec![own; self.size()])
    }
}

/// The only rank of a run.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Ranks for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, parts: Vec<Vec<u32>>) -> Result<Vec<Vec<u32>>> {
        Ok(parts)
    }
}
