//! `w2v-gpu eval`, through the real binary.

mod common;

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::Dir;

/// Countries at (0, 1, 0) and (0, 0, 1), their capitals beside them, and two words of no country.
const VECTORS: &str = "8 3\n\
    athens 1 1 0\n\
    greece 0 1 0\n\
    oslo 1 0 1\n\
    norway 0 0 1\n\
    Norway 0.01 0 1\n\
    south -1 0.1 -1\n\
    small 0.2 -1 0.3\n\
    smaller 0.9 -1 0.2\n";

const QUESTIONS: &str = ": capitals\n\
    Greece Athens Norway Oslo\n\
    Norway Oslo Greece Athens\n\
    Norway Oslo France Paris\n\
    : gram3-comparative\n\
    norway oslo small smaller\n\
    norway oslo small south\n";

/// Cosines: athens greece .71, oslo norway .71, greece norway 0, south oslo -1.0; people rank them
/// alike.
const PAIRS: &str = "# \
                     comment\nword1,word2,score\nAthens,Greece,9\noslo,norway,9\ngreece,norway,5\nsouth,oslo,1\na,b,3\n";

/// A folder with vectors and files to evaluate them by.
fn dir() -> Dir {
    Dir::with_files(&[
        ("v.txt", VECTORS.as_bytes()),
        ("questions.txt", QUESTIONS.as_bytes()),
        ("pairs.csv", PAIRS.as_bytes()),
    ])
}

/// `eval v.txt` in the folder, then `more`.
fn eval(dir: &Dir, more: &[&str]) -> Command {
    dir.w2v(&[&["eval", "v.txt"], more].concat())
}

fn json(dir: &Dir, more: &[&str]) -> Value {
    let output = eval(dir, &[more, &["--json"]].concat()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn prints_scores_and_coverage() {
    let dir = dir();
    eval(
        &dir,
        &["--pairs", "pairs.csv", "--analogies", "questions.txt"],
    )
    .assert()
    .success()
    .stderr("")
    .stdout(
        "pairs among 8 words  found  Spearman  Pearson\n\
             pairs.csv              4/5    1.0000   0.9961\n\
             \n\
             analogies among 8 words  found       3CosAdd\n\
             \x20 capitals                 2/3  1.0000 (2/2)\n\
             \x20 gram3-comparative        2/2  0.5000 (1/2)\n\
             \x20 semantic                 2/3  1.0000 (2/2)\n\
             \x20 syntactic                2/2  0.5000 (1/2)\n\
             questions.txt              4/5  0.7500 (3/4)\n",
    );
    eval(
        &dir,
        &["--analogies", "questions.txt", "--method", "3cosmul"],
    )
    .assert()
    .success()
    .stdout(contains("3CosMul").and(contains("3CosAdd").not()));
}

#[test]
fn json_has_everything() {
    let dir = dir();
    let report = json(
        &dir,
        &[
            "--pairs",
            "pairs.csv",
            "--analogies",
            "questions.txt",
            "--method",
            "both",
        ],
    );
    assert_eq!(
        (&report["protocol"], &report["restrict_vocab"]),
        (&"gensim".into(), &300_000.into())
    );
    assert_eq!((&report["words"], &report["dim"]), (&8.into(), &3.into()));
    let pairs = &report["pairs"][0];
    assert_eq!(
        (&pairs["found"], &pairs["total"], &pairs["among"]),
        (&4.into(), &5.into(), &8.into())
    );
    assert_eq!(
        (&pairs["score_column"], &report["analogies"][0]["among"]),
        (&3.into(), &8.into())
    );
    assert!((report["pairs"][0]["spearman"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(report["pairs"][0]["pearson"].as_f64().unwrap() > 0.9);
    let analogies = &report["analogies"][0];
    assert_eq!(analogies["total"]["3cosadd"]["accuracy"], 0.75);
    assert_eq!(analogies["sections"][1]["name"], "gram3-comparative");
    assert!(analogies["sections"][1]["3cosmul"]["correct"].is_u64());
    let report = json(&dir, &["--pairs", "pairs.csv"]);
    assert_eq!(report["analogies"], Value::Array(Vec::new()));
}

#[test]
fn several_files_may_be_given_at_once_or_one_by_one() {
    let dir = dir();
    let at_once = json(&dir, &["--pairs", "pairs.csv", "pairs.csv"]);
    assert_eq!(at_once["pairs"].as_array().unwrap().len(), 2);
    assert_eq!(
        at_once,
        json(&dir, &["--pairs", "pairs.csv", "--pairs", "pairs.csv"])
    );
}

#[test]
fn protocols_differ_in_case_and_in_unknown_words() {
    let dir = dir();
    let counts = |more: &[&str]| {
        let total = &json(&dir, &[&["--analogies", "questions.txt"], more].concat())["analogies"]
            [0]["total"];
        (
            total["found"].as_u64().unwrap(),
            total["counted"].as_u64().unwrap(),
        )
    };
    assert_eq!(counts(&["--protocol", "gensim"]), (4, 4));
    assert_eq!(counts(&["--protocol", "word2vec"]), (4, 4));
    assert_eq!(counts(&["--protocol", "hyperwords"]), (4, 5));
    assert_eq!(counts(&["--restrict-vocab", "4"]), (2, 2));
    assert_eq!(counts(&["--restrict-vocab", "0"]), (4, 4));
    let among = |more: &[&str]| {
        json(&dir, &[&["--analogies", "questions.txt"], more].concat())["restrict_vocab"].clone()
    };
    assert_eq!(among(&["--protocol", "gensim"]), 300_000);
    assert_eq!(among(&["--protocol", "word2vec"]), 30_000);
    assert_eq!(among(&["--protocol", "hyperwords"]), Value::Null);
    let report = json(&dir, &["--pairs", "pairs.csv", "--protocol", "hyperwords"]);
    assert_eq!(report["restrict_vocab"], Value::Null);
    // Ranks 4.5 4.5 3 1 2 of people against 4.5 4.5 2.5 1 2.5 of the vectors, "a" and "b" having
    // the similarity 0.
    assert!(
        (report["pairs"][0]["spearman"].as_f64().unwrap() - 9.0 / (9.5f64 * 9.0).sqrt()).abs()
            < 1e-9
    );
}

/// Cosines: athens greece .71, greece norway 0, oslo south -1.0; the means of the raters rank them
/// alike, the first rater does not.
#[test]
fn the_score_is_the_mean_of_the_raters_or_the_column_asked_for() {
    let dir = dir();
    let write = |name: &str, text: &str| dir.file(name, text);
    let rows =
        "athens, greece, 5, 10, 9, 8.0\ngreece, norway, 9, 3, 3, 5.0\noslo, south, 1, 2, 0, 1.0\n";
    write("mean.csv", rows);
    write(
        "named.csv",
        &format!("word1, word2, anna, ben, eve, average\n{rows}"),
    );
    write(
        "unnamed.csv",
        &rows
            .replace(", 8.0", ", x")
            .replace(", 5.0", ", y")
            .replace(", 1.0", ", z"),
    );
    let score = |more: &[&str]| {
        let set = json(&dir, &[&["--pairs"], more].concat())["pairs"][0].clone();
        (
            (set["spearman"].as_f64().unwrap() * 1e9).round() / 1e9,
            set["score_column"].as_u64().unwrap(),
        )
    };
    assert_eq!([score(&["mean.csv"]), score(&["named.csv"])], [(1.0, 6); 2]);
    assert_eq!(
        [
            score(&["named.csv", "--score-column", "Anna"]),
            score(&["mean.csv", "--score-column", "3"])
        ],
        [(0.5, 3); 2]
    );
    eval(&dir, &["--pairs", "named.csv"])
        .assert()
        .success()
        .stderr("");
    eval(&dir, &["--pairs", "unnamed.csv"])
        .assert()
        .success()
        .stdout(contains("0.5000"))
        .stderr(contains(
            "unnamed.csv: the score is taken from column 3, the first of 3 columns of numbers; \
         --score-column takes another",
        ));
    eval(&dir, &["--pairs", "named.csv", "--score-column", "zoe"])
        .assert()
        .code(2)
        .stderr(
            contains("--score-column zoe: named.csv: there is no column")
                .and(contains("anna, ben, eve, average")),
        );
}

#[test]
fn a_score_of_few_pairs_or_questions_is_warned_about() {
    let dir = dir();
    eval(
        &dir,
        &["--pairs", "pairs.csv", "--analogies", "questions.txt"],
    )
    .assert()
    .success()
    .stderr("");
    let few = [
        "--pairs",
        "pairs.csv",
        "--analogies",
        "questions.txt",
        "--restrict-vocab",
        "3",
    ];
    let warning =
        "warning: questions.txt: only 0 of 5 questions have all their words among 3 words";
    eval(&dir, &few)
        .assert()
        .success()
        .stderr(contains(warning).and(contains("pairs.csv").not()));
    dir.file(
        "few.tsv",
        "athens\tgreece\t3\noslo\tsouth\t1\na\tb\t1\nc\td\t2\ne\tf\t2\n",
    );
    eval(&dir, &["--pairs", "few.tsv"])
        .assert()
        .success()
        .stderr(contains("few.tsv: only 2 of 5 pairs have all"));
}

/// As Windows writes them, and joined there.
#[test]
fn byte_order_marks_and_utf16_are_read_in_evaluation_files() {
    let dir = dir();
    let arguments = ["--pairs", "pairs.csv", "--analogies", "questions.txt"];
    let expected = json(&dir, &arguments);
    type Change = fn(&str) -> Vec<u8>;
    let changes: [Change; 4] = [
        |text| format!("\u{feff}{text}").into_bytes(),
        |text| {
            text.split_inclusive('\n')
                .map(|line| format!("\u{feff}{line}"))
                .collect::<String>()
                .into_bytes()
        },
        |text| {
            format!("\u{feff}{text}")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect()
        },
        |text| {
            text.replace('\n', "\r\n")
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect()
        },
    ];
    for change in changes {
        for (name, text) in [("pairs.csv", PAIRS), ("questions.txt", QUESTIONS)] {
            dir.file(name, change(text));
        }
        assert_eq!(json(&dir, &arguments), expected);
    }
}

#[test]
fn scores_do_not_depend_on_threads() {
    let dir = dir();
    let arguments = [
        "--pairs",
        "pairs.csv",
        "--analogies",
        "questions.txt",
        "--method",
        "both",
    ];
    let one = json(&dir, &[&arguments[..], &["--threads", "1"]].concat());
    assert_eq!(
        json(&dir, &[&arguments[..], &["--threads", "5"]].concat()),
        one
    );
}

#[test]
fn a_folder_of_analogies_is_read_file_by_file() {
    let dir = dir();
    fs::create_dir_all(dir.path("bats/E")).unwrap();
    dir.file("bats/E/E01.txt", "greece\tathens\nnorway\tosloo/oslo\n");
    eval(&dir, &["--analogies", "bats"])
        .assert()
        .success()
        .stdout(
            contains("\n  E01                      1/2  1.0000 (1/1)\n")
                .and(contains("semantic").not()),
        );
}

#[test]
fn vectors_without_the_words_are_an_error() {
    let dir = dir();
    dir.file("other.tsv", "uno\tdos\t3\ntres\tcuatro\t4\n");
    eval(&dir, &["--pairs", "other.tsv"])
        .assert()
        .code(1)
        .stdout(contains("other.tsv              0/2         -        -"))
        .stderr(
            contains("nothing could be evaluated")
                .and(contains("\"athens\""))
                .and(contains("ignores case")),
        );
    eval(&dir, &["--pairs", "other.tsv", "--protocol", "hyperwords"])
        .assert()
        .code(1)
        .stderr(contains("--protocol gensim ignores case"));
    // One that can be evaluated is enough.
    eval(&dir, &["--pairs", "other.tsv", "pairs.csv"])
        .assert()
        .success()
        .stdout(contains("0/2").and(contains("4/5")));
    dir.file("v.txt", "1 3\nelsewhere 1 0 0\n");
    eval(
        &dir,
        &["--pairs", "pairs.csv", "--analogies", "questions.txt"],
    )
    .assert()
    .code(1)
    .stdout(contains("0/5"))
    .stderr(contains("\"elsewhere\""));
}

#[test]
fn scores_or_cosines_that_are_all_the_same_are_told() {
    let dir = dir();
    let same_scores = "athens\tgreece\t3\noslo\tsouth\t3\ngreece\tnorway\t3\n";
    let same_cosines = "athens\tgreece\t3\ngreece\tathens\t2\n";
    for (text, found) in [
        (same_scores, "3 pairs found of same.tsv"),
        (same_cosines, "2 pairs found of same.tsv"),
    ] {
        dir.file("same.tsv", text);
        let told = contains(found)
            .and(contains("all the same"))
            .and(contains("too few words").not());
        eval(&dir, &["--pairs", "same.tsv"])
            .assert()
            .code(1)
            .stderr(told);
    }
}

#[test]
fn decimal_commas_are_read() {
    let dir = dir();
    let text = "w1;w2;Mittelwert;n\nathens;greece;6,33;3\ngreece;norway;5,0;9\noslo;south;1,0;4\n";
    dir.file("pairs.csv", text);
    let set = json(&dir, &["--pairs", "pairs.csv"])["pairs"][0].clone();
    assert!((set["spearman"].as_f64().unwrap() - 1.0).abs() < 1e-9 && set["score_column"] == 3);
}

#[test]
fn broken_evaluation_files_are_named_with_the_line() {
    let dir = dir();
    dir.file("empty", "");
    dir.file("bad", "a b 1\nc d\n");
    dir.file("latin1", b"a b 1\n\xe9 b 2\n");
    fs::create_dir(dir.path("folder")).unwrap();
    for (flag, file, why) in [
        ("--pairs", "nowhere", "cannot open nowhere"),
        ("--pairs", "empty", "empty: the file: holds no word pairs"),
        (
            "--pairs",
            "bad",
            "bad: line 2: expected two words and a score",
        ),
        (
            "--pairs",
            "latin1",
            "latin1: line 2: holds bytes that are not UTF-8",
        ),
        (
            "--pairs",
            "questions.txt",
            "questions.txt: line 1: expected two words",
        ),
        (
            "--pairs",
            "folder",
            "cannot read folder: it is a folder; pairs are in files",
        ),
        (
            "--analogies",
            "empty",
            "empty: the file: holds no analogies",
        ),
        (
            "--analogies",
            "pairs.csv",
            "pairs.csv: line 2: expected four words",
        ),
        (
            "--analogies",
            "folder",
            "cannot read folder: the folder holds no .txt files",
        ),
    ] {
        eval(&dir, &[flag, file])
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains(why));
    }
    dir.file("v.txt", "2 1\na NaN\nb 1\n");
    eval(&dir, &["--pairs", "pairs.csv"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("v.txt: line 2"));
}

#[test]
fn eval_without_files_is_wrong_usage() {
    let dir = dir();
    eval(&dir, &[])
        .assert()
        .code(2)
        .stderr(contains("--pairs").and(contains("--analogies")));
    for wrong in [
        &["--threads", "0"][..],
        &["--protocol", "x"],
        &["--method", "x"],
        &["--restrict-vocab", "x"],
    ] {
        eval(&dir, &[&["--pairs", "pairs.csv"], wrong].concat())
            .assert()
            .code(2)
            .stderr(contains(wrong[0]));
    }
}

#[test]
fn control_characters_of_section_names_are_escaped() {
    let dir = dir();
    dir.file(
        "questions.txt",
        ": \u{1b}[2J\u{202e}\ngreece athens norway oslo\n",
    );
    eval(&dir, &["--analogies", "questions.txt"])
        .assert()
        .success()
        .stdout(contains("\n  \\u{1b}[2J\\u{202e} "));
}
