//! Text, plain and packed, and lists of files.

use std::path::Path;

use w2v_gpu::corpus::{Corpus, END, read_list};
use w2v_gpu::text::{Normalization, TextReport};
use w2v_gpu::vocab::{Rules, Vocab};

use crate::common::pack::PACKS;
use crate::driver::{Draw, fuzz, put};

/// What the reader hands on at a time, in bytes.
const CHUNK: usize = 1 << 22;

/// What the reader tells the encoding by, in bytes.
const SAMPLE: usize = 1 << 14;

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

/// Words of a text in order, and where sentences end.
#[derive(Debug, Default, PartialEq)]
struct Words {
    words: Vec<String>,
    ends: Vec<usize>,
    long: u64,
    invalid: u64,
}

/// The plain twin of the reader and the tokenizer: character by character, line by line.
fn plain(text: &[u8]) -> Words {
    let mut found = Words::default();
    for line in text.split(|&byte| byte == b'\n') {
        let (mut word, mut raw, mut valid) = (String::new(), 0, true);
        let mut take = |word: &mut String, raw: &mut usize, valid: &mut bool| {
            found.invalid += u64::from(!*valid);
            match word.len().max(*raw) {
                0 => {}
                1..=1024 => found.words.push(word.clone()),
                _ => found.long += 1,
            }
            (*raw, *valid) = (0, true);
            word.clear();
        };
        for part in line.utf8_chunks() {
            for c in part.valid().chars() {
                if c.is_whitespace() || c.is_control() || c == '\u{feff}' {
                    take(&mut word, &mut raw, &mut valid);
                } else {
                    word.push(c);
                    raw += c.len_utf8();
                }
            }
            if !part.invalid().is_empty() {
                word.push('\u{fffd}');
                raw += part.invalid().len();
                valid = false;
            }
        }
        take(&mut word, &mut raw, &mut valid);
        if found.words.len() > found.ends.last().copied().unwrap_or(0) {
            found.ends.push(found.words.len());
        }
    }
    found
}

/// What the corpus makes of a file on some threads.
fn read(path: &Path, threads: usize) -> w2v_gpu::Result<(Words, TextReport)> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(|| {
        let corpus = Corpus::open(&[path.to_owned()])?;
        let (counts, report) = corpus.count(&Rules::default(), |_| ())?;
        let mut found = Words {
            long: report.long_words,
            invalid: report.invalid_utf8,
            ..Words::default()
        };
        let Ok(vocab) = Vocab::from_counts(&counts, 1, None) else {
            return Ok((found, report));
        };
        let encoded = corpus.encode(&vocab, Normalization::default(), None, None, |_| ())?;
        assert_eq!(encoded.report, report);
        let mut tokens = Vec::new();
        (0..encoded.store.blocks())
            .for_each(|block| encoded.store.read_block(block, &mut tokens).unwrap());
        for (at, token) in tokens.iter().enumerate() {
            found.words.push(vocab.word(token & !END).to_owned());
            if token & END != 0 {
                found.ends.push(at + 1);
            }
        }
        Ok((found, report))
    })
}

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

/// Whether bytes have a byte order mark of UTF-16, or have zeros and are hardly anything but
/// characters in one of its byte orders, as far as the reader looks.
fn may_be_utf16(bytes: &[u8]) -> bool {
    let bytes = &bytes[..bytes.len().min(SAMPLE)];
    let (units, _) = bytes.as_chunks::<2>();
    let decodes = |unit: fn([u8; 2]) -> u16| {
        let others = char::decode_utf16(units.iter().map(|&u| unit(u)))
            .filter(Result::is_err)
            .count();
        // One of them may be the first half of a character that the sample ends within.
        others <= (units.len() / 100).max(1) + 1
    };
    bytes.starts_with(&[0xff, 0xfe])
        || bytes.starts_with(&[0xfe, 0xff])
        || bytes.contains(&0) && (decodes(u16::from_le_bytes) || decodes(u16::from_be_bytes))
}

#[test]
fn words_of_any_bytes_equal_the_plain_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fuzz("text", text, |bytes, draw| {
        // UTF-16 has a target of its own.
        if may_be_utf16(bytes) {
            return;
        }
        put(&path, bytes);
        let (found, report) = match read(&path, 1 + draw.below(3)) {
            Ok(read) => read,
            // What begins as an archive is refused by design.
            Err(error) => return assert!(error.to_string().contains("archive"), "{error}"),
        };
        let expected = plain(bytes);
        assert!(
            found.words == expected.words,
            "{:?}\nis not\n{:?}",
            found.words,
            expected.words
        );
        assert_eq!(
            (report.words, found.long),
            (expected.words.len() as u64, expected.long)
        );
        // Of what is cut only the start is looked at.
        if bytes.len() < CHUNK {
            assert_eq!((report.cuts, found.invalid), (0, expected.invalid));
        }
        if report.cuts == 0 {
            assert_eq!(
                (found.ends, report.lines),
                (expected.ends.clone(), expected.ends.len() as u64)
            );
        }
    });
}

/// UTF-16 of any units is what its characters are in UTF-8, what is no character being a broken
/// byte.
#[test]
fn words_of_utf16_are_those_of_its_characters() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
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
        [0xfeff]
            .into_iter()
            .chain(units)
            .flat_map(bytes)
            .collect::<Vec<u8>>()
    };
    fuzz("utf16", units, |bytes, draw| {
        put(&path, bytes);
        let order = if bytes[0] == 0xff {
            u16::from_le_bytes
        } else {
            u16::from_be_bytes
        };
        let units = bytes.as_chunks::<2>().0.iter().map(|&unit| order(unit));
        let mut text = Vec::new();
        for c in char::decode_utf16(units) {
            match c {
                Ok(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(_) => text.push(0xff),
            }
        }
        let (found, report) = read(&path, 1 + draw.below(3)).unwrap();
        let expected = plain(&text);
        assert!(found.words == expected.words && (report.cuts > 0 || found.ends == expected.ends));
    });
}

fn packed() -> [(String, Vec<u8>); 4] {
    let text: String = (0..300)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i * i))
        .collect();
    PACKS.map(|(extension, pack)| (format!("t.{extension}"), pack(text.as_bytes())))
}

#[test]
fn packed_text_that_is_damaged_is_text_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = packed().map(|(_, bytes)| bytes);
    for (at, (name, whole)) in packed().iter().enumerate() {
        let path = folder.path().join(name);
        let others = [&seeds[at..], &seeds[..at]].concat();
        fuzz(
            name,
            |draw| draw.damaged_one(whole, &others),
            |bytes, _| {
                put(&path, bytes);
                match read(&path, 2) {
                    Ok((found, report)) => assert_eq!(found.words.len() as u64, report.words),
                    Err(error) => assert!(error.to_string().contains(name), "{error}"),
                }
            },
        );
    }
}

#[test]
fn lists_of_files_are_paths_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let seeds = [
        b"a.txt\nfolder/b.txt\r\n\n/c d.txt".to_vec(),
        b"-\n".to_vec(),
    ];
    fuzz(
        "list",
        |draw| draw.damaged(&seeds),
        |bytes, _| {
            put(&path, bytes);
            if let Ok(paths) = read_list(&path) {
                assert!(
                    paths
                        .iter()
                        .all(|path| !path.as_os_str().as_encoded_bytes().contains(&0))
                );
            }
        },
    );
}
