//! Second half of a step: each touched row moves by its sum, within the row limit.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{Address, Floats, Integers, PaddedMatrix, SharedRows};
use super::sums::{SlotSums, shared_out, total_in_floats};
use crate::batch::Row;
use crate::engine::fixed_point::Scales;

/// How many rows ahead rows are brought into the cache.
const AHEAD: usize = 4;

/// How far rows move.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepRate {
    /// The factor of every sum.
    pub(super) lr: f32,
    /// The longest way of a row.
    pub(super) clip: f32,
}

/// Rows of a table that lie one after the other, cut out of it: touched rows are ascending, so
/// parts don't overlap.
struct Part<'a> {
    /// The table from the part's first row on.
    pieces: &'a mut [Floats],
    rows: &'a [Row],
}

/// Cuts a table into parts of `slots` touched rows each.
fn cut<'a>(table: &'a mut PaddedMatrix, rows: &'a [Row], slots: usize) -> Vec<Part<'a>> {
    let width = table.width();
    let mut pieces = table.pieces_mut();
    let mut first_row = 0;
    let mut parts = Vec::new();
    for rows in rows.chunks(slots) {
        let (first, last) = (rows[0].index(), rows[rows.len() - 1].index());
        let rest = pieces
            .split_off_mut((first - first_row) * width..)
            .expect("rows are ascending");
        let (own, rest) = rest.split_at_mut((last + 1 - first) * width);
        pieces = rest;
        first_row = last + 1;
        parts.push(Part { pieces: own, rows });
    }
    parts
}

impl Part<'_> {
    /// The row of a slot of the part.
    #[inline(always)]
    fn row(&mut self, slot: usize, width: usize) -> &mut [Floats] {
        &mut self.pieces[(self.rows[slot].index() - self.rows[0].index()) * width..][..width]
    }
}

/// Touched rows in a part: enough parts for the threads to share them out evenly.
fn part_slots(rows: &[Row]) -> usize {
    rows.len().div_ceil(4 * rayon::current_num_threads()).max(1)
}

/// Moves the rows of one table by sums in floats, row after row.
pub(super) fn rows(
    arch: Arch,
    table: &mut PaddedMatrix,
    rows: &[Row],
    sums: &[Floats],
    rate: StepRate,
) {
    let (width, slots) = (table.width(), part_slots(rows));
    cut(table, rows, slots)
        .into_par_iter()
        .zip(sums.par_chunks(slots * width))
        .for_each(|(part, sums)| {
            arch.dispatch(MoveRows {
                part,
                sums,
                width,
                rate,
            })
        });
}

/// How the touched rows of a table move by the sums of all threads.
#[derive(Clone, Copy)]
pub(super) struct Movement<'a> {
    pub(super) table: &'a SharedRows<'a>,
    /// Every thread's sums.
    pub(super) sums: &'a [&'a SlotSums],
    /// The scale of each slot's sums.
    pub(super) scales: Scales,
    /// For each slot the bits of its number of products.
    pub(super) bits: &'a [u8],
    pub(super) width: usize,
    pub(super) rate: StepRate,
}

impl<'a> Movement<'a> {
    /// A thread's share of it.
    pub(super) fn share(self, thread: usize) -> MoveShare<'a> {
        MoveShare {
            movement: self,
            thread,
        }
    }
}

/// Moves a thread's share of the touched rows.
pub(super) struct MoveShare<'a> {
    movement: Movement<'a>,
    thread: usize,
}

impl WithSimd for MoveShare<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { movement, thread } = self;
        let Movement {
            table,
            sums,
            scales,
            bits,
            width,
            rate,
        } = movement;
        let mut total = vec![Integers::ZERO; width];
        let mut floats = vec![Floats::ZERO; width];
        let mut magnitudes = Floats::ZERO;
        let slots = shared_out(sums, thread);
        let mut ahead = slots.clone().skip(AHEAD);
        for slot in slots {
            if let Some(slot) = ahead.next() {
                let (row, own) = (
                    table.address(slot),
                    Address::of(&sums[thread].sums, slot * width),
                );
                for line in 0..width {
                    row.prefetch_to_write(line);
                    own.prefetch(line);
                }
            }
            // A scale is a power of two: dividing by it is exact.
            let unit = 1.0 / scales.scale(bits[slot]);
            total_in_floats(sums, slot, unit, &mut total, &mut floats);
            #[expect(
                unsafe_code,
                reason = "rows shared out by slot are no ranges into which a table could be cut"
            )]
            // SAFETY: each slot is shared out to one thread.
            let row = unsafe { table.row_mut(slot) };
            move_row(row, &floats, rate);
            magnitudes = row.iter().fold(magnitudes, |magnitudes, piece| {
                magnitudes.max(piece.magnitudes())
            });
        }
        table.largest.raise(magnitudes);
    }
}

struct MoveRows<'a> {
    part: Part<'a>,
    sums: &'a [Floats],
    width: usize,
    rate: StepRate,
}

impl WithSimd for MoveRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            mut part,
            sums,
            width,
            rate,
        } = self;
        for (slot, sum) in sums.chunks_exact(width).enumerate() {
            move_row(part.row(slot, width), sum, rate);
        }
    }
}

/// Moves a row by `lr` times its sum, but no further than `clip`.
#[inline(always)]
pub(super) fn move_row(row: &mut [Floats], sum: &[Floats], rate: StepRate) {
    let mut squares = Floats::ZERO;
    for &sum in sum {
        squares = squares.add_product(sum, sum);
    }
    // The length is that of the sum, not of the step, whose squares overflow for learning rates
    // beyond reason.
    let length = squares.sum().sqrt();
    let factor = if rate.lr * length > rate.clip {
        rate.clip / length
    } else {
        rate.lr
    };
    for (piece, &sum) in row.iter_mut().zip(sum) {
        *piece = piece.add_scaled(factor, sum);
    }
}
