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
    let run = &data["runs"][0];
    assert_eq!(run["name"], "run");
    assert_eq!(run["start"]["config"]["dim"], 8);
    assert_eq!(run["start"]["config"]["seed"], SEED);
    assert_eq!(run["epochs"].as_array().unwrap().len(), 2);
    let training = &run["end"]["training"];
    assert!(training["loss"].as_f64().unwrap() > 0.0);
    assert!(training["blank_loss"].as_f64().unwrap() > 0.0);
    let points = run["points"].as_array().unwrap();
    assert!(
        points
            .windows(2)
            .all(|pair| pair[0]["epoch"].as_f64() < pair[1]["epoch"].as_f64()),
        "{points:?}"
    );
    assert!(points.last().unwrap()["epoch"].as_f64().unwrap() <= 2.0);

    let words = texts(&data["map"]["words"]);
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
    assert_eq!(nearest(&data, "cat"), neighbors_of(&dir, "cat"));
}

/// The texts of an array.
fn texts(array: &Value) -> Vec<&str> {
    let texts = array.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

/// The nearest words of a word on the map.
fn nearest<'a>(data: &'a Value, word: &str) -> Vec<&'a str> {
    let words = texts(&data["map"]["words"]);
    let id = words.iter().position(|&other| other == word).unwrap();
    let near = data["map"]["neighbors"][id].as_array().unwrap().iter();
    near.map(|id| words[id.as_u64().unwrap() as usize])
        .collect()
}

/// The nearest words of a word by the command that lists them.
fn neighbors_of(dir: &Dir, word: &str) -> Vec<String> {
    let output = dir.w2v(&["neighbors", "v.txt", word, "--json"]).output();
    let answer: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let near = answer["neighbors"].as_array().unwrap().iter();
    near.map(|near| near["word"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nearest_words_need_not_be_on_the_map() {
    let dir = dir();
    let data = data(&report(&dir, &["--words", "5"]));
    let map = &data["map"];
    let on_map = map["pca"].as_array().unwrap().len();
    assert_eq!(on_map, 5);
    let vectors = dir.read("v.txt");
    let vocabulary = vectors.lines().count() - 1;
    assert_eq!(map["vocabulary"], vocabulary);
    let words = texts(&map["words"]);
    assert!(words.len() > on_map && words.len() <= vocabulary);
    for word in &words[..on_map] {
        assert_eq!(nearest(&data, word), neighbors_of(&dir, word));
    }
}

/// The command of a page, run in another folder, gives the same vectors.
#[test]
fn the_command_of_the_page_trains_the_same_vectors() {
    let dir = dir();
    let vectors = dir.bytes("v.txt");
    dir.file("pairs of words.tsv", "cat\tw1\t3\nw1\tw2\t9\nw3\tcat\t1\n");
    dir.train(&["text.txt", "-o", "v.txt", "--epochs", "2", "-q"])
        .args(["--batch", "64", "--metrics", "run.jsonl", "--seed", SEED])
        .args(["--eval-pairs", "pairs of words.tsv"])
        .assert()
        .success();
    let data = data(&report(&dir, &[]));
    let run = &data["runs"][0];
    let command = run["command"].as_str().unwrap();
    assert!(
        command.contains("--eval-pairs 'pairs of words.tsv'"),
        "{command}"
    );
    // Settings with their default values, or without one, are left out.
    assert!(
        !command.contains("--window") && !command.contains("--min-lr"),
        "{command}"
    );
    let changed = texts(&run["changed"]);
    assert!(
        changed.contains(&"epochs") && !changed.contains(&"window"),
        "{changed:?}"
    );
    assert_eq!(texts(&run["start"]["automatic"]), ["min_lr"]);

    fs::remove_file(dir.path("v.txt")).unwrap();
    let words = command.replace("'pairs of words.tsv'", "pairs_of_words.tsv");
    fs::rename(
        dir.path("pairs of words.tsv"),
        dir.path("pairs_of_words.tsv"),
    )
    .unwrap();
    let words: Vec<&str> = words.split(' ').skip(1).collect();
    dir.w2v(&words).assert().success();
    assert!(dir.bytes("v.txt") == vectors);
}

#[test]
fn scores_have_their_coverage_and_their_sections() {
    let dir = dir();
    dir.file(
        "questions.txt",
        ": first\ncat w1 w2 w3\ncat w1 w2 absent\n: gram-second\nw1 w2 w3 w4\n",
    );
    dir.train(&["text.txt", "-o", "v.txt", "--epochs", "2", "-q"])
        .args([
            "--metrics",
            "run.jsonl",
            "--eval-analogies",
            "questions.txt",
        ])
        .assert()
        .success();
    let data = data(&report(&dir, &[]));
    for epoch in data["runs"][0]["epochs"].as_array().unwrap() {
        let score = &epoch["evaluation"][0];
        assert_eq!(
            (&score["name"], &score["measure"]),
            (&"questions".into(), &"3CosAdd".into())
        );
        assert_eq!((&score["found"], &score["total"]), (&2.into(), &3.into()));
        assert!(score["score"].is_number());
        let sections = score["sections"].as_array().unwrap();
        let counts: Vec<_> = sections
            .iter()
            .map(|section| {
                (
                    section["name"].as_str().unwrap(),
                    section["found"].as_u64(),
                    section["total"].as_u64(),
                )
            })
            .collect();
        assert_eq!(
            counts,
            [
                ("first", Some(1), Some(2)),
                ("gram-second", Some(1), Some(1))
            ]
        );
    }
}

#[test]
fn several_runs_share_a_page() {
    let dir = dir();
    fs::create_dir(dir.path("other")).unwrap();
    fs::copy(dir.path("run.jsonl"), dir.path("other/run.jsonl")).unwrap();
    dir.train(&["text.txt", "-o", "-", "--to", "txt", "--epochs", "1", "-q"])
        .args(["--metrics", "third.jsonl", "--lr", "0.1"])
        .assert()
        .success();
    // The map shows the words of the first run that has written vectors to a file.
    let runs = [
        "report",
        "third.jsonl",
        "run.jsonl",
        "other/run.jsonl",
        "-o",
        "all.html",
    ];
    dir.w2v(&runs).assert().success().stdout("").stderr("");
    let all = data(&dir.read("all.html"));
    let names: Vec<&str> = all["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["third", "run.jsonl", "other/run.jsonl"]);
    assert_eq!(all["map_of"], 1);
    assert_eq!(all["runs"][0]["start"]["config"]["lr"], 0.1);
    let alone = data(&report(&dir, &[]));
    assert_eq!(
        (&all["map"], &all["runs"][1]["points"]),
        (&alone["map"], &alone["runs"][0]["points"])
    );
}

#[test]
fn a_run_under_way_is_followed_to_its_end() {
    let dir = dir();
    let path = dir.path("run.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let (before, end) = text.trim_end().rsplit_once('\n').unwrap();
    fs::write(&path, format!("{before}\n")).unwrap();
    let mut following = std::process::Command::new(env!("CARGO_BIN_EXE_w2v-gpu"))
        .args(["report", "run.jsonl", "-o", "run.html", "--follow"])
        .current_dir(dir.path("."))
        .spawn()
        .unwrap();
    let page = dir.path("run.html");
    while !page.exists() {
        assert_eq!(following.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let first = data(&dir.read("run.html"));
    assert!(first["reload"].as_u64().unwrap() > 0);
    assert!(first["map"].is_null() && first["runs"][0]["end"].is_null());
    fs::write(&path, format!("{before}\n{end}\n")).unwrap();
    assert!(following.wait().unwrap().success());
    let last = data(&dir.read("run.html"));
    assert!(last["reload"].is_null() && last["map"].is_object());
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
fn named_vectors_are_mapped() {
    let dir = dir();
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
        (
            &data["runs"][0]["start"]["output"],
            &data["runs"][0]["end"]["output"]
        ),
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
        (&data(&page)["map"], &data(&page)["runs"][0]["end"]),
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
    let attempts: [(&[&str], i32, &str); 16] = [
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
        (
            &[&["run.jsonl"; 13][..], &["-o", "run.html"]].concat(),
            2,
            "a page shows at most 12 runs",
        ),
        (
            &["run.jsonl", "./run.jsonl", "-o", "run.html"],
            2,
            "./run.jsonl: is named twice",
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
