//! `phrases`, through the real binary.

mod common;

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

use common::Dir;

/// A folder with a text in which `new york` and `ice cream` belong together.
fn dir() -> Dir {
    let line = |i: usize| match i % 4 {
        0 => format!("w{} new york w{}\n", i * i % 89, i % 83),
        1 => format!("ice cream w{}\n", i * i % 89),
        2 => "\n".to_owned(),
        _ => format!("w{} w{} w{}\n", i % 83, i * i % 89, i % 79),
    };
    let text: String = (0..2000).map(line).collect();
    Dir::with_files(&[("t", text.as_bytes())])
}

fn phrases(dir: &Dir, args: &[&str]) -> Command {
    dir.w2v(&[&["phrases"], args].concat())
}

#[test]
fn frequent_pairs_are_joined_and_others_are_not() {
    let dir = dir();
    let expected = dir
        .read("t")
        .replace("new york", "new_york")
        .replace("ice cream", "ice_cream");
    let args = ["t", "-o", "out", "--threshold", "5"];
    let found = contains("of ")
        .and(contains("2 are joined"))
        .and(contains("words in 1,500 lines to out"));
    phrases(&dir, &args)
        .assert()
        .success()
        .stdout("")
        .stderr(found);
    assert_eq!(dir.read("out"), expected);
    // The same for one thread, through pipes, and with room to spare.
    phrases(
        &dir,
        &["t", "-o", "-", "--threshold", "5", "--threads", "1", "-q"],
    )
    .assert()
    .success()
    .stdout(expected.clone())
    .stderr("");
    let piped = [
        "-",
        "-o",
        "-",
        "--threshold",
        "5",
        "--delta",
        "5",
        "--vocab-memory",
        "1GB",
        "--threads",
        "3",
    ];
    phrases(&dir, &piped)
        .write_stdin(dir.read("t"))
        .assert()
        .success()
        .stdout(expected);
    let output = phrases(&dir, &[&args[..], &["--json", "--separator", "+"]].concat())
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["passes"][0]["joined"], &report["text"]["lines"]),
        (&2.into(), &1500.into())
    );
    assert!(dir.read("out").contains("new+york"));
}

#[test]
fn later_passes_make_longer_phrases() {
    let dir = dir();
    let text = "we saw the new york times today\nx y\n".repeat(40)
        + &"new york a b c d e f g h i\n".repeat(40);
    dir.file("t", text);
    let longest = |passes: &str| {
        phrases(
            &dir,
            &["t", "-o", "out", "--threshold", "3", "--passes", passes],
        )
        .assert()
        .success();
        dir.read("out")
            .split_whitespace()
            .map(|word| word.matches('_').count())
            .max()
            .unwrap()
    };
    assert_eq!((longest("1"), longest("2"), longest("3")), (1, 3, 7)); // 2, 4 and 8 words
}

#[test]
fn wrong_options_are_refused_and_the_output_file_stays() {
    let dir = dir();
    dir.file("out", "precious");
    dir.file("cut.gz", [0x1f, 0x8b, 8, 0]);
    let cases: [(&[&str], i32, &str); 9] = [
        (&["t", "--threshold", "nan"], 2, "--threshold NaN"),
        (&["t", "--delta", "-1"], 2, "--delta -1"),
        (&["t", "--passes", "0"], 2, "--passes 0"),
        (&["t", "--separator", " "], 2, "--separator"),
        (&["t", "--vocab-memory", "9"], 2, "--vocab-memory 9"),
        (&["t", "--threads", "0"], 2, "--threads 0"),
        (&["none"], 1, "cannot open none"),
        (&["cut.gz"], 1, "cut.gz: is cut short"),
        (&["out"], 2, "is a file of the corpus"),
    ];
    for (args, code, message) in cases {
        let mut command = phrases(&dir, &[&["-o", "out"], args].concat());
        command
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
        assert_eq!(dir.read("out"), "precious");
    }
    phrases(&dir, &["t", "-o", "-", "--json"])
        .assert()
        .code(2)
        .stderr(contains("--json"));
    phrases(&dir, &["t", "-o", "none/out"])
        .assert()
        .code(2)
        .stderr(contains("--output"));
}

/// An output beside the texts of a folder, or in a folder below it; a hidden one is never read.
#[test]
fn text_commands_refuse_outputs_in_a_corpus_folder() {
    let dir = dir();
    fs::create_dir(dir.path("below")).unwrap();
    for command in ["vocab", "phrases"] {
        let run = |out: &str| dir.w2v(&[command, ".", "-o", out]).assert();
        for out in ["out", "below/out"] {
            let refused = format!("-o/--output {out}: lies in a folder of CORPUS");
            run(out).code(2).stdout("").stderr(contains(refused));
            assert!(!dir.has(out));
        }
        run(".out").success();
        run("-").success().stdout(predicate::str::is_empty().not());
    }
}
