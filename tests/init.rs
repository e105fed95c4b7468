//! Runs that start from given vectors, through the real binary.

mod common;

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use w2v_gpu::model::Model;
use w2v_gpu::vectors::{Vectors, format};

use common::Dir;

/// A folder with a text of twelve words and vectors of six, of which four are in the text.
fn dir() -> Dir {
    let dir = Dir::with_text();
    let given = "6 4\ncat 1 2 3 4\nzebra 9 9 9 9\nthe -1 0.5 0.25 0\n6 0.1 0.2 0.3 0.4\nThe 7 7 7 \
                 7\non 0 0 0 1\n";
    dir.file("given.txt", given);
    dir
}

/// `train text.txt` in the folder on the CPU with four dimensions, then `more`.
fn train(dir: &Dir, more: &[&str]) -> Command {
    let options = ["text.txt", "--dim", "4", "--epochs", "2", "--batch", "256"];
    dir.train(&[&options, more].concat())
}

fn read(dir: &Dir, name: &str) -> Vectors {
    format::read(&dir.path(name)).unwrap()
}

/// A rate too low for an f32: what is written is what the run started from.
const STILL: [&str; 4] = ["--lr", "1e-60", "--min-lr", "0"];

/// The row of a word is that of the file where it has one, and otherwise the one that it always
/// starts from.
fn assert_starts_from(vectors: &Vectors, given: &Vectors, otherwise: impl Fn(usize) -> Vec<f32>) {
    for (id, word) in vectors.vocab.words().enumerate() {
        let expected = match given.vocab.id(word.as_bytes()) {
            Some(other) => given.matrix.row(other as usize).to_vec(),
            None => otherwise(id),
        };
        assert_eq!(vectors.matrix.row(id), expected, "{word}");
    }
}

#[test]
fn shared_words_start_from_their_vectors() {
    let dir = dir();
    let args = [
        "-o",
        "v.bin",
        "--save-output",
        "c.bin",
        "--init",
        "given.txt",
        "--json",
    ];
    let assert = train(&dir, &[&args[..], &STILL].concat())
        .assert()
        .success();
    let assert = assert.stderr(contains(
        "init: 4 of 12 words start from the 6 vectors given, the others as usual",
    ));
    let report: Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    assert_eq!(
        (
            &report["init"]["input"]["matched"],
            &report["init"]["input"]["words"]
        ),
        (&4.into(), &6.into())
    );
    assert!(report["init"]["output"].is_null());
    assert_eq!(report["config"]["init"], "given.txt");
    let usual = Model::new(12, 4, 1);
    assert_starts_from(&read(&dir, "v.bin"), &read(&dir, "given.txt"), |id| {
        usual.input.row(id).to_vec()
    });
    assert!(
        read(&dir, "c.bin")
            .matrix
            .values()
            .iter()
            .all(|&value| value == 0.0)
    );
}

/// Both matrices, in every format that is written.
#[test]
fn both_matrices_start_from_given_vectors() {
    let dir = dir();
    for format in ["txt", "bin", "glove", "npy", "safetensors", "tsv"] {
        let name = format!("given-{format}.{format}");
        let given = read(&dir, "given.txt");
        format::write(&dir.path(&name), &given.vocab, &given.matrix).unwrap();
        let args = [
            "-o",
            "v.bin",
            "--save-output",
            "c.bin",
            "--init",
            &name,
            "--init-output",
            &name,
        ];
        train(&dir, &[&args[..], &STILL].concat())
            .assert()
            .success()
            .stderr(contains("init: 4 of 12").and(contains("init of W': 4 of 12")));
        let usual = Model::new(12, 4, 1);
        assert_starts_from(&read(&dir, "v.bin"), &given, |id| {
            usual.input.row(id).to_vec()
        });
        assert_starts_from(&read(&dir, "c.bin"), &given, |_| vec![0.0; 4]);
    }
}

/// Packed, from a pipe, in a format that the name does not tell, and with odd rows: the same start.
#[test]
fn init_reads_every_format_and_standard_input() {
    let dir = dir();
    let text = dir.bytes("given.txt");
    let rows = text.splitn(2, |&byte| byte == b'\n').nth(1).unwrap();
    dir.file("given", rows);
    dir.file("given.vec.zst", zstd::encode_all(&*text, 1).unwrap());
    let odd = [
        b"9 4\nnew york 1 1 1 1\n",
        rows,
        "cat 5 5 5 5\n\u{a0} 1 1 1 1\n".as_bytes(),
    ]
    .concat();
    dir.file("odd.txt", odd);
    let start = |name: &str, more: &[&str]| {
        let mut command = train(&dir, &[&["-o", name], more, &STILL].concat());
        command.write_stdin(&*text).assert()
    };
    start("v.bin", &["--init", "given.txt"]).success();
    for more in [
        &["--init", "given.vec.zst"][..],
        &["--init", "given", "--from", "glove"],
        &["--init", "-", "--from", "vec"],
    ] {
        start("w.bin", more).success().stderr(contains(
            "init: 4 of 12 words start from the 6 vectors given",
        ));
        assert!(dir.bytes("v.bin") == dir.bytes("w.bin"), "{more:?}");
    }
    let told = "odd.txt: words kept that hold whitespace or control characters: 2 (first: line 2, \
                \"new york\"); rows left out whose word stands in an earlier row: 1 (first: line \
                9, \"cat\"); --strict refuses such a file";
    start("w.bin", &["--init", "odd.txt"])
        .success()
        .stderr(contains(told));
    assert!(dir.bytes("v.bin") == dir.bytes("w.bin"));
    let refused = "odd.txt: line 2: the word \"new york\" holds the whitespace";
    start("w.bin", &["--init", "odd.txt", "--strict"])
        .code(1)
        .stderr(contains(refused).and(contains("corpus: ").not()));
    let both = ["--init", "-", "--init-output", "-", "--from", "vec"];
    start("w.bin", &both)
        .code(2)
        .stderr(contains("standard input can be read once"));
    let mut command = train(&dir, &["-", "-o", "w.bin", "--init", "-", "--from", "vec"]);
    command.assert().code(2).stderr(contains(
        "--init -: standard input cannot be both the text and vectors",
    ));
}

#[test]
fn vectors_on_standard_output_leave_no_files() {
    let dir = dir();
    train(&dir, &["-o", "v.bin"]).assert().success();
    let expected = dir.bytes("v.bin");
    let files = dir.names();
    let output = train(&dir, &["-o", "-", "--to", "bin"]).assert().success();
    assert!(output.get_output().stdout == expected);
    assert_eq!(dir.names(), files);
    train(&dir, &["-o", "-"])
        .assert()
        .failure()
        .stderr(contains("standard output has no name").and(contains("--to FORMAT")));
    for (more, why) in [
        (
            &["-o", "-", "--to", "txt", "--json"][..],
            "-o/--output -: --json goes to standard output as well",
        ),
        (
            &["-o", "w.txt", "--save-output", "-"],
            "--save-output -: standard output is for -o alone",
        ),
        (
            &["-o", "-", "--to", "txt", "--save-vocab", "-"],
            "-o/--output -: --save-vocab goes to standard output as well",
        ),
        (
            &["-o", "w.txt", "--save-vocab", "-", "--json"],
            "--save-vocab -: --json goes to standard output as well",
        ),
        (
            &["-o", "w.txt", "--metrics", "-"],
            "--metrics -: a record does not go to standard output; name a file",
        ),
    ] {
        train(&dir, more)
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains(why));
    }
    // A dry run writes neither.
    let planned = train(&dir, &["-o", "-", "--to", "txt", "--json", "--dry-run"])
        .assert()
        .success();
    assert!(planned.get_output().stdout.starts_with(b"{"));
    assert_eq!(dir.names(), files);
}

#[test]
fn init_changes_the_result_reproducibly() {
    let dir = dir();
    let vectors = |name: &str, more: &[&str]| {
        train(&dir, &[&["-o", name], more].concat())
            .assert()
            .success();
        dir.bytes(name)
    };
    let usual = vectors("usual.bin", &[]);
    let started = vectors("v.bin", &["--init", "given.txt"]);
    assert!(started != usual);
    assert!(vectors("again.bin", &["--init", "given.txt", "--threads", "1"]) == started);
    // On the vectors of a run another one goes on.
    train(&dir, &["-o", "more.bin", "--init", "usual.bin"])
        .assert()
        .success()
        .stderr(contains("12 of 12 words"));
    // Hierarchical softmax has words in W alone.
    train(
        &dir,
        &["-o", "hs.bin", "--init", "given.txt", "--loss", "hs"],
    )
    .assert()
    .success();
    train(
        &dir,
        &["-o", "v.bin", "--init-output", "given.txt", "--loss", "hs"],
    )
    .assert()
    .code(2)
    .stderr(contains(
        "--init-output given.txt: with --loss hs W' has rows of the tree's inner nodes",
    ));
}

#[test]
fn unusable_init_files_are_refused_before_any_work() {
    let dir = dir();
    dir.file("short.txt", "2 3\ncat 1 2 3\nthe 1 2 3\n");
    dir.file("foreign.txt", "1 4\nchat 1 2 3 4\n");
    dir.file("nan.txt", "2 4\ncat 1 2 3 4\nthe 1 nan 3 4\n");
    for (file, code, why) in [
        (
            "short.txt",
            2,
            "short.txt: holds vectors of 3 dimensions, and those of the run have 4; add --dim 3",
        ),
        (
            "foreign.txt",
            2,
            "holds 1 word, none among the 12 of the vocabulary",
        ),
        (
            "nan.txt",
            1,
            "nan.txt: line 3: value 2 is \"nan\", not a finite",
        ),
        ("absent.txt", 1, "absent.txt"),
        ("text.md", 2, "must end in one of"),
    ] {
        for flag in ["--init", "--init-output"] {
            train(&dir, &["-o", "v.bin", flag, file])
                .assert()
                .code(code)
                .stderr(contains(why));
            // A dry run finds the same.
            train(&dir, &["-o", "v.bin", flag, file, "--dry-run"])
                .assert()
                .code(code)
                .stderr(contains(why));
        }
    }
    // The dimensions are known before the text is read.
    train(&dir, &["-o", "v.bin", "--init", "short.txt"])
        .assert()
        .code(2)
        .stderr(contains("corpus: ").not());
    train(&dir, &["-o", "given.txt", "--init", "given.txt"])
        .assert()
        .code(2)
        .stderr(contains("would be replaced"));
    assert!(!dir.has("v.bin"));
}

#[test]
fn resume_compares_init_files_and_does_not_need_them() {
    let dir = dir();
    let init = ["--init", "given.txt"];
    let go_on =
        |more: &[&str]| train(&dir, &[&["-o", "v.bin", "--resume", "run"], more].concat()).assert();
    train(
        &dir,
        &[&["-o", "v.bin", "--checkpoint", "run"], &init[..]].concat(),
    )
    .assert()
    .success();
    let expected = dir.bytes("v.bin");
    go_on(&init).success();
    assert!(dir.bytes("v.bin") == expected);

    go_on(&[])
        .code(2)
        .stderr(contains("--init given.txt, and this one no --init"));
    fs::copy(dir.path("given.txt"), dir.path("other.txt")).unwrap();
    go_on(&["--init", "other.txt"])
        .code(2)
        .stderr(contains("--init given.txt, and this one --init other.txt"));
    go_on(&[&init[..], &["--init-output", "given.txt"]].concat())
        .code(2)
        .stderr(contains("no --init-output"));
    let text = dir.read("given.txt");
    dir.file("given.txt", text.replace("0.25", "0.26"));
    go_on(&init).code(2).stderr(contains(
        "--init given.txt: holds other vectors than when the run",
    ));
    // Without the file there is nothing to compare, and nothing is missed.
    fs::remove_file(dir.path("given.txt")).unwrap();
    fs::remove_file(dir.path("v.bin")).unwrap();
    go_on(&init).success();
    assert!(dir.bytes("v.bin") == expected);
}
