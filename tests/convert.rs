//! `convert`, through the real binary.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;
use w2v_gpu::model::Matrix;
use w2v_gpu::vectors::format::{self, Format, VectorTable};
use w2v_gpu::vocab::Vocab;

/// word2vec text as this crate writes it.
const TEXT: &str = "3 2\nthe 3 -4\né 0 -0\nrare 0.1 0.00000025\n";

/// The same with rows that are odd, as published vectors have them.
const ODD: &str = "6 2\nthe 3 -4\nnew york 9 9\nthe 1 1\n\u{a0} 7 7\né 0 -0\nrare 0.1 0.00000025\n";

/// A folder with `v.txt`.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::write(folder.path("v.txt"), TEXT).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes a file packed by gzip.
    fn pack(&self, name: &str, bytes: &[u8]) {
        let mut encoder = flate2::write::GzEncoder::new(
            fs::File::create(self.path(name)).unwrap(),
            flate2::Compression::fast(),
        );
        io::Write::write_all(&mut encoder, bytes).unwrap();
        encoder.finish().unwrap();
    }

    /// `convert INPUT OUTPUT MORE...`, all of them in this folder.
    fn convert(&self, input: &str, output: &str, more: &[&str]) -> Assert {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command
            .current_dir(self.0.path())
            .arg("convert")
            .args([input, output])
            .args(more);
        command
            .assert()
            .stdout("")
            .stderr(contains("panicked").not())
    }
}

#[test]
fn through_every_format_and_back_to_the_same_bytes() {
    let folder = Folder::new();
    let mut last = "v.txt".to_owned();
    for extension in ["bin", "npy", "safetensors", "tsv", "glove", "vec"] {
        let next = format!("w.{extension}");
        folder
            .convert(&last, &next, &[])
            .success()
            .stderr(contains("3 words x 2 dimensions to w."));
        last = next;
    }
    assert_eq!(folder.read("w.vec"), TEXT);
    assert_eq!(folder.read("w.glove"), TEXT.split_once('\n').unwrap().1);
    assert_eq!(folder.read("w.vocab"), "the\né\nrare\n");
    assert_eq!(folder.read("w.metadata.tsv"), "the\né\nrare\n");
    assert_eq!(folder.read("w.tsv"), "3\t-4\n0\t-0\n0.1\t0.00000025\n");
}

#[test]
fn neighbors_reads_them_all() {
    let folder = Folder::new();
    let ask = |name: &str| {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command
            .current_dir(folder.0.path())
            .args(["neighbors", name, "rare", "--json"]);
        command.assert().success().get_output().stdout.clone()
    };
    for name in ["w.bin", "w.npy", "w.safetensors", "w.tsv", "w.glove"] {
        folder.convert("v.txt", name, &[]).success();
        assert_eq!(ask(name), ask("v.txt"), "{name}");
    }
}

#[test]
fn halves_are_the_nearest_and_formats_without_them_are_refused() {
    let folder = Folder::new();
    for (name, bytes) in [("w.npy", 128 + 12), ("w.safetensors", 0)] {
        folder.convert("v.txt", name, &["--dtype", "f16"]).success();
        folder.convert(name, "back.txt", &[]).success();
        assert_eq!(
            folder.read("back.txt"),
            "3 2\nthe 3 -4\né 0 -0\nrare 0.099975586 0.00000023841858\n"
        );
        assert!(bytes == 0 || fs::metadata(folder.path(name)).unwrap().len() == bytes);
    }
    for name in ["w.txt", "w.bin", "w.glove", "w.tsv"] {
        folder
            .convert("v.txt", name, &["--dtype", "f16"])
            .code(2)
            .stderr(
                contains("--dtype f16")
                    .and(contains(".npy"))
                    .and(contains(".safetensors")),
            );
        assert!(!folder.path(name).exists());
    }
    fs::write(folder.path("large.txt"), "1 1\nbig 70000\n").unwrap();
    folder
        .convert("large.txt", "w.npy", &["--dtype", "f16"])
        .code(1)
        .stderr(contains("\"big\" holds 70000").and(contains("--dtype f32")));
    assert_eq!(folder.read("w.vocab"), "the\né\nrare\n");
    folder
        .convert("v.txt", "w.npy", &["--dtype", "f64"])
        .code(2)
        .stderr(contains("f16"));
}

#[test]
fn normalized_rows_have_length_1_and_zeros_are_counted() {
    let folder = Folder::new();
    folder
        .convert("v.txt", "w.txt", &["--normalize", "--top", "2"])
        .success()
        .stderr(
            contains("no direction and stay: 1")
                .and(contains("2 of 3 words x 2 dimensions to w.txt")),
        );
    assert_eq!(folder.read("w.txt"), "2 2\nthe 0.6 -0.8\né 0 -0\n");
    folder
        .convert("v.txt", "w.txt", &["--top", "9"])
        .success()
        .stderr(contains("3 words x 2"));
    assert_eq!(folder.read("w.txt"), TEXT);
    folder.convert("v.txt", "w.txt", &["--top", "0"]).code(2);
}

#[test]
fn counts_and_configuration_are_carried_or_spoken_of() {
    let folder = Folder::new();
    let vocab = Vocab::from_words([("a", 9), ("b", 2)]).unwrap();
    let matrix = Matrix::from_values(1, vec![0.5, 1.0]);
    let table = VectorTable {
        configuration: Some("{\"dim\":1,\"seed\":7}"),
        ..VectorTable::new(&vocab, &matrix)
    };
    let path = folder.path("v.safetensors");
    let safetensors = Format::from_path(&path).unwrap();
    safetensors.write(&path, &table, &mut |_, _| ()).unwrap();

    folder
        .convert("v.safetensors", "w.safetensors", &[])
        .success()
        .stderr(contains("left out").not());
    assert_eq!(
        fs::read(&path).unwrap(),
        fs::read(folder.path("w.safetensors")).unwrap()
    );
    let left_out = "left out: the configuration of the training, for which .npy has no place";
    folder
        .convert("v.safetensors", "w.npy", &[])
        .success()
        .stderr(contains(left_out));
    assert_eq!(folder.read("w.vocab"), "a 9\nb 2\n");
    folder
        .convert("w.npy", "x.safetensors", &[])
        .success()
        .stderr(contains("left out").not());
    let back = safetensors
        .read(&folder.path("x.safetensors"), &mut |_, _| ())
        .unwrap();
    assert_eq!(
        (back.vectors.vocab.counts(), back.configuration),
        (&[9, 2][..], None)
    );
    let left_out = "left out: the counts of the words and the configuration of the training";
    folder
        .convert("v.safetensors", "w.txt", &[])
        .success()
        .stderr(contains(left_out));
    folder
        .convert("w.npy", "w.tsv", &[])
        .success()
        .stderr(contains("left out: the counts of the words, "));
}

#[test]
fn glove_files_may_be_called_txt() {
    let folder = Folder::new();
    let rows = TEXT.split_once('\n').unwrap().1;
    fs::write(folder.path("glove.txt"), rows).unwrap();
    folder.convert("glove.txt", "w.bin", &[]).code(1).stderr(
        contains("glove.txt: line 1:")
            .and(contains("--no-header"))
            .and(contains("--from glove")),
    );
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.current_dir(folder.0.path()).args([
        "neighbors",
        "glove.txt",
        "rare",
        "-n1",
        "--from",
        "glove",
    ]);
    command
        .assert()
        .success()
        .stdout("rare\n  the  0.6000\n")
        .stderr("");
    for options in [&["--no-header"][..], &["--from", "glove"]] {
        folder.convert("glove.txt", "w.bin", options).success();
        folder.convert("w.bin", "back.txt", &[]).success();
        assert_eq!(folder.read("back.txt"), TEXT);
    }
    for options in [&["--no-header"][..], &["--to", "glove"]] {
        folder.convert("w.bin", "back.txt", options).success();
        assert_eq!(folder.read("back.txt"), rows);
    }
    folder
        .convert("glove.txt", "back.txt", &["--from", "glove"])
        .success();
    assert_eq!(folder.read("back.txt"), TEXT);
    folder
        .convert("glove.txt", "w.txt", &["--no-header"])
        .code(2)
        .stderr(contains("--from glove or --to glove"));
    folder
        .convert("w.bin", "w.npy", &["--no-header"])
        .code(2)
        .stderr(contains("--no-header w.bin w.npy: neither"));
}

#[test]
fn names_that_say_nothing_need_from_and_to() {
    let folder = Folder::new();
    fs::rename(folder.path("v.txt"), folder.path("vectors")).unwrap();
    folder.convert("vectors", "w.bin", &[]).code(2).stderr(
        contains("IN vectors: the file name must end in one of: .txt or .vec")
            .and(contains("--from FORMAT")),
    );
    folder
        .convert("vectors", "w.dat", &["--from", "txt"])
        .code(2)
        .stderr(contains("OUT w.dat").and(contains("--to")));
    folder
        .convert("vectors", "w.dat", &["--from", "vec", "--to", "bin"])
        .success();
    folder
        .convert("w.dat", "w.txt", &["--from", "bin"])
        .success();
    assert_eq!(folder.read("w.txt"), TEXT);
    folder
        .convert("vectors", "w.dat", &["--from", "txt", "--to", "npy"])
        .code(2)
        .stderr(contains("must end in .npy"));
    folder
        .convert("vectors", "w.bin", &["--from", "word"])
        .code(2)
        .stderr(contains("safetensors"));
}

#[cfg(unix)]
#[test]
fn streams_have_no_names() {
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command
        .args([
            "convert",
            "/dev/stdin",
            "/dev/stdout",
            "--from",
            "txt",
            "--to",
            "glove",
        ])
        .write_stdin(TEXT);
    command
        .assert()
        .success()
        .stdout(TEXT.split_once('\n').unwrap().1);
}

#[test]
fn a_dash_is_standard_input_and_standard_output() {
    let folder = Folder::new();
    let convert = |input: &str, output: &str, more: &[&str]| {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command
            .current_dir(folder.0.path())
            .args(["convert", input, output])
            .args(more)
            .write_stdin(TEXT);
        command.assert()
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
    assert_eq!(folder.read("w.txt"), TEXT);
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
    assert!(!folder.path("-").exists());
}

#[test]
fn packed_vectors_are_read_whatever_their_name() {
    let folder = Folder::new();
    folder.convert("v.txt", "w.bin", &[]).success();
    folder.pack("v.vec.gz", TEXT.as_bytes());
    folder.pack("w.bin.gz", &fs::read(folder.path("w.bin")).unwrap());
    folder.pack("renamed.vec", TEXT.as_bytes());
    folder.pack("nameless", TEXT.as_bytes());
    let zstd = zstd::encode_all(TEXT.as_bytes(), 1).unwrap();
    fs::write(folder.path("v.txt.zst"), zstd).unwrap();
    for name in ["v.vec.gz", "w.bin.gz", "renamed.vec", "v.txt.zst"] {
        folder.convert(name, "back.txt", &[]).success();
        assert_eq!(folder.read("back.txt"), TEXT, "{name}");
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command
            .current_dir(folder.0.path())
            .args(["neighbors", name, "rare", "-n1"])
            .assert()
            .success()
            .stderr("");
    }
    folder
        .convert("nameless", "back.txt", &["--from", "vec"])
        .success();
    folder
        .convert("v.txt", "w.vec.gz", &[])
        .code(2)
        .stderr(contains("vectors are written unpacked"));
    folder
        .convert("w.vec.xz", "w.txt", &[])
        .code(1)
        .stderr(contains("cannot open w.vec.xz"));
}

#[test]
fn odd_rows_are_read_in_one_line_and_refused_when_asked() {
    let folder = Folder::new();
    fs::write(folder.path("odd.vec"), ODD).unwrap();
    folder.convert("odd.vec", "w.txt", &[]).success().stderr(
        "odd.vec: rows left out whose word .txt has no place for: 1 (first: line 3, \"new york\"); \
         rows left out whose word stands in an earlier row: 1 (first: line 4, \"the\"); words kept \
         that hold whitespace or control characters: 1 (first: line 5, \"\\u{a0}\"); --strict \
         refuses such a file\n4 of 6 words x 2 dimensions to w.txt\n",
    );
    assert_eq!(
        folder.read("w.txt"),
        "4 2\nthe 3 -4\n\u{a0} 7 7\né 0 -0\nrare 0.1 0.00000025\n"
    );
    // What has a place for any word keeps it.
    folder.convert("odd.vec", "w.safetensors", &[]).success();
    folder
        .convert("w.safetensors", "w.npy", &[])
        .success()
        .stderr(contains("5 words x 2 dimensions"));
    assert_eq!(folder.read("w.vocab"), "the\nnew york 0\n\u{a0}\né\nrare\n");
    folder
        .convert("odd.vec", "w.bin", &["--strict"])
        .code(1)
        .stderr(contains("odd.vec: line 3: the word \"new york\" holds"));
    assert!(!folder.path("w.bin").exists());
    // Of the words that can be written, two: those in the lines after them are not looked at.
    folder
        .convert("odd.vec", "w.txt", &["--top", "2"])
        .success()
        .stderr(contains("2 of 6 words"));
    assert_eq!(folder.read("w.txt"), "2 2\nthe 3 -4\n\u{a0} 7 7\n");
    for command in ["neighbors", "analogy"] {
        let mut asked = Command::cargo_bin("w2v-gpu").unwrap();
        asked
            .current_dir(folder.0.path())
            .args([command, "odd.vec", "rare", "the", "new york", "--json"]);
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
fn what_is_read_is_never_replaced() {
    let folder = Folder::new();
    for name in ["v.npy", "v.tsv"] {
        folder.convert("v.txt", name, &[]).success();
    }
    folder
        .convert("v.txt", "v.txt", &[])
        .code(2)
        .stderr(contains("OUT v.txt: is also read"));
    folder
        .convert("v.txt", "./v.txt", &["--to", "bin"])
        .code(2)
        .stderr(contains("is also read"));
    folder
        .convert("v.npy", "v.vocab", &["--to", "txt"])
        .code(2)
        .stderr(contains("OUT v.vocab: is also read"));
    fs::copy(folder.path("v.txt"), folder.path("v.vocab")).unwrap();
    folder
        .convert("v.vocab", "v.npy", &["--from", "txt"])
        .code(2)
        .stderr(contains("OUT v.vocab: is also read"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("v.txt", folder.path("link.txt")).unwrap();
        folder
            .convert("v.txt", "link.txt", &[])
            .code(2)
            .stderr(contains("is also read"));
    }
    assert_eq!(folder.read("v.txt"), TEXT);
}

#[test]
fn a_failure_leaves_what_was_there() {
    let folder = Folder::new();
    folder.convert("v.txt", "w.npy", &[]).success();
    let before = fs::read(folder.path("w.npy")).unwrap();
    fs::write(folder.path("broken.txt"), "2 2\na 1 2\nb 1 NaN\n").unwrap();
    fs::create_dir(folder.path("folder.bin")).unwrap();
    let files = fs::read_dir(folder.0.path()).unwrap().count();
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
        folder
            .convert(input, output, &[])
            .code(code)
            .stderr(contains(message));
    }
    assert_eq!(fs::read(folder.path("w.npy")).unwrap(), before);
    assert_eq!(folder.read("w.vocab"), "the\né\nrare\n");
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), files);
}

#[test]
fn help_lists_formats() {
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    let output = command.args(["convert", "--help"]).output().unwrap();
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
    let folder = Folder::new();
    let text: String = (0..300)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5))
        .collect();
    fs::write(folder.path("text.txt"), text).unwrap();
    let train = |name: &str| {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command
            .current_dir(folder.0.path())
            .args(["train", "text.txt", "-o", name, "--engine", "cpu"]);
        command
            .args(["--dim", "4", "--epochs", "1", "--sample", "0", "-q"])
            .assert()
    };
    let read = |name: &str| format::read(Path::new(&folder.path(name))).unwrap();
    train("t.txt").success();
    for name in ["t.bin", "t.glove", "t.npy", "t.safetensors", "t.tsv"] {
        train(name).success();
        assert_eq!(read(name).matrix, read("t.txt").matrix, "{name}");
        assert!(
            read(name).vocab.words().eq(read("t.txt").vocab.words()),
            "{name}"
        );
    }
    assert!(folder.read("t.vocab").starts_with("the 600\n"));
    // The words' file would replace the corpus.
    fs::copy(folder.path("text.txt"), folder.path("text.vocab")).unwrap();
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.current_dir(folder.0.path()).args([
        "train",
        "text.vocab",
        "-o",
        "text.npy",
        "--engine",
        "cpu",
    ]);
    command
        .assert()
        .code(2)
        .stderr(contains("--output text.vocab: is a file of the corpus"));
    assert_eq!(folder.read("text.vocab"), folder.read("text.txt"));
}
