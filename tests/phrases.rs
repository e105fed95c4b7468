//! `phrases`, through the real binary.

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

/// A folder with a text in which `new york` and `ice cream` belong together.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let line = |i: usize| match i % 4 {
        0 => format!("w{} new york w{}\n", i * i % 89, i % 83),
        1 => format!("ice cream w{}\n", i * i % 89),
        2 => "\n".to_owned(),
        _ => format!("w{} w{} w{}\n", i % 83, i * i % 89, i % 79),
    };
    fs::write(
        folder.path().join("t"),
        (0..2000).map(line).collect::<String>(),
    )
    .unwrap();
    folder
}

fn phrases(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.current_dir(folder.path()).arg("phrases").args(args);
    command
}

fn read(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn joins_what_belongs_together_and_nothing_else() {
    let folder = folder();
    let expected = read(&folder, "t")
        .replace("new york", "new_york")
        .replace("ice cream", "ice_cream");
    let args = ["t", "-o", "out", "--threshold", "5"];
    let found = contains("of ")
        .and(contains("2 are joined"))
        .and(contains("words in 1,500 lines to out"));
    phrases(&folder, &args)
        .assert()
        .success()
        .stdout("")
        .stderr(found);
    assert_eq!(read(&folder, "out"), expected);
    // The same for one thread, through pipes, and with room to spare.
    phrases(
        &folder,
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
    phrases(&folder, &piped)
        .write_stdin(read(&folder, "t"))
        .assert()
        .success()
        .stdout(expected);
    let output = phrases(
        &folder,
        &[&args[..], &["--json", "--separator", "+"]].concat(),
    )
    .output()
    .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&report["passes"][0]["joined"], &report["text"]["lines"]),
        (&2.into(), &1500.into())
    );
    assert!(read(&folder, "out").contains("new+york"));
}

#[test]
fn later_passes_make_longer_phrases() {
    let folder = folder();
    let text = "we saw the new york times today\nx y\n".repeat(40)
        + &"new york a b c d e f g h i\n".repeat(40);
    fs::write(folder.path().join("t"), text).unwrap();
    let longest = |passes: &str| {
        phrases(
            &folder,
            &["t", "-o", "out", "--threshold", "3", "--passes", passes],
        )
        .assert()
        .success();
        read(&folder, "out")
            .split_whitespace()
            .map(|word| word.matches('_').count())
            .max()
            .unwrap()
    };
    assert_eq!((longest("1"), longest("2"), longest("3")), (1, 3, 7)); // 2, 4 and 8 words
}

#[test]
fn wrong_use_is_refused_and_what_was_there_stays() {
    let folder = folder();
    fs::write(folder.path().join("out"), "precious").unwrap();
    fs::write(folder.path().join("cut.gz"), [0x1f, 0x8b, 8, 0]).unwrap();
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
        let mut command = phrases(&folder, &[&["-o", "out"], args].concat());
        command
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
        assert_eq!(read(&folder, "out"), "precious");
    }
    phrases(&folder, &["t", "-o", "-", "--json"])
        .assert()
        .code(2)
        .stderr(contains("--json"));
    phrases(&folder, &["t", "-o", "none/out"])
        .assert()
        .code(2)
        .stderr(contains("--output"));
}

/// An output beside the texts of a folder, or in a folder below it; a hidden one is never read.
#[test]
fn text_commands_write_nothing_where_it_would_be_read_as_text() {
    let folder = folder();
    fs::create_dir(folder.path().join("below")).unwrap();
    for command in ["vocab", "phrases"] {
        let run = |out: &str| {
            let mut run = Command::cargo_bin("w2v-gpu").unwrap();
            run.current_dir(folder.path())
                .args([command, ".", "-o", out])
                .assert()
        };
        for out in ["out", "below/out"] {
            let refused = format!("-o/--output {out}: lies in a folder of CORPUS");
            run(out).code(2).stdout("").stderr(contains(refused));
            assert!(!folder.path().join(out).exists());
        }
        run(".out").success();
        run("-").success().stdout(predicate::str::is_empty().not());
    }
}
