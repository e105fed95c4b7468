//! The Huffman tree of hierarchical softmax.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Row, RowTarget};

/// A Huffman tree over the words, in which frequent words have short paths (Morin and Bengio 2005;
/// Mikolov et al. 2013).
///
/// V words have V - 1 inner nodes. They are numbered in the order in which they are made, so the
/// root comes last. A word's **path** leads from the root to the word. At each node it takes the
/// branch of the rarer half (label 1) or the other one (label 0).
///
/// ```
/// use w2v_gpu::batch::HuffmanTree;
///
/// let tree = HuffmanTree::new(&[9, 5, 3]);
/// assert_eq!((tree.path(0).len(), tree.path(2).len()), (1, 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuffmanTree {
    /// Word `w` has the path `targets[offsets[w]..offsets[w + 1]]`.
    offsets: Vec<usize>,
    targets: Vec<RowTarget>,
}

impl HuffmanTree {
    /// The tree of words with these counts. Among equal counts, words are joined before nodes, and
    /// each in the order of their numbers.
    pub fn new(counts: &[u64]) -> Self {
        let words = counts.len();
        // For each word, then each node: its parent, and the label of the branch that leads to it.
        let mut above = vec![(0, false); (2 * words).saturating_sub(1)];
        let mut heap: BinaryHeap<Reverse<(u64, usize)>> = counts
            .iter()
            .enumerate()
            .map(|(word, &count)| Reverse((count, word)))
            .collect();
        for node in 0..words.saturating_sub(1) {
            let mut rarest = || heap.pop().expect("as many joins as words, less one").0;
            let ((first_count, first), (second_count, second)) = (rarest(), rarest());
            above[first] = (node, true);
            above[second] = (node, false);
            heap.push(Reverse((
                first_count.saturating_add(second_count),
                words + node,
            )));
        }
        let root = (2 * words).saturating_sub(2);
        let (mut offsets, mut targets) = (vec![0], Vec::new());
        for word in 0..words {
            let mut at = word;
            while at != root {
                let (node, label) = above[at];
                targets.push(RowTarget::new(Row(node as u32), label));
                at = words + node;
            }
            // The climb began at the word, and paths begin at the root.
            targets[offsets[word]..].reverse();
            offsets.push(targets.len());
        }
        Self { offsets, targets }
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of inner nodes, which is one less than the number of words.
    pub fn nodes(&self) -> usize {
        self.words().saturating_sub(1)
    }

    /// A word's path: the inner nodes from the root on, each with the label of the branch taken
    /// there.
    #[inline]
    pub fn path(&self, word: u32) -> &[RowTarget] {
        let word = word as usize;
        &self.targets[self.offsets[word]..self.offsets[word + 1]]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn codes(counts: &[u64]) -> Vec<Vec<(usize, bool)>> {
        let tree = HuffmanTree::new(counts);
        (0..counts.len())
            .map(|w| {
                tree.path(w as u32)
                    .iter()
                    .map(|t| (t.row().index(), t.label()))
                    .collect()
            })
            .collect()
    }

    /// Counts 15, 7, 6, 6, 5 are joined as 5 + 6 (the first 6), 6 + 7, 11 + 13, then 15 + 24.
    #[test]
    fn five_words_by_hand() {
        assert_eq!(
            codes(&[15, 7, 6, 6, 5]),
            [
                vec![(3, true)],
                vec![(3, false), (2, false), (1, false)],
                vec![(3, false), (2, true), (0, false)],
                vec![(3, false), (2, false), (1, true)],
                vec![(3, false), (2, true), (0, true)],
            ]
        );
    }

    #[test]
    fn the_smallest_vocabularies() {
        assert_eq!(codes(&[]), Vec::<Vec<_>>::new());
        assert_eq!(codes(&[4]), [vec![]]);
        assert_eq!(codes(&[4, 4]), [vec![(0, true)], vec![(0, false)]]);
        assert_eq!(HuffmanTree::new(&[4]).nodes(), 0);
    }

    /// Counts that double give the longest possible paths, which must not be cut at any fixed
    /// length.
    #[test]
    fn paths_may_be_long() {
        let counts: Vec<u64> = (0..60).rev().map(|exponent| 1 << exponent).collect();
        let codes = codes(&counts);
        assert_eq!(codes[0].len(), 1);
        assert_eq!(codes[59].len(), 59);
        // Sums beyond u64 saturate instead of failing.
        assert_eq!(HuffmanTree::new(&[u64::MAX; 4]).path(3).len(), 2);
    }

    proptest! {
        #[test]
        fn codes_are_free_of_prefixes_and_as_short_as_can_be(counts in prop::collection::vec(1u64..10_000, 2..300)) {
            let codes = codes(&counts);
            let bits: HashSet<Vec<bool>> = codes.iter().map(|code| code.iter().map(|&(_, bit)| bit).collect()).collect();
            prop_assert_eq!(bits.len(), counts.len());
            for code in &bits {
                prop_assert!((0..code.len()).all(|length| !bits.contains(&code[..length])), "{:?}", code);
            }
            // Every branch of every node is taken (Kraft's sum is 1), and a prefix always leads to
            // the same node.
            let kraft: f64 = bits.iter().map(|code| 0.5f64.powi(code.len() as i32)).sum();
            prop_assert!((kraft - 1.0).abs() < 1e-12);
            let nodes: HashSet<(Vec<bool>, usize)> = codes
                .iter()
                .flat_map(|code| (0..code.len()).map(|i| (code[..i].iter().map(|&(_, bit)| bit).collect(), code[i].0)))
                .collect();
            prop_assert_eq!(nodes.len(), counts.len() - 1);
            let different: HashSet<usize> = nodes.iter().map(|&(_, node)| node).collect();
            prop_assert_eq!(different.len(), counts.len() - 1);
            prop_assert!(different.iter().all(|&node| node < counts.len() - 1));
            // Shannon: the mean length lies within a bit of the entropy.
            let total = counts.iter().sum::<u64>() as f64;
            let entropy: f64 = counts.iter().map(|&c| c as f64 / total).map(|p| -p * p.log2()).sum();
            let length: f64 = codes.iter().zip(&counts).map(|(code, &c)| code.len() as f64 * c as f64 / total).sum();
            prop_assert!(entropy <= length + 1e-9 && length < entropy + 1.0, "{} {}", entropy, length);
        }
    }
}
