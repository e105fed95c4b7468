//! `bench`, through the real binary, on the CPU and whatever adapter there is.

mod common;

use std::time::Instant;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::{bundled, w2v};

fn bench(more: &[&str]) -> Command {
    let corpus = bundled("corpus.txt");
    let corpus = corpus.to_str().unwrap();
    let options = ["--dim", "32", "--batch", "512", "--sample", "1e-3"];
    w2v(&[&["bench", corpus], &options[..], more].concat())
}

fn json(more: &[&str]) -> Value {
    let out = bench(more).arg("--json").output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    serde_json::from_slice(&out.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// Every figure of every engine is there and possible; all engines reach the same loss; the time
/// asked for is kept.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn bench_reports_every_engine() {
    let started = Instant::now();
    let report = json(&["--seconds", "5"]);
    // The time asked for is kept, more or less: on a busy machine an engine may take long to start.
    assert!(
        started.elapsed().as_secs_f64() < 120.0,
        "{:?}",
        started.elapsed()
    );
    assert!(number(&report["seconds"]) > 0.0 && number(&report["share"]) == 1.0);
    assert!(number(&report["batcher"]["windows_per_second"]) > 0.0);
    assert!(number(&report["batches"]["pairs"]) > number(&report["batches"]["windows"]));

    let engines = report["engines"].as_array().unwrap();
    assert!(
        engines[0]["name"] == "cpu" && engines.len() > 1,
        "an adapter is needed: tests/run.sh installs one"
    );
    let ratio = number(&report["gpu_over_cpu"]["engine"]);
    let speeds: Vec<f64> = engines
        .iter()
        .map(|engine| number(&engine["words_per_second"]))
        .collect();
    assert!(
        speeds[1..]
            .iter()
            .any(|gpu| (gpu / speeds[0] / ratio - 1.0).abs() < 1e-9)
    );
    let mut losses = Vec::new();
    for engine in engines {
        assert!(engine["error"].is_null(), "{engine}");
        for figure in [
            "words_per_second",
            "pairs_per_second",
            "windows_per_second",
            "batches",
            "seconds",
        ] {
            assert!(number(&engine[figure]) > 0.0, "{figure} {engine}");
        }
        assert!(number(&engine["pairs_per_second"]) > number(&engine["windows_per_second"]));
        assert!(
            number(&engine["bytes_per_word"]) > 100.0 && number(&engine["bytes_per_second"]) > 0.0
        );
        assert!(number(&engine["copy_bytes_per_second"]) > 1e8, "{engine}");
        let end_to_end = &engine["end_to_end"];
        assert!(number(&end_to_end["words_per_second"]) > 0.0);
        for share in [&engine["busy"], &end_to_end["busy"], &end_to_end["waiting"]] {
            assert!((0.0..=1.0).contains(&number(share)), "{engine}");
        }
        assert!(number(&engine["busy"]) > 0.0, "{engine}");
        let stages = engine["stages"].as_array().unwrap();
        let on_device: Vec<&Value> = stages
            .iter()
            .filter(|stage| stage["on_device"] == true)
            .collect();
        assert_eq!(on_device[0]["name"], "window");
        for stage in &on_device {
            assert!(number(&stage["nanoseconds_per_word"]) > 0.0, "{stage}");
        }
        // All that the model counts is moved by some stage.
        let bytes: f64 = stages
            .iter()
            .filter_map(|stage| stage["bytes_per_word"].as_f64())
            .sum();
        assert!(
            (bytes / number(&engine["bytes_per_word"]) - 1.0).abs() < 1e-9,
            "{engine}"
        );
        losses.push((
            engine["loss"]["batches"].as_u64().unwrap(),
            number(&engine["loss"]["per_pair"]),
        ));
    }
    // Learning has begun, from 6 log 2 a pair.
    let (batches, loss) = losses[0];
    assert!(batches > 1 && loss > 0.5 && loss < 4.16, "{losses:?}");
    assert!(
        losses
            .iter()
            .all(|&(count, own)| count == batches && (own / loss - 1.0).abs() < 1e-3),
        "{losses:?}"
    );
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn sweep_names_the_best_setting() {
    let report = json(&["--seconds", "5", "--sweep", "--threads", "2"]);
    let sweeps = report["sweeps"].as_array().unwrap();
    let knobs: Vec<&str> = sweeps
        .iter()
        .map(|sweep| sweep["knob"].as_str().unwrap())
        .collect();
    assert!(
        knobs[0] == "threads"
            && ["lanes", "run", "batch"]
                .iter()
                .all(|knob| knobs.contains(knob)),
        "{knobs:?}"
    );
    for sweep in sweeps {
        let trials = sweep["trials"].as_array().unwrap();
        let speed = |trial: &Value| trial["words_per_second"].as_f64().unwrap_or(0.0);
        let best = trials
            .iter()
            .find(|trial| trial["value"] == sweep["best"])
            .unwrap();
        assert!(trials.len() > 1 && speed(best) > 0.0, "{sweep}");
        assert!(
            trials.iter().all(|trial| speed(trial) <= speed(best)),
            "{sweep}"
        );
    }
}

#[test]
fn bench_prints_three_lines_for_a_person_and_tables_if_asked() {
    let text = ["--seconds", "2", "--engine", "cpu", "--text", "1M"];
    let three = || {
        contains("speed of training: cpu ")
            .and(contains("train takes the CPU by itself"))
            .and(contains(
                "training on all of the text, 5 epochs, takes about",
            ))
    };
    bench(&text)
        .assert()
        .success()
        .stdout(three().and(contains("\n").count(3)))
        .stderr(contains("measuring").and(contains("cpu: training on ready batches")));
    bench(&[&text[..], &["-v"]].concat())
        .assert()
        .success()
        .stdout(
            three()
                .and(contains("words/s"))
                .and(contains("loss per pair"))
                .and(contains("  window"))
                .and(contains("measured in")),
        );
    bench(&[&text[..], &["--sweep"]].concat())
        .assert()
        .success()
        .stdout(contains("cpu, threads: ").and(contains(" is best, ")));
}

#[test]
fn bench_measures_the_full_softmax() {
    let report = json(&[
        "--seconds",
        "2",
        "--engine",
        "cpu",
        "--loss",
        "softmax",
        "--dim",
        "8",
        "--batch",
        "64",
    ]);
    let engine = &report["engines"][0];
    assert_eq!(engine["stages"][0]["name"], "softmax");
    assert!(
        number(&engine["words_per_second"]) > 0.0 && number(&engine["bytes_per_word"]) > 1000.0
    );
}

#[test]
fn wrong_bench_options_are_refused() {
    bench(&["--seconds", "0"])
        .assert()
        .code(2)
        .stderr(contains("--seconds 0"));
    bench(&["--engine", "cpu", "--adapter", "0"])
        .assert()
        .code(2)
        .stderr(contains("--adapter 0"));
    bench(&["--engine", "cpu", "--storage", "f16"])
        .assert()
        .code(2)
        .stderr(contains("--storage f16: is for the GPU"));
    bench(&["--init", "no such vectors.bin"])
        .assert()
        .code(1)
        .stderr(contains("no such vectors.bin"));
    bench(&["--adapter", "no such adapter"])
        .assert()
        .code(1)
        .stderr(contains("no such adapter"));
}
