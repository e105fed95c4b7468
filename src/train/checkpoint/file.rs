//! One checkpoint as bytes.
//!
//! | bytes | |
//! |---|---|
//! | 8 | `w2v-ckpt` |
//! | 4 | version of this format |
//! | 4 | length of the header |
//! | | header: JSON |
//! | | W, W', and with `patience` those of the best epoch: the largest element so far, then row after row, all f32 |
//! | 8 | XXH3 of everything before |
//!
//! All numbers are little-endian. The version is read before anything else is trusted. Before
//! anything is allocated, the length of the file is compared with the length that the header
//! announces. Nothing is used before the checksum has been verified.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use super::{Checkpoint, Fingerprint};
use crate::error::{Error, Result, shown};
use crate::model::{Matrix, Model};
use crate::train::state::{Snapshot, TrainState};

const MAGIC: [u8; 8] = *b"w2v-ckpt";

/// The version of the format. Raise it with every change of the bytes or of their meaning, batches
/// and draws included.
const VERSION: u32 = 4;

/// Number of bytes before the header.
const PREAMBLE: u64 = 16;

/// Number of bytes of the checksum.
const CHECKSUM: u64 = 8;

/// Number of floats converted at a time.
const PIECE: usize = 1 << 14;

#[derive(Serialize, Deserialize)]
struct Header {
    run: Fingerprint,
    reached: TrainState,
    dim: usize,
    input_rows: usize,
    output_rows: usize,
    has_best: bool,
}

impl Header {
    /// Number of floats of all matrices, with the largest element of each. `None` if there are more
    /// than a file can hold.
    fn floats(&self) -> Option<u64> {
        let rows = (self.input_rows as u64).checked_add(self.output_rows as u64)?;
        rows.checked_mul(self.dim as u64)?
            .checked_add(2)?
            .checked_mul(1 + u64::from(self.has_best))
    }
}

/// Writes a checkpoint.
pub(super) fn write(run: &Fingerprint, snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    let Snapshot {
        reached,
        model,
        best,
    } = snapshot;
    let header = serde_json::to_vec(&Header {
        run: run.clone(),
        reached: *reached,
        dim: model.input.dim(),
        input_rows: model.input.rows(),
        output_rows: model.output.rows(),
        has_best: best.is_some(),
    })?;
    let length = u32::try_from(header.len()).map_err(io::Error::other)?;
    let mut out = Hashed {
        inner: out,
        hash: Xxh3::new(),
    };
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&header)?;
    for model in std::iter::once(model).chain(best.as_deref()) {
        for matrix in [&model.input, &model.output] {
            write_floats(&[matrix.largest()], &mut out)?;
            write_floats(matrix.values(), &mut out)?;
        }
    }
    let checksum = out.hash.digest();
    out.inner.write_all(&checksum.to_le_bytes())
}

/// Reads a checkpoint.
///
/// # Errors
/// [`Error::Format`] when it is damaged, [`Error::Setting`] when another version of the program
/// wrote it, [`Error::Io`] when it cannot be read.
pub(super) fn read(path: &Path) -> Result<Checkpoint> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    read_from(path, BufReader::with_capacity(1 << 20, file), size)
}

/// Reads a checkpoint of `size` bytes. Messages call it `path`.
///
/// # Errors
/// As [`read`].
pub(super) fn read_from(path: &Path, file: impl Read, size: u64) -> Result<Checkpoint> {
    let damaged = |place: String, why: String| Error::Format {
        path: path.to_owned(),
        place,
        why,
    };
    let ends = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged(
            format!("byte {size}"),
            "the checkpoint ends here, unfinished".to_owned(),
        ),
        _ => Error::io("read", path)(error),
    };
    let mut file = Hashed {
        inner: file,
        hash: Xxh3::new(),
    };

    let (mut magic, mut version, mut length) = ([0; 8], [0; 4], [0; 4]);
    file.read_exact(&mut magic).map_err(ends)?;
    if magic != MAGIC {
        return Err(damaged("byte 0".to_owned(), "is no checkpoint".to_owned()));
    }
    file.read_exact(&mut version).map_err(ends)?;
    let version = u32::from_le_bytes(version);
    if version != VERSION {
        let why = format!(
            "another version of w2v-gpu wrote it (format {version}, not {VERSION}); go on with \
             that one"
        );
        return Err(Error::setting("resume", shown(path), why));
    }
    file.read_exact(&mut length).map_err(ends)?;
    let length = u64::from(u32::from_le_bytes(length));
    if PREAMBLE + length + CHECKSUM > size {
        return Err(damaged(
            format!("byte {size}"),
            "the checkpoint ends here, within its header".to_owned(),
        ));
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).map_err(ends)?;
    let header: Header = serde_json::from_slice(&header).map_err(|error| {
        damaged(
            format!("byte {PREAMBLE}"),
            format!("the header is damaged: {error}"),
        )
    })?;
    let expected = header.floats().and_then(|floats| {
        floats
            .checked_mul(4)?
            .checked_add(PREAMBLE + length + CHECKSUM)
    });
    if header.dim == 0 || expected != Some(size) {
        return Err(damaged(
            format!("byte {size}"),
            "the file has not the length that its header gives".to_owned(),
        ));
    }

    let mut model = || -> io::Result<Model> {
        Ok(Model {
            input: read_matrix(header.input_rows, header.dim, &mut file)?,
            output: read_matrix(header.output_rows, header.dim, &mut file)?,
        })
    };
    let own = model().map_err(ends)?;
    let best = if header.has_best {
        Some(Arc::new(model().map_err(ends)?))
    } else {
        None
    };
    let mut checksum = [0; CHECKSUM as usize];
    file.inner.read_exact(&mut checksum).map_err(ends)?;
    if u64::from_le_bytes(checksum) != file.hash.digest() {
        return Err(damaged(
            format!("byte {}", size - CHECKSUM),
            "the checksum is not that of the content".to_owned(),
        ));
    }
    let snapshot = Snapshot {
        reached: header.reached,
        model: own,
        best,
    };
    Ok(Checkpoint {
        path: path.to_owned(),
        run: header.run,
        snapshot,
    })
}

fn write_floats(values: &[f32], out: &mut dyn Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(PIECE * 4);
    for piece in values.chunks(PIECE) {
        bytes.clear();
        bytes.extend(piece.iter().flat_map(|value| value.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

fn read_matrix(rows: usize, dim: usize, file: &mut dyn Read) -> io::Result<Matrix> {
    let mut largest = [0.0];
    read_floats(&mut largest, file)?;
    let mut values = vec![0f32; rows * dim];
    read_floats(&mut values, file)?;
    Ok(Matrix::from_values(dim, values).having_reached(largest[0]))
}

fn read_floats(values: &mut [f32], file: &mut dyn Read) -> io::Result<()> {
    let mut bytes = vec![0; PIECE * 4];
    for piece in values.chunks_mut(PIECE) {
        let bytes = &mut bytes[..piece.len() * 4];
        file.read_exact(bytes)?;
        for (value, bytes) in piece.iter_mut().zip(bytes.as_chunks().0) {
            *value = f32::from_le_bytes(*bytes);
        }
    }
    Ok(())
}

/// A reader or writer that hashes what passes through.
struct Hashed<T> {
    inner: T,
    hash: Xxh3,
}

impl<T: Read> Read for Hashed<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

impl<T: Write> Write for Hashed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;
    use crate::train::checkpoint::fingerprint::tests::of;
    use crate::train::checkpoint::tests::snapshot;

    fn bytes(snapshot: &Snapshot) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&of(&Config::default()), snapshot, &mut bytes).unwrap();
        bytes
    }

    fn read_bytes(bytes: &[u8]) -> Result<Checkpoint> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    /// Every bit is read back, also of values that are not numbers.
    #[test]
    fn what_is_written_is_read() {
        for with_best in [false, true] {
            let mut snapshot = snapshot(9, with_best);
            let odd = [f32::MIN_POSITIVE / 2.0, -0.0, f32::MAX];
            snapshot.model.input.row_mut(1).copy_from_slice(&odd);
            // A checkpoint holds the largest element so far, whether it is still in the matrix or
            // not.
            snapshot.model.input = snapshot.model.input.having_reached(f32::MAX);
            snapshot.model.output = snapshot.model.output.having_reached(7.5);
            if let Some(best) = &mut snapshot.best {
                let Model { input, output } = best.as_ref().clone();
                let (low, high) = (input.largest(), 2.0 * output.largest());
                *best = Arc::new(Model {
                    input: input.having_reached(low),
                    output: output.having_reached(high),
                });
            }
            let read = read_bytes(&bytes(&snapshot)).unwrap();
            assert_eq!(read.run, of(&Config::default()));
            assert_eq!(read.snapshot, snapshot);
            assert_eq!(
                read.snapshot
                    .model
                    .input
                    .row(1)
                    .iter()
                    .map(|v| v.to_bits())
                    .collect::<Vec<_>>(),
                odd.map(f32::to_bits)
            );
        }
    }

    #[test]
    fn another_version_is_named_and_not_taken_for_damage() {
        let mut bytes = bytes(&snapshot(1, false));
        bytes[8] += 1;
        let error = read_bytes(&bytes).unwrap_err();
        assert!(
            matches!(error, Error::Setting { .. }) && error.to_string().contains("another version"),
            "{error}"
        );
    }

    /// A header that promises more than the file holds, by any factor, is refused before anything
    /// is allocated.
    #[test]
    fn a_lying_header_is_refused() {
        for dim in [0, 1 << 40, usize::MAX] {
            let reached = TrainState::default();
            let run = of(&Config::default());
            let header = Header {
                run,
                reached,
                dim,
                input_rows: usize::MAX,
                output_rows: 1,
                has_best: true,
            };
            let header = serde_json::to_vec(&header).unwrap();
            let mut bytes = [
                MAGIC.as_slice(),
                &VERSION.to_le_bytes(),
                &(header.len() as u32).to_le_bytes(),
            ]
            .concat();
            bytes.extend(header);
            bytes.extend([0; 8]);
            assert!(matches!(read_bytes(&bytes), Err(Error::Format { .. })));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// The damage is noticed, whichever bit flips and wherever the file ends.
        #[test]
        fn damage_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let whole = bytes(&snapshot(9, true));
            let at = at.index(whole.len());
            let noticed = matches!(read_bytes(&whole[..at]), Err(Error::Format { .. }));
            prop_assert!(noticed);
            let mut flipped = whole;
            flipped[at] ^= 1 << bit;
            prop_assert!(read_bytes(&flipped).is_err());
        }
    }
}
