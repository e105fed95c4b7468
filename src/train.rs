//! The training loop: batcher to engine, with reports on the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::batcher::{Source, Windows};
use crate::config::Config;
use crate::corpus::Corpus;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::{Epoch, Event, Pass, Prepared, Progress};
use crate::sampling::{AliasTable, Subsampler};
use crate::schedule::{Schedule, auto_batch};
use crate::vocab::Vocab;

/// A corpus ready to be trained on.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// The words.
    pub vocab: Vocab,
    /// What batches are made of.
    pub source: Arc<Source>,
    /// What the corpus holds.
    pub prepared: Prepared,
}

impl Dataset {
    /// Counts and encodes a corpus on the threads of the current rayon pool.
    ///
    /// # Errors
    /// When the configuration, a file or the resulting vocabulary is not fit for training.
    pub fn prepare(corpus: &Corpus, config: &Config, mut on_event: impl FnMut(Event) + Send) -> Result<Self> {
        config.validate()?;
        let total = corpus.bytes();
        let (counts, _) = corpus.count(|bytes| on_event(Event::Reading { pass: Pass::Count, bytes, total }))?;
        let vocab = Vocab::from_counts(&counts, config.min_count, config.max_vocab)?;
        let different = counts.len() as u64;
        drop(counts);
        if vocab.len() < 2 {
            return Err(Error::EmptyVocabulary {
                why: "only one word is left, and a pair needs two; lower --min-count or raise --max-vocab".to_owned(),
            });
        }
        let (store, text) =
            corpus.encode(&vocab, |bytes| on_event(Event::Reading { pass: Pass::Encode, bytes, total }))?;
        let subsampler = Subsampler::new(vocab.counts(), config.sample);
        let kept = subsampler.expected();
        let prepared = Prepared { text, different, vocabulary: vocab.len() as u64, tokens: store.tokens(), kept };
        on_event(Event::Prepared(prepared));
        let source = Source {
            store,
            subsampler,
            noise: AliasTable::noise(vocab.counts(), config.ns_exponent),
            words: vocab.len(),
            windows: Windows { window: config.window, fixed: config.fixed_window, negative: config.negative },
            epochs: config.epochs,
            seed: config.seed,
            shuffle: !config.no_shuffle,
            batch: config.batch.unwrap_or_else(|| auto_batch(kept * f64::from(config.epochs))),
        };
        Ok(Self { vocab, source: Arc::new(source), prepared })
    }

    /// Words of all epochs.
    pub fn total_words(&self) -> u64 {
        self.source.store.tokens() * u64::from(self.source.epochs)
    }
}

/// How a run went.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Summary {
    /// Minibatches trained.
    pub steps: u64,
    /// Words of the corpus seen.
    pub words: u64,
    /// Pairs trained.
    pub pairs: u64,
    /// Mean loss per pair over the last epoch.
    pub loss: f64,
    /// Time from the first batch asked for to the last one done.
    pub elapsed: Duration,
    /// Of that, time spent waiting for the batcher.
    pub waited: Duration,
}

/// Trains `engine` on all batches of `data`, made by `batcher_threads` threads; reports every `interval`.
///
/// # Errors
/// When a batch cannot be read, the engine fails, or the loss is no longer a finite number.
pub fn train(
    data: &Dataset,
    config: &Config,
    engine: &mut dyn Engine,
    batcher_threads: usize,
    interval: Duration,
    mut on_event: impl FnMut(Event),
) -> Result<Summary> {
    let total_words = data.total_words();
    let schedule = Schedule::new(config.lr, config.min_lr, total_words);
    let start = Instant::now();
    let mut last_report = start;
    let mut waited = Duration::ZERO;
    let (mut steps, mut words, mut pairs) = (0, 0, 0);
    let (mut interval_loss, mut epoch) = (Mean::default(), EpochLoss::default());
    let mut lr = schedule.lr(0);
    let mut batches = data.source.batches(batcher_threads);
    loop {
        let asked = Instant::now();
        let Some(batch) = batches.next() else { break };
        waited += asked.elapsed();
        let batch = batch?;
        if batch.epoch != epoch.number {
            interval_loss.add(read_loss(engine, steps, lr, &mut epoch)?);
            on_event(Event::Epoch(epoch.end(batch.epoch)));
        }
        lr = schedule.lr(batch.words_before);
        engine.step(&batch, lr)?;
        steps += 1;
        words = batch.words_before + batch.words;
        pairs += batch.pairs();
        epoch.pending += batch.pairs();
        batches.recycle(batch);
        if last_report.elapsed() >= interval {
            interval_loss.add(read_loss(engine, steps, lr, &mut epoch)?);
            let (loss, elapsed) = (interval_loss.take(), start.elapsed());
            on_event(Event::Progress(Progress {
                epoch: epoch.number,
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
    }
    read_loss(engine, steps, lr, &mut epoch)?;
    if pairs == 0 {
        return Err(Error::EmptyVocabulary {
            why: "no two words of the vocabulary stand in one sentence; lower --min-count, or raise --sample (0 keeps all)"
                .to_owned(),
        });
    }
    let last = epoch.end(0);
    on_event(Event::Epoch(last));
    Ok(Summary { steps, words, pairs, loss: last.loss, elapsed: start.elapsed(), waited })
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

    fn take(&mut self) -> f64 {
        let Self { sum, pairs } = std::mem::take(self);
        sum / pairs.max(1) as f64
    }
}

/// The loss of the epoch at hand.
#[derive(Clone, Copy, Debug, Default)]
struct EpochLoss {
    number: u32,
    read: Mean,
    /// Pairs whose loss the engine still holds.
    pending: u64,
}

impl EpochLoss {
    fn end(&mut self, next: u32) -> Epoch {
        let mut done = std::mem::replace(self, Self { number: next, ..Self::default() });
        Epoch { epoch: done.number, pairs: done.read.pairs, loss: done.read.take() }
    }
}

/// Takes the loss from the engine; this is where a run that diverged is noticed.
fn read_loss(engine: &mut dyn Engine, step: u64, lr: f32, epoch: &mut EpochLoss) -> Result<Mean> {
    let sum = engine.take_loss()?;
    if !sum.is_finite() {
        return Err(Error::Diverged { step, lr });
    }
    let read = Mean { sum, pairs: std::mem::take(&mut epoch.pending) };
    epoch.read.add(read);
    Ok(read)
}
