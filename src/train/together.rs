//! Ranks that are threads of this process, each with an engine.

use std::panic::resume_unwind;

use super::dataset::Dataset;
use super::ranks::{Ranks, Threads};
use super::run::{Summary, TrainOptions, train};
use super::state::Snapshot;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::model::{Matrix, Model};

/// Trains on several engines, one of each rank, the first on the calling thread. All must hold the
/// model that the run starts from. The options and events are those of rank 0.
///
/// # Errors
/// As [`train`]; the error of a rank that failed before those of ranks that waited for it.
pub(super) fn train_together(
    data: &Dataset,
    own: &mut dyn Engine,
    others: &mut [Box<dyn Engine + Send>],
    options: TrainOptions<'_>,
    on_event: impl FnMut(Event),
) -> Result<(Model, Summary)> {
    let mut ranks = Threads::new(1 + others.len()).into_iter();
    let first = ranks.next();
    let (batcher_threads, resume) = (options.batcher_threads, options.resume.as_ref());
    let reached = resume.map(|snapshot| snapshot.reached);
    std::thread::scope(|scope| {
        let mut threads = Vec::with_capacity(others.len());
        for (engine, ranks) in others.iter_mut().zip(ranks) {
            let work = move || {
                let options = TrainOptions {
                    batcher_threads,
                    resume: reached.map(progress_alone),
                    ranks: Some(&ranks),
                    ..TrainOptions::default()
                };
                train(data, &mut **engine, options, |_| ()).map(|_| ())
            };
            let thread = std::thread::Builder::new().spawn_scoped(scope, work);
            threads.push(thread.map_err(Error::no_threads("training on several ranks"))?);
        }
        let options = TrainOptions {
            ranks: first.as_ref().map(|ranks| ranks as &dyn Ranks),
            ..options
        };
        let mut trained = train(data, own, options, on_event);
        // Others that wait for this rank learn that it has ended.
        drop(first);
        for thread in threads {
            let failed = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            if let (Err(Error::Ranks { .. }), Err(error)) = (&trained, failed) {
                trained = Err(error);
            }
        }
        trained
    })
}

/// The state of a run without its model, which the engine holds already.
fn progress_alone(reached: super::state::TrainState) -> Snapshot {
    let nothing = || Matrix::zeros(0, 1);
    Snapshot {
        reached,
        model: Model {
            input: nothing(),
            output: nothing(),
        },
        best: None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::batch::Batch;
    use crate::config::Config;
    use crate::corpus::Corpus;
    use crate::engine::cpu::CpuEngine;
    use crate::model::Table;

    /// An engine that fails in its n-th step, one way or the other.
    struct Failing {
        engine: CpuEngine,
        steps_left: usize,
        panics: bool,
    }

    impl Engine for Failing {
        fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
            if self.steps_left == 0 {
                assert!(!self.panics, "as planned");
                return Err(Error::no_threads("a test")("as planned"));
            }
            self.steps_left -= 1;
            self.engine.step(batch, lr)
        }
        fn accumulate(&mut self, batch: &Batch) -> Result<()> {
            self.engine.accumulate(batch)
        }
        fn apply(&mut self, lr: f32) -> Result<()> {
            self.engine.apply(lr)
        }
        fn set_rows(&mut self, table: Table, first: usize, rows: &Matrix) -> Result<()> {
            self.engine.set_rows(table, first, rows)
        }
        fn take_loss(&mut self) -> Result<f64> {
            self.engine.take_loss()
        }
        fn model(&mut self) -> Result<Model> {
            self.engine.model()
        }
        fn describe(&self) -> String {
            self.engine.describe()
        }
    }

    /// A run of three ranks, of which one fails.
    fn with_a_failing_rank(failing: usize, panics: bool) -> Result<(Model, Summary)> {
        let config = Config::with(|config| {
            (config.model.dim, config.schedule.epochs) = (4, 1);
            config.ranks.ranks = Some(3);
        });
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus.txt");
        let corpus = Corpus::open(&[path]).unwrap();
        let data = Dataset::prepare(&corpus, &config, |_| ()).unwrap();
        let model = data.model();
        let engine = |rank: usize| -> Box<dyn Engine + Send> {
            let clip = data.config.schedule.clip;
            let engine = CpuEngine::new(&model, data.objective(), clip, 1).unwrap();
            let steps_left = if rank == failing { 9 } else { usize::MAX };
            Box::new(Failing {
                engine,
                steps_left,
                panics,
            })
        };
        let mut others = [engine(1), engine(2)];
        let (mut own, options) = (engine(0), TrainOptions::default());
        train_together(&data, &mut *own, &mut others, options, |_| ())
    }

    /// The others do not wait for it for ever, and its own error is the one that is told.
    #[test]
    fn a_rank_that_fails_ends_the_run() {
        for failing in 0..3 {
            let error = with_a_failing_rank(failing, false).unwrap_err();
            assert!(matches!(error, Error::Thread { .. }), "{error}");
        }
        with_a_failing_rank(7, false).unwrap();
    }

    #[test]
    #[should_panic(expected = "as planned")]
    fn a_rank_that_panics_ends_the_run() {
        let _ = with_a_failing_rank(2, true);
    }
}
