//! Training in four steps: open, prepare, start, train.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rayon::ThreadPool;

use super::cache::Cache;
use super::checkpoint::Checkpoint;
use super::dataset::Dataset;
use super::init::{self, Init};
use super::plan::{Estimate, Plan, Setup, probe};
use super::run::{Summary, TrainOptions, train};
use super::state::Snapshot;
use super::together::train_together;
use crate::config::Config;
use crate::corpus::Corpus;
use crate::engine::Engine;
use crate::engine::choice::{Choice, EngineKind, EngineRequest, Process};
use crate::error::Result;
use crate::event::Event;
use crate::model::{Embedding, Matrix, Model};
use crate::system::thread_pool;
use crate::vectors::Vectors;
use crate::vocab::Vocab;

/// A trainer, which makes word vectors from a corpus. Its settings are checked and its engine is
/// chosen; nothing is read or started yet.
///
/// A trainer has its own threads and shares nothing with other trainers. So several may train in
/// one process, one after the other or at once.
///
/// ```
/// use w2v_gpu::config::Config;
/// use w2v_gpu::corpus::Corpus;
/// use w2v_gpu::train::Trainer;
///
/// # fn main() -> w2v_gpu::Result<()> {
/// let config = Config::with(|config| {
///     config.model.dim = 50;
///     config.schedule.epochs = 1;
/// });
/// let corpus = Corpus::open(&["data/corpus.txt".into()])?;
/// let vectors = Trainer::new(config)?.prepare(&corpus, |_| ())?.start()?.vectors()?;
/// assert_eq!(vectors.matrix.dim(), 50);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Trainer {
    config: Config,
    /// The engine of each rank; at least one.
    choices: Vec<Choice>,
    choice_line: String,
    /// The threads for all work but the engine's and the batcher's: reading, scoring, writing.
    threads: Arc<ThreadPool>,
    resumed: Option<Checkpoint>,
}

impl Trainer {
    /// A trainer for the engine that suits the machine.
    ///
    /// # Errors
    /// As [`Trainer::open`].
    pub fn new(config: Config) -> Result<Self> {
        Self::open(config, EngineRequest::default(), None)
    }

    /// A trainer for the requested engine, from a checkpoint if there is one. Settings that
    /// `config` leaves to be chosen are taken from the checkpoint, and so is the engine.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting out of its range, for settings that
    /// contradict each other, and for settings that differ from the checkpoint's;
    /// [`Error::Adapter`](crate::Error::Adapter) when no adapter fits; as [`init::check`] for the
    /// vectors to start from.
    pub fn open(
        config: Config,
        mut request: EngineRequest,
        resumed: Option<Checkpoint>,
    ) -> Result<Self> {
        config.validate()?;
        let config = match &resumed {
            Some(checkpoint) => checkpoint.complete(&config)?,
            None => config,
        };
        if let Some(checkpoint) = &resumed {
            request.resumed = EngineKind::of_description(checkpoint.run.engine());
        } else {
            init::check(&config)?;
        }
        let (choices, choice_line) = Choice::of_ranks(&request, config.ranks.ranks)?;
        Ok(Self {
            choice_line,
            resumed,
            ..Self::on(config, choices, request.process)?
        })
    }

    /// A trainer for an engine that is chosen already.
    ///
    /// # Errors
    /// As [`Trainer::open`], but for the choice of the engine.
    pub fn with_choice(config: Config, choice: Choice) -> Result<Self> {
        config.validate()?;
        init::check(&config)?;
        let choices = vec![choice; config.ranks.ranks.unwrap_or(1)];
        Self::on(config, choices, None)
    }

    /// A trainer with settings that are checked.
    fn on(mut config: Config, choices: Vec<Choice>, process: Option<Process>) -> Result<Self> {
        let first = &choices[0];
        first.check_storage(config.model.storage)?;
        let ranks = process.map_or(choices.len(), |process| process.ranks);
        config.ranks.ranks = (ranks > 1).then_some(ranks);
        config.check_ranks(first.kind() == EngineKind::Cpu)?;
        let count = choices.iter().map(Choice::threads).sum();
        let threads = Arc::new(thread_pool(count, "reading the corpus")?);
        Ok(Self {
            config,
            choice_line: format!("engine: {}, as asked", first.name()),
            choices,
            threads,
            resumed: None,
        })
    }

    /// The engine that will train; of several ranks, that of the first.
    pub fn choice(&self) -> &Choice {
        &self.choices[0]
    }

    /// Which engine will train and why, in one line.
    pub fn choice_line(&self) -> &str {
        &self.choice_line
    }

    /// Counts and encodes a corpus.
    ///
    /// # Errors
    /// As [`Dataset::prepare`].
    pub fn prepare(
        self,
        corpus: &Corpus,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<PreparedTrainer> {
        self.prepare_cached(corpus, None, on_event)
    }

    /// Counts and encodes a corpus and writes it to a cache, or takes it from there.
    ///
    /// # Errors
    /// As [`Dataset::prepare_cached`]; [`Error::Setting`](crate::Error::Setting) when the corpus
    /// differs from the checkpoint's.
    pub fn prepare_cached(
        self,
        corpus: &Corpus,
        cache: Option<&Cache>,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<PreparedTrainer> {
        self.prepare_by(|config| Dataset::prepare_cached(corpus, config, cache, on_event))
    }

    /// Encodes a corpus with a vocabulary that is chosen already.
    ///
    /// # Errors
    /// As [`Dataset::prepare_with`]; [`Error::Setting`](crate::Error::Setting) when the corpus
    /// differs from the checkpoint's.
    pub fn prepare_with(
        self,
        corpus: &Corpus,
        vocab: Vocab,
        on_event: impl FnMut(Event) + Send,
    ) -> Result<PreparedTrainer> {
        self.prepare_by(|config| Dataset::prepare_with(corpus, vocab, config, on_event))
    }

    fn prepare_by(
        self,
        prepare: impl FnOnce(&Config) -> Result<Dataset> + Send,
    ) -> Result<PreparedTrainer> {
        let Self {
            config,
            choices,
            threads,
            resumed,
            ..
        } = self;
        let data = threads.install(|| prepare(&config))?;
        if let Some(checkpoint) = &resumed {
            checkpoint.check(&data)?;
        }
        Ok(PreparedTrainer {
            data,
            choices,
            threads,
            resumed,
        })
    }
}

/// A trainer whose corpus is counted and encoded.
#[derive(Debug)]
pub struct PreparedTrainer {
    data: Dataset,
    /// The engine of each rank; at least one.
    choices: Vec<Choice>,
    threads: Arc<ThreadPool>,
    resumed: Option<Checkpoint>,
}

impl PreparedTrainer {
    /// The corpus that will be trained on.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The corpus, to be cut into other batches.
    pub(crate) fn data_mut(&mut self) -> &mut Dataset {
        &mut self.data
    }

    /// The engine that will train; of several ranks, that of the first.
    pub fn choice(&self) -> &Choice {
        &self.choices[0]
    }

    /// The memory, disk space and time that the run needs. `files` are the files that will be
    /// written, with their sizes in bytes. `checkpoints` is the folder of the run's checkpoints, if
    /// there are any.
    pub fn plan(&self, files: Vec<(PathBuf, u64)>, checkpoints: Option<&Path>) -> Plan {
        let setup = Setup {
            choices: &self.choices,
            checkpoints,
            files,
        };
        Plan::new(&self.data, &setup)
    }

    /// The model of a run that starts anew, what it was started from, and a line for each file of
    /// given vectors that holds something odd.
    ///
    /// # Errors
    /// As [`init::start`].
    pub fn first_model(&self) -> Result<(Model, Init, Vec<String>)> {
        self.threads.install(|| init::start(&self.data))
    }

    /// Brings a model to any engine, which then takes batches of this corpus. `measure` says
    /// whether its stages are to be timed.
    ///
    /// # Errors
    /// As [`Choice::start`].
    pub fn start_engine(
        &self,
        choice: &Choice,
        model: &Model,
        measure: bool,
    ) -> Result<Box<dyn Engine + Send>> {
        let (objective, settings) = (self.data.objective(), self.data.step_settings());
        choice.start(model, objective, settings, measure)
    }

    /// Brings the model to the engine: the first model, or the checkpoint's.
    ///
    /// # Errors
    /// As [`init::start`] for the vectors to start from, and as [`Choice::start_or_fall_back`].
    pub fn start(mut self) -> Result<StartedTrainer> {
        if let Some(Checkpoint { run, snapshot, .. }) = self.resumed.take() {
            let started = self.start_on(&snapshot.model, run.init(), Vec::new())?;
            return Ok(StartedTrainer {
                resumed: Some(snapshot),
                ..started
            });
        }
        let (model, init, odd) = self.first_model()?;
        self.start_on(&model, init, odd)
    }

    /// Brings a model of the caller to the engine. It has the rows that
    /// [`first_model`](Self::first_model) has.
    ///
    /// # Errors
    /// As [`Choice::start_or_fall_back`].
    ///
    /// # Panics
    /// When the model has another shape.
    pub fn start_from(self, model: &Model) -> Result<StartedTrainer> {
        let shape = |matrix: &Matrix| (matrix.rows(), matrix.dim());
        let (batcher, dim) = (&self.data.batcher, self.data.config.model.dim);
        assert_eq!(shape(&model.input), (batcher.input_rows(), dim));
        assert_eq!(shape(&model.output), (batcher.output_rows(), dim));
        self.start_on(model, Init::default(), Vec::new())
    }

    fn start_on(self, model: &Model, init: Init, odd: Vec<String>) -> Result<StartedTrainer> {
        let Self {
            data,
            choices,
            threads,
            ..
        } = self;
        let (objective, settings) = (data.objective(), data.step_settings());
        let (first, others) = choices.split_first().expect("at least one rank");
        let started = first.start_or_fall_back(model, objective, settings)?;
        let others = others
            .iter()
            .map(|choice| choice.start(model, objective, settings, false))
            .collect::<Result<_>>()?;
        Ok(StartedTrainer {
            data,
            engine: started.engine,
            others,
            instead: started.instead,
            batcher_threads: started.batcher_threads,
            threads,
            init,
            odd,
            resumed: None,
        })
    }
}

/// A trainer whose engine holds the model.
pub struct StartedTrainer {
    data: Dataset,
    engine: Box<dyn Engine + Send>,
    /// The engines of the other ranks.
    others: Vec<Box<dyn Engine + Send>>,
    instead: Option<String>,
    batcher_threads: usize,
    threads: Arc<ThreadPool>,
    init: Init,
    odd: Vec<String>,
    resumed: Option<Snapshot>,
}

impl StartedTrainer {
    /// The corpus that is trained on.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Where another engine trains than the trainer chose: which and why, in one line.
    pub fn instead(&self) -> Option<&str> {
        self.instead.as_deref()
    }

    /// The given vectors that the model was started from.
    pub fn init(&self) -> Init {
        self.init
    }

    /// A line for each file of such vectors that holds something odd.
    pub fn odd(&self) -> &[String] {
        &self.odd
    }

    /// The state from which the run resumes; `None` if it starts anew.
    pub fn resumed(&self) -> Option<&Snapshot> {
        self.resumed.as_ref()
    }

    /// The threads for work beside the training, such as writing vectors.
    pub fn threads(&self) -> &Arc<ThreadPool> {
        &self.threads
    }

    /// Trains for about `limit` and estimates the time of the run. The model cannot be used for
    /// anything else afterwards.
    ///
    /// # Errors
    /// An error when a batch cannot be read or the engine fails.
    pub fn probe(&mut self, limit: Duration) -> Result<Estimate> {
        probe(&self.data, &mut *self.engine, self.batcher_threads, limit)
    }

    /// Trains to the end, or until the caller asks the run to stop. Ranks that are processes are in
    /// the options.
    ///
    /// # Errors
    /// As [`train`](super::train).
    pub fn train(
        &mut self,
        options: TrainOptions<'_>,
        on_event: impl FnMut(Event),
    ) -> Result<(Model, Summary)> {
        let options = TrainOptions {
            batcher_threads: self.batcher_threads,
            threads: Some(&self.threads),
            resume: self.resumed.take(),
            ..options
        };
        if self.others.is_empty() {
            return train(&self.data, &mut *self.engine, options, on_event);
        }
        let (own, others) = (&mut *self.engine, &mut self.others[..]);
        train_together(&self.data, own, others, options, on_event)
    }

    /// Ends the engine, and returns the rest of the trainer.
    pub fn end(self) -> Ended {
        Ended {
            engine: self.engine.describe(),
            data: self.data,
            init: self.init,
            threads: self.threads,
        }
    }

    /// Trains to the end, and returns the vectors of the words as centers.
    ///
    /// # Errors
    /// As [`train`](super::train).
    pub fn vectors(mut self) -> Result<Vectors> {
        let (model, _) = self.train(TrainOptions::default(), |_| ())?;
        let matrix = self.data.embedding(model, Embedding::Input);
        Ok(Vectors::new(self.data.vocab, matrix))
    }
}

/// The rest of a trainer whose engine has ended.
#[derive(Debug)]
pub struct Ended {
    /// The corpus that was trained on.
    pub data: Dataset,
    /// The description of the engine, in one line.
    pub engine: String,
    /// The given vectors that the model was started from.
    pub init: Init,
    /// The threads for work after the training, such as writing vectors.
    pub threads: Arc<ThreadPool>,
}
