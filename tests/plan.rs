//! What a run needs is known before it starts, through the real binary.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

/// 600 lines of 8 words, of which `the` is there twice.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..600)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5))
        .collect();
    fs::write(folder.path().join("text.txt"), text).unwrap();
    folder
}

/// `train text.txt -o v.bin` in the folder, then `more`.
fn train(folder: &TempDir, more: &[&str]) -> Command {
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command
        .current_dir(folder)
        .args(["train", "text.txt", "-o", "v.bin", "--sample", "0"])
        .args(more);
    command
}

fn json(folder: &TempDir, more: &[&str]) -> Value {
    let assert = train(folder, &[&["--json"], more].concat())
        .assert()
        .success();
    serde_json::from_slice(&assert.get_output().stdout).unwrap()
}

/// The bytes of a buffer.
fn bytes(buffers: &Value, what: &str) -> u64 {
    let buffers = buffers.as_array().unwrap();
    buffers
        .iter()
        .find(|buffer| buffer["what"] == what)
        .unwrap_or_else(|| panic!("{what}"))["bytes"]
        .as_u64()
        .unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Words in the vocabulary of [`folder`]: the, cat, sat, on, mat and the digits from 0 to 6.
const WORDS: u64 = 12;

#[test]
fn the_numbers_of_the_plan_are_right() {
    let folder = folder();
    let options = [
        "--dim",
        "18",
        "--epochs",
        "3",
        "--batch",
        "300",
        "--engine",
        "cpu",
        "--threads",
        "2",
    ];
    let report = json(&folder, &[&options[..], &["--dry-run"]].concat());
    let plan = &report["plan"];
    let expected = [
        ("vocabulary", WORDS),
        ("output_rows", WORDS),
        ("dim", 18),
        ("epochs", 3),
        ("words", 4800),
    ];
    for (name, expected) in expected {
        assert_eq!(plan[name], expected, "{name}");
    }
    // Without subsampling a position is a window.
    assert_eq!(
        (&plan["batch"], &plan["batches"]),
        (&300.into(), &(3 * 4800 / 300).into())
    );
    let (buffers, held) = (&plan["host"]["buffers"], &plan["host"]["held"]);
    // Rows of 18 floats take two pieces of 16.
    assert_eq!(bytes(buffers, "W"), WORDS * 32 * 4);
    assert_eq!(bytes(buffers, "W'"), WORDS * 32 * 4);
    assert_eq!(
        bytes(buffers, "the model at the start and at the end"),
        2 * WORDS * 18 * 4
    );
    // Two threads, all rows of both matrices touched, and a bit for each, in words of 64.
    assert_eq!(
        bytes(buffers, "sums of the threads"),
        2 * 2 * (WORDS * 32 * 4 + 8)
    );
    // A window has 6 centers on average, a byte each, and 6 targets; 19 runs have 16 centers and 10
    // more. Two offsets for each window and run, and one more; the rows touched, each with a byte,
    // twelve of which take three words.
    let batch = 4 * (300 * 6 / 4 + 300 * 6 + (300 + 19 * 10) + 2 * 301 + 2 * 20 + 2 * (WORDS + 3));
    assert_eq!(bytes(buffers, "batches in flight"), 4 * batch);
    assert_eq!(bytes(held, "noise words"), WORDS * 8);
    let sum: u64 = buffers
        .as_array()
        .unwrap()
        .iter()
        .map(|buffer| buffer["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(plan["host"]["needed"], sum);
    assert!(plan["host"]["available"].as_u64().unwrap() > sum);
    assert!(plan["device"].is_null() && report["refused"].is_null());
    assert_eq!(bytes(&plan["disk"], "token store"), 4800 * 4);
    let estimate = &report["estimate"];
    assert!(estimate["words_per_second"].as_f64().unwrap() > 0.0);
    assert!(estimate["training_seconds"].as_f64().unwrap() > 0.0);

    // And what came of it.
    let planned = bytes(&plan["disk"], "vectors");
    let done = json(&folder, &options);
    assert_eq!(done["training"]["steps"], plan["batches"]);
    assert_eq!(done["training"]["words"], 3 * 4800);
    let written = fs::metadata(folder.path().join("v.bin")).unwrap().len();
    assert!(planned.abs_diff(written) < 20, "{planned} {written}");
}

/// Windows of other objectives; checkpoints and the best epoch are copies of the model.
#[test]
fn what_is_asked_for_is_planned() {
    let folder = folder();
    let more = [
        "--dry-run",
        "--engine",
        "cpu",
        "--dim",
        "16",
        "--checkpoint",
        "run",
    ];
    let patience = [
        "--validation",
        "0.1",
        "--patience",
        "1",
        "--save-output",
        "c.txt",
    ];
    let plan = &json(&folder, &[&more[..], &patience].concat())["plan"];
    let model = 2 * WORDS * 16 * 4;
    for what in ["checkpoint being written", "the model of the best epoch"] {
        assert_eq!(bytes(&plan["host"]["buffers"], what), model);
    }
    // Two are kept while a third is written, each with the best epoch.
    assert_eq!(bytes(&plan["disk"], "checkpoints"), 3 * 2 * model);
    let vectors = plan["disk"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|stored| stored["what"] == "vectors");
    assert_eq!(vectors.count(), 2);
    let plan = &json(&folder, &[&more[..], &["--loss", "hs"]].concat())["plan"];
    assert_eq!(plan["output_rows"], WORDS - 1);
    let plan = &json(&folder, &[&more[..], &["--loss", "softmax"]].concat())["plan"];
    assert_eq!(
        bytes(&plan["host"]["buffers"], "W' transposed"),
        16 * 16 * 4
    );
    assert_eq!(files(folder.path()), ["text.txt"]);
}

#[test]
fn a_gpu_has_its_own_part_of_the_plan() {
    let folder = folder();
    let report = json(
        &folder,
        &[
            "--dry-run",
            "--engine",
            "gpu",
            "--dim",
            "18",
            "--epochs",
            "1",
        ],
    );
    let device = &report["plan"]["device"];
    // Rows of 18 floats take five groups of four.
    assert_eq!(bytes(&device["buffers"], "W"), WORDS * 20 * 4);
    assert_eq!(device["bindings"], 1);
    assert!(device["max_binding"].as_u64().unwrap() >= 128 << 20);
    assert!(report["engine"].as_str().unwrap().starts_with("gpu"));
    assert_eq!(files(folder.path()), ["text.txt"]);
}

#[test]
fn a_dry_run_prints_a_table_and_writes_nothing() {
    let folder = folder();
    let outputs = [
        "--save-vocab",
        "words.txt",
        "--save-output",
        "c.bin",
        "--metrics",
        "m.jsonl",
        "--tensorboard",
        "board",
    ];
    train(
        &folder,
        &[
            &["--dry-run", "--engine", "cpu", "--checkpoint", "run"],
            &outputs[..],
        ]
        .concat(),
    )
    .assert()
    .success()
    .stdout(
        contains("vocabulary")
            .and(contains("batches, about"))
            .and(contains("training, about")),
    )
    .stdout(contains("sums of the threads").and(contains("token store in")))
    .stderr(contains("plan: matrices of 12 and 12 rows x 100"));
    assert_eq!(files(folder.path()), ["text.txt"]);
    // Nor does it go on with a run.
    train(&folder, &["--dry-run", "--resume", "run"])
        .assert()
        .code(2)
        .stderr(contains("--resume"));
}

/// So many words that each matrix is as large as the memory that is free.
#[test]
fn a_run_that_cannot_fit_is_refused_before_it_starts() {
    let folder = folder();
    let memory = w2v_gpu::system::available_memory().unwrap();
    let words = memory / (4096 * 4);
    let list: String = (0..words)
        .map(|word| format!("{word} {}\n", words - word))
        .collect();
    fs::write(folder.path().join("words.txt"), list).unwrap();
    let options = [
        "--vocab",
        "words.txt",
        "--min-count",
        "1",
        "--dim",
        "4096",
        "--save-vocab",
        "again.txt",
    ];
    for engine in ["cpu", "gpu"] {
        let options = [&options[..], &["--engine", engine]].concat();
        let refused = || contains("training needs").and(contains("--dim, --max-vocab or --batch"));
        train(&folder, &options)
            .assert()
            .code(1)
            .stdout("")
            .stderr(refused());
        train(&folder, &[&options[..], &["--dry-run"]].concat())
            .assert()
            .code(1)
            .stdout(contains("to come, in all").and(contains("training, about").not()))
            .stderr(refused());
    }
    let dry = train(
        &folder,
        &[&options[..], &["--engine", "cpu", "--dry-run", "--json"]].concat(),
    )
    .assert()
    .code(1);
    let report: Value = serde_json::from_slice(&dry.get_output().stdout).unwrap();
    assert!(report["refused"].as_str().unwrap().contains("--dim") && report["estimate"].is_null());
    assert_eq!(files(folder.path()), ["text.txt", "words.txt"]);
    // Beyond all reason it is a mistake.
    train(&folder, &["--dim", "1000000"])
        .assert()
        .code(2)
        .stderr(contains("--dim 1000000"));
}
