//! Compressed files, told by their first bytes and unpacked while they are read.

use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

/// Bytes that tell what a file is.
pub(crate) const HEAD_BYTES: usize = 16;

/// A decoder is granted as much memory as the largest windows in use need: `zstd --long=31` takes 2
/// GB.
const MAX_WINDOW_LOG: u32 = 31;

/// What some editors put before a text of UTF-8.
pub(crate) const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A kind of compression.
pub(crate) struct Packing {
    pub(crate) name: &'static str,
    /// Extensions that promise it.
    extensions: &'static [&'static str],
    begins: fn(&[u8]) -> bool,
    decoder: fn(Raw) -> io::Result<Text>,
}

/// Bytes as they lie on disk.
type Raw = Box<dyn BufRead + Send>;

/// Bytes of text.
type Text = Box<dyn Read + Send>;

/// Each decodes files that were joined, which is how tools that pack in parallel write.
static PACKINGS: [Packing; 4] = [
    Packing {
        name: "gzip",
        extensions: &["gz", "tgz"],
        begins: |head| head.starts_with(&[0x1f, 0x8b]),
        decoder: |raw| Ok(Box::new(flate2::bufread::MultiGzDecoder::new(raw))),
    },
    Packing {
        name: "zstd",
        extensions: &["zst", "zstd"],
        // A frame, or what pzstd puts before one: a frame to be skipped.
        begins: |head| {
            head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
                || head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18]
        },
        decoder: |raw| {
            let mut decoder = zstd::Decoder::with_buffer(raw)?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Ok(Box::new(decoder))
        },
    },
    Packing {
        name: "bzip2",
        extensions: &["bz2"],
        // The letters alone could begin a text; the block, or the end of an empty file, that
        // follows could not.
        begins: |head| {
            let block = [
                [0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
                [0x17, 0x72, 0x45, 0x38, 0x50, 0x90],
            ];
            head.starts_with(b"BZh")
                && head.len() >= 10
                && block.iter().any(|block| head[4..10] == *block)
        },
        decoder: |raw| Ok(Box::new(bzip2::bufread::MultiBzDecoder::new(raw))),
    },
    Packing {
        name: "xz",
        extensions: &["xz"],
        begins: |head| head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]),
        decoder: |raw| {
            Ok(Box::new(lzma_rust2::XzReader::new_mem_limit(
                raw,
                true,
                1 << (MAX_WINDOW_LOG - 10),
            )))
        },
    },
];

/// First bytes of what cannot be unpacked here, and would otherwise be trained on as if it were
/// words.
const REFUSED: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a zip archive"),
    (&[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c], "a 7z archive"),
    (&[0x04, 0x22, 0x4d, 0x18], "compressed by lz4"),
    (&[0x1f, 0x9d], "compressed by compress"),
];

impl Packing {
    /// What a file is by its first bytes, of which there are [`HEAD_BYTES`] unless it is shorter;
    /// none is plain text.
    ///
    /// # Errors
    /// In words, when it cannot be read or is not what its name promises.
    pub(crate) fn of(path: &Path, head: &[u8]) -> Result<Option<&'static Self>, String> {
        if let Some((_, what)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Err(format!(
                "is {what}; unpack it, or pack it with zstd, gzip, bzip2 or xz"
            ));
        }
        let found = PACKINGS.iter().find(|packing| (packing.begins)(head));
        let extension = path
            .extension()
            .and_then(OsStr::to_str)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let promised = PACKINGS
            .iter()
            .find(|packing| packing.extensions.contains(&&*extension));
        match (found, promised) {
            (None, Some(promised)) => Err(format!(
                "is named as a {} file and does not begin as one; fetch it again, or take \
                 .{extension} off its name if it is not packed",
                promised.name
            )),
            _ => Ok(found),
        }
    }

    /// What a file is that is no plain text, by its first bytes.
    pub(crate) fn named(head: &[u8]) -> Option<&'static str> {
        let packed = PACKINGS
            .iter()
            .find(|packing| (packing.begins)(head))
            .map(|packing| packing.name);
        packed.or_else(|| {
            REFUSED
                .iter()
                .find(|(magic, _)| head.starts_with(magic))
                .map(|&(_, what)| what)
        })
    }

    /// A reader of what was packed.
    pub(crate) fn decoder(&self, raw: Raw) -> io::Result<Text> {
        (self.decoder)(raw)
    }
}

/// Extensions of archives, which are refused by their first bytes.
const ARCHIVES: [&str; 4] = ["zip", "7z", "lz4", "z"];

/// The path without the extension of a packed file or an archive, where it ends in one.
pub(crate) fn without_packing(path: &Path) -> Option<PathBuf> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let is_packed = PACKINGS
        .iter()
        .flat_map(|packing| packing.extensions)
        .chain(&ARCHIVES)
        .any(|&known| known == extension);
    is_packed.then(|| path.with_extension(""))
}

/// Refuses a tar archive by its first bytes, unpacked.
///
/// # Errors
/// In words, what to do.
pub(crate) fn check_no_tar(text: &[u8]) -> Result<(), String> {
    match text.get(257..262) {
        Some(b"ustar") => Err("holds a tar archive; unpack it, and name the folder".to_owned()),
        _ => Ok(()),
    }
}
