//! Numbers as they travel between ranks: 32-bit words, one after the other.

use crate::error::{Error, Result};

/// Rows of a matrix, each with its number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    /// The numbers of the rows, ascending.
    pub(super) numbers: Vec<u32>,
    /// The elements, row after row.
    pub(super) values: Vec<f32>,
}

impl Rows {
    /// Appends the rows to a message.
    pub(super) fn write(&self, message: &mut Vec<u32>) {
        message.push(self.numbers.len() as u32);
        message.extend_from_slice(&self.numbers);
        message.extend_from_slice(bytemuck::cast_slice(&self.values));
    }
}

/// The rest of a message.
#[derive(Debug)]
pub(super) struct Words<'a>(pub(super) &'a [u32]);

impl<'a> Words<'a> {
    /// The next words.
    ///
    /// # Errors
    /// [`Error::Ranks`] when the message is shorter, here and below.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u32]> {
        let short = || {
            Error::ranks(
                "a message ends too early, which is a mistake in this program: please report it",
            )
        };
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        let words = self.take(2)?;
        Ok(u64::from(words[0]) | u64::from(words[1]) << 32)
    }

    pub(super) fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(super) fn f32(&mut self) -> Result<f32> {
        Ok(f32::from_bits(self.take(1)?[0]))
    }

    /// Rows of `dim` elements, as [`Rows::write`] has written them.
    pub(super) fn rows(&mut self, dim: usize) -> Result<Rows> {
        let count = self.take(1)?[0] as usize;
        Ok(Rows {
            numbers: self.take(count)?.to_vec(),
            values: bytemuck::cast_slice(self.take(count * dim)?).to_vec(),
        })
    }
}

/// A number as two words.
pub(super) fn of_u64(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// A number as two words.
pub(super) fn of_f64(number: f64) -> [u32; 2] {
    of_u64(number.to_bits())
}
