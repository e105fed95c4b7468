//! Words that are composed of parts: their vectors before the windows of a step, and the way of
//! their gradients to the parts afterwards.
//!
//! All windows of a batch see a word alike, so it is composed once for the batch, in a table by
//! slot. In the second half each word's gradient takes the place of its vector there; then every
//! row of W that is a part gathers the gradients of its words, in the order of their slots. So each
//! sum is made by one thread, in floats, and needs no scale.

use pulp::{Simd, WithSimd};

use super::apply::{StepRate, move_row};
use super::cores::{Chunks, Cores};
use super::lanes::{Address, Floats, Integers, PaddedMatrix, SharedRows};
use super::sums::{SlotSums, shared_out, total_in_floats};
use crate::batch::{Parts, Row};
use crate::engine::fixed_point::Scales;

/// Slots or rows that a thread takes at once: few enough that threads end together, many enough that
/// the walk ahead of a chunk seldom starts anew.
const CHUNK: usize = 64;

/// Rows that are asked for before they are added.
const AHEAD: usize = 4;

/// The words of a batch, by slot.
#[derive(Debug)]
pub(super) struct Composed {
    /// The vector of each slot, and later its gradient.
    words: PaddedMatrix,
    /// For each slot the row of `words`: the slot itself.
    rows: Vec<Row>,
    /// Number of slots in the batch.
    slots: usize,
}

impl Composed {
    /// No words, for rows like those of W.
    pub(super) fn new(input: &PaddedMatrix) -> Self {
        Self {
            words: input.empty(),
            rows: Vec::new(),
            slots: 0,
        }
    }

    /// The words of the batch as a table, and the row of each slot in it.
    pub(super) fn table(&self) -> (&PaddedMatrix, &[Row]) {
        (&self.words, &self.rows[..self.slots])
    }

    /// Composes the words of a batch.
    pub(super) fn compose(&mut self, cores: &Cores, parts: &Parts, input: &PaddedMatrix) {
        self.slots = parts.offsets.len() - 1;
        while self.rows.len() < self.slots {
            self.rows.push(Row(self.rows.len() as u32));
        }
        // A mean is no larger than the largest of its terms.
        self.words.fit(self.slots, input.largest());
        let words = self.words.shared(&self.rows[..self.slots]);
        let chunks = Chunks::new(self.slots, CHUNK);
        cores.on_all(|_| {
            cores.arch.dispatch(Compose {
                slots: &chunks,
                parts,
                input,
                words: &words,
            });
        });
    }

    /// Puts the gradient of each word in the place of its vector: the total of all threads' sums.
    pub(super) fn take_gradients<'a>(
        &'a mut self,
        sums: Vec<&'a SlotSums>,
        scales: Scales,
        bits: &'a [u8],
    ) -> Gradients<'a> {
        let width = self.words.width();
        Gradients {
            words: self.words.shared(&self.rows[..self.slots]),
            sums,
            scales,
            bits,
            width,
        }
    }

    /// Moves every row of W that is a part by the gradients of its words.
    pub(super) fn move_parts(
        &self,
        cores: &Cores,
        parts: &Parts,
        input: &mut PaddedMatrix,
        rate: StepRate,
    ) {
        let table = input.shared(&parts.rows);
        let chunks = Chunks::new(parts.rows.len(), CHUNK);
        cores.on_all(|_| {
            cores.arch.dispatch(MoveParts {
                rows: &chunks,
                parts,
                table: &table,
                gradients: &self.words,
                rate,
            });
        });
    }
}

/// Composes some slots: each is the mean of its parts.
struct Compose<'a> {
    slots: &'a Chunks,
    parts: &'a Parts,
    input: &'a PaddedMatrix,
    words: &'a SharedRows<'a>,
}

impl WithSimd for Compose<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for slot in self.slots.flatten() {
            #[expect(
                unsafe_code,
                reason = "a table is shared out row by row, as where rows move"
            )]
            // SAFETY: shares of different threads have no slot in common.
            let word = unsafe { self.words.row_mut(slot) };
            let parts = self.parts.of(slot);
            // Parts of the slots behind stand next.
            let ahead = &self.parts.parts[self.parts.offsets[slot] as usize..];
            word.fill(Floats::ZERO);
            for (place, part) in parts.iter().enumerate() {
                let ahead = ahead
                    .get(place + AHEAD)
                    .map(|part| self.input.address(part.index()));
                add(word, self.input.row(part.index()), ahead);
            }
            let share = 1.0 / parts.len() as f32;
            for piece in word {
                *piece = Floats::ZERO.add_scaled(share, *piece);
            }
        }
    }
}

/// The gradients of words, which come from the sums of all threads.
pub(super) struct Gradients<'a> {
    words: SharedRows<'a>,
    sums: Vec<&'a SlotSums>,
    scales: Scales,
    bits: &'a [u8],
    width: usize,
}

impl Gradients<'_> {
    /// A thread's share of them.
    pub(super) fn share(&self, thread: usize) -> GradientShare<'_> {
        GradientShare {
            gradients: self,
            thread,
        }
    }
}

/// A thread's share of the gradients of words.
pub(super) struct GradientShare<'a> {
    gradients: &'a Gradients<'a>,
    thread: usize,
}

impl WithSimd for GradientShare<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Gradients {
            words,
            sums,
            scales,
            bits,
            width,
        } = self.gradients;
        let mut total = vec![Integers::ZERO; *width];
        for slot in shared_out(sums, self.thread) {
            // A scale is a power of two: dividing by it is exact.
            let unit = 1.0 / scales.scale(bits[slot]);
            #[expect(
                unsafe_code,
                reason = "a table is shared out row by row, as where rows move"
            )]
            // SAFETY: each slot is shared out to one thread.
            let word = unsafe { words.row_mut(slot) };
            total_in_floats(sums, slot, unit, &mut total, word);
        }
    }
}

/// Moves some of the rows that are parts.
struct MoveParts<'a> {
    /// Places among the rows of [`Parts::rows`].
    rows: &'a Chunks,
    parts: &'a Parts,
    table: &'a SharedRows<'a>,
    gradients: &'a PaddedMatrix,
    rate: StepRate,
}

impl WithSimd for MoveParts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut sum = vec![Floats::ZERO; self.gradients.width()];
        let mut magnitudes = Floats::ZERO;
        for place in self.rows.flatten() {
            if place + AHEAD < self.parts.rows.len() {
                let row = self.table.address(place + AHEAD);
                (0..sum.len()).for_each(|line| row.prefetch_to_write(line));
            }
            let ahead = &self.parts.uses[self.parts.use_offsets[place] as usize..];
            sum.fill(Floats::ZERO);
            for (use_, slot) in self.parts.uses_of(place).iter().enumerate() {
                let ahead = ahead
                    .get(use_ + AHEAD)
                    .map(|slot| self.gradients.address(slot.index()));
                add(&mut sum, self.gradients.row(slot.index()), ahead);
            }
            #[expect(
                unsafe_code,
                reason = "rows shared out by slot are no ranges into which a table could be cut"
            )]
            // SAFETY: shares of different threads have no row in common.
            let row = unsafe { self.table.row_mut(place) };
            move_row(row, &sum, self.rate);
            magnitudes = row.iter().fold(magnitudes, |magnitudes, piece| {
                magnitudes.max(piece.magnitudes())
            });
        }
        self.table.largest.raise(magnitudes);
    }
}

/// Adds a row, and asks for one that will be added soon.
#[inline(always)]
fn add(sum: &mut [Floats], row: &[Floats], ahead: Option<Address>) {
    if let Some(ahead) = ahead {
        (0..row.len()).for_each(|line| ahead.prefetch(line));
    }
    for (sum, &piece) in sum.iter_mut().zip(row) {
        *sum = sum.add_scaled(1.0, piece);
    }
}
