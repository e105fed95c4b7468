//! The Huffman tree of hierarchical softmax.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Row, RowTarget};

/// The largest number of branches that a node of the tree may have.
pub const MAX_ARITY: usize = 64;

/// A Huffman tree over the words, in which frequent words have short paths (Huffman 1952; Morin and
/// Bengio 2005; Mikolov et al. 2013).
///
/// A word's **path** leads from the root to the word, by a choice among the branches of each inner
/// node. Inner nodes are numbered in the order in which they are made, so the root comes last.
///
/// In a binary tree an inner node has one row of W', whose score decides: the branch of the rarer
/// half has label 1, the other one label 0. V words have V - 1 inner nodes.
///
/// In a tree of higher **arity** K every branch has a row of W': row w leads to word w, and row V +
/// n to inner node n. Every inner node has K branches, but for the deepest, which has those that are
/// left: so no node of short paths has fewer. That is V - 1 rows, and one for each inner node but
/// the root.
///
/// ```
/// use w2v_gpu::batch::HuffmanTree;
///
/// let tree = HuffmanTree::new(&[9, 5, 3], 2);
/// assert_eq!((tree.path(0).len(), tree.path(2).len()), (1, 2));
/// // Three branches at once, of which the one to word 2 is to be chosen.
/// let tree = HuffmanTree::new(&[9, 5, 3], 3);
/// let labels: Vec<bool> = tree.path(2).iter().map(|target| target.label()).collect();
/// assert_eq!(labels, [true, false, false]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuffmanTree {
    arity: usize,
    nodes: usize,
    /// Word `w` has the path `targets[offsets[w]..offsets[w + 1]]`.
    offsets: Vec<usize>,
    targets: Vec<RowTarget>,
}

impl HuffmanTree {
    /// The tree of words with these counts, whose nodes have `arity` branches, 2 to [`MAX_ARITY`].
    /// Among equal counts, words are joined before nodes, and each in the order of their numbers.
    pub fn new(counts: &[u64], arity: usize) -> Self {
        let words = counts.len();
        let children = joined(counts, arity);
        let nodes = children.len();
        // For each word, then each node: the node above.
        let mut above = vec![0; words + nodes];
        for (node, children) in children.iter().enumerate() {
            children.iter().for_each(|&child| above[child] = node);
        }
        let root = (words + nodes).saturating_sub(1);
        let (mut offsets, mut targets, mut climb) = (vec![0], Vec::new(), Vec::new());
        for word in 0..words {
            climb.clear();
            let mut at = word;
            while at != root {
                climb.push((above[at], at));
                at = words + above[at];
            }
            // The climb began at the word, and paths begin at the root.
            for &(node, taken) in climb.iter().rev() {
                if arity == 2 {
                    let label = taken == children[node][0];
                    targets.push(RowTarget::new(Row(node as u32), label));
                } else {
                    let target = |&child: &usize| RowTarget::new(Row(child as u32), child == taken);
                    targets.extend(children[node].iter().map(target));
                }
            }
            offsets.push(targets.len());
        }
        Self {
            arity,
            nodes,
            offsets,
            targets,
        }
    }

    /// Number of words.
    pub fn words(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of inner nodes.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Number of rows of W': one for each inner node of a binary tree, otherwise one for each
    /// branch.
    pub fn rows(&self) -> usize {
        if self.arity == 2 {
            self.nodes
        } else {
            (self.words() + self.nodes).saturating_sub(1)
        }
    }

    /// A word's path. In a binary tree, these are the inner nodes from the root on, each with the
    /// label of the branch taken there. Otherwise they are all branches of these nodes, node after
    /// node, with label 1 for the one that is taken; only the last node may have fewer than the
    /// others.
    #[inline]
    pub fn path(&self, word: u32) -> &[RowTarget] {
        let word = word as usize;
        &self.targets[self.offsets[word]..self.offsets[word + 1]]
    }
}

/// The children of each inner node, the rarest first: words by their number, then nodes by theirs
/// and the number of words.
fn joined(counts: &[u64], arity: usize) -> Vec<Vec<usize>> {
    let words = counts.len();
    let mut heap: BinaryHeap<Reverse<(u64, usize)>> = counts
        .iter()
        .enumerate()
        .map(|(word, &count)| Reverse((count, word)))
        .collect();
    let mut children = Vec::new();
    // The first node takes as many as leave a number of which all others can be full.
    let mut join = 2 + words.saturating_sub(2) % (arity - 1);
    while heap.len() > 1 {
        let rarest: Vec<(u64, usize)> = (0..join)
            .map(|_| {
                heap.pop()
                    .expect("the first node leaves enough for the others")
                    .0
            })
            .collect();
        let sum = rarest
            .iter()
            .fold(0u64, |sum, (count, _)| sum.saturating_add(*count));
        heap.push(Reverse((sum, words + children.len())));
        children.push(rarest.into_iter().map(|(_, child)| child).collect());
        join = arity;
    }
    children
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn codes(counts: &[u64]) -> Vec<Vec<(usize, bool)>> {
        let tree = HuffmanTree::new(counts, 2);
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
        assert_eq!(HuffmanTree::new(&[4], 2).nodes(), 0);
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
        assert_eq!(HuffmanTree::new(&[u64::MAX; 4], 2).path(3).len(), 2);
    }

    /// The choices on a word's path: the rows of the branches, and the row that is taken.
    fn choices(tree: &HuffmanTree, word: usize, arity: usize) -> Vec<(Vec<usize>, usize)> {
        let choices = tree.path(word as u32).chunks(arity);
        choices
            .map(|choice| {
                let taken: Vec<_> = choice.iter().filter(|branch| branch.label()).collect();
                assert_eq!(taken.len(), 1);
                let rows = choice.iter().map(|branch| branch.row().index());
                (rows.collect(), taken[0].row().index())
            })
            .collect()
    }

    /// Counts 15, 7, 6, 6, 5, 1 with three branches: 1 and 5 are joined (6, node 0), so that the
    /// others can be full; then 6 and 6 (the words) with 6 (the node) as node 1, and all that is
    /// left as the root, node 2. Rows 6 and 7 lead to nodes 0 and 1.
    #[test]
    fn six_words_with_three_branches_by_hand() {
        let tree = HuffmanTree::new(&[15, 7, 6, 6, 5, 1], 3);
        assert_eq!((tree.nodes(), tree.rows()), (3, 8));
        let root = vec![1, 0, 7];
        let inner = vec![2, 3, 6];
        assert_eq!(choices(&tree, 0, 3), [(root.clone(), 0)]);
        assert_eq!(
            choices(&tree, 3, 3),
            [(root.clone(), 7), (inner.clone(), 3)]
        );
        assert_eq!(
            choices(&tree, 5, 3),
            [(root, 7), (inner, 6), (vec![5, 4], 5)]
        );
    }

    proptest! {
        /// Whatever the scores, the probabilities of all words add up to 1, and every row but those
        /// of the deepest node belongs to a full choice.
        #[test]
        fn the_probabilities_of_all_words_add_up_to_one(
            counts in prop::collection::vec(1u64..10_000, 2..300),
            arity in 3usize..=MAX_ARITY,
            seed: u64,
        ) {
            let tree = HuffmanTree::new(&counts, arity);
            let score = |row: usize| (seed.wrapping_mul(row as u64 * 2 + 1) >> 40) as f64 / 1e6;
            let mut seen = HashSet::new();
            let mut sum = 0.0;
            for word in 0..counts.len() {
                let choices = choices(&tree, word, arity);
                for (rows, _) in &choices[..choices.len() - 1] {
                    prop_assert_eq!(rows.len(), arity);
                }
                seen.extend(choices.iter().flat_map(|(rows, _)| rows.clone()));
                let share = |(rows, taken): &(Vec<usize>, usize)| {
                    score(*taken).exp() / rows.iter().map(|&row| score(row).exp()).sum::<f64>()
                };
                sum += choices.iter().map(share).product::<f64>();
            }
            prop_assert!((sum - 1.0).abs() < 1e-9, "{}", sum);
            prop_assert_eq!(seen.len(), tree.rows());
            prop_assert!(seen.iter().all(|&row| row < tree.rows()));
            // Shannon: the mean number of choices times log K is within one choice of the entropy.
            let total = counts.iter().sum::<u64>() as f64;
            let share = |count: u64| count as f64 / total;
            let entropy: f64 = counts.iter().map(|&c| -share(c) * share(c).ln()).sum();
            let length = |word: usize| tree.path(word as u32).len().div_ceil(arity) as f64;
            let length: f64 = (0..counts.len()).map(|word| share(counts[word]) * length(word)).sum();
            prop_assert!(length < entropy / (arity as f64).ln() + 1.0 + 1e-9, "{} {}", length, entropy);
        }

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
