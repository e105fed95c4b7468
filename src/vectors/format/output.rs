//! The table to be written, and the loop over its rows that every writer shares.

use std::io::{self, Write};
use std::ops::Range;

use half::f16;
use rayon::prelude::*;

use super::rows::{Checked, not_finite};
use super::word::quoted;
use crate::model::Matrix;
use crate::vocab::Vocab;

/// Values that one thread converts at a time, in whole rows: 256 KB, or three times that as text.
const VALUES_IN_PIECE: usize = 1 << 16;
/// Pieces that each thread converts while as many are written.
const PIECES_A_THREAD: usize = 4;

/// How a value is stored, little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Dtype {
    /// 32 bits: the values exactly.
    #[default]
    F32,
    /// 16 bits: about three digits, up to 65504.
    F16,
}

impl Dtype {
    /// Bytes of a value.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// Appends the bytes of a row's values.
    pub(super) fn push(self, row: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::F32 => extend(bytes, row, |value| value.to_le_bytes()),
            Self::F16 => extend(bytes, row, |value| f16::from_f32(value).to_le_bytes()),
        }
    }
}

fn extend<const N: usize>(bytes: &mut Vec<u8>, row: &[f32], encode: impl Fn(f32) -> [u8; N]) {
    let start = bytes.len();
    bytes.resize(start + N * row.len(), 0);
    for (place, &value) in bytes[start..].as_chunks_mut().0.iter_mut().zip(row) {
        *place = encode(value);
    }
}

/// The data to write: words, a row for each, and what a format may hold beside them.
#[derive(Clone, Copy, Debug)]
pub struct VectorTable<'a> {
    /// The words, with their counts where these are known.
    pub vocab: &'a Vocab,
    /// The rows, one for each word.
    pub matrix: &'a Matrix,
    /// How many rows to write, counted from the first.
    pub rows: usize,
    /// How values are stored.
    pub dtype: Dtype,
    /// The resolved configuration of the run that made the vectors, as JSON. Formats that cannot
    /// hold it leave it out.
    pub configuration: Option<&'a str>,
}

impl<'a> VectorTable<'a> {
    /// A table of all rows as f32, without a configuration.
    pub fn new(vocab: &'a Vocab, matrix: &'a Matrix) -> Self {
        Self {
            vocab,
            matrix,
            rows: matrix.rows(),
            dtype: Dtype::F32,
            configuration: None,
        }
    }

    /// The words to write with their counts, which are 0 where they are not known.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, u64)> {
        self.vocab
            .words()
            .zip(self.vocab.counts().iter().copied())
            .take(self.rows)
    }

    /// Writes the bytes that `push` appends for every row, in order.
    pub(super) fn write_rows(
        &self,
        out: &mut Output<'_>,
        push: impl Fn(&str, &[f32], &mut Vec<u8>) + Sync,
    ) -> io::Result<()> {
        let piece = |rows: Range<usize>| {
            let mut bytes =
                Vec::with_capacity(rows.len() * (self.dtype.bytes() * self.matrix.dim() + 16));
            for id in rows {
                let (word, row) = (self.vocab.word(id as u32), self.matrix.row(id));
                self.check_row(word, row)
                    .map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
                push(word, row, &mut bytes);
            }
            Ok(bytes)
        };
        // Formatting digits is slow, so all threads format a block of rows while the one before it
        // is written.
        let per_piece = VALUES_IN_PIECE.div_ceil(self.matrix.dim());
        let per_block = per_piece * PIECES_A_THREAD * rayon::current_num_threads();
        let block = |start: usize| -> Vec<io::Result<Vec<u8>>> {
            let end = self.rows.min(start + per_block);
            let starts = (start..end).into_par_iter().step_by(per_piece);
            starts
                .map(|start| piece(start..end.min(start + per_piece)))
                .collect()
        };
        let mut ready = block(0);
        for end in (0..self.rows)
            .step_by(per_block)
            .map(|start| self.rows.min(start + per_block))
        {
            let mut next = Vec::new();
            rayon::in_place_scope(|scope| {
                scope.spawn(|_| next = block(end));
                ready.drain(..).try_for_each(|piece| out.write_all(&piece?))
            })?;
            ready = next;
            (out.on_progress)(end as u64, self.rows as u64);
        }
        Ok(())
    }

    /// Checks that every reader will return the values of a row as they are.
    fn check_row(&self, word: &str, row: &[f32]) -> Checked<()> {
        for &value in row {
            if !value.is_finite() {
                return Err(not_finite(word, value));
            }
            if self.dtype == Dtype::F16 && f16::from_f32(value).is_infinite() {
                let word = quoted(word);
                return Err(format!(
                    "the vector of {word} holds {value}, beyond the ±65504 of f16; use `dtype = \
                     f32`"
                ));
            }
        }
        Ok(())
    }
}

/// The destination of a writer, and the listener to its progress.
pub(super) struct Output<'a> {
    pub(super) out: &'a mut dyn Write,
    /// Called with the rows written so far and the number of all rows.
    pub(super) on_progress: &'a mut dyn FnMut(u64, u64),
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
