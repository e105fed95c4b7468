//! `report`, through the real binary. What the page does in a browser is tested by
//! `tests/report.sh`.

mod common;

use std::fs;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::Dir;

/// A seed that a script would round, as numbers of scripts have 53 bits.
const SEED: &str = "18446744073709551615";

/// A folder with the record of a run, `run.jsonl`, and its vectors, `v.txt`; the text holds what a
/// page could trip over.
fn dir() -> Dir {
    let line = |i: usize| {
        format!(
            "the </script><script>alert(1)</script> &amp; \"'` {{data}} été 猫 w{} cat w{}\n",
            i % 9,
            i % 7
        )
    };
    let text: String = (0..600).map(line).collect();
    let dir = Dir::with_files(&[("text.txt", text.as_bytes())]);
    dir.train(&["text.txt", "-o", "v.txt", "--epochs", "2", "-q"])
        .args(["--batch", "64", "--log-every", "0.001"])
        .args(["--metrics", "run.jsonl", "--seed", SEED])
        .assert()
        .success();
    dir
}

/// What the page's script is given.
fn data(page: &str) -> Value {
    let (_, rest) = page
        .split_once(r#"<script type="application/json" id="data">"#)
        .unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn report(dir: &Dir, args: &[&str]) -> String {
    dir.w2v(&[&["report", "run.jsonl", "-o", "run.html"], args].concat())
        .assert()
        .success()
        .stdout("");
    dir.read("run.html")
}

#[test]
fn the_page_holds_the_run_and_its_words() {
    let dir = dir();
    let page = report(&dir, &[]);
    let data = data(&page);
    assert_eq!(data["start"]["config"]["dim"], 8);
    assert_eq!(data["start"]["config"]["seed"], SEED);
    assert_eq!(data["epochs"].as_array().unwrap().len(), 2);
    assert!(data["end"]["training"]["loss"].as_f64().unwrap() > 0.0);
    let points = data["points"].as_array().unwrap();
    assert!(
        points
            .windows(2)
            .all(|pair| pair[0]["epoch"].as_f64() < pair[1]["epoch"].as_f64()),
        "{points:?}"
    );
    assert!(points.last().unwrap()["epoch"].as_f64().unwrap() <= 2.0);

    let words: Vec<&str> = data["map"]["words"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let vectors = dir.read("v.txt");
    assert_eq!(
        words,
        vectors
            .lines()
            .skip(1)
            .map(|line| line.split_once(' ').unwrap().0)
            .collect::<Vec<_>>()
    );
    for layout in ["pca", "tsne"] {
        assert_eq!(data["map"][layout].as_array().unwrap().len(), words.len());
    }
    // The neighbours are those of the command.
    let output = dir
        .w2v(&["neighbors", "v.txt", "cat", "--json"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = words.iter().position(|&word| word == "cat").unwrap();
    let near = data["map"]["neighbors"][id].as_array().unwrap();
    let near: Vec<&str> = near
        .iter()
        .map(|entry| words[entry[0].as_u64().unwrap() as usize])
        .collect();
    let expected = answer["neighbors"].as_array().unwrap();
    assert_eq!(
        near,
        expected
            .iter()
            .map(|entry| entry["word"].as_str().unwrap())
            .collect::<Vec<_>>()
    );
}

#[test]
fn data_is_escaped_and_the_page_fetches_nothing() {
    let dir = dir();
    let page = report(&dir, &[]);
    assert_eq!(
        (
            page.matches("<script").count(),
            page.matches("</script").count()
        ),
        (3, 3)
    );
    let words = data(&page)["map"]["words"].clone();
    assert!(
        words
            .as_array()
            .unwrap()
            .contains(&"</script><script>alert(1)</script>".into())
    );
    for fetched in ["src=", "@import", "url(", "<link rel=\"stylesheet"] {
        assert!(
            !page.split_once("<script>").unwrap().0.contains(fetched),
            "{fetched}"
        );
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn same_run_gives_the_same_page() {
    let dir = dir();
    let page = report(&dir, &[]);
    let again = dir
        .w2v(&["report", "run.jsonl", "-o", "again.html"])
        .env("RAYON_NUM_THREADS", "3")
        .output();
    assert!(again.unwrap().status.success());
    assert!(page == dir.read("again.html"));
}

#[test]
fn words_option_limits_the_map() {
    let dir = dir();
    assert_eq!(
        data(&report(&dir, &["--words", "5"]))["map"]["words"]
            .as_array()
            .unwrap()
            .len(),
        5
    );
    dir.file("other.vec", "2 1\nx 1\ny -1\n");
    let other = data(&report(&dir, &["--vectors", "other.vec"]));
    assert_eq!(other["map"]["words"], serde_json::json!(["x", "y"]));
    assert_eq!(other["map"]["tsne"], Value::Null);
}

/// Its record names no file of vectors.
#[test]
fn run_to_standard_output_has_a_page() {
    let dir = dir();
    dir.w2v(&[
        "train", "text.txt", "-o", "-", "--to", "txt", "--engine", "cpu", "--dim", "8", "--epochs",
        "1",
    ])
    .args(["--sample", "0", "--metrics", "run.jsonl"])
    .assert()
    .success();
    dir.w2v(&["report", "run.jsonl", "-o", "run.html"])
        .assert()
        .success()
        .stderr(
            "the run wrote its vectors to standard output, so there is no map; --vectors FILE \
                 gives it one\n",
        );
    let data = data(&dir.read("run.html"));
    assert!(data["map"].is_null());
    assert_eq!(
        (&data["start"]["output"], &data["end"]["output"]),
        (&"-".into(), &"-".into())
    );
    report(&dir, &["--vectors", "v.txt"]);
}

#[test]
fn interrupted_run_has_a_page() {
    let dir = dir();
    let path = dir.path("run.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.rfind("\"end\"").unwrap()]).unwrap();
    dir.w2v(&["report", "run.jsonl", "-o", "run.html"])
        .assert()
        .success()
        .stderr(contains("did not finish").and(contains("--vectors")));
    let page = dir.read("run.html");
    assert_eq!(
        (&data(&page)["map"], &data(&page)["end"]),
        (&Value::Null, &Value::Null)
    );
    // Vectors that were named are shown all the same.
    assert!(data(&report(&dir, &["--vectors", "v.txt"]))["map"].is_object());
}

#[test]
fn unusable_records_are_named() {
    let dir = dir();
    let write = |name: &str, text: &str| dir.file(name, text);
    let run = dir.read("run.jsonl");
    write("precious.html", "precious");
    write("gone.jsonl", &run.replace("v.txt", "gone.txt"));
    write("broken.jsonl", &run.replacen("\"progress\"", "\"progr", 1));
    write("own.html", &run);
    write("three.txt", "2 3\nx 1 2 3\ny 3 2 1\n");
    write("another.jsonl", &run.replace("v.txt", "three.txt"));
    let attempts: [(&[&str], i32, &str); 14] = [
        (
            &["none.jsonl", "-o", "precious.html"],
            1,
            "cannot open none.jsonl",
        ),
        (
            &["text.txt", "-o", "precious.html"],
            1,
            "text.txt: line 1: expected a record of a run as JSON",
        ),
        (
            &["v.txt", "-o", "precious.html"],
            1,
            "v.txt: line 1: expected",
        ),
        (
            &["broken.jsonl", "-o", "precious.html"],
            1,
            "broken.jsonl: line 2: expected a record",
        ),
        (
            &["gone.jsonl", "-o", "precious.html"],
            1,
            "gone.txt: No such file or directory (os error 2); name them with --vectors",
        ),
        (
            &["another.jsonl", "-o", "precious.html"],
            1,
            "three.txt has 2 words and 3 dimensions, not those of the run",
        ),
        (
            &["run.jsonl", "-o", "precious.html", "--vectors", "none.bin"],
            1,
            "none.bin",
        ),
        (
            &["run.jsonl", "-o", "precious.html", "--vectors", "text.txt"],
            1,
            "text.txt: line 1: expected the header",
        ),
        (
            &["run.jsonl", "-o", "precious.html", "--words", "1"],
            2,
            "--words 1",
        ),
        (
            &["run.jsonl", "-o", "precious.html", "--words", "100000"],
            2,
            "--words 100000",
        ),
        (
            &["run.jsonl", "-o", "run.pdf"],
            2,
            "name a file that ends in .html",
        ),
        (&["run.jsonl", "-o", "."], 2, "is the name of a folder"),
        (
            &["own.html", "-o", "own.html"],
            2,
            "-o/--output own.html: is the record of the run",
        ),
        (&["run.jsonl"], 2, "--output"),
    ];
    for (args, code, message) in attempts {
        dir.w2v(&[&["report"], args].concat())
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
    }
    assert_eq!(dir.bytes("precious.html"), b"precious");
    assert_eq!(dir.read("own.html"), run);
}
