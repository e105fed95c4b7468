//! Counting.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// What is counted.
pub trait Countable: Hash + Eq + Clone + Send + Sync {
    /// Bytes of memory that it takes outside the table.
    fn heap_bytes(&self) -> u64;
}

/// A word as UTF-8 bytes, or as whatever bytes a text has.
pub type Word = Box<[u8]>;

impl Countable for Word {
    fn heap_bytes(&self) -> u64 {
        // An allocation keeps its size beside it and is rounded up.
        self.len() as u64 + 16
    }
}

/// How often each of many things occurs.
#[derive(Clone, Debug)]
pub struct Counts<K> {
    pub(super) counts: HashMap<K, u64, FixedState>,
    pub(super) undercount: u64,
}

/// How often each word of a text occurs.
pub type WordCounts = Counts<Word>;

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::default(),
            undercount: 0,
        }
    }
}

impl<K: Countable> Counts<K> {
    /// Counts one occurrence.
    pub fn add<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.add_many(key, 1);
    }

    /// Counts several occurrences.
    pub fn add_many<Q>(&mut self, key: &Q, more: u64)
    where
        K: Borrow<Q> + for<'a> From<&'a Q>,
        Q: Hash + Eq + ?Sized,
    {
        match self.counts.get_mut(key) {
            Some(count) => *count += more,
            None => drop(self.counts.insert(key.into(), more)),
        }
    }

    /// Adds another count of a part of the same text.
    pub fn merge(&mut self, other: Self) {
        self.undercount += other.undercount;
        if self.counts.is_empty() {
            self.counts = other.counts;
            return;
        }
        for (key, count) in other.counts {
            *self.counts.entry(key).or_insert(0) += count;
        }
    }

    /// Counts are low by at most this, and what is not here occurs at most so often; 0 unless
    /// memory was limited and did not suffice.
    pub fn undercount(&self) -> u64 {
        self.undercount
    }

    /// How many different things were counted.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The count of one; 0 if it is not here.
    pub fn get<Q>(&self, key: &Q) -> u64
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.counts.get(key).copied().unwrap_or(0)
    }

    /// Forgets one.
    pub(super) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.counts.remove(key);
    }

    /// All with their counts, in no particular order.
    pub fn iter_keys(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, &count)| (key, count))
    }

    /// The same, to keep.
    pub fn into_keys(self) -> impl Iterator<Item = (K, u64)> {
        self.counts.into_iter()
    }
}

impl WordCounts {
    /// Words and counts in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.iter_keys().map(|(word, count)| (&**word, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_counts_are_those_of_the_whole() {
        let counted = |text: &str| {
            let mut counts = WordCounts::default();
            text.split(' ').for_each(|word| counts.add(word.as_bytes()));
            counts
        };
        let mut counts = counted("a b a");
        counts.merge(counted("b c"));
        assert_eq!((counts.len(), counts.undercount()), (3, 0));
        assert_eq!(
            [b"a", b"b", b"c", b"d"].map(|word| counts.get(&word[..])),
            [2, 2, 1, 0]
        );
    }
}
