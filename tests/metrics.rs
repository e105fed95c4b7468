//! `train --metrics` and `--tensorboard`, through the real binary.

mod common;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::{Dir, bundled};

/// A folder with a small text whose words come often enough.
fn dir() -> Dir {
    let text: String = (0..3000)
        .map(|i| format!("the cat {} sat on the mat {} once{i}\n", i % 7, i % 5))
        .collect();
    Dir::with_files(&[("text.txt", text.as_bytes())])
}

/// `train text.txt -o v.bin` within the folder, quick, then `more`.
fn train(dir: &Dir, more: &[&str]) -> Command {
    let options = ["--epochs", "2", "-q", "--batch", "64"];
    dir.train(&[&["text.txt", "-o", "v.bin"], &options[..], more].concat())
}

fn records(dir: &Dir, name: &str) -> Vec<Value> {
    let text = dir.read(name);
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Scores after each epoch: shown, recorded, and the last ones those of `eval` on the file written.
#[test]
fn vectors_are_scored_after_each_epoch() {
    let dir = Dir::new();
    let [corpus, analogies] = ["corpus.txt", "analogies.txt"].map(bundled);
    let [corpus, analogies] = [&corpus, &analogies].map(|path| path.to_str().unwrap());
    dir.file(
        "pairs.tsv",
        "dog\tcat\t9\ndog\tguitar\t1\ncat\tyen\t2\nking\tqueen\t8\n",
    );
    let evaluation = ["--eval-pairs", "pairs.tsv", "--eval-analogies", analogies];
    dir.w2v(&["train", corpus, "-o", "v.bin", "--engine", "cpu"])
        .args(["--epochs", "2"])
        .args(evaluation)
        .args(["--metrics", "run.jsonl", "--embedding", "average"])
        .assert()
        .success()
        .stderr(
            contains("epoch 2 evaluated: pairs Spearman")
                .and(contains("(4/4 among ").and(contains("words), analogies 3CosAdd"))),
        );
    let records = records(&dir, "run.jsonl");
    let scores: Vec<&Value> = records
        .iter()
        .filter(|record| record["record"] == "evaluated")
        .map(|record| &record["scores"])
        .collect();
    assert_eq!(scores.len(), 2);
    let evaluation = ["--pairs", "pairs.tsv", "--analogies", analogies];
    let out = dir
        .w2v(&[&["eval", "v.bin", "--json"], &evaluation[..]].concat())
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(scores[1][0]["score"], report["pairs"][0]["spearman"]);
    assert_eq!(
        scores[1][1]["score"],
        report["analogies"][0]["total"]["3cosadd"]["accuracy"]
    );
    assert!(scores[1][1]["score"].as_f64().unwrap() > scores[0][1]["score"].as_f64().unwrap());
    // A file that is not there is found out before any work.
    dir.w2v(&["train", corpus, "-o", "w.bin", "--eval-pairs", "nowhere"])
        .assert()
        .code(1)
        .stderr(contains("nowhere").and(contains("counting").not()));
    assert!(!dir.has("w.bin"));
}

#[test]
fn record_has_a_line_for_each_event() {
    let dir = dir();
    dir.file("run.jsonl", "an earlier run\n");
    let output = train(&dir, &["--metrics", "run.jsonl", "--json"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let records = records(&dir, "run.jsonl");
    let of = |kind: &str| {
        records
            .iter()
            .filter(|record| record["record"] == kind)
            .collect::<Vec<_>>()
    };

    let start = &records[0];
    assert_eq!(
        (&start["record"], &start["version"]),
        (&"start".into(), &1.into())
    );
    assert_eq!(
        start["program"],
        concat!("w2v-gpu ", env!("CARGO_PKG_VERSION"))
    );
    assert!(start["started"].as_str().unwrap().ends_with('Z'));
    assert!(start["engine"].as_str().unwrap().starts_with("cpu"));
    assert!(start["hardware"]["cores"].as_u64().unwrap() > 0);
    assert_eq!(start["corpus"], serde_json::json!(["text.txt"]));
    let written = Path::new(start["output"].as_str().unwrap());
    assert!(written.is_absolute() && written.is_file());
    let config = &start["config"];
    assert_eq!(
        (&config["batch"], &config["dim"], &config["lr"]),
        (&64.into(), &8.into(), &0.05.into())
    );
    assert_eq!(config["min_lr"], 0.05 * 1e-4);
    // 3000 words occur once and are left out.
    assert_eq!(
        (
            &start["prepared"]["text"]["words"],
            &start["prepared"]["tokens"]
        ),
        (&27_000.into(), &24_000.into())
    );

    // However short the run is, and however little it shows.
    let progress = of("progress");
    assert_eq!(progress.len(), 200);
    for pair in progress.windows(2) {
        let number = |name: &str| [0, 1].map(|i| pair[i][name].as_f64().unwrap());
        for name in ["step", "words", "pairs", "elapsed"] {
            let [before, after] = number(name);
            assert!(before < after, "{name}: {before} {after}");
        }
        let (words, seconds) = (number("words"), number("elapsed"));
        let expected = (words[1] - words[0]) / (seconds[1] - seconds[0]);
        assert!((number("words_per_second")[1] / expected - 1.0).abs() < 1e-3);
        assert!(number("loss")[1] > 0.0 && number("lr")[1] < 0.05);
    }
    let epochs = of("epoch");
    assert_eq!(
        epochs
            .iter()
            .map(|epoch| epoch["epoch"].as_u64().unwrap())
            .collect::<Vec<_>>(),
        [0, 1]
    );
    let end = records.last().unwrap();
    assert_eq!(end["record"], "end");
    assert_eq!(end["training"]["loss"], summary["training"]["loss"]);
    assert_eq!(end["training"]["loss"], epochs[1]["loss"]);
    assert_eq!(end["seconds"]["train"], summary["seconds"]["train"]);
    assert!(end["training"]["elapsed"].as_f64().unwrap() > 0.0);
    assert_eq!(records.len(), 2 + progress.len() + epochs.len());
}

#[test]
fn recording_does_not_change_the_vectors() {
    let dir = dir();
    train(&dir, &[]).assert().success();
    let vectors = dir.bytes("v.bin");
    train(&dir, &["--metrics", "run.jsonl", "--tensorboard", "board"])
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), vectors);
}

#[test]
fn record_of_a_failed_run_has_whole_lines_and_no_end() {
    let dir = dir();
    train(
        &dir,
        &["--metrics", "run.jsonl", "--lr", "1e30", "--clip", "1e30"],
    )
    .assert()
    .code(1);
    let records = records(&dir, "run.jsonl");
    assert_eq!(records[0]["record"], "start");
    assert!(records.iter().all(|record| record["record"] != "end"));
}

/// Its steps, its epochs and how often it begins and ends.
fn shape(records: &[Value]) -> (Vec<u64>, Vec<u64>, usize) {
    let numbers = |kind: &str, name: &str| -> Vec<u64> {
        let of_kind = records.iter().filter(|record| record["record"] == kind);
        of_kind
            .map(|record| record[name].as_u64().unwrap())
            .collect()
    };
    let (steps, epochs) = (numbers("progress", "step"), numbers("epoch", "epoch"));
    let others = records.len() - steps.len() - epochs.len();
    (steps, epochs, others)
}

#[test]
fn a_resumed_run_adds_to_its_record() {
    let dir = dir();
    train(&dir, &["--metrics", "run.jsonl", "--checkpoint", "run"])
        .assert()
        .success();
    let before = records(&dir, "run.jsonl");
    train(
        &dir,
        &["--metrics", "run.jsonl", "--resume", "run", "--epochs", "3"],
    )
    .assert()
    .success();
    let (first, second) = (shape(&before), shape(&records(&dir, "run.jsonl")));
    assert_eq!((first.1, second.1), (vec![0, 1], vec![0, 1, 2]));
    assert_eq!((second.0[..200].to_vec(), second.2), (first.0, 2));
    assert!(
        second.0.len() > 250 && second.0.is_sorted_by(|a, b| a < b),
        "{:?}",
        second.0
    );
    // The curves of the page go over all epochs.
    dir.w2v(&["report", "run.jsonl", "-o", "run.html"])
        .assert()
        .success();
    let page = dir.read("run.html");
    let (_, data) = page.split_once(r#"id="data">"#).unwrap();
    let data: Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    let epochs: Vec<f64> = data["runs"][0]["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point["epoch"].as_f64().unwrap())
        .collect();
    assert!(
        (epochs[199] - 2.0).abs() < 1e-9 && (epochs.last().unwrap() - 3.0).abs() < 1e-9,
        "{epochs:?}"
    );
}

/// What a run that fails would have replaced.
#[test]
fn failed_run_replaces_no_file() {
    let dir = dir();
    let files = [
        "--metrics",
        "run.jsonl",
        "--save-vocab",
        "words",
        "--save-output",
        "c.bin",
    ];
    train(&dir, &files).assert().success();
    let names = ["run.jsonl", "words", "c.bin", "v.bin", "v.bin.json"];
    let read = || names.map(|name| dir.bytes(name));
    let before = read();
    dir.file("text.txt", dir.read("text.txt").repeat(2));
    train(
        &dir,
        &[&files[..], &["--lr", "1e30", "--clip", "1e30"]].concat(),
    )
    .assert()
    .code(1);
    assert!(read() == before);
    let failed = records(&dir, "run.jsonl.1");
    assert!(
        failed[0]["record"] == "start" && failed.iter().all(|record| record["record"] != "end")
    );
    // The next run that is whole takes the name.
    train(&dir, &files).assert().success();
    let records = records(&dir, "run.jsonl");
    assert!(
        records[0]["prepared"]["tokens"] == 48_000 && records.last().unwrap()["record"] == "end"
    );
}

/// On the terminal, in the summary, in the record and on the page.
#[test]
fn early_stopping_is_reported_everywhere() {
    let dir = Dir::new();
    let corpus = bundled("corpus.txt");
    let rates = [
        "--dim",
        "20",
        "--epochs",
        "40",
        "--lr",
        "2",
        "--min-lr",
        "2",
        "--clip",
        "1",
        "--max-vocab",
        "300",
    ];
    let output = dir
        .w2v(&[
            "train",
            corpus.to_str().unwrap(),
            "-o",
            "v.bin",
            "--engine",
            "cpu",
            "--metrics",
            "run.jsonl",
            "--json",
        ])
        .args(rates)
        .args(["--validation", "0.05", "--patience", "1"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    let training = &summary["training"];
    let kept = training["model_epoch"].as_u64().unwrap();
    assert_eq!(
        (&training["ending"], training["epochs"].as_u64()),
        (&"early".into(), Some(kept + 2))
    );
    let told = format!(
        "stopped early after epoch {} of 40, as --patience 1 asks; the vectors are those of",
        kept + 2
    );
    assert!(said.contains(&told), "{said}");

    let records = records(&dir, "run.jsonl");
    let epochs: Vec<&Value> = records
        .iter()
        .filter(|record| record["record"] == "epoch")
        .collect();
    let best = epochs[kept as usize];
    assert_eq!(epochs.len() as u64, kept + 2);
    assert!(
        epochs
            .iter()
            .all(|epoch| epoch["validation"].as_f64() >= best["validation"].as_f64())
    );
    dir.w2v(&["report", "run.jsonl", "-o", "run.html"])
        .assert()
        .success();
    let page = dir.read("run.html");
    let end = &records.last().unwrap()["training"];
    for name in ["ending", "model_epoch", "loss", "validation"] {
        assert_eq!(end[name], training[name]);
        assert!(
            page.contains(&format!("\"{name}\":{}", training[name])),
            "{name}"
        );
    }
    assert_eq!(
        (&end["loss"], &end["validation"]),
        (&best["loss"], &best["validation"])
    );
}

/// A rate that the row limit hides, one that teaches nothing, and the usual one.
#[test]
fn run_that_learned_nothing_is_warned_about() {
    let dir = dir();
    let trained = |more: &[&str]| {
        let options = [
            "--engine", "cpu", "--dim", "8", "--sample", "0", "--batch", "64",
        ];
        let output = dir
            .w2v(&[&["train", "text.txt", "-o", "v.bin"], &options[..], more].concat())
            .output()
            .unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let patience = ["--validation", "0.1", "--patience", "1"];
    for lr in ["1e9", "100"] {
        for more in [
            &["--epochs", "1"][..],
            &["--epochs", "9"],
            &patience,
            &["--loss", "hs"],
            &["--loss", "softmax"],
        ] {
            let said = trained(&[&["--lr", lr], more].concat());
            assert!(
                said.contains("is too high") && said.contains("lower --lr"),
                "{lr} {more:?}: {said}"
            );
        }
    }
    // Each model is told its own usual rates.
    assert!(trained(&["--lr", "100"]).contains("(0.025 to 0.05 are usual)"));
    let cbow = trained(&["--lr", "100", "--model", "cbow"]);
    assert!(cbow.contains("(0.05 to 0.15 are usual)"), "{cbow}");
    assert!(trained(&["--lr", "1e-9"]).contains("warning: nothing was learned: the loss is"));
    assert!(!trained(&[]).contains("warning"));
}

#[test]
fn tensorboard_option_writes_an_event_file() {
    let dir = dir();
    train(&dir, &["--tensorboard", "runs/one"])
        .assert()
        .success();
    let files: Vec<_> = fs::read_dir(dir.path("runs/one"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .collect();
    assert_eq!(files.len(), 1);
    assert!(files[0].file_name().to_string_lossy().contains("tfevents"));
    let bytes = fs::read(files[0].path()).unwrap();
    for tag in [
        "brain.Event:2",
        "train/loss",
        "train/lr",
        "train/words_per_second",
        "epoch/loss",
    ] {
        assert!(
            bytes
                .windows(tag.len())
                .any(|window| window == tag.as_bytes()),
            "{tag}"
        );
    }
}

#[test]
fn unwritable_files_are_refused_before_any_work() {
    let dir = dir();
    dir.file("file", "precious");
    for (more, message) in [
        (
            ["--metrics", "text.txt"],
            "--metrics text.txt: is a file of the corpus",
        ),
        (
            ["--metrics", "v.bin"],
            "--metrics v.bin: is a file of the corpus or of the vectors",
        ),
        (
            ["--metrics", "./v.bin"],
            "--metrics ./v.bin: is a file of the corpus or of the vectors",
        ),
        (["--metrics", "."], "--metrics .: is the name of a folder"),
        (
            ["--metrics", "no/run.jsonl"],
            "--metrics no/run.jsonl: there is no folder no",
        ),
        (
            ["--tensorboard", "file"],
            "--tensorboard file: file is a file; name a folder",
        ),
        (
            ["--tensorboard", "file/runs"],
            "--tensorboard file/runs: file is a file",
        ),
    ] {
        train(&dir, &more)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
    }
    assert!(!dir.has("v.bin"));
    assert_eq!(dir.bytes("file"), b"precious");
}

/// The first line is written before training, when there is nothing to lose yet.
#[cfg(target_os = "linux")]
#[test]
fn full_disk_is_noticed_before_training() {
    let dir = dir();
    train(&dir, &["--metrics", "/dev/full"])
        .assert()
        .code(1)
        .stderr(contains("cannot write /dev/full"));
    assert!(!dir.has("v.bin"));
}
