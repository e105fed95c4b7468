//! Compressed files: recognised by their first bytes, unpacked while they are read.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use super::members::{Member, Members, Raw};

/// How many bytes at the start of a file are needed to recognise its type.
pub(crate) const HEAD_BYTES: usize = 16;

/// The largest compression window that decoders accept, as a power of two. `zstd --long=31` is the
/// largest in use and takes 2 GB of memory.
const MAX_WINDOW_LOG: u32 = 31;

/// The byte order mark of UTF-8, which some editors write at the start of a text.
pub(crate) const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// A compression format.
pub(crate) struct Packing {
    pub(crate) name: &'static str,
    /// File name extensions of this format.
    extensions: &'static [&'static str],
    begins: fn(&[u8]) -> bool,
    decoder: fn(Raw) -> io::Result<Text>,
}

/// Unpacked bytes.
type Text = Box<dyn Read + Send>;

/// Every decoder also reads several compressed files joined into one, which is how parallel
/// compressors write, with zero bytes behind each.
static PACKINGS: [Packing; 4] = [
    Packing {
        name: "gzip",
        extensions: &["gz", "tgz"],
        begins: |head| head.starts_with(&[0x1f, 0x8b]),
        decoder: |raw| Ok(Box::new(Members::<GzDecoder<Raw>>::new(raw)?)),
    },
    Packing {
        name: "zstd",
        extensions: &["zst", "zstd"],
        // A zstd frame, or the skippable frame that pzstd writes first.
        begins: |head| {
            head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
                || head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18]
        },
        decoder: |raw| Ok(Box::new(Members::<zstd::Decoder<'static, Raw>>::new(raw)?)),
    },
    Packing {
        name: "bzip2",
        extensions: &["bz2"],
        // A text could begin with the letters `BZh`, so the magic number after them is checked too:
        // that of a block, or of the end of an empty file.
        begins: |head| {
            let block = [
                [0x31, 0x41, 0x59, 0x26, 0x53, 0x59],
                [0x17, 0x72, 0x45, 0x38, 0x50, 0x90],
            ];
            head.starts_with(b"BZh")
                && head.len() >= 10
                && block.iter().any(|block| head[4..10] == *block)
        },
        decoder: |raw| Ok(Box::new(Members::<BzDecoder<Raw>>::new(raw)?)),
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

impl Member for GzDecoder<Raw> {
    fn may_begin(byte: u8) -> bool {
        byte == 0x1f
    }

    fn new(raw: Raw) -> io::Result<Self> {
        Ok(Self::new(raw))
    }

    fn into_raw(self) -> Raw {
        self.into_inner()
    }
}

impl Member for zstd::Decoder<'static, Raw> {
    fn may_begin(byte: u8) -> bool {
        byte == 0x28 || byte & 0xf0 == 0x50
    }

    fn new(raw: Raw) -> io::Result<Self> {
        let mut decoder = Self::with_buffer(raw)?.single_frame();
        decoder.window_log_max(MAX_WINDOW_LOG)?;
        Ok(decoder)
    }

    fn into_raw(self) -> Raw {
        // The last text may be there before the end of its frame is read.
        self.finish()
    }
}

impl Member for BzDecoder<Raw> {
    fn may_begin(byte: u8) -> bool {
        byte == b'B'
    }

    fn new(raw: Raw) -> io::Result<Self> {
        Ok(Self::new(raw))
    }

    fn into_raw(self) -> Raw {
        self.into_inner()
    }
}

/// First bytes of formats that cannot be unpacked here. Without this list their bytes would be
/// trained on as if they were words.
const REFUSED: [(&[u8], &str); 4] = [
    (b"PK\x03\x04", "a zip archive"),
    (&[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c], "a 7z archive"),
    (&[0x04, 0x22, 0x4d, 0x18], "compressed by lz4"),
    (&[0x1f, 0x9d], "compressed by compress"),
];

impl Packing {
    /// Recognises a file's compression; `None` is plain text. `head` holds the first [`HEAD_BYTES`]
    /// bytes of the file, or all of a shorter file.
    ///
    /// # Errors
    /// A sentence for the user when the format cannot be unpacked or contradicts the file's name.
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

    /// The name of the compression or archive format that begins with these bytes; `None` for plain
    /// text.
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

    /// A reader that unpacks `raw`.
    pub(crate) fn decoder(&self, raw: Raw) -> io::Result<Text> {
        (self.decoder)(raw)
    }
}

/// File name extensions of the archives in [`REFUSED`].
const ARCHIVES: [&str; 4] = ["zip", "7z", "lz4", "z"];

/// The path without its last extension, if that is one of a compressed file or an archive.
pub(crate) fn without_packing(path: &Path) -> Option<PathBuf> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    let is_packed = PACKINGS
        .iter()
        .flat_map(|packing| packing.extensions)
        .chain(&ARCHIVES)
        .any(|&known| known == extension);
    is_packed.then(|| path.with_extension(""))
}

/// Refuses a tar archive, which is recognised by its first bytes once unpacked.
///
/// # Errors
/// A sentence for the user that says what to do.
pub(crate) fn check_no_tar(text: &[u8]) -> Result<(), String> {
    match text.get(257..262) {
        Some(b"ustar") => Err("holds a tar archive; unpack it, and name the folder".to_owned()),
        _ => Ok(()),
    }
}
