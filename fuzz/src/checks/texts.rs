//! Text, plain and packed, and lists of files.

use std::path::Path;

use w2v_gpu::corpus::{Corpus, END, read_list};
use w2v_gpu::text::{Normalization, TextReport};
use w2v_gpu::vocab::{Rules, Vocab};

use super::{Target, put};
use crate::common::pack::PACKS;

/// What the reader hands on at a time, in bytes.
pub const CHUNK: usize = 1 << 22;

/// What the reader tells the encoding by, in bytes.
const SAMPLE: usize = 1 << 14;

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

/// The words of any bytes are those of the plain twin.
pub fn text() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let seeds = [
        "the cat\nsat é\u{a0}on\u{feff}the\u{85}mat\r\n\n 日本 \u{1b}[2J\n",
        "a",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let check = move |bytes: &[u8], choice: u8| {
        // UTF-16 has a target of its own.
        if may_be_utf16(bytes) {
            return;
        }
        let path = folder.path().join("text");
        put(&path, bytes);
        let (found, report) = match read(&path, threads(choice)) {
            Ok(read) => read,
            // What begins as an archive, or is packed, is not the text that the twin reads.
            Err(error) => return assert!(error.to_string().contains("text: "), "{error}"),
        };
        if is_packed(bytes) {
            return;
        }
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
    };
    Target::new("text", seeds, check)
}

/// Bytes that the reader unpacks.
fn is_packed(bytes: &[u8]) -> bool {
    PACKS
        .iter()
        .any(|(_, pack)| bytes.starts_with(&pack(b"a")[..3]))
        || bytes.get(1..4) == Some(b"*M\x18")
}

/// UTF-16 of any units is what its characters are in UTF-8, what is no character being a broken
/// byte.
pub fn utf16() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let text = "\u{feff}the cat\nsat é 日本 😀\u{3000}a\n";
    let encoded = [u16::to_le_bytes, u16::to_be_bytes];
    let seeds = encoded.map(|bytes| text.encode_utf16().flat_map(bytes).collect());
    let check = move |bytes: &[u8], choice: u8| {
        let order = match bytes {
            [0xff, 0xfe, ..] if !bytes.starts_with(&[0xff, 0xfe, 0, 0]) => u16::from_le_bytes,
            [0xfe, 0xff, ..] => u16::from_be_bytes,
            _ => return,
        };
        // Half a unit at the end is an oddity that the twin does not know.
        let bytes = &bytes[..bytes.len() / 2 * 2];
        let path = folder.path().join("text");
        put(&path, bytes);
        let units = bytes.as_chunks::<2>().0.iter().map(|&unit| order(unit));
        let mut text = Vec::new();
        for c in char::decode_utf16(units) {
            match c {
                Ok(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(_) => text.push(0xff),
            }
        }
        let (found, report) = match read(&path, threads(choice)) {
            Ok(read) => read,
            Err(error) => return assert!(error.to_string().contains("text: "), "{error}"),
        };
        let expected = plain(&text);
        assert!(found.words == expected.words && (report.cuts > 0 || found.ends == expected.ends));
    };
    Target::new("utf16", seeds.to_vec(), check)
}

/// Threads that read.
fn threads(choice: u8) -> usize {
    1 + usize::from(choice % 3)
}

/// A packed text that is damaged is a text or an error. The choice is the packing that its name
/// promises.
pub fn packed() -> Target {
    let text: String = (0..300)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i * i))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let seeds = PACKS.map(|(_, pack)| pack(text.as_bytes()));
    let check = move |bytes: &[u8], choice: u8| {
        let (extension, _) = PACKS[usize::from(choice) % PACKS.len()];
        let name = format!("t.{extension}");
        let path = folder.path().join(&name);
        put(&path, bytes);
        match read(&path, 2) {
            Ok((found, report)) => assert_eq!(found.words.len() as u64, report.words),
            Err(error) => assert!(error.to_string().contains(&name), "{error}"),
        }
    };
    Target::new("packed", seeds.to_vec(), check)
}

/// A list of files is paths or an error.
pub fn list() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let seeds = [
        b"a.txt\nfolder/b.txt\r\n\n/c d.txt".to_vec(),
        b"-\n".to_vec(),
    ];
    let check = move |bytes: &[u8], _: u8| {
        let path = folder.path().join("list");
        put(&path, bytes);
        if let Ok(paths) = read_list(&path) {
            let has_zero =
                |path: &std::path::PathBuf| path.as_os_str().as_encoded_bytes().contains(&0);
            assert!(!paths.iter().any(has_zero));
        }
    };
    Target::new("list", seeds.to_vec(), check)
}
