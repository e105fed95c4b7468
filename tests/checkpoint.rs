//! Runs that are stopped, killed or fail, and go on to the same vectors.

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use w2v_gpu::batch::Batch;
use w2v_gpu::config::{Config, Loss, ModelSettings, ScheduleSettings, ValidationSettings};
use w2v_gpu::corpus::Corpus;
use w2v_gpu::engine::Engine;
use w2v_gpu::engine::cpu::CpuEngine;
use w2v_gpu::engine::gpu::{self, GpuEngine, GpuOptions};
use w2v_gpu::event::Event;
use w2v_gpu::model::Model;
use w2v_gpu::train::checkpoint::{Checkpoint, Every, Fingerprint, Folder, Saver};
use w2v_gpu::train::dataset::Dataset;
use w2v_gpu::train::state::Snapshot;
use w2v_gpu::train::{Ending, Summary, TrainOptions, train};
use w2v_gpu::{Error, Result};

use common::bundled;

fn data(config: &Config) -> Dataset {
    Dataset::prepare(
        &Corpus::open(&[bundled("corpus.txt")]).unwrap(),
        config,
        |_| (),
    )
    .unwrap()
}

/// Few words and large batches, so that the full softmax is quick too.
fn config(loss: Loss) -> Config {
    Config::with(|config| {
        config.model.dim = 18;
        config.schedule.epochs = 2;
        config.schedule.batch = Some(700);
        config.objective.loss = loss;
        config.vocabulary.max_vocab = Some(100);
    })
}

type MakeEngine = fn(&Dataset, &Model) -> Box<dyn Engine>;

fn on_cpu(data: &Dataset, model: &Model) -> Box<dyn Engine> {
    Box::new(CpuEngine::new(model, data.objective(), data.config.schedule.clip, 2).unwrap())
}

fn on_gpu(data: &Dataset, model: &Model) -> Box<dyn Engine> {
    let options = GpuOptions {
        shader_checks: false,
        clip: data.config.schedule.clip,
        ..GpuOptions::default()
    };
    Box::new(GpuEngine::new(gpu::select(None).unwrap(), model, data.objective(), options).unwrap())
}

/// An engine to which something happens at its `left`-th step from now, with a rate above 0 or not.
struct Doomed<'a> {
    engine: Box<dyn Engine>,
    left: u32,
    fate: Fate<'a>,
}

enum Fate<'a> {
    /// Someone asks the run to stop.
    Stop(&'a AtomicBool),
    Fail(fn() -> Error),
}

impl Engine for Doomed<'_> {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        match &self.fate {
            Fate::Stop(stop) if self.left == 0 => stop.store(true, Ordering::Relaxed),
            Fate::Fail(error) if self.left == 0 => return Err(error()),
            _ => {}
        }
        self.engine.step(batch, lr)
    }

    fn accumulate(&mut self, batch: &Batch) -> Result<()> {
        self.engine.accumulate(batch)
    }

    fn apply(&mut self, lr: f32) -> Result<()> {
        self.engine.apply(lr)
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

fn uninterrupted(data: &Dataset, engine: MakeEngine) -> (Model, Summary) {
    train(
        data,
        &mut *engine(data, &data.model()),
        TrainOptions::default(),
        |_| (),
    )
    .unwrap()
}

/// What is read from a folder, if anything.
fn load(folder: &Folder, data: &Dataset) -> Option<Checkpoint> {
    let loaded = folder.load().unwrap()?;
    assert!(loaded.damaged.is_empty());
    loaded.checkpoint.check(data).unwrap();
    Some(loaded.checkpoint)
}

/// A part of a run, from the last checkpoint in the folder until its fate at step `left`, or to the
/// end.
fn part(
    path: &Path,
    data: &Dataset,
    engine: MakeEngine,
    left: u32,
    fate: Fate<'_>,
) -> Result<(Model, Summary)> {
    let folder = Folder::open(path, "--checkpoint").unwrap();
    let resume: Option<Snapshot> = load(&folder, data).map(|checkpoint| checkpoint.snapshot);
    let engine = engine(
        data,
        resume
            .as_ref()
            .map_or(&data.model(), |snapshot| &snapshot.model),
    );
    let never = AtomicBool::new(false);
    let stop = match fate {
        Fate::Stop(stop) => stop,
        Fate::Fail(_) => &never,
    };
    let mut engine = Doomed { engine, left, fate };
    let mut saver = Saver::new(folder, Fingerprint::new(data, &engine), Every::Batches(3));
    let options = TrainOptions {
        batcher_threads: 2,
        resume,
        saver: Some(&mut saver),
        stop: Some(stop),
        ..TrainOptions::default()
    };
    train(data, &mut engine, options, |event| {
        assert!(!matches!(event, Event::NotSaved { .. }), "{event:?}")
    })
}

fn assert_same(own: &(Model, Summary), expected: &(Model, Summary)) {
    let bits = |model: &Model| -> Vec<u32> {
        model
            .input
            .values()
            .iter()
            .chain(model.output.values())
            .map(|value| value.to_bits())
            .collect()
    };
    assert!(bits(&own.0) == bits(&expected.0), "other vectors");
    let (own, expected) = (own.1, expected.1);
    let counts = |summary: Summary| {
        (
            summary.steps,
            summary.words,
            summary.pairs,
            summary.epochs,
            summary.model_epoch,
        )
    };
    assert_eq!(counts(own), counts(expected));
    assert_eq!(own.ending, expected.ending);
    assert!((own.blank_loss - expected.blank_loss).abs() < 1e-9 * expected.blank_loss);
    assert!((own.loss - expected.loss).abs() < 1e-9 * expected.loss);
    assert_eq!(own.validation, expected.validation);
}

/// A run in parts, each `more` batches longer than the one before, and how many there were.
fn in_parts(path: &Path, data: &Dataset, engine: MakeEngine, more: u32) -> ((Model, Summary), u32) {
    for parts in 0.. {
        let stop = AtomicBool::new(false);
        let own = part(path, data, engine, 1 + parts * more, Fate::Stop(&stop)).unwrap();
        if own.1.ending != Ending::Interrupted {
            return (own, parts);
        }
    }
    unreachable!("the parts grow")
}

/// Stopped again and again, at its first batch, in the middle of an epoch, between two and in a
/// validation pass, a run ends with the same bits.
fn stopped_run_gives_the_same_vectors(engine: MakeEngine) {
    for loss in [Loss::Ns, Loss::Hs, Loss::Softmax] {
        for validation in [None, Some(0.1)] {
            let data = data(&Config {
                validation: ValidationSettings {
                    validation,
                    patience: validation.map(|_| 1),
                },
                ..config(loss)
            });
            let expected = uninterrupted(&data, engine);
            let temporary = tempfile::tempdir().unwrap();
            let (own, parts) = in_parts(temporary.path(), &data, engine, 5);
            assert!(parts > 3, "{parts}");
            assert_same(&own, &expected);
            // A run that is over gives its result again.
            let again = part(
                temporary.path(),
                &data,
                engine,
                0,
                Fate::Fail(|| unreachable!()),
            )
            .unwrap();
            assert_same(&again, &expected);
        }
    }
}

#[test]
fn stopped_run_on_the_cpu_gives_the_same_vectors() {
    stopped_run_gives_the_same_vectors(on_cpu);
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn stopped_run_on_the_gpu_gives_the_same_vectors() {
    stopped_run_gives_the_same_vectors(on_gpu);
}

/// Rates so high that the loss of held-out text soon rises: the best epoch and its model outlast
/// the stops after it.
#[test]
fn patience_survives_stop_and_resume() {
    let ns = config(Loss::Ns);
    let rates = Config {
        schedule: ScheduleSettings {
            lr: 2.0,
            min_lr: Some(2.0),
            clip: 1.0,
            batch: None,
            ..ns.schedule
        },
        ..ns
    };
    let data = data(&Config {
        model: ModelSettings {
            dim: 30,
            ..rates.model
        },
        schedule: ScheduleSettings {
            epochs: 40,
            ..rates.schedule
        },
        validation: ValidationSettings {
            validation: Some(0.02),
            patience: Some(3),
        },
        ..rates
    });
    let expected = uninterrupted(&data, on_cpu);
    assert_eq!(expected.1.epochs, expected.1.model_epoch + 4);
    assert_eq!(expected.1.ending, Ending::Early);
    let temporary = tempfile::tempdir().unwrap();
    let (own, parts) = in_parts(temporary.path(), &data, on_cpu, 5);
    assert!(parts > 5, "{parts}");
    assert_same(&own, &expected);
}

#[test]
fn failed_device_leaves_the_last_checkpoint() {
    let data = data(&config(Loss::Ns));
    let expected = uninterrupted(&data, on_cpu);
    let temporary = tempfile::tempdir().unwrap();
    let lost = || Error::Device {
        adapter: "a chip".to_owned(),
        doing: "training".to_owned(),
        why: "it is lost".to_owned(),
    };
    let full = || Error::DeviceMemory {
        adapter: "a chip".to_owned(),
        doing: "training".to_owned(),
    };
    for (left, fail) in [(8, lost as fn() -> Error), (9, full)] {
        let error = part(temporary.path(), &data, on_cpu, left, Fate::Fail(fail))
            .err()
            .unwrap();
        assert_eq!(error.to_string(), fail().to_string());
    }
    let own = part(temporary.path(), &data, on_cpu, u32::MAX, Fate::Fail(lost)).unwrap();
    assert_same(&own, &expected);
}

/// More epochs than at first: the batches go on, and the learning rate is that of the longer run.
#[test]
fn resume_with_more_epochs_continues_the_schedule() {
    let temporary = tempfile::tempdir().unwrap();
    let never = AtomicBool::new(false);
    let first = data(&config(Loss::Ns));
    part(
        temporary.path(),
        &first,
        on_cpu,
        u32::MAX,
        Fate::Stop(&never),
    )
    .unwrap();
    let folder = Folder::open(temporary.path(), "--resume").unwrap();
    let checkpoint = folder.load().unwrap().unwrap().checkpoint;
    let longer = Config {
        schedule: ScheduleSettings {
            epochs: 5,
            batch: None,
            ..(config(Loss::Ns)).schedule
        },
        ..config(Loss::Ns)
    };
    let longer = data(&checkpoint.complete(&longer).unwrap());
    assert_eq!(longer.config.schedule.batch, Some(700));
    checkpoint.check(&longer).unwrap();
    drop(folder);

    // By hand: the longer run's batches from there on, with its own schedule.
    let model = checkpoint.snapshot.model;
    let mut engine = on_cpu(&longer, &model);
    let schedule = w2v_gpu::train::schedule::Schedule::new(0.05, None, longer.total_words());
    for batch in longer.batcher.batches_from(1, first.total_words()) {
        let batch = batch.unwrap();
        engine
            .step(&batch, schedule.lr(batch.words_before))
            .unwrap();
    }
    let (own, summary) = part(
        temporary.path(),
        &longer,
        on_cpu,
        u32::MAX,
        Fate::Stop(&never),
    )
    .unwrap();
    assert!(own == engine.model().unwrap());
    assert_eq!((summary.epochs, summary.words), (5, longer.total_words()));
}

/// Numbers that no run can have reached are refused before anything is computed from them.
#[test]
fn checkpoint_with_impossible_numbers_is_refused() {
    let data = data(&Config {
        validation: ValidationSettings {
            validation: Some(0.1),
            patience: Some(1),
        },
        ..config(Loss::Ns)
    });
    let temporary = tempfile::tempdir().unwrap();
    part(
        temporary.path(),
        &data,
        on_cpu,
        u32::MAX,
        Fate::Stop(&AtomicBool::new(false)),
    )
    .unwrap();
    let whole = load(&Folder::open(temporary.path(), "--resume").unwrap(), &data).unwrap();
    let forgeries: [fn(&mut Snapshot); 5] = [
        |forged| forged.reached.elapsed = Duration::from_secs(u64::MAX),
        |forged| forged.reached.waited = Duration::MAX,
        |forged| forged.reached.latest.as_mut().unwrap().epoch = u32::MAX,
        |forged| forged.reached.best.as_mut().unwrap().epoch = u32::MAX,
        |forged| forged.reached.words = u64::MAX,
    ];
    for forge in forgeries {
        let mut forged = whole.clone();
        forge(&mut forged.snapshot);
        let error = forged.check(&data).unwrap_err().to_string();
        assert!(error.contains("do not fit together"), "{error}");
    }
}

/// The folder is gone: training goes on, and its vectors are the same.
#[test]
fn failed_checkpoint_does_not_end_training() {
    let data = data(&config(Loss::Ns));
    let expected = uninterrupted(&data, on_cpu);
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("run");
    let mut engine = on_cpu(&data, &data.model());
    let folder = Folder::open(&path, "--checkpoint").unwrap();
    let mut saver = Saver::new(folder, Fingerprint::new(&data, &*engine), Every::Batches(1));
    fs::remove_dir_all(&path).unwrap();
    let mut failures = 0;
    let options = TrainOptions {
        saver: Some(&mut saver),
        ..TrainOptions::default()
    };
    let own = train(&data, &mut *engine, options, |event| match event {
        Event::NotSaved { why } => failures += u32::from(why.contains("cannot write")),
        Event::Saved(saved) => panic!("{saved:?}"),
        _ => {}
    });
    assert_same(&own.unwrap(), &expected);
    assert!(failures > 1);
}
