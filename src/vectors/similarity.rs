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

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};
use rayon::prelude::*;

use super::expression::{Expression, Term};
use super::{Vectors, WordVector};
use crate::error::{Error, Result};
use crate::model::Matrix;

/// Candidates whose cosines are computed in one product. They stay in a core's cache.
const BLOCK: usize = 256;

/// Queries whose cosines are computed in one product. They stay in a core's cache, too.
const QUERIES: usize = 128;

/// The most queries that share the unit vectors of each block of candidates.
const AT_ONCE: usize = 2048;

/// The most words of answers that queries have together which are answered at once. This bounds the
/// memory of each thread.
const WORDS_AT_ONCE: usize = 1 << 20;

/// Candidates kept beyond those wanted. The products are in f32, and may put words of nearly equal
/// cosines in another order than [`cosine`] does.
const SPARE: usize = 8;

/// The length of a sum of unit vectors below which it is nothing but errors of rounding.
const NO_LENGTH: f64 = 1e-6;

/// A vector to find the nearest words of.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// The values, as many as those of the vectors. Their direction counts, and not their length.
    pub vector: Cow<'a, [f32]>,
    /// The ids that are no answers.
    pub exclude: Vec<u32>,
}

/// The `top` words nearest to a word: ids with their cosine from -1 to 1, nearest first. The word
/// itself is left out. A word outside the vocabulary may have a composed vector
/// ([`Vectors::vector`]).
///
/// # Errors
/// [`Error::UnknownWord`] when the word has no vector; [`Error::ZeroVector`] when its vector is
/// zero and has no direction.
pub fn nearest(vectors: &Vectors, word: &str, top: usize) -> Result<Vec<(u32, f32)>> {
    nearest_of(vectors, &Expression::word(word), top)
}

/// The `top` best answers to "a is to b as c is to ?": ids with their cosine, nearest first.
///
/// They are the words nearest to b - a + c, where each vector is first made a unit vector (3CosAdd,
/// Mikolov et al. 2013). The three words themselves are left out.
///
/// # Errors
/// Those of [`query`].
pub fn analogy(vectors: &Vectors, words: [&str; 3], top: usize) -> Result<Vec<(u32, f32)>> {
    nearest_of(vectors, &Expression::analogy(words), top)
}

fn nearest_of(vectors: &Vectors, asked: &Expression, top: usize) -> Result<Vec<(u32, f32)>> {
    let Query { vector, exclude } = query(vectors, asked)?;
    Ok(nearest_to(vectors, &vector, &exclude, top))
}

/// The vector of an expression, and the ids of its words. The vector of one word is the word's own.
/// Several words have the sum of their unit vectors, those of words that are taken away negated.
///
/// # Errors
/// [`Error::UnknownWord`] for the first word that has no vector; [`Error::ZeroVector`] for the first
/// whose vector is zero, and for an expression whose words cancel each other out.
pub fn query<'a>(vectors: &'a Vectors, asked: &Expression) -> Result<Query<'a>> {
    if let Some(word) = asked.single() {
        let WordVector { id, values } = with_direction(vectors, word)?;
        let exclude = id.into_iter().collect();
        return Ok(Query {
            vector: values,
            exclude,
        });
    }
    let mut sum = vec![0.0; vectors.matrix.dim()];
    let mut unit = sum.clone();
    let mut exclude = Vec::new();
    for Term { word, is_negative } in asked.terms() {
        let WordVector { id, values } = with_direction(vectors, word)?;
        exclude.extend(id);
        to_unit(&values, &mut unit);
        let sign = if *is_negative { -1.0 } else { 1.0 };
        sum.iter_mut()
            .zip(&unit)
            .for_each(|(sum, value)| *sum += sign * value);
    }
    if dot(&sum, &sum).sqrt() < NO_LENGTH {
        let word = asked.to_string();
        return Err(Error::ZeroVector { word });
    }
    Ok(Query {
        vector: sum.into(),
        exclude,
    })
}

/// The cosine of two expressions.
///
/// # Errors
/// Those of [`query`].
pub fn similarity(vectors: &Vectors, a: &Expression, b: &Expression) -> Result<f32> {
    Ok(cosine(
        &query(vectors, a)?.vector,
        &query(vectors, b)?.vector,
    ))
}

/// For each expression, the cosine of its vector with the mean of the unit vectors of all. The least
/// belongs to the odd one.
///
/// # Errors
/// Those of [`query`], for the first expression that has one; [`Error::ZeroVector`] when all cancel
/// each other out.
pub fn centrality(vectors: &Vectors, asked: &[Expression]) -> Result<Vec<f32>> {
    let mut mean = vec![0.0; vectors.matrix.dim()];
    let mut unit = mean.clone();
    let found: Vec<Query> = asked
        .iter()
        .map(|expression| query(vectors, expression))
        .collect::<Result<_>>()?;
    for query in &found {
        to_unit(&query.vector, &mut unit);
        mean.iter_mut()
            .zip(&unit)
            .for_each(|(mean, value)| *mean += value);
    }
    if dot(&mean, &mean).sqrt() < NO_LENGTH {
        let words: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let word = words.join(" + ");
        return Err(Error::ZeroVector { word });
    }
    let found = found.iter().map(|query| cosine(&query.vector, &mean));
    Ok(found.collect())
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
    let query = Query {
        vector: query.into(),
        exclude: exclude.to_vec(),
    };
    one_by_one(&vectors.matrix, &query, vectors.matrix.rows(), top)
}

/// The nearest of the first `candidates` rows, each compared by itself.
fn one_by_one(matrix: &Matrix, query: &Query, candidates: usize, top: usize) -> Vec<(u32, f32)> {
    let Query { vector, exclude } = query;
    assert_eq!(
        vector.len(),
        matrix.dim(),
        "the query has the dimension of the vectors"
    );
    let query_square = dot(vector, vector);
    let mut found: Vec<(u32, f32)> = (0..candidates)
        .into_par_iter()
        .with_min_len(256)
        .map(|id| {
            let row = matrix.row(id);
            (
                id as u32,
                cosine_of(dot(vector, row), query_square, dot(row, row)),
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

/// The `top` rows nearest to each of the first `rows` rows, among all rows and without the row
/// itself.
pub(crate) fn nearest_to_rows(matrix: &Matrix, rows: usize, top: usize) -> Vec<Vec<(u32, f32)>> {
    let query = |row: usize| Query {
        vector: matrix.row(row).into(),
        exclude: vec![row as u32],
    };
    let queries: Vec<Query> = (0..rows.min(matrix.rows())).map(query).collect();
    nearest_to_each(matrix, &queries, matrix.rows(), top)
}

/// The most queries for which [`nearest_to_each`] shares its work, if each has `top` words as its
/// answer.
pub(crate) fn at_once(top: usize) -> usize {
    (WORDS_AT_ONCE / top.max(1)).clamp(1, AT_ONCE)
}

/// For each query, the `top` nearest among the first `candidates` rows. Each list is that of
/// [`nearest_to`].
///
/// The cosines are computed block by block as products of matrices, on all threads of rayon's
/// current pool. Thousands of queries take a fraction of the time of as many single ones.
///
/// # Panics
/// When a query does not have the length of the rows.
pub fn nearest_to_each(
    matrix: &Matrix,
    queries: &[Query],
    candidates: usize,
    top: usize,
) -> Vec<Vec<(u32, f32)>> {
    let candidates = candidates.min(matrix.rows());
    let top = top.min(candidates);
    let some = queries.chunks(at_once(top));
    some.flat_map(|queries| match queries {
        [query] => vec![one_by_one(matrix, query, candidates, top)],
        queries => in_blocks(matrix, queries, candidates, top),
    })
    .collect()
}

/// The nearest of the first `candidates` rows, block by block.
fn in_blocks(
    matrix: &Matrix,
    queries: &[Query],
    candidates: usize,
    top: usize,
) -> Vec<Vec<(u32, f32)>> {
    let mut units = vec![0.0; queries.len() * matrix.dim()];
    assert!(
        queries
            .iter()
            .all(|query| query.vector.len() == matrix.dim()),
        "a query has the dimension of the vectors"
    );
    for (unit, query) in units.chunks_exact_mut(matrix.dim()).zip(queries) {
        to_unit(&query.vector, unit);
    }
    let blocks = candidates.div_ceil(BLOCK);
    let new_lists = || vec![Shortlist::new(top + SPARE); queries.len()];
    let lists = (0..blocks)
        .into_par_iter()
        .with_min_len(blocks.div_ceil(4 * rayon::current_num_threads()))
        .fold(new_lists, |mut lists, block| {
            let rows = block * BLOCK..candidates.min((block + 1) * BLOCK);
            offer_block(matrix, queries, &units, rows, &mut lists);
            lists
        })
        .reduce(new_lists, merged);
    let ranked = lists.into_par_iter().zip(queries);
    ranked
        .map(|(list, query)| {
            let found = list.ranked(matrix, query, top);
            found.unwrap_or_else(|| one_by_one(matrix, query, candidates, top))
        })
        .collect()
}

/// Offers a block of candidates to the list of each query.
fn offer_block(
    matrix: &Matrix,
    queries: &[Query],
    units: &[f32],
    rows: Range<usize>,
    lists: &mut [Shortlist],
) {
    let dim = matrix.dim();
    let (first, width) = (rows.start, rows.len());
    let block = unit_rows(matrix, rows);
    let mut cosines = vec![0.0; QUERIES * width];
    let some = units.chunks(QUERIES * dim).zip(queries.chunks(QUERIES));
    for ((units, queries), lists) in some.zip(lists.chunks_mut(QUERIES)) {
        let cosines = &mut cosines[..queries.len() * width];
        product(units, &block, dim, cosines);
        let each = lists.iter_mut().zip(queries);
        for ((list, query), cosines) in each.zip(cosines.chunks_exact(width)) {
            list.offer(first, cosines, &query.exclude);
        }
    }
}

fn merged(mut a: Vec<Shortlist>, b: Vec<Shortlist>) -> Vec<Shortlist> {
    a.iter_mut().zip(b).for_each(|(a, b)| a.merge(b));
    a
}

/// The unit vectors of some rows, row after row.
pub(crate) fn unit_rows(matrix: &Matrix, rows: Range<usize>) -> Vec<f32> {
    let mut units = vec![0.0; rows.len() * matrix.dim()];
    for (unit, row) in units.chunks_exact_mut(matrix.dim()).zip(rows) {
        to_unit(matrix.row(row), unit);
    }
    units
}

/// The best candidates so far for a query.
#[derive(Clone)]
struct Shortlist {
    /// Number of candidates that are kept.
    kept: usize,
    /// The candidates: at least the best `kept` of those offered.
    found: Vec<(u32, f32)>,
    /// A later candidate needs a higher cosine than this.
    floor: f32,
}

impl Shortlist {
    fn new(kept: usize) -> Self {
        Self {
            kept,
            found: Vec::new(),
            floor: f32::NEG_INFINITY,
        }
    }

    /// Takes the better ones among the candidates from row `first` on.
    fn offer(&mut self, first: usize, cosines: &[f32], exclude: &[u32]) {
        for (at, &cosine) in cosines.iter().enumerate() {
            let id = (first + at) as u32;
            if cosine > self.floor && !exclude.contains(&id) {
                self.found.push((id, cosine));
                if self.found.len() >= 2 * self.kept {
                    self.cut();
                }
            }
        }
    }

    /// Leaves out what is not among the best.
    fn cut(&mut self) {
        if self.found.len() > self.kept {
            self.found.select_nth_unstable_by(self.kept - 1, nearer);
            self.found.truncate(self.kept);
            self.floor = self.found[self.kept - 1].1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.floor = self.floor.max(other.floor);
        self.found.extend(other.found);
        self.cut();
    }

    /// The best `top` candidates, by their cosines in f64; `None` if one that was left out might be
    /// among them. A product of unit vectors in f32 is off by half of `EPSILON` for each of its
    /// terms at most.
    fn ranked(mut self, matrix: &Matrix, query: &Query, top: usize) -> Option<Vec<(u32, f32)>> {
        self.cut();
        for (id, value) in &mut self.found {
            *value = cosine(&query.vector, matrix.row(*id as usize));
        }
        self.found.sort_unstable_by(nearer);
        let highest_left_out = self.floor + (matrix.dim() + 4) as f32 * f32::EPSILON;
        self.found.truncate(top);
        self.found.shrink_to_fit();
        let is_sure = |&(_, least): &(u32, f32)| least > highest_left_out;
        self.found.last().is_none_or(is_sure).then_some(self.found)
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

    /// An expression of the words of [`vectors`], none of which needs quotes.
    fn expression(text: &str) -> Expression {
        crate::vectors::expression::parse(&[text], |_| false).unwrap()[0].clone()
    }

    #[test]
    fn several_words_have_the_direction_of_their_mean() {
        let vectors = vectors(&[
            ("right", [2.0, 0.0]),
            ("up", [0.0, 0.1]),
            ("left", [-5.0, 0.0]),
            ("slope", [3.0, 4.0]),
        ]);
        let asked = |text: &str| query(&vectors, &expression(text)).unwrap();
        assert_eq!(*asked("right").vector, [2.0, 0.0]);
        assert_eq!(*asked("right + up").vector, [1.0, 1.0]);
        assert_eq!(*asked("- right + up").vector, [-1.0, 1.0]);
        assert_eq!(asked("up + right + up").exclude, [1, 0, 1]);
        for nothing in ["right + left", "right - right", "slope + up - slope - up"] {
            let error = query(&vectors, &expression(nothing)).unwrap_err();
            assert!(
                matches!(&error, Error::ZeroVector { word } if word == nothing),
                "{error}"
            );
        }
    }

    #[test]
    fn similarity_and_the_odd_one_are_those_computed_by_hand() {
        let vectors = vectors(&[
            ("right", [2.0, 0.0]),
            ("up", [0.0, 0.1]),
            ("left", [-5.0, 0.0]),
            ("slope", [3.0, 4.0]),
        ]);
        let cosine = |a, b| similarity(&vectors, &expression(a), &expression(b)).unwrap();
        assert_eq!(cosine("right", "slope"), 0.6);
        assert_eq!(cosine("slope", "- right"), -0.6);
        assert!((cosine("right + up", "slope") - 1.4 / 2f32.sqrt()).abs() < 1e-6);
        // (1, 0) + (0, 1) + (.6, .8) = (1.6, 1.8), which is 2.4083 long.
        let asked = ["right", "up", "slope"].map(expression);
        let found = centrality(&vectors, &asked).unwrap();
        for (found, expected) in found.iter().zip([1.6, 1.8, 2.4]) {
            assert!((found - expected / 5.8f32.sqrt()).abs() < 1e-6, "{found}");
        }
        let nothing = ["right", "left"].map(expression);
        let error = centrality(&vectors, &nothing).unwrap_err();
        assert!(matches!(error, Error::ZeroVector { word } if word == "right + left"));
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

    #[test]
    fn ordinary_vectors_are_answered_in_blocks_as_one_by_one() {
        for (rows, top) in [(1, 3), (17, 5), (255, 10), (256, 1), (257, 40), (900, 10)] {
            let matrix = crate::model::Model::new(rows, 20, 1).input;
            let query = |id: usize| Query {
                vector: matrix.row(id).into(),
                exclude: vec![id as u32],
            };
            let queries: Vec<Query> = (0..rows.min(140)).map(query).collect();
            let found = in_blocks(&matrix, &queries, rows, top);
            for (query, found) in queries.iter().zip(found) {
                assert_eq!(found, one_by_one(&matrix, query, rows, top));
            }
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
        fn many_queries_have_the_answers_of_single_ones(
            values in prop::collection::vec(-2i8..=2, 0..2000).prop_map(|v| v.into_iter().map(f32::from).collect::<Vec<_>>()),
            words in 0usize..700,
            left_out in 0usize..300,
            top in 0usize..20,
        ) {
            let dim = 3;
            let matrix = Matrix::from_values(dim, values[..values.len() / dim * dim].to_vec());
            // Many rows have one direction, so that products alone cannot tell which is nearer.
            let candidates = matrix.rows().saturating_sub(left_out);
            let query = |id: usize| Query { vector: matrix.row(id).into(), exclude: vec![id as u32, 7] };
            let queries: Vec<Query> = (0..words.min(matrix.rows())).map(query).collect();
            let found = nearest_to_each(&matrix, &queries, candidates, top);
            prop_assert_eq!(found.len(), queries.len());
            for (query, found) in queries.iter().zip(found) {
                prop_assert_eq!(found, one_by_one(&matrix, query, candidates, top));
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
