//! Nearest words and analogies, by the cosine of vectors.
//!
//! ```
//! use w2v_gpu::{model::Matrix, vectors::{Vectors, similarity::nearest}, vocab::Vocab};
//!
//! let vocab = Vocab::from_words([("cat", 3), ("dog", 2), ("car", 1)]).expect("different words");
//! let matrix = Matrix::from_values(2, vec![1.0, 0.0, 0.8, 0.6, 0.0, 1.0]);
//! let found = nearest(&Vectors::new(vocab, matrix), "cat", 2)?;
//! assert_eq!(found, [(1, 0.8), (2, 0.0)]);
//! # Ok::<(), w2v_gpu::Error>(())
//! ```

use std::cmp::Ordering;
use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::{Vectors, WordVector};
use crate::error::{Error, Result};
use crate::model::Matrix;

/// Candidates whose cosines are computed in one product. They stay in a core's cache.
const BLOCK: usize = 256;

/// Words that are asked about together. They share the unit vectors of each block of candidates.
const QUESTIONS: usize = 128;

/// Candidates kept beyond those wanted. The products are in f32, and may put words of nearly equal
/// cosines in another order than [`cosine`] does.
const SPARE: usize = 8;

/// The `top` words nearest to a word: ids with their cosine from -1 to 1, nearest first. The word
/// itself is left out. A word outside the vocabulary may have a composed vector
/// ([`Vectors::vector`]).
///
/// # Errors
/// [`Error::UnknownWord`] when the word has no vector; [`Error::ZeroVector`] when its vector is
/// zero and has no direction.
pub fn nearest(vectors: &Vectors, word: &str, top: usize) -> Result<Vec<(u32, f32)>> {
    let WordVector { id, values } = with_direction(vectors, word)?;
    Ok(nearest_to(vectors, &values, id.as_slice(), top))
}

/// The `top` best answers to "a is to b as c is to ?": ids with their cosine, nearest first.
///
/// They are the words nearest to b - a + c, where each vector is first made a unit vector (3CosAdd,
/// Mikolov et al. 2013). The three words themselves are left out.
///
/// # Errors
/// [`Error::UnknownWord`] for the first of the three that has no vector; [`Error::ZeroVector`] for
/// the first whose vector is zero.
pub fn analogy(vectors: &Vectors, words: [&str; 3], top: usize) -> Result<Vec<(u32, f32)>> {
    let [a, b, c] = words.map(|word| with_direction(vectors, word));
    let found = [a?, b?, c?];
    let mut query = vec![0.0; vectors.matrix.dim()];
    let mut unit = query.clone();
    for (vector, sign) in found.iter().zip([-1.0, 1.0, 1.0]) {
        to_unit(&vector.values, &mut unit);
        query
            .iter_mut()
            .zip(&unit)
            .for_each(|(sum, value)| *sum += sign * value);
    }
    let ids: Vec<u32> = found.iter().filter_map(|vector| vector.id).collect();
    Ok(nearest_to(vectors, &query, &ids, top))
}

/// The vector of a word, which must not be zero.
fn with_direction<'a>(vectors: &'a Vectors, word: &str) -> Result<WordVector<'a>> {
    let vector = vectors.vector(word)?;
    match vector.values.iter().all(|&value| value == 0.0) {
        true => Err(Error::ZeroVector {
            word: word.to_owned(),
        }),
        false => Ok(vector),
    }
}

/// The cosine of two vectors, from -1 to 1; 0 if one of them is zero.
///
/// # Panics
/// When their lengths differ.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "the vectors have one length");
    cosine_of(dot(a, b), dot(a, a), dot(b, b))
}

/// Writes the unit vector with the direction of `row`; zeros if `row` is zero.
pub(crate) fn to_unit(row: &[f32], unit: &mut [f32]) {
    let length = dot(row, row).sqrt();
    if length > 0.0 && length.is_finite() {
        unit.iter_mut()
            .zip(row)
            .for_each(|(unit, &value)| *unit = (f64::from(value) / length) as f32);
    } else {
        unit.fill(0.0);
    }
}

/// The `top` words nearest to a vector: ids with their cosine from -1 to 1, nearest first. Among
/// equal cosines the lower id comes first. The ids in `exclude` are left out.
///
/// A zero vector has the cosine 0 to all others.
///
/// # Panics
/// When `query` does not have the length of the vectors.
pub fn nearest_to(
    vectors: &Vectors,
    query: &[f32],
    exclude: &[u32],
    top: usize,
) -> Vec<(u32, f32)> {
    let matrix = &vectors.matrix;
    assert_eq!(
        query.len(),
        matrix.dim(),
        "the query has the dimension of the vectors"
    );
    let query_square = dot(query, query);
    let mut found: Vec<(u32, f32)> = (0..matrix.rows())
        .into_par_iter()
        .with_min_len(256)
        .map(|id| {
            let row = matrix.row(id);
            (
                id as u32,
                cosine_of(dot(query, row), query_square, dot(row, row)),
            )
        })
        .filter(|(id, _)| !exclude.contains(id))
        .collect();
    if top < found.len() {
        found.select_nth_unstable_by(top, nearer);
        found.truncate(top);
    }
    found.sort_unstable_by(nearer);
    found
}

/// The `top` rows nearest to each of the first `words` rows, among all rows. Each list is that of
/// [`nearest_to`] without the row itself.
///
/// The cosines are computed block by block as products of matrices, on all threads of rayon's
/// current pool. Thousands of words take a fraction of the time of as many single questions.
pub fn nearest_to_each(matrix: &Matrix, words: usize, top: usize) -> Vec<Vec<(u32, f32)>> {
    let words = words.min(matrix.rows());
    (0..words.div_ceil(QUESTIONS))
        .into_par_iter()
        .flat_map_iter(|block| {
            let last = words.min((block + 1) * QUESTIONS);
            nearest_to_block(matrix, block * QUESTIONS..last, top)
        })
        .collect()
}

/// The nearest rows of some rows.
fn nearest_to_block(matrix: &Matrix, asked: Range<usize>, top: usize) -> Vec<Vec<(u32, f32)>> {
    let (rows, dim) = (matrix.rows(), matrix.dim());
    let questions = unit_rows(matrix, asked.clone());
    let mut cosines = vec![0.0; asked.len() * BLOCK];
    let mut lists: Vec<Shortlist> = asked
        .map(|row| Shortlist::new(row as u32, top + SPARE))
        .collect();
    for first in (0..rows).step_by(BLOCK) {
        let block = unit_rows(matrix, first..rows.min(first + BLOCK));
        let width = block.len() / dim;
        let cosines = &mut cosines[..lists.len() * width];
        product(&questions, &block, dim, cosines);
        for (list, cosines) in lists.iter_mut().zip(cosines.chunks_exact(width)) {
            list.offer(first, cosines);
        }
    }
    let ranked = lists.into_iter().map(|list| list.ranked(matrix, top));
    ranked.collect()
}

/// The unit vectors of some rows, row after row.
pub(crate) fn unit_rows(matrix: &Matrix, rows: Range<usize>) -> Vec<f32> {
    let mut units = vec![0.0; rows.len() * matrix.dim()];
    for (unit, row) in units.chunks_exact_mut(matrix.dim()).zip(rows) {
        to_unit(matrix.row(row), unit);
    }
    units
}

/// The best candidates so far for the word `of`.
struct Shortlist {
    of: u32,
    /// Number of candidates that are kept.
    kept: usize,
    /// The candidates: at least the best `kept` of those offered.
    found: Vec<(u32, f32)>,
    /// A later candidate needs a higher cosine than this.
    floor: f32,
}

impl Shortlist {
    fn new(of: u32, kept: usize) -> Self {
        Self {
            of,
            kept,
            found: Vec::with_capacity(2 * kept),
            floor: f32::NEG_INFINITY,
        }
    }

    /// Takes the better ones among the candidates from row `first` on.
    fn offer(&mut self, first: usize, cosines: &[f32]) {
        for (at, &cosine) in cosines.iter().enumerate() {
            let id = (first + at) as u32;
            if cosine > self.floor && id != self.of {
                self.found.push((id, cosine));
                if self.found.len() == 2 * self.kept {
                    self.found.select_nth_unstable_by(self.kept - 1, nearer);
                    self.found.truncate(self.kept);
                    self.floor = self.found[self.kept - 1].1;
                }
            }
        }
    }

    /// The best `top` candidates, by their cosines in f64.
    fn ranked(mut self, matrix: &Matrix, top: usize) -> Vec<(u32, f32)> {
        self.found.sort_unstable_by(nearer);
        self.found.truncate(self.kept);
        let row = matrix.row(self.of as usize);
        for (id, value) in &mut self.found {
            *value = cosine(row, matrix.row(*id as usize));
        }
        self.found.sort_unstable_by(nearer);
        self.found.truncate(top);
        self.found.shrink_to_fit();
        self.found
    }
}

/// The dot products of all rows of `a` with all rows of `b`, which have `dim` columns. `products`
/// has one row for each row of `a`.
pub(crate) fn product(a: &[f32], b: &[f32], dim: usize, products: &mut [f32]) {
    let (rows, columns) = (a.len() / dim, b.len() / dim);
    let a = ArrayView2::from_shape((rows, dim), a).expect("whole rows");
    let b = ArrayView2::from_shape((columns, dim), b).expect("whole rows");
    let mut products = ArrayViewMut2::from_shape((rows, columns), products)
        .expect("a product for each pair of rows");
    general_mat_mul(1.0, &a, &b.t(), 0.0, &mut products);
}

fn nearer(a: &(u32, f32), b: &(u32, f32)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The cosine from a dot product and the two squared lengths; 0 if it is not finite.
fn cosine_of(dot: f64, square_a: f64, square_b: f64) -> f32 {
    let cosine = dot / (square_a.sqrt() * square_b.sqrt());
    // Adding 0 turns -0 into 0; `total_cmp` would treat them as different.
    if cosine.is_finite() {
        (cosine as f32).clamp(-1.0, 1.0) + 0.0
    } else {
        0.0
    }
}

/// The dot product in f64, in which no product of f32 values overflows or vanishes. Eight separate
/// sums allow the compiler to vectorize.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vocab::Vocab;

    fn vectors(rows: &[(&str, [f32; 2])]) -> Vectors {
        Vectors::new(
            Vocab::from_words(rows.iter().map(|(word, _)| (*word, 0))).unwrap(),
            Matrix::from_values(2, rows.iter().flat_map(|(_, row)| *row).collect()),
        )
    }

    #[test]
    fn finds_what_was_computed_by_hand() {
        let vectors = vectors(&[
            ("right", [2.0, 0.0]),
            ("up", [0.0, 1.0]),
            ("slope", [4.0, 3.0]),
            ("left", [-5.0, 0.0]),
            ("nowhere", [0.0, 0.0]),
            ("far", [0.5, 0.0]),
            ("steep", [3.0, 4.0]),
        ]);
        // far 1, slope 4/5, steep 3/5, then the right angle and the zero vector by id, and the
        // opposite last.
        let all = [(5, 1.0), (2, 0.8), (6, 0.6), (1, 0.0), (4, 0.0), (3, -1.0)];
        assert_eq!(nearest(&vectors, "right", 10).unwrap(), all);
        for top in 0..=6 {
            assert_eq!(nearest(&vectors, "right", top).unwrap(), all[..top]);
        }
        assert_eq!(
            nearest_to(&vectors, &[0.0, -7.0], &[0, 2, 3, 6], 2),
            [(4, 0.0), (5, 0.0)]
        );
    }

    #[test]
    fn the_largest_and_smallest_values_have_a_cosine() {
        let (max, tiny) = (f32::MAX, f32::from_bits(1));
        let vectors = vectors(&[("a", [max, max]), ("b", [tiny, tiny]), ("c", [-max, -tiny])]);
        let found = nearest(&vectors, "a", 2).unwrap();
        assert_eq!(found[0], (1, 1.0));
        assert!((found[1].1 + 0.5f32.sqrt()).abs() < 1e-6);
        // Vectors are finite, but their sums may not be.
        assert!(
            nearest_to(&vectors, &[f32::INFINITY, f32::NAN], &[], 3)
                .iter()
                .all(|n| n.1 == 0.0)
        );
    }

    #[test]
    fn an_unknown_word_is_named() {
        let vectors = vectors(&[("a", [1.0, 0.0])]);
        for error in [
            nearest(&vectors, "b", 1).unwrap_err(),
            analogy(&vectors, ["a", "b", "c"], 1).unwrap_err(),
        ] {
            assert!(matches!(error, Error::UnknownWord { word, words: 1 } if word == "b"));
        }
    }

    #[test]
    fn a_zero_vector_is_near_to_nothing() {
        let vectors = vectors(&[
            ("a", [1.0, 0.0]),
            ("nowhere", [0.0, -0.0]),
            ("b", [f32::from_bits(1), 0.0]),
        ]);
        let errors = [
            nearest(&vectors, "nowhere", 9).unwrap_err(),
            analogy(&vectors, ["a", "b", "nowhere"], 1).unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(&error, Error::ZeroVector { word } if word == "nowhere"),
                "{error}"
            );
        }
        assert_eq!(nearest(&vectors, "b", 1).unwrap(), [(0, 1.0)]);
    }

    #[test]
    fn an_analogy_takes_unit_vectors_and_leaves_its_words_out() {
        let vectors = vectors(&[
            ("right", [2.0, 0.0]),
            ("up", [0.0, 0.1]),
            ("left", [-5.0, 0.0]),
            ("far up", [-0.1, 9.0]),
        ]);
        // (0, 1) - (1, 0) + (-1, 0) = (-2, 1), and only "far up" is not left out.
        let found = analogy(&vectors, ["right", "up", "left"], 5).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, 3);
        let expected = 9.2 / (5.0f64.sqrt() * 81.01f64.sqrt());
        assert!((f64::from(found[0].1) - expected).abs() < 1e-6);
        assert_eq!(analogy(&vectors, ["up", "right", "far up"], 0).unwrap(), []);
        assert_eq!(
            analogy(&vectors, ["right", "right", "right"], 9)
                .unwrap()
                .len(),
            3
        );
    }

    #[test]
    fn a_vector_without_direction_has_the_cosine_0() {
        assert_eq!(cosine(&[3.0, 4.0], &[6.0, 8.0]), 1.0);
        assert_eq!(cosine(&[3.0, 4.0], &[0.0, 0.0]), 0.0);
        let mut unit = [9.0; 2];
        to_unit(&[f32::MAX, f32::MAX], &mut unit);
        assert_eq!(unit, [0.5f32.sqrt(); 2]);
        for row in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            to_unit(&row, &mut unit);
            assert_eq!(unit, [0.0; 2]);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_sorting_everything(
            values in prop::collection::vec(-2i8..=2, 0..80).prop_map(|v| v.into_iter().map(f32::from).collect::<Vec<_>>()),
            top in 0usize..30,
        ) {
            let dim = 4;
            let matrix = Matrix::from_values(dim, values[..values.len() / dim * dim].to_vec());
            let words: Vec<String> = (0..matrix.rows()).map(|id| id.to_string()).collect();
            let vocab = Vocab::from_words(words.iter().map(|word| (word.as_str(), 0))).unwrap();
            let query = [1.0, -2.0, 0.0, 1.0];
            let mut expected: Vec<(u32, f32)> = (0..matrix.rows())
                .map(|id| {
                    let row = matrix.row(id);
                    (id as u32, cosine_of(dot(&query, row), dot(&query, &query), dot(row, row)))
                })
                .filter(|&(id, _)| id != 3)
                .collect();
            expected.sort_by(|a, b| b.1.partial_cmp(&a.1).unwrap().then(a.0.cmp(&b.0)));
            expected.truncate(top);
            prop_assert_eq!(nearest_to(&Vectors::new(vocab, matrix), &query, &[3], top), expected);
        }

        #[test]
        fn many_questions_have_the_answers_of_single_ones(
            values in prop::collection::vec(-2i8..=2, 0..2000).prop_map(|v| v.into_iter().map(f32::from).collect::<Vec<_>>()),
            words in 0usize..700,
            top in 0usize..20,
        ) {
            let dim = 3;
            let matrix = Matrix::from_values(dim, values[..values.len() / dim * dim].to_vec());
            let words_of: Vec<String> = (0..matrix.rows()).map(|id| id.to_string()).collect();
            let vocab = Vocab::from_words(words_of.iter().map(|word| (word.as_str(), 0))).unwrap();
            let vectors = Vectors::new(vocab, matrix);
            let found = nearest_to_each(&vectors.matrix, words, top);
            prop_assert_eq!(found.len(), words.min(vectors.matrix.rows()));
            for (id, found) in found.into_iter().enumerate() {
                let single = nearest_to(&vectors, vectors.matrix.row(id), &[id as u32], top);
                // Words of equal direction may come in either order: their products are rounded.
                let cosines = |list: &[(u32, f32)]| list.iter().map(|near| near.1).collect::<Vec<_>>();
                prop_assert_eq!(cosines(&found), cosines(&single));
            }
        }

        #[test]
        fn dot_is_the_plain_sum(a in prop::collection::vec(-9i8..9, 0..40)) {
            let a: Vec<f32> = a.into_iter().map(f32::from).collect();
            let b: Vec<f32> = a.iter().rev().copied().collect();
            let plain: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            prop_assert_eq!(dot(&a, &b), f64::from(plain));
        }
    }
}
