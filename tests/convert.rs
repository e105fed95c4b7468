//! `convert`, through the real binary.

mod common;

use std::fs;

use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use w2v_gpu::model::Matrix;
use w2v_gpu::vectors::format::{self, Format, VectorTable};
use w2v_gpu::vocab::Vocab;

use common::pack::gzip;
use common::{Dir, w2v};

/// word2vec text as this crate writes it.
const TEXT: &str = "3 2\nthe 3 -4\né 0 -0\nrare 0.1 0.00000025\n";

/// The same with rows that are odd, as published vectors have them.
const ODD: &str = "6 2\nthe 3 -4\nnew york 9 9\nthe 1 1\n\u{a0} 7 7\né 0 -0\nrare 0.1 0.00000025\n";

/// A folder with `v.txt`.
fn dir() -> Dir {
    Dir::with_files(&[("v.txt", TEXT.as_bytes())])
}

/// `convert INPUT OUTPUT MORE...`, all of them in this folder.
fn convert(dir: &Dir, input: &str, output: &str, more: &[&str]) -> Assert {
    dir.w2v(&[&["convert", input, output], more].concat())
        .assert()
        .stdout("")
        .stderr(contains("panicked").not())
}

#[test]
fn conversion_through_every_format_keeps_the_bytes() {
    let dir = dir();
    let mut last = "v.txt".to_owned();
    for extension in ["bin", "npy", "safetensors", "tsv", "glove", "vec"] {
        let next = format!("w.{extension}");
        convert(&dir, &last, &next, &[])
            .success()
            .stderr(contains("3 words x 2 dimensions to w."));
        last = next;
    }
    assert_eq!(dir.read("w.vec"), TEXT);
    assert_eq!(dir.read("w.glove"), TEXT.split_once('\n').unwrap().1);
    assert_eq!(dir.read("w.vocab"), "the\né\nrare\n");
    assert_eq!(dir.read("w.metadata.tsv"), "the\né\nrare\n");
    assert_eq!(dir.read("w.tsv"), "3\t-4\n0\t-0\n0.1\t0.00000025\n");
}

/// What a process leaves that is killed between the renames of two files.
#[test]
fn mixed_pair_is_refused_until_it_is_written_again() {
    let dir = dir();
    for (vectors, words) in [("w.npy", "w.vocab"), ("w.tsv", "w.metadata.tsv")] {
        convert(&dir, "v.txt", vectors, &[]).success();
        let before = dir.names();
        let marker = format!("{vectors}.partial");
        dir.file(&marker, "are being replaced");
        convert(&dir, vectors, "x.txt", &[]).code(1).stderr(
            contains(format!("{vectors}: may not belong to {words}")).and(contains(&marker)),
        );
        convert(&dir, "v.txt", vectors, &[]).success();
        assert_eq!(dir.names(), before);
        convert(&dir, vectors, "y.txt", &[]).success();
        assert_eq!(dir.read("y.txt"), TEXT);
        fs::remove_file(dir.path("y.txt")).unwrap();
    }
}

#[test]
fn neighbors_reads_every_format() {
    let dir = dir();
    let ask = |name: &str| {
        dir.w2v(&["neighbors", name, "rare", "--json"])
            .assert()
            .success()
            .get_output()
            .stdout
            .clone()
    };
    for name in ["w.bin", "w.npy", "w.safetensors", "w.tsv", "w.glove"] {
        convert(&dir, "v.txt", name, &[]).success();
        assert_eq!(ask(name), ask("v.txt"), "{name}");
    }
}

#[test]
fn f16_values_are_rounded_to_nearest_and_refused_by_other_formats() {
    let dir = dir();
    for (name, bytes) in [("w.npy", 128 + 12), ("w.safetensors", 0)] {
        convert(&dir, "v.txt", name, &["--dtype", "f16"]).success();
        convert(&dir, name, "back.txt", &[]).success();
        assert_eq!(
            dir.read("back.txt"),
            "3 2\nthe 3 -4\né 0 -0\nrare 0.099975586 0.00000023841858\n"
        );
        assert!(bytes == 0 || fs::metadata(dir.path(name)).unwrap().len() == bytes);
    }
    for name in ["w.txt", "w.bin", "w.glove", "w.tsv"] {
        convert(&dir, "v.txt", name, &["--dtype", "f16"])
            .code(2)
            .stderr(
                contains("--dtype f16")
                    .and(contains(".npy"))
                    .and(contains(".safetensors")),
            );
        assert!(!dir.has(name));
    }
    dir.file("large.txt", "1 1\nbig 70000\n");
    convert(&dir, "large.txt", "w.npy", &["--dtype", "f16"])
        .code(1)
        .stderr(contains("\"big\" holds 70000").and(contains("--dtype f32")));
    assert_eq!(dir.read("w.vocab"), "the\né\nrare\n");
    convert(&dir, "v.txt", "w.npy", &["--dtype", "f64"])
        .code(2)
        .stderr(contains("f16"));
}

#[test]
fn normalized_rows_have_length_1() {
    let dir = dir();
    convert(&dir, "v.txt", "w.txt", &["--normalize", "--top", "2"])
        .success()
        .stderr(
            contains("no direction and stay: 1")
                .and(contains("2 of 3 words x 2 dimensions to w.txt")),
        );
    assert_eq!(dir.read("w.txt"), "2 2\nthe 0.6 -0.8\né 0 -0\n");
    convert(&dir, "v.txt", "w.txt", &["--top", "9"])
        .success()
        .stderr(contains("3 words x 2"));
    assert_eq!(dir.read("w.txt"), TEXT);
    convert(&dir, "v.txt", "w.txt", &["--top", "0"]).code(2);
}

#[test]
fn counts_and_configuration_are_kept_or_their_loss_is_told() {
    let dir = dir();
    let vocab = Vocab::from_words([("a", 9), ("b", 2)]).unwrap();
    let matrix = Matrix::from_values(1, vec![0.5, 1.0]);
    let table = VectorTable {
        configuration: Some("{\"dim\":1,\"seed\":7}"),
        ..VectorTable::new(&vocab, &matrix)
    };
    let path = dir.path("v.safetensors");
    let safetensors = Format::from_path(&path).unwrap();
    safetensors.write(&path, &table, &mut |_, _| ()).unwrap();

    convert(&dir, "v.safetensors", "w.safetensors", &[])
        .success()
        .stderr(contains("left out").not());
    assert_eq!(dir.bytes("v.safetensors"), dir.bytes("w.safetensors"));
    let left_out = "left out: the configuration of the training, for which .npy has no place";
    convert(&dir, "v.safetensors", "w.npy", &[])
        .success()
        .stderr(contains(left_out));
    assert_eq!(dir.read("w.vocab"), "a 9\nb 2\n");
    convert(&dir, "w.npy", "x.safetensors", &[])
        .success()
        .stderr(contains("left out").not());
    let back = safetensors
        .read(&dir.path("x.safetensors"), &mut |_, _| ())
        .unwrap();
    assert_eq!(
        (back.vectors.vocab.counts(), back.configuration),
        (&[9, 2][..], None)
    );
    let left_out = "left out: the counts of the words and the configuration of the training";
    convert(&dir, "v.safetensors", "w.txt", &[])
        .success()
        .stderr(contains(left_out));
    convert(&dir, "w.npy", "w.tsv", &[])
        .success()
        .stderr(contains("left out: the counts of the words, "));
}

#[test]
fn glove_files_may_be_called_txt() {
    let dir = dir();
    let rows = TEXT.split_once('\n').unwrap().1;
    dir.file("glove.txt", rows);
    convert(&dir, "glove.txt", "w.bin", &[]).code(1).stderr(
        contains("glove.txt: line 1:")
            .and(contains("--no-header"))
            .and(contains("--from glove")),
    );
    dir.w2v(&["neighbors", "glove.txt", "rare", "-n1", "--from", "glove"])
        .assert()
        .success()
        .stdout("rare\n  the  0.6000\n")
        .stderr("");
    for options in [&["--no-header"][..], &["--from", "glove"]] {
        convert(&dir, "glove.txt", "w.bin", options).success();
        convert(&dir, "w.bin", "back.txt", &[]).success();
        assert_eq!(dir.read("back.txt"), TEXT);
    }
    for options in [&["--no-header"][..], &["--to", "glove"]] {
        convert(&dir, "w.bin", "back.txt", options).success();
        assert_eq!(dir.read("back.txt"), rows);
    }
    convert(&dir, "glove.txt", "back.txt", &["--from", "glove"]).success();
    assert_eq!(dir.read("back.txt"), TEXT);
    convert(&dir, "glove.txt", "w.txt", &["--no-header"])
        .code(2)
        .stderr(contains("--from glove or --to glove"));
    convert(&dir, "w.bin", "w.npy", &["--no-header"])
        .code(2)
        .stderr(contains("--no-header w.bin w.npy: neither"));
}

#[test]
fn names_without_a_known_extension_need_from_and_to() {
    let dir = dir();
    fs::rename(dir.path("v.txt"), dir.path("vectors")).unwrap();
    convert(&dir, "vectors", "w.bin", &[]).code(2).stderr(
        contains("IN vectors: the file name must end in one of: .txt or .vec")
            .and(contains("--from FORMAT")),
    );
    convert(&dir, "vectors", "w.dat", &["--from", "txt"])
        .code(2)
        .stderr(contains("OUT w.dat").and(contains("--to")));
    convert(&dir, "vectors", "w.dat", &["--from", "vec", "--to", "bin"]).success();
    convert(&dir, "w.dat", "w.txt", &["--from", "bin"]).success();
    assert_eq!(dir.read("w.txt"), TEXT);
    convert(&dir, "vectors", "w.dat", &["--from", "txt", "--to", "npy"])
        .code(2)
        .stderr(contains("must end in .npy"));
    convert(&dir, "vectors", "w.bin", &["--from", "word"])
        .code(2)
        .stderr(contains("safetensors"));
}

#[cfg(unix)]
#[test]
fn device_files_are_converted_with_from_and_to() {
    w2v(&[
        "convert",
        "/dev/stdin",
        "/dev/stdout",
        "--from",
        "txt",
        "--to",
        "glove",
    ])
    .write_stdin(TEXT)
    .assert()
    .success()
    .stdout(TEXT.split_once('\n').unwrap().1);
}

#[test]
fn a_dash_is_standard_input_and_standard_output() {
    let dir = dir();
    let convert = |input: &str, output: &str, more: &[&str]| {
        dir.w2v(&["convert", input, output])
            .args(more)
            .write_stdin(TEXT)
            .assert()
    };
    let glove = TEXT.split_once('\n').unwrap().1;
    convert("-", "-", &["--from", "txt", "--to", "glove"])
        .success()
        .stdout(glove)
        .stderr(contains("to -\n"));
    convert("v.txt", "-", &["--to", "vec"])
        .success()
        .stdout(TEXT);
    convert("-", "w.bin", &["--from", "txt"]).success();
    convert("w.bin", "w.txt", &[]).success();
    assert_eq!(dir.read("w.txt"), TEXT);
    convert("v.txt", "-", &[]).code(2).stderr(
        contains("OUT -: standard output has no name that tells the format").and(contains("--to")),
    );
    convert("-", "w.txt", &[])
        .code(2)
        .stderr(contains("IN -: standard input has no name").and(contains("--from")));
    for format in ["npy", "tsv"] {
        convert("v.txt", "-", &["--to", format])
            .code(2)
            .stderr(contains("a second file is named after it"));
        convert("-", "w.txt", &["--from", format])
            .code(2)
            .stderr(contains("a second file is named after it"));
    }
    assert!(!dir.has("-"));
}

#[test]
fn packed_vectors_are_read_whatever_their_name() {
    let dir = dir();
    convert(&dir, "v.txt", "w.bin", &[]).success();
    dir.file("v.vec.gz", gzip(TEXT.as_bytes()));
    dir.file("w.bin.gz", gzip(&dir.bytes("w.bin")));
    dir.file("renamed.vec", gzip(TEXT.as_bytes()));
    dir.file("nameless", gzip(TEXT.as_bytes()));
    let zstd = zstd::encode_all(TEXT.as_bytes(), 1).unwrap();
    dir.file("v.txt.zst", zstd);
    for name in ["v.vec.gz", "w.bin.gz", "renamed.vec", "v.txt.zst"] {
        convert(&dir, name, "back.txt", &[]).success();
        assert_eq!(dir.read("back.txt"), TEXT, "{name}");
        dir.w2v(&["neighbors", name, "rare", "-n1"])
            .assert()
            .success()
            .stderr("");
    }
    convert(&dir, "nameless", "back.txt", &["--from", "vec"]).success();
    convert(&dir, "v.txt", "w.vec.gz", &[])
        .code(2)
        .stderr(contains("vectors are written unpacked"));
    convert(&dir, "w.vec.xz", "w.txt", &[])
        .code(1)
        .stderr(contains("cannot open w.vec.xz"));
}

#[test]
fn odd_rows_are_told_in_one_line_and_refused_by_strict() {
    let dir = dir();
    dir.file("odd.vec", ODD);
    convert(&dir, "odd.vec", "w.txt", &[]).success().stderr(
        "odd.vec: rows left out whose word .txt has no place for: 1 (first: line 3, \"new york\"); \
         rows left out whose word stands in an earlier row: 1 (first: line 4, \"the\"); words kept \
         that hold whitespace or control characters: 1 (first: line 5, \"\\u{a0}\"); --strict \
         refuses such a file\n4 of 6 words x 2 dimensions to w.txt\n",
    );
    assert_eq!(
        dir.read("w.txt"),
        "4 2\nthe 3 -4\n\u{a0} 7 7\né 0 -0\nrare 0.1 0.00000025\n"
    );
    // What has a place for any word keeps it.
    convert(&dir, "odd.vec", "w.safetensors", &[]).success();
    convert(&dir, "w.safetensors", "w.npy", &[])
        .success()
        .stderr(contains("5 words x 2 dimensions"));
    assert_eq!(dir.read("w.vocab"), "the\nnew york 0\n\u{a0}\né\nrare\n");
    convert(&dir, "odd.vec", "w.bin", &["--strict"])
        .code(1)
        .stderr(contains("odd.vec: line 3: the word \"new york\" holds"));
    assert!(!dir.has("w.bin"));
    // Of the words that can be written, two: those in the lines after them are not looked at.
    convert(&dir, "odd.vec", "w.txt", &["--top", "2"])
        .success()
        .stderr(contains("2 of 6 words"));
    assert_eq!(dir.read("w.txt"), "2 2\nthe 3 -4\n\u{a0} 7 7\n");
    for command in ["neighbors", "analogy"] {
        let mut asked = dir.w2v(&[command, "odd.vec", "rare", "the", "new york", "--json"]);
        asked.assert().success().stderr(contains(
            "odd.vec: words kept that hold whitespace or control characters: 2 (first",
        ));
        asked
            .arg("--strict")
            .assert()
            .code(1)
            .stdout("")
            .stderr(contains("without --strict such rows are counted"));
    }
}

#[test]
fn convert_never_replaces_its_input() {
    let dir = dir();
    for name in ["v.npy", "v.tsv"] {
        convert(&dir, "v.txt", name, &[]).success();
    }
    convert(&dir, "v.txt", "v.txt", &[])
        .code(2)
        .stderr(contains("OUT v.txt: is also read"));
    convert(&dir, "v.txt", "./v.txt", &["--to", "bin"])
        .code(2)
        .stderr(contains("is also read"));
    convert(&dir, "v.npy", "v.vocab", &["--to", "txt"])
        .code(2)
        .stderr(contains("OUT v.vocab: is also read"));
    fs::copy(dir.path("v.txt"), dir.path("v.vocab")).unwrap();
    convert(&dir, "v.vocab", "v.npy", &["--from", "txt"])
        .code(2)
        .stderr(contains("OUT v.vocab: is also read"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("v.txt", dir.path("link.txt")).unwrap();
        convert(&dir, "v.txt", "link.txt", &[])
            .code(2)
            .stderr(contains("is also read"));
    }
    assert_eq!(dir.read("v.txt"), TEXT);
}

#[test]
fn failed_conversion_leaves_the_output_file() {
    let dir = dir();
    convert(&dir, "v.txt", "w.npy", &[]).success();
    let before = dir.bytes("w.npy");
    dir.file("broken.txt", "2 2\na 1 2\nb 1 NaN\n");
    fs::create_dir(dir.path("folder.bin")).unwrap();
    let files = dir.names();
    let attempts: [(&str, &str, i32, &str); 6] = [
        (
            "broken.txt",
            "w.npy",
            1,
            "broken.txt: line 3: value 2 is \"NaN\"",
        ),
        ("missing.bin", "w.npy", 1, "missing.bin"),
        ("folder.bin", "w.npy", 1, "cannot read folder.bin"),
        (
            "v.txt",
            "folder.bin",
            2,
            "OUT folder.bin: is the name of a folder",
        ),
        ("v.txt", "none/w.npy", 2, "there is no folder none"),
        ("v.txt", "/proc/w.npy", 2, "OUT /proc/w.npy"),
    ];
    for (input, output, code, message) in attempts {
        convert(&dir, input, output, &[])
            .code(code)
            .stderr(contains(message));
    }
    assert_eq!(dir.bytes("w.npy"), before);
    assert_eq!(dir.read("w.vocab"), "the\né\nrare\n");
    assert_eq!(dir.names(), files);
}

#[test]
fn help_lists_formats() {
    let output = w2v(&["convert", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for text in [
        ".vec",
        ".bin",
        ".glove",
        "NAME.vocab",
        ".safetensors",
        "NAME.metadata.tsv",
        "--normalize",
        "--top",
    ] {
        assert!(help.contains(text), "{text}");
    }
}

/// A trained file goes through every format as through `format::read`.
#[test]
fn training_writes_every_format() {
    let dir = dir();
    let text: String = (0..300)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5))
        .collect();
    dir.file("text.txt", text);
    let train = |name: &str| {
        dir.w2v(&["train", "text.txt", "-o", name, "--engine", "cpu"])
            .args(["--dim", "4", "--epochs", "1", "--sample", "0", "-q"])
            .assert()
    };
    let read = |name: &str| format::read(&dir.path(name)).unwrap();
    train("t.txt").success();
    for name in ["t.bin", "t.glove", "t.npy", "t.safetensors", "t.tsv"] {
        train(name).success();
        assert_eq!(read(name).matrix, read("t.txt").matrix, "{name}");
        assert!(
            read(name).vocab.words().eq(read("t.txt").vocab.words()),
            "{name}"
        );
    }
    assert!(dir.read("t.vocab").starts_with("the 600\n"));
    // The words' file would replace the corpus.
    fs::copy(dir.path("text.txt"), dir.path("text.vocab")).unwrap();
    dir.w2v(&["train", "text.vocab", "-o", "text.npy", "--engine", "cpu"])
        .assert()
        .code(2)
        .stderr(contains("--output text.vocab: is a file of the corpus"));
    assert_eq!(dir.read("text.vocab"), dir.read("text.txt"));
}
