//! Text as it comes: packed, in folders, in lists, through pipes; and what it is counted as.

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use proptest::prelude::*;
use w2v_gpu::corpus::Corpus;
use w2v_gpu::text::Normalization;
use w2v_gpu::vocab::{Rules, Vocab};

use common::Dir;
use common::pack::{PACKS, gzip, zstd};

/// A text whose words come often enough.
fn text() -> String {
    (0..600)
        .map(|i| format!("the cat {} sat on the mat é{}\n", i % 7, i % 5))
        .collect()
}

/// `train ARGS -o OUT` on the CPU, quick.
fn train(dir: &Dir, out: &str, args: &[&str]) -> Command {
    dir.train(&[&["-o", out, "--threads", "2"], args].concat())
}

fn open(dir: &Dir, names: &[&str]) -> w2v_gpu::Result<Corpus> {
    let paths: Vec<PathBuf> = names.iter().map(|name| dir.path(name)).collect();
    Corpus::open(&paths)
}

/// Words with their counts, and all tokens.
type Taken = (Vec<(String, u64)>, Vec<u32>);

fn taken(corpus: &Corpus) -> w2v_gpu::Result<Taken> {
    let (counts, _) = corpus.count(&Rules::default(), |_| ())?;
    let vocab = Vocab::from_counts(&counts, 1, None)?;
    let store = corpus
        .encode(&vocab, Normalization::default(), None, None, |_| ())?
        .store;
    let mut tokens = Vec::new();
    (0..store.blocks()).for_each(|block| store.read_block(block, &mut tokens).unwrap());
    Ok((
        vocab
            .words()
            .map(str::to_owned)
            .zip(vocab.counts().iter().copied())
            .collect(),
        tokens,
    ))
}

#[test]
fn packed_text_has_the_same_words() {
    let text = text();
    let plain = Dir::with_files(&[("text.txt", text.as_bytes())]);
    let expected = taken(&open(&plain, &["text.txt"]).unwrap()).unwrap();
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    for (extension, pack) in PACKS {
        let named = format!("text.{extension}");
        // In one piece under its name and another, and as two that were joined.
        let joined = [pack(first), pack(second)].concat();
        let packed = Dir::with_files(&[
            (&named, &pack(text.as_bytes())),
            ("text.txt", &pack(text.as_bytes())),
            ("joined", &joined),
        ]);
        for name in [&named, "text.txt", "joined"] {
            assert_eq!(
                taken(&open(&packed, &[name]).unwrap()).unwrap(),
                expected,
                "{extension} {name}"
            );
        }
    }
}

/// Tapes and some downloads fill the last block of a file with zeros.
#[test]
fn zeros_behind_packed_text_are_padding() {
    let text = text();
    let plain = Dir::with_files(&[("text.txt", text.as_bytes())]);
    let expected = taken(&open(&plain, &["text.txt"]).unwrap()).unwrap();
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    for (extension, pack) in PACKS {
        // Padding of xz is a multiple of 4 bytes.
        for zeros in [4, 1000, 600_000] {
            let padding = vec![0; zeros];
            let name = format!("text.{extension}");
            let bytes = [pack(first), padding.clone(), pack(second), padding].concat();
            let packed = Dir::with_files(&[(&name, &bytes)]);
            let found = taken(&open(&packed, &[&name]).unwrap()).unwrap();
            assert_eq!(found, expected, "{name} {zeros}");
        }
    }
}

#[test]
fn stray_bytes_behind_packed_text_are_refused_as_what_they_are() {
    for (extension, pack) in PACKS {
        for stray in [&b"x"[..], b"xyz\n", &[b'x'; 1000], b"\0\0\0\0x"] {
            let name = format!("text.{extension}");
            let bytes = [&pack(text().as_bytes()), stray].concat();
            let dir = Dir::with_files(&[(&name, &bytes)]);
            train(&dir, "v.bin", &[&name])
                .assert()
                .code(1)
                .stderr(contains(&name).and(contains("cut short").not()))
                .stderr(contains("stand bytes of another kind").or(contains("invalid data after")));
            assert_eq!(dir.names(), [name]);
        }
    }
}

#[test]
fn packed_text_trains_to_the_same_vectors() {
    let text = text();
    let packed: Vec<(String, Vec<u8>)> = PACKS
        .iter()
        .map(|(extension, pack)| (format!("text.{extension}"), pack(text.as_bytes())))
        .collect();
    let mut files: Vec<(&str, &[u8])> = packed
        .iter()
        .map(|(name, bytes)| (&**name, &**bytes))
        .collect();
    files.push(("text.txt", text.as_bytes()));
    let dir = Dir::with_files(&files);
    train(&dir, "plain.bin", &["text.txt"]).assert().success();
    for (name, bytes) in &packed {
        train(&dir, "v.bin", &[name]).assert().success();
        assert_eq!(dir.bytes("v.bin"), dir.bytes("plain.bin"), "{name}");
        train(&dir, "v.bin", &["-"])
            .write_stdin(bytes.clone())
            .assert()
            .success();
        assert_eq!(
            dir.bytes("v.bin"),
            dir.bytes("plain.bin"),
            "{name} through a pipe"
        );
    }
}

#[test]
fn folder_is_read_in_order_of_paths() {
    let dir = Dir::with_files(&[
        ("in/b.txt", b"three"),
        ("in/a/z.txt", b"\xef\xbb\xbftwo"),
        ("in/a.txt.gz", &gzip(b"one\n")),
        ("in/.hidden.txt", b"never"),
        ("in/.git/config", b"never"),
    ]);
    let corpus = open(&dir, &["in"]).unwrap();
    // `.` comes before `/`.
    let words = |corpus| {
        taken(corpus)
            .unwrap()
            .1
            .iter()
            .map(|token| token & !w2v_gpu::corpus::END)
            .collect::<Vec<_>>()
    };
    let names: Vec<_> = corpus
        .files()
        .map(|path| path.strip_prefix(dir.root()).unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        ["in/a.txt.gz", "in/a/z.txt", "in/b.txt"].map(PathBuf::from)
    );
    assert_eq!(
        words(&corpus),
        words(&open(&dir, &["in/a.txt.gz", "in/a/z.txt", "in/b.txt"]).unwrap())
    );
    assert_eq!(corpus.hidden().len(), 2);
    dir.file("in/text", text());
    train(&dir, "v.txt", &["in"])
        .assert()
        .success()
        .stderr(contains("left out: 2 (in/.git, in/.hidden.txt)"));
    train(&dir, "in/b.txt", &["in"])
        .assert()
        .code(2)
        .stderr(contains("is a file of the corpus"));
    assert_eq!(dir.bytes("in/b.txt"), b"three");
}

#[test]
fn files_from_reads_a_list() {
    let text = text();
    let (first, second) = text.split_at(text.len() / 2);
    let dir = Dir::with_files(&[
        ("all.txt", text.as_bytes()),
        ("first.txt", first.as_bytes()),
        ("second.gz", &gzip(second.as_bytes())),
        ("list", b"first.txt\r\n\nsecond.gz"),
        ("rest", b"second.gz\n"),
    ]);
    // Neither half ends within a line of its own, so the lines of both are not those of the whole.
    train(&dir, "all.bin", &["first.txt", "second.gz"])
        .assert()
        .success();
    train(&dir, "v.bin", &["--files-from", "list"])
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("all.bin"));
    train(&dir, "v.bin", &["first.txt", "--files-from", "rest"])
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("all.bin"));
    train(&dir, "v.bin", &["--files-from", "-"])
        .write_stdin("first.txt\nsecond.gz\n")
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("all.bin"));
}

/// Text as Windows programs write it: with byte order marks, joined with others, in UTF-16, packed,
/// through a pipe.
#[test]
fn byte_order_marks_and_utf16_are_read_in_texts() {
    let text = text();
    let (first, second) = text.split_at(text.match_indices('\n').nth(300).unwrap().0 + 1);
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let marked = |text: &str| format!("\u{feff}{text}");
    let files = [
        marked(&text).into_bytes(),
        (marked(first) + &marked(second)).into_bytes(),
        // The first of the two had no end of its last line.
        (first.trim_end().to_owned() + "\u{feff}\n\u{feff}" + second).into_bytes(),
        utf16(&marked(&text), u16::to_le_bytes),
        utf16(&(marked(first) + &marked(second)), u16::to_be_bytes),
        utf16(&text, u16::to_le_bytes),
        utf16(&text.replace('\n', "\r\n"), u16::to_be_bytes),
        gzip(&utf16(&marked(&text), u16::to_le_bytes)),
    ];
    let plain = Dir::with_files(&[("t", text.as_bytes())]);
    let expected = taken(&open(&plain, &["t"]).unwrap()).unwrap();
    for (number, bytes) in files.iter().enumerate() {
        let dir = Dir::with_files(&[("t", bytes)]);
        let found = taken(&open(&dir, &["t"]).unwrap()).unwrap();
        assert_eq!(found.0, expected.0, "{number}");
        assert!(found.1 == expected.1, "{number}");
    }
    let dir = Dir::with_files(&[("t", text.as_bytes()), ("utf16", &files[5])]);
    train(&dir, "plain.bin", &["t"]).assert().success();
    train(&dir, "v.bin", &["-"])
        .write_stdin(files[3].clone())
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("plain.bin"));
    let report = |name: &str| {
        let output = dir
            .w2v(&["vocab", name, "-o", "words", "--json"])
            .output()
            .unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["text"].clone()
    };
    let (words, bytes) = (report("t")["words"].clone(), files[5].len());
    assert_eq!(
        (&report("utf16")["words"], &report("utf16")["bytes"]),
        (&words, &bytes.into())
    );
}

/// What is no character in UTF-16 is counted as broken bytes are; UTF-32 is refused with what
/// converts it.
#[test]
fn broken_utf16_is_counted_and_utf32_refused() {
    let mut broken: Vec<u8> = "\u{feff}a b\n"
        .repeat(6)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    broken.extend([0x3d, 0xd8, b'b', 0, b'a']);
    let utf32: Vec<u8> = text()
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    let dir = Dir::with_files(&[("broken", &broken), ("utf32", &utf32)]);
    dir.w2v(&["vocab", "broken", "-o", "-", "--min-count", "1"])
        .assert()
        .success()
        .stdout("a 6\nb 6\n\u{fffd}b\u{fffd} 1\n")
        .stderr(contains("1 word with bytes that are not UTF-8"));
    let refused =
        contains("utf32: UTF-32 text is not read; convert it with `iconv -f UTF-32 -t UTF-8");
    train(&dir, "v.bin", &["utf32"])
        .assert()
        .code(1)
        .stderr(refused);
}

/// Lists of words and of files, vocabularies and options with byte order marks, joined, and in
/// UTF-16.
#[test]
fn byte_order_marks_and_utf16_are_read_in_lists() {
    let lists = [
        ("files", "t\r\nmore\r\n"),
        ("keep", "zebra\r\nmat\r\n"),
        ("stop", "the\r\non\r\n"),
        ("vocabulary", "the 1200\r\ncat 600\r\nmat 600\r\n"),
        ("config.toml", "dim = 8\r\nmin-count = 3\r\n"),
    ];
    let dir = Dir::with_files(&[
        ("t", text().as_bytes()),
        ("more", b"the cat\nzebra the zebra\n".as_slice()),
    ]);
    let made = || {
        let words = [
            "--keep-words",
            "keep",
            "--stop-words",
            "stop",
            "--config",
            "config.toml",
        ];
        train(
            &dir,
            "a.txt",
            &[&["--files-from", "files", "-q"], &words[..]].concat(),
        )
        .assert()
        .success()
        .stderr("");
        train(&dir, "b.txt", &["t", "--vocab", "vocabulary", "--strict"])
            .assert()
            .success();
        [dir.bytes("a.txt"), dir.bytes("b.txt")]
    };
    let write = |change: fn(&str) -> Vec<u8>| {
        lists
            .iter()
            .for_each(|(name, text)| dir.file(name, change(text)));
    };
    write(|text| text.as_bytes().to_vec());
    let expected = made();
    write(|text| format!("\u{feff}{text}").into_bytes());
    assert_eq!(made(), expected);
    write(|text| {
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect()
    });
    assert_eq!(made(), expected);
    // One file after another, each with its mark.
    lists[..4].iter().for_each(|(name, text)| {
        let marked: String = text
            .split_inclusive('\n')
            .map(|line| format!("\u{feff}{line}"))
            .collect();
        dir.file(name, marked);
    });
    assert_eq!(made(), expected);
}

#[cfg(unix)]
#[test]
fn named_pipe_is_read_once() {
    let dir = Dir::with_files(&[("text.txt", text().as_bytes())]);
    train(&dir, "plain.bin", &["text.txt"]).assert().success();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(dir.path("pipe"))
            .status()
            .unwrap()
            .success()
    );
    let pipe = dir.path("pipe");
    let writer = std::thread::spawn(move || fs::write(pipe, text()).unwrap());
    train(&dir, "v.bin", &["pipe"]).assert().success();
    writer.join().unwrap();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("plain.bin"));
}

/// The pipe is opened once the file before it was read, which is then changed before the text is
/// read again.
#[cfg(unix)]
#[test]
fn file_changed_between_passes_is_an_error() {
    type Change = fn(&Path, &str);
    let longer = text() + "the cat\n";
    let changes: [(Change, &str); 3] = [
        (
            |file, longer| fs::write(file, longer).unwrap(),
            "bytes, and now has",
        ),
        (|file, _| fs::write(file, "").unwrap(), "and now has 0"),
        (
            |file, longer| {
                fs::write(file.with_extension("new"), longer).unwrap();
                fs::rename(file.with_extension("new"), file).unwrap();
            },
            "bytes, and now has",
        ),
    ];
    for (change, why) in changes {
        let dir = Dir::with_files(&[
            ("a.txt", text().as_bytes()),
            ("text.txt", text().as_bytes()),
        ]);
        let [file, pipe] = ["text.txt", "pipe"].map(|name| dir.path(name));
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let longer = longer.clone();
        let writer = std::thread::spawn(move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(pipe).unwrap();
            change(&file, &longer);
            pipe.write_all(text().as_bytes()).unwrap();
        });
        let named =
            contains("error: text.txt: changed while it was read: it had").and(contains(why));
        train(&dir, "v.bin", &["a.txt", "text.txt", "pipe"])
            .assert()
            .code(1)
            .stderr(named);
        writer.join().unwrap();
        assert_eq!(dir.names().len(), 3);
    }
}

#[test]
fn files_that_are_no_text_are_refused_by_name() {
    let mut tar = vec![b'x'; 600];
    tar[257..262].copy_from_slice(b"ustar");
    // The last bytes are a checksum and the length.
    let mut broken = gzip(text().as_bytes());
    let checksum = broken.len() - 8;
    broken[checksum] ^= 1;
    let dir = Dir::with_files(&[
        ("text.txt", text().as_bytes()),
        ("plain.gz", text().as_bytes()),
        ("empty.zst", b""),
        ("zip.txt", b"PK\x03\x04abc"),
        ("tar.tgz", &gzip(&tar)),
        ("short.txt", &gzip(text().as_bytes())[..300]),
        ("broken.gz", &broken),
        ("hollow/.hidden", b"never"),
        ("list", b"text.txt\nmissing.txt\n"),
        ("zero", b"text.txt\nte\0xt\n"),
        ("blank", b"\n\n"),
    ]);
    let refused: [(&[&str], i32, &str); 16] = [
        (&["plain.gz"], 1, "plain.gz: is named as a gzip file"),
        (&["empty.zst"], 1, "empty.zst: is named as a zstd file"),
        (&["zip.txt"], 1, "zip.txt: is a zip archive"),
        (&["tar.tgz"], 1, "tar.tgz: holds a tar archive"),
        (
            &["short.txt"],
            1,
            "short.txt: is cut short: its gzip data ends at byte 300",
        ),
        (
            &["broken.gz"],
            1,
            "broken.gz: holds broken gzip data before byte",
        ),
        (&["hollow"], 1, "hollow: is a folder without any files"),
        (&["none.txt"], 1, "cannot open none.txt"),
        (&["--files-from", "list"], 1, "cannot open missing.txt"),
        (
            &["--files-from", "zero"],
            1,
            "zero: line 2: holds a zero byte",
        ),
        (&["--files-from", "blank"], 1, "blank: names no files"),
        (&["--files-from", "none"], 1, "cannot read none"),
        (&["--files-from", "-"], 1, "-: names no files"),
        (&["-", "-"], 1, "-: is no file and named twice"),
        (&["-", "--files-from", "-"], 2, "--files-from -"),
        (&[], 2, "<CORPUS>"),
    ];
    for (args, code, message) in refused {
        let message = contains(message).and(contains("panicked").not());
        train(&dir, "v.bin", args)
            .assert()
            .code(code)
            .stdout("")
            .stderr(message);
        assert!(!dir.has("v.bin"));
    }
    train(&dir, "v.bin", &["-"])
        .write_stdin(&gzip(text().as_bytes())[..300])
        .assert()
        .code(1)
        .stderr(contains("-: is cut short: its gzip data ends at byte 300"));
}

/// A word is not split and no line joined where a chunk of a packed file ends.
#[test]
fn text_longer_than_a_chunk_is_packed_and_unpacked() {
    let mut text: String = (0..700_000)
        .map(|i| format!("w{} {}\n", i % 1000, i % 3))
        .collect();
    text.push_str(&"x ".repeat(5 << 20));
    let (plain, packed) = (
        Dir::with_files(&[("t", text.as_bytes())]),
        Dir::with_files(&[("t", &zstd(text.as_bytes()))]),
    );
    assert!(
        taken(&open(&plain, &["t"]).unwrap()).unwrap()
            == taken(&open(&packed, &["t"]).unwrap()).unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Wherever a packed file is cut, that is an error, and never a shorter text.
    #[test]
    fn truncated_packed_file_is_an_error(which in 0usize..4, place in 0.0..1.0, lines in 1usize..2000) {
        let text: String = (0..lines).map(|i| format!("line {} {i}\n", i * i)).collect();
        let (extension, pack) = PACKS[which];
        let packed = pack(text.as_bytes());
        let name = format!("t.{extension}");
        let dir = Dir::with_files(&[(&name, &packed[..(packed.len() as f64 * place) as usize])]);
        let refused = open(&dir, &[&name]).and_then(|corpus| corpus.count(&Rules::default(), |_| ()));
        prop_assert!(refused.is_err_and(|error| error.to_string().contains(&name)));
    }

    /// A byte that changed is an error, or changes nothing.
    #[test]
    fn damaged_packed_file_is_an_error_or_the_same_text(which in 0usize..4, place in 0.0..1.0, change in 1u8..) {
        let (extension, pack) = PACKS[which];
        let text = text();
        let mut packed = pack(text.as_bytes());
        let at = (packed.len() as f64 * place) as usize;
        packed[at] ^= change;
        let name = format!("t.{extension}");
        let (plain, broken) = (Dir::with_files(&[("t", text.as_bytes())]), Dir::with_files(&[(&name, &packed)]));
        if let Ok(corpus) = open(&broken, &[&name]) && let Ok(found) = taken(&corpus) {
            prop_assert_eq!(found, taken(&open(&plain, &["t"]).unwrap()).unwrap());
        }
    }
}

#[test]
fn corpus_keeps_its_paths_as_given() {
    let dir = Dir::with_files(&[("a b.txt", text().as_bytes())]);
    let corpus = open(&dir, &["a b.txt"]).unwrap();
    assert_eq!(
        corpus.files().collect::<Vec<&Path>>(),
        [dir.path("a b.txt")]
    );
    assert_eq!(corpus.bytes(), text().len() as u64);
}

/// What `vocab ARGS` writes to standard output.
fn vocab(dir: &Dir, args: &[&str]) -> String {
    let output = dir.w2v(&["vocab", "-o", "-"]).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn vocab_writes_words_by_falling_count_and_then_bytewise() {
    let dir = Dir::with_files(&[
        ("t", "b a é b\nc a Z b é".as_bytes()),
        ("packed", &zstd("b a é b\nc a Z b é".as_bytes())),
    ]);
    assert_eq!(
        vocab(&dir, &["t", "--min-count", "1"]),
        "b 3\na 2\né 2\nZ 1\nc 1\n"
    );
    assert_eq!(vocab(&dir, &["t", "--min-count", "2"]), "b 3\na 2\né 2\n");
    assert_eq!(
        vocab(&dir, &["t", "--min-count", "1", "--max-vocab", "2"]),
        "b 3\na 2\n"
    );
    assert_eq!(
        vocab(&dir, &["t", "packed", "--min-count", "3", "--threads", "1"]),
        "b 6\na 4\né 4\n"
    );
    let summary = dir
        .w2v(&["vocab", "t", "-o", "words", "--json", "--min-count", "2"])
        .output()
        .unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&summary.stdout).unwrap();
    assert_eq!(
        (&summary["text"]["words"], &summary["vocabulary"]),
        (&9.into(), &3.into())
    );
    assert_eq!(
        (
            &summary["selection"]["different"],
            &summary["selection"]["tokens"]
        ),
        (&5.into(), &7.into())
    );
    assert_eq!(dir.bytes("words"), "b 3\na 2\né 2\n".as_bytes());
    dir.w2v(&["vocab", "-", "-o", "-", "--min-count", "3"])
        .write_stdin("a a b a")
        .assert()
        .success()
        .stdout("a 3\n")
        .stderr(contains(
            "4 words in 1 line; written: 1 of 2 different words, 3 occurrences",
        ));
}

#[test]
fn vocabulary_file_trains_like_a_counted_one() {
    let dir = Dir::with_files(&[
        ("t", text().as_bytes()),
        ("more", b"the cat\nzebra the zebra\n".as_slice()),
    ]);
    train(&dir, "counted.bin", &["t", "--save-vocab", "saved"])
        .assert()
        .success();
    assert_eq!(dir.bytes("saved"), vocab(&dir, &["t"]).as_bytes());
    train(&dir, "v.bin", &["t", "--vocab", "saved"])
        .assert()
        .success()
        .stderr(contains("add up to").not());
    assert_eq!(dir.bytes("v.bin"), dir.bytes("counted.bin"));
    // The text is read once, so nothing of a pipe is kept.
    let mut piped = train(&dir, "v.bin", &["-", "--vocab", "saved"]);
    piped
        .write_stdin(text())
        .env("TMPDIR", dir.root())
        .assert()
        .success();
    assert_eq!(dir.bytes("v.bin"), dir.bytes("counted.bin"));
    train(&dir, "v.txt", &["t", "more", "--vocab", "saved"])
        .assert()
        .success()
        .stderr(contains(
            "the counts of --vocab add up to 4,800, and this text has 4,803 of these words",
        ));
    train(
        &dir,
        "v.txt",
        &["t", "--vocab", "saved", "--max-vocab", "3"],
    )
    .assert()
    .success();
    assert!(dir.bytes("v.txt").starts_with(b"3 8\nthe "));
    dir.file("other", "x 3\ny 2\nx 1\n");
    let refused = |args: &[&str], code, message: &str| {
        train(&dir, "none.txt", &[&["t"], args].concat())
            .assert()
            .code(code)
            .stderr(contains(message));
        assert!(!dir.has("none.txt"));
    };
    train(&dir, "v.txt", &["t", "--vocab", "other"]).assert().code(1).stderr(contains(
        "other: 1 of 3 lines are mended or left out, the first being line 3: the word \"x\" stands \
         in an earlier line",
    ));
    refused(
        &["--vocab", "other", "--strict"],
        1,
        "other: line 3: the word \"x\" stands in an earlier line",
    );
    dir.file("other", "x 9\ny 8\n");
    refused(
        &["--vocab", "other"],
        1,
        "no word of the vocabulary occurs in the corpus",
    );
    refused(&["--vocab", "missing"], 1, "missing");
    refused(
        &["--vocab", "saved", "--vocab-memory", "1G"],
        2,
        "--vocab-memory",
    );
    refused(&["--save-vocab", "none.txt"], 2, "--output");
    refused(&["--save-vocab", "t"], 2, "is a file of the corpus");
    refused(
        &["--vocab", "saved", "--save-vocab", "saved"],
        2,
        "--save-vocab saved: is a file of the corpus, or a list",
    );
}

/// fastText's `dump dict`: the row of the ends of lines goes, and the columns are told.
#[test]
fn vocabulary_file_of_another_tool_is_read() {
    let dump = "4\nthe 1200 word\n</s> 600 word\ncat 600 word\nmat 600 word\n";
    let dir = Dir::with_files(&[
        ("t", text().as_bytes()),
        ("ours", b"the 1200\ncat 600\nmat 600\n"),
        ("theirs", dump.as_bytes()),
    ]);
    train(&dir, "ours.bin", &["t", "--vocab", "ours"])
        .assert()
        .success()
        .stderr(contains("ours: ").not());
    let told = contains(
        "theirs: of 3 columns, number 1 is taken for the words and 2 for their counts",
    )
    .and(contains(
        "theirs: 1 of 5 lines are mended or left out, the first being line 3: </s> stands for",
    ));
    train(&dir, "v.bin", &["t", "--vocab", "theirs"])
        .assert()
        .success()
        .stderr(told);
    assert_eq!(dir.bytes("v.bin"), dir.bytes("ours.bin"));
    let refused = contains("theirs: line 1: expected a word, a space and its count");
    train(&dir, "v.bin", &["t", "--vocab", "theirs", "--strict"])
        .assert()
        .code(1)
        .stderr(refused);
}

#[test]
fn keep_and_stop_lists_are_applied() {
    let dir = Dir::with_files(&[
        ("t", b"a a a b b c d\nA a b".as_slice()),
        ("keep", b"d\n\nnever\n"),
        ("stop", b"B\r\nabsent\n"),
        ("both", b"b\nd\n"),
        ("two", b"a\nb c\n"),
    ]);
    let list = ["t", "--min-count", "2", "--keep-words", "keep"];
    assert_eq!(vocab(&dir, &list), "a 4\nb 3\nd 1\n");
    assert_eq!(
        vocab(&dir, &[&list[..], &["--max-vocab", "2"]].concat()),
        "a 4\nd 1\n"
    );
    let lower = [&list[..], &["--lowercase", "--stop-words", "stop"]].concat();
    assert_eq!(vocab(&dir, &lower), "a 5\nd 1\n");
    dir.w2v(&["vocab", "-o", "-"]).args(&lower).assert().stderr(
        contains("1 stop word left out, with 3 occurrences")
            .and(contains("1 word of --keep-words not in the text")),
    );
    for (list, code, message) in [
        (
            ["--stop-words", "both"],
            2,
            "--stop-words both: the word \"d\" is also in --keep-words",
        ),
        (["--stop-words", "two"], 1, "two: line 2: expected one word"),
        (["--max-vocab", "0"], 2, "--max-vocab 0"),
        (["--vocab-memory", "1k"], 2, "--vocab-memory 1000"),
        (["--vocab-memory", "much"], 2, "--vocab-memory"),
        (
            ["-o", "keep"],
            2,
            "-o/--output keep: is a file of the corpus, or a list",
        ),
        (["--min-count", "9"], 0, ""),
    ] {
        let mut command = dir.w2v(&["vocab", "-o", "-", "t", "--keep-words", "keep"]);
        command
            .args(list)
            .assert()
            .code(code)
            .stderr(contains(message));
    }
    dir.file("both", "a\nb\n");
    let mut command = dir.w2v(&[
        "vocab",
        "-o",
        "-",
        "t",
        "--keep-words",
        "both",
        "--max-vocab",
        "1",
    ]);
    command
        .assert()
        .code(2)
        .stderr(contains("--max-vocab 1: --keep-words keeps 2 words"));
}

#[test]
fn words_are_lowercased_and_normalized_as_asked() {
    let dir = Dir::with_files(&[(
        "t",
        "Été été E\u{301}te\u{301} ÉTÉ e\u{301}te\u{301}".as_bytes(),
    )]);
    let one = |more: &[&str]| vocab(&dir, &[&["t", "--min-count", "1"], more].concat());
    assert_eq!(one(&[]).lines().count(), 5);
    assert_eq!(
        one(&["--lowercase"]),
        "e\u{301}te\u{301} 2\nété 3\n"
            .lines()
            .rev()
            .map(|l| format!("{l}\n"))
            .collect::<String>()
    );
    assert_eq!(one(&["--nfc"]), "Été 2\nété 2\nÉTÉ 1\n");
    assert_eq!(one(&["--nfc", "--lowercase"]), "été 5\n");
    let args = [
        "t",
        "--nfc",
        "--lowercase",
        "--min-count",
        "1",
        "--keep-words",
        "keep",
    ];
    dir.file("keep", "E\u{301}TE\u{301}");
    assert_eq!(vocab(&dir, &args), "été 5\n");
    dir.file("t", "Été x\nété X\n".repeat(9));
    train(&dir, "v.txt", &["t", "--lowercase"])
        .assert()
        .success();
    assert!(dir.bytes("v.txt").starts_with(b"2 8\nx "));
}

/// Limited memory: the same words for any number of threads, no count too high or too low by more
/// than is said, and the frequent ones all there.
#[test]
fn lossy_counts_stay_within_the_told_error() {
    // 12 MB, so three chunks: words of falling frequency, and at the end of each line one that
    // comes once.
    let text: String = (0u64..600_000)
        .map(|i| format!("w{} w{} {i}\n", i % 97, i * i % 1009))
        .collect();
    let dir = Dir::with_files(&[("t", text.as_bytes())]);
    let counts = |text: &str| -> std::collections::HashMap<String, u64> {
        let word = |line: &str| {
            line.split_once(' ')
                .map(|(word, count)| (word.to_owned(), count.parse().unwrap()))
        };
        text.lines().filter_map(word).collect()
    };
    let exact = counts(&vocab(&dir, &["t", "--min-count", "1"]));
    let limited = |threads: &str, memory: &str| {
        let args = [
            "t",
            "-o",
            "out",
            "--min-count",
            "20",
            "--vocab-memory",
            memory,
            "--json",
            "--threads",
            threads,
        ];
        let output = dir.w2v(&["vocab"]).args(args).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let bound = report["selection"]["undercount"].as_u64().unwrap();
        (
            String::from_utf8(dir.bytes("out")).unwrap(),
            bound,
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (one, bound, stderr) = limited("1", "1M");
    assert!(
        bound > 0 && bound < 20 && stderr.contains("counts may be low, each by at most"),
        "{bound} {stderr}"
    );
    assert_eq!(limited("3", "1M").0, one);
    let found = counts(&one);
    for (word, &count) in &exact {
        let low = found.get(word).copied().unwrap_or(0);
        assert!(
            low <= count && (count <= low + bound || count < 20 + bound),
            "{word} {low} {count}"
        );
    }
    assert!(found.len() >= 97);
    let (whole, bound, _) = limited("2", "1G");
    assert_eq!(
        (bound, counts(&whole).values().sum::<u64>()),
        (0, exact.values().filter(|count| **count >= 20).sum())
    );
    let mut command = dir.w2v(&[
        "vocab",
        "t",
        "-o",
        "-",
        "--min-count",
        "1",
        "--vocab-memory",
        "1M",
        "-q",
    ]);
    command
        .assert()
        .success()
        .stderr(predicate::str::starts_with("warning: counts may be low by"));
    train(
        &dir,
        "v.bin",
        &["t", "--vocab-memory", "1M", "--min-count", "20"],
    )
    .assert()
    .success();
}
