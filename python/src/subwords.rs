//! Words that are composed of n-grams, and models of fastText.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use w2v_gpu::model::Model;
use w2v_gpu::subwords::{SubwordTable, Subwords};
use w2v_gpu::vectors::compose;
use w2v_gpu::vectors::format::{FastTextModel, write_fasttext};

use crate::errors::exception;
use crate::train::{array, config, matrix, subword_table, vocabulary};

/// The n-grams of a vocabulary, which the settings must ask for.
fn table(settings: &str, words: &[String], counts: &[u64]) -> PyResult<SubwordTable> {
    subword_table(&config(settings)?, &vocabulary(words, counts)?)
        .ok_or_else(|| PyValueError::new_err("the settings have no subwords"))
}

/// The bucket of each row of W behind those of the words.
#[pyfunction]
pub(crate) fn ngram_buckets<'py>(
    py: Python<'py>,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let table = table(settings, &words, counts.as_slice()?)?;
    Ok(table.buckets().to_vec().into_pyarray(py))
}

/// The vectors of the words, composed of the rows of W, and the buckets as [`ngram_buckets`] has
/// them.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "the tuple is what Python unpacks")]
pub(crate) fn compose_words<'py>(
    py: Python<'py>,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    input: PyReadonlyArray2<'py, f32>,
) -> PyResult<(Bound<'py, PyArray2<f32>>, Bound<'py, PyArray1<u32>>)> {
    let table = table(settings, &words, counts.as_slice()?)?;
    let input = matrix(&input)?;
    if input.rows() != table.rows() {
        let text = format!(
            "there are {} rows for {} words and n-grams",
            input.rows(),
            table.rows()
        );
        return Err(PyValueError::new_err(text));
    }
    let vectors = array(py, py.detach(|| compose(&table, &input)))?;
    Ok((vectors, table.buckets().to_vec().into_pyarray(py)))
}

/// The buckets of the n-grams of a word, in their order; one that occurs twice is there twice.
#[pyfunction]
pub(crate) fn buckets_of<'py>(
    py: Python<'py>,
    word: &str,
    shortest: u32,
    longest: u32,
    buckets: u32,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let subwords = Subwords::new(shortest, longest, buckets).ok_or_else(|| {
        let text = format!("there are no n-grams of {shortest}-{longest} in {buckets} buckets");
        PyValueError::new_err(text)
    })?;
    Ok(subwords.buckets_of(word.as_bytes()).into_pyarray(py))
}

/// Writes a model for fastText and gensim.
#[pyfunction]
pub(crate) fn write_model<'py>(
    py: Python<'py>,
    path: PathBuf,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    input: PyReadonlyArray2<'py, f32>,
    output: PyReadonlyArray2<'py, f32>,
) -> PyResult<()> {
    let config = config(settings)?;
    FastTextModel::check(config.objective.loss).map_err(exception)?;
    let vocab = vocabulary(&words, counts.as_slice()?)?;
    let table = subword_table(&config, &vocab);
    let model = Model {
        input: matrix(&input)?,
        output: matrix(&output)?,
    };
    let rows = table.as_ref().map_or(vocab.len(), SubwordTable::rows);
    if [model.input.rows(), model.output.rows()] != [rows, vocab.len()] {
        let text = "the matrices have other rows than the words and n-grams";
        return Err(PyValueError::new_err(text));
    }
    py.detach(|| {
        let written = config.fasttext_model(&vocab, table.as_ref(), &model);
        write_fasttext(&path, &written)
    })
    .map_err(exception)
}
