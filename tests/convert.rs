//! `convert`, through the real binary.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;
use w2v_gpu::format::{self, Format, Table};
use w2v_gpu::model::Matrix;
use w2v_gpu::vocab::Vocab;

/// word2vec text as this crate writes it.
const TEXT: &str = "3 2\nthe 3 -4\né 0 -0\nrare 0.1 0.00000025\n";

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

    /// `convert INPUT OUTPUT MORE...`, all of them in this folder.
    fn convert(&self, input: &str, output: &str, more: &[&str]) -> Assert {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command.current_dir(self.0.path()).arg("convert").args([input, output]).args(more);
        command.assert().stdout("").stderr(contains("panicked").not())
    }
}

#[test]
fn through_every_format_and_back_to_the_same_bytes() {
    let folder = Folder::new();
    let mut last = "v.txt".to_owned();
    for extension in ["bin", "npy", "safetensors", "tsv", "glove", "vec"] {
        let next = format!("w.{extension}");
        folder.convert(&last, &next, &[]).success().stderr(contains("3 words x 2 dimensions to w."));
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
        command.current_dir(folder.0.path()).args(["neighbors", name, "rare", "--json"]);
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
        assert_eq!(folder.read("back.txt"), "3 2\nthe 3 -4\né 0 -0\nrare 0.099975586 0.00000023841858\n");
        assert!(bytes == 0 || fs::metadata(folder.path(name)).unwrap().len() == bytes);
    }
    for name in ["w.txt", "w.bin", "w.glove", "w.tsv"] {
        folder
            .convert("v.txt", name, &["--dtype", "f16"])
            .code(2)
            .stderr(contains("--dtype f16").and(contains(".npy")).and(contains(".safetensors")));
        assert!(!folder.path(name).exists());
    }
    fs::write(folder.path("large.txt"), "1 1\nbig 70000\n").unwrap();
    folder
        .convert("large.txt", "w.npy", &["--dtype", "f16"])
        .code(1)
        .stderr(contains("\"big\" holds 70000").and(contains("--dtype f32")));
    assert_eq!(folder.read("w.vocab"), "the\né\nrare\n");
    folder.convert("v.txt", "w.npy", &["--dtype", "f64"]).code(2).stderr(contains("f16"));
}

#[test]
fn normalized_rows_have_length_1_and_zeros_are_counted() {
    let folder = Folder::new();
    folder
        .convert("v.txt", "w.txt", &["--normalize", "--top", "2"])
        .success()
        .stderr(contains("no direction and stay: 1").and(contains("2 of 3 words x 2 dimensions to w.txt")));
    assert_eq!(folder.read("w.txt"), "2 2\nthe 0.6 -0.8\né 0 -0\n");
    folder.convert("v.txt", "w.txt", &["--top", "9"]).success().stderr(contains("3 words x 2"));
    assert_eq!(folder.read("w.txt"), TEXT);
    folder.convert("v.txt", "w.txt", &["--top", "0"]).code(2);
}

#[test]
fn counts_and_configuration_are_carried_or_spoken_of() {
    let folder = Folder::new();
    let vocab = Vocab::from_words([("a", 9), ("b", 2)]).unwrap();
    let matrix = Matrix::from_values(1, vec![0.5, 1.0]);
    let table = Table { configuration: Some("{\"dim\":1,\"seed\":7}"), ..Table::new(&vocab, &matrix) };
    let path = folder.path("v.safetensors");
    let safetensors = Format::from_path(&path).unwrap();
    safetensors.write(&path, &table, &mut |_, _| ()).unwrap();

    folder.convert("v.safetensors", "w.safetensors", &[]).success().stderr(contains("left out").not());
    assert_eq!(fs::read(&path).unwrap(), fs::read(folder.path("w.safetensors")).unwrap());
    let left_out = "left out: the configuration of the training, for which .npy has no place";
    folder.convert("v.safetensors", "w.npy", &[]).success().stderr(contains(left_out));
    assert_eq!(folder.read("w.vocab"), "a 9\nb 2\n");
    folder.convert("w.npy", "x.safetensors", &[]).success().stderr(contains("left out").not());
    let back = safetensors.read(&folder.path("x.safetensors"), &mut |_, _| ()).unwrap();
    assert_eq!((back.vectors.vocab.counts(), back.configuration), (&[9, 2][..], None));
    let left_out = "left out: the counts of the words and the configuration of the training";
    folder.convert("v.safetensors", "w.txt", &[]).success().stderr(contains(left_out));
    folder.convert("w.npy", "w.tsv", &[]).success().stderr(contains("left out: the counts of the words, "));
}

#[test]
fn glove_files_may_be_called_txt() {
    let folder = Folder::new();
    let rows = TEXT.split_once('\n').unwrap().1;
    fs::write(folder.path("glove.txt"), rows).unwrap();
    folder
        .convert("glove.txt", "w.bin", &[])
        .code(1)
        .stderr(contains("glove.txt: line 1:").and(contains("--no-header")).and(contains("--from glove")));
    for options in [&["--no-header"][..], &["--from", "glove"]] {
        folder.convert("glove.txt", "w.bin", options).success();
        folder.convert("w.bin", "back.txt", &[]).success();
        assert_eq!(folder.read("back.txt"), TEXT);
    }
    for options in [&["--no-header"][..], &["--to", "glove"]] {
        folder.convert("w.bin", "back.txt", options).success();
        assert_eq!(folder.read("back.txt"), rows);
    }
    folder.convert("glove.txt", "back.txt", &["--from", "glove"]).success();
    assert_eq!(folder.read("back.txt"), TEXT);
    folder.convert("glove.txt", "w.txt", &["--no-header"]).code(2).stderr(contains("--from glove or --to glove"));
    folder.convert("w.bin", "w.npy", &["--no-header"]).code(2).stderr(contains("--no-header w.bin w.npy: neither"));
}

#[test]
fn names_that_say_nothing_need_from_and_to() {
    let folder = Folder::new();
    fs::rename(folder.path("v.txt"), folder.path("vectors")).unwrap();
    folder
        .convert("vectors", "w.bin", &[])
        .code(2)
        .stderr(contains("IN vectors: the file name must end in one of: .txt or .vec").and(contains("--from FORMAT")));
    folder.convert("vectors", "w.dat", &["--from", "txt"]).code(2).stderr(contains("OUT w.dat").and(contains("--to")));
    folder.convert("vectors", "w.dat", &["--from", "vec", "--to", "bin"]).success();
    folder.convert("w.dat", "w.txt", &["--from", "bin"]).success();
    assert_eq!(folder.read("w.txt"), TEXT);
    folder.convert("vectors", "w.dat", &["--from", "txt", "--to", "npy"]).code(2).stderr(contains("must end in .npy"));
    folder.convert("vectors", "w.bin", &["--from", "word"]).code(2).stderr(contains("safetensors"));
}

#[cfg(unix)]
#[test]
fn streams_have_no_names() {
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.args(["convert", "/dev/stdin", "/dev/stdout", "--from", "txt", "--to", "glove"]).write_stdin(TEXT);
    command.assert().success().stdout(TEXT.split_once('\n').unwrap().1);
}

#[test]
fn what_is_read_is_never_replaced() {
    let folder = Folder::new();
    for name in ["v.npy", "v.tsv"] {
        folder.convert("v.txt", name, &[]).success();
    }
    folder.convert("v.txt", "v.txt", &[]).code(2).stderr(contains("OUT v.txt: is also read"));
    folder.convert("v.txt", "./v.txt", &["--to", "bin"]).code(2).stderr(contains("is also read"));
    folder.convert("v.npy", "v.vocab", &["--to", "txt"]).code(2).stderr(contains("OUT v.vocab: is also read"));
    fs::copy(folder.path("v.txt"), folder.path("v.vocab")).unwrap();
    folder.convert("v.vocab", "v.npy", &["--from", "txt"]).code(2).stderr(contains("OUT v.vocab: is also read"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("v.txt", folder.path("link.txt")).unwrap();
        folder.convert("v.txt", "link.txt", &[]).code(2).stderr(contains("is also read"));
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
        ("broken.txt", "w.npy", 1, "broken.txt: line 3: value 2 is \"NaN\""),
        ("missing.bin", "w.npy", 1, "missing.bin"),
        ("folder.bin", "w.npy", 1, "cannot read folder.bin"),
        ("v.txt", "folder.bin", 2, "OUT folder.bin: is the name of a folder"),
        ("v.txt", "none/w.npy", 2, "there is no folder none"),
        ("v.txt", "/proc/w.npy", 2, "OUT /proc/w.npy"),
    ];
    for (input, output, code, message) in attempts {
        folder.convert(input, output, &[]).code(code).stderr(contains(message));
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
    for text in [".vec", ".bin", ".glove", "NAME.vocab", ".safetensors", "NAME.metadata.tsv", "--normalize", "--top"] {
        assert!(help.contains(text), "{text}");
    }
}

/// A trained file goes through every format as through `format::read`.
#[test]
fn training_writes_every_format() {
    let folder = Folder::new();
    let text: String = (0..300).map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5)).collect();
    fs::write(folder.path("text.txt"), text).unwrap();
    let train = |name: &str| {
        let mut command = Command::cargo_bin("w2v-gpu").unwrap();
        command.current_dir(folder.0.path()).args(["train", "text.txt", "-o", name, "--engine", "cpu"]);
        command.args(["--dim", "4", "--epochs", "1", "--sample", "0", "-q"]).assert()
    };
    let read = |name: &str| format::read(Path::new(&folder.path(name))).unwrap();
    train("t.txt").success();
    for name in ["t.bin", "t.glove", "t.npy", "t.safetensors", "t.tsv"] {
        train(name).success();
        assert_eq!(read(name).matrix, read("t.txt").matrix, "{name}");
        assert!(read(name).vocab.words().eq(read("t.txt").vocab.words()), "{name}");
    }
    assert!(folder.read("t.vocab").starts_with("the 600\n"));
    // The words' file would replace the corpus.
    fs::copy(folder.path("text.txt"), folder.path("text.vocab")).unwrap();
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.current_dir(folder.0.path()).args(["train", "text.vocab", "-o", "text.npy", "--engine", "cpu"]);
    command.assert().code(2).stderr(contains("--output text.vocab: is a file of the corpus"));
    assert_eq!(folder.read("text.vocab"), folder.read("text.txt"));
}
