//! The number format of a batch's sums: 32-bit fixed point, with a scale for each row.
//!
//! Integer addition is associative, so a sum does not depend on the order in which threads add to
//! it. A number format has a range and a precision; both follow from what a row can receive:
//!
//! - **Range.** A contribution is a sum of products e·x of an error, |e| <= 1, and an element of
//!   the other table. With n products in all and no element of that table beyond 2^m, no sum
//!   exceeds n·2^m. The batch knows n for every row
//!   ([`Batch::center_bits`](crate::batch::Batch::center_bits)), and an engine knows m
//!   ([`Matrix::largest`]). A row that is touched once keeps its precision beside one that is
//!   touched a million times.
//! - **Precision.** A contribution y = x·scale is rounded to floor(y + u + 1/2) with u uniform in
//!   ±1/2: on average it is y, however small. Small contributions to a frequent row would all
//!   vanish if each were rounded to the nearest integer.
//!
//! The mean of a sum over the draws is the exact sum to within 2^-22 of the magnitudes that add up
//! in it, which is what floats lose too; its standard deviation is half a unit (1 / scale) times
//! the root of the number of contributions.
//!
//! Draws are functions of the step and of the window, or of the span for contributions to centers.
//! All elements and all rows of a window share a draw. Contributions that add up in a row come from
//! different windows, and there draws must be unrelated. Twin: `shaders/fixed_point.wgsl`.
//!
//! [`Matrix::largest`]: crate::model::Matrix::largest

use rand::Rng;

use crate::sampling::{Key, Stream};

/// A sum stays within ± 2 to this power before rounding. Rounding moves it by less than 1 a
/// contribution, which leaves room for 2^30 contributions.
pub const SUM_BITS: u32 = 30;

/// A contribution stays within ± 2 to this power: below 2^22 a float is rounded to an integer by
/// adding 1.5 · 2^23.
pub const CONTRIBUTION_BITS: u32 = 21;

/// Exponents, as a float's bits have them, that count as the least and the greatest: 2^-63 and
/// 2^113. Scales and their inverses then are normal floats. Scores of larger elements are infinite,
/// which the loss reports.
pub(super) const EXPONENTS: [u32; 2] = [64, 240];

/// The exponent of the scale that leaves no room for several products, and that of the largest
/// element, together: elements are below 2 to the power of their exponent less 126, and the
/// exponent of 1 is 127.
pub(super) const BASE: u32 = 127 + SUM_BITS + 126;

/// The bit that keeps the draws for centers apart from those for targets. The draw for
/// contributions to centers has the number of the span and this bit as its index; the draw for
/// contributions to targets has the number of the window.
pub const OF_CENTERS: u32 = 1 << 31;

/// Adding it to a float below 2^22 rounds that to an integer, ties to even, which the low bits of
/// the sum then are.
pub(super) const ROUND: f32 = 1.5 * (1 << 23) as f32;

/// The scales of the sums for one table's rows in one batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scales {
    /// The exponent, as a float's bits have it, of the scale that leaves no room for several
    /// products.
    base: u32,
    /// Bits of room that every row has, whatever its number of products: one contribution needs as
    /// many.
    least: u32,
}

impl Scales {
    /// For contributions of elements up to `largest` in magnitude, none of more products than
    /// `contribution_bits` bits can count.
    pub fn new(largest: f32, contribution_bits: u8) -> Self {
        let [low, high] = EXPONENTS;
        let exponent = (largest.to_bits() >> 23).clamp(low, high);
        Self {
            base: BASE - exponent,
            least: least_room(contribution_bits),
        }
    }

    /// The scales of elements up to `largest` with so many bits of room for every row.
    #[cfg(any(feature = "gpu", test))]
    pub(super) fn with_room(largest: f32, least: u32) -> Self {
        Self {
            least,
            ..Self::new(largest, 0)
        }
    }

    /// The bits of room that every row has.
    #[cfg(any(feature = "gpu", test))]
    pub(super) fn least_room(self) -> u32 {
        self.least
    }

    /// Whether the scales are those of elements up to `largest`.
    pub(super) fn are_for(self, largest: f32) -> bool {
        self.base == Self::new(largest, 0).base
    }

    /// The power of two by which contributions to a row are multiplied, whose products `bits` bits
    /// can count.
    #[inline(always)]
    pub fn scale(self, bits: u8) -> f32 {
        f32::from_bits(self.base.saturating_sub(self.least.max(u32::from(bits))) << 23)
    }
}

/// The number format of a batch's sums: how contributions become integers.
#[derive(Clone, Copy, Debug)]
pub(super) struct SumFormat {
    /// The scales of the sums for rows of W.
    pub(super) centers: Scales,
    /// The scales of the sums for rows of W'.
    pub(super) targets: Scales,
    /// The part of the draws' key that identifies the step: [`key`].
    pub(super) key: u32,
}

/// Bits of room that a sum needs for a single contribution to be no larger than
/// [`CONTRIBUTION_BITS`] allow.
pub fn least_room(contribution_bits: u8) -> u32 {
    u32::from(contribution_bits) + SUM_BITS - CONTRIBUTION_BITS
}

/// The part of the draws' key that identifies the step; window or span is mixed in later. A step is
/// known by the words seen before it, so that a resumed run draws as one without a break.
pub fn key(words_before: u64) -> u32 {
    Key::new(0, 0, Stream::FixedPoint)
        .at(words_before)
        .next_u32()
}

/// The draw for the contributions of a window or span: an odd multiple of 2^-24 between -1/2 and
/// 1/2.
///
/// The index is hashed by two rounds of multiplication and shift (the constants of Wellons's
/// `lowbias32`, 2018).
#[inline(always)]
pub fn draw(key: u32, index: u32) -> f32 {
    let mut x = index.wrapping_mul(0x9e37_79b9).wrapping_add(key);
    x = (x ^ x >> 16).wrapping_mul(0x7feb_352d);
    x = (x ^ x >> 15).wrapping_mul(0x846c_a68b);
    x ^= x >> 16;
    ((x >> 8 | 1) as i32 - (1 << 23)) as f32 * (1.0 / (1 << 24) as f32)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A contribution as the engines round it.
    fn round(contribution: f32, scale: f32, draw: f32) -> i64 {
        let rounded = contribution.mul_add(scale, draw) + ROUND;
        i64::from(rounded.to_bits().wrapping_sub(ROUND.to_bits()) as i32)
    }

    fn bits(products: u32) -> u8 {
        (32 - products.leading_zeros()) as u8
    }

    /// Every draw that there is, thinned out evenly.
    fn draws() -> impl Iterator<Item = f32> {
        (0..1 << 12).map(|k: i32| ((k << 12 | 1 << 11 | 1) - (1 << 23)) as f32 / (1 << 24) as f32)
    }

    /// Magnitudes of the largest element: usual ones, none at all, and those of a run that
    /// diverges.
    fn largest() -> impl Strategy<Value = f32> {
        prop_oneof![1e-4f32..10.0, Just(0.0), 1e-30f32..1e-20, 1e10f32..1e30]
    }

    proptest! {
        /// All products as large as they can be and of one sign, in contributions of any size, each
        /// rounded away from zero.
        #[test]
        fn no_sum_overflows(products in 1u32..=100_000_000, share in 0.0f64..1.0, largest in largest()) {
            let each = ((f64::from(products)).powf(share) as u32).max(1);
            let scale = Scales::new(largest, bits(each)).scale(bits(products));
            let contribution = (f64::from(each) * f64::from(largest)) as f32;
            for sign in [1.0, -1.0] {
                let rounded = round(sign * contribution, scale, sign * 0.499_999_97);
                prop_assert!(rounded.abs() <= 1 << CONTRIBUTION_BITS);
                let sum = rounded * i64::from(products / each);
                prop_assert!(sum.abs() <= i64::from(i32::MAX), "{sum}");
            }
        }

        /// No bit of precision is given away beyond the two that powers of two cost, and one for
        /// what rounding adds.
        #[test]
        fn a_sum_uses_its_range(products in 512u32..=100_000_000, largest in 1e-4f32..10.0) {
            let scale = f64::from(Scales::new(largest, 1).scale(bits(products)));
            let sum = f64::from(products) * f64::from(largest) * scale;
            prop_assert!(sum > f64::from(1 << (SUM_BITS - 2)) * 0.999, "{sum}");
        }

        /// The mean over all draws is the contribution: to within 2^-13, half the distance of the
        /// draws tried here, of a unit, and 2^-23 of the contribution.
        #[test]
        fn rounding_has_no_bias(share in -1.0f64..1.0, products in 1u32..=10_000_000, largest in 1e-4f32..10.0) {
            let scale = Scales::new(largest, 1).scale(bits(products));
            let contribution = (share * f64::from(largest)) as f32;
            let exact = f64::from(contribution) * f64::from(scale);
            let sum: i64 = draws().map(|draw| round(contribution, scale, draw)).sum();
            let mean = sum as f64 / draws().count() as f64;
            let allowed = 2f64.powi(-13) + exact.abs() * 2f64.powi(-22);
            prop_assert!((mean - exact).abs() <= allowed, "{mean} {exact}");
        }
    }

    /// Sums of 1 to 10^7 contributions, from far below a unit to as large as can be: five standard
    /// deviations.
    #[test]
    fn the_mean_of_a_sum_is_the_exact_one() {
        for count in [1u32, 10, 1000, 100_000, 10_000_000] {
            let scale = Scales::new(1.0, 1).scale(bits(count));
            for size in [1.0, 0.01, 1e-3] {
                let contribution = |i: u32| {
                    size * if i.is_multiple_of(4) {
                        -0.3
                    } else {
                        0.7 + (i % 7) as f32 * 0.04
                    }
                };
                let sum: i64 = (0..count)
                    .map(|i| round(contribution(i), scale, draw(key(77), i)))
                    .sum();
                let exact: f64 = (0..count)
                    .map(|i| f64::from(contribution(i)) * f64::from(scale))
                    .sum();
                let deviation = 0.5 * f64::from(count).sqrt();
                let allowed = 5.0 * deviation + exact.abs() * 2f64.powi(-21);
                assert!(
                    (sum as f64 - exact).abs() <= allowed,
                    "{count} of {size}: {sum} {exact}"
                );
                // Contributions below half a unit, each of which is 0 to the nearest integer, are
                // not lost.
                if count == 10_000_000 && size == 1e-3 {
                    assert!(
                        f64::from(size * scale) < 0.5 && exact > 100.0 * deviation,
                        "{exact}"
                    );
                }
            }
        }
    }

    /// Pearson's chi-square of draws at successive places, of the same place in successive steps,
    /// and of neighbours.
    #[test]
    fn draws_are_uniform_and_neighbours_unrelated() {
        let (cells, n) = (64, 64_000u32);
        let cell = |draw: f32, cells: f32| ((draw + 0.5) * cells) as usize;
        let walks: [&dyn Fn(u32) -> f32; 3] = [
            &|i| draw(key(3), i),
            &|i| draw(key(3), i | OF_CENTERS),
            &|i| draw(key(u64::from(i) * 9000), 5),
        ];
        for walk in walks {
            let (mut alone, mut pairs) = (vec![0f64; cells], vec![0f64; cells]);
            for i in 0..n {
                alone[cell(walk(i), 64.0)] += 1.0;
                pairs[cell(walk(i), 8.0) * 8 + cell(walk(i + 1), 8.0)] += 1.0;
            }
            let expected = f64::from(n) / cells as f64;
            for seen in [alone, pairs] {
                let chi2: f64 = seen.iter().map(|s| (s - expected).powi(2) / expected).sum();
                // 63 degrees of freedom: 103.4 is passed once in a thousand; the draws are fixed.
                assert!(chi2 < 103.4, "{chi2}");
            }
        }
    }

    /// Infinity and NaN make scales that are normal floats.
    #[test]
    fn scales_are_normal_floats() {
        for largest in [
            0.0,
            f32::MIN_POSITIVE,
            1.0,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
        ] {
            for (contribution, all) in [(0, 0), (32, 32), (1, 32)] {
                let scale = Scales::new(largest, contribution).scale(all);
                assert!(
                    scale.is_normal() && (1.0 / scale).is_normal(),
                    "{largest} {scale}"
                );
            }
        }
    }
}
