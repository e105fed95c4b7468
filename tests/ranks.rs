//! Several ranks that train one model, as threads of one process.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use assert_cmd::assert::Assert;
use common::{Dir, bundled};
use predicates::prelude::*;
use predicates::str::contains;
use w2v_gpu::config::{Loss, ModelKind, NegativesPer, Sync};
use w2v_gpu::engine::choice::{EngineKind, EngineRequest};
use w2v_gpu::model::Model;
use w2v_gpu::train::{Ending, StartedTrainer, Summary, TrainOptions, Trainer};
use w2v_gpu::{Config, Corpus, Event};

/// Small rows on the bundled corpus, with one sentence in 50 held out.
fn config(change: impl FnOnce(&mut Config)) -> Config {
    Config::with(|config| {
        config.model.dim = 16;
        config.schedule.epochs = 2;
        config.validation.validation = Some(0.02);
        change(config);
    })
}

fn started(corpus: &Corpus, config: Config) -> StartedTrainer {
    let request = EngineRequest {
        kind: Some(EngineKind::Cpu),
        threads: Some(2),
        ..EngineRequest::default()
    };
    let trainer = Trainer::open(config, request, None).unwrap();
    trainer.prepare(corpus, |_| ()).unwrap().start().unwrap()
}

/// The model of a run with so many ranks, all on the CPU.
fn trained(mut config: Config, ranks: usize, sync: Option<Sync>) -> (Model, Summary) {
    config.ranks.ranks = Some(ranks);
    config.ranks.sync = sync.filter(|_| ranks > 1);
    let corpus = Corpus::open(&[bundled("corpus.txt")]).unwrap();
    let mut trainer = started(&corpus, config);
    trainer.train(TrainOptions::default(), |_| ()).unwrap()
}

#[test]
fn exact_steps_of_any_number_of_ranks_give_the_bits_of_one() {
    type Change = fn(&mut Config);
    let changes: [(Change, &[usize]); 4] = [
        (|_| (), &[2, 3, 4]),
        (
            |config| config.objective.negatives.negatives_per = NegativesPer::Pair,
            &[3],
        ),
        (|config| config.objective.loss = Loss::Hs, &[3]),
        (|config| *config = Config::of(ModelKind::Cbow), &[4]),
    ];
    for (change, several) in changes {
        let config = || {
            let mut config = config(change);
            (config.model.dim, config.schedule.epochs) = (8, 1);
            config.validation.validation = Some(0.02);
            // Few steps, for what takes time here is to send the sums of each.
            config.schedule.batch = Some(4096);
            config
        };
        let (model, summary) = trained(config(), 1, None);
        for &ranks in several {
            let (own, told) = trained(config(), ranks, Some(Sync::Exact));
            assert!(own == model, "{ranks} ranks");
            let (steps, pairs) = (summary.steps, summary.pairs);
            assert_eq!((told.steps, told.pairs), (steps, pairs));
            assert_eq!(told.validation, summary.validation);
            assert_eq!(told.blank_loss, summary.blank_loss);
            let close = (told.loss - summary.loss).abs() < 1e-12 * summary.loss;
            assert!(close, "{} {}", told.loss, summary.loss);
        }
    }
}

#[test]
fn the_same_number_of_ranks_gives_the_same_bits() {
    for sync in [None, Some(Sync::Windows(500))] {
        let (first, summary) = trained(config(|_| ()), 3, sync);
        let (second, again) = trained(config(|_| ()), 3, sync);
        assert!(first == second);
        let told = |summary: Summary| (summary.loss, summary.validation, summary.pairs);
        assert_eq!(told(summary), told(again));
        let (other, _) = trained(config(|_| ()), 2, sync);
        assert!(other != first);
    }
}

/// Ranks that met too seldom, or whose changes were combined badly, would learn far less.
#[test]
fn several_ranks_learn_as_much_as_one() {
    for change in [
        |_: &mut Config| (),
        |config: &mut Config| config.objective.loss = Loss::Hs,
    ] {
        let (_, alone) = trained(config(change), 1, None);
        let (_, together) = trained(config(change), 4, None);
        let (one, four) = (alone.validation.unwrap(), together.validation.unwrap());
        assert!((four / one - 1.0).abs() < 0.02, "{one} {four}");
        // All examples of the text count, whichever rank has them; others are subsampled.
        let share = together.pairs as f64 / alone.pairs as f64;
        assert!((share - 1.0).abs() < 0.02, "{share}");
    }
}

/// A run with the bundled corpus and three ranks in a folder, then `more`.
fn run(dir: &Dir, more: &[&str]) -> Assert {
    let corpus = bundled("corpus.txt");
    let args = ["train", corpus.to_str().unwrap(), "-o", "v.bin"];
    let options = ["--dim", "8", "--epochs", "2", "--engine", "cpu"];
    dir.w2v(&[&args[..], &options, more].concat()).assert()
}

#[test]
fn a_resumed_run_of_several_ranks_gives_the_same_files() {
    for sync in ["auto", "exact"] {
        let dir = Dir::new();
        let ranks = ["--ranks", "3", "--sync", sync];
        let saved = ["--checkpoint", "run", "--checkpoint-every", "1"];
        run(&dir, &[&ranks[..], &saved].concat()).success();
        let files = || (dir.bytes("v.bin"), dir.bytes("v.bin.json"));
        let expected = files();
        let mut checkpoints: Vec<_> = std::fs::read_dir(dir.path("run"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|found| found == "checkpoint"))
            .collect();
        checkpoints.sort();
        // The one before the last is from the middle of the run.
        assert_eq!(checkpoints.len(), 2);
        std::fs::remove_file(&checkpoints[1]).unwrap();
        std::fs::remove_file(dir.path("v.bin")).unwrap();
        // The checkpoint knows ranks and meetings.
        let resumed = run(&dir, &["--resume", "run"]).success();
        resumed.stderr(contains("goes on after batch").and(contains("3 ranks")));
        assert!(files() == expected, "--sync {sync}");
        let other = ["--resume", "run", "--ranks", "2"];
        let refused = run(&dir, &other).code(2);
        refused.stderr(contains("has --ranks 3, and this one --ranks 2"));
    }
}

#[test]
fn several_ranks_stop_together() {
    let stop = AtomicBool::new(false);
    let corpus = Corpus::open(&[bundled("corpus.txt")]).unwrap();
    let config = config(|config| config.ranks.ranks = Some(3));
    let mut trainer = started(&corpus, config);
    let options = TrainOptions {
        points: 100,
        stop: Some(&stop),
        ..TrainOptions::default()
    };
    let stop_it = |event| {
        if let Event::Point(_) = event {
            stop.store(true, Ordering::Relaxed);
        }
    };
    let (_, summary) = trainer.train(options, stop_it).unwrap();
    assert_eq!(summary.ending, Ending::Interrupted);
    // Within two of the meetings that are about all rows.
    assert!(summary.words < trainer.data().total_words() / 10);
}

#[test]
fn ranks_that_cannot_train_are_refused_before_anything_is_written() {
    for (options, why) in [
        (&["--ranks", "0"][..], "--ranks 0: a run has 1 to 1024"),
        (
            &["--ranks", "3", "--sync", "0"],
            "--sync 0: must be a number of windows above 0",
        ),
        (&["--sync", "exact"], "--sync exact: is for several ranks"),
        (
            &["--ranks", "1", "--sync", "9"],
            "--sync 9: is for several ranks",
        ),
        (&["--ranks", "3", "--sync", "often"], "'often' for '--sync"),
        (&["--ranks", "900"], "--ranks 900: the text has"),
        (
            &["--ranks", "2", "--subwords", "3-6"],
            "--ranks 2: cannot share the rows of n-grams",
        ),
        (
            &["--ranks", "2", "--loss", "softmax"],
            "--ranks 2: a full softmax moves every row",
        ),
    ] {
        let dir = Dir::new();
        run(&dir, options).code(2).stderr(contains(why));
        assert_eq!(std::fs::read_dir(dir.root()).unwrap().count(), 0, "{why}");
    }
}

/// As many adapters as ranks are needed, and the same one may be named several times.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn adapters_train_together() {
    let dir = Dir::new();
    let files = |more: &[&str]| {
        run(
            &dir,
            &[
                &["--engine", "gpu", "--max-vocab", "300", "--epochs", "1"],
                more,
            ]
            .concat(),
        )
        .success();
        dir.bytes("v.bin")
    };
    let first = files(&["--adapter", "0,0"]);
    assert!(first == files(&["--adapter", "0, 0", "--ranks", "2"]));
    assert!(first != files(&["--adapter", "0"]));
    for (options, why) in [
        (
            &["--adapter", "0", "--ranks", "2"][..],
            "--ranks 2: needs an adapter for each rank, and one is named",
        ),
        (&["--adapter", "0,0,0", "--ranks", "2"], "and 3 are named"),
        (
            &["--adapter", "0,77"],
            "--adapter 77: no adapter has this index",
        ),
        (
            &["--adapter", "0,0", "--sync", "exact"],
            "--sync exact: is for the CPU",
        ),
        (
            &["--adapter", "0,0", "--storage", "f16"],
            "--ranks 2: with --storage f16",
        ),
    ] {
        let refused = run(&dir, &[&["--engine", "gpu"], options].concat()).failure();
        refused.stderr(contains(why));
    }
}

#[test]
fn a_dry_run_knows_the_ranks() {
    let dir = Dir::new();
    let told = run(&dir, &["--ranks", "3", "--dry-run", "--json"]).success();
    let report: serde_json::Value = serde_json::from_slice(&told.get_output().stdout).unwrap();
    let plan = &report["plan"];
    let [rows, dim] = ["vocabulary", "dim"].map(|name| plan[name].as_u64().unwrap());
    assert_eq!(
        (&plan["ranks"]["ranks"], &plan["ranks"]["exact"]),
        (&3.into(), &false.into())
    );
    // The vocabulary is little larger than what every meeting is about. Two thirds of each rank's
    // rows go to other ranks, and what it makes of its own third goes to both of them.
    let sent = plan["ranks"]["bytes"].as_u64().unwrap();
    let most = 2 * 2 * rows * dim * 4 * 2 / 3;
    assert!((most / 2..=most).contains(&sent), "{sent} of {most}");
    let base = plan["host"]["buffers"].as_array().unwrap().iter();
    let mut base = base.filter(|buffer| buffer["what"] == "the ranks' rows at their last meeting");
    assert_eq!(base.next().unwrap()["bytes"], 3 * 2 * rows * dim * 4);
}
