//! Estimates the time of a run from a short part of it.

use std::time::{Duration, Instant};

use crate::batch::Share;
use crate::engine::Engine;
use crate::error::Result;
use crate::train::dataset::Dataset;

/// The estimated time of a run, and the measurement behind it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// Number of words trained for the estimate.
    pub words: u64,
    /// Seconds that training on these words took.
    pub seconds: f64,
    /// Words of the corpus trained in a second.
    pub words_per_second: f64,
    /// Seconds that all epochs will take, validation included.
    pub training_seconds: f64,
}

/// Trains the first batches of the run on `engine` for about `limit`. The engine cannot be used for
/// anything else afterwards.
///
/// # Errors
/// An error when a batch cannot be read or the engine fails.
pub fn probe(
    data: &Dataset,
    engine: &mut dyn Engine,
    batcher_threads: usize,
    limit: Duration,
) -> Result<Estimate> {
    // Other ranks would train at the same time, each on a share of its own.
    let share = Share {
        rank: 0,
        ranks: data.dealt_ranks(),
    };
    let packer = engine.packer();
    let mut batches = data
        .batcher
        .batches_dealt(share, batcher_threads, 0, packer);
    let begun = Instant::now();
    let (mut all, mut first) = (0, None);
    while let Some(batch) = batches.next().transpose()? {
        engine.step(&batch, data.config.schedule.lr as f32)?;
        all += batch.words;
        batches.recycle(batch);
        if first.is_none() {
            // The first batch waits for text to be read and for memory. In a longer run this time
            // is negligible.
            engine.take_loss()?;
            first = Some((all, begun.elapsed()));
        }
        if begun.elapsed() >= limit {
            break;
        }
    }
    engine.take_loss()?;
    let elapsed = begun.elapsed();
    let (words, seconds) = match first {
        Some((words, until)) if words < all => (all - words, (elapsed - until).as_secs_f64()),
        _ => (all, elapsed.as_secs_f64()),
    };
    let words_per_second = words as f64 / seconds.max(1e-9);
    let held_out = data.prepared.held_out * u64::from(data.batcher.epochs);
    let training_seconds = (data.total_words() + held_out) as f64 / words_per_second.max(1e-9);
    Ok(Estimate {
        words,
        seconds,
        words_per_second,
        training_seconds,
    })
}
