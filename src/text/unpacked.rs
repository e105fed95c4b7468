//! Files and streams, unpacked while they are read.

use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::encoding::{ByteOrder, Utf16};
use super::packed::{HEAD_BYTES, Packing};
use crate::error::{Error, Result};

/// The reader below a decoder. It counts the compressed bytes.
struct Metered {
    inner: Box<dyn Read + Send>,
    meter: Arc<Meter>,
}

#[derive(Default)]
struct Meter {
    bytes: AtomicU64,
    /// Whether reading from the disk or pipe failed. An error without this comes from the decoder:
    /// the compressed data is broken.
    failed: AtomicBool,
}

impl Read for Metered {
    /// Never fails with [`io::ErrorKind::Interrupted`]: a decoder that saw it in the middle of a
    /// header could not go on.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.inner.read(buffer);
            match &read {
                Ok(read) => drop(self.meter.bytes.fetch_add(*read as u64, Ordering::Relaxed)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => self.meter.failed.store(true, Ordering::Relaxed),
            }
            return read;
        }
    }
}

/// A reader for a file or stream. It unpacks what its first bytes show to be compressed.
pub(crate) struct Unpacked {
    packing: Option<&'static Packing>,
    reader: Box<dyn Read + Send>,
    meter: Arc<Meter>,
}

impl Unpacked {
    /// Wraps `raw`, which `path` names in messages.
    ///
    /// # Errors
    /// [`Error::Io`] when reading fails; [`Error::Corpus`] when the format cannot be unpacked here
    /// or contradicts the file's name.
    pub(crate) fn new(path: &Path, raw: Box<dyn Read + Send>) -> Result<Self> {
        let meter = Arc::new(Meter::default());
        let mut raw = Metered {
            inner: raw,
            meter: Arc::clone(&meter),
        };
        let head = head(&mut raw).map_err(Error::io("read", path))?;
        let packing = Packing::of(path, &head).map_err(|why| Error::Corpus {
            path: path.to_owned(),
            why,
        })?;
        let raw = Cursor::new(head).chain(raw);
        let reader: Box<dyn Read + Send> = match packing {
            None => Box::new(raw),
            Some(packing) => {
                let buffered = BufReader::with_capacity(1 << 18, raw);
                packing
                    .decoder(Box::new(buffered))
                    .map_err(Error::io("unpack", path))?
            }
        };
        Ok(Self {
            packing,
            reader,
            meter,
        })
    }

    pub(crate) fn is_packed(&self) -> bool {
        self.packing.is_some()
    }

    /// Compressed bytes read so far from the disk or pipe.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.meter.bytes.load(Ordering::Relaxed)
    }

    /// From here on, decodes UTF-16. `start` holds the bytes that were read already.
    pub(crate) fn decode(&mut self, start: Vec<u8>, order: ByteOrder) {
        let rest = std::mem::replace(&mut self.reader, Box::new(io::empty()));
        self.reader = Box::new(Utf16::new(Cursor::new(start).chain(rest), order));
    }

    /// The error to report for `error`, which came after `bytes` bytes of unpacked text.
    pub(crate) fn failure(&self, path: &Path, error: io::Error, bytes: u64) -> Error {
        let packing = self
            .packing
            .filter(|_| !self.meter.failed.load(Ordering::Relaxed));
        let Some(Packing { name, .. }) = packing else {
            return Error::io("read", path)(error);
        };
        let raw = self.raw_bytes();
        let what = match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                format!("is cut short: its {name} data ends at byte {raw} without an end")
            }
            _ => format!("holds broken {name} data before byte {raw} ({error})"),
        };
        let why = format!("{what}, after {bytes} bytes of text; fetch or pack it again");
        Error::Corpus {
            path: path.to_owned(),
            why,
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// The first [`HEAD_BYTES`] bytes of a file, or fewer from a shorter file.
pub(crate) fn head(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Gives a byte at every second call, and is interrupted by a signal at the others.
    struct Halting {
        bytes: io::Cursor<Vec<u8>>,
        calls: u64,
    }

    impl Read for Halting {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 2 {
                0 => (&mut self.bytes).take(1).read(buffer),
                _ => Err(io::ErrorKind::Interrupted.into()),
            }
        }
    }

    #[test]
    fn an_interrupted_read_loses_nothing() {
        let gzip = |text: &str| {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap()
        };
        let packed = [gzip("a b\n"), vec![0; 3], gzip("c d\n")].concat();
        for (name, bytes) in [("t.gz", packed), ("t", b"a b\nc d\n".to_vec())] {
            let bytes = io::Cursor::new(bytes);
            let raw = Box::new(Halting { bytes, calls: 0 });
            let mut text = String::new();
            let mut unpacked = Unpacked::new(Path::new(name), raw).unwrap();
            unpacked.read_to_string(&mut text).unwrap();
            assert_eq!(text, "a b\nc d\n");
        }
    }
}
