//! Draws from a fixed discrete distribution in constant time.
//!
//! ```
//! use w2v_gpu::sampling::AliasTable;
//!
//! let noise = AliasTable::noise(&[100, 10, 1], 0.75);
//! assert!(noise.outcome(0x0123_4567_89ab_cdef) < 3);
//! ```

use super::below;

/// Walker's alias table in Vose's construction: a column for each outcome. At most two outcomes
/// share a column.
///
/// A draw reads one column, which has 8 bytes. (Vose 1991, "A linear algorithm for generating
/// random numbers with a given distribution".)
#[derive(Clone, Debug)]
pub struct AliasTable {
    columns: Vec<Column>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    /// The column's own outcome is taken when 32 random bits do not exceed this.
    threshold: u32,
    /// The other outcome of this column.
    alias: u32,
}

impl AliasTable {
    /// A table for fewer than 2^32 weights. They must be finite and not negative, and not all zero.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut share: Vec<f64> = weights.into_iter().collect();
        let total: f64 = share.iter().sum();
        assert!(
            total > 0.0 && total.is_finite(),
            "weights must be finite and not all zero"
        );
        let n = share.len();
        share.iter_mut().for_each(|w| *w *= n as f64 / total);

        let mut columns: Vec<Column> = (0..n as u32)
            .map(|alias| Column {
                threshold: u32::MAX,
                alias,
            })
            .collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..n).partition(|&i| share[i] < 1.0);
        while let (Some(&lack), Some(&give)) = (small.last(), large.last()) {
            small.pop();
            columns[lack] = Column {
                threshold: (share[lack] * 2f64.powi(32)) as u32,
                alias: give as u32,
            };
            share[give] -= 1.0 - share[lack];
            if share[give] < 1.0 {
                large.pop();
                small.push(give);
            }
        }
        // The columns that are left are full except for rounding, and keep their own outcomes.
        Self { columns }
    }

    /// The noise distribution of negative sampling: counts raised to `exponent`, which is 0.75 in
    /// word2vec (Mikolov et al. 2013).
    pub fn noise(counts: &[u64], exponent: f64) -> Self {
        Self::new(counts.iter().map(|&count| (count as f64).powf(exponent)))
    }

    /// The outcome that 64 random bits select.
    #[inline]
    pub fn outcome(&self, bits: u64) -> u32 {
        let own = below(self.columns.len() as u32, (bits >> 32) as u32);
        let column = self.columns[own as usize];
        if bits as u32 <= column.threshold {
            own
        } else {
            column.alias
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng;

    use super::*;
    use crate::sampling::{Key, Stream};

    #[test]
    fn draws_follow_the_weights() {
        let counts = [1000u64, 300, 299, 50, 7, 1];
        let table = AliasTable::noise(&counts, 0.75);
        let weights: Vec<f64> = counts.iter().map(|&c| (c as f64).powf(0.75)).collect();
        let total: f64 = weights.iter().sum();
        let n = 200_000;
        let mut seen = [0f64; 6];
        let mut rng = Key::new(1, 0, Stream::Windows).at(0);
        (0..n).for_each(|_| seen[table.outcome(rng.next_u64()) as usize] += 1.0);
        let chi2: f64 = seen
            .iter()
            .zip(&weights)
            .map(|(s, w)| (s - w / total * n as f64).powi(2) / (w / total * n as f64))
            .sum();
        // 5 degrees of freedom: 20.5 is passed once in a thousand.
        assert!(chi2 < 20.5, "{chi2}");
    }

    proptest! {
        /// Added up over its columns, the probability that the table gives to an outcome is the
        /// outcome's share of the weights.
        #[test]
        fn the_table_holds_the_distribution(weights in prop::collection::vec(0.0f64..1e6, 1..200)) {
            let total: f64 = weights.iter().sum();
            prop_assume!(total > 0.0);
            let table = AliasTable::new(weights.iter().copied());
            let mut mass = vec![0.0; weights.len()];
            for (own, column) in table.columns.iter().enumerate() {
                let kept = (f64::from(column.threshold) + 1.0) / 2f64.powi(32);
                mass[own] += kept;
                mass[column.alias as usize] += 1.0 - kept;
            }
            for (mass, weight) in mass.iter().zip(&weights) {
                // Each column rounds by at most 2^-32.
                prop_assert!((mass / weights.len() as f64 - weight / total).abs() < 1e-8);
            }
        }
    }
}
