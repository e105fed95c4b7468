//! The training loop: batcher to engine, with reports on the way.

use std::time::{Duration, Instant};

use crate::batch::Batch;
use crate::dataset::Dataset;
use crate::engine::{Engine, Objective};
use crate::error::{Error, Result};
use crate::event::{Epoch, Event, Progress};
use crate::model::Model;
use crate::schedule::Schedule;

/// A run has diverged when its mean loss is this many times that of a model whose scores are all zero.
const DIVERGED: f64 = 10.0;

/// How a run went.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Summary {
    /// Minibatches trained.
    pub steps: u64,
    /// Words of the corpus seen.
    pub words: u64,
    /// Pairs trained.
    pub pairs: u64,
    /// Epochs trained.
    pub epochs: u32,
    /// The epoch whose model was taken, from 0: the last one, or with `patience` that of the lowest validation loss.
    pub model_epoch: u32,
    /// Mean loss per pair over that epoch.
    pub loss: f64,
    /// Mean loss per pair of the sentences held out, after that epoch.
    pub validation: Option<f64>,
    /// Time from the first batch asked for to the last one done.
    pub elapsed: Duration,
    /// Of that, time spent waiting for the batcher.
    pub waited: Duration,
}

/// Trains `engine` on all batches of `data`, made by `batcher_threads` threads; reports every `interval`.
///
/// With `patience` in the configuration the run may end early, and the model is that of the epoch with the lowest
/// validation loss.
///
/// # Errors
/// When a batch cannot be read, the engine fails, or training diverges.
pub fn train(
    data: &Dataset,
    engine: &mut dyn Engine,
    batcher_threads: usize,
    interval: Duration,
    mut on_event: impl FnMut(Event),
) -> Result<(Model, Summary)> {
    let total_words = data.total_words();
    let schedule = Schedule::new(data.config.lr, data.config.min_lr, total_words);
    let (start, mut last_report) = (Instant::now(), Instant::now());
    let mut waited = Duration::ZERO;
    let (mut steps, mut words, mut pairs, mut epoch) = (0, 0, 0, 0);
    let (mut epoch_loss, mut interval_loss) = (Mean::default(), Mean::default());
    let mut unread = Unread::new(data);
    let mut best = data.config.patience.map(Best::new);
    let mut batches = data.source.batches(batcher_threads);
    let mut next = batches.next().transpose()?;
    let last = loop {
        let mut lr = schedule.lr(words);
        while let Some(batch) = next.take_if(|batch| batch.epoch == epoch) {
            lr = schedule.lr(batch.words_before);
            engine.step(&batch, lr)?;
            unread.add(&batch);
            steps += 1;
            words = batch.words_before + batch.words;
            pairs += batch.pairs();
            batches.recycle(batch);
            if last_report.elapsed() >= interval {
                let read = unread.take(engine, steps, lr)?;
                epoch_loss.add(read);
                interval_loss.add(read);
                let (loss, elapsed) = (interval_loss.take(), start.elapsed());
                on_event(Event::Progress(Progress {
                    epoch,
                    step: steps,
                    words,
                    total_words,
                    pairs,
                    loss,
                    lr,
                    elapsed,
                }));
                last_report = Instant::now();
            }
            let asked = Instant::now();
            next = batches.next().transpose()?;
            waited += asked.elapsed();
        }
        let read = unread.take(engine, steps, lr)?;
        epoch_loss.add(read);
        interval_loss.add(read);
        let pairs = epoch_loss.pairs;
        let validation = validation_loss(data, engine, batcher_threads, steps, lr)?;
        let done = Epoch { epoch, pairs, loss: epoch_loss.take(), validation };
        on_event(Event::Epoch(done));
        let enough = match &mut best {
            Some(best) => best.has_waited_enough(done, engine)?,
            None => false,
        };
        if next.is_none() || enough {
            break done;
        }
        epoch += 1;
    };
    if pairs == 0 {
        return Err(Error::EmptyVocabulary {
            why: "no two words of the vocabulary stand in one sentence; lower --min-count, or raise --sample (0 keeps all)"
                .to_owned(),
        });
    }
    let elapsed = start.elapsed();
    let (taken, model) = match best.and_then(|best| best.found) {
        Some(found) => found,
        None => (last, engine.model()?),
    };
    let Epoch { epoch: model_epoch, loss, validation, .. } = taken;
    Ok((model, Summary { steps, words, pairs, epochs: epoch + 1, model_epoch, loss, validation, elapsed, waited }))
}

/// The mean loss per pair of the sentences held out, at the model as it stands.
fn validation_loss(data: &Dataset, engine: &mut dyn Engine, threads: usize, step: u64, lr: f32) -> Result<Option<f64>> {
    let Some(source) = &data.validation else { return Ok(None) };
    let mut unread = Unread::new(data);
    let mut batches = source.batches(threads);
    while let Some(batch) = batches.next().transpose()? {
        engine.step(&batch, 0.0)?;
        unread.add(&batch);
        batches.recycle(batch);
    }
    Ok(Some(unread.take(engine, step, lr)?.take()))
}

/// A sum with its number of pairs.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    pairs: u64,
}

impl Mean {
    fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.pairs += other.pairs;
    }

    /// The mean so far; begins anew.
    fn take(&mut self) -> f64 {
        let Self { sum, pairs } = std::mem::take(self);
        sum / pairs.max(1) as f64
    }
}

/// The batches whose loss the engine still holds.
#[derive(Debug)]
struct Unread {
    objective: Objective,
    output_rows: usize,
    pairs: u64,
    /// Their loss if all scores were zero.
    blank: f64,
}

impl Unread {
    fn new(data: &Dataset) -> Self {
        Self { objective: data.objective(), output_rows: data.source.output_rows(), pairs: 0, blank: 0.0 }
    }

    fn add(&mut self, batch: &Batch) {
        self.pairs += batch.pairs();
        self.blank += self.objective.blank_loss(batch, self.output_rows);
    }

    /// Takes their loss from the engine; this is where a run that diverged is noticed.
    fn take(&mut self, engine: &mut dyn Engine, step: u64, lr: f32) -> Result<Mean> {
        let (sum, pairs) = (engine.take_loss()?, std::mem::take(&mut self.pairs));
        let blank = std::mem::take(&mut self.blank);
        if !sum.is_finite() || sum > DIVERGED * blank.max(f64::MIN_POSITIVE) {
            let per_pair = |sum: f64| sum / pairs.max(1) as f64;
            return Err(Error::Diverged { step, lr, loss: per_pair(sum), blank: per_pair(blank) });
        }
        Ok(Mean { sum, pairs })
    }
}

/// The epoch with the lowest validation loss.
#[derive(Debug)]
struct Best {
    patience: u32,
    /// Epochs since then.
    since: u32,
    found: Option<(Epoch, Model)>,
}

impl Best {
    fn new(patience: u32) -> Self {
        Self { patience, since: 0, found: None }
    }

    /// Whether the validation loss has gone `patience` epochs without a new low.
    fn has_waited_enough(&mut self, done: Epoch, engine: &mut dyn Engine) -> Result<bool> {
        if self.found.as_ref().is_none_or(|(best, _)| done.validation < best.validation) {
            self.found = Some((done, engine.model()?));
            self.since = 0;
        } else {
            self.since += 1;
        }
        Ok(self.since >= self.patience)
    }
}
