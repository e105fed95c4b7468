//! The parts of a batch's words, in a model with subwords.

use std::sync::Arc;

use super::row_set::RowSet;
use super::{Row, Slot, is_cut, range};
use crate::subwords::SubwordTable;

/// The rows of W that the words of a batch are composed of, both ways round; empty in a model
/// without subwords.
///
/// A batch has C different words as centers, the slots of W. Together they have U parts (a word
/// counts the parts of each slot, also those that another has), which are E different rows of W.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Length C + 1. Slot `s` is composed of `parts[offsets[s]..offsets[s + 1]]`.
    pub offsets: Vec<u32>,
    /// Length U. Rows of W: of each slot its own row first, then its n-grams in their order.
    pub parts: Vec<Row>,
    /// Length E. The rows of W among the parts, ascending.
    pub rows: Vec<Row>,
    /// Length E + 1. Row `rows[e]` is a part of `uses[use_offsets[e]..use_offsets[e + 1]]`.
    pub use_offsets: Vec<u32>,
    /// Length U. The slots that each row is a part of, ascending; twice where it is so twice.
    pub uses: Vec<Slot>,
}

impl Parts {
    /// Whether words are composed of parts.
    pub fn is_some(&self) -> bool {
        !self.offsets.is_empty()
    }

    /// The parts of a slot.
    #[inline]
    pub fn of(&self, slot: usize) -> &[Row] {
        &self.parts[range(&self.offsets, slot)]
    }

    /// The slots that a row of `rows` is a part of, by its place there.
    #[inline]
    pub fn uses_of(&self, place: usize) -> &[Slot] {
        &self.uses[range(&self.use_offsets, place)]
    }

    /// Number of 32-bit numbers in all arrays.
    pub(super) fn numbers(&self) -> usize {
        let Self {
            offsets,
            parts,
            rows,
            use_offsets,
            uses,
        } = self;
        offsets.len() + parts.len() + rows.len() + use_offsets.len() + uses.len()
    }

    /// Empties the arrays and keeps their memory.
    pub(super) fn clear(&mut self) {
        self.offsets.clear();
        self.parts.clear();
        self.rows.clear();
        self.use_offsets.clear();
        self.uses.clear();
    }

    /// The fault of these arrays for `slots` words and a table of `input_rows` rows, if there is
    /// one.
    pub(super) fn fault(&self, slots: usize, input_rows: usize) -> Option<&'static str> {
        if !self.is_some() {
            return None;
        }
        let length = self.parts.len();
        let below = |rows: &[Row]| rows.iter().all(|row| row.index() < input_rows);
        if !is_cut(&self.offsets, slots, length) {
            Some("parts are not cut by its slots")
        } else if !is_cut(&self.use_offsets, self.rows.len(), length) || self.uses.len() != length {
            Some("uses are not cut by the rows of parts")
        } else if !below(&self.parts) || !below(&self.rows) {
            Some("parts exceed W")
        } else if self.uses.iter().any(|slot| slot.index() >= slots) {
            Some("uses exceed its slots")
        } else {
            None
        }
    }
}

/// Fills the [`Parts`] of batches.
#[derive(Debug)]
pub(super) struct PartsBuilder {
    table: Arc<SubwordTable>,
    /// The rows of W that are parts of the batch's words.
    touched: RowSet,
    /// For each of these rows, where its next use goes.
    next: Vec<u32>,
}

impl PartsBuilder {
    pub(super) fn new(table: Arc<SubwordTable>) -> Self {
        Self {
            touched: RowSet::new(table.rows()),
            table,
            next: Vec::new(),
        }
    }

    /// Fills `parts`, which is empty, with those of words, by slot.
    pub(super) fn fill(&mut self, words: &[Row], parts: &mut Parts) {
        let Self {
            table,
            touched,
            next,
        } = self;
        parts.offsets.push(0);
        for word in words {
            for &part in table.parts(word.index()) {
                parts.parts.push(Row(part));
                touched.touch(Row(part), 1);
            }
            parts.offsets.push(parts.parts.len() as u32);
        }
        let mut end = 0;
        touched.number(|row, uses| {
            parts.rows.push(row);
            parts.use_offsets.push(end);
            end += uses;
        });
        parts.use_offsets.push(end);
        next.clone_from(&parts.use_offsets);
        parts.uses.resize(parts.parts.len(), Slot(0));
        for slot in 0..words.len() {
            for &part in &parts.parts[range(&parts.offsets, slot)] {
                let next = &mut next[touched.slot(part).index()];
                parts.uses[*next as usize] = Slot(slot as u32);
                *next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subwords::Subwords;

    fn table() -> Arc<SubwordTable> {
        let words = ["cat", "banana", "at", "nab"];
        let subwords = Subwords::new(2, 3, 30).unwrap();
        Arc::new(SubwordTable::new(
            subwords,
            words.map(|word| (word, 1)).into_iter(),
        ))
    }

    #[test]
    fn every_part_of_a_word_knows_the_word() {
        let table = table();
        let mut builder = PartsBuilder::new(Arc::clone(&table));
        for words in [
            &[Row(0), Row(1), Row(3)][..],
            &[Row(2)],
            &[],
            &[Row(1), Row(2)],
        ] {
            let mut parts = Parts::default();
            builder.fill(words, &mut parts);
            assert_eq!(parts.fault(words.len(), table.rows()), None);
            assert!(parts.rows.is_sorted_by(|a, b| a < b));
            let mut expected: Vec<(Row, Slot)> = Vec::new();
            for (slot, word) in words.iter().enumerate() {
                let own: Vec<u32> = parts.of(slot).iter().map(|row| row.0).collect();
                assert_eq!(own, table.parts(word.index()));
                expected.extend(parts.of(slot).iter().map(|&row| (row, Slot(slot as u32))));
            }
            expected.sort_unstable();
            let found = parts.rows.iter().enumerate();
            let found = found.flat_map(|(place, &row)| {
                parts.uses_of(place).iter().map(move |&slot| (row, slot))
            });
            assert_eq!(found.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn parts_that_exceed_their_arrays_are_found() {
        let table = table();
        let mut whole = Parts::default();
        PartsBuilder::new(Arc::clone(&table)).fill(&[Row(0), Row(1)], &mut whole);
        let fault = |change: fn(&mut Parts)| {
            let mut parts = whole.clone();
            change(&mut parts);
            parts.fault(2, table.rows())
        };
        assert_eq!(fault(|_| ()), None);
        for change in [
            (|parts| parts.offsets[1] = 10_000) as fn(&mut Parts),
            |parts| _ = parts.offsets.pop(),
            |parts| parts.use_offsets[1] = 10_000,
            |parts| _ = parts.uses.pop(),
            |parts| parts.parts[3] = Row(1000),
            |parts| parts.rows[0] = Row(1000),
            |parts| parts.uses[0] = Slot(2),
        ] {
            assert!(fault(change).is_some());
        }
    }
}
