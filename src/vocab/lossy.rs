//! Counting in bounded memory, as in the lossy counting of Manku and Motwani (2002): whenever the
//! table outgrows its budget, the rarest items are forgotten.
//!
//! Each item has an upper bound on its occurrences. Pruning forgets the items with the smallest
//! bounds. Let E be the largest bound that was ever forgotten. An item that enters the table may
//! have been forgotten before, with at most E occurrences. E is therefore noted beside its new
//! count, and count + note is its bound.
//!
//! So an item in the table is counted too low by at most E, and a missing item occurs at most E
//! times. E is the largest of the forgotten bounds, not their sum.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::counts::{Countable, Counts};

/// Counts that forget the rarest items.
pub(crate) struct Lossy<K> {
    entries: HashMap<K, Entry, FixedState>,
    undercount: u64,
    /// Bytes that the table may take after pruning.
    budget: u64,
}

struct Entry {
    count: u64,
    /// Occurrences that may have been forgotten before these were counted, at most.
    missed: u64,
}

impl<K: Countable> Lossy<K> {
    /// A table that pruning keeps within `budget` bytes. Between two prunings it may be larger.
    pub(crate) fn new(budget: u64) -> Self {
        Self {
            entries: HashMap::default(),
            undercount: 0,
            budget,
        }
    }

    /// Adds the exact counts of a part of the text.
    pub(crate) fn merge(&mut self, part: Counts<K>) {
        for (key, count) in part.into_keys() {
            self.entries
                .entry(key)
                .or_insert(Entry {
                    count: 0,
                    missed: self.undercount,
                })
                .count += count;
        }
    }

    /// If the table exceeds its budget, forgets the rarest items until it takes half the budget.
    ///
    /// Items for which `keep` is true stay. What is forgotten depends on the counts alone and not
    /// on the order of the items.
    pub(crate) fn prune(&mut self, keep: impl Fn(&K) -> bool) {
        let bytes = |key: &K| Self::entry_bytes() + key.heap_bytes();
        let budget = self.budget;
        let mut total: u64 = self.entries.keys().map(bytes).sum();
        if total <= budget {
            return;
        }
        let mut bytes_of_bound: BTreeMap<u64, u64> = BTreeMap::new();
        for (key, entry) in self.entries.iter().filter(|(key, _)| !keep(key)) {
            *bytes_of_bound
                .entry(entry.count + entry.missed)
                .or_default() += bytes(key);
        }
        for (bound, bytes) in bytes_of_bound {
            if total <= budget / 2 {
                break;
            }
            total -= bytes;
            self.undercount = self.undercount.max(bound);
        }
        let undercount = self.undercount;
        self.entries
            .retain(|key, entry| entry.count + entry.missed > undercount || keep(key));
    }

    /// The counts that are left, with their largest error.
    pub(crate) fn into_counts(self) -> Counts<K> {
        let counts = self
            .entries
            .into_iter()
            .map(|(key, entry)| (key, entry.count))
            .collect();
        Counts {
            counts,
            undercount: self.undercount,
        }
    }

    /// Bytes that the table takes for each entry. It is at least 7/16 full, and mostly fuller.
    fn entry_bytes() -> u64 {
        2 * (size_of::<(K, Entry)>() as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::vocab::counts::{Word, WordCounts};

    proptest! {
        /// Whatever is forgotten, no count is too high, none is too low by more than stated, kept
        /// items are exact, and the table stays within its budget.
        #[test]
        fn what_is_forgotten_is_bounded(
            parts in prop::collection::vec(prop::collection::vec(0u32..60, 1..80), 1..12),
            room in 1u64..40,
        ) {
            let mut exact: HashMap<String, u64> = HashMap::new();
            let budget = room * (Lossy::<Word>::entry_bytes() + 20);
            let mut lossy = Lossy::new(budget);
            let keep = |word: &Word| **word == *b"7";
            for part in parts {
                let mut of_part = WordCounts::default();
                for number in part {
                    // Small numbers are frequent.
                    let word = (number * number / 60).to_string();
                    of_part.add(word.as_bytes());
                    *exact.entry(word).or_default() += 1;
                }
                lossy.merge(of_part);
                lossy.prune(keep);
                let bytes: u64 = lossy.entries.keys().map(|k| Lossy::<Word>::entry_bytes() + k.heap_bytes()).sum();
                prop_assert!(bytes <= budget || lossy.entries.len() == 1);
            }
            let counts = lossy.into_counts();
            for (word, &count) in &exact {
                let found = counts.get(word.as_bytes());
                prop_assert!(found <= count && count <= found + counts.undercount(), "{} {} {}", word, found, count);
                prop_assert!(found == count || word != "7");
            }
        }
    }
}
