//! One cached corpus as bytes.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `w2v-text` |
//! | 8 | version of this format |
//! | 8 | length of the header |
//! | 8 | XXH3 of the header |
//! | 8 | XXH3 of everything before |
//! | | header: JSON, with a CRC-32C of each block of words |
//! | | the words trained on, then those held out: `u32`, block after block |
//!
//! Numbers are in the byte order of the machine. A machine of the other order reads the version as
//! another one. Before anything is used, the length of the file is compared with the length that
//! the header announces. All checksums are verified too.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::key::Key;
use crate::corpus::{Contents, END, Encoded, Index, TokenStore};
use crate::text::TextReport;
use crate::vocab::{Selection, Vocab};

const MAGIC: u64 = u64::from_ne_bytes(*b"w2v-text");

/// The version of the format. Raise it with every change of the bytes or of their meaning: how text
/// becomes words, sentences and blocks, and how a vocabulary is chosen.
const VERSION: u64 = 4;

/// Magic, version, length of the header, checksum of the header, checksum of these four numbers.
type Preamble = [u64; 5];

const DAMAGED: &str = "it is damaged";
const CUT: &str = "it is cut short";

#[derive(Serialize, Deserialize)]
struct Header {
    key: Key,
    text: TextReport,
    selection: Selection,
    /// All words, each on a line.
    words: String,
    counts: Vec<u64>,
    store: Index,
    held_out: Option<Index>,
}

impl Header {
    /// The size of the word ids behind the header, in bytes.
    fn body(&self) -> u64 {
        let held_out = self.held_out.as_ref().map_or(0, Index::tokens);
        (self.store.tokens() + held_out) * 4
    }
}

/// Writes the contents of a corpus under their key.
pub(super) fn write(key: &Key, contents: &Contents, out: &mut dyn Write) -> io::Result<()> {
    let Contents {
        vocab,
        selection,
        encoded: Encoded {
            store,
            held_out,
            report,
        },
    } = contents;
    let header = serde_json::to_vec(&Header {
        key: key.clone(),
        text: *report,
        selection: *selection,
        words: vocab.words().collect::<Vec<_>>().join("\n"),
        counts: vocab.counts().to_vec(),
        store: store.index().clone(),
        held_out: held_out.as_ref().map(|store| store.index().clone()),
    })?;
    out.write_all(bytemuck::cast_slice(&preamble(&header)))?;
    out.write_all(&header)?;
    let mut tokens = Vec::new();
    for store in std::iter::once(store).chain(held_out) {
        for block in 0..store.blocks() {
            tokens.clear();
            store
                .read_block(block, &mut tokens)
                .map_err(io::Error::other)?;
            out.write_all(bytemuck::cast_slice(&tokens))?;
        }
    }
    Ok(())
}

/// The 40 bytes in front of a header.
fn preamble(header: &[u8]) -> Preamble {
    let start = [MAGIC, VERSION, header.len() as u64, xxh3_64(header)];
    let [magic, version, length, checksum] = start;
    [
        magic,
        version,
        length,
        checksum,
        xxh3_64(bytemuck::cast_slice(&start)),
    ]
}

/// Reads the contents of a corpus. Returns `None` when there is no such file.
///
/// # Errors
/// The reason why the file is not used, such as another key.
pub(super) fn read(path: &Path, key: &Key) -> Result<Option<Contents>, String> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(unreadable)?,
    };
    let size = file.metadata().map_err(unreadable)?.len();
    let header = read_header(&mut file, size)?;
    if let Some(difference) = key.difference(&header.key) {
        return Err(difference);
    }
    let vocab = vocabulary(&header).ok_or(DAMAGED)?;
    let file = Arc::new(Mutex::new(file));
    let store = |offset, index| {
        let store = TokenStore::new(Arc::clone(&file), path, offset, index);
        verify(&store, &vocab).map(|()| store)
    };
    let start = size - header.body();
    let held_out_start = start + header.store.tokens() * 4;
    let encoded = Encoded {
        store: store(start, header.store)?,
        held_out: header
            .held_out
            .map(|index| store(held_out_start, index))
            .transpose()?,
        report: header.text,
    };
    Ok(Some(Contents {
        vocab,
        selection: header.selection,
        encoded,
    }))
}

/// Reads the header of a file of `size` bytes, and checks that this size agrees with it.
fn read_header(file: &mut File, size: u64) -> Result<Header, String> {
    let mut start: Preamble = [0; 5];
    let begin = size_of::<Preamble>() as u64;
    if size < begin {
        return Err(CUT.to_owned());
    }
    file.read_exact(bytemuck::cast_slice_mut(&mut start))
        .map_err(unreadable)?;
    let [magic, version, length, checksum, own_checksum] = start;
    if magic != MAGIC {
        return Err("it is no cached corpus".to_owned());
    }
    if version != VERSION {
        return Err("another version of w2v-gpu wrote it".to_owned());
    }
    if own_checksum != xxh3_64(bytemuck::cast_slice(&start[..4])) {
        return Err(DAMAGED.to_owned());
    }
    if length > size - begin {
        return Err(CUT.to_owned());
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes).map_err(unreadable)?;
    if checksum != xxh3_64(&bytes) {
        return Err(DAMAGED.to_owned());
    }
    let header: Header =
        serde_json::from_slice(&bytes).map_err(|error| format!("{DAMAGED}: {error}"))?;
    let is_sound = header.store.is_sound() && header.held_out.as_ref().is_none_or(Index::is_sound);
    match header.body() + begin + length {
        _ if !is_sound => Err(DAMAGED.to_owned()),
        expected if expected > size => Err(CUT.to_owned()),
        expected if expected < size => Err(DAMAGED.to_owned()),
        _ => Ok(header),
    }
}

/// Builds the vocabulary, unless the header has a fault that no checksum shows.
fn vocabulary(header: &Header) -> Option<Vocab> {
    let words: Vec<&str> = header.words.split('\n').collect();
    let vocab = Vocab::from_words(words.iter().copied().zip(header.counts.iter().copied())).ok()?;
    let add = |sum: u64, &count: &u64| sum.checked_add(count);
    (words.len() == header.counts.len() && header.counts.iter().try_fold(0, add).is_some())
        .then_some(vocab)
}

/// Reads all blocks, and checks them against their checksums and the vocabulary.
fn verify(store: &TokenStore, vocab: &Vocab) -> Result<(), String> {
    let mut tokens = Vec::new();
    for block in 0..store.blocks() {
        tokens.clear();
        store
            .read_block(block, &mut tokens)
            .map_err(|_| DAMAGED.to_owned())?;
        if tokens
            .iter()
            .any(|token| (token & !END) as usize >= vocab.len())
        {
            return Err(DAMAGED.to_owned());
        }
    }
    Ok(())
}

fn unreadable(error: io::Error) -> String {
    format!("it cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use xxhash_rust::xxh3::Xxh3;

    use super::*;
    use crate::config::Config;
    use crate::corpus::{Corpus, HeldOut};
    use crate::vocab::Rules;

    /// Text with everything that text can hold: words of any form, lines too long, bytes that are
    /// no text, in several blocks.
    fn text() -> Vec<u8> {
        let mut text =
            b"\xef\xbb\xbfA a\tb\xef\xbb\xbfb\x0bb \xff\xc3 \xc3\xa9 e\xcc\x81 \xe2\x80\xa8z\r\n\n"
                .to_vec();
        (0..60_000u32).for_each(|i| {
            text.extend(format!("w{}{}", i * i % 997, if i % 9 == 0 { '\n' } else { ' ' }).bytes())
        });
        text.extend("long ".repeat(40_000).bytes());
        text.extend([b'x'; 2000]);
        text
    }

    /// A corpus of this text, encoded, and its key.
    fn contents() -> (Key, Contents) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text()).unwrap();
        let corpus = Corpus::open(&[file.path().to_owned()]).unwrap();
        let config = Config::with(|config| config.validation.validation = Some(0.05));
        let rules = Rules::default();
        let (counts, _) = corpus.count(&rules, |_| ()).unwrap();
        let (vocab, selection) = Vocab::select(&counts, 1, None, &rules).unwrap();
        let held_out = Some(HeldOut::new(0.05, 1));
        let encoded = corpus
            .encode(&vocab, rules.normalization, held_out, None, |_| ())
            .unwrap();
        (
            Key::new(&corpus, &config, &rules).unwrap(),
            Contents {
                vocab,
                selection,
                encoded,
            },
        )
    }

    fn bytes(key: &Key, contents: &Contents) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(key, contents, &mut bytes).unwrap();
        bytes
    }

    fn read_bytes(bytes: &[u8], key: &Key) -> Result<Option<Contents>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path(), key)
    }

    fn tokens(store: &TokenStore) -> Vec<u32> {
        let mut tokens = Vec::new();
        (0..store.blocks()).for_each(|block| store.read_block(block, &mut tokens).unwrap());
        tokens
    }

    #[test]
    fn what_is_written_is_read() {
        let (key, contents) = contents();
        let read = read_bytes(&bytes(&key, &contents), &key).unwrap().unwrap();
        assert!(
            read.vocab.words().eq(contents.vocab.words())
                && read.vocab.counts() == contents.vocab.counts()
        );
        assert_eq!(
            (read.selection, read.encoded.report),
            (contents.selection, contents.encoded.report)
        );
        let stores =
            |contents: Contents| [contents.encoded.store, contents.encoded.held_out.unwrap()];
        for (now, then) in stores(read).iter().zip(&stores(contents)) {
            assert_eq!(now.index(), then.index());
            assert_eq!(tokens(now), tokens(then));
        }
        assert!(super::read(Path::new("/nowhere"), &key).unwrap().is_none());
    }

    /// A cached corpus must not be trained on once text is read in another way.
    #[test]
    fn the_version_is_that_of_how_text_is_read() {
        let (_, contents) = contents();
        let mut hash = Xxh3::new();
        contents
            .vocab
            .words()
            .for_each(|word| hash.update(format!("{word}\n").as_bytes()));
        contents
            .vocab
            .counts()
            .iter()
            .for_each(|count| hash.update(&count.to_le_bytes()));
        for store in [
            &contents.encoded.store,
            contents.encoded.held_out.as_ref().unwrap(),
        ] {
            (0..=store.blocks())
                .for_each(|block| hash.update(&store.block_start(block).to_le_bytes()));
            tokens(store)
                .iter()
                .for_each(|token| hash.update(&token.to_le_bytes()));
        }
        hash.update(format!("{:?}{:?}", contents.encoded.report, contents.selection).as_bytes());
        assert_eq!(
            (VERSION, hash.digest()),
            (4, 3_510_618_660_081_715_583),
            "text is read in another way: raise VERSION"
        );
    }

    #[test]
    fn another_version_and_other_files_are_told() {
        let (key, contents) = contents();
        let whole = bytes(&key, &contents);
        let why = |bytes: &[u8]| read_bytes(bytes, &key).unwrap_err();
        let mut other = whole.clone();
        other[8] += 1;
        assert_eq!(why(&other), "another version of w2v-gpu wrote it");
        assert_eq!(why(&[b'x'; 100]), "it is no cached corpus");
        assert_eq!(why(&whole[..39]), CUT);
        assert_eq!(why(&whole[..whole.len() - 1]), CUT);
        assert_eq!(why(&[&whole[..], b"x"].concat()), DAMAGED);
        assert_eq!(why(b""), CUT);
    }

    /// A header with true checksums may promise more than the file holds, or impossible values.
    /// Such a header is refused before anything is allocated.
    #[test]
    fn a_lying_header_is_refused() {
        let (key, contents) = contents();
        let header = |change: &dyn Fn(&mut serde_json::Value)| {
            let whole = bytes(&key, &contents);
            let length = usize::from_ne_bytes(whole[16..24].try_into().unwrap());
            let mut header = serde_json::from_slice(&whole[40..40 + length]).unwrap();
            change(&mut header);
            let header = serde_json::to_vec(&header).unwrap();
            [
                bytemuck::cast_slice(&preamble(&header)),
                &header[..],
                &whole[40 + length..],
            ]
            .concat()
        };
        read_bytes(&header(&|_| ()), &key).unwrap().unwrap();
        let refused = |change: &dyn Fn(&mut serde_json::Value)| {
            read_bytes(&header(change), &key).unwrap_err()
        };
        refused(&|header| header["store"]["starts"][1] = u64::MAX.into());
        refused(&|header| header["store"]["starts"] = vec![0u64].into());
        refused(&|header| header["held_out"] = serde_json::Value::Null);
        refused(&|header| header["words"] = "a\nb".into());
        refused(&|header| header["words"] = "".into());
        refused(&|header| header["counts"][0] = u64::MAX.into());
        refused(&|header| *header = serde_json::Value::Null);
        // There are fewer words than the text has: the ids of some are too high.
        refused(&|header| {
            (header["words"], header["counts"]) = ("a\nb".into(), vec![1u64, 1].into());
        });
        let start = [MAGIC, VERSION, u64::MAX, 0];
        let lying = [&start[..], &[xxh3_64(bytemuck::cast_slice(&start))]].concat();
        assert_eq!(
            read_bytes(bytemuck::cast_slice(&lying), &key).unwrap_err(),
            CUT
        );
    }

    #[test]
    fn damage_anywhere_is_noticed() {
        let (key, contents) = contents();
        let whole = bytes(&key, &contents);
        let config = ProptestConfig::with_cases(64);
        proptest!(config, |(at in any::<prop::sample::Index>(), near in 0usize..200, bit in 0u8..8)| {
            for at in [at.index(whole.len()), near] {
                prop_assert!(read_bytes(&whole[..at], &key).is_err());
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                prop_assert!(read_bytes(&flipped, &key).is_err());
            }
        });
    }
}
