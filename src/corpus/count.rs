//! Counts a corpus on all threads.

use rayon::prelude::*;

use super::{Chunk, Corpus, for_each_line};
use crate::error::Result;
use crate::text::{TextReport, for_each_word};
use crate::vocab::{Countable, Counts, Lossy, Rules, Word, WordCounts};

/// Smallest and largest amount of text, in bytes, between two prunings.
const GROUP_BYTES: std::ops::RangeInclusive<u64> = 1 << 20..=1 << 28;

/// How to count in limited memory.
struct Limit {
    /// Bytes that the merged counts may take: half of the limit. The other half is for the threads'
    /// own counts.
    budget: u64,
    /// Bytes of text after which the threads' counts are merged and pruned. It follows from the
    /// limit alone, so what is forgotten does not depend on the number of threads.
    group: u64,
}

impl Limit {
    fn new(memory: u64) -> Self {
        // Text without repetition may need several times its own bytes for its counts.
        Self {
            budget: memory / 2,
            group: (memory / 16).clamp(*GROUP_BYTES.start(), *GROUP_BYTES.end()),
        }
    }
}

impl Corpus {
    /// Counts all words on the threads of the current rayon pool.
    ///
    /// `progress` is called with the number of bytes read so far.
    ///
    /// # Errors
    /// [`crate::Error::Io`] and [`crate::Error::Corpus`] when a file cannot be read.
    pub fn count(
        &self,
        rules: &Rules,
        progress: impl FnMut(u64) + Send,
    ) -> Result<(WordCounts, TextReport)> {
        let keep = |word: &Word| rules.keep.contains(word);
        self.tally(
            rules.memory,
            keep,
            progress,
            |chunk, counts: &mut WordCounts, report| {
                for_each_line(chunk, report, |line, report| {
                    for_each_word(line, rules.normalization, report, |word| counts.add(word));
                });
            },
        )
    }

    /// Counts the items that `visit` finds in every chunk.
    ///
    /// With `memory` (in bytes), rare items are forgotten as memory requires, but never those for
    /// which `keep` is true. The counts do not depend on the number of threads.
    pub(crate) fn tally<K: Countable>(
        &self,
        memory: Option<u64>,
        keep: impl Fn(&K) -> bool + Sync,
        mut progress: impl FnMut(u64) + Send,
        visit: impl Fn(&Chunk, &mut Counts<K>, &mut TextReport) + Sync,
    ) -> Result<(Counts<K>, TextReport)> {
        let limit = memory.map(Limit::new);
        let mut parts =
            vec![(Counts::default(), TextReport::default()); rayon::current_num_threads()];
        let mut exact = Counts::default();
        let mut lossy = limit.as_ref().map(|limit| Lossy::new(limit.budget));
        let mut merge = |parts: &mut [(Counts<K>, TextReport)]| {
            let parts = parts.iter_mut().map(|(part, _)| std::mem::take(part));
            match &mut lossy {
                None => parts.for_each(|part| exact.merge(part)),
                Some(lossy) => {
                    parts.for_each(|part| lossy.merge(part));
                    lossy.prune(&keep);
                }
            }
        };
        let group = limit.as_ref().map_or(u64::MAX, |limit| limit.group);
        let bytes = self.groups(parts.len(), group, |chunks, ends_group, done| {
            chunks
                .par_iter()
                .zip(&mut parts)
                .for_each(|(chunk, (counts, report))| visit(chunk, counts, report));
            if ends_group {
                merge(&mut parts);
            }
            progress(done);
            Ok(())
        })?;
        merge(&mut parts);
        let mut report = TextReport::default();
        parts.iter().for_each(|(_, part)| report.add(part));
        report.bytes = bytes;
        Ok((lossy.map_or(exact, Lossy::into_counts), report))
    }
}
