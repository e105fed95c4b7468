//! What goes wrong around a run, through the real binary: `docs/faults.md` has the whole list, and
//! a test here keeps it true.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

use common::{Dir, PROGRAM, names, quick_train};

/// The files of the sources that hold tests.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests"]
        .into_iter()
        .flat_map(|dir| walkdir::WalkDir::new(root.join(dir)));
    let paths = files.map(|entry| entry.unwrap().into_path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

#[test]
fn every_test_named_in_the_table_of_faults_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let sources: Vec<(String, String)> = sources()
        .into_iter()
        .map(|path| {
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .replace('\\', "/");
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    let mut rows = 0;
    for line in page
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("::"))
    {
        rows += 1;
        let tests = line
            .trim_end_matches(['|', ' '])
            .rsplit('|')
            .next()
            .unwrap();
        for test in tests.split('`').skip(1).step_by(2) {
            let (file, name) = test
                .split_once("::")
                .unwrap_or_else(|| panic!("{test} is no `file::name`"));
            let source = sources
                .iter()
                .find(|(path, _)| path == file)
                .unwrap_or_else(|| panic!("no file {file}"));
            assert!(source.1.contains(&format!("fn {name}(")), "no test {test}");
        }
    }
    assert!(rows >= 40, "{rows} rows");
}

/// A program as text: what are no words of UTF-8 in it are told of, and no zero byte or escape code
/// gets into a word.
#[test]
fn binary_file_is_read_as_text_with_a_note() {
    let dir = Dir::with_text();
    let mut binary: Vec<u8> = (0..40_000u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761)).to_le_bytes())
        .collect();
    binary.extend(b"\0the\0cat\0\x1b[2Jsat\0".repeat(50));
    dir.file("program", binary);
    dir.train(&["program", "-o", "v.txt"])
        .assert()
        .success()
        .stderr(contains(
            "words with bytes that are not UTF-8, replaced by U+FFFD",
        ));
    let vectors = dir.read("v.txt");
    assert!(
        vectors.lines().any(|line| line.starts_with("cat "))
            && vectors.lines().any(|l| l.starts_with("[2Jsat "))
    );
    assert!(!vectors.contains(|c: char| c.is_control() && c != '\n'));
}

/// A text of which no word is left tells what became of its words.
#[test]
fn text_without_a_word_that_is_left_says_what_became_of_them() {
    let dir = Dir::new();
    let many: String = (0..20_000).map(|i| format!("word{i} ")).collect();
    dir.file("many.txt", many);
    dir.file("long.txt", format!("{0} {0}\n", "x".repeat(1100)).repeat(3));
    dir.file("words", "x 5\ny 5\n");
    let limited = ["--min-count", "1", "--vocab-memory", "1M"];
    let forgotten = "all words that were counted, of at most 1 occurrence each, were forgotten for lack of \
                     memory; raise --vocab-memory";
    let long = "the corpus holds 6 words, all longer than 1024 bytes and left out";
    for (text, more, why) in [
        ("many.txt", &limited[..], forgotten),
        ("long.txt", &[], long),
        ("long.txt", &["--vocab", "words"], long),
    ] {
        dir.train(&[&[text, "-o", "v.txt"], more].concat())
            .assert()
            .code(1)
            .stderr(contains(why));
        if !more.contains(&"--vocab") {
            dir.w2v(&[&["vocab", text, "-o", "w"], more].concat())
                .assert()
                .code(1)
                .stderr(contains(why));
        }
    }
}

/// What is shown of names and words that were made to be obeyed by a terminal.
#[test]
fn control_characters_are_escaped_in_output() {
    let dir = Dir::with_text();
    let turned = "\u{202e}drow";
    dir.file(
        "turned.txt",
        format!("{turned} the cat\nthe {turned}\n").repeat(50),
    );
    dir.file("in/.\u{1b}]0;hidden", b"x");
    dir.file("in/plain.txt", b"the cat\n");
    dir.file("\u{1b}[31m.gz", b"\x1f\x8b\x08damaged");
    dir.file("list", b"missing\x1b[2J\n");
    dir.file("words", b"the\x1b[2J 9\n");
    dir.file("stop", b"the\x1b[2J\n");
    dir.file("keys.toml", b"\"\\u001b[2J\" = 1\n");
    dir.file("value.toml", b"loss = \"\\u001b[2J\"\n");
    dir.file("broken.toml", b"dim = \x1b[2J\n");
    dir.file("run.jsonl", b"{\"record\":\"\\u001b[2J\"}\n");
    dir.file("pairs", b"the\x1b[2J cat many\nthe cat \x1b[2J\n");
    dir.file("analogies", format!(": \u{1b}[2J\nthe cat {turned} the\n"));
    dir.file("esc.txt", b"1 1\n\x1b[2J 1\n");
    dir.train(&["turned.txt", "-o", "v\u{1b}[2J.txt"])
        .assert()
        .success();
    dir.train(&["turned.txt", "-o", "v.txt"]).assert().success();
    let runs: [&[&str]; 18] = [
        &[
            "train",
            "turned.txt",
            "-o",
            "v\u{1b}[2J.txt",
            "--engine",
            "cpu",
        ],
        &[
            "train",
            "in",
            "-o",
            "w.txt",
            "--min-count",
            "1",
            "--engine",
            "cpu",
        ],
        &["train", "\u{1b}[31m.gz", "-o", "w.txt"],
        &["train", "--files-from", "list", "-o", "w.txt"],
        &["train", "turned.txt", "--vocab", "words", "-o", "w.txt"],
        &["train", "turned.txt", "--stop-words", "stop", "-o", "w.txt"],
        &["train", "--config", "keys.toml", "-o", "w.txt"],
        &["train", "--config", "value.toml", "-o", "w.txt"],
        &["train", "--config", "broken.toml", "-o", "w.txt"],
        &["neighbors", "v.txt", "the", turned],
        &["neighbors", "v.txt", "\u{1b}[2J"],
        &["analogy", "v.txt", "the", "cat", turned],
        &["eval", "v.txt", "--pairs", "pairs"],
        &["eval", "v.txt", "--analogies", "analogies"],
        &["report", "run.jsonl", "-o", "w.html"],
        &["convert", "esc.txt", "w.bin"],
        &["convert", "v.txt", "w\u{1b}[2J.bin"],
        &["convert", "missing\u{1b}[2J.txt", "w.bin"],
    ];
    for args in runs {
        let output = dir.w2v(args).output().unwrap();
        assert!(
            !output.stderr.is_empty() || !output.stdout.is_empty(),
            "{args:?}"
        );
        for shown in [&output.stdout, &output.stderr] {
            let shown = std::str::from_utf8(shown).unwrap();
            assert!(
                !shown.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'),
                "{args:?}: {shown:?}"
            );
        }
    }
    // To a file or a pipe words go as they are; no control character is ever a part of one.
    let output = dir
        .w2v(&[
            "vocab",
            "turned.txt",
            "words",
            "-o",
            "-",
            "--min-count",
            "1",
        ])
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains(turned) && !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
}

/// A folder for temporary files that takes none.
#[cfg(target_os = "linux")]
#[test]
fn unusable_tmpdir_is_named() {
    let dir = Dir::with_text();
    for (tmpdir, input) in [
        ("/proc", "text.txt"),
        ("/nowhere", "text.txt"),
        ("/proc", "-"),
    ] {
        dir.train(&[input, "-o", "v.txt"])
            .env("TMPDIR", tmpdir)
            .write_stdin("the cat\n".repeat(9))
            .assert()
            .code(1)
            .stderr(
                contains("cannot create")
                    .or(contains("set TMPDIR"))
                    .and(contains(tmpdir)),
            );
    }
    assert_eq!(dir.names(), ["text.txt"]);
}

/// Whoever reads the output may leave when it has seen enough.
#[test]
fn closed_output_pipe_is_no_failure() {
    let dir = Dir::with_text();
    let words: String = (0..20_000).map(|i| format!("word{i} ")).collect();
    dir.file("words.txt", words);
    dir.train(&["text.txt", "-o", "v.txt"]).assert().success();
    let expected = dir.bytes("v.txt");
    fs::remove_file(dir.path("v.txt")).unwrap();
    let train = quick_train("cpu", &["text.txt", "-o", "v.txt"]);
    for args in [
        &[&train[..], &["--json"]].concat(),
        &quick_train(
            "cpu",
            &["text.txt", "-o", "-", "--to", "txt", "--checkpoint", "run"],
        ),
        &["vocab", "words.txt", "-o", "-", "--min-count", "1"][..],
        &["phrases", "words.txt", "-o", "-"],
        &["neighbors", "v.txt", "the", "cat", "sat"],
        &["devices"],
    ] {
        let mut child = dir.process(args);
        child.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && !said.contains("panicked") && !said.contains("pipe"),
            "{args:?}: {said}"
        );
    }
    assert_eq!(dir.bytes("v.txt"), expected);
    // Nor are messages that nobody reads.
    fs::remove_file(dir.path("v.txt")).unwrap();
    let mut child = dir.process(&train);
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert!(child.wait().unwrap().success());
    assert_eq!(dir.bytes("v.txt"), expected);
}

/// A pipe that was named as the output, and whose reader goes away.
#[cfg(unix)]
#[test]
fn vectors_that_cannot_be_written_go_to_a_second_place() {
    let dir = Dir::with_text();
    let words: String = (0..20_000).map(|i| format!("word{i} ")).collect();
    dir.file("words.txt", words);
    Command::new("mkfifo")
        .arg(dir.path("v.txt"))
        .assert()
        .success();
    let mut reader = std::process::Command::new("head");
    let reader = reader
        .args(["-c", "1", "v.txt"])
        .current_dir(dir.root())
        .stdout(Stdio::null());
    let mut reader = reader.spawn().unwrap();
    let train = |output| {
        let args = ["words.txt", "-o", output, "--min-count", "1"];
        let others = ["--save-output", "c.npy", "--save-vocab", "words"];
        dir.train(&[&args[..], &others].concat())
    };
    let output = train("v.txt").output();
    // It may have nothing to read, and would wait for ever.
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert_cmd::assert::Assert::new(output.unwrap())
        .code(1)
        .stderr(
            contains("error: cannot write v.txt")
                .and(contains("nothing is lost: the files of this run are in /")),
        );
    let is_second = |name: &String| name.starts_with("w2v-gpu-rescued-");
    let second = dir.names().into_iter().find(is_second).unwrap();
    assert_eq!(
        names(&dir.path(&second)),
        ["c.npy", "c.vocab", "v.txt", "v.txt.json", "words"]
    );
    train("w.txt").assert().success();
    assert_eq!(dir.bytes(&format!("{second}/v.txt")), dir.bytes("w.txt"));
}

/// What the next run on the same folder would take for text.
#[test]
fn outputs_in_a_corpus_folder_are_refused() {
    let dir = Dir::with_text();
    fs::create_dir_all(dir.path("texts/deep")).unwrap();
    fs::copy(dir.path("text.txt"), dir.path("texts/text.txt")).unwrap();
    let before = dir.names();
    for (flag, place) in [
        ("-o/--output", "texts/v.bin"),
        ("--save-output", "texts/deep/c.bin"),
        ("--save-vocab", "texts/words"),
        ("--checkpoint", "texts/new/run"),
        ("--metrics", "texts/run.jsonl"),
        ("--tensorboard", "texts/board"),
    ] {
        let args = if flag == "-o/--output" {
            vec![place]
        } else {
            vec!["v.bin", flag, place]
        };
        let why = "lies in a folder of CORPUS, where the next run would read it as text; name a \
                   place elsewhere";
        dir.train(&[&["texts", "-o"], &args[..]].concat())
            .assert()
            .code(2)
            .stderr(contains(format!("{flag} {place}: {why}")));
    }
    assert_eq!((dir.names(), names(&dir.path("texts")).len()), (before, 2));
    // Hidden ones are not read.
    dir.train(&["texts", "-o", "v.bin", "--checkpoint", "texts/.run"])
        .assert()
        .success();
    // Standard output is in no folder.
    let texts = || {
        let mut command = dir.train(&["."]);
        command.current_dir(dir.path("texts"));
        command
    };
    texts()
        .args(["-o", "-", "--to", "txt"])
        .assert()
        .success()
        .stdout(contains("\ncat "));
    texts()
        .args(["-o", "../w.bin", "--save-vocab", "-"])
        .assert()
        .success()
        .stdout(contains("cat "));
}

/// Files whose names break lines, or are not UTF-8.
#[cfg(unix)]
mod odd_names {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};

    use super::*;

    /// An argument that is as given, but for `{}`, which becomes a byte that is no UTF-8.
    fn odd(arg: &str, byte: u8) -> OsString {
        let (before, after) = arg.split_once("{}").unwrap_or((arg, ""));
        let parts = if before.len() == arg.len() {
            &[][..]
        } else {
            &[byte][..]
        };
        OsString::from_vec([before.as_bytes(), parts, after.as_bytes()].concat())
    }

    /// A program call in `dir`, with the byte 0xe9 for each `{}` of its arguments.
    fn w2v(dir: &Dir, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .current_dir(dir.root())
            .args(args.iter().map(|arg| odd(arg, 0xe9)));
        command
    }

    fn train(dir: &Dir, args: &[&str]) -> Command {
        w2v(dir, &quick_train("cpu", args))
    }

    /// A folder with two files for each purpose: one with a plain name (`text-a`), one with an odd
    /// name (`text-\xe9`), and lists under a third name (`stop-\xe8`).
    fn inputs() -> Dir {
        let dir = Dir::with_text();
        let text = dir.bytes("text.txt");
        dir.file("old.txt", "2 8\nthe 1 2 3 4 5 6 7 8\nmat 8 7 6 5 4 3 2 1\n");
        let init = dir.bytes("old.txt");
        for (name, content) in [
            ("text-{}", &text[..]),
            ("stop-{}", b"on\n"),
            ("keep-{}", b"cat\n"),
            ("init-{}.txt", &init),
            ("pairs-{}", b"the cat 7\ncat mat 2\nsat the 1\n"),
        ] {
            for byte in [b'a', 0xe8, 0xe9] {
                fs::write(dir.root().join(odd(name, byte)), content).unwrap();
            }
        }
        dir
    }

    const ODD: [&str; 9] = [
        "text-{}",
        "--stop-words",
        "stop-{}",
        "--keep-words",
        "keep-{}",
        "--init",
        "init-{}.txt",
        "--eval-pairs",
        "pairs-{}",
    ];

    fn read(dir: &Dir, name: &str) -> Vec<u8> {
        fs::read(dir.root().join(odd(name, 0xe9))).unwrap()
    }

    #[test]
    fn names_that_are_not_utf8_are_kept_by_checkpoints_settings_and_records() {
        let dir = inputs();
        let plain = ODD.map(|arg| arg.replace("{}", "a"));
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        train(&dir, &[&plain[..], &["-o", "plain.txt"]].concat())
            .assert()
            .success();
        let expected = dir.bytes("plain.txt");

        let kept = [
            "-o",
            "v-{}.txt",
            "--checkpoint",
            "run-{}",
            "--metrics",
            "m-{}.jsonl",
        ];
        let kept = [&ODD[..], &kept, &["--cache", "cache-{}"]].concat();
        train(&dir, &kept).assert().success();
        assert_eq!(read(&dir, "v-{}.txt"), expected);

        // The run goes on under the same names, and with another one it is refused.
        let resumed = [&ODD[..], &["-o", "w.txt", "--resume", "run-{}"]].concat();
        train(&dir, &resumed).assert().success();
        assert_eq!(dir.bytes("w.txt"), expected);
        let mut other: Vec<OsString> = quick_train("cpu", &resumed)
            .iter()
            .map(|arg| odd(arg, 0xe9))
            .collect();
        let list = other
            .iter()
            .position(|arg| arg == OsStr::from_bytes(b"stop-\xe9"));
        other[list.unwrap()] = odd("stop-{}", 0xe8);
        Command::new(PROGRAM)
            .current_dir(dir.root())
            .args(other)
            .assert()
            .code(2)
            .stderr(contains(
                r"--stop-words stop-\xe9, and this one --stop-words stop-\xe8",
            ));

        // The settings beside the vectors, and the command on the page, give the same run.
        let of_run = [
            "train",
            "text-{}",
            "--engine",
            "cpu",
            "--config",
            "v-{}.txt.json",
        ];
        w2v(&dir, &[&of_run[..], &["-o", "x.txt"]].concat())
            .assert()
            .success();
        assert_eq!(dir.bytes("x.txt"), expected);
        fs::remove_file(dir.root().join(odd("v-{}.txt", 0xe9))).unwrap();
        w2v(
            &dir,
            &[
                "report",
                "m-{}.jsonl",
                "-o",
                "page.html",
                "--vectors",
                "x.txt",
            ],
        )
        .assert()
        .success();
        let page = dir.read("page.html");
        let start = page.find("w2v-gpu train").unwrap();
        let end = start + page[start..].find("\",\"").unwrap();
        let command: String = serde_json::from_str(&format!("\"{}\"", &page[start..end])).unwrap();
        let command = command.replacen("w2v-gpu", PROGRAM, 1);
        Command::new("bash")
            .current_dir(dir.root())
            .args(["-c", &command])
            .assert()
            .success();
        assert_eq!(read(&dir, "v-{}.txt"), expected);
        assert!(page.contains(r"text-\\xe9"));
    }

    /// Settings beside a list whose name is not UTF-8 once fell out of the key of the cache.
    #[test]
    fn names_that_are_not_utf8_share_no_cached_corpus_with_other_options() {
        let dir = inputs();
        let run = |min_count, more: &[&str]| {
            let args = ["text-{}", "--stop-words", "stop-{}", "-o", "v.txt"];
            let args = [&args[..], &["--min-count", min_count], more].concat();
            train(&dir, &args).assert().success();
            dir.bytes("v.txt")
        };
        let cache = &["--cache", "cache-{}"][..];
        let (few, all) = (run("300", &[]), run("1", &[]));
        assert!(few != all && run("300", cache) == few && run("1", cache) == all);
        assert!(run("300", cache) == few);
    }

    #[test]
    fn names_that_are_not_utf8_are_in_the_json_of_every_command() {
        let dir = inputs();
        let json = |args: &[&str]| -> serde_json::Value {
            let output = w2v(&dir, args).output().unwrap();
            assert!(output.status.success(), "{args:?}: {output:?}");
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let train = quick_train("cpu", &["text-{}", "-o", "v-{}.txt", "--json"]);
        assert_eq!(json(&train)["output"], "v-\0e9.txt");
        let plan = ["train", "text-{}", "-o", "v-{}.txt", "--dry-run", "--json"];
        assert!(json(&plan).is_object());
        for command in ["vocab", "phrases"] {
            assert_eq!(
                json(&[command, "text-{}", "-o", "o-{}", "--json"])["output"],
                "o-\0e9"
            );
        }
        let eval = json(&["eval", "v-{}.txt", "--pairs", "pairs-{}", "--json"]);
        assert_eq!(eval["vectors"], "v-\0e9.txt");
        assert!(eval.to_string().contains(r#""pairs-\u0000e9""#), "{eval}");
    }

    /// Whatever a name is, a line of output begins with what the program says.
    #[test]
    fn a_line_break_in_a_name_forges_no_line() {
        let dir = Dir::with_text();
        let (text, gone) = ("t\nforged: text", "none\nforged: none");
        for name in [
            text,
            "bad\nforged: .gz",
            "words\nforged: w",
            "in/.h\nforged: hidden",
        ] {
            dir.file(name, dir.bytes("text.txt"));
        }
        dir.file("in/t", dir.bytes("text.txt"));
        let vectors = "v\nforged: v.txt";
        let outputs = ["-o", vectors, "--checkpoint", "c\nforged: c", "--metrics"];
        let kept = ["m\nforged: m", "--cache", "k\nforged: k"];
        let first = quick_train("cpu", &[&[text][..], &outputs, &kept].concat());
        let resumed = [text, "-o", vectors, "--resume", "c\nforged: c"];
        let diverging = [text, "-o", "v\nforged: .npy", "--dim", "x\nforged: x"];
        let runs: [&[&str]; 24] = [
            &first,
            &first,
            &quick_train("cpu", &resumed),
            &quick_train("cpu", &diverging),
            &quick_train("cpu", &["in", "-o", "w.txt"]),
            &quick_train("cpu", &[text, "-o", "n\nforged: /v.txt"]),
            &quick_train("cpu", &[text, "-o", "n\nforged: v"]),
            &["train", gone, "-o", "w.txt"],
            &["train", "bad\nforged: .gz", "-o", "w.txt"],
            &["train", text, "-o", "w.txt", "--vocab", text],
            &["train", text, "-o", "w.txt", "--stop-words", text],
            &["train", text, "-o", "w.txt", "--config", text],
            &[
                "train",
                text,
                "-o",
                "w.txt",
                "--adapter",
                gone,
                "--engine",
                "gpu",
            ],
            &["train", text, "-o", "w.txt", "--loss", gone],
            &["train", text, "-o", "w.txt", "--batch", gone],
            &["train", text, "-o", "w.txt", "--vocab-memory", gone],
            &["train", "--no\nforged: o", text, "-o", "w.txt"],
            &["no\nforged: command"],
            &["vocab", text, "-o", "n\nforged: /w"],
            &["phrases", text, "-o", "p\nforged: p"],
            &["convert", vectors, "w\nforged: .npy"],
            &["eval", vectors, "--pairs", text],
            &["neighbors", gone, "the"],
            &["report", "m\nforged: m", "-o", "p\nforged: .txt"],
        ];
        for args in runs {
            let output = dir.w2v(args).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(
                !said.lines().any(|line| line.starts_with("forged")),
                "{args:?}: {said}"
            );
            assert!(said.contains("\\nforged"), "{args:?}: {said}");
        }
        dir.w2v(&["train", "text.txt", "-o", "w.txt"])
            .env("W2V_GPU_DIM", "x\nforged: x")
            .env("TMPDIR", "x\nforged: x")
            .assert()
            .failure()
            .stderr(contains("x\\nforged").and(contains("\nforged").not()));
    }
}

/// A limit on the size of files stands for a full disk.
#[cfg(unix)]
mod full {
    use super::*;

    #[test]
    fn full_disk_keeps_the_old_vectors() {
        let dir = Dir::with_text();
        let words: String = (0..3000).map(|i| format!("word{i} ")).collect();
        dir.file("words.txt", words);
        let train = |output| {
            let args = ["words.txt", "-o", output, "--min-count", "1"];
            quick_train("cpu", &[&args[..], &["--dim", "100"]].concat())
        };
        dir.w2v(&train("large.bin")).assert().success();
        let before = dir.names();
        let old = ["old.txt", "old.npy", "old.vocab"];
        old.iter().for_each(|name| dir.file(name, "old"));
        for output in ["old.txt", "old.npy"] {
            let full = || {
                contains("cannot write ")
                    .and(contains(output))
                    .and(contains("too large"))
            };
            dir.limited(500, ["convert", "large.bin", output])
                .assert()
                .code(1)
                .stderr(full());
            dir.limited(500, train(output))
                .assert()
                .code(1)
                .stderr(contains(format!("cannot write {output}: it takes about")));
        }
        old.iter()
            .for_each(|name| assert_eq!(dir.bytes(name), b"old"));
        let mut after: Vec<String> = before.into_iter().chain(old.map(str::to_owned)).collect();
        after.sort();
        assert_eq!(dir.names(), after);
    }

    /// `w2v-gpu ARGS` under a limit of the shell's, such as `-n 5`.
    fn under(dir: &Dir, limit: &str, args: &[&str]) -> std::process::Output {
        let script = format!("ulimit {limit}; exec \"$@\"");
        let mut command = Command::new("bash");
        command
            .current_dir(dir.root())
            .args(["-c", &script, "bash", PROGRAM])
            .args(args);
        command.output().unwrap()
    }

    /// Limits of a process are found out before training, and not after it.
    #[test]
    fn limits_of_the_process_are_noticed_before_training() {
        let dir = Dir::with_text();
        let words: String = (0..20_000).map(|i| format!("word{i} ")).collect();
        dir.file("words.txt", words.repeat(2));
        let train = |input, more: &[&'static str]| {
            let args = [input, "-o", "v.npy", "--min-count", "1", "--threads", "2"];
            quick_train("cpu", &[&args[..], more].concat())
        };
        let refused = |limit: &str, args: &[&str]| {
            let output = under(&dir, limit, args);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{limit}: {said}");
            assert!(
                !said.contains("epoch 1 done") && !dir.has("v.npy"),
                "{limit}: {said}"
            );
            said
        };
        let said = refused("-f 400", &train("words.txt", &[]));
        assert!(
            said.contains("cannot write v.npy: it takes about"),
            "{said}"
        );
        let said = refused("-v 1000000", &train("words.txt", &["--dim", "4096"]));
        assert!(said.contains("training needs"), "{said}");
        // As few as these are enough to begin with, and to train.
        let mut enough = 5;
        loop {
            let args = train(
                "text.txt",
                &["--checkpoint", "run", "--metrics", "run.jsonl"],
            );
            let output = under(&dir, &format!("-n {enough}"), &args);
            if output.status.success() {
                break;
            }
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!said.contains("epoch 1 done"), "{enough}: {said}");
            fs::remove_dir_all(dir.path("run")).ok();
            fs::remove_file(dir.path("run.jsonl")).ok();
            enough += 1;
        }
        assert!(enough < 40 && dir.has("v.npy"), "{enough}");
    }

    #[test]
    fn full_temporary_disk_names_tmpdir() {
        let dir = Dir::with_text();
        let train = |input| quick_train("cpu", &[input, "-o", "v.txt"]);
        dir.limited(8, train("text.txt")).assert().code(1).stderr(
            contains("cannot write the token store to")
                .and(contains("set TMPDIR to a larger disk")),
        );
        dir.limited(8, train("-"))
            .write_stdin(dir.bytes("text.txt"))
            .assert()
            .code(1)
            .stderr(contains("no room for a copy in").and(contains("set TMPDIR to a larger disk")));
        assert_eq!(dir.names(), ["text.txt"]);
    }
}

/// Killed or stopped in the middle of a file.
#[cfg(target_os = "linux")]
mod killed {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, ExitStatus};
    use std::time::{Duration, Instant};

    use rustix::fs::{Mode, OFlags, open};
    use w2v_gpu::error::shown;
    use w2v_gpu::model::Matrix;
    use w2v_gpu::vectors::format;
    use w2v_gpu::vocab::Vocab;

    use super::common::let_children_be_interrupted;
    use super::*;

    /// Enough of a file that is being written to be in the middle of it, in bytes.
    const SOME: u64 = 2 << 20;

    /// Whether a process has written a part of a file without a name.
    fn is_writing(run: &Child, dir: &Path) -> bool {
        let descriptors = fs::read_dir(format!("/proc/{}/fd", run.id()))
            .into_iter()
            .flatten()
            .flatten();
        descriptors.map(|entry| entry.path()).any(|path| {
            let target = fs::read_link(&path).unwrap_or_default();
            let unnamed =
                target.to_string_lossy().ends_with(" (deleted)") && target.starts_with(dir);
            unnamed && fs::metadata(&path).is_ok_and(|metadata| metadata.len() > SOME)
        })
    }

    /// Runs a command and sends it a signal in the middle of its output; none where files need
    /// names.
    fn end_within_output(dir: &Dir, args: &[&str], signal: &str) -> Option<ExitStatus> {
        let_children_be_interrupted();
        let mut run = dir.process(args).stderr(Stdio::null()).spawn().unwrap();
        let (path, started) = (dir.root().canonicalize().unwrap(), Instant::now());
        while !is_writing(&run, &path) {
            assert!(
                started.elapsed() < Duration::from_secs(120),
                "it does not begin to write"
            );
            if names(&path).iter().any(|name| name.ends_with(".tmp")) {
                run.kill().unwrap();
                run.wait().unwrap();
                let (how, mode) = (OFlags::TMPFILE | OFlags::RDWR, Mode::RWXU);
                assert!(
                    open(&path, how, mode).is_err(),
                    "a name, where none is needed"
                );
                eprintln!(
                    "skipped: {} is on a file system where files need names",
                    shown(&path)
                );
                return None;
            }
            assert!(
                run.try_wait().unwrap().is_none(),
                "{args:?} was over too soon"
            );
        }
        Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(run.id().to_string())
            .status()
            .unwrap();
        Some(run.wait().unwrap())
    }

    #[test]
    fn process_killed_while_writing_leaves_only_the_old_file() {
        let dir = Dir::with_text();
        let words: Vec<String> = (0..40_000).map(|i| format!("word{i}")).collect();
        let vocab = Vocab::from_words(words.iter().map(|word| (word.as_str(), 1))).unwrap();
        let values = (0..40_000 * 100).map(|i| (i as f32 * 0.37).sin()).collect();
        format::write(
            &dir.path("large.bin"),
            &vocab,
            &Matrix::from_values(100, values),
        )
        .unwrap();
        dir.file("words.txt", words.join(" "));
        dir.file("v.txt", "old");
        let before = dir.names();
        let convert = &["convert", "large.bin", "v.txt"][..];
        let train = ["words.txt", "-o", "v.txt", "--min-count", "1"];
        let train = quick_train("cpu", &[&train[..], &["--dim", "100"]].concat());
        for (args, signal, number) in [
            (convert, "KILL", 9),
            (convert, "INT", 2),
            (convert, "TERM", 15),
            (&train, "KILL", 9),
        ] {
            let Some(status) = end_within_output(&dir, args, signal) else {
                return;
            };
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(number),
                "{args:?}"
            );
            assert_eq!(dir.bytes("v.txt"), b"old");
            assert_eq!(dir.names(), before, "{args:?}");
        }
    }

    /// The outcome of a kill that came too late.
    const OVER: &str = "was over";

    /// The files of a run that is killed again and again.
    const WRITTEN: [&str; 5] = ["v.npy", "v.vocab", "c.txt", "words", "model.bin"];

    /// The run: every file that a run can write, in a folder of its own for each kind.
    fn whole_run(more: &[&'static str]) -> Vec<&'static str> {
        let files = [
            "text.txt",
            "-o",
            "v.npy",
            "--save-output",
            "c.txt",
            "--save-vocab",
            "words",
        ];
        let others = [
            "--save-model",
            "model.bin",
            "--metrics",
            "run.jsonl",
            "--cache",
            "kept",
        ];
        let often = [
            "--checkpoint-every",
            "20",
            "--validation",
            "0.05",
            "--patience",
            "9",
        ];
        let size = [
            "--min-count",
            "1",
            "--dim",
            "24",
            "--epochs",
            "3",
            "--threads",
            "2",
        ];
        quick_train("cpu", &[&files[..], &others, &often, &size, more].concat())
    }

    /// The stages of an undisturbed run, and the time from its start to the end of each.
    fn stages(dir: &Dir) -> [(&'static str, Duration); 3] {
        let started = Instant::now();
        let args = whole_run(&["--checkpoint", "run"]);
        let mut run = dir.process(&args).stderr(Stdio::piped()).spawn().unwrap();
        let mut ends = [("reading", Duration::ZERO), ("training", Duration::ZERO)];
        for line in BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap)
        {
            let stage = usize::from(line.starts_with("epoch"));
            if stage == 1 || line.starts_with("corpus:") {
                ends[stage].1 = started.elapsed();
            }
        }
        assert!(run.wait().unwrap().success());
        [ends[0], ends[1], ("writing", started.elapsed())]
    }

    /// Removes what a run has left, and, if `all`, the cached corpus too.
    fn clean(dir: &Dir, all: bool) {
        let kept = |name: &String| name == "text.txt" || name == "kept" && !all;
        for name in dir.names().iter().filter(|name| !kept(name)) {
            let path = dir.path(name);
            fs::remove_file(&path)
                .or_else(|_| fs::remove_dir_all(&path))
                .unwrap();
        }
    }

    /// Kills a run after some time, and checks that it comes to the files of an undisturbed one.
    /// Returns how it went on.
    fn kill_and_go_on(dir: &Dir, after: Duration, expected: &[Vec<u8>]) -> &'static str {
        let mut run = dir.process(&whole_run(&["--checkpoint", "run"]));
        let mut run = run.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let is_over = run.try_wait().unwrap().is_some();
        run.kill().unwrap();
        run.wait().unwrap();
        for (name, expected) in WRITTEN.iter().zip(expected) {
            assert!(
                !dir.has(name) || dir.bytes(name) == *expected,
                "{name} is no whole file"
            );
        }
        let saved = dir.has("run") && names(&dir.path("run")).iter().any(|name| name != "lock");
        let how = if saved { "--resume" } else { "--checkpoint" };
        if !is_over {
            dir.w2v(&whole_run(&[how, "run"])).assert().success();
        }
        for (name, expected) in WRITTEN.iter().zip(expected) {
            assert!(dir.bytes(name) == *expected, "{name} differs");
        }
        let log = w2v_gpu::record::log::read(&dir.path("run.jsonl")).unwrap();
        assert!(log.end.is_some() && log.epochs.len() == 3);
        let left: Vec<String> = dir
            .names()
            .into_iter()
            .chain(names(&dir.path("run")))
            .collect();
        let is_rest = |name: &&String| name.ends_with(".tmp") || name.ends_with(".partial");
        assert_eq!(left.iter().find(is_rest), None);
        match (is_over, saved) {
            (true, _) => OVER,
            (_, true) => "resumed",
            _ => "begun anew",
        }
    }

    /// `W2V_GPU_KILLS=100 cargo test --test faults kills -- --ignored --nocapture`
    #[test]
    #[ignore = "takes minutes; the tests of resume.rs kill some runs each time"]
    fn random_kills_in_every_stage_lose_nothing() {
        let kills = std::env::var("W2V_GPU_KILLS").map_or(30, |text| text.parse().unwrap());
        let words = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let text: String = (0..8_000)
            .map(|i| {
                format!(
                    "w{}{}",
                    words(i) % 3000,
                    if i % 12 == 0 { '\n' } else { ' ' }
                )
            })
            .collect();
        let dir = Dir::with_files(&[("text.txt", text.as_bytes())]);
        let stages = stages(&dir);
        let expected = WRITTEN.map(|name| dir.bytes(name));
        println!("undisturbed: {stages:?}");
        let (mut outcomes, mut landed) = (BTreeMap::new(), 0);
        for number in 0.. {
            if landed == kills {
                break;
            }
            clean(&dir, number % 2 == 0);
            let (stage, end) = stages[number as usize % 3];
            let start = if stage == "reading" {
                Duration::ZERO
            } else {
                stages[number as usize % 3 - 1].1
            };
            let share = (words(number) % 1000) as f64 / 1000.0;
            let outcome = kill_and_go_on(&dir, start + (end - start).mul_f64(share), &expected);
            landed += u64::from(outcome != OVER);
            *outcomes.entry((stage, outcome)).or_insert(0) += 1;
        }
        println!("{kills} kills: {outcomes:?}");
    }
}
