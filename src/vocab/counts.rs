//! Tables that count words or pairs of words.

use std::borrow::Borrow;
use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// A type of item that can be counted: a word, or a pair of words.
pub trait Countable: Hash + Eq + Clone + Send + Sync {
    /// Bytes that an item takes outside the table, on the heap.
    fn heap_bytes(&self) -> u64;
}

/// A word as bytes: UTF-8, or whatever bytes a text has.
pub type Word = Box<[u8]>;

impl Countable for Word {
    fn heap_bytes(&self) -> u64 {
        // An allocation is rounded up and keeps its size beside it.
        self.len() as u64 + 16
    }
}

/// The number of occurrences of each item.
#[derive(Clone, Debug)]
pub struct Counts<K> {
    pub(super) counts: HashMap<K, u64, FixedState>,
    pub(super) undercount: u64,
}

/// The number of occurrences of each word.
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

    /// Counts `more` occurrences.
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

    /// Adds the counts of another part of the same text.
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

    /// The largest error of these counts: a count is too low by at most this, and an item that is
    /// missing occurs at most this often. It is above 0 only if a memory limit was reached.
    pub fn undercount(&self) -> u64 {
        self.undercount
    }

    /// Number of different items.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The count of an item; 0 if it is missing.
    pub fn get<Q>(&self, key: &Q) -> u64
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.counts.get(key).copied().unwrap_or(0)
    }

    /// Forgets an item.
    pub(super) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.counts.remove(key);
    }

    /// All items with their counts, in no particular order.
    pub fn iter_keys(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, &count)| (key, count))
    }

    /// All items with their counts, by value, in no particular order.
    pub fn into_keys(self) -> impl Iterator<Item = (K, u64)> {
        self.counts.into_iter()
    }
}

impl WordCounts {
    /// All words with their counts, in no particular order.
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
