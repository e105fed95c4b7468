//! The state of a run between two batches.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use crate::event::Epoch;
use crate::model::Model;

/// A bound on the time of a run, a thousand years: a longer time in a checkpoint is a mistake.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// The complete state of a run between two batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The progress of the run.
    pub reached: TrainState,
    /// The current matrices.
    pub model: Model,
    /// With `patience`, the matrices after the epoch of the lowest validation loss.
    pub best: Option<Arc<Model>>,
}

/// The progress of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Number of minibatches trained.
    pub steps: u64,
    /// Number of words of the corpus seen, over all epochs. The next batch begins there.
    pub words: u64,
    /// Number of examples trained: (center, context) pairs, or windows in CBOW.
    pub pairs: u64,
    /// Number of epochs that are over.
    pub epochs: u32,
    /// The loss of the current epoch so far.
    pub loss: Mean,
    /// The sum of the losses of all examples trained if all scores had been zero.
    #[serde(rename = "blank")]
    pub blank_sum: f64,
    /// The latest epoch that is over.
    pub latest: Option<Epoch>,
    /// The lowest mean loss per example of an epoch that is over.
    #[serde(default)]
    pub lowest_loss: Option<f64>,
    /// With `patience`, the epoch of the lowest validation loss.
    pub best: Option<Epoch>,
    /// Number of epochs since the best one.
    pub since_best: u32,
    /// The time spent training, in all processes of the run.
    pub elapsed: Duration,
    /// The part of `elapsed` that was spent waiting for the batcher.
    pub waited: Duration,
}

/// A sum of losses, and the number of examples that it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The sum of the losses.
    pub sum: f64,
    /// The number of examples.
    pub pairs: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.pairs += other.pairs;
    }

    /// Returns the mean per example so far, and resets both numbers to zero.
    pub(crate) fn take(&mut self) -> f64 {
        let Self { sum, pairs } = std::mem::take(self);
        sum / pairs.max(1) as f64
    }
}

impl Snapshot {
    pub(super) fn fits(&self, data: &Dataset) -> bool {
        let Self {
            reached,
            model,
            best,
        } = self;
        let fits = |model: &Model| {
            let (input, output) = (&model.input, &model.output);
            let dims =
                input.dim() == data.config.model.dim && output.dim() == data.config.model.dim;
            dims && input.rows() == data.batcher.input_rows()
                && output.rows() == data.batcher.output_rows()
        };
        let words_at = |epoch: u32| u64::from(epoch).saturating_mul(data.batcher.store.tokens());
        let under_way = words_at(reached.epochs)..=words_at(reached.epochs.saturating_add(1));
        fits(model)
            && best.as_deref().is_none_or(fits)
            && best.is_some() == reached.best.is_some()
            && under_way.contains(&reached.words)
            // A batch has at least one word. A word has at most as many pairs as a window has
            // places.
            && reached.steps <= reached.words
            && reached.pairs.max(reached.loss.pairs) <= reached.words.saturating_mul(2 * u64::from(data.config.objective.window))
            && reached.since_best <= reached.epochs
            && [reached.latest, reached.best].iter().flatten().all(|epoch| epoch.epoch < reached.epochs)
            && reached.elapsed.max(reached.waited) <= LONGEST
    }
}
