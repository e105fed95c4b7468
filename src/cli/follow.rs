//! `train` on the ranks that only train: rank 0 shows, evaluates and writes for all.

use std::path::Path;

use anyhow::Result;

use super::progress::Display;
use super::signals::Signals;
use super::world::World;
use crate::config::Config;
use crate::corpus::Corpus;
use crate::engine::choice::EngineRequest;
use crate::train::cache::Cache;
use crate::train::checkpoint::{Checkpoint, Fingerprint};
use crate::train::ranks::Ranks;
use crate::train::{TrainOptions, Trainer, agree, from_first};

/// What a rank trains, by the options that all ranks have.
pub(super) struct Share<'a> {
    pub(super) corpus: Corpus,
    pub(super) cache: Option<Cache>,
    pub(super) config: Config,
    pub(super) request: EngineRequest,
    /// The folder of the run to resume; rank 0 has it, and this machine need not.
    pub(super) resumes: Option<&'a Path>,
    /// Number of points of the run's curves.
    pub(super) points: u32,
}

/// Trains this rank's share.
pub(super) fn run(share: Share<'_>, world: &World, ranks: &dyn Ranks) -> Result<()> {
    let checkpoint = |path: &Path| Checkpoint::from_bytes(path, &from_first(ranks, &[])?);
    let resumed = share.resumes.map(checkpoint).transpose()?;
    let trainer = Trainer::open(share.config, share.request, resumed)?;
    let trainer = trainer.prepare_cached(&share.corpus, share.cache.as_ref(), |_| ())?;
    trainer.plan(Vec::new(), None).check()?;
    let mut trainer = trainer.start()?;
    let mut display = Display::new(true, None);
    let who = format!("rank {} ({})", ranks.rank(), world.host());
    let warn = |line| display.warn(&format!("{who}: {line}"));
    trainer.instead().into_iter().for_each(warn);
    let run = Fingerprint::new(trainer.data(), trainer.engine()).starting_from(trainer.init());
    let steps = trainer
        .resumed()
        .map_or(0, |snapshot| snapshot.reached.steps);
    agree(ranks, world.host(), &run, steps)?;
    let signals = Signals::listen()?;
    let options = TrainOptions {
        points: share.points,
        stop: Some(signals.stop()),
        ranks: Some(ranks),
        ..TrainOptions::default()
    };
    match trainer.train(options, |_| ()) {
        // Rank 0 says that the run was stopped.
        Ok(_) | Err(crate::Error::Stopped { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
