//! Targets: what the centers of a window are trained against.

use rand::Rng;

use super::{HuffmanTree, Row, RowTarget, SPAN};
use crate::sampling::AliasTable;

/// Number of spans, 256 positions in all, whose windows draw their negatives from one **pool** of
/// noise words.
///
/// The rows of a pool and their sums stay in a core's cache while these windows pass, and a batch
/// touches fewer rows.
pub const POOL_SPANS: usize = 16;

/// How often a noise word of a pool is used, on average: a pool is smaller than the number of
/// negatives drawn from it by this factor.
///
/// Measured on 17 M words of Wikipedia, 2 epochs, means of two seeds: WordSim-353 .645, SimLex-999
/// .295, analogies .297. Independent draws score .648, .292 and .309. With a factor of 8, analogies
/// fall to .26; with 16, to .19.
pub const POOL_USES: usize = 4;

/// The targets that the centers of a window are trained against.
#[derive(Clone, Debug)]
pub enum Targets {
    /// The context with label 1, and noise words with label 0.
    Negatives(Negatives),
    /// The choices on the context's path through the tree of hierarchical softmax.
    Path(HuffmanTree),
    /// The context alone. In a full softmax, the engine compares it with all words.
    Context,
}

/// How noise words are drawn.
#[derive(Clone, Debug)]
pub struct Negatives {
    /// The noise distribution.
    pub noise: AliasTable,
    /// Number of noise words drawn at a time, from `--negative`.
    pub count: u32,
    /// Whether each pair has independent draws, as in word2vec.c. If not, all pairs of a window
    /// share draws from the window's pool.
    pub per_pair: bool,
    /// Whether a draw that equals the context is left out.
    pub skip_equal: bool,
}

impl Negatives {
    /// Fills `targets` with those of a context: the context itself, then the negatives drawn.
    #[inline]
    pub(super) fn draw(
        &self,
        context: u32,
        mut noise: impl FnMut() -> u32,
        targets: &mut Vec<RowTarget>,
    ) {
        targets.clear();
        targets.push(RowTarget::new(Row(context), true));
        for _ in 0..self.count {
            let word = noise();
            if word != context || !self.skip_equal {
                targets.push(RowTarget::new(Row(word), false));
            }
        }
    }

    /// Draws the noise words for the windows of [`POOL_SPANS`] spans.
    pub(super) fn fill_pool(&self, mut rng: impl Rng, pool: &mut Vec<u32>) {
        let size = (POOL_SPANS * SPAN * self.count as usize).div_ceil(POOL_USES);
        pool.clear();
        pool.extend((0..size).map(|_| self.noise.outcome(rng.next_u64())));
    }
}
