//! A training run.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use w2v_gpu::batch::{HuffmanTree, RowTarget};
use w2v_gpu::config::{Loss, ModelKind, Preset};
use w2v_gpu::engine::choice::{EngineKind, EngineRequest};
use w2v_gpu::error::shown;
use w2v_gpu::event::{Epoch, Event};
use w2v_gpu::model::{Matrix, Model};
use w2v_gpu::record::log;
use w2v_gpu::subwords::SubwordTable;
use w2v_gpu::system::OsText;
use w2v_gpu::train::checkpoint::Folder;
use w2v_gpu::train::plan::Plan;
use w2v_gpu::train::{AfterEpoch, PreparedTrainer, TrainOptions};
use w2v_gpu::vocab::Vocab;
use w2v_gpu::{Config, Error, Trainer};

use crate::corpus::Corpus;
use crate::errors::{exception, renamed};
use crate::saving::Saving;
use crate::threads::{Stop, supervise};

/// Points of a run's curves.
const POINTS: u32 = 200;

/// W and W' as arrays of NumPy.
type Matrices<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<f32>>);

/// W and W' as views of such arrays.
type Start<'py> = (PyReadonlyArray2<'py, f32>, PyReadonlyArray2<'py, f32>);

/// Settings from JSON.
pub(crate) fn config(settings: &str) -> PyResult<Config> {
    let config: Config = serde_json::from_str(settings)
        .map_err(|error| PyValueError::new_err(renamed(&error.to_string())))?;
    config.validate().map_err(exception)?;
    Ok(config)
}

/// The default settings of a model, or those of another trainer for it, as JSON.
#[pyfunction]
#[pyo3(signature = (model, preset))]
pub(crate) fn defaults(model: &str, preset: Option<&str>) -> PyResult<String> {
    let model = match model {
        "cbow" => ModelKind::Cbow,
        _ => ModelKind::SkipGram,
    };
    let config = match preset {
        None => Config::of(model),
        Some("gensim") => Config::preset(Preset::Gensim, model),
        Some("word2vec") => Config::preset(Preset::Word2vec, model),
        Some("fasttext") => Config::preset(Preset::Fasttext, model),
        Some(other) => {
            let text = format!("preset {other:?}: use 'gensim', 'word2vec' or 'fasttext'");
            return Err(PyValueError::new_err(text));
        }
    };
    Ok(json!(config).to_string())
}

/// Checks settings.
#[pyfunction]
pub(crate) fn check(settings: &str) -> PyResult<()> {
    config(settings).map(drop)
}

/// The engine that is asked for.
fn request(
    engine: &str,
    adapter: Option<String>,
    workers: Option<usize>,
) -> PyResult<EngineRequest> {
    let kind = match engine {
        "auto" => None,
        "cpu" => Some(EngineKind::Cpu),
        "gpu" => Some(EngineKind::Gpu),
        other => {
            let text = format!("engine {other:?}: use 'auto', 'cpu' or 'gpu'");
            return Err(PyValueError::new_err(text));
        }
    };
    Ok(EngineRequest {
        kind,
        adapter,
        threads: workers,
        ..EngineRequest::default()
    })
}

/// A vocabulary of words that are in order.
pub(crate) fn vocabulary(words: &[String], counts: &[u64]) -> PyResult<Vocab> {
    if words.len() != counts.len() {
        let text = format!("{} words have {} counts", words.len(), counts.len());
        return Err(PyValueError::new_err(text));
    }
    let words = words.iter().map(String::as_str);
    Vocab::from_words(words.zip(counts.iter().copied()))
        .map_err(|word| PyValueError::new_err(format!("the word {word:?} is there twice")))
}

/// A copy of an array.
pub(crate) fn matrix(array: &PyReadonlyArray2<'_, f32>) -> PyResult<Matrix> {
    let [rows, dim] = *array.as_array().shape() else {
        unreachable!("an array of two dimensions");
    };
    if rows == 0 || dim == 0 {
        return Err(PyValueError::new_err("there are no vectors"));
    }
    let values = array.as_slice().map(<[f32]>::to_vec);
    let values = values.unwrap_or_else(|_| array.as_array().iter().copied().collect());
    Ok(Matrix::from_values(dim, values))
}

/// A matrix as an array, which takes its memory over.
pub(crate) fn array(py: Python<'_>, matrix: Matrix) -> PyResult<Bound<'_, PyArray2<f32>>> {
    let shape = [matrix.rows(), matrix.dim()];
    matrix.into_values().into_pyarray(py).reshape(shape)
}

fn arrays(py: Python<'_>, model: Model) -> PyResult<Matrices<'_>> {
    Ok((array(py, model.input)?, array(py, model.output)?))
}

/// The n-grams of the words, if the settings ask for subwords.
pub(crate) fn subword_table(config: &Config, vocab: &Vocab) -> Option<SubwordTable> {
    let words = vocab.words().zip(vocab.counts().iter().copied());
    let ngrams = config.model.ngrams()?;
    Some(SubwordTable::new(ngrams, words))
}

/// The model that training starts from: W is drawn from the seed, W' is zero.
#[pyfunction]
pub(crate) fn first_model<'py>(
    py: Python<'py>,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
) -> PyResult<Matrices<'py>> {
    let config = config(settings)?;
    let counts = counts.as_slice()?;
    let table = subword_table(&config, &vocabulary(&words, counts)?);
    let input_rows = table.map_or(counts.len(), |table| table.rows());
    let output_rows = match config.objective.loss {
        Loss::Hs => HuffmanTree::new(counts, config.objective.tree.arity).rows(),
        Loss::Ns | Loss::Softmax => counts.len(),
    };
    let (dim, seed) = (config.model.dim, config.model.seed);
    let model = Model::with_rows(input_rows, output_rows, dim, seed);
    arrays(py, model)
}

/// The code of each word in the tree of hierarchical softmax, a byte for each branch: 0 or 1.
#[pyfunction]
pub(crate) fn tree_codes(counts: PyReadonlyArray1<'_, u64>) -> PyResult<Vec<Cow<'static, [u8]>>> {
    let tree = HuffmanTree::new(counts.as_slice()?, 2);
    let bit = |target: &RowTarget| u8::from(!target.label());
    let code = |word| Cow::Owned(tree.path(word).iter().map(bit).collect());
    Ok((0..tree.words() as u32).map(code).collect())
}

/// Something that a run tells on the way.
struct Message {
    /// What it is about.
    kind: &'static str,
    /// A text, or JSON.
    text: String,
    /// The model after an epoch, and who waits until it was looked at.
    model: Option<(Model, Sender<()>)>,
}

impl Message {
    fn new(kind: &'static str, text: impl ToString) -> Self {
        Self {
            kind,
            text: text.to_string(),
            model: None,
        }
    }

    /// The message about an event; `None` if nobody asks for it.
    fn of(event: Event) -> Option<Self> {
        Some(match event {
            Event::Reading { bytes, total, .. } => {
                Self::new("reading", json!({ "bytes": bytes, "total": total }))
            }
            Event::Noted { path, what } => {
                Self::new("warning", format!("{}: {what}", shown(&path)))
            }
            Event::Progress(progress) => Self::new("progress", record(&progress)),
            Event::Point(point) => Self::new("point", record(&point)),
            Event::Epoch(epoch) => Self::new("epoch", json!(epoch)),
            Event::Saved(saved) => Self::new("info", format!("saved {}", shown(&saved.path))),
            Event::NotSaved { why } => Self::new("warning", why),
            _ => return None,
        })
    }

    /// Hands the message to the listener of Python.
    fn hand(self, py: Python<'_>, listener: &Py<PyAny>) -> PyResult<()> {
        match self.model {
            None => listener.call1(py, (self.kind, self.text, py.None()))?,
            Some((model, looked)) => {
                let done = listener.call1(py, (self.kind, self.text, arrays(py, model)?))?;
                // The run may have failed meanwhile, and wait for nobody.
                let _ = looked.send(());
                done
            }
        };
        Ok(())
    }
}

/// A record as JSON, with its times in seconds.
fn record(fields: &impl Serialize) -> Value {
    log::object(fields).unwrap_or_default().into()
}

/// The settings of `config` that were left to the program, which `given` lacks.
fn automatic(given: &Config, config: &Config) -> Vec<String> {
    let (given, config) = (given.settings(), config.settings());
    let is_automatic = |name: &&String| given[*name].is_null() && !config[*name].is_null();
    config.keys().filter(is_automatic).cloned().collect()
}

/// What a run needs beside its corpus.
struct Job {
    config: Config,
    request: EngineRequest,
    vocab: Vocab,
    start: Option<Model>,
    saving: Saving,
    /// The time between two reports of progress.
    interval: Duration,
    /// Whether the model is wanted after each epoch.
    is_watched: bool,
}

/// A run that is ready to start.
struct Prepared {
    trainer: PreparedTrainer,
    start: Option<Model>,
    saving: Saving,
    /// Where the run is saved.
    folder: Option<Folder>,
}

/// A run's result: the model, and a report as JSON.
type Trained = (Model, String);

impl Job {
    fn prepare(
        self,
        text: &w2v_gpu::Corpus,
        messages: &Sender<Message>,
    ) -> Result<Prepared, Error> {
        let (folder, loaded) = self.saving.open()?;
        let resumed = loaded.map(|loaded| {
            for damage in loaded.damaged {
                let text = format!("{damage}; the checkpoint before it is used");
                tell(messages, Message::new("warning", renamed(&text)));
            }
            loaded.checkpoint
        });
        let trainer = Trainer::open(self.config, self.request, resumed)?;
        tell(messages, Message::new("info", trainer.choice_line()));
        let hear = |event| tell(messages, Message::of(event));
        let prepared = trainer.prepare_with(text, self.vocab, hear)?;
        for warning in prepared.data().prepared.warnings() {
            tell(messages, Message::new("warning", renamed(&warning)));
        }
        Ok(Prepared {
            trainer: prepared,
            start: self.start,
            saving: self.saving,
            folder,
        })
    }

    /// Trains.
    fn run(
        self,
        text: &w2v_gpu::Corpus,
        stop: &Stop,
        messages: Sender<Message>,
    ) -> Result<Trained, Error> {
        let (interval, is_watched) = (self.interval, self.is_watched);
        let given = self.config.clone();
        let Prepared {
            trainer: prepared,
            start,
            saving,
            folder,
        } = self.prepare(text, &messages)?;
        let checkpoints = folder.as_ref().map(Folder::path);
        prepared.plan(Vec::new(), checkpoints).check()?;
        let mut trainer = match &start {
            Some(model) => {
                check_shape(&prepared, model)?;
                prepared.start_from(model)?
            }
            None => prepared.start()?,
        };
        drop(start);
        if let Some(line) = trainer.instead() {
            tell(&messages, Message::new("warning", renamed(line)));
        }
        let watch = |epoch: Epoch, model: Model| show(&messages, epoch, model);
        let stop = stop.flag();
        let mut saver = saving.saver(folder, &trainer);
        let options = TrainOptions {
            interval,
            points: POINTS,
            saver: saver.as_mut(),
            stop: Some(&stop),
            after_epoch: is_watched.then(|| AfterEpoch(Box::new(watch))),
            ..TrainOptions::default()
        };
        let hear = |event| tell(&messages, Message::of(event));
        let (model, summary) = trainer.train(options, hear)?;
        let ended = trainer.end();
        let config = &ended.data.config;
        let report = json!({
            "summary": record(&summary),
            "engine": ended.engine,
            "threads": ended.threads.current_num_threads(),
            "settings": record(config),
            "automatic": automatic(&given, config),
            "prepared": record(&ended.data.prepared),
            "corpus": text.files().map(OsText::from).collect::<Vec<_>>(),
            "version": log::VERSION,
            "program": concat!("w2v-gpu ", env!("CARGO_PKG_VERSION")),
        });
        Ok((model, report.to_string()))
    }
}

/// Sends a message, if there is one. Nobody hears it any more when the run is to stop.
fn tell(messages: &Sender<Message>, message: impl Into<Option<Message>>) {
    if let Some(message) = message.into() {
        let _ = messages.send(message);
    }
}

/// Shows the model after an epoch, and waits until it was looked at.
fn show(messages: &Sender<Message>, epoch: Epoch, model: Model) {
    let (looked, answer) = channel();
    tell(
        messages,
        Message {
            model: Some((model, looked)),
            ..Message::new("model", json!(epoch))
        },
    );
    // An error means that nobody looks any more, as the run is to stop.
    let _ = answer.recv();
}

/// Checks that a model to start from has the rows that the run needs.
fn check_shape(prepared: &PreparedTrainer, model: &Model) -> Result<(), Error> {
    let data = prepared.data();
    let needed = [data.batcher.input_rows(), data.batcher.output_rows()];
    let given = [model.input.rows(), model.output.rows()];
    let dim = data.config.model.dim;
    if needed == given && [model.input.dim(), model.output.dim()] == [dim, dim] {
        return Ok(());
    }
    let why = format!(
        "the matrices have {given:?} rows of {} and {} values, and the run needs {needed:?} of \
         {dim}",
        model.input.dim(),
        model.output.dim()
    );
    Err(Error::setting("start", "", why))
}

/// Trains, without the GIL. `listener` is called with the kind of each message, its text, and the
/// model after an epoch or None. Returns W, W', a report as JSON, and an exception if one stopped
/// the run.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one call hands everything over")]
#[expect(clippy::type_complexity, reason = "the tuple is what Python unpacks")]
#[pyo3(signature = (corpus, settings, words, counts, start, *, engine, adapter, workers, checkpoint, every, resume, interval, is_watched, stop, listener))]
pub(crate) fn train<'py>(
    py: Python<'py>,
    corpus: &Corpus,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    start: Option<Start<'py>>,
    engine: &str,
    adapter: Option<String>,
    workers: Option<usize>,
    checkpoint: Option<PathBuf>,
    every: Option<&str>,
    resume: Option<PathBuf>,
    interval: f64,
    is_watched: bool,
    stop: &Stop,
    listener: Py<PyAny>,
) -> PyResult<(
    Bound<'py, PyArray2<f32>>,
    Bound<'py, PyArray2<f32>>,
    String,
    Option<PyErr>,
)> {
    let start = start.map(|(input, output)| {
        Ok::<_, PyErr>(Model {
            input: matrix(&input)?,
            output: matrix(&output)?,
        })
    });
    let job = Job {
        config: config(settings)?,
        request: request(engine, adapter, workers)?,
        vocab: vocabulary(&words, counts.as_slice()?)?,
        start: start.transpose()?,
        saving: Saving::new(checkpoint, every, resume)?,
        interval: Duration::from_secs_f64(interval),
        is_watched,
    };
    drop(words);
    let text = corpus.text.clone().stopping(stop.flag());
    let (trained, raised) = supervise(
        py,
        stop,
        |messages| job.run(&text, stop, messages),
        |py, message: Message| message.hand(py, &listener),
    );
    match (trained, raised) {
        (Ok((model, report)), raised) => {
            let (input, output) = arrays(py, model)?;
            Ok((input, output, report, raised))
        }
        (Err(_), Some(raised)) => Err(raised),
        (Err(error), None) => Err(exception(error)),
    }
}

/// What a run would need of memory and disk, as JSON.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "one call hands everything over")]
#[pyo3(signature = (corpus, settings, words, counts, *, engine, adapter, workers))]
pub(crate) fn plan<'py>(
    py: Python<'py>,
    corpus: &Corpus,
    settings: &str,
    words: Vec<String>,
    counts: PyReadonlyArray1<'py, u64>,
    engine: &str,
    adapter: Option<String>,
    workers: Option<usize>,
) -> PyResult<String> {
    let job = Job {
        config: config(settings)?,
        request: request(engine, adapter, workers)?,
        vocab: vocabulary(&words, counts.as_slice()?)?,
        start: None,
        saving: Saving::default(),
        interval: Duration::ZERO,
        is_watched: false,
    };
    let stop = Stop::default();
    let text = corpus.text.clone().stopping(stop.flag());
    let work = |messages| {
        Ok(job
            .prepare(&text, &messages)?
            .trainer
            .plan(Vec::new(), None))
    };
    let (plan, raised): (Result<Plan, Error>, _) = supervise(py, &stop, work, |_, _| Ok(()));
    raised.map_or_else(|| Ok(json!(plan.map_err(exception)?).to_string()), Err)
}
