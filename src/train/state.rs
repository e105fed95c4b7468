//! How a run stands between two batches.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use crate::event::Epoch;
use crate::model::Model;

/// No run has taken longer: a thousand years.
const LONGEST: Duration = Duration::from_secs(1000 * 366 * 24 * 3600);

/// A run between two batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// How far it has come.
    pub reached: TrainState,
    /// The matrices.
    pub model: Model,
    /// With `patience`, those after the epoch of the lowest validation loss.
    pub best: Option<Arc<Model>>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainState {
    /// Minibatches trained.
    pub steps: u64,
    /// Words of the corpus seen, over all epochs: the place where the next batch begins.
    pub words: u64,
    /// Pairs trained.
    pub pairs: u64,
    /// Epochs that are over.
    pub epochs: u32,
    /// The loss of the epoch under way.
    pub loss: Mean,
    /// The loss over all pairs trained if all scores had been zero.
    pub blank: f64,
    /// The latest epoch that is over.
    pub latest: Option<Epoch>,
    /// With `patience`, the epoch of the lowest validation loss.
    pub best: Option<Epoch>,
    /// Epochs since then.
    pub since_best: u32,
    /// Time spent training.
    pub elapsed: Duration,
    /// Of that, time spent waiting for the batcher.
    pub waited: Duration,
}

/// A sum with the number of pairs it is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// The sum.
    pub sum: f64,
    /// The number of pairs.
    pub pairs: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.pairs += other.pairs;
    }

    /// The mean so far; begins anew.
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
            dims && input.rows() == data.vocab.len() && output.rows() == data.batcher.output_rows()
        };
        let words_at = |epoch: u32| u64::from(epoch).saturating_mul(data.batcher.store.tokens());
        let under_way = words_at(reached.epochs)..=words_at(reached.epochs.saturating_add(1));
        fits(model)
            && best.as_deref().is_none_or(fits)
            && best.is_some() == reached.best.is_some()
            && under_way.contains(&reached.words)
            // A batch has a word at least, and a word as many pairs at most as a window has places.
            && reached.steps <= reached.words
            && reached.pairs.max(reached.loss.pairs) <= reached.words.saturating_mul(2 * u64::from(data.config.objective.window))
            && reached.since_best <= reached.epochs
            && [reached.latest, reached.best].iter().flatten().all(|epoch| epoch.epoch < reached.epochs)
            && reached.elapsed.max(reached.waited) <= LONGEST
    }
}
