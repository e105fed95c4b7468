//! Matrices stored in 16 bits: stochastic rounding, the same in every engine.
//!
//! An element moves by far less than the distance to its neighbour among 16-bit floats; rounded to
//! the nearest it would never move. So a value between two neighbours becomes the upper one with
//! the probability of its share of the way there: every move counts on average. A value that 16
//! bits can hold stays, whatever the draw.
//!
//! Draws are functions of seed, step, table, row and column. Twins:
//! `shaders/round_half.wgsl` and `shaders/widen_half.wgsl`.

use half::f16;

use crate::sampling::{Key, Stream};

/// The part of the draws' key that identifies the step; table, row and column are mixed in later. A
/// step is known by the words seen before it, so that a resumed run draws as one without a break.
pub(super) fn key(seed: u64, words_before: u64) -> [u32; 2] {
    use rand::Rng;
    let bits = Key::new(seed, 0, Stream::Rounding)
        .at(words_before)
        .next_u64();
    [bits as u32, (bits >> 32) as u32]
}

/// Draws for the four elements of a row's column: the hash PCG4D (Jarzynski and Olano 2020).
pub(super) fn draws(key: [u32; 2], is_output: bool, row: u32, column: u32) -> [u32; 4] {
    let mut v = [key[0], key[1], row, 2 * column + u32::from(is_output)];
    let mix = |v: &mut [u32; 4]| {
        for [to, a, b] in [[0, 1, 3], [1, 2, 0], [2, 0, 1], [3, 1, 2]] {
            v[to] = v[to].wrapping_add(v[a].wrapping_mul(v[b]));
        }
    };
    v = v.map(|word| word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    mix(&mut v);
    v = v.map(|word| word ^ word >> 16);
    mix(&mut v);
    v
}

/// The 16-bit float below or above a value, towards zero or away from it, as the draw says. Values
/// beyond the largest become the largest. Infinity and NaN stay as they are. There is no negative
/// zero.
pub(super) fn round(value: f64, draw: u32) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let magnitude = value.abs().min(f16::MAX.to_f64());
    // The distance of neighbours: ten bits below the leading one, and the same for all subnormal
    // numbers.
    let exponent = ((magnitude.to_bits() >> 52) as i32 - 1023).max(-14);
    let unit = f64::from(exponent - 10).exp2();
    let units = magnitude / unit;
    let up = f64::from(draw) < units.fract() * 2f64.powi(32);
    let rounded = (units.floor() + f64::from(u8::from(up))) * unit;
    if rounded == 0.0 {
        0.0
    } else {
        rounded.copysign(value)
    }
}

#[cfg(any(feature = "gpu", test))]
/// The bits of the nearest 16-bit float. There is no negative zero.
pub(super) fn nearest(value: f32) -> u16 {
    match f16::from_f32(value).to_bits() {
        0x8000 => 0,
        bits => bits,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DRAWS: [u32; 4] = [0, 1, 1 << 31, u32::MAX];

    #[test]
    fn what_16_bits_hold_stays() {
        for half in (0..=u16::MAX)
            .map(f16::from_bits)
            .filter(|half| half.is_finite())
        {
            for draw in DRAWS {
                let rounded = round(half.to_f64(), draw);
                assert!(
                    rounded == half.to_f64() && (rounded != 0.0 || rounded.is_sign_positive()),
                    "{half}"
                );
            }
            assert_eq!(f16::from_bits(nearest(half.to_f32())), half);
        }
    }

    #[test]
    fn nothing_becomes_infinite_and_no_failure_is_hidden() {
        for value in [65_504.5, 65_519.0, 1e9, f64::MAX] {
            for draw in DRAWS {
                assert_eq!(
                    (round(value, draw), round(-value, draw)),
                    (65_504.0, -65_504.0)
                );
            }
        }
        assert!(round(f64::NAN, 0).is_nan() && round(f64::INFINITY, 0).is_infinite());
    }

    proptest! {
        /// The share of the 2^32 draws that leads up is exactly the share of the way there: no
        /// bias at all.
        #[test]
        fn as_many_draws_lead_up_as_should(bits in 0u16..0x7bff, share in 0u32..8192, negative: bool) {
            let (lower, upper) = (f16::from_bits(bits).to_f64(), f16::from_bits(bits + 1).to_f64());
            let sign = if negative { -1.0 } else { 1.0 };
            let value = sign * (lower + (upper - lower) * f64::from(share) / 8192.0);
            let leading_up = share << 19;
            prop_assert_eq!(round(value, leading_up), sign * lower);
            prop_assert_eq!(round(value, u32::MAX), sign * lower);
            if leading_up > 0 {
                prop_assert_eq!(round(value, leading_up - 1), sign * upper);
                prop_assert_eq!(round(value, 0), sign * upper);
            }
        }
    }

    /// Pearson's chi-square of the draws along rows, columns and steps, and of pairs of neighbours
    /// in each direction.
    #[test]
    fn draws_are_uniform_and_neighbours_unrelated() {
        let at = |step: u64| key(7, step);
        let (zero, n) = (at(0), 64_000u32);
        type Walk<'a> = Box<dyn Fn(u32) -> [u32; 4] + 'a>;
        let walks: [Walk<'_>; 4] = [
            Box::new(|i| draws(zero, false, i, 0)),
            Box::new(|i| draws(zero, true, 3, i)),
            Box::new(|i| draws(at(u64::from(i) * 1000), false, 3, 5)),
            Box::new(|i| draws(zero, i % 2 == 1, i / 2, 1)),
        ];
        for walk in walks {
            for element in 0..4 {
                let mut alone = [0f64; 64];
                let mut pairs = [0f64; 64];
                for i in 0..n {
                    let (own, next) = (walk(i)[element], walk(i + 1)[(element + 1) % 4]);
                    alone[(own >> 26) as usize] += 1.0;
                    pairs[(own >> 29 << 3 | next >> 29) as usize] += 1.0;
                }
                let expected = f64::from(n) / 64.0;
                for seen in [alone, pairs] {
                    let chi2: f64 = seen.iter().map(|s| (s - expected).powi(2) / expected).sum();
                    // 63 degrees of freedom: 115 is passed 6 times in 100,000; the draws are fixed,
                    // so this cannot flicker.
                    assert!(chi2 < 115.0, "{chi2}");
                }
            }
        }
    }

    /// A value a tenth of the way up, rounded in many places, is itself on average.
    #[test]
    fn rounding_is_unbiased() {
        let unit = 2f64.powi(-14);
        let (value, n) = (0.1 + 0.1 * unit, 40_000);
        let value = f16::from_f64(0.1).to_f64() + (value - 0.1);
        let mean = (0..n)
            .map(|row| round(value, draws([1, 2], false, row, 9)[2]))
            .sum::<f64>()
            / f64::from(n);
        // The standard error is unit * sqrt(0.1 * 0.9 / n).
        let error = unit * (0.09 / f64::from(n)).sqrt();
        assert!((mean - value).abs() < 4.0 * error, "{mean} {value}");
    }
}
