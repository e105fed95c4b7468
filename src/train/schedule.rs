//! The learning rate and the batch size. Nothing else decides them.

use crate::batch::MIN_BATCH;

/// The schedule of the learning rate, which falls linearly with the words seen, as in word2vec.c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    lr: f64,
    min_lr: f64,
    total_words: u64,
}

/// The share of the first learning rate below which the rate never falls, unless `--min-lr` says
/// otherwise.
pub const MIN_LR_SHARE: f64 = 1e-4;

impl Schedule {
    /// The schedule of a run that sees `total_words` words over all its epochs.
    pub fn new(lr: f64, min_lr: Option<f64>, total_words: u64) -> Self {
        Self {
            lr,
            min_lr: min_lr.unwrap_or(lr * MIN_LR_SHARE),
            total_words,
        }
    }

    /// The smallest learning rate.
    pub fn min_lr(&self) -> f64 {
        self.min_lr
    }

    /// The share of the run that is done after `words` words, 0 to 1.
    pub fn progress(&self, words: u64) -> f64 {
        if self.total_words == 0 {
            1.0
        } else {
            words as f64 / self.total_words as f64
        }
    }

    /// The learning rate of a batch that begins after `words` words.
    pub fn lr(&self, words: u64) -> f32 {
        (self.lr * (1.0 - self.progress(words))).max(self.min_lr) as f32
    }
}

/// The largest batch that [`auto_batch`] gives, in windows. Larger batches cost quality on any
/// corpus.
const MAX_AUTO_BATCH: usize = 1 << 16;

/// The number of windows in a batch, for a run of `windows` windows in all. It is about a
/// two-thousandth of them, as a power of two from 16 to 65,536.
///
/// Smaller batches cost speed. Larger ones cost quality, because all gradients of a batch are
/// computed before any is applied. Each step moves a row by at most `--clip`, so a run of fewer
/// than some 2,000 steps does not get far.
pub fn auto_batch(windows: f64) -> usize {
    let exponent = (windows / 2000.0).max(1.0).log2().round();
    (exponent.exp2() as usize).clamp(MIN_BATCH, MAX_AUTO_BATCH)
}

/// The smallest batch of one of several ranks that [`auto_batch_of_rank`] gives, in windows, unless
/// a single rank would have a smaller one.
const MIN_RANK_BATCH: usize = 256;

/// The number of windows in a batch of one of several ranks, for a run of `windows` windows over
/// all ranks. It is a share of a single rank's batch, so that a row moves in as many steps.
pub fn auto_batch_of_rank(windows: f64, ranks: usize) -> usize {
    let alone = auto_batch(windows);
    (alone / ranks).max(MIN_RANK_BATCH.min(alone))
}

/// How often the ranks of a run meet, at most once a batch. With a thousand meetings eight ranks fall
/// behind a single one.
const MEETINGS: f64 = 2500.0;

/// The number of windows of each rank between two meetings, for a run of `windows` windows over all
/// ranks.
pub fn auto_sync(windows: f64, ranks: usize) -> u64 {
    ((windows / (MEETINGS * ranks as f64)) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_linearly_to_its_floor() {
        let schedule = Schedule::new(0.05, None, 1000);
        assert_eq!(schedule.lr(0), 0.05);
        assert_eq!(schedule.lr(500), 0.025);
        assert_eq!(schedule.lr(1000), 5e-6);
        assert_eq!(Schedule::new(0.05, Some(0.01), 1000).lr(999), 0.01);
    }

    #[test]
    fn the_batch_grows_with_the_run() {
        assert_eq!(auto_batch(0.0), MIN_BATCH);
        assert_eq!(auto_batch(50_000.0), 32);
        assert_eq!(auto_batch(15e6), 8192);
        assert_eq!(auto_batch(1e12), 65_536);
    }

    #[test]
    fn ranks_share_the_batch_and_meet_after_equal_numbers_of_windows() {
        let batches = [1, 4, 8, 100].map(|ranks| auto_batch_of_rank(15e6, ranks));
        assert_eq!(batches, [8192, 2048, 1024, 256]);
        // Not more than a single rank would have.
        assert_eq!(auto_batch_of_rank(50_000.0, 3), 32);
        assert_eq!([1, 4].map(|ranks| auto_sync(10e6, ranks)), [4000, 1000]);
        assert_eq!(auto_sync(9.0, 4), 1);
    }
}
