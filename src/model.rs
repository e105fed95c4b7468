//! The model: the two embedding matrices that training changes.
//!
//! `docs/glossary.md` explains center, context and negative.
//!
//! ```
//! use w2v_gpu::model::Model;
//!
//! let model = Model::new(1000, 50, 1);
//! assert_eq!((model.input.rows(), model.output.rows()), (1000, 1000));
//! assert_eq!(model.input.row(0).len(), 50);
//! ```

use rayon::prelude::*;
use std::borrow::Cow;

use crate::error::Result;
use crate::sampling::{Key, Stream};
use crate::setting::{Conditional, require};
use crate::subwords::{BucketSettings, NgramLengths, Subwords};

/// A matrix of `rows` embeddings with `dim` floats each, stored row after row.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    dim: usize,
    values: Vec<f32>,
    /// The largest magnitude that an element once had, if no element is as large now; otherwise 0.
    largest: f32,
}

impl Matrix {
    /// A matrix of zeros. `dim` must be at least 1.
    pub fn zeros(rows: usize, dim: usize) -> Self {
        assert!(dim > 0, "an embedding has at least one dimension");
        Self {
            dim,
            values: vec![0.0; rows * dim],
            largest: 0.0,
        }
    }

    /// A matrix of the given values, row after row. Their number must be a multiple of `dim`.
    pub fn from_values(dim: usize, values: Vec<f32>) -> Self {
        assert!(
            dim > 0 && values.len().is_multiple_of(dim),
            "{} values are no rows of {dim}",
            values.len()
        );
        Self {
            dim,
            values,
            largest: 0.0,
        }
    }

    /// This matrix, with the note that its elements have been as large as `largest` during
    /// training.
    #[must_use]
    pub fn having_reached(self, largest: f32) -> Self {
        let largest = if largest > self.largest() {
            largest
        } else {
            0.0
        };
        Self { largest, ..self }
    }

    /// The largest magnitude of an element, now or at any earlier time of its training.
    ///
    /// The scales of an engine's sums depend on it, so a resumed run needs it.
    pub fn largest(&self) -> f32 {
        self.values
            .iter()
            .fold(self.largest, |largest, value| largest.max(value.abs()))
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Number of floats in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.dim..][..self.dim]
    }

    /// One row, mutable.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.values[row * self.dim..][..self.dim]
    }

    /// Some rows, as a matrix that has reached what this one has.
    pub fn rows_of(&self, rows: std::ops::Range<usize>) -> Self {
        Self::from_values(self.dim, self.values_of(rows).to_vec()).having_reached(self.largest())
    }

    /// The values of some rows, row after row.
    pub fn values_of(&self, rows: std::ops::Range<usize>) -> &[f32] {
        &self.values[rows.start * self.dim..rows.end * self.dim]
    }

    /// All rows, mutable, for the threads of the current rayon pool.
    pub fn rows_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut [f32]> {
        self.values.par_chunks_exact_mut(self.dim)
    }

    /// The mean of this matrix and another one of its shape.
    pub fn mean_with(&self, other: &Self) -> Self {
        let pairs = self.values.iter().zip(&other.values);
        Self::from_values(self.dim, pairs.map(|(a, b)| (a + b) / 2.0).collect())
    }

    /// All values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values themselves, row after row.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

/// One of the two matrices of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// W.
    Input,
    /// W'.
    Output,
}

impl Table {
    /// Both, W first.
    pub const BOTH: [Self; 2] = [Self::Input, Self::Output];
}

/// The two matrices of skip-gram.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// W: one row for each word as a center, and in a model with subwords one for each bucket
    /// behind them ([`SubwordTable`](crate::subwords::SubwordTable)).
    pub input: Matrix,
    /// W': one row for each word as a context or a negative. In hierarchical softmax it has one row
    /// for each inner node of the tree.
    pub output: Matrix,
}

impl Model {
    /// The start of training, as in word2vec: W is uniform in ±0.5/`dim`, drawn from `seed`, and W'
    /// is zero. Both have one row for each word.
    pub fn new(words: usize, dim: usize, seed: u64) -> Self {
        Self::with_rows(words, words, dim, seed)
    }

    /// Like [`new`](Self::new), but with `input_rows` rows of W and `output_rows` of W'.
    pub fn with_rows(input_rows: usize, output_rows: usize, dim: usize, seed: u64) -> Self {
        use rand::Rng;
        let key = Key::new(seed, 0, Stream::Init);
        let mut input = Matrix::zeros(input_rows, dim);
        for row in 0..input_rows {
            let mut rng = key.at(row as u64);
            for value in input.row_mut(row) {
                // A float has 24 bits for evenly spaced values in [0, 1).
                let unit = (rng.next_u32() >> 8) as f32 / (1 << 24) as f32;
                *value = (unit - 0.5) / dim as f32;
            }
        }
        Self {
            input,
            output: Matrix::zeros(output_rows, dim),
        }
    }

    /// One of the two matrices.
    pub fn table(&self, table: Table) -> &Matrix {
        match table {
            Table::Input => &self.input,
            Table::Output => &self.output,
        }
    }

    /// One of the two matrices, to be changed.
    pub fn table_mut(&mut self, table: Table) -> &mut Matrix {
        match table {
            Table::Input => &mut self.input,
            Table::Output => &mut self.output,
        }
    }

    /// The word vectors: W, W' or their mean. All but `Input` need one row of W' for each word.
    pub fn embedding(&self, which: Embedding) -> Cow<'_, Matrix> {
        match which {
            Embedding::Input => Cow::Borrowed(&self.input),
            Embedding::Output => Cow::Borrowed(&self.output),
            Embedding::Average => Cow::Owned(self.input.mean_with(&self.output)),
        }
    }
}

/// The shape of the model, and what all draws start from.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
#[cfg_attr(feature = "cli", derive(clap::Args), group(skip))]
pub struct ModelSettings {
    /// Dimensions of a vector
    #[cfg_attr(feature = "cli", arg(long, visible_aliases = ["size", "vector-size"], default_value_t = ModelSettings::default().dim, value_name = "N", help_heading = "Model"))]
    pub dim: usize,
    /// Seed of every random draw; the same seed gives the same vectors
    #[cfg_attr(feature = "cli", arg(long, default_value_t = ModelSettings::default().seed, value_name = "N", help_heading = "Model"))]
    pub seed: u64,
    /// In what the GPU keeps the matrices: f16 takes half the memory, rounded at random so that no
    /// step is lost on average
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_enum,
            default_value_t,
            value_name = "TYPE",
            help_heading = "Model"
        )
    )]
    pub storage: Storage,
    /// Compose each word of itself and its n-grams of MIN to MAX characters, as fastText does
    /// [without MIN-MAX: 3-6]
    #[cfg_attr(
        feature = "cli",
        arg(
            long,
            value_name = "MIN-MAX",
            num_args = 0..=1,
            default_missing_value = "3-6",
            help_heading = "Model"
        )
    )]
    pub subwords: Option<NgramLengths>,
    /// How n-grams are numbered, under `subwords`.
    #[cfg_attr(feature = "cli", command(flatten))]
    #[serde(flatten)]
    pub buckets: BucketSettings,
}

impl Default for ModelSettings {
    fn default() -> Self {
        Self {
            dim: 100,
            seed: 1,
            storage: Storage::F32,
            subwords: None,
            buckets: BucketSettings::default(),
        }
    }
}

/// The largest `dim`, well beyond any vectors in use.
pub const MAX_DIM: usize = 4096;

impl ModelSettings {
    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for the first one out of its range.
    pub fn validate(&self) -> Result<()> {
        require(
            (1..=MAX_DIM).contains(&self.dim),
            "dim",
            self.dim,
            "a vector has 1 to 4096 dimensions; 50 to 300 are usual",
        )?;
        if let Some(lengths) = self.subwords {
            let fault = lengths.fault();
            require(
                fault.is_none(),
                "subwords",
                lengths,
                fault.unwrap_or_default(),
            )?;
        }
        self.buckets.validate()
    }

    /// The n-grams that words are composed of; `None` if words are whole.
    pub fn ngrams(&self) -> Option<Subwords> {
        let lengths = self.subwords?;
        Subwords::new(lengths.shortest, lengths.longest, self.buckets.buckets)
    }

    /// The settings that have an effect under another setting alone.
    pub fn conditional(&self) -> Conditional {
        Conditional::all_of(&self.buckets, "subwords", self.subwords.is_some())
    }
}

/// The choice of word vectors after training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Embedding {
    /// W, the vectors of the words as centers: what other word2vec programs write.
    #[default]
    Input,
    /// W', the vectors of the words as contexts.
    Output,
    /// The mean of both.
    Average,
}

/// How an engine stores matrix elements between two steps. It computes in 32 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Storage {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats, rounded stochastically: half the memory, half the traffic.
    F16,
}

impl Storage {
    /// Bytes of an element.
    pub fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_element_is_remembered() {
        let fresh = Matrix::from_values(2, vec![1.0, -3.0]);
        assert_eq!(fresh.clone().having_reached(3.0), fresh);
        let mut matrix = fresh.having_reached(4.0);
        matrix.row_mut(0)[1] = 0.5;
        assert_eq!(matrix.largest(), 4.0);
    }

    /// Those of the command line are checked when they are read; a program may give any.
    #[test]
    fn lengths_of_ngrams_are_checked() {
        let settings = |shortest, longest| ModelSettings {
            subwords: Some(NgramLengths { shortest, longest }),
            ..ModelSettings::default()
        };
        assert!(settings(3, 6).validate().is_ok());
        for (shortest, longest) in [(6, 3), (0, 3), (3, 65)] {
            let error = settings(shortest, longest).validate().unwrap_err();
            assert!(error.to_string().contains("`subwords`"), "{error}");
        }
    }

    #[test]
    fn starts_uniform_and_reproducible() {
        let model = Model::new(1000, 50, 7);
        assert_eq!(model, Model::new(1000, 50, 7));
        assert_ne!(model, Model::new(1000, 50, 8));
        let values = model.input.values();
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let variance =
            values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(values.iter().all(|v| v.abs() <= 0.01));
        // These are 50,000 draws from ±0.01: standard error of the mean 2.6e-5, variance 0.02^2 /
        // 12.
        assert!(mean.abs() < 1.3e-4, "{mean}");
        assert!(
            (variance / (0.02f64.powi(2) / 12.0) - 1.0).abs() < 0.03,
            "{variance}"
        );
        assert!(model.output.values().iter().all(|&v| v == 0.0));
    }

    #[test]
    fn average_is_the_mean_of_both() {
        let model = Model {
            input: Matrix::from_values(2, vec![1.0, 2.0]),
            output: Matrix::from_values(2, vec![3.0, -2.0]),
        };
        assert_eq!(model.embedding(Embedding::Average).values(), [2.0, 0.0]);
        assert_eq!(model.embedding(Embedding::Output).values(), [3.0, -2.0]);
        assert_eq!(model.embedding(Embedding::Input).values(), [1.0, 2.0]);
    }
}
