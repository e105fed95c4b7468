//! Corpora: files, and iterables of lists of words.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use numpy::{IntoPyArray, PyArray1};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use w2v_gpu::corpus::SentenceWriter;
use w2v_gpu::corpus::phrases::{PhraseOptions, Phrases};
use w2v_gpu::system::{thread_count, thread_pool};
use w2v_gpu::vocab::{Rules, Vocab};
use w2v_gpu::{Config, Error};

use crate::errors::exception;
use crate::threads::{Stop, supervise_quietly};
use crate::train::config;

/// Words between two moments at which signals and other threads of Python have their turn.
const WORDS_BETWEEN_TURNS: u64 = 1 << 16;

/// Text that can be read several times: files, or sentences in a temporary file.
#[pyclass(frozen, module = "w2v_gpu._core")]
pub(crate) struct Corpus {
    pub(crate) text: w2v_gpu::Corpus,
}

#[pymethods]
impl Corpus {
    /// Opens files and folders.
    #[staticmethod]
    fn open(py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<Self> {
        let text = py.detach(|| w2v_gpu::Corpus::open(&paths));
        Ok(Self {
            text: text.map_err(exception)?,
        })
    }

    /// Reads an iterable of lists of words once.
    #[staticmethod]
    fn from_sentences(sentences: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut writer = SentenceWriter::new().map_err(exception)?;
        let mut words = 0;
        for sentence in sentences.try_iter()? {
            write_sentence(&mut writer, &sentence?, &mut words)?;
        }
        let text = writer.finish().map_err(exception)?;
        Ok(Self { text })
    }

    /// Counts all words. Returns those that occur at least `least` times, by falling count, their
    /// counts, and the numbers of all words, of all different words and of sentences.
    #[expect(clippy::type_complexity, reason = "the tuple is what Python unpacks")]
    fn count<'py>(
        &self,
        py: Python<'py>,
        settings: &str,
        least: u64,
        workers: Option<usize>,
    ) -> PyResult<(Vec<String>, Bound<'py, PyArray1<u64>>, u64, u64, u64)> {
        let config = config(settings)?;
        let stop = Stop::default();
        let text = self.text.clone().stopping(stop.flag());
        let counted = supervise_quietly(py, &stop, || counted(&text, &config, least, workers))?;
        let (vocab, words, different, sentences) = counted;
        let counts = vocab.counts().to_vec().into_pyarray(py);
        let list = vocab.words().map(str::to_owned).collect();
        Ok((list, counts, words, different, sentences))
    }

    /// Writes the text to a file, with words joined that often come together.
    #[expect(
        clippy::too_many_arguments,
        reason = "they are the options of phrases, by name"
    )]
    #[pyo3(signature = (path, *, threshold, delta, min_count, passes, separator, workers))]
    fn write_phrases(
        &self,
        py: Python<'_>,
        path: PathBuf,
        threshold: f64,
        delta: Option<f64>,
        min_count: u64,
        passes: u32,
        separator: String,
        workers: Option<usize>,
    ) -> PyResult<()> {
        let options = PhraseOptions {
            threshold,
            delta,
            min_count,
            passes,
            separator,
            ..PhraseOptions::default()
        };
        let stop = Stop::default();
        let text = self.text.clone().stopping(stop.flag());
        supervise_quietly(py, &stop, || write_phrases(&text, &path, &options, workers))
    }
}

/// Writes a sentence, an iterable of words.
fn write_sentence(
    writer: &mut SentenceWriter,
    sentence: &Bound<'_, PyAny>,
    words: &mut u64,
) -> PyResult<()> {
    check_sentence(sentence, writer.sentence())?;
    let mut write = |word: Bound<'_, PyAny>| {
        *words += 1;
        if words.is_multiple_of(WORDS_BETWEEN_TURNS) {
            word.py().check_signals()?;
            // Other threads of Python may go on.
            word.py().detach(|| ());
        }
        let text = word
            .cast::<PyString>()
            .map_err(|_| wrong_word(&word, writer.sentence()))?;
        writer.word(text.to_str()?).map_err(exception)
    };
    if let Ok(list) = sentence.cast::<PyList>() {
        list.iter().try_for_each(write)?;
    } else if let Ok(tuple) = sentence.cast::<PyTuple>() {
        tuple.iter().try_for_each(write)?;
    } else {
        for word in sentence.try_iter()? {
            write(word?)?;
        }
    }
    writer.end_sentence().map_err(exception)
}

/// Checks that a sentence is no text and no record, whose items would be letters and names.
fn check_sentence(sentence: &Bound<'_, PyAny>, number: u64) -> PyResult<()> {
    let why = if sentence.is_instance_of::<PyString>() || sentence.is_instance_of::<PyBytes>() {
        "a sentence is a list of words: split it, as in `(line.split() for line in lines)`, or \
         pass the file's path as corpus_file="
    } else if sentence.is_instance_of::<PyDict>() {
        "a sentence is a list of words: take a column, as in `(row['tokens'] for row in rows)`"
    } else if sentence.try_iter().is_err() {
        "a sentence is a list of words"
    } else {
        return Ok(());
    };
    let kind = sentence.get_type().name()?;
    Err(PyTypeError::new_err(format!(
        "sentence {number} is of type {kind}: {why}"
    )))
}

fn wrong_word(word: &Bound<'_, PyAny>, sentence: u64) -> PyErr {
    let kind = word
        .get_type()
        .name()
        .map_or_else(|_| "?".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!(
        "sentence {sentence} has a word of type {kind}: words are str; for numbers take str(number)"
    ))
}

/// Counts words. Returns the frequent ones, and the numbers of all words, different words and
/// sentences.
fn counted(
    text: &w2v_gpu::Corpus,
    config: &Config,
    least: u64,
    workers: Option<usize>,
) -> Result<(Vocab, u64, u64, u64), Error> {
    let rules = Rules::read(&config.vocabulary.words)?;
    let pool = thread_pool(thread_count(workers)?, "counting words")?;
    let (counts, report) = pool.install(|| text.count(&rules, |_| ()))?;
    report.check_words()?;
    if counts.is_empty() && counts.undercount() == 0 {
        let why = "there is no word in the text; an iterator that was read once is empty when it \
                   is read again";
        return Err(Error::EmptyVocabulary {
            why: why.to_owned(),
        });
    }
    let (vocab, selection) = Vocab::select(&counts, least, None, &rules)?;
    Ok((vocab, report.words, selection.different, report.lines))
}

/// Writes a text with words joined that often come together.
fn write_phrases(
    text: &w2v_gpu::Corpus,
    path: &Path,
    options: &PhraseOptions,
    workers: Option<usize>,
) -> Result<(), Error> {
    let pool = thread_pool(thread_count(workers)?, "joining words")?;
    let file = File::create(path).map_err(Error::io("write", path))?;
    let mut out = BufWriter::new(file);
    pool.install(|| {
        let (phrases, _) = Phrases::find(text, options, |_| ())?;
        let mut write = |piece: &[u8]| out.write_all(piece).map_err(Error::io("write", path));
        phrases.apply(text, &mut write, |_| ())?;
        out.flush().map_err(Error::io("write", path))
    })
}
