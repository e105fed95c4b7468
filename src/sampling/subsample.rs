//! Subsampling: drops occurrences of frequent words before windows are formed.

use rand::Rng;

use super::Key;

/// Keeps an occurrence of a word of relative frequency f with probability sqrt(t/f) + t/f, at most
/// 1, as word2vec.c does. The published formula of Mikolov et al. 2013 lacks the second term.
///
/// ```
/// use w2v_gpu::sampling::Subsampler;
///
/// let sampler = Subsampler::new(&[9_900, 100], 0.01);
/// assert!(sampler.probability(0) < 0.2 && sampler.probability(1) == 1.0);
/// ```
#[derive(Clone, Debug)]
pub struct Subsampler {
    /// For each word: an occurrence is kept when 32 random bits do not exceed this.
    thresholds: Vec<u32>,
    expected: f64,
    /// The number of all occurrences.
    total: f64,
}

/// The default of `--sample` for a vocabulary of `words` words: 1e-4, or 1 / `words` if there are
/// fewer than 10,000. Words with a larger share of the text are thinned out.
///
/// The published 1e-4 and 1e-3 are meant for the vocabulary of a language. Among a few words, all
/// are more frequent than that, and nearly all of a text would be dropped. With this default, a
/// word no more frequent than the average is never thinned out.
pub fn auto_sample(words: usize) -> f64 {
    (1.0 / words.max(1) as f64).max(1e-4)
}

impl Subsampler {
    /// A sampler for words that occur `counts[id]` times. A `sample` (t) of 0 keeps everything.
    pub fn new(counts: &[u64], sample: f64) -> Self {
        let total = counts.iter().sum::<u64>() as f64;
        let keep = |count: u64| {
            if sample == 0.0 {
                return 1.0;
            }
            let ratio = sample * total / count as f64;
            (ratio.sqrt() + ratio).min(1.0)
        };
        Self {
            thresholds: counts
                .iter()
                .map(|&count| (keep(count) * 2f64.powi(32) - 1.0).max(0.0) as u32)
                .collect(),
            total,
            expected: counts.iter().map(|&count| count as f64 * keep(count)).sum(),
        }
    }

    /// The number of occurrences that an epoch keeps, on average.
    pub fn expected(&self) -> f64 {
        self.expected
    }

    /// The share of the occurrences that an epoch keeps, on average.
    pub fn share(&self) -> f64 {
        self.expected / self.total.max(1.0)
    }

    /// The probability that an occurrence of word `id` is kept.
    pub fn probability(&self, id: u32) -> f64 {
        (f64::from(self.thresholds[id as usize]) + 1.0) / 2f64.powi(32)
    }

    /// Whether the occurrence of word `id` at `position` of the corpus is kept.
    #[inline]
    pub fn keeps(&self, id: u32, key: Key, position: u64) -> bool {
        let threshold = self.thresholds[id as usize];
        threshold == u32::MAX || key.at(position).next_u32() <= threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Stream;

    #[test]
    fn keeps_the_share_that_word2vec_keeps() {
        // Relative frequencies 0.9, 0.09, 0.01 at t = 1e-2: sqrt(t/f) + t/f = 0.1165, 0.4444, 1 (2
        // before the limit).
        let sampler = Subsampler::new(&[90_000, 9_000, 1_000], 1e-2);
        let key = Key::new(5, 0, Stream::Subsample);
        let n = 100_000;
        for (id, expected) in [(0, 0.116_52), (1, 0.444_44), (2, 1.0)] {
            let kept = (0..n)
                .filter(|&position| sampler.keeps(id, key, position))
                .count() as f64
                / n as f64;
            // Five standard errors of a share of 100,000 draws.
            assert!(
                (kept - expected).abs()
                    < 5.0 * (expected * (1.0 - expected) / n as f64).sqrt() + 1e-5,
                "{id}: {kept}"
            );
        }
        assert!(
            (sampler.expected() - (90_000.0 * 0.116_52 + 9_000.0 * 0.444_44 + 1_000.0)).abs() < 2.0
        );
    }

    #[test]
    fn an_average_word_is_kept_in_any_vocabulary() {
        assert_eq!(
            [10, 40, 10_000, 70_000].map(auto_sample),
            [0.1, 0.025, 1e-4, 1e-4]
        );
        let sampler = Subsampler::new(&[100; 40], auto_sample(40));
        assert_eq!(sampler.expected(), 4000.0);
    }

    #[test]
    fn zero_keeps_everything() {
        let sampler = Subsampler::new(&[1_000_000, 1], 0.0);
        let key = Key::new(5, 0, Stream::Subsample);
        assert!((0..1000).all(|position| sampler.keeps(0, key, position)));
        assert_eq!(sampler.expected(), 1_000_001.0);
    }
}
