//! A counter-based generator: every draw is a function of (seed, epoch, position), and does not
//! depend on earlier draws.
//!
//! Batches are therefore the same for any number of threads, on any engine, and after a resume.

use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

/// The purpose of a draw. Streams of different purposes are unrelated.
///
/// `docs/glossary.md` explains window, span, pool and step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The first values of W, by row.
    Init,
    /// The order in which blocks of the corpus are visited.
    Blocks,
    /// The order of the spans in a group of blocks.
    Spans,
    /// Which occurrences of frequent words are kept, by position in the corpus.
    Subsample,
    /// Window widths, and negatives or their choice from a pool, by position in the epoch.
    Windows,
    /// Which sentences are held out, by position in the corpus.
    Validation,
    /// Pools of noise words, by the position of their first span in the epoch.
    Pools,
    /// How values are rounded to 16 bits, by step.
    Rounding,
    /// How contributions are rounded to fixed point, by step.
    FixedPoint,
}

/// The key of a stream of draws: one for each (seed, epoch, stream).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    /// The key of a stream in an epoch.
    pub fn new(seed: u64, epoch: u32, stream: Stream) -> Self {
        let seed = SplitMix64::seed_from_u64(seed).next_u64();
        let purpose = u64::from(epoch) << 8 | stream as u64;
        Self(SplitMix64::seed_from_u64(seed ^ purpose).next_u64())
    }

    /// The generator at one position, for as many draws as are needed there.
    ///
    /// SplitMix64 starts at a hash of the position, so draws at neighbouring positions are
    /// unrelated.
    #[inline]
    pub fn at(self, position: u64) -> SplitMix64 {
        SplitMix64::seed_from_u64(SplitMix64::seed_from_u64(self.0 ^ position).next_u64())
    }
}

/// A number in `0..n` from 32 random bits, by multiplication (Lemire 2019).
///
/// The rejection step is left out. The bias, at most n / 2^32, is far too small to show in any
/// corpus.
#[inline]
pub fn below(n: u32, bits: u32) -> u32 {
    ((u64::from(n) * u64::from(bits)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_depend_on_seed_epoch_stream_and_position_only() {
        let draw =
            |seed, epoch, stream, position| Key::new(seed, epoch, stream).at(position).next_u64();
        let all = [
            draw(1, 0, Stream::Windows, 0),
            draw(2, 0, Stream::Windows, 0),
            draw(1, 1, Stream::Windows, 0),
            draw(1, 0, Stream::Subsample, 0),
            draw(1, 0, Stream::Windows, 1),
        ];
        let mut distinct = all.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(all[0], draw(1, 0, Stream::Windows, 0));
    }

    /// Pearson's chi-square of the first draw at successive positions and of successive draws at
    /// one position.
    #[test]
    fn draws_are_uniform_across_positions_and_along_them() {
        let key = Key::new(3, 1, Stream::Windows);
        let mut rng = key.at(9);
        let draws: [Box<dyn FnMut(u64) -> u32>; 2] = [
            Box::new(|i| key.at(i).next_u32()),
            Box::new(move |_| rng.next_u32()),
        ];
        for mut draw in draws {
            let (cells, n) = (64u32, 64_000u64);
            let mut seen = vec![0f64; cells as usize];
            (0..n).for_each(|i| seen[below(cells, draw(i)) as usize] += 1.0);
            let expected = n as f64 / f64::from(cells);
            let chi2: f64 = seen.iter().map(|s| (s - expected).powi(2) / expected).sum();
            // With 63 degrees of freedom, 103.4 is passed once in a thousand. The draws are fixed,
            // so this test cannot flicker.
            assert!(chi2 < 103.4, "{chi2}");
        }
    }
}
