//! The training loop: takes batches from the batcher to the engine, with reports and checkpoints on
//! the way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::checkpoint::Saver;
use super::dataset::Dataset;
use super::ranks::{Meeting, Ranks, Tally, Team};
use super::row_limit::Touched;
use super::schedule::Schedule;
use super::state::{Mean, Snapshot, TrainState};
use rayon::ThreadPool;

use crate::batch::{Batch, Batches};
use crate::engine::{Engine, Objective};
use crate::error::{Error, Result};
use crate::eval::Sets;
use crate::event::{Epoch, Evaluated, Event, Progress};
use crate::model::{Embedding, Model};

/// The learning rate above which the rows at the row limit are counted; it is ten times the usual.
/// At a lower rate most rows of a small vocabulary may be at the limit for a while, and train well.
const WATCHED_LR: f64 = 0.5;

/// The share of a run after which these rows are counted.
const WATCHED_AT: f64 = 0.9;

/// A run has diverged when its mean loss is this many times the loss of a model whose scores are
/// all zero.
const DIVERGED: f64 = 10.0;

/// How a run is carried out. No option here changes its result.
#[derive(Debug)]
pub struct TrainOptions<'a> {
    /// Number of threads that make batches, at least 1.
    pub batcher_threads: usize,
    /// The threads that score the vectors after an epoch; rayon's global pool by default.
    pub threads: Option<&'a ThreadPool>,
    /// The time between two reports.
    pub interval: Duration,
    /// Number of points of the run's curves. Each point comes after an equal share of the run's
    /// words, but a batch makes one point at most.
    pub points: u32,
    /// The state to resume from. The engine must hold its model.
    pub resume: Option<Snapshot>,
    /// The saver that writes checkpoints on the way and at the end.
    pub saver: Option<&'a mut Saver>,
    /// The caller's request to stop. Once it is true, the run is saved, if it has a saver, and ends
    /// before the next batch.
    pub stop: Option<&'a AtomicBool>,
    /// The evaluation files that score the vectors after each epoch.
    pub scoring: Option<EpochScoring<'a>>,
    /// The ranks that train together, as many as the configuration has. Only rank 0 may have a
    /// saver and scoring. None is one rank.
    pub ranks: Option<&'a dyn Ranks>,
    /// The caller's work with the model after each epoch.
    pub after_epoch: Option<AfterEpoch<'a>>,
}

/// A function that is called with each epoch and the model after it. The run waits for it.
pub struct AfterEpoch<'a>(pub Box<dyn FnMut(Epoch, Model) + 'a>);

impl fmt::Debug for AfterEpoch<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("AfterEpoch")
    }
}

/// The evaluation files that score the vectors after each epoch.
#[derive(Clone, Copy, Debug)]
pub struct EpochScoring<'a> {
    /// The evaluation files.
    pub sets: &'a Sets,
    /// Which vectors are scored.
    pub embedding: Embedding,
}

impl Default for TrainOptions<'_> {
    fn default() -> Self {
        Self {
            batcher_threads: 1,
            threads: None,
            interval: Duration::from_secs(10),
            points: 0,
            resume: None,
            saver: None,
            stop: None,
            scoring: None,
            ranks: None,
            after_epoch: None,
        }
    }
}

/// The reason why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// All epochs were trained.
    Complete,
    /// The validation loss had no new low for `patience` epochs.
    Early,
    /// The caller asked the run to stop.
    Interrupted,
}

/// The result of a run in numbers.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Summary {
    /// The reason why the run ended.
    pub ending: Ending,
    /// Number of minibatches trained.
    pub steps: u64,
    /// Number of words of the corpus seen.
    pub words: u64,
    /// Number of examples trained: (center, context) pairs, or windows in CBOW.
    pub pairs: u64,
    /// Number of epochs trained to their end.
    pub epochs: u32,
    /// The epoch whose model was taken, from 0. It is the last one, or with `patience` the epoch of
    /// the lowest validation loss.
    pub model_epoch: u32,
    /// Mean loss per example over the epoch `model_epoch`.
    pub loss: f64,
    /// The lowest mean loss per example of an epoch that was trained to its end; `None` if there is
    /// none.
    pub lowest_loss: Option<f64>,
    /// Mean loss per example over the whole run of a model whose scores are all zero, which knows
    /// nothing.
    pub blank_loss: f64,
    /// The share of rows, 0 to 1, that moved as far as `clip` lets them in a batch near the end. It
    /// is measured only if [`lr`](crate::config::ScheduleSettings::lr) is far above the usual.
    pub at_limit: Option<f64>,
    /// Mean loss per example of the sentences held out, after the epoch `model_epoch`. `None` if none
    /// are held out, or if the run was stopped within that epoch.
    pub validation: Option<f64>,
    /// The time from the request for the first batch to the end of the last step, in all processes
    /// that took part in the run.
    pub elapsed: Duration,
    /// The part of `elapsed` that was spent waiting for the batcher.
    pub waited: Duration,
}

/// Trains `engine` on all batches of `data`.
///
/// With `patience` in the configuration the run may end early; its model is then the model of the
/// epoch with the lowest validation loss. A run that was stopped gives its current model, or the
/// model of the best epoch so far. A run that was saved and resumed gives the same model as an
/// undisturbed one, bit for bit.
///
/// # Errors
/// An error when a batch cannot be read, the engine fails, or training diverges; [`Error::Stopped`]
/// when the run was stopped before it had learned from any pair. A checkpoint that cannot be
/// written is an event, not an error.
pub fn train(
    data: &Dataset,
    engine: &mut dyn Engine,
    options: TrainOptions<'_>,
    on_event: impl FnMut(Event),
) -> Result<(Model, Summary)> {
    let team = Team::new(options.ranks, data, engine)?;
    let mut run = Run::new(data, engine, team, options, on_event);
    let trained = run.train();
    // A checkpoint may still be being written. Its outcome is told even if the run has failed.
    run.finish_saving();
    match trained {
        Err(Error::Stopped { .. }) if run.reached.pairs > 0 => run.result(Ending::Interrupted),
        Err(error) => Err(error),
        Ok(()) if run.reached.epochs < data.batcher.epochs => run.result(Ending::Early),
        Ok(()) => run.result(Ending::Complete),
    }
}

/// A run under way.
struct Run<'a, F> {
    data: &'a Dataset,
    engine: &'a mut dyn Engine,
    on_event: F,
    batcher_threads: usize,
    threads: Option<&'a ThreadPool>,
    interval: Duration,
    saver: Option<&'a mut Saver>,
    stop: Option<&'a AtomicBool>,
    scoring: Option<EpochScoring<'a>>,
    team: Team<'a>,
    /// Whether some rank was asked to stop, as far as all ranks know.
    stopping: bool,
    after_epoch: Option<AfterEpoch<'a>>,
    schedule: Schedule,
    reached: TrainState,
    /// With `patience`, the model of the best epoch.
    best: Option<Arc<Model>>,
    unread: Unread,
    interval_loss: Mean,
    last_report: Instant,
    curves: Curves,
    /// The share of rows at the row limit, for [`Summary::at_limit`].
    at_limit: Option<f64>,
    /// The learning rate of the latest batch.
    lr: f32,
    start: Instant,
    /// The time that earlier processes spent on the run; zero if it was not resumed.
    earlier: Duration,
}

impl<'a, F: FnMut(Event)> Run<'a, F> {
    fn new(
        data: &'a Dataset,
        engine: &'a mut dyn Engine,
        team: Team<'a>,
        options: TrainOptions<'a>,
        on_event: F,
    ) -> Self {
        let TrainOptions {
            batcher_threads,
            threads,
            interval,
            points,
            resume,
            mut saver,
            stop,
            scoring,
            ranks: _,
            after_epoch,
        } = options;
        let (reached, best) = resume.map_or_else(Default::default, |snapshot| {
            (snapshot.reached, snapshot.best)
        });
        if let Some(saver) = &mut saver {
            saver.start(reached.steps);
        }
        let schedule = Schedule::new(
            data.config.schedule.lr,
            data.config.schedule.min_lr,
            data.total_words(),
        );
        Self {
            data,
            engine,
            on_event,
            batcher_threads,
            threads,
            interval,
            saver,
            stop,
            scoring,
            team,
            stopping: false,
            after_epoch,
            schedule,
            reached,
            best,
            unread: Unread::new(data),
            interval_loss: Mean::default(),
            last_report: Instant::now(),
            curves: Curves::new(points, data.total_words(), reached.words),
            at_limit: None,
            lr: schedule.lr(reached.words),
            start: Instant::now(),
            earlier: reached.elapsed,
        }
    }

    fn train(&mut self) -> Result<()> {
        let mut batches = self.data.batcher.batches_dealt(
            self.team.share(),
            self.batcher_threads,
            self.reached.words,
            self.engine.packer(),
        );
        while !self.is_over() {
            self.train_epoch(&mut batches)?;
            self.end_epoch()?;
        }
        self.save()
    }

    /// Whether all epochs are trained, or the validation loss has had no new low for `patience`
    /// epochs.
    fn is_over(&self) -> bool {
        let enough = |patience: u32| self.reached.since_best >= patience;
        self.reached.epochs >= self.data.batcher.epochs
            || self.data.config.validation.patience.is_some_and(enough)
    }

    fn elapsed(&self) -> Duration {
        self.earlier.saturating_add(self.start.elapsed())
    }

    /// Trains on the rest of the epoch.
    fn train_epoch(&mut self, batches: &mut Batches) -> Result<()> {
        let end = (u64::from(self.reached.epochs) + 1) * self.data.batcher.store.tokens();
        let mut meeting = Meeting::All;
        while self.reached.words < end {
            if meeting == Meeting::All {
                self.stop_if_asked()?;
            }
            let batch = self.next(batches)?;
            self.step(&batch)?;
            let words = batch.words_before..self.reached.words;
            meeting = self.team.meeting(words, self.reached.words == end);
            batches.recycle(batch);
            self.meet(meeting)?;
            if meeting != Meeting::None {
                self.report_if_due()?;
            }
            if meeting == Meeting::All {
                self.save_if_due()?;
            }
        }
        Ok(())
    }

    /// Meets the other ranks, and adds what they have done to the state of the run.
    fn meet(&mut self, meeting: Meeting) -> Result<()> {
        if meeting == Meeting::None || self.team.is_alone() {
            return Ok(());
        }
        let blank_sum = self.unread.blank_sum;
        let own = Tally {
            loss: self.read_loss()?,
            blank_sum,
            stop: self.is_stopped(),
        };
        let others = self.team.meet(meeting, self.engine, own)?;
        self.reached.pairs += others.loss.pairs;
        self.reached.blank_sum += others.blank_sum;
        self.add_loss(others.loss);
        self.stopping |= others.stop;
        Ok(())
    }

    fn next(&mut self, batches: &mut Batches) -> Result<Batch> {
        let asked = Instant::now();
        let batch = batches.next().unwrap_or_else(|| {
            Err(Error::Thread {
                doing: "making batches".to_owned(),
                why: "a thread has ended before its work was done, which is a mistake in this \
                      program: please report it"
                    .to_owned(),
            })
        });
        self.reached.waited = self.reached.waited.saturating_add(asked.elapsed());
        batch
    }

    fn step(&mut self, batch: &Batch) -> Result<()> {
        self.lr = self.schedule.lr(batch.words_before);
        let watched = if self.is_watched(batch) {
            Some(Touched::before(batch, &self.engine.model()?))
        } else {
            None
        };
        self.team.step(self.engine, batch, self.lr)?;
        if let Some(before) = watched {
            self.at_limit =
                Some(before.at_limit(&self.engine.model()?, self.data.config.schedule.clip));
        }
        self.reached.blank_sum += self.unread.add(batch);
        self.reached.steps += 1;
        self.reached.words = batch.words_before + batch.words;
        self.reached.pairs += batch.examples();
        Ok(())
    }

    /// Whether the rows at the row limit are counted in this batch. They are counted only if the
    /// learning rate starts far above the usual. The batch is near the end, where the rate has
    /// fallen to a tenth. With `patience`, it is also the last batch of each epoch, which may be
    /// the last.
    fn is_watched(&self, batch: &Batch) -> bool {
        let done = batch.words_before + batch.words;
        let ends_epoch =
            done >= (u64::from(self.reached.epochs) + 1) * self.data.batcher.store.tokens();
        let is_near_end = self.at_limit.is_none() && self.schedule.progress(done) >= WATCHED_AT;
        self.data.config.schedule.lr > WATCHED_LR
            && (is_near_end || ends_epoch && self.data.config.validation.patience.is_some())
    }

    /// Takes the loss of all unread batches from the engine.
    fn read_loss(&mut self) -> Result<Mean> {
        let read = self.unread.take(self.engine, self.reached.steps, self.lr)?;
        self.add_loss(read);
        Ok(read)
    }

    fn add_loss(&mut self, loss: Mean) {
        self.reached.loss.add(loss);
        self.interval_loss.add(loss);
        self.curves.loss.add(loss);
    }

    fn report_if_due(&mut self) -> Result<()> {
        let (is_point, is_due) = (
            self.curves.is_point(self.reached.words),
            self.last_report.elapsed() >= self.interval,
        );
        if !is_point && !is_due {
            return Ok(());
        }
        self.read_loss()?;
        // A point without pairs has no loss, so it is left for the next batch.
        if is_point && self.curves.loss.pairs > 0 {
            let loss = self.curves.pass(self.reached.words);
            let point = self.progress(loss);
            (self.on_event)(Event::Point(point));
        }
        if is_due {
            let loss = self.interval_loss.take();
            let progress = self.progress(loss);
            (self.on_event)(Event::Progress(progress));
            self.last_report = Instant::now();
        }
        Ok(())
    }

    fn progress(&self, loss: f64) -> Progress {
        let TrainState {
            epochs: epoch,
            steps: step,
            words,
            pairs,
            waited,
            ..
        } = self.reached;
        let (total_words, lr, elapsed) = (self.data.total_words(), self.lr, self.elapsed());
        Progress {
            epoch,
            step,
            words,
            total_words,
            pairs,
            loss,
            lr,
            elapsed,
            waited,
        }
    }

    /// Ends the epoch: computes its loss and the validation loss, and decides whether it is the
    /// best one so far.
    fn end_epoch(&mut self) -> Result<()> {
        self.read_loss()?;
        let validation = self.validation_loss()?;
        let pairs = self.reached.loss.pairs;
        let epoch = Epoch {
            epoch: self.reached.epochs,
            pairs,
            loss: self.reached.loss.take(),
            validation,
        };
        self.reached.latest = Some(epoch);
        if pairs > 0 {
            let lowest = self.reached.lowest_loss.unwrap_or(f64::INFINITY);
            self.reached.lowest_loss = Some(lowest.min(epoch.loss));
        }
        self.reached.epochs += 1;
        if self.data.config.validation.patience.is_some() {
            self.keep_if_best(epoch)?;
        }
        self.reached.elapsed = self.elapsed();
        (self.on_event)(Event::Epoch(epoch));
        self.evaluate(epoch.epoch)?;
        if let Some(AfterEpoch(work)) = &mut self.after_epoch {
            work(epoch, self.engine.model()?);
        }
        Ok(())
    }

    /// Scores the current vectors, if the options ask for it.
    fn evaluate(&mut self, epoch: u32) -> Result<()> {
        let Some(EpochScoring { sets, embedding }) = self.scoring else {
            return Ok(());
        };
        let model = self.engine.model()?;
        let vectors = self.data.embedding(&model, embedding);
        let score = || sets.evaluate(&self.data.vocab, &vectors, None).scores();
        let scores = match self.threads {
            Some(threads) => threads.install(score),
            None => score(),
        };
        (self.on_event)(Event::Evaluated(Evaluated { epoch, scores }));
        Ok(())
    }

    /// The mean loss per example of the sentences held out, under the current model.
    fn validation_loss(&mut self) -> Result<Option<f64>> {
        let Some(batcher) = &self.data.validation else {
            return Ok(None);
        };
        let mut unread = Unread::new(self.data);
        let (step, lr) = (self.reached.steps, self.lr);
        let packer = self.engine.packer();
        let (share, threads) = (self.team.share(), self.batcher_threads);
        let mut batches = batcher.batches_dealt(share, threads, 0, packer);
        while let Some(batch) = batches.next().transpose()? {
            if self.team.is_alone() && self.is_stopped() {
                // The validation loss is discarded; it is computed again when the run resumes.
                unread.take(self.engine, step, lr)?;
                self.stop_if_asked()?;
            }
            self.engine.step(&batch, 0.0)?;
            unread.add(&batch);
            batches.recycle(batch);
        }
        let own = unread.take(self.engine, step, lr)?;
        Ok(Some(self.team.total(own)?.take()))
    }

    fn keep_if_best(&mut self, epoch: Epoch) -> Result<()> {
        if self
            .reached
            .best
            .is_none_or(|best| epoch.validation < best.validation)
        {
            if self.team.leads() {
                self.best = Some(Arc::new(self.engine.model()?));
            }
            self.reached.best = Some(epoch);
            self.reached.since_best = 0;
        } else {
            self.reached.since_best += 1;
        }
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }

    /// Saves the run and ends it, if it is to stop. Several ranks stop where all know of it.
    fn stop_if_asked(&mut self) -> Result<()> {
        let stops = if self.team.is_alone() {
            self.is_stopped()
        } else {
            self.stopping
        };
        if !stops {
            return Ok(());
        }
        self.save()?;
        Err(Error::Stopped {
            step: self.reached.steps,
        })
    }

    fn save_if_due(&mut self) -> Result<()> {
        let Some(saver) = &mut self.saver else {
            return Ok(());
        };
        let (done, due) = (saver.poll(), saver.is_due(self.reached.steps));
        done.into_iter().for_each(&mut self.on_event);
        if due { self.save() } else { Ok(()) }
    }

    /// Begins to save the current state of the run.
    fn save(&mut self) -> Result<()> {
        if self.saver.is_none() {
            return Ok(());
        }
        // Divergence is noticed here, before the run is saved.
        self.read_loss()?;
        self.reached.elapsed = self.elapsed();
        let snapshot = Snapshot {
            reached: self.reached,
            model: self.engine.model()?,
            best: self.best.as_ref().map(Arc::clone),
        };
        let done = self.saver.as_mut().map(|saver| saver.begin(snapshot));
        done.into_iter().flatten().for_each(&mut self.on_event);
        Ok(())
    }

    fn finish_saving(&mut self) {
        let done = self.saver.as_mut().and_then(|saver| saver.finish());
        done.into_iter().for_each(&mut self.on_event);
    }

    /// The epoch in which the run was stopped, with its loss so far; `None` if it has no pair yet.
    fn under_way(&mut self) -> Result<Option<Epoch>> {
        self.read_loss()?;
        self.reached.elapsed = self.elapsed();
        let TrainState {
            epochs: epoch,
            loss: Mean { pairs, .. },
            ..
        } = self.reached;
        let loss = self.reached.loss.take();
        Ok((pairs > 0).then_some(Epoch {
            epoch,
            pairs,
            loss,
            validation: None,
        }))
    }

    /// The model that the run gives, and the run's summary.
    fn result(mut self, ending: Ending) -> Result<(Model, Summary)> {
        let under_way = if ending == Ending::Interrupted {
            self.under_way()?
        } else {
            None
        };
        let TrainState {
            steps,
            words,
            pairs,
            epochs,
            blank_sum,
            latest,
            lowest_loss,
            best,
            elapsed,
            waited,
            ..
        } = self.reached;
        let taken = best.or(under_way).or(latest).filter(|_| pairs > 0).ok_or_else(|| Error::NoPairs {
            why: format!(
                "`sample = {}` thins the text out until no two words stand in one sentence; raise \
                 it, or give 0 to keep all",
                self.data.prepared.sample
            ),
        })?;
        let model = match self.best {
            Some(best) => Arc::unwrap_or_clone(best),
            None => self.engine.model()?,
        };
        let Epoch {
            epoch: model_epoch,
            loss,
            validation,
            ..
        } = taken;
        let (blank_loss, at_limit) = (blank_sum / pairs as f64, self.at_limit);
        let summary = Summary {
            ending,
            steps,
            words,
            pairs,
            epochs,
            model_epoch,
            loss,
            lowest_loss,
            blank_loss,
            at_limit,
            validation,
            elapsed,
            waited,
        };
        Ok((model, summary))
    }
}

/// Finds the points of the run's curves.
#[derive(Debug)]
struct Curves {
    /// Number of points in all.
    points: u64,
    total_words: u64,
    /// Number of points passed.
    passed: u64,
    /// The loss since the last point.
    loss: Mean,
}

impl Curves {
    fn new(points: u32, total_words: u64, words: u64) -> Self {
        let mut curves = Self {
            points: u64::from(points),
            total_words,
            passed: 0,
            loss: Mean::default(),
        };
        curves.passed = curves.at(words);
        curves
    }

    /// Number of points within the first `words` words.
    fn at(&self, words: u64) -> u64 {
        let passed =
            u128::from(words) * u128::from(self.points) / u128::from(self.total_words.max(1));
        passed.try_into().unwrap_or(self.points)
    }

    fn is_point(&self, words: u64) -> bool {
        self.at(words) > self.passed
    }

    /// Passes the points up to `words` words; returns the mean loss since the last point.
    fn pass(&mut self, words: u64) -> f64 {
        self.passed = self.at(words);
        self.loss.take()
    }
}

/// The batches whose loss the engine still holds.
#[derive(Debug)]
struct Unread {
    objective: Objective,
    output_rows: usize,
    pairs: u64,
    /// The sum of the batches' losses if all scores were zero.
    blank_sum: f64,
}

impl Unread {
    fn new(data: &Dataset) -> Self {
        Self {
            objective: data.objective(),
            output_rows: data.batcher.output_rows(),
            pairs: 0,
            blank_sum: 0.0,
        }
    }

    /// Adds a batch; returns its loss if all scores were zero.
    fn add(&mut self, batch: &Batch) -> f64 {
        let blank = self.objective.blank_loss(batch, self.output_rows);
        self.pairs += batch.examples();
        self.blank_sum += blank;
        blank
    }

    /// Takes the loss of these batches from the engine. Divergence is noticed here.
    fn take(&mut self, engine: &mut dyn Engine, step: u64, lr: f32) -> Result<Mean> {
        let (sum, pairs) = (engine.take_loss()?, std::mem::take(&mut self.pairs));
        let blank_sum = std::mem::take(&mut self.blank_sum);
        if !sum.is_finite() || sum > DIVERGED * blank_sum.max(f64::MIN_POSITIVE) {
            let per_pair = |sum: f64| sum / pairs.max(1) as f64;
            return Err(Error::Diverged {
                step,
                lr,
                loss: per_pair(sum),
                blank_loss: per_pair(blank_sum),
            });
        }
        Ok(Mean { sum, pairs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of points that a run of `total` words tells, with batches of `each` words.
    fn points(total: u64, each: u64, start: u64) -> usize {
        let mut curves = Curves::new(200, total, start);
        let ends = (start + each..=total).step_by(each as usize);
        ends.filter(|&words| {
            let is_point = curves.is_point(words);
            curves.pass(words);
            is_point
        })
        .count()
    }

    #[test]
    fn curves_have_their_points_whatever_the_batches() {
        assert_eq!(
            [
                points(1000, 1, 0),
                points(1_000_000, 8, 0),
                points(10, 1, 0)
            ],
            [200, 200, 10]
        );
        // The earlier process has told half of the points.
        assert_eq!(points(1000, 1, 500), 100);
        assert_eq!(points(u64::MAX, u64::MAX, 0), 1);
        assert!(!Curves::new(0, 1000, 0).is_point(1000) && !Curves::new(200, 0, 0).is_point(0));
    }
}
