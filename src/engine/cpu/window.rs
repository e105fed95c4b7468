//! First half of a step: every window's scores, loss and contributions, from the same W and W'.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::lanes::{Floats, LANES, Sums, Table, prefetch};
use crate::batch::{Batch, TARGET_BLOCK, Target};
use crate::engine::GRADIENT_LIMIT;

/// Floats from here on have a spacing of 1: adding it rounds to an integer, which the low bits of the sum then are.
const ROUND: f32 = 1.5 * (1 << 23) as f32;

/// What one thread adds to and works in.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Sums for the rows of W, slot after slot.
    pub(super) centers: SlotSums,
    /// Sums for the rows of W'.
    pub(super) targets: SlotSums,
    /// Errors of a block of targets: [`TARGET_BLOCK`] for each center of the window.
    errors: Vec<f32>,
    /// Where the row of W and the sums of each center of the window start, in pieces.
    places: Vec<(usize, usize)>,
}

/// Fixed-point sums by slot. Slots that were not touched are zero.
#[derive(Debug, Default)]
pub(super) struct SlotSums {
    pub(super) sums: Vec<Sums>,
    /// Whether a slot was touched: what was not need not be read again.
    pub(super) touched: Vec<bool>,
}

impl SlotSums {
    fn fit(&mut self, slots: usize, width: usize) {
        if self.touched.len() < slots {
            self.touched.resize(slots, false);
            self.sums.resize(slots * width, Sums::ZERO);
        }
    }
}

impl Scratch {
    /// Makes room for a batch.
    pub(super) fn fit(&mut self, batch: &Batch, width: usize) {
        self.centers.fit(batch.center_rows.len(), width);
        self.targets.fit(batch.target_rows.len(), width);
    }
}

/// Some windows of a batch, to be trained by one thread.
pub(super) struct Train<'a> {
    pub(super) batch: &'a Batch,
    pub(super) windows: Range<usize>,
    pub(super) input: &'a Table,
    pub(super) output: &'a Table,
    pub(super) scale: f32,
    pub(super) scratch: &'a mut Scratch,
}

impl WithSimd for Train<'_> {
    /// The loss of the windows.
    type Output = f64;

    /// Adds up the contributions. All that is called from here is inlined, and so compiled for each kind of processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        train(self)
    }
}

#[inline(always)]
fn train(Train { batch, windows, input, output, scale, scratch }: Train<'_>) -> f64 {
    let mut loss = 0.0;
    for window in windows {
        if window + 1 < batch.windows() {
            prefetch_window(batch, window + 1, input, output, scratch);
        }
        let centers = batch.centers_of(window);
        for targets in batch.targets_of(window).chunks(TARGET_BLOCK) {
            // A constant number of targets keeps their sums in registers.
            loss += f64::from(match targets.len() {
                1 => block::<1>(batch, centers, targets, input, output, scale, scratch),
                2 => block::<2>(batch, centers, targets, input, output, scale, scratch),
                3 => block::<3>(batch, centers, targets, input, output, scale, scratch),
                4 => block::<4>(batch, centers, targets, input, output, scale, scratch),
                5 => block::<5>(batch, centers, targets, input, output, scale, scratch),
                6 => block::<6>(batch, centers, targets, input, output, scale, scratch),
                7 => block::<7>(batch, centers, targets, input, output, scale, scratch),
                _ => block::<TARGET_BLOCK>(batch, centers, targets, input, output, scale, scratch),
            });
        }
    }
    loss
}

/// Half the speed of the engine comes from this: all rows of the next window are known by now.
#[inline(always)]
fn prefetch_window(batch: &Batch, window: usize, input: &Table, output: &Table, scratch: &Scratch) {
    let width = input.width();
    for &center in batch.centers_of(window) {
        prefetch(input.row(batch.center_rows[center as usize] as usize));
        prefetch(&scratch.centers.sums[center as usize * width..][..width]);
    }
    for target in batch.targets_of(window) {
        prefetch(output.row(batch.target_rows[target.slot()] as usize));
        prefetch(&scratch.targets.sums[target.slot() * width..][..width]);
    }
}

/// The cross product of a window's centers with `T` of its targets; returns its loss.
#[inline(always)]
fn block<const T: usize>(
    batch: &Batch,
    centers: &[u32],
    targets: &[Target],
    input: &Table,
    output: &Table,
    scale: f32,
    scratch: &mut Scratch,
) -> f32 {
    let width = input.width();
    let targets: [Target; T] = std::array::from_fn(|j| targets[j]);
    let target_rows: [&[Floats]; T] =
        std::array::from_fn(|j| &output.row(batch.target_rows[targets[j].slot()] as usize)[..width]);
    scratch.places.clear();
    scratch.places.extend(
        centers.iter().map(|&center| (batch.center_rows[center as usize] as usize * width, center as usize * width)),
    );
    let rows = input.pieces();

    // Scores: one row of W against all targets at once.
    scratch.errors.clear();
    scratch.errors.resize((centers.len() * TARGET_BLOCK).next_multiple_of(LANES), 0.0);
    for (&(row, _), scores) in scratch.places.iter().zip(scratch.errors.chunks_exact_mut(TARGET_BLOCK)) {
        let row = &rows[row..][..width];
        let mut products = [Floats::ZERO; T];
        for c in 0..width {
            for j in 0..T {
                products[j] = products[j].add_product(row[c], target_rows[j][c]);
            }
        }
        for j in 0..T {
            scores[j] = products[j].sum();
        }
    }

    // Scores become errors, 16 at a time: two centers with eight targets each.
    let signs: [f32; LANES] = std::array::from_fn(|lane| match targets.get(lane % TARGET_BLOCK) {
        Some(target) => {
            if target.label() {
                1.0
            } else {
                -1.0
            }
        }
        None => 0.0,
    });
    let mut loss = [0.0f32; LANES];
    let pairs = scratch.errors.chunks_exact_mut(LANES);
    for (pair, errors) in pairs.enumerate() {
        let present = if 2 * pair + 1 < centers.len() { LANES } else { TARGET_BLOCK };
        for lane in 0..LANES {
            let sign = if lane < present { signs[lane] } else { 0.0 };
            let (error, own) = error_and_loss(sign, errors[lane]);
            errors[lane] = error;
            loss[lane] += own;
        }
    }

    // Contributions: piece by piece, each row of the window is read once and each sum is written once.
    let errors = &scratch.errors[..];
    for c in 0..width {
        let target_pieces: [Floats; T] = std::array::from_fn(|j| target_rows[j][c]);
        let mut target_sums = [Floats::ZERO; T];
        for (&(row, sums), errors) in scratch.places.iter().zip(errors.chunks_exact(TARGET_BLOCK)) {
            let piece = rows[row + c];
            let mut center_sum = Floats::ZERO;
            for j in 0..T {
                target_sums[j] = target_sums[j].add_scaled(errors[j], piece);
                center_sum = center_sum.add_scaled(errors[j], target_pieces[j]);
            }
            add_fixed(&mut scratch.centers.sums[sums + c], center_sum, scale);
        }
        for j in 0..T {
            add_fixed(&mut scratch.targets.sums[targets[j].slot() * width + c], target_sums[j], scale);
        }
    }
    for &center in centers {
        scratch.centers.touched[center as usize] = true;
    }
    for target in targets {
        scratch.targets.touched[target.slot()] = true;
    }
    Floats(loss).sum()
}

/// Adds a contribution, rounded to fixed point: to the nearest integer, ties to even.
#[inline(always)]
fn add_fixed(sums: &mut Sums, contribution: Floats, scale: f32) {
    for (sum, value) in sums.0.iter_mut().zip(contribution.0) {
        let limited = value.clamp(-GRADIENT_LIMIT, GRADIENT_LIMIT);
        let rounded = limited.mul_add(scale, ROUND).to_bits() as i32;
        // Wraps only for values that are no numbers, which the loss reports.
        *sum = sum.wrapping_add(rounded.wrapping_sub(ROUND.to_bits() as i32));
    }
}

/// Error `y - s(z)` and loss of a score `z`, for `sign` 1 (label 1), -1 (label 0) or 0 (nothing there).
///
/// With a = sign z, the error is sign s(-a) and the loss log(1 + e^-a). Both come from t = e^-|a|:
/// s(-a) is t / (1 + t) for a >= 0 and 1 / (1 + t) below, and log(1 + e^-a) = max(-a, 0) + log(1 + t).
#[inline(always)]
fn error_and_loss(sign: f32, score: f32) -> (f32, f32) {
    let a = sign * score;
    let t = exp_of_negative(-a.abs());
    let share = 1.0 / (1.0 + t);
    let error = sign * if a >= 0.0 { t * share } else { share };
    let ramp = if a < 0.0 { -a } else { 0.0 };
    (error, sign.abs() * (ramp + log_of_one_plus(t)))
}

/// e^x for x <= 0, to within 2 units in the last place, 0 below -87.
#[inline(always)]
pub(super) fn exp_of_negative(x: f32) -> f32 {
    // ln 2 in two parts, the first with few bits, so that n times it is exact (Cody and Waite).
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    // Taylor's polynomial on |r| <= ln 2 / 2: the next term, r^7 / 5040, is below 1.2e-7.
    let p = r.mul_add(1.0 / 720.0, 1.0 / 120.0);
    let p = r.mul_add(p, 1.0 / 24.0);
    let p = r.mul_add(p, 1.0 / 6.0);
    let p = r.mul_add(p, 0.5);
    let p = r.mul_add(p, 1.0);
    let p = r.mul_add(p, 1.0);
    // 2^n from its exponent bits.
    let exponent = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32).wrapping_add(127);
    let power = f32::from_bits((exponent as u32) << 23);
    if x < -87.0 { 0.0 } else { p * power }
}

/// log(1 + t) for t in 0..=1, to within 2e-7.
///
/// With u = t / (2 + t), log(1 + t) = 2 (u + u^3 / 3 + u^5 / 5 + ...), and u <= 1/3.
#[inline(always)]
fn log_of_one_plus(t: f32) -> f32 {
    let u = t / (2.0 + t);
    let v = u * u;
    let p = v.mul_add(2.0 / 11.0, 2.0 / 9.0);
    let p = v.mul_add(p, 2.0 / 7.0);
    let p = v.mul_add(p, 2.0 / 5.0);
    let p = v.mul_add(p, 2.0 / 3.0);
    u * v.mul_add(p, 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reference::{sigmoid, softplus};

    #[test]
    fn errors_and_losses_agree_with_f64() {
        for i in -4000..=4000 {
            let score = i as f32 * 0.01;
            for (sign, label) in [(1.0, 1.0), (-1.0, 0.0)] {
                let (error, loss) = error_and_loss(sign, score);
                let expected = label - sigmoid(f64::from(score));
                let expected_loss = softplus(f64::from(-sign * score));
                assert!((f64::from(error) - expected).abs() < 2e-7, "{score}: {error} {expected}");
                assert!((f64::from(loss) - expected_loss).abs() < 3e-7 * expected_loss.max(1.0), "{score}: {loss}");
            }
        }
    }

    #[test]
    fn extremes_stay_finite_and_nothing_there_adds_nothing() {
        assert_eq!(error_and_loss(1.0, -1e30), (1.0, 1e30));
        assert_eq!(error_and_loss(1.0, 1e30), (0.0, 0.0));
        assert_eq!(error_and_loss(0.0, 3.0), (0.0, 0.0));
        let (error, loss) = error_and_loss(1.0, f32::NAN);
        assert!(error.is_nan() && loss.is_nan());
    }

    #[test]
    fn contributions_round_to_nearest_and_stop_at_the_limit() {
        let mut sums = Sums([1; LANES]);
        let mut contribution = Floats::ZERO;
        contribution.0[..5].copy_from_slice(&[0.374, -0.376, 1e9, -1e9, 0.125]);
        add_fixed(&mut sums, contribution, 4.0);
        assert_eq!(sums.0[..6], [2, -1, 33, -31, 1, 1]);
    }
}
