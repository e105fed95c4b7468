//! First half of a step: every window's scores, loss and contributions, from the same W and W'.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::lanes::{Floats, LANES, Sums, Table, per_piece, prefetch, sum_of_lanes, vectors};
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
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { batch, windows, input, output, scale, scratch } = self;
        let mut loss = 0.0;
        for window in windows {
            if window + 1 < batch.windows() {
                prefetch_window(batch, window + 1, input, output, scratch);
            }
            let centers = batch.centers_of(window);
            for targets in batch.targets_of(window).chunks(TARGET_BLOCK) {
                let block = Block { batch, centers, targets, input, output, scale };
                // A constant number of targets keeps their sums in registers.
                loss += f64::from(match targets.len() {
                    1 => block.train::<S, 1>(simd, scratch),
                    2 => block.train::<S, 2>(simd, scratch),
                    3 => block.train::<S, 3>(simd, scratch),
                    4 => block.train::<S, 4>(simd, scratch),
                    5 => block.train::<S, 5>(simd, scratch),
                    6 => block.train::<S, 6>(simd, scratch),
                    7 => block.train::<S, 7>(simd, scratch),
                    _ => block.train::<S, TARGET_BLOCK>(simd, scratch),
                });
            }
        }
        loss
    }
}

/// Brings the next window's rows and sums into the cache: they are known by now.
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

/// A window's centers with up to [`TARGET_BLOCK`] of its targets.
struct Block<'a> {
    batch: &'a Batch,
    centers: &'a [u32],
    targets: &'a [Target],
    input: &'a Table,
    output: &'a Table,
    scale: f32,
}

impl Block<'_> {
    /// The cross product of the centers and `T` targets; returns its loss.
    ///
    /// Loops over the targets have a constant end, and nothing within them may fail to be inlined: arrays of registers
    /// would go to memory.
    #[expect(clippy::needless_range_loop, reason = "a part of a piece is named in several arrays")]
    #[inline(always)]
    fn train<S: Simd, const T: usize>(&self, simd: S, scratch: &mut Scratch) -> f32 {
        let &Self { batch, centers, targets, input, output, scale } = self;
        let width = input.width();
        let targets: &[Target; T] = targets.try_into().expect("the caller has counted them");
        let mut target_rows: [&[S::f32s]; T] = [&[]; T];
        for j in 0..T {
            let row = output.row(batch.target_rows[targets[j].slot()] as usize);
            target_rows[j] = &vectors::<S>(row)[..width * per_piece::<S>()];
        }
        scratch.places.clear();
        scratch.places.extend(
            centers
                .iter()
                .map(|&center| (batch.center_rows[center as usize] as usize * width, center as usize * width)),
        );
        let rows = input.pieces();

        // Scores: two rows of W against all targets at once, so that each vector of W' is loaded half as often.
        scratch.errors.clear();
        scratch.errors.resize((centers.len() * TARGET_BLOCK).next_multiple_of(LANES), 0.0);
        let pairs = scratch.places.chunks(2).zip(scratch.errors.chunks_exact_mut(LANES));
        for (places, scores) in pairs {
            let row = |place: &(usize, usize)| vectors::<S>(&rows[place.0..][..width]);
            // The last one may be alone.
            let [first, second] = [row(&places[0]), row(places.last().expect("chunks are not empty"))];
            // The vectors that make up a piece are summed each for itself.
            let mut products = [[[simd.splat_f32s(0.0); LANES]; T]; 2];
            for part in 0..per_piece::<S>() {
                let mut own = [[simd.splat_f32s(0.0); T]; 2];
                for c in 0..width {
                    let at = c * per_piece::<S>() + part;
                    let (x, y) = (first[at], second[at]);
                    for j in 0..T {
                        own[0][j] = simd.mul_add_f32s(x, target_rows[j][at], own[0][j]);
                        own[1][j] = simd.mul_add_f32s(y, target_rows[j][at], own[1][j]);
                    }
                }
                for j in 0..T {
                    products[0][j][part] = own[0][j];
                    products[1][j][part] = own[1][j];
                }
            }
            for j in 0..T {
                scores[j] = sum_of_lanes(simd, products[0][j]);
                scores[TARGET_BLOCK + j] = sum_of_lanes(simd, products[1][j]);
            }
        }

        // Scores become errors, 16 at a time: two centers with eight targets each.
        let mut signs = [0.0; LANES];
        for j in 0..T {
            signs[j] = if targets[j].label() { 1.0 } else { -1.0 };
            signs[j + TARGET_BLOCK] = signs[j];
        }
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

        // Contributions: vector by vector, each row of the window is read once and each sum is written once.
        let rows = vectors::<S>(rows);
        let center_sums: &mut [S::u32s] = bytemuck::cast_slice_mut(&mut scratch.centers.sums);
        let target_sums: &mut [S::u32s] = bytemuck::cast_slice_mut(&mut scratch.targets.sums);
        for at in 0..width * per_piece::<S>() {
            let mut target_vectors = [simd.splat_f32s(0.0); T];
            for j in 0..T {
                target_vectors[j] = target_rows[j][at];
            }
            let mut contributions = [simd.splat_f32s(0.0); T];
            for (&(row, sums), errors) in scratch.places.iter().zip(scratch.errors.chunks_exact(TARGET_BLOCK)) {
                let x = rows[row * per_piece::<S>() + at];
                let mut contribution = simd.splat_f32s(0.0);
                for j in 0..T {
                    let error = simd.splat_f32s(errors[j]);
                    contributions[j] = simd.mul_add_f32s(error, x, contributions[j]);
                    contribution = simd.mul_add_f32s(error, target_vectors[j], contribution);
                }
                add_fixed(simd, &mut center_sums[sums * per_piece::<S>() + at], contribution, scale);
            }
            for j in 0..T {
                let sums = &mut target_sums[targets[j].slot() * width * per_piece::<S>() + at];
                add_fixed(simd, sums, contributions[j], scale);
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
}

/// Adds a contribution, rounded to fixed point: to the nearest integer, ties to even.
#[inline(always)]
fn add_fixed<S: Simd>(simd: S, sums: &mut S::u32s, contribution: S::f32s, scale: f32) {
    let limit = simd.splat_f32s(GRADIENT_LIMIT);
    let limited = simd.min_f32s(simd.max_f32s(contribution, simd.neg_f32s(limit)), limit);
    let rounded = simd.mul_add_f32s(limited, simd.splat_f32s(scale), simd.splat_f32s(ROUND));
    let integers = simd.sub_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(ROUND.to_bits()));
    // In two's complement; wraps only for values that are no numbers, which the loss reports.
    *sums = simd.add_u32s(*sums, integers);
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
        let of = |contribution: f32| {
            let mut sum = 1u32;
            add_fixed(pulp::Scalar, &mut sum, contribution, 4.0);
            sum as i32
        };
        assert_eq!([0.374, -0.376, 1e9, -1e9, 0.125, 0.0].map(of), [2, -1, 33, -31, 1, 1]);
    }
}
