//! The integer sums that lie between the two halves of a step.
//!
//! The first half of a step adds up contributions to the rows that a batch touches; the second
//! moves each row by its sum. Between them a sum is a row of 32-bit integers in a unit of its own
//! ([`fixed_point`](super::fixed_point)). Integer addition does not depend on an order, so that
//! sums of several machines can be added, number by number, with the same result on every run.
//!
//! Machines that add their sums must agree on the units beforehand. A unit follows from two
//! numbers: the largest element of the other table, which all machines know, as they hold the same
//! model; and the bits of the row's number of products. Machines agree on the latter by raising
//! [`Batch::center_bits`], [`Batch::target_bits`] and the two `contribution_bits` to those of all
//! machines together, before the first half. Room for the total then is part of the unit.
//!
//! [`Batch::center_bits`]: crate::batch::Batch::center_bits
//! [`Batch::target_bits`]: crate::batch::Batch::target_bits

use super::fixed_point::Scales;
use crate::batch::Row;
use crate::error::{Error, Result};

/// The sums of a batch for the rows of both tables.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchSums {
    /// Words of the corpus seen before the batch, by which the step's draws are known.
    pub words_before: u64,
    /// Sums for rows of W.
    pub input: TableSums,
    /// Sums for rows of W'.
    pub output: TableSums,
}

/// The sums of a batch for the rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSums {
    /// The rows that have a sum, and its unit.
    pub rows: SumRows,
    /// Elements of each sum: as many as a row has.
    pub dim: usize,
    /// The sums, row after row, `dim` elements each.
    pub values: Vec<i32>,
}

/// The rows of one table that have a sum, with the units of their sums.
#[derive(Clone, Debug, PartialEq)]
pub struct SumRows {
    /// The rows, ascending. The place of a row in this list is its slot.
    pub rows: Vec<Row>,
    /// For each slot the bits of the row's number of products, which its scale has room for.
    pub bits: Vec<u8>,
    /// The scales of all rows: an element of slot `s` is its integer divided by
    /// `scales.scale(bits[s])`, a power of two.
    pub scales: Scales,
}

impl TableSums {
    /// Checks that there is a sum for every row, that rows ascend and that a table of `table_rows`
    /// rows of `dim` elements has them.
    ///
    /// # Errors
    /// [`Error::Halves`] otherwise.
    pub(super) fn validate(&self, table_rows: usize, dim: usize) -> Result<()> {
        let SumRows { rows, bits, .. } = &self.rows;
        let holds = rows.is_sorted_by(|a, b| a < b)
            && rows.last().is_none_or(|row| row.index() < table_rows)
            && bits.len() == rows.len()
            && self.dim == dim
            && self.values.len() == rows.len() * dim;
        if holds {
            Ok(())
        } else {
            Err(halves("the sums are not those of rows of the model"))
        }
    }
}

/// An [`Error::Halves`].
pub(super) fn halves(why: &str) -> Error {
    Error::Halves {
        why: why.to_owned(),
    }
}

/// The error of an objective whose sums are floats.
pub(super) fn sums_are_floats() -> Error {
    halves("the sums of a full softmax are floats, which cannot be added in any order")
}

/// The error of an objective whose words are composed of parts.
pub(super) fn sums_of_parts() -> Error {
    halves("with subwords the rows of W move by sums of several words, which are floats")
}

/// The error of a second half without a first.
pub(super) fn no_sums() -> Error {
    halves("no batch has been added up")
}

/// The error of a first half, or a whole step, while sums wait for the second half.
pub(super) fn sums_wait() -> Error {
    halves("the rows have not yet moved by the sums of the batch before")
}
