//! `neighbors`, `analogy`, `completions` and `man`, through the real binary.

mod common;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::Dir;

/// A folder with vectors, `v.txt`.
fn dir() -> Dir {
    let vectors = "6 3\nathens 1 1 0\ngreece 0 1 0\noslo 1 0 1\nnorway 0 0 1\nd'or -1 0.5 \
                   0\n\u{202e}evil\\ -1 0 0\n";
    Dir::with_files(&[("v.txt", vectors.as_bytes())])
}

#[test]
fn neighbors_of_several_words() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "athens", "d'or", "-n", "2"]).assert().success().stderr("").stdout(
        "athens\n  greece  0.7071\n  oslo    0.5000\nd'or\n  \\u{202e}evil\\\\  0.8944\n  greece          0.4472\n",
    );
    dir.w2v(&["neighbors", "v.txt", "oslo", "--top", "1", "--json"])
        .assert()
        .success()
        .stdout(
            "{\"word\":\"oslo\",\"neighbors\":[{\"word\":\"norway\",\"cosine\":0.70710677}]}\n",
        );
}

#[test]
fn the_answer_to_an_analogy_is_not_among_its_words() {
    let dir = dir();
    // (1, 1, 0) / 2^.5 - (0, 1, 0) + (0, 0, 1) = (.7071, -.2929, 1) is 1.2593 long; times (1, 0, 1)
    // / 2^.5 it is 1.2071.
    dir.w2v(&[
        "analogy", "v.txt", "greece", "athens", "norway", "norway", "oslo", "greece", "-n1",
    ])
    .assert()
    .success()
    .stderr("")
    .stdout("athens - greece + norway\n  oslo  0.9586\noslo - norway + greece\n  athens  0.9586\n");
    let output = dir
        .w2v(&["analogy", "v.txt", "greece", "athens", "norway", "--json"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["a"], &answer["b"], &answer["c"]),
        (&"greece".into(), &"athens".into(), &"norway".into())
    );
    assert_eq!(answer["answers"].as_array().unwrap().len(), 3);
    assert_eq!(answer["answers"][0]["word"], "oslo");
}

#[test]
fn unknown_words_are_answered_with_similar_spellings() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "xyzzy", "athens", "Atehns"])
        .assert()
        .code(1)
        .stdout(contains("athens\n"))
        .stderr(contains("\"xyzzy\"").and(contains(
            "\"Atehns\" is not among the 6 words of the vectors; spelt alike: athens\n",
        )));
    dir.w2v(&["analogy", "v.txt", "athens", "grece", "oslo"])
        .assert()
        .code(1)
        .stderr(contains("spelt alike: greece"));
    dir.w2v(&["neighbors", "v.txt", "xevil"])
        .assert()
        .code(1)
        .stderr(contains("\u{202e}").not());
}

#[test]
fn zero_vector_has_no_neighbors() {
    let dir = dir();
    dir.file("zero.txt", "3 2\na 1 0\nnowhere 0 -0\nb 1 1\n");
    dir.w2v(&["neighbors", "zero.txt", "nowhere", "a", "-n1"])
        .assert()
        .code(1)
        .stdout("a\n  b  0.7071\n")
        .stderr(contains(
            "the vector of \"nowhere\" is zero: it has no direction",
        ));
    dir.w2v(&["analogy", "zero.txt", "a", "b", "nowhere"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("is zero"));
}

#[test]
fn vectors_are_read_from_standard_input() {
    let dir = dir();
    let vectors = dir.bytes("v.txt");
    let ask = |args: &[&str]| dir.w2v(args).write_stdin(&*vectors).assert();
    ask(&["neighbors", "-", "oslo", "-n1", "--from", "txt"])
        .success()
        .stdout("oslo\n  norway  0.7071\n")
        .stderr("");
    ask(&[
        "analogy", "-", "greece", "athens", "norway", "-n1", "--from", "txt",
    ])
    .success()
    .stdout(contains("oslo"));
    ask(&["neighbors", "-", "oslo"]).failure().stderr(contains(
        "standard input has no name that tells the format; give --from",
    ));
    for command in ["neighbors", "analogy"] {
        ask(&[command, "-", "--from", "txt"])
            .code(2)
            .stderr(contains("both the vectors and the questions"));
    }
    dir.file("pairs", "athens greece 3\nathens oslo 2\nathens norway 1\n");
    ask(&["eval", "-", "--from", "txt", "--pairs", "pairs"])
        .success()
        .stdout(contains("3/3"))
        .stderr("");
}

#[test]
fn questions_are_read_line_by_line_from_standard_input() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "-n1"])
        .write_stdin("athens\r\n\n  oslo greece \nnorwy\nnor\u{1b}way\noslo")
        .assert()
        .code(1)
        .stdout("athens\n  greece  0.7071\noslo\n  norway  0.7071\ngreece\n  athens  0.7071\noslo\n  norway  0.7071\n")
        .stderr(contains("spelt alike: norway").and(contains("\"nor\\u{1b}way\"")).and(contains("2 \
                                                                                                 of \
                                                                                                 the \
                                                                                                 questions")));
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin(&b"\xff\xfe\n"[..])
        .assert()
        .code(1)
        .stderr(contains("not among"));
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin("")
        .assert()
        .success()
        .stdout("")
        .stderr("");
    let output = dir
        .w2v(&["analogy", "v.txt", "--json"])
        .write_stdin("greece athens norway\nathens oslo\nnorway oslo greece\n")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("give three words for each question, not 2")
    );
    let answers: Vec<Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(
        answers
            .iter()
            .map(|answer| &answer["answers"][0]["word"])
            .collect::<Vec<_>>(),
        ["oslo", "athens"]
    );
}

/// As PowerShell hands on what it read.
#[test]
fn questions_in_utf16_are_answered() {
    let dir = dir();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    for mark in ["", "\u{feff}"] {
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            dir.w2v(&["neighbors", "v.txt", "-n1"])
                .write_stdin(utf16(&format!("{mark}athens\r\noslo\r\n"), bytes))
                .assert()
                .success()
                .stdout("athens\n  greece  0.7071\noslo\n  norway  0.7071\n")
                .stderr("");
        }
    }
    let utf32: Vec<u8> = "athens\n"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin(utf32)
        .assert()
        .code(1)
        .stderr(contains("iconv -f UTF-32"));
}

#[test]
fn wrong_usage_exits_with_2_and_wrong_files_with_1() {
    let dir = dir();
    dir.w2v(&["analogy", "v.txt", "athens", "oslo"])
        .assert()
        .code(2)
        .stderr(contains("three words"));
    dir.w2v(&["neighbors", "v.txt", "athens", "-n", "0"])
        .assert()
        .code(2)
        .stderr(contains("--top"));
    dir.w2v(&["neighbors"])
        .assert()
        .code(2)
        .stderr(contains("VECTORS"));
    for command in ["neighbors", "analogy"] {
        dir.w2v(&[command, "none.bin", "a", "b", "c"])
            .assert()
            .code(1)
            .stderr(contains("cannot open none.bin"));
    }
    dir.file("nan.txt", "1 1\na NaN\n");
    dir.w2v(&["analogy", "nan.txt", "a", "a", "a"])
        .assert()
        .code(1)
        .stderr(contains("nan.txt: line 2"));
}

#[test]
fn completions_are_written_for_every_shell() {
    let dir = dir();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = dir
            .w2v(&["completions", shell])
            .assert()
            .success()
            .stderr("");
        script.stdout(
            contains("w2v-gpu")
                .and(contains("restrict-vocab"))
                .and(contains("hyperwords")),
        );
    }
    dir.w2v(&["completions", "csh"])
        .assert()
        .code(2)
        .stderr(contains("zsh"));
}

#[test]
fn manual_has_a_page_for_each_command() {
    let dir = dir();
    dir.w2v(&["man"])
        .assert()
        .success()
        .stdout(contains(".TH w2v-gpu 1").and(contains("w2v\\-gpu\\-eval(1)")));
    for command in [
        "train",
        "devices",
        "eval",
        "neighbors",
        "analogy",
        "completions",
    ] {
        let page = dir.w2v(&["man", command]).assert().success().stderr("");
        page.stdout(contains(format!(".TH w2v-gpu-{command} 1")).and(contains(".SH SYNOPSIS")));
        dir.w2v(&[command, "--help"]).assert().success();
    }
    dir.w2v(&["man", "nothing"])
        .assert()
        .code(2)
        .stderr(contains("is none of train, devices"));
    dir.w2v(&["--help"])
        .assert()
        .success()
        .stdout(contains("  man ").not());
}
