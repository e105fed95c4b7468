//! What a run needs is known before it starts, through the real binary.

mod common;

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::Dir;

/// `train text.txt -o v.bin` in the folder, then `more`.
fn train(dir: &Dir, more: &[&str]) -> Command {
    let args = ["train", "text.txt", "-o", "v.bin", "--sample", "0"];
    dir.w2v(&[&args, more].concat())
}

fn json(dir: &Dir, more: &[&str]) -> Value {
    let assert = train(dir, &[&["--json"], more].concat()).assert().success();
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

/// Words in the vocabulary of [`Dir::with_text`].
const WORDS: u64 = 12;

#[test]
fn plan_has_the_sizes_of_the_run() {
    let dir = Dir::with_text();
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
    let report = json(&dir, &[&options[..], &["--dry-run"]].concat());
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
    let done = json(&dir, &options);
    assert_eq!(done["training"]["steps"], plan["batches"]);
    assert_eq!(done["training"]["words"], 3 * 4800);
    let written = fs::metadata(dir.path("v.bin")).unwrap().len();
    assert!(planned.abs_diff(written) < 20, "{planned} {written}");
}

/// Windows of other objectives; checkpoints and the best epoch are copies of the model.
#[test]
fn plan_counts_checkpoints_and_other_objectives() {
    let dir = Dir::with_text();
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
    let plan = &json(&dir, &[&more[..], &patience].concat())["plan"];
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
    let plan = &json(&dir, &[&more[..], &["--loss", "hs"]].concat())["plan"];
    assert_eq!(plan["output_rows"], WORDS - 1);
    let plan = &json(&dir, &[&more[..], &["--loss", "softmax"]].concat())["plan"];
    assert_eq!(
        bytes(&plan["host"]["buffers"], "W' transposed"),
        16 * 16 * 4
    );
    assert_eq!(dir.names(), ["text.txt"]);
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn plan_counts_gpu_buffers() {
    let dir = Dir::with_text();
    let report = json(
        &dir,
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
    assert_eq!(dir.names(), ["text.txt"]);
}

#[test]
fn dry_run_prints_a_table_and_writes_nothing() {
    let dir = Dir::with_text();
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
        &dir,
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
    assert_eq!(dir.names(), ["text.txt"]);
    // Nor does it go on with a run.
    train(&dir, &["--dry-run", "--resume", "run"])
        .assert()
        .code(2)
        .stderr(contains("--resume"));
}

/// Options of a run with so many words that each matrix is as large as the memory that is free.
const TOO_LARGE: [&str; 8] = [
    "--vocab",
    "words.txt",
    "--min-count",
    "1",
    "--dim",
    "4096",
    "--save-vocab",
    "again.txt",
];

/// Tries such a run on an engine; the folder has what it had.
fn refuses_a_run_too_large_for_memory(engine: &str) -> Dir {
    let dir = Dir::with_text();
    let memory = w2v_gpu::system::available_memory().unwrap();
    let words = memory / (4096 * 4);
    let list: String = (0..words)
        .map(|word| format!("{word} {}\n", words - word))
        .collect();
    dir.file("words.txt", list);
    let options = [&TOO_LARGE[..], &["--engine", engine]].concat();
    let refused = || contains("training needs").and(contains("--dim, --max-vocab or --batch"));
    train(&dir, &options)
        .assert()
        .code(1)
        .stdout("")
        .stderr(refused());
    train(&dir, &[&options[..], &["--dry-run"]].concat())
        .assert()
        .code(1)
        .stdout(contains("to come, in all").and(contains("training, about").not()))
        .stderr(refused());
    assert_eq!(dir.names(), ["text.txt", "words.txt"]);
    dir
}

#[test]
fn run_too_large_for_memory_is_refused() {
    let dir = refuses_a_run_too_large_for_memory("cpu");
    let dry = train(
        &dir,
        &[&TOO_LARGE[..], &["--engine", "cpu", "--dry-run", "--json"]].concat(),
    )
    .assert()
    .code(1);
    let report: Value = serde_json::from_slice(&dry.get_output().stdout).unwrap();
    assert!(report["refused"].as_str().unwrap().contains("--dim") && report["estimate"].is_null());
    assert_eq!(dir.names(), ["text.txt", "words.txt"]);
    // Beyond all reason it is a mistake.
    train(&dir, &["--dim", "1000000"])
        .assert()
        .code(2)
        .stderr(contains("--dim 1000000"));
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn run_too_large_for_memory_is_refused_on_the_gpu() {
    refuses_a_run_too_large_for_memory("gpu");
}
