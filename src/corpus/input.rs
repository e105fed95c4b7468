//! The inputs of a corpus: files, and streams that can be read only once.

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::SystemTime;

use crate::error::{Error, Result, shown};
use crate::quantity::{count, plural};
use crate::system::STDIN;
use crate::text::{Encoding, Packing, Unpacked, check_no_tar, head};

/// A file, or a stream such as a pipe.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A file, with its state when the corpus was opened.
    File(Stamp),
    /// A stream, with the copy that its first pass makes for the next one. The copy is a file
    /// without a name and holds the bytes as they came, still compressed.
    Stream(OnceLock<File>),
}

/// Size and time of a file. If either differs, the file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) bytes: u64,
    /// Time of the last write, where the file system records it.
    pub(crate) modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// The error of a text that changed between two readings. `subject` is the changed thing with a
/// space, or empty where `path` is the changed thing.
pub(super) fn changed(path: &Path, subject: &str, what: impl std::fmt::Display) -> Error {
    let why = format!(
        "{subject}changed while it was read: {what}; start again once nothing writes to it"
    );
    Error::Corpus {
        path: path.to_owned(),
        why,
    }
}

impl Source {
    /// Text that is there already: a file without a name, read as a stream that was kept.
    pub(super) fn kept(file: File) -> Self {
        Self {
            path: PathBuf::from("the sentences"),
            kind: Kind::Stream(OnceLock::from(file)),
        }
    }

    /// Checks a file's name and first bytes. Nothing is read from a stream yet.
    pub(super) fn new(path: PathBuf) -> Result<Self> {
        if path.as_os_str() == STDIN {
            return Ok(Self {
                path,
                kind: Kind::Stream(OnceLock::new()),
            });
        }
        let metadata = std::fs::metadata(&path).map_err(Error::io("open", &path))?;
        if !metadata.is_file() {
            return Ok(Self {
                path,
                kind: Kind::Stream(OnceLock::new()),
            });
        }
        let mut file = File::open(&path).map_err(Error::io("open", &path))?;
        let head = head(&mut file).map_err(Error::io("read", &path))?;
        Packing::of(&path, &head).map_err(|why| Error::Corpus {
            path: path.clone(),
            why,
        })?;
        Ok(Self {
            path,
            kind: Kind::File(Stamp::of(&metadata)),
        })
    }

    /// Size in bytes, still compressed; `None` for a stream that was not read yet.
    pub(super) fn bytes(&self) -> Option<u64> {
        match &self.kind {
            Kind::File(stamp) => Some(stamp.bytes),
            Kind::Stream(kept) => kept
                .get()
                .and_then(|file| Some(file.metadata().ok()?.len())),
        }
    }

    /// The state of a file when the corpus was opened; `None` for a stream.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        match self.kind {
            Kind::File(stamp) => Some(stamp),
            Kind::Stream(_) => None,
        }
    }

    /// Checks that a file has not changed since the corpus was opened.
    ///
    /// # Errors
    /// [`Error::Corpus`] that says what has changed.
    pub(super) fn check_unchanged(&self) -> Result<()> {
        let Some(then) = self.stamp() else {
            return Ok(());
        };
        let what = match std::fs::metadata(&self.path).map(|metadata| Stamp::of(&metadata)) {
            Ok(now) if now == then => return Ok(()),
            Ok(now) if now.bytes != then.bytes => {
                format!(
                    "it had {}, and now has {}",
                    plural(then.bytes, "byte"),
                    count(now.bytes)
                )
            }
            Ok(_) => "it was written to, or another file has taken its place".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(changed(&self.path, "", what))
    }

    /// Opens the source at its start. `keep` tells that a stream will be read again, so it is
    /// copied.
    fn open(&self, keep: bool) -> Result<Box<dyn Read + Send>> {
        let Kind::Stream(kept) = &self.kind else {
            return Ok(Box::new(
                File::open(&self.path).map_err(Error::io("open", &self.path))?,
            ));
        };
        if let Some(file) = kept.get() {
            let again = || {
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(file)
            };
            return Ok(Box::new(
                again().map_err(Error::io("read again from", std::env::temp_dir()))?,
            ));
        }
        let stream: Box<dyn Read + Send> = match self.path.as_os_str() == STDIN {
            true => Box::new(io::stdin()),
            false => Box::new(File::open(&self.path).map_err(Error::io("open", &self.path))?),
        };
        if !keep {
            return Ok(stream);
        }
        let create = || {
            let file = tempfile::tempfile()?;
            Ok((file.try_clone()?, file))
        };
        let (copy, file) = create().map_err(Error::io(
            "create a copy of the input in",
            std::env::temp_dir(),
        ))?;
        let _ = kept.set(file);
        Ok(Box::new(Tee { stream, copy }))
    }
}

/// A reader that copies everything it reads to a file.
struct Tee {
    stream: Box<dyn Read + Send>,
    copy: File,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.stream.read(buffer)?;
        self.copy.write_all(&buffer[..read]).map_err(|error| {
            let folder = std::env::temp_dir();
            let why = format!(
                "no room for a copy in {} (set TMPDIR to a larger disk): {error}",
                shown(&folder)
            );
            io::Error::new(error.kind(), why)
        })?;
        Ok(read)
    }
}

/// The text of one source, unpacked and decoded to UTF-8.
pub(super) struct Input<'a> {
    path: &'a Path,
    unpacked: Unpacked,
    /// Bytes of text read so far.
    text: u64,
    /// Compressed bytes already reported by `new_raw_bytes`.
    told: u64,
}

impl<'a> Input<'a> {
    pub(super) fn open(source: &'a Source, keep: bool) -> Result<Self> {
        let path = source.path.as_path();
        Ok(Self {
            path,
            unpacked: Unpacked::new(path, source.open(keep)?)?,
            text: 0,
            told: 0,
        })
    }

    /// Compressed bytes read from the disk or pipe since the last call.
    pub(super) fn new_raw_bytes(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.told, self.unpacked.raw_bytes());
        self.told - before
    }

    /// Appends `wanted` bytes of text, or all that is left. Returns false when fewer were left.
    ///
    /// # Errors
    /// [`Error::Io`] when reading fails; [`Error::Corpus`] when the file is no text, or, with the
    /// position, when its compressed data is broken or cut short.
    pub(super) fn read(&mut self, wanted: usize, text: &mut Vec<u8>) -> Result<bool> {
        let start = text.len();
        let mut read = self.append(wanted, text)?;
        if self.text == 0
            && let Encoding::Utf16(order) = self.encoding(&text[start..])?
        {
            // The bytes read so far are UTF-16 too, so decoding begins with them.
            self.unpacked.decode(text.split_off(start), order);
            read = self.append(wanted, text)?;
        }
        self.text += read as u64;
        Ok(read == wanted)
    }

    fn append(&mut self, wanted: usize, text: &mut Vec<u8>) -> Result<usize> {
        let start = text.len();
        let read = self.unpacked.by_ref().take(wanted as u64).read_to_end(text);
        read.map_err(|error| {
            self.unpacked
                .failure(self.path, error, self.text + (text.len() - start) as u64)
        })
    }

    /// The encoding of the text, from its first bytes.
    ///
    /// # Errors
    /// [`Error::Corpus`] when it is a tar archive or UTF-32.
    fn encoding(&self, start: &[u8]) -> Result<Encoding> {
        let encoding = check_no_tar(start).and_then(|()| Encoding::of(start));
        encoding.map_err(|why| Error::Corpus {
            path: self.path.to_owned(),
            why,
        })
    }
}
