//! What is written, and the loop over rows that every writer shares.

use std::io::{self, Write};

use half::f16;
use rayon::prelude::*;

use super::rows::{Checked, check_word, not_finite, quoted};
use crate::model::Matrix;
use crate::vocab::Vocab;

/// Values made ready before they are written, in rows: some ten megabytes of text.
const VALUES_AT_A_TIME: usize = 1 << 20;

/// How a value is stored, little-endian.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
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

    /// Appends the bytes of a row.
    pub(super) fn push(self, row: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::F32 => bytes.extend(row.iter().flat_map(|value| value.to_le_bytes())),
            Self::F16 => bytes.extend(row.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes())),
        }
    }
}

/// What is written: words, a row for each, and what a format may hold beside them.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The words, with their counts where these are known.
    pub vocab: &'a Vocab,
    /// As many rows as words.
    pub matrix: &'a Matrix,
    /// How many rows are written, from the first.
    pub rows: usize,
    /// How values are stored.
    pub dtype: Dtype,
    /// The resolved configuration of the run that made the vectors, as JSON; left out where the format has no place.
    pub configuration: Option<&'a str>,
}

impl<'a> Table<'a> {
    /// All rows as f32, without a configuration.
    pub fn new(vocab: &'a Vocab, matrix: &'a Matrix) -> Self {
        Self { vocab, matrix, rows: matrix.rows(), dtype: Dtype::F32, configuration: None }
    }

    /// The words written, with their counts; 0 where they are not known.
    pub(super) fn words(&self) -> impl Iterator<Item = (&str, u64)> {
        self.vocab.words().zip(self.vocab.counts().iter().copied()).take(self.rows)
    }

    /// Writes what `push` makes of every row, in order.
    pub(super) fn write_rows(
        &self,
        out: &mut Output<'_>,
        push: impl Fn(&str, &[f32], &mut Vec<u8>) + Sync,
    ) -> io::Result<()> {
        let line = |id: usize| {
            let (word, row) = (self.vocab.word(id as u32), self.matrix.row(id));
            self.check_row(word, row).map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
            let mut line = Vec::with_capacity(word.len() + 14 * row.len());
            push(word, row, &mut line);
            Ok(line)
        };
        // Digits are slow to make: all threads do so for some rows at a time.
        let at_a_time = (VALUES_AT_A_TIME / self.matrix.dim()).max(1);
        for start in (0..self.rows).step_by(at_a_time) {
            let end = self.rows.min(start + at_a_time);
            let lines: Vec<io::Result<Vec<u8>>> = (start..end).into_par_iter().map(line).collect();
            for line in lines {
                out.write_all(&line?)?;
            }
            (out.on_progress)(end as u64, self.rows as u64);
        }
        Ok(())
    }

    /// Whether a row can be written such that every reader gives the same back.
    fn check_row(&self, word: &str, row: &[f32]) -> Checked<()> {
        check_word(word)?;
        for &value in row {
            if !value.is_finite() {
                return Err(not_finite(word, value));
            }
            if self.dtype == Dtype::F16 && f16::from_f32(value).is_infinite() {
                let word = quoted(word);
                return Err(format!("the vector of {word} holds {value}, beyond the ±65504 of f16; use --dtype f32"));
            }
        }
        Ok(())
    }
}

/// Where a writer writes, and who is told how far it is.
pub(super) struct Output<'a> {
    pub(super) out: &'a mut dyn Write,
    /// Takes the rows written so far and those in all.
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
