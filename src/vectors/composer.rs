//! Vectors of words that were never seen, composed of those of their n-grams.

use rayon::prelude::*;

use crate::model::Matrix;
use crate::subwords::{SubwordTable, Subwords};

/// The vectors of the words of a model with subwords, from all rows of its W.
///
/// # Panics
/// When the matrix has not as many rows as the table.
pub fn compose(table: &SubwordTable, input: &Matrix) -> Matrix {
    assert_eq!(input.rows(), table.rows(), "every part is a row");
    let mut words = Matrix::zeros(table.words(), input.dim());
    let compose = |(word, sum): (usize, &mut [f32])| {
        let parts = table.parts(word);
        for &part in parts {
            add(input.row(part as usize), sum);
        }
        scale(sum, parts.len());
    };
    let rows = words.rows_mut().enumerate();
    rows.for_each(compose);
    words
}

/// The rows of n-grams, of which a model with subwords composes the vectors of words.
///
/// A word of the model has a row of its own, and its vector is the mean of that row and those of
/// its n-grams. The vector of any other word is the mean of the rows of its n-grams. The rows are
/// added in 32 bits in the order of the n-grams, the word's own first, as fastText does it.
///
/// ```
/// use w2v_gpu::model::Matrix;
/// use w2v_gpu::subwords::Subwords;
/// use w2v_gpu::vectors::Composer;
///
/// let subwords = Subwords::new(3, 3, 1).expect("n-grams and buckets");
/// let composer = Composer::new(subwords, Matrix::from_values(2, vec![1.0, -2.0]));
/// assert_eq!(composer.compose("cat"), Some(vec![1.0, -2.0]));
/// assert_eq!(composer.compose(""), None);
/// ```
#[derive(Clone, Debug)]
pub struct Composer {
    subwords: Subwords,
    /// The buckets that have a row, ascending; `None` if all have.
    kept: Option<Vec<u32>>,
    rows: Matrix,
}

impl Composer {
    /// A composer for any word. Row `bucket` of the matrix belongs to that bucket.
    ///
    /// # Panics
    /// When there are not as many rows as buckets.
    pub fn new(subwords: Subwords, rows: Matrix) -> Self {
        assert_eq!(
            rows.rows(),
            subwords.buckets() as usize,
            "every bucket has a row"
        );
        Self {
            subwords,
            kept: None,
            rows,
        }
    }

    /// The n-grams of words.
    pub fn subwords(&self) -> Subwords {
        self.subwords
    }

    /// The rows, one for each bucket that is kept, in the order of the buckets.
    pub fn into_rows(self) -> Matrix {
        self.rows
    }

    /// A composer for the words whose n-grams have `kept` as their buckets, which ascend.
    pub(super) fn of_some(subwords: Subwords, kept: Vec<u32>, rows: Matrix) -> Self {
        Self {
            subwords,
            kept: Some(kept),
            rows,
        }
    }

    /// The vector of a word that has no row of its own; `None` if it has no n-grams.
    pub fn compose(&self, word: &str) -> Option<Vec<f32>> {
        let buckets = self.subwords.buckets_of(word.as_bytes());
        (!buckets.is_empty()).then(|| {
            let mut sum = vec![0.0; self.rows.dim()];
            self.add(&buckets, &mut sum);
            scale(&mut sum, buckets.len());
            sum
        })
    }

    /// Makes the own row of a word its vector.
    pub(super) fn complete(&self, word: &[u8], own: &mut [f32]) {
        let buckets = self.subwords.buckets_of(word);
        self.add(&buckets, own);
        scale(own, 1 + buckets.len());
    }

    fn add(&self, buckets: &[u32], sum: &mut [f32]) {
        for &bucket in buckets {
            let row = match &self.kept {
                None => bucket as usize,
                Some(kept) => kept.partition_point(|&other| other < bucket),
            };
            add(self.rows.row(row), sum);
        }
    }
}

fn add(row: &[f32], sum: &mut [f32]) {
    sum.iter_mut()
        .zip(row)
        .for_each(|(sum, &value)| *sum += value);
}

/// Makes the sum of `parts` rows their mean.
fn scale(sum: &mut [f32], parts: usize) {
    let factor = (1.0 / parts as f64) as f32;
    sum.iter_mut().for_each(|value| *value *= factor);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs of characters in four buckets, whose rows are 1, 10, 100 and 1000.
    fn composer() -> Composer {
        let subwords = Subwords::new(2, 2, 4).unwrap();
        let rows = Matrix::from_values(1, vec![1.0, 10.0, 100.0, 1000.0]);
        Composer::new(subwords, rows)
    }

    /// The mean by hand. The buckets come from `Subwords`, which has tests of its own.
    fn mean(word: &str, own: Option<f32>) -> f32 {
        let buckets = composer().subwords.buckets_of(word.as_bytes());
        let rows = buckets.iter().map(|&bucket| 10f32.powi(bucket as i32));
        let rows: Vec<f32> = own.into_iter().chain(rows).collect();
        rows.iter().sum::<f32>() / rows.len() as f32
    }

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() < 1e-4
    }

    #[test]
    fn an_unknown_word_is_the_mean_of_its_ngrams() {
        for word in ["cat", "日本", "aaa"] {
            let composed = composer().compose(word).unwrap();
            assert!(near(composed[0], mean(word, None)), "{word}: {composed:?}");
        }
    }

    #[test]
    fn a_word_is_the_mean_of_its_own_row_and_its_ngrams() {
        let mut row = [-50.0];
        composer().complete(b"cat", &mut row);
        assert!(near(row[0], mean("cat", Some(-50.0))), "{row:?}");
        // A line end has no n-grams.
        let mut row = [-50.0];
        composer().complete(b"</s>", &mut row);
        assert_eq!(row, [-50.0]);
        assert_eq!(composer().compose("</s>"), None);
    }

    #[test]
    fn the_rows_of_some_buckets_give_the_same_vectors() {
        let all = composer();
        let mut kept = all.subwords.buckets_of(b"cat");
        kept.sort_unstable();
        kept.dedup();
        assert!(kept.len() < 4, "another word, or the ranks are the buckets");
        let values = kept
            .iter()
            .map(|&bucket| all.rows.row(bucket as usize)[0])
            .collect();
        let some = Composer::of_some(all.subwords, kept, Matrix::from_values(1, values));
        assert_eq!(some.compose("cat"), all.compose("cat"));
    }
}
