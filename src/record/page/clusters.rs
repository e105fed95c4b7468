//! Clusters of words: k-means on their unit vectors.

use rand::Rng;
use rayon::prelude::*;

use crate::sampling::{Key, Stream, below};
use crate::vectors::similarity::product;

/// The most clusters. People hardly tell more colours apart.
const MOST: usize = 12;

/// Words in a cluster on average, at least. Fewer words have fewer clusters.
const SMALLEST: usize = 16;

/// Number of attempts, from different random centers. The best one is taken.
const ATTEMPTS: u64 = 4;

/// The most rounds of an attempt.
const ROUNDS: usize = 60;

/// Number of words that name a cluster: the most frequent ones among its [`CENTRAL`] words.
const NAMED: usize = 3;

/// Number of words nearest to the mean of a cluster among which its name is looked for; of a larger
/// cluster it is an eighth of the words.
const CENTRAL: usize = 12;

/// Rows that a thread takes at once.
const BLOCK: usize = 256;

/// The clusters of some rows, largest first.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Clusters {
    /// The cluster of each row.
    pub(super) cluster: Vec<u32>,
    /// The rows that name each cluster: near to its mean, the more frequent words first. Empty if
    /// there is one cluster only.
    pub(super) named: Vec<Vec<u32>>,
}

/// Rows with their nearest centers.
struct Partition {
    /// For each row, the number of its center and the squared distance to it.
    nearest: Vec<(u32, f32)>,
    centers: usize,
}

impl Clusters {
    /// Divides unit vectors of `dim` values. The result does not depend on the number of threads.
    pub(super) fn of(units: &[f32], dim: usize) -> Self {
        let rows = units.len() / dim;
        let count = MOST.min(rows / SMALLEST);
        if count < 2 {
            return Self::none(rows);
        }
        let attempts = (0..ATTEMPTS).map(|attempt| {
            let centers = scattered_rows(units, dim, count, attempt);
            settled(units, dim, centers)
        });
        let best = attempts.min_by(|a, b| a.spread().total_cmp(&b.spread()));
        best.map_or_else(|| Self::none(rows), Self::largest_first)
    }

    fn none(rows: usize) -> Self {
        Self {
            cluster: vec![0; rows],
            named: Vec::new(),
        }
    }

    fn largest_first(partition: Partition) -> Self {
        let rows = partition.nearest.len();
        let mut members = vec![Vec::new(); partition.centers];
        for (row, &(center, distance)) in partition.nearest.iter().enumerate() {
            members[center as usize].push((distance, row as u32));
        }
        members.retain(|members| !members.is_empty());
        if members.len() < 2 {
            return Self::none(rows);
        }
        members.sort_by_key(|members| (usize::MAX - members.len(), members[0].1));
        let mut cluster = vec![0; rows];
        for (index, members) in members.iter_mut().enumerate() {
            for &(_, row) in &*members {
                cluster[row as usize] = index as u32;
            }
            members.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            members.truncate(CENTRAL.max(members.len() / 8));
            members.sort_by_key(|&(_, row)| row);
            members.truncate(NAMED);
        }
        let row = |(_, row): (f32, u32)| row;
        let named = members.into_iter();
        Self {
            cluster,
            named: named
                .map(|members| members.into_iter().map(row).collect())
                .collect(),
        }
    }
}

impl Partition {
    fn spread(&self) -> f64 {
        let distances = self.nearest.iter();
        distances.map(|&(_, distance)| f64::from(distance)).sum()
    }
}

/// Rows far from each other, to start from: each is drawn in proportion to its squared distance to
/// those before it (k-means++, Arthur and Vassilvitskii 2007).
fn scattered_rows(units: &[f32], dim: usize, count: usize, attempt: u64) -> Vec<f32> {
    let rows = units.len() / dim;
    let mut draws = Key::new(0, 0, Stream::Init).at(attempt);
    let mut row = below(rows as u32, draws.next_u32()) as usize;
    let mut centers = Vec::with_capacity(count * dim);
    let mut distances = vec![f32::INFINITY; rows];
    while centers.len() < count * dim {
        let center = &units[row * dim..][..dim];
        centers.extend_from_slice(center);
        let nearest = nearest(units, dim, center);
        for (distance, (_, to_center)) in distances.iter_mut().zip(nearest) {
            *distance = distance.min(to_center);
        }
        let total: f64 = distances.iter().map(|&value| f64::from(value)).sum();
        let mut left = f64::from(draws.next_u32()) / 2f64.powi(32) * total;
        let drawn = distances.iter().position(|&distance| {
            left -= f64::from(distance);
            left < 0.0
        });
        row = drawn.unwrap_or(rows - 1);
    }
    centers
}

/// Moves centers to the means of their rows, until no row changes its center.
fn settled(units: &[f32], dim: usize, mut centers: Vec<f32>) -> Partition {
    let mut before = nearest(units, dim, &centers);
    for _ in 0..ROUNDS {
        move_to_means(units, dim, &before, &mut centers);
        let now = nearest(units, dim, &centers);
        let is_settled = now
            .iter()
            .zip(&before)
            .all(|(now, before)| now.0 == before.0);
        before = now;
        if is_settled {
            break;
        }
    }
    Partition {
        nearest: before,
        centers: centers.len() / dim,
    }
}

/// For each row, the nearest center and the squared distance to it. Among equally near centers the
/// first is taken.
fn nearest(units: &[f32], dim: usize, centers: &[f32]) -> Vec<(u32, f32)> {
    let square = |center: &[f32]| center.iter().map(|value| value * value).sum::<f32>();
    let squares: Vec<f32> = centers.chunks_exact(dim).map(square).collect();
    let of_block = |rows: &[f32]| {
        let mut products = vec![0.0; rows.len() / dim * squares.len()];
        product(rows, centers, dim, &mut products);
        let of_row = |products: &[f32]| {
            // The squared distance of a row of length 1.
            let distances = products.iter().zip(&squares).enumerate();
            distances
                .map(|(center, (product, square))| {
                    (center as u32, (1.0 - 2.0 * product + square).max(0.0))
                })
                .fold((0, f32::INFINITY), |a, b| if b.1 < a.1 { b } else { a })
        };
        let rows = products.chunks_exact(squares.len());
        rows.map(of_row).collect::<Vec<_>>()
    };
    units
        .par_chunks(BLOCK * dim)
        .flat_map_iter(of_block)
        .collect()
}

/// Moves each center to the mean of its rows. A center without rows stays.
fn move_to_means(units: &[f32], dim: usize, nearest: &[(u32, f32)], centers: &mut [f32]) {
    let mut sums = vec![0.0; centers.len()];
    let mut members = vec![0u32; centers.len() / dim];
    for (row, &(center, _)) in units.chunks_exact(dim).zip(nearest) {
        let center = center as usize;
        members[center] += 1;
        let sum = &mut sums[center * dim..][..dim];
        sum.iter_mut()
            .zip(row)
            .for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let places = centers.chunks_exact_mut(dim).zip(sums.chunks_exact(dim));
    for ((center, sum), members) in places.zip(members).filter(|&(_, members)| members > 0) {
        let mean = |sum: &f64| (sum / f64::from(members)) as f32;
        center
            .iter_mut()
            .zip(sum)
            .for_each(|(value, sum)| *value = mean(sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors in the plane, by their angles.
    fn at(angles: impl Iterator<Item = f32>) -> Vec<f32> {
        angles
            .flat_map(|angle| [angle.cos(), angle.sin()])
            .collect()
    }

    #[test]
    fn words_in_groups_are_divided_into_these_groups() {
        // Two groups, with 24 and 16 rows; the row nearest to each mean is the middle one.
        let angles = (0..40).map(|row| match row % 5 {
            0 | 1 => 2.0 + (row / 5) as f32 * 0.01 + (row % 5) as f32 * 0.001,
            place => 0.1 + (row / 5) as f32 * 0.01 + place as f32 * 0.001,
        });
        let found = Clusters::of(&at(angles), 2);
        assert_eq!(found.named.len(), 2);
        let expected: Vec<u32> = (0..40).map(|row| u32::from(row % 5 < 2)).collect();
        assert_eq!(found.cluster, expected);
        for (cluster, named) in found.named.iter().enumerate() {
            assert_eq!(named.len(), NAMED);
            assert!(named.is_sorted());
            let is_member = |&row: &u32| found.cluster[row as usize] == cluster as u32;
            assert!(named.iter().all(is_member));
            // The rows turn with their numbers, so that the first ones are far from the mean.
            assert!(named[0] >= 5, "{named:?}");
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let rows = at((0..3000).map(|row| (row as f32 * 0.618).sin() * 3.0));
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let alone = alone.install(|| Clusters::of(&rows, 2));
        assert_eq!(alone.named.len(), MOST);
        assert_eq!(Clusters::of(&rows, 2), alone);
        let sizes: Vec<usize> = (0..MOST as u32)
            .map(|cluster| alone.cluster.iter().filter(|&&of| of == cluster).count())
            .collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
    }

    #[test]
    fn few_words_and_words_that_are_alike_have_no_clusters() {
        for rows in [
            vec![],
            at((0..31).map(|row| row as f32)),
            at((0..100).map(|_| 1.0)),
            vec![0.0; 200],
        ] {
            let found = Clusters::of(&rows, 2);
            assert_eq!(found, Clusters::none(rows.len() / 2));
        }
    }
}
