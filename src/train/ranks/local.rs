//! Local steps: a rank trains on its own share with its own model, and the models become one again
//! at meetings.
//!
//! What a rank has changed since the last meeting is the difference of a row now and then. The rows
//! of a meeting are dealt to the ranks in turn. Every rank sends its changes of a row to the row's
//! owner, who [combines](super::combine) them and tells the result to all. So every number is made
//! on one rank, in the order of the ranks, and all ranks go on from the same bits.
//!
//! Frequent rows are moved by all ranks in each step, rare ones hardly ever. So most meetings are
//! about the most frequent rows alone.

use std::ops::Range;

use super::combine::combined;
use super::words::{Rows, Words};
use super::{Ranks, Tally};
use crate::engine::Engine;
use crate::error::Result;
use crate::model::{Matrix, Model, Table};

/// Rows of each matrix that every meeting is about: the most frequent ones. Every second meeting is
/// about twice as many, every fourth about four times as many, and so on.
const HOT_ROWS: usize = 4096;

/// Every meeting whose number is a multiple of 2 to this power is about all rows.
pub(super) const WHOLE_TIER: u32 = 7;

/// The number of rows that a meeting is about, on average, of a matrix of `rows` rows.
pub(in crate::train) fn meeting_rows(rows: u64) -> u64 {
    let tier = |tier: u32| rows.min((HOT_ROWS as u64) << tier) >> (tier + 1);
    (0..WHOLE_TIER).map(tier).sum::<u64>() + (rows >> WHOLE_TIER)
}

/// Which rows a meeting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// [`HOT_ROWS`] times 2 to this power, of each matrix.
    Tier(u32),
    /// All.
    All,
}

/// A rank's model as it was at the last meetings.
#[derive(Debug)]
pub(super) struct LocalSteps {
    /// Every row after the last meeting that was about it: the same on all ranks.
    base: Model,
    /// Whether the most frequent rows of W' are its last ones, as in a tree.
    is_tree: bool,
}

impl LocalSteps {
    pub(super) fn new(base: Model, is_tree: bool) -> Self {
        Self { base, is_tree }
    }

    /// Makes the rows of a meeting the same on all ranks. Returns every rank's tally.
    pub(super) fn meet(
        &mut self,
        ranks: &dyn Ranks,
        engine: &mut dyn Engine,
        scope: Scope,
        own: Tally,
    ) -> Result<Vec<Tally>> {
        let received = ranks.exchange(self.changes(engine, scope, ranks.size())?)?;
        let mut received: Vec<Words<'_>> = received.iter().map(|part| Words(part)).collect();
        let (mut reply, mut largest) = (Vec::new(), [0.0; 2]);
        own.write(&mut reply);
        for table in Table::BOTH {
            let largest = &mut largest[table as usize];
            self.combine(table, &mut received, largest)?
                .write(&mut reply);
        }
        let replies = ranks.gather(reply)?;
        let mut replies: Vec<Words<'_>> = replies.iter().map(|reply| Words(reply)).collect();
        let tallies = replies.iter_mut().map(Tally::read).collect::<Result<_>>()?;
        for table in Table::BOTH {
            self.take(table, &mut replies)?;
            let (rows, base) = (self.rows_of(table, scope), self.base.table(table));
            let now = Matrix::from_values(base.dim(), base.values_of(rows.clone()).to_vec());
            engine.set_rows(
                table,
                rows.start,
                &now.having_reached(largest[table as usize]),
            )?;
        }
        Ok(tallies)
    }

    /// The rows of a table that a meeting is about.
    fn rows_of(&self, table: Table, scope: Scope) -> Range<usize> {
        let rows = self.base.table(table).rows();
        let count = match scope {
            Scope::Tier(tier) => rows.min(HOT_ROWS << tier),
            Scope::All => rows,
        };
        match table {
            Table::Output if self.is_tree => rows - count..rows,
            Table::Input | Table::Output => 0..count,
        }
    }

    /// What this rank has changed since the last meeting, as a message to each owner: for each table
    /// the largest element that it has had, and the changes of the owner's rows.
    fn changes(
        &self,
        engine: &mut dyn Engine,
        scope: Scope,
        owners: usize,
    ) -> Result<Vec<Vec<u32>>> {
        let mut messages = vec![Vec::new(); owners];
        for table in Table::BOTH {
            let rows = self.rows_of(table, scope);
            let (base, now) = (self.base.table(table), engine.rows(table, rows.clone())?);
            let mut changes = vec![Rows::default(); owners];
            for (place, number) in rows.enumerate() {
                let (now, then) = (now.row(place), base.row(number));
                if now != then {
                    let own = &mut changes[place % owners];
                    own.numbers.push(number as u32);
                    own.values
                        .extend(now.iter().zip(then).map(|(now, then)| now - then));
                }
            }
            let largest = now.largest().to_bits();
            for (message, changes) in messages.iter_mut().zip(changes) {
                message.push(largest);
                changes.write(message);
            }
        }
        Ok(messages)
    }

    /// Combines all ranks' changes of the rows that this rank owns, and raises `largest` to theirs.
    fn combine(&self, table: Table, received: &mut [Words<'_>], largest: &mut f32) -> Result<Rows> {
        let dim = self.base.table(table).dim();
        let mut changes = Vec::with_capacity(received.len());
        for message in received {
            *largest = largest.max(message.f32()?);
            changes.push(message.rows(dim)?);
        }
        Ok(combined(dim, &changes))
    }

    /// Moves the rows by what their owners tell.
    fn take(&mut self, table: Table, replies: &mut [Words<'_>]) -> Result<()> {
        let base = self.base.table_mut(table);
        let dim = base.dim();
        for reply in replies {
            let changes = reply.rows(dim)?;
            for (&number, change) in changes.numbers.iter().zip(changes.values.chunks_exact(dim)) {
                let row = base.row_mut(number as usize).iter_mut();
                row.zip(change).for_each(|(value, change)| *value += change);
            }
        }
        Ok(())
    }
}
