//! Groups: numbers of blocks that are read, subsampled and shuffled at a time.

use std::ops::Range;

use rand::Rng;

use crate::sampling::{Key, below};

/// Number of blocks in a group: some 4 million words, of which every batch is a random sample.
pub const GROUP_BLOCKS: usize = 256;

/// The part of each group that one of several ranks trains on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Number of the rank, from 0.
    pub rank: usize,
    /// Number of ranks, at least 1.
    pub ranks: usize,
}

impl Share {
    /// The share of a single rank.
    pub const ALL: Self = Self { rank: 0, ranks: 1 };
}

/// A number of blocks, subsampled, in the order in which they will be visited.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) epoch: u32,
    /// Number of the group in its epoch, from 0; with several ranks, number of the rank's share of
    /// the group among those of all groups and ranks.
    pub(super) draws: u64,
    /// Words of the corpus before the group, over all epochs.
    pub(super) words_before: u64,
    /// Words of the group before subsampling, those of all ranks together.
    pub(super) words: u64,
    /// The kept tokens of the rank, with [`END`] on the last token of each sentence.
    pub(super) tokens: Vec<u32>,
    /// Numbers of the spans in the order of their visit. Span `r` begins at position `r * SPAN`.
    pub(super) spans: Vec<u32>,
    /// Number of batches that the group is cut into.
    pub(super) batches: usize,
    /// Number of the first batch to make. It is above 0 when training resumes within this group.
    pub(super) first: usize,
}

impl Group {
    /// Where the draws of a position in the group, or of a pool by its first span, stand in the
    /// epoch's stream.
    pub(super) fn draw_position(&self, position: usize) -> u64 {
        self.draws << 32 | position as u64
    }

    /// How many words of the corpus precede batch `number`, and how many the batch stands for.
    pub(super) fn words_of(&self, number: usize) -> (u64, u64) {
        let words = share(self.words as usize, number, self.batches);
        (self.words_before + words.start as u64, words.len() as u64)
    }

    /// Leaves out the batches before word `start` of the training, but never the last batch.
    pub(super) fn from(mut self, start: u64) -> Self {
        self.first = (0..self.batches - 1)
            .take_while(|&number| self.words_of(number).0 < start)
            .count();
        self
    }
}

/// Part `index` of `0..total`, cut into `parts` nearly equal parts.
pub(super) fn share(total: usize, index: usize, parts: usize) -> Range<usize> {
    let bound = |index: usize| (total as u128 * index as u128 / parts as u128) as usize;
    bound(index)..bound(index + 1)
}

/// Fisher and Yates's shuffle, with the draws at one position of the stream.
pub(super) fn shuffle(items: &mut [u32], key: Key, position: u64) {
    let mut rng = key.at(position);
    for last in (1..items.len()).rev() {
        items.swap(last, below(last as u32 + 1, rng.next_u32()) as usize);
    }
}
