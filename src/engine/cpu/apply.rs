//! Second half of a step: each touched row moves by its sum, within the row limit.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::lanes::{Floats, Sums, Table, prefetch};
use super::window::SlotSums;

/// How many rows ahead rows are brought into the cache.
const AHEAD: usize = 4;

/// The numbers of a step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) lr: f32,
    pub(super) clip: f32,
    pub(super) scale: f32,
}

/// Consecutive slots, all they need cut out of the whole: rows are ascending, so that the pieces don't overlap.
struct Part<'a> {
    /// The table from the part's first row on.
    pieces: &'a mut [Floats],
    rows: &'a [u32],
    /// Every thread's sums and marks for these slots.
    sums: Vec<(&'a mut [Sums], &'a mut [bool])>,
}

/// Moves the touched rows of one table, and clears the sums of all threads.
pub(super) fn table(arch: Arch, table: &mut Table, rows: &[u32], sums: Vec<&mut SlotSums>, step: Step) {
    let width = table.width();
    let part_slots = rows.len().div_ceil(4 * rayon::current_num_threads()).max(1);
    let mut sums: Vec<(&mut [Sums], &mut [bool])> =
        sums.into_iter().map(|sums| (&mut sums.sums[..], &mut sums.touched[..])).collect();
    let mut pieces = table.pieces_mut();
    let mut first_row = 0;
    let mut parts = Vec::new();
    for rows in rows.chunks(part_slots) {
        let (first, last) = (rows[0] as usize, rows[rows.len() - 1] as usize);
        let rest = pieces.split_off_mut((first - first_row) * width..).expect("rows are ascending");
        let (own, rest) = rest.split_at_mut((last + 1 - first) * width);
        pieces = rest;
        first_row = last + 1;
        let sums = sums
            .iter_mut()
            .map(|(sums, touched)| {
                let own = sums.split_off_mut(..rows.len() * width).expect("every slot has its sums");
                (own, touched.split_off_mut(..rows.len()).expect("every slot has its mark"))
            })
            .collect();
        parts.push(Part { pieces: own, rows, sums });
    }
    parts.into_par_iter().for_each(|part| arch.dispatch(MoveRows { part, width, step }));
}

/// [`move_rows`], to be compiled for each kind of processor.
struct MoveRows<'a> {
    part: Part<'a>,
    width: usize,
    step: Step,
}

impl WithSimd for MoveRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        move_rows(self.part, self.width, self.step);
    }
}

#[inline(always)]
fn move_rows(part: Part<'_>, width: usize, step: Step) {
    let Part { pieces, rows, mut sums } = part;
    let mut total = vec![Sums::ZERO; width];
    // The fixed point's scale is a power of two: dividing by it is exact.
    let unit = 1.0 / step.scale;
    for (slot, &row) in rows.iter().enumerate() {
        if let Some(&ahead) = rows.get(slot + AHEAD) {
            prefetch(&pieces[(ahead - rows[0]) as usize * width..][..width]);
            for (sums, _) in &sums {
                prefetch(&sums[(slot + AHEAD) * width..][..width]);
            }
        }
        total.fill(Sums::ZERO);
        for (sums, touched) in &mut sums {
            if !std::mem::take(&mut touched[slot]) {
                continue;
            }
            for (total, sum) in total.iter_mut().zip(&mut sums[slot * width..][..width]) {
                total.take(sum);
            }
        }
        let mut squares = Floats::ZERO;
        for total in &total {
            let sum = Floats::ZERO.add_scaled(unit, total.to_floats());
            squares = squares.add_product(sum, sum);
        }
        // The length is that of the sum, not of the step, whose squares overflow for learning rates beyond reason.
        let length = squares.sum().sqrt();
        let factor = unit * if step.lr * length > step.clip { step.clip / length } else { step.lr };
        let row = &mut pieces[(row - rows[0]) as usize * width..][..width];
        for (piece, total) in row.iter_mut().zip(&total) {
            *piece = piece.add_scaled(factor, total.to_floats());
        }
    }
}
