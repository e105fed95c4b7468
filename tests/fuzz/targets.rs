//! The targets, with the inputs that each is given.

use std::fs;
use std::process::{Command, Stdio};

use crate::checks::texts::CHUNK;
use crate::checks::{Target, put, readers, texts};
use crate::driver::{Draw, fuzz};

const LETTERS: &[&[u8]] = &[
    b"a",
    b"b",
    b"cat",
    b" ",
    b"\n",
    b"\t",
    b"\r",
    b"\0",
    b"\x0b",
    b"\x1b",
    b"\x7f",
    b"\xc3\xa9",
    b"\xc2\x85",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\xe3\x80\x80",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xe2\x80",
    b"\xf0\x9f",
    b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];

/// Any bytes, behind so much that has no words in it that they lie across the end of a chunk.
fn text(draw: &mut Draw) -> Vec<u8> {
    let bytes = draw.bytes(3000, LETTERS);
    if !draw.one_in(32) {
        return bytes;
    }
    let filler = *draw.pick(b"\n \tx");
    let mut text = vec![filler; CHUNK - draw.below(bytes.len() + 2)];
    text.extend(bytes);
    text
}

/// Gives a target damaged copies of its seeds, with any choice.
fn fuzz_damaged(target: Target) {
    let seeds = target.seeds.clone();
    fuzz(target, |draw| (draw.damaged(&seeds), draw.choice()));
}

/// Gives a target damaged copies of its seeds, each with its own choice, which says what file it
/// is. Pieces of the others may get into it.
fn fuzz_each(target: Target, choice: impl Fn(u8, u8) -> u8) {
    let seeds = target.seeds.clone();
    fuzz(target, |draw| {
        let number = draw.below(seeds.len());
        let bytes = draw.damaged_one(&seeds[number], &seeds);
        (bytes, choice(number as u8, draw.choice()))
    });
}

#[test]
fn words_of_any_bytes_equal_the_plain_reader() {
    fuzz(texts::text(), |draw| (text(draw), draw.choice()));
}

#[test]
fn words_of_utf16_are_those_of_its_characters() {
    let letters = [
        0x20, 0x0a, 0x61, 0xe9, 0xa0, 0x3000, 0x6771, 0xd83d, 0xde00, 0xfeff,
    ];
    let units = |draw: &mut Draw| {
        let filler = if draw.one_in(32) {
            CHUNK - draw.below(99)
        } else {
            0
        };
        let mut units = vec![0x20; filler];
        units.extend((0..draw.below(3000)).map(|_| *draw.pick(&letters)));
        let bytes = *draw.pick(&[u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes]);
        let marked = [0xfeff].into_iter().chain(units);
        (marked.flat_map(bytes).collect(), draw.choice())
    };
    fuzz(texts::utf16(), units);
}

#[test]
fn packed_text_that_is_damaged_is_text_or_an_error() {
    fuzz_each(texts::packed(), |number, _| number);
}

#[test]
fn lists_of_files_are_paths_or_an_error() {
    fuzz_damaged(texts::list());
}

#[test]
fn vectors_of_every_format_are_whole_or_an_error() {
    for extension in ["txt", "bin", "glove", "npy", "safetensors", "tsv"] {
        // The lowest three bits are the file that is damaged.
        fuzz_each(readers::vectors_named(extension), |number, any| {
            number & 7 | any & !7
        });
    }
}

#[test]
fn models_of_fasttext_are_whole_or_an_error() {
    fuzz_damaged(readers::fasttext());
}

#[test]
fn checkpoints_fit_their_run_or_are_an_error() {
    fuzz_damaged(readers::checkpoint());
}

#[test]
fn vocabularies_and_lists_of_words_are_words_or_an_error() {
    fuzz_damaged(readers::vocabulary());
}

#[test]
fn evaluation_files_give_scores_or_an_error() {
    fuzz_damaged(readers::evaluation());
}

#[test]
fn records_of_runs_make_a_page_or_an_error() {
    fuzz_damaged(readers::record());
}

#[test]
fn settings_read_as_json_are_written_as_they_are() {
    fuzz_damaged(readers::settings());
}

/// Through the binary, where the file is read: whatever it says, the run is refused, as there is no
/// folder for its output.
#[test]
fn files_of_options_are_refused_without_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    let seed = "size = 6\nlr = 0.1\nfixed-window = true\npreset = \"fasttext\"\nengine = \
                \"cpu\"\nlog-every = 1\neval-pairs = [\"a\", \"b\"]\n# comment\nseed = 12 # \
                more\n[table]\nloss = 'ns'\n";
    let seeds = vec![
        seed.as_bytes().to_vec(),
        seed.replace("[table]\n", "").into_bytes(),
    ];
    fuzz_damaged(Target::new("options", seeds, move |bytes, _| {
        put(&path, bytes);
        let mut command = Command::new(env!("CARGO_BIN_EXE_w2v-gpu"));
        command.current_dir(&folder).args([
            "train",
            "--config",
            "run.toml",
            "none.txt",
            "-o",
            "none/v.bin",
        ]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{:?} {said}",
            output.status
        );
        let raw = said.find(|c: char| c.is_control() && c != '\n');
        assert_eq!(raw.map(|at| &said[at..]), None, "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }));
}
