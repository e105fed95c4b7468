//! Models of fastText: what is read, what is refused, and what `train --save-model` writes.

mod common;

use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use w2v_gpu::subwords::Subwords;
use w2v_gpu::vectors::Vectors;
use w2v_gpu::vectors::format::{self, FastTextModel, LoadedVectors, Reading};

use common::Dir;
use common::fasttext::{DIM, FastText, HEADER};
use common::pack::PACKS;

fn read(dir: &Dir, name: &str) -> Vectors {
    format::read(&dir.path(name)).unwrap()
}

/// Reads a model with what composes vectors for other words.
fn read_to_ask(path: &Path) -> w2v_gpu::Result<LoadedVectors> {
    let reading = Reading {
        compose: true,
        ..Reading::default()
    };
    reading.read(path, &mut |_, _| ())
}

fn words(vectors: &Vectors) -> Vec<&str> {
    vectors.vocab.words().collect()
}

/// A model with n-grams of three and four characters in seven buckets.
fn model() -> FastText {
    FastText::with_subwords([3, 4], 7)
}

/// The mean of rows in the order in which fastText adds them.
fn mean(rows: &[[f32; DIM]]) -> [f32; DIM] {
    let mut sum = [0.0; DIM];
    for row in rows {
        (0..DIM).for_each(|i| sum[i] += row[i]);
    }
    let factor = (1.0 / rows.len() as f64) as f32;
    sum.map(|value| value * factor)
}

/// The rows of the n-grams of a word.
fn ngram_rows(model: &FastText, word: &[u8]) -> Vec<[f32; DIM]> {
    let subwords = Subwords::new(model.minn as u32, model.maxn as u32, model.bucket as u32);
    let buckets = subwords.unwrap().buckets_of(word);
    buckets
        .into_iter()
        .map(|bucket| model.bucket_row(bucket))
        .collect()
}

/// The vector of a word by the definition.
fn expected(model: &FastText, id: usize) -> [f32; DIM] {
    let ngrams = ngram_rows(model, &model.words[id].0);
    mean(&[&[FastText::row(id)], &ngrams[..]].concat())
}

#[test]
fn models_without_subwords_are_their_rows() {
    let dir = Dir::new();
    for (model, loss, version) in [(1, 1, 12), (1, 2, 11), (2, 2, 12), (2, 3, 12)] {
        let plain = FastText {
            model,
            loss,
            version,
            ..FastText::plain()
        };
        dir.file("m.bin", plain.bytes());
        let vectors = read(&dir, "m.bin");
        assert_eq!(words(&vectors), ["the", "für", "</s>", "日本", "cat"]);
        assert_eq!(vectors.vocab.counts(), [9, 7, 5, 3, 1]);
        for id in 0..5 {
            assert_eq!(vectors.matrix.row(id), FastText::row(id), "{id}");
        }
        let asked = read_to_ask(&dir.path("m.bin")).unwrap().vectors;
        assert!(asked.composer.is_none());
    }
}

#[test]
fn words_are_the_mean_of_their_row_and_their_ngrams_bit_for_bit() {
    let dir = Dir::new();
    for model in [model(), FastText::with_subwords([1, 6], 300)] {
        dir.file("m.bin", model.bytes());
        // With the rows of all buckets, and with those that the words use.
        for vectors in [
            read_to_ask(&dir.path("m.bin")).unwrap().vectors,
            read(&dir, "m.bin"),
        ] {
            for id in 0..5 {
                assert_eq!(vectors.matrix.row(id), expected(&model, id), "{id}");
            }
        }
        // The line end has no n-grams.
        assert_eq!(expected(&model, 2), FastText::row(2));
    }
}

#[test]
fn words_that_are_no_utf8_have_the_ngrams_of_their_bytes() {
    let dir = Dir::new();
    let mut model = model();
    model.words[1].0 = b"caf\xc3".to_vec();
    model.words[3].0 = b"the".to_vec();
    dir.file("m.bin", model.bytes());
    let loaded = read_to_ask(&dir.path("m.bin")).unwrap();
    let vectors = loaded.vectors;
    assert_eq!(words(&vectors), ["the", "caf\u{fffd}", "</s>", "cat"]);
    for (row, id) in [(0, 0), (1, 1), (2, 2), (3, 4)] {
        assert_eq!(vectors.matrix.row(row), expected(&model, id), "{id}");
    }
    let odd = loaded.odd.to_string();
    assert!(odd.contains("not UTF-8: 1 (first: byte 105"), "{odd}");
    assert!(odd.contains("stands in an earlier row: 1"), "{odd}");
}

#[test]
fn a_model_is_told_by_its_first_bytes_whatever_its_name() {
    let dir = Dir::new();
    let bytes = model().bytes();
    for name in ["m.vec", "m.npy", "m", "m.ftz", "cc.300"] {
        dir.file(name, &bytes);
        dir.w2v(&["convert", name, "v.txt"])
            .assert()
            .success()
            .stderr(contains("5 words x 3 dimensions"));
    }
    for (extension, pack) in PACKS {
        let name = format!("packed.bin.{extension}");
        dir.file(&name, pack(&bytes));
        assert_eq!(read(&dir, &name).matrix, read(&dir, "v.txt").matrix);
    }
    dir.w2v(&["neighbors", "-", "cat", "-n1", "--from", "bin"])
        .write_stdin(bytes)
        .assert()
        .success();
}

#[test]
fn models_are_converted_and_binary_is_word2vec() {
    let dir = Dir::new();
    dir.file("m.bin", model().bytes());
    for (name, top) in [("v.bin", "5"), ("v.npy", "2")] {
        let convert = dir.w2v(&["convert", "m.bin", name, "--top", top]);
        { convert }.assert().success();
        let (vectors, rows) = (read(&dir, name), top.parse().unwrap());
        assert_eq!(vectors.vocab.len(), rows);
        for id in 0..rows {
            assert_eq!(vectors.matrix.row(id), expected(&model(), id));
        }
    }
    assert!(dir.bytes("v.bin").starts_with(b"5 3\nthe "));
    assert_eq!(read(&dir, "v.npy").vocab.counts(), [9, 7]);
}

#[test]
fn runs_start_from_models() {
    let dir = Dir::with_text();
    dir.file("m.bin", model().bytes());
    dir.train(&[
        "text.txt", "-o", "v.bin", "--dim", "3", "--init", "m.bin", "--lr", "1e-60",
    ])
    .args(["--min-lr", "0"])
    .assert()
    .success();
    let vectors = read(&dir, "v.bin");
    for (word, id) in [("the", 0), ("cat", 4)] {
        let row = vectors.vocab.id(word.as_bytes()).unwrap();
        assert_eq!(vectors.matrix.row(row as usize), expected(&model(), id));
    }
    dir.train(&["text.txt", "-o", "v.bin", "--init", "m.bin"])
        .assert()
        .code(2)
        .stderr(contains("add --dim 3"));
}

#[test]
fn unknown_words_are_composed_and_it_is_said() {
    let dir = Dir::new();
    dir.file("m.bin", model().bytes());
    let vectors = read_to_ask(&dir.path("m.bin")).unwrap().vectors;
    for word in ["cats", "日本人", "x"] {
        let vector = vectors.vector(word).unwrap();
        assert_eq!(vector.id, None);
        assert_eq!(*vector.values, mean(&ngram_rows(&model(), word.as_bytes())));
    }
    dir.w2v(&["neighbors", "m.bin", "cats", "cat", "-n5"])
        .assert()
        .success()
        .stdout(contains("cats (composed of its n-grams)\n").and(contains("\ncat\n")));
    let output = dir
        .w2v(&["neighbors", "m.bin", "cats", "cat", "--json"])
        .output()
        .unwrap();
    let answers: Vec<Value> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    // All five words are neighbours of a word that is none of them.
    assert_eq!(answers[0]["composed"], true);
    assert_eq!(answers[0]["neighbors"].as_array().unwrap().len(), 5);
    assert_eq!(answers[1].get("composed"), None);
    assert_eq!(answers[1]["neighbors"].as_array().unwrap().len(), 4);
    dir.w2v(&["analogy", "m.bin", "cat", "cats", "them"])
        .assert()
        .success()
        .stdout(contains(
            "cats - cat + them (composed of n-grams: cats, them)\n",
        ));
    dir.w2v(&["analogy", "m.bin", "cat", "cats", "the", "--json"])
        .assert()
        .success()
        .stdout(contains("\"composed\":[\"cats\"]"));
}

#[test]
fn words_without_ngrams_stay_unknown() {
    let dir = Dir::new();
    dir.file("m.bin", FastText::with_subwords([5, 6], 7).bytes());
    dir.file("plain.bin", FastText::plain().bytes());
    for (name, word) in [("m.bin", "at"), ("plain.bin", "cats")] {
        dir.w2v(&["neighbors", name, word])
            .assert()
            .code(1)
            .stderr(contains("is not among the 5 words"));
    }
    // A row of zeros says nothing about the words that are composed of it.
    let mut silent = FastText::with_subwords([3, 6], 1).bytes();
    let row = silent.len() - 17 - 5 * 4 * DIM - 4 * DIM;
    silent[row..row + 4 * DIM].fill(0);
    dir.file("silent.bin", silent);
    dir.w2v(&["neighbors", "silent.bin", "cats"])
        .assert()
        .code(1)
        .stderr(contains("the vector of \"cats\" is zero"));
}

#[test]
fn composed_words_are_counted_apart_in_evaluations() {
    let dir = Dir::new();
    dir.file("m.bin", model().bytes());
    dir.file(
        "pairs.txt",
        "the cat 3\ncat für 2\nThe Cats 1\nthe 日本 4\n",
    );
    dir.file(
        "analogies.txt",
        "the cat für 日本\nthe cats für 日本\nthe cat für cats\n",
    );
    let args = [
        "eval",
        "m.bin",
        "--pairs",
        "pairs.txt",
        "--analogies",
        "analogies.txt",
    ];
    let assert = dir.w2v(&args).assert().success();
    // The answer to the third question is no word of the vectors.
    assert
        .stdout(contains("found  composed").and(contains("3/4         1")))
        .stdout(contains("1/3         1"))
        .stderr(contains("composed of their n-grams: Cats\n"));
    let output = dir.w2v(&args).arg("--json").output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["composed"], serde_json::json!(["Cats"]));
    let pairs = &report["pairs"][0];
    assert_eq!(
        (&pairs["found"], &pairs["composed"]),
        (&3.into(), &1.into())
    );
    let questions = &report["analogies"][0]["total"];
    assert_eq!(
        (&questions["found"], &questions["composed"]),
        (&1.into(), &1.into())
    );
    assert_eq!(questions["counted"], 2);
    // The same vectors without n-grams.
    dir.w2v(&["convert", "m.bin", "v.txt"]).assert().success();
    let output = dir
        .w2v(&["eval", "v.txt", "--pairs", "pairs.txt", "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["pairs"][0]["composed"], 0);
    assert_eq!(report["composed"], serde_json::json!([]));
}

/// What is read of a file, or its error.
fn outcome(dir: &Dir, name: &str, bytes: &[u8]) -> Result<(), String> {
    dir.file(name, bytes);
    let loaded = read_to_ask(&dir.path(name));
    loaded.map(drop).map_err(|error| error.to_string())
}

#[test]
fn a_model_that_is_cut_short_anywhere_or_goes_on_is_refused() {
    let dir = Dir::new();
    let (_, gzip) = PACKS[0];
    for model in [model(), FastText::plain()] {
        let bytes = model.bytes();
        for end in 4..bytes.len() {
            for (name, bytes) in [
                ("m.bin", bytes[..end].to_vec()),
                // The size of what is packed is not known beforehand.
                ("m.bin.gz", gzip(&bytes[..end])),
            ] {
                let why = outcome(&dir, name, &bytes).unwrap_err();
                let is_cut = why.contains("cut short") || why.contains("the file ends after");
                let is_clear = why.contains(": byte ") && is_cut;
                assert!(is_clear, "{end} bytes: {why}");
            }
        }
        let longer = [&bytes[..], b"x"].concat();
        for (name, bytes) in [("m.bin", longer.clone()), ("m.bin.gz", gzip(&longer))] {
            let why = outcome(&dir, name, &bytes).unwrap_err();
            assert!(why.contains("other bytes follow the model"), "{why}");
        }
    }
}

#[test]
fn models_without_vectors_of_words_are_refused_with_what_to_take() {
    let dir = Dir::new();
    let whole = model();
    for (name, model, why) in [
        (
            "m.ftz",
            FastText {
                is_quantised: true,
                ..whole.clone()
            },
            "byte 162: the type of values is 1: the matrix of words and n-grams is quantised",
        ),
        (
            "m.bin",
            FastText {
                pruned: 0,
                ..whole.clone()
            },
            "byte 84: pruneidx_size is 0: the model is pruned",
        ),
        (
            "m.bin",
            FastText {
                model: 3,
                ..whole.clone()
            },
            "byte 36: model is 3: this is a classifier (supervised)",
        ),
        (
            "m.bin",
            FastText {
                version: 13,
                ..whole.clone()
            },
            "byte 4: version is 13: a model of fastText of version 11 or 12 can be read; take the \
             .vec",
        ),
    ] {
        dir.file(name, model.bytes());
        let commands: [&[&str]; 3] = [
            &["convert", name, "v.txt"],
            &["neighbors", name, "cat"],
            &["train", name, "-o", "v.txt", "--init", name],
        ];
        for command in commands {
            dir.w2v(command)
                .assert()
                .code(1)
                .stderr(contains(format!("{name}: {why}")));
        }
        assert!(!dir.has("v.txt"));
    }
}

#[test]
fn a_damaged_header_is_refused_with_its_byte_and_takes_no_memory() {
    let dir = Dir::new();
    let (_, gzip) = PACKS[0];
    let whole = model().bytes();
    let most = i32::MAX.to_le_bytes();
    let matrix = HEADER + 70;
    for (at, number, why) in [
        (8, &0i32.to_le_bytes()[..], "byte 8: dim is 0"),
        (8, &most, "byte 171: the length of rows is 3"),
        (32, &9i32.to_le_bytes(), "byte 32: loss is 9"),
        (36, &0i32.to_le_bytes(), "byte 36: model is 0"),
        (40, &most, "byte 163: the number of rows is 12"),
        (40, &(-1i32).to_le_bytes(), "byte 40: bucket is -1"),
        (44, &(-1i32).to_le_bytes(), "byte 44: minn is -1"),
        (
            48,
            &most,
            "byte 48: maxn is 2147483647: from 0 to 64 is possible",
        ),
        (64, &0i32.to_le_bytes(), "byte 64: size is 0"),
        (64, &most, "byte 68: nwords is 5"),
        (72, &1i32.to_le_bytes(), "byte 72: nlabels is 1"),
        (
            HEADER + 4,
            &(-1i64).to_le_bytes(),
            "byte 96: the count of a word is -1",
        ),
        (HEADER + 12, &[1], "byte 104: the type of an entry is 1"),
        (matrix, &[7], "byte 162: the type of values is 7"),
        (
            matrix + 1,
            &i64::MAX.to_le_bytes(),
            "byte 163: the number of rows is 9223372036854775807",
        ),
        (
            matrix + 17,
            &f32::NAN.to_le_bytes(),
            "byte 179: the vector of \"the\" holds NaN",
        ),
        (
            matrix + 17 + 5 * 4 * DIM,
            &f32::INFINITY.to_le_bytes(),
            "byte 239: the row of bucket 0 holds inf",
        ),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + number.len()].copy_from_slice(number);
        for (name, bytes) in [("m.bin", bytes.clone()), ("m.bin.gz", gzip(&bytes))] {
            let found = outcome(&dir, name, &bytes).unwrap_err();
            assert!(found.contains(why), "{found} instead of {why}");
        }
    }
    // Both matrices promise what is not there.
    for (name, pack) in [("m.bin", None), ("m.bin.gz", Some(gzip))] {
        let mut bytes = whole.clone();
        bytes[40..44].copy_from_slice(&most);
        let rows = 5 + i64::from(i32::MAX);
        bytes[matrix + 1..matrix + 9].copy_from_slice(&rows.to_le_bytes());
        let bytes = pack.map_or(bytes.clone(), |pack| pack(&bytes));
        let why = outcome(&dir, name, &bytes).unwrap_err();
        assert!(why.contains("cut short"), "{why}");
    }
}

#[test]
fn a_word_without_an_end_is_refused() {
    let dir = Dir::new();
    let mut model = model();
    model.words[1].0 = vec![b'a'; 1 << 17];
    let why = outcome(&dir, "m.bin", &model.bytes()).unwrap_err();
    assert!(
        why.contains("byte 105: no zero byte within 65536 bytes"),
        "{why}"
    );
}

/// The number at a place of a file.
fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn saved_models_hold_the_run() {
    let dir = Dir::with_text();
    let runs: [(&[&str], [i32; 3]); 3] = [
        (&["--window", "3"], [2, 2, 3]),
        (&["--model", "cbow", "--window", "4"], [2, 1, 4]),
        (&["--loss", "softmax"], [3, 2, 5]),
    ];
    for (options, [loss, model, window]) in runs {
        let outputs = [
            "text.txt",
            "-o",
            "v.npy",
            "--save-output",
            "c.npy",
            "--save-model",
            "m.bin",
        ];
        dir.train(&[&outputs, options].concat())
            .args(["--min-count", "2", "--sample", "0.5"])
            .assert()
            .success();
        let (model_file, vectors) = (dir.bytes("m.bin"), read(&dir, "v.npy"));
        let fields = [4, 8, 12, 16, 20, 28, 32, 36, 40, 44, 48, 52, 64, 68, 72];
        let found = fields.map(|at| number(&model_file, at));
        let expected = [12, 8, window, 1, 2, 1, loss, model, 0, 0, 0, 100, 12, 12, 0];
        assert_eq!(found, expected, "{options:?}");
        assert_eq!(model_file[56..64], 0.5f64.to_le_bytes());
        assert_eq!(model_file[76..84], 4800i64.to_le_bytes());
        let loaded = read(&dir, "m.bin");
        assert_eq!(words(&loaded), words(&vectors));
        assert_eq!(loaded.vocab.counts(), vectors.vocab.counts());
        assert_eq!(loaded.matrix, vectors.matrix);
        let bytes = FastTextModel::bytes(&loaded.vocab, None, 8);
        assert_eq!(bytes, model_file.len() as u64);
        // W' ends the file.
        let output: Vec<u8> = read(&dir, "c.npy")
            .matrix
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        assert!(model_file.ends_with(&output));
    }
}

/// gensim leaves words below minCount out.
#[test]
fn the_least_count_of_a_saved_model_is_no_more_than_that_of_its_words() {
    let dir = Dir::with_text();
    dir.file("rare.txt", "rare the rare cat rare\n");
    dir.file("keep", "rare\n");
    let texts = ["text.txt", "rare.txt", "-o", "v.txt", "--min-count", "5"];
    dir.train(&texts)
        .args(["--keep-words", "keep", "--save-model", "m.bin"])
        .assert()
        .success();
    assert_eq!(number(&dir.bytes("m.bin"), 20), 3);
}

#[test]
fn models_that_cannot_be_saved_are_refused_before_the_run() {
    let dir = Dir::with_text();
    for (options, why) in [
        (
            ["--save-model", "m.bin", "--loss", "hs"],
            "--loss hs: a file of fastText does not hold the tree",
        ),
        (
            ["--save-model", "-", "--loss", "ns"],
            "--save-model -: standard output is for -o alone",
        ),
        (
            ["--save-model", "v.txt", "--loss", "ns"],
            "is also where another output goes",
        ),
        (
            ["--save-model", "none/m.bin", "--loss", "ns"],
            "--save-model none/m.bin: there is no folder none",
        ),
        (
            ["--save-model", "text.txt", "--loss", "ns"],
            "--save-model text.txt",
        ),
    ] {
        dir.train(&[&["text.txt", "-o", "v.txt"], &options[..]].concat())
            .assert()
            .code(2)
            .stderr(contains(why));
        assert_eq!(dir.names(), ["text.txt"]);
    }
}

#[test]
fn the_plan_has_the_size_of_the_saved_model() {
    let dir = Dir::with_text();
    let args = ["text.txt", "-o", "v.npy", "--save-model", "m.bin"];
    let dry = dir
        .train(&args)
        .args(["--dry-run", "--json"])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&dry.stdout).unwrap();
    dir.train(&args).assert().success();
    let bytes = dir.bytes("m.bin").len();
    let disk = report["plan"]["disk"].as_array().unwrap();
    assert!(
        disk.iter().any(|stored| stored["bytes"] == bytes),
        "{bytes} in {disk:?}"
    );
}
