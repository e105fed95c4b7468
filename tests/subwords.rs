//! Words composed of n-grams, through the program: what is trained, written and answered.

mod common;

use predicates::str::contains;
use w2v_gpu::subwords::{SubwordTable, Subwords};
use w2v_gpu::vectors::format::{self, FastTextModel, Reading};
use w2v_gpu::vectors::{Vectors, compose};

use common::Dir;

fn read(dir: &Dir, name: &str) -> Vectors {
    format::read(&dir.path(name)).unwrap()
}

/// Vectors with what answers for words that were never seen.
fn read_to_ask(dir: &Dir, name: &str) -> Vectors {
    let reading = Reading {
        compose: true,
        ..Reading::default()
    };
    reading
        .read(&dir.path(name), &mut |_, _| ())
        .unwrap()
        .vectors
}

/// The number at a place of a file.
fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Options of a model with few buckets, so that some n-grams share one.
const FEW_BUCKETS: [&str; 4] = ["--subwords", "2-4", "--buckets", "50"];

#[test]
fn what_is_written_is_composed_of_the_rows_that_the_model_has() {
    let dir = Dir::with_text();
    for (extra, kind) in [
        (&[][..], 2),
        (&["--model", "cbow", "--negatives-per", "pair"], 1),
    ] {
        let outputs = ["text.txt", "-o", "v.npy", "--save-model", "m.bin"];
        dir.train(&[&outputs, &FEW_BUCKETS[..], extra].concat())
            .assert()
            .success();
        let vectors = read(&dir, "v.npy");
        assert_eq!(vectors.vocab.len(), 12);
        // Reading a model composes its words of all its rows: to the bit what was written.
        let asked = read_to_ask(&dir, "m.bin");
        assert_eq!(asked.matrix, vectors.matrix);
        let composer = asked.composer.expect("the model has subwords");
        for word in ["catmat", "nothingness", "x"] {
            let composed = composer.compose(word).unwrap();
            assert!(composed.iter().all(|value| value.is_finite()));
        }
        let bytes = dir.bytes("m.bin");
        let found = [36, 40, 44, 48].map(|at| number(&bytes, at));
        assert_eq!(found, [kind, 50, 2, 4]);
        let subwords = Subwords::new(2, 4, 50).unwrap();
        let words = vectors.vocab.words().map(|word| (word, 1));
        let table = SubwordTable::new(subwords, words);
        let size = FastTextModel::bytes(&vectors.vocab, Some(&table), 8);
        assert_eq!(size, bytes.len() as u64);
    }
}

/// What no n-gram of the text has in it says nothing: the row of an unused bucket is zero.
#[test]
fn ngrams_that_were_never_seen_say_nothing() {
    let dir = Dir::with_text();
    let outputs = ["text.txt", "-o", "v.npy", "--save-model", "m.bin"];
    dir.train(&[&outputs[..], &["--subwords", "--buckets", "200000"]].concat())
        .assert()
        .success();
    let composer = read_to_ask(&dir, "m.bin").composer.unwrap();
    assert_eq!(composer.compose("xyzzy"), Some(vec![0.0; 8]));
    assert_ne!(composer.compose("cats"), Some(vec![0.0; 8]));
}

#[test]
fn unknown_words_are_answered_for_by_their_ngrams() {
    let dir = Dir::new();
    // Words of two stems in the company of their kind.
    let text: String = (0..3000)
        .map(|i| match i % 2 {
            0 => format!("walking walked walks {} street path\n", i % 9),
            _ => format!("singing singer sings {} music song\n", i % 7),
        })
        .collect();
    dir.file("text.txt", text);
    let outputs = ["text.txt", "-o", "v.txt", "--save-model", "m.bin"];
    dir.w2v(&["train", "--engine", "cpu", "--dim", "16", "--sample", "0"])
        .args(outputs)
        .arg("--subwords")
        .assert()
        .success();
    for (word, stem) in [("walker", "walk"), ("singers", "sing")] {
        let answer = dir.w2v(&["neighbors", "m.bin", word, "--json"]).output();
        let answer: serde_json::Value = serde_json::from_slice(&answer.unwrap().stdout).unwrap();
        assert_eq!(answer["composed"], true, "{answer}");
        let nearest = answer["neighbors"][0]["word"].as_str().unwrap();
        assert!(nearest.starts_with(stem), "{answer}");
    }
    // A file of vectors has the words that were seen, and no others.
    dir.w2v(&["neighbors", "v.txt", "walker"])
        .assert()
        .failure()
        .stderr(contains("walker"));
}

#[test]
fn threads_and_checkpoints_do_not_change_the_vectors() {
    let dir = Dir::with_text();
    let train = |out: &str, more: &[&str]| {
        let base = ["text.txt", "-o", out, "--epochs", "3", "--batch", "256"];
        dir.train(&[&base, &FEW_BUCKETS[..], more].concat())
            .assert()
            .success();
        dir.bytes(out)
    };
    let one = train("one.bin", &["--threads", "1"]);
    assert!(one == train("three.bin", &["--threads", "3"]));
    assert!(one != train("other.bin", &["--buckets", "60"]));
    // A run of one epoch, which goes on for two more.
    let half = [
        "--checkpoint",
        "run",
        "--epochs",
        "1",
        "--lr",
        "0.05",
        "--min-lr",
        "0.05",
    ];
    train("half.bin", &half);
    let whole = train("whole.bin", &["--lr", "0.05", "--min-lr", "0.05"]);
    let resumed = ["--resume", "run", "--lr", "0.05", "--min-lr", "0.05"];
    assert!(whole == train("resumed.bin", &resumed));
    // Other n-grams are another run.
    dir.train(&["text.txt", "-o", "v.bin", "--epochs", "3", "--batch", "256"])
        .args(["--resume", "run", "--subwords", "3-6", "--buckets", "50"])
        .args(["--lr", "0.05", "--min-lr", "0.05"])
        .assert()
        .code(2)
        .stderr(contains("--subwords 2-4"));
}

#[test]
fn a_run_and_its_plan_say_what_subwords_take() {
    let dir = Dir::with_text();
    let mut run = dir.w2v(&[
        "train",
        "text.txt",
        "-o",
        "v.bin",
        "--subwords",
        "--epochs",
        "1",
    ]);
    run.args(["--dim", "8", "--engine", "cpu"])
        .assert()
        .success()
        .stderr(contains("of 3-6 characters in"))
        .stderr(contains("of 2,000,000 buckets"));
    let plan = dir
        .w2v(&[
            "train",
            "text.txt",
            "-o",
            "v.bin",
            "--subwords",
            "--dry-run",
        ])
        .args([
            "--dim",
            "8",
            "--engine",
            "cpu",
            "--json",
            "--save-model",
            "m.bin",
        ])
        .output()
        .unwrap();
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!(plan["plan"]["vocabulary"], 12);
    assert!(plan["plan"]["input_rows"].as_u64().unwrap() > 20, "{plan}");
    let files = plan["plan"]["disk"].as_array().unwrap();
    // All buckets are in the model that is written.
    assert!(
        files
            .iter()
            .any(|file| file["bytes"].as_u64() > Some(64_000_000))
    );
}

#[test]
fn the_settings_lead_back_to_the_run() {
    let dir = Dir::with_text();
    dir.train(&[&["text.txt", "-o", "v.bin"], &FEW_BUCKETS[..]].concat())
        .assert()
        .success();
    let settings: serde_json::Value = serde_json::from_str(&dir.read("v.bin.json")).unwrap();
    assert_eq!(settings["config"]["subwords"], "2-4");
    assert_eq!(settings["config"]["buckets"], 50);
    dir.w2v(&[
        "train",
        "text.txt",
        "--config",
        "v.bin.json",
        "-o",
        "again.bin",
    ])
    .args(["--engine", "cpu"])
    .assert()
    .success();
    assert!(dir.bytes("v.bin") == dir.bytes("again.bin"));
    dir.file("alone.toml", "subwords = \"3-3\"\nbuckets = 50\n");
    dir.train(&["text.txt", "-o", "three.bin", "--config", "alone.toml"])
        .assert()
        .success();
    assert!(dir.bytes("v.bin") != dir.bytes("three.bin"));
}

/// A rate so small that an epoch moves no value.
const STILL: [&str; 4] = ["--lr", "1e-30", "--min-lr", "0"];

#[test]
fn a_run_starts_from_the_rows_of_a_model() {
    let dir = Dir::with_text();
    let train = |out: &[&str], more: &[&str]| {
        let options = [&["text.txt"], out, &FEW_BUCKETS[..], more].concat();
        dir.train(&options).assert().success();
    };
    let before = [
        "-o",
        "v.npy",
        "--save-output",
        "w.npy",
        "--save-model",
        "m.bin",
    ];
    train(&before, &[]);
    let from = ["--init", "m.bin", "--init-output", "m.bin", "--seed", "9"];
    let after = [
        "-o",
        "v2.npy",
        "--save-output",
        "w2.npy",
        "--save-model",
        "m2.bin",
    ];
    train(&after, &[&from[..], &STILL].concat());
    for (old, new) in [("v.npy", "v2.npy"), ("w.npy", "w2.npy")] {
        assert_eq!(read(&dir, old).matrix, read(&dir, new).matrix, "{new}");
    }
    // Rows of n-grams too: words that were never seen have the same vectors.
    let [old, new] = ["m.bin", "m2.bin"].map(|model| {
        let composer = read_to_ask(&dir, model).composer.unwrap();
        composer.compose("catmat").unwrap()
    });
    assert_eq!(old, new);
    // The same words with other vectors are not the same start.
    let resume = [
        "text.txt",
        "-o",
        "r.npy",
        "--checkpoint",
        "run",
        "--init",
        "m.bin",
    ];
    dir.train(&[&resume, &FEW_BUCKETS[..]].concat())
        .assert()
        .success();
    std::fs::copy(dir.path("m2.bin"), dir.path("m.bin")).unwrap();
    let again = [
        "text.txt", "-o", "r.npy", "--resume", "run", "--init", "m.bin",
    ];
    dir.train(&[&again, &FEW_BUCKETS[..]].concat())
        .assert()
        .success();
    train(
        &["-o", "other.npy", "--save-model", "m.bin"],
        &["--seed", "3"],
    );
    dir.train(&[&again, &FEW_BUCKETS[..]].concat())
        .assert()
        .failure()
        .stderr(contains("holds other vectors"));
}

#[test]
fn a_model_without_subwords_gives_its_context_vectors() {
    let dir = Dir::with_text();
    let before = [
        "text.txt",
        "-o",
        "v.npy",
        "--save-output",
        "w.npy",
        "--save-model",
        "m.bin",
    ];
    dir.train(&before).assert().success();
    let from = ["--init", "m.bin", "--init-output", "m.bin", "--seed", "9"];
    let after = ["text.txt", "-o", "v2.npy", "--save-output", "w2.npy"];
    dir.train(&[&after[..], &from, &STILL].concat())
        .assert()
        .success();
    for (old, new) in [("v.npy", "v2.npy"), ("w.npy", "w2.npy")] {
        assert_eq!(read(&dir, old).matrix, read(&dir, new).matrix, "{new}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let dir = Dir::with_text();
    dir.train(&["text.txt", "-o", "v.bin"]).assert().success();
    dir.train(&["text.txt", "-o", "v.npy", "--save-model", "m.bin"])
        .args(FEW_BUCKETS)
        .assert()
        .success();
    for (options, why) in [
        (&["--subwords", "6-3"][..], "the shorter length comes first"),
        (&["--subwords", "0-3"], "at least 1 character"),
        (&["--subwords", "3-65"], "at most 64 characters"),
        (
            &["--subwords", "other.txt"],
            "no lengths of n-grams, such as 3-6",
        ),
        (
            &["--subwords", "--buckets", "0"],
            "--buckets 0: there are 1 to",
        ),
        (&["--buckets", "50"], "--buckets belongs to --subwords"),
        (
            &["--subwords", "--loss", "softmax"],
            "--subwords 3-6: cannot be trained with --loss softmax",
        ),
        (
            &["--subwords", "--init", "v.bin"],
            "holds vectors of whole words",
        ),
        (
            &["--subwords", "--init", "m.bin"],
            "n-grams of 2-4 characters in 50 buckets; add --subwords 2-4 and --buckets 50",
        ),
        (&["--minn", "3"], "--subwords 3-6"),
        (&["--bucket", "3"], "--buckets"),
    ] {
        dir.train(&[&["text.txt", "-o", "w.bin"], options].concat())
            .assert()
            .code(2)
            .stderr(contains(why));
        assert!(!dir.has("w.bin"), "{options:?}");
    }
}

/// The library composes what the program writes.
#[test]
fn the_library_answers_for_unknown_words() {
    let subwords = Subwords::new(2, 3, 100).unwrap();
    let table = SubwordTable::new(subwords, [("cat", 2), ("at", 1)].into_iter());
    let rows = (0..table.rows()).flat_map(|row| [row as f32, 1.0]);
    let input = w2v_gpu::model::Matrix::from_values(2, rows.collect());
    let words = compose(&table, &input);
    let parts = table.parts(1);
    let mean = parts.iter().sum::<u32>() as f32 / parts.len() as f32;
    assert!((words.row(1)[0] - mean).abs() < 1e-5 && words.row(1)[1] == 1.0);
}
