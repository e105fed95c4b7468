//! Learning rate and batch size: the only place where they are decided.

use crate::batch::MIN_BATCH;

/// The learning rate falls linearly with the words seen, as in word2vec.c.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    lr: f64,
    min_lr: f64,
    total_words: u64,
}

/// The learning rate never falls below this share of its start, unless `--min-lr` says otherwise.
pub const MIN_LR_SHARE: f64 = 1e-4;

impl Schedule {
    /// For a run that sees `total_words` over all its epochs.
    pub fn new(lr: f64, min_lr: Option<f64>, total_words: u64) -> Self {
        Self {
            lr,
            min_lr: min_lr.unwrap_or(lr * MIN_LR_SHARE),
            total_words,
        }
    }

    /// Below this it never falls.
    pub fn min_lr(&self) -> f64 {
        self.min_lr
    }

    /// The share of the run that is done once `words` were seen, 0 to 1.
    pub fn progress(&self, words: u64) -> f64 {
        if self.total_words == 0 {
            1.0
        } else {
            words as f64 / self.total_words as f64
        }
    }

    /// The learning rate for a batch before which `words` were seen.
    pub fn lr(&self, words: u64) -> f32 {
        (self.lr * (1.0 - self.progress(words))).max(self.min_lr) as f32
    }
}

/// The largest batch that [`auto_batch`] gives, in windows: larger ones cost quality on any corpus.
const MAX_AUTO_BATCH: usize = 1 << 16;

/// Windows in a batch for a run of `windows` in all: about a two-thousandth, as a power of two from
/// 16 to 65,536.
///
/// Smaller batches cost speed, larger ones quality: all gradients of a batch are computed before
/// any is applied. A run of fewer than some 2,000 steps, each of which moves a row by at most
/// `--clip`, does not get far.
pub fn auto_batch(windows: f64) -> usize {
    let exponent = (windows / 2000.0).max(1.0).log2().round();
    (exponent.exp2() as usize).clamp(MIN_BATCH, MAX_AUTO_BATCH)
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
}
