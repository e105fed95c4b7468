//! Files of vectors, evaluation, and words of similar spelling.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use w2v_gpu::eval::{EvalOptions, Method, Protocol, Sets};
use w2v_gpu::subwords::NgramLengths;
use w2v_gpu::system::{thread_count, thread_pool};
use w2v_gpu::vectors::format::{Format, Reading, VectorTable};
use w2v_gpu::vectors::spelling;
use w2v_gpu::vocab::Vocab;

use crate::errors::exception;
use crate::train::{array, matrix, vocabulary};

/// A format by the name of its extension.
fn format(extension: Option<&str>) -> PyResult<Option<Format>> {
    let find = |extension: &str| {
        Format::from_extension(extension)
            .ok_or_else(|| PyValueError::new_err(format!("{extension:?} is no format of vectors")))
    };
    extension.map(find).transpose()
}

/// The rows of a model's buckets, with the lengths of n-grams and the number of buckets.
type Ngrams<'py> = ((u32, u32, u32), Bound<'py, PyArray2<f32>>);

/// Reads a file of vectors: the words, their counts (0 where the file does not tell), the vectors,
/// the rows of n-grams of a model with subwords, the numbers of words promised and found if they
/// differ, and what was odd.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "the tuple is what Python unpacks")]
#[pyo3(signature = (path, *, extension, limit))]
pub(crate) fn read_vectors<'py>(
    py: Python<'py>,
    path: PathBuf,
    extension: Option<&str>,
    limit: Option<usize>,
) -> PyResult<(
    Vec<String>,
    Bound<'py, PyArray1<u64>>,
    Bound<'py, PyArray2<f32>>,
    Option<Ngrams<'py>>,
    Option<(u64, u64)>,
    Option<String>,
)> {
    let reading = Reading {
        from: format(extension)?,
        top: limit.and_then(NonZeroUsize::new),
        compose: true,
        ..Reading::default()
    };
    let loaded = py
        .detach(|| reading.read(&path, &mut |_, _| ()))
        .map_err(exception)?;
    let odd = (!loaded.odd.is_empty()).then(|| loaded.odd.to_string());
    let vocab = loaded.vectors.vocab;
    let ngrams = loaded.vectors.composer.map(|composer| {
        let subwords = composer.subwords();
        let NgramLengths { shortest, longest } = subwords.lengths();
        let rows = array(py, composer.into_rows())?;
        Ok::<_, PyErr>(((shortest, longest, subwords.buckets()), rows))
    });
    Ok((
        vocab.words().map(str::to_owned).collect(),
        vocab.counts().to_vec().into_pyarray(py),
        array(py, loaded.vectors.matrix)?,
        ngrams.transpose()?,
        loaded.odd.header(),
        odd,
    ))
}

/// Writes a file of vectors.
#[pyfunction]
#[pyo3(signature = (path, words, counts, vectors, *, extension))]
pub(crate) fn write_vectors<'py>(
    py: Python<'py>,
    path: PathBuf,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    vectors: PyReadonlyArray2<'py, f32>,
    extension: Option<&str>,
) -> PyResult<()> {
    let vocab = vocabulary(&words, counts.as_slice()?)?;
    let matrix = matrix(&vectors)?;
    let format = match format(extension)? {
        Some(format) => format,
        None => Format::from_path(&path).map_err(exception)?,
    };
    let table = VectorTable::new(&vocab, &matrix);
    py.detach(|| format.write(&path, &table, &mut |_, _| ()))
        .map_err(exception)
}

/// The words without their counts, as their order says all that is needed.
fn uncounted(words: &[String]) -> PyResult<Vocab> {
    vocabulary(words, &vec![0; words.len()])
}

/// Correlations of the cosines of word pairs with people's scores: Pearson's, Spearman's, the pairs
/// of which both words have vectors, and all pairs.
#[pyfunction]
pub(crate) fn evaluate_pairs<'py>(
    py: Python<'py>,
    path: PathBuf,
    words: Vec<String>,
    vectors: PyReadonlyArray2<'py, f32>,
) -> PyResult<(Option<f64>, Option<f64>, usize, usize)> {
    let (vocab, matrix) = (uncounted(&words)?, matrix(&vectors)?);
    let score = py.detach(|| {
        let sets = Sets::read(&[path], &[], EvalOptions::of(Protocol::Gensim))?;
        let mut pairs = sets.evaluate(&vocab, &matrix, None).pairs;
        Ok(pairs.remove(0))
    });
    let score = score.map_err(exception)?;
    Ok((score.pearson, score.spearman, score.found, score.total))
}

/// A question that counts: its four words, and whether it was answered correctly.
type Outcome = ([String; 4], bool);

/// Asks the analogies of a file. Returns for each section its name, the number of its questions,
/// and those that count with their outcomes.
#[pyfunction]
#[pyo3(signature = (path, words, vectors, *, multiplies))]
pub(crate) fn evaluate_analogies<'py>(
    py: Python<'py>,
    path: PathBuf,
    words: Vec<String>,
    vectors: PyReadonlyArray2<'py, f32>,
    multiplies: bool,
) -> PyResult<Vec<(String, usize, Vec<Outcome>)>> {
    let (vocab, matrix) = (uncounted(&words)?, matrix(&vectors)?);
    let options = EvalOptions {
        method: if multiplies {
            Method::CosMul
        } else {
            Method::CosAdd
        },
        restrict_vocab: None,
        ..EvalOptions::of(Protocol::Gensim)
    };
    let sections = py.detach(|| {
        let sets = Sets::read(&[], &[path], options)?;
        let pool = thread_pool(thread_count(None)?, "answering analogies")?;
        let mut files = pool.install(|| sets.answers(&vocab, &matrix));
        Ok(files.remove(0))
    });
    let sections = sections.map_err(exception)?.into_iter().map(|section| {
        let outcomes = section.answered.into_iter();
        let outcomes = outcomes.map(|question| (question.words, question.is_right));
        (section.name, section.total, outcomes.collect())
    });
    Ok(sections.collect())
}

/// The words that are spelt most like a word.
#[pyfunction]
pub(crate) fn alike(words: Vec<String>, word: &str, top: usize) -> PyResult<Vec<String>> {
    let vocab = uncounted(&words)?;
    let pool = thread_pool(1, "comparing words").map_err(exception)?;
    let ids = pool.install(|| spelling::alike(&vocab, word, top));
    Ok(ids
        .into_iter()
        .map(|id| vocab.word(id).to_owned())
        .collect())
}
