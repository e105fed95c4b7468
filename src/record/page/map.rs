//! A map of words in the plane, by PCA and by t-SNE, with the nearest words of each.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bhtsne::{Neighbor, tSNE};
use nalgebra::{DMatrix, SymmetricEigen};

use super::clusters::Clusters;
use crate::error::Result;
use crate::model::Matrix;
use crate::system::thread_pool;
use crate::vectors::Vectors;
use crate::vectors::similarity::{nearest_to_rows, unit_rows};

/// Number of neighbours listed for a word.
const LISTED: usize = 10;

/// Effective number of neighbours that t-SNE weighs. It looks at three times as many.
const PERPLEXITY: usize = 30;

/// Accuracy of t-SNE's forces: the angle below which distant points count as one.
const THETA: f32 = 0.5;

/// The positions of words, and their nearest words.
#[derive(Clone, Debug, serde::Serialize)]
pub struct WordMap {
    /// The words of the map, most frequent first, and after them the other words that are near to
    /// one of these.
    pub words: Vec<String>,
    /// Number of words among which the nearest were looked up.
    pub vocabulary: usize,
    /// The first two principal components of the unit vector of each word of the map. Each
    /// component is stretched to ±1.
    pub pca: Vec<[f32; 2]>,
    /// The positions by t-SNE, stretched to ±1; `None` if there are too few words or all are alike.
    pub tsne: Option<Vec<[f32; 2]>>,
    /// The nearest words of each word of the map, nearest first, as indices of `words`.
    pub neighbors: Vec<Vec<u32>>,
    /// Their cosines, in thousandths.
    pub cosines: Vec<Vec<i32>>,
    /// The cluster of each word of the map.
    pub cluster: Vec<u32>,
    /// The words that name each cluster, as indices of `words`; empty if there are no clusters.
    pub clusters: Vec<Vec<u32>>,
    /// The directions of the vectors of the map, in base64: a signed byte for each value, in units
    /// of a 127th of the row's largest value.
    pub directions: String,
}

impl WordMap {
    /// Maps the first `words` words, which are the most frequent in files of this program. Equal
    /// words with equal vectors give equal maps.
    ///
    /// # Errors
    /// [`Error::Thread`](crate::Error::Thread) when a thread cannot be started.
    pub fn new(vectors: &Vectors, words: usize) -> Result<Self> {
        let (vocabulary, dim) = (vectors.vocab.len(), vectors.matrix.dim());
        let rows = vocabulary.min(words);
        let units = Matrix::from_values(dim, unit_rows(&vectors.matrix, 0..rows));
        let perplexity = PERPLEXITY.min(rows.saturating_sub(1) / 3);
        let on_map = nearest_to_rows(&units, rows, LISTED.max(3 * perplexity));
        let pca = principal_components(&units);
        let tsne = tsne(&pca, &on_map, perplexity)?.map(stretched);
        let pca = pca.into_iter().map(|point| point.map(|value| value as f32));
        let near = if rows == vocabulary {
            on_map
        } else {
            nearest_to_rows(&vectors.matrix, rows, LISTED)
        };
        let clusters = Clusters::of(units.values(), dim);
        let mut map = Self {
            words: Vec::new(),
            vocabulary,
            pca: stretched(pca.collect()),
            tsne,
            neighbors: Vec::new(),
            cosines: Vec::new(),
            cluster: clusters.cluster,
            clusters: clusters.named,
            directions: STANDARD.encode(directions(&units)),
        };
        map.list(vectors, rows, near);
        Ok(map)
    }

    /// Takes the words and the nearest words of each, given as ids of the vectors.
    fn list(&mut self, vectors: &Vectors, rows: usize, near: Vec<Vec<(u32, f32)>>) {
        let mut words: Vec<&str> = vectors.vocab.words().take(rows).collect();
        let all: Vec<&str> = vectors.vocab.words().collect();
        let mut others = HashMap::new();
        for near in near {
            let near = near.iter().take(LISTED);
            let index = |&(id, _): &(u32, f32)| {
                if (id as usize) < rows {
                    return id;
                }
                *others.entry(id).or_insert_with(|| {
                    words.push(all[id as usize]);
                    words.len() as u32 - 1
                })
            };
            self.neighbors.push(near.clone().map(index).collect());
            let thousandths = |&(_, cosine): &(u32, f32)| (cosine * 1e3).round() as i32;
            self.cosines.push(near.map(thousandths).collect());
        }
        self.words = words.into_iter().map(str::to_owned).collect();
    }
}

/// Each value as a byte, in units of a 127th of its row's largest value.
fn directions(matrix: &Matrix) -> Vec<u8> {
    let row = |row: usize| {
        let row = matrix.row(row);
        let largest = row.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let scale = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        row.iter()
            .map(move |value| (value * scale).round() as i8 as u8)
    };
    (0..matrix.rows()).flat_map(row).collect()
}

/// The coordinates of the rows along the two directions in which they vary most.
///
/// This is subspace iteration: multiplied by the covariance, directions turn towards those of most
/// variance. It needs only products with the rows and never the covariance itself, so it stays
/// cheap for many dimensions.
fn principal_components(matrix: &Matrix) -> Vec<[f64; 2]> {
    /// Number of directions iterated. With more than two, the first two converge sooner.
    const DIRECTIONS: usize = 10;
    const MOST_ROUNDS: usize = 100;
    /// Iteration ends when a round changes the variance by less than this share.
    const SETTLED: f64 = 1e-7;

    let (rows, dim) = (matrix.rows(), matrix.dim());
    let mut centered =
        DMatrix::from_fn(rows, dim, |row, column| f64::from(matrix.row(row)[column]));
    for mut column in centered.column_iter_mut() {
        let mean = column.mean();
        column.add_scalar_mut(-mean);
    }
    // Any start works that has a part in every direction.
    let mut directions = DMatrix::from_fn(dim, DIRECTIONS.min(dim), |row, column| {
        ((row * DIRECTIONS + column) as f64 * 0.754_877_666).fract() - 0.5
    });
    let (mut components, mut variance) = (DMatrix::zeros(rows, directions.ncols()), 0.0);
    for _ in 0..MOST_ROUNDS {
        directions = directions.qr().q();
        components = &centered * &directions;
        // The small covariance within these directions gives the principal ones among them.
        let within = SymmetricEigen::new(components.transpose() * &components);
        let mut order: Vec<usize> = (0..directions.ncols()).collect();
        order.sort_by(|&a, &b| within.eigenvalues[b].total_cmp(&within.eigenvalues[a]));
        components *= within.eigenvectors.select_columns(&order);
        let now: f64 = order
            .iter()
            .take(2)
            .map(|&column| within.eigenvalues[column])
            .sum();
        if (now - variance).abs() <= SETTLED * now {
            break;
        }
        variance = now;
        directions = centered.transpose() * &components;
    }
    let column = |index: usize| -> Vec<f64> {
        if index >= components.ncols() {
            return vec![0.0; rows];
        }
        let column = components.column(index);
        // A direction and its opposite are equally good. The one with the largest coordinate
        // positive is taken.
        let sign = column.iter().copied().fold(0.0f64, |most, value| {
            if value.abs() > most.abs() {
                value
            } else {
                most
            }
        });
        column.iter().map(|value| value * sign.signum()).collect()
    };
    column(0)
        .into_iter()
        .zip(column(1))
        .map(|(x, y)| [x, y])
        .collect()
}

/// Positions by t-SNE, which keeps near words near. It starts from the principal components.
fn tsne(
    start: &[[f64; 2]],
    neighbors: &[Vec<(u32, f32)>],
    perplexity: usize,
) -> Result<Option<Vec<[f32; 2]>>> {
    let spread = (start.iter().map(|[x, _]| x * x).sum::<f64>() / start.len().max(1) as f64).sqrt();
    // Fewer neighbours give no entropy to fit, and without spread there is no place to begin.
    if perplexity < 2 || spread <= 1e-9 {
        return Ok(None);
    }
    let start: Vec<f32> = start
        .iter()
        .flatten()
        .map(|value| (value / spread * 1e-4) as f32)
        .collect();
    // Between vectors of length 1, the distance follows from the cosine.
    let distance = |cosine: f32| (2.0 - 2.0 * cosine).max(0.0).sqrt();
    let neighbor = |&(id, cosine): &(u32, f32)| Neighbor {
        index: id as usize,
        distance: distance(cosine),
    };
    let neighbors: Vec<Vec<Neighbor<f32>>> = neighbors
        .iter()
        .map(|near| near.iter().take(3 * perplexity).map(neighbor).collect())
        .collect();
    let ids: Vec<u32> = (0..neighbors.len() as u32).collect();
    // On one thread, sums have a fixed order, so the map is the same every time.
    let thread = thread_pool(1, "drawing the map of words")?;
    let points: Vec<f32> = thread.install(|| {
        let mut tsne: tSNE<'_, f32, u32> = tSNE::new(&ids);
        tsne.perplexity(perplexity as f32)
            .initial_embedding(start)
            .barnes_hut_with_neighbors(THETA, &neighbors);
        tsne.embedding()
    });
    let points = points.as_chunks::<2>().0.to_vec();
    Ok(points
        .iter()
        .flatten()
        .all(|value| value.is_finite())
        .then_some(points))
}

/// Moves and stretches both axes to ±1. Only relative positions have a meaning.
fn stretched(mut points: Vec<[f32; 2]>) -> Vec<[f32; 2]> {
    for axis in 0..2 {
        let (low, high) = points
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), point| {
                (low.min(point[axis]), high.max(point[axis]))
            });
        let (middle, half) = ((low + high) / 2.0, (high - low) / 2.0);
        for point in &mut points {
            point[axis] = if half > 0.0 {
                rounded((point[axis] - middle) / half)
            } else {
                0.0
            };
        }
    }
    points
}

/// Rounds to four decimals, which is finer than a pixel.
fn rounded(value: f32) -> f32 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::Rng;

    use super::*;
    use crate::sampling::{Key, Stream};
    use crate::vectors::similarity::{cosine, nearest_to};
    use crate::vocab::Vocab;

    fn vectors(dim: usize, values: Vec<f32>) -> Vectors {
        let words: Vec<String> = (0..values.len() / dim).map(|id| format!("w{id}")).collect();
        let vocab = Vocab::from_words(words.iter().map(|word| (word.as_str(), 0))).unwrap();
        Vectors::new(vocab, Matrix::from_values(dim, values))
    }

    /// Words in groups. The vectors of a group are one direction with some noise.
    fn grouped(groups: usize, each: usize, dim: usize) -> Vectors {
        let mut rng = Key::new(5, 0, Stream::Init).at(0);
        let mut noise = || (rng.next_u32() >> 8) as f32 / (1 << 24) as f32 - 0.5;
        let value = |(group, _, column): (usize, usize, usize), noise: f32| {
            noise * 0.3 + f32::from(u8::from(column == group))
        };
        let places = (0..groups).flat_map(|group| {
            (0..each).flat_map(move |word| (0..dim).map(move |column| (group, word, column)))
        });
        vectors(dim, places.map(|place| value(place, noise())).collect())
    }

    fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
        (a[0] - b[0]).hypot(a[1] - b[1])
    }

    #[test]
    fn components_are_those_of_most_variance() {
        // Around (1, 2, 3): ±5 along (0.6, 0.8, 0), ±2 along the last axis.
        let (a, b) = ([3.0, 4.0, 0.0], [0.0, 0.0, 2.0]);
        let rows: Vec<f32> = [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)]
            .iter()
            .flat_map(|(s, t)| {
                (0..3).map(move |column| (column + 1) as f32 + s * a[column] + t * b[column])
            })
            .collect();
        let found = principal_components(&Matrix::from_values(3, rows));
        let expected = [[5.0, 0.0], [-5.0, 0.0], [0.0, 2.0], [0.0, -2.0]];
        let sign = found[0][0].signum();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found[0] * sign - expected[0]).abs() < 1e-6, "{found:?}");
            assert!(
                (found[1].abs() - expected[1].abs()).abs() < 1e-6,
                "{found:?}"
            );
        }
    }

    #[test]
    fn components_agree_with_the_whole_eigenproblem() {
        let matrix = grouped(6, 30, 40).matrix;
        let mut centered = DMatrix::from_row_iterator(
            180,
            40,
            matrix.values().iter().map(|&value| f64::from(value)),
        );
        for mut column in centered.column_iter_mut() {
            let mean = column.mean();
            column.add_scalar_mut(-mean);
        }
        let mut expected: Vec<f64> = SymmetricEigen::new(centered.transpose() * &centered)
            .eigenvalues
            .iter()
            .copied()
            .collect();
        expected.sort_by(|a, b| b.total_cmp(a));
        let found = principal_components(&matrix);
        for axis in 0..2 {
            let variance: f64 = found.iter().map(|point| point[axis].powi(2)).sum();
            assert!(
                (variance / expected[axis] - 1.0).abs() < 1e-3,
                "{variance} {}",
                expected[axis]
            );
        }
    }

    #[test]
    fn words_of_a_group_lie_together_and_twice_in_the_same_place() {
        let vectors = grouped(4, 40, 12);
        let map = WordMap::new(&vectors, 160).unwrap();
        let again = rayon::ThreadPoolBuilder::new()
            .num_threads(3)
            .build()
            .unwrap();
        let again = again.install(|| WordMap::new(&vectors, 160).unwrap());
        assert_eq!(
            serde_json::to_string(&map).unwrap(),
            serde_json::to_string(&again).unwrap()
        );
        let points = map.tsne.unwrap();
        let near = |id: usize| {
            let mut others: Vec<usize> = (0..160).filter(|&other| other != id).collect();
            others.sort_by(|&a, &b| {
                distance(points[id], points[a]).total_cmp(&distance(points[id], points[b]))
            });
            others[..10]
                .iter()
                .filter(|&&other| other / 40 == id / 40)
                .count()
        };
        assert!((0..160).map(near).sum::<usize>() >= 1590);
        assert!(
            points
                .iter()
                .chain(&map.pca)
                .flatten()
                .all(|value| value.abs() <= 1.0)
        );
        for (id, near) in map.neighbors.iter().enumerate() {
            assert_eq!(near.len(), 10);
            assert!(
                near.iter()
                    .all(|&other| other as usize != id && other as usize / 40 == id / 40)
            );
        }
    }

    #[test]
    fn only_the_words_asked_for_are_mapped() {
        let map = WordMap::new(&grouped(4, 40, 12), 7).unwrap();
        assert_eq!(map.words[..7], ["w0", "w1", "w2", "w3", "w4", "w5", "w6"]);
        assert_eq!((map.pca.len(), map.neighbors.len()), (7, 7));
        assert_eq!(map.tsne.map(|points| points.len()), Some(7));
    }

    #[test]
    fn nearest_words_come_from_all_words() {
        let vectors = grouped(4, 40, 12);
        // Nearest words are those of single questions, on the map or not.
        let map = WordMap::new(&vectors, 7).unwrap();
        for (id, (near, cosines)) in map.neighbors.iter().zip(&map.cosines).enumerate() {
            let expected = nearest_to(&vectors, vectors.matrix.row(id), &[id as u32], LISTED);
            let words = near.iter().map(|&near| map.words[near as usize].clone());
            let expected_words = expected.iter().map(|&(id, _)| format!("w{id}"));
            assert_eq!(
                words.collect::<Vec<_>>(),
                expected_words.collect::<Vec<_>>()
            );
            let expected = expected
                .iter()
                .map(|&(_, cosine)| (cosine * 1e3).round() as i32);
            assert_eq!(*cosines, expected.collect::<Vec<_>>());
        }
        let others: HashSet<&String> = map.words[7..].iter().collect();
        assert_eq!(others.len(), map.words.len() - 7);
        assert_eq!(map.vocabulary, 160);
    }

    #[test]
    fn groups_are_clusters_and_directions_keep_the_cosines() {
        let vectors = grouped(4, 40, 12);
        let map = WordMap::new(&vectors, 160).unwrap();
        assert_eq!((map.clusters.len(), map.cluster.len()), (10, 160));
        for named in &map.clusters {
            let group = named[0] / 40;
            assert!(named.iter().all(|word| word / 40 == group));
        }
        let bytes = STANDARD.decode(&map.directions).unwrap();
        let rows: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte as i8)).collect();
        let kept = Matrix::from_values(12, rows);
        for (a, b) in [(0, 1), (0, 40), (39, 159)] {
            let row = |matrix: &Matrix| cosine(matrix.row(a), matrix.row(b));
            assert!((row(&kept) - row(&vectors.matrix)).abs() < 0.01);
        }
    }

    #[test]
    fn odd_vectors_have_a_map_too() {
        let two = |values: &[f32]| WordMap::new(&vectors(2, values.to_vec()), 100).unwrap();
        assert_eq!(two(&[]).pca.len(), 0);
        assert_eq!(two(&[1.0, 2.0]).pca, [[0.0, 0.0]]);
        assert_eq!(
            two(&[1.0, 0.0, 0.0, 0.0, f32::MAX, f32::MAX, 1e-45, -1e-45])
                .neighbors
                .len(),
            4
        );
        // All vectors are alike: there is no direction in which they vary.
        let alike = two(&[0.5; 200]);
        assert_eq!((alike.pca[0], alike.tsne.is_none()), ([0.0, 0.0], true));
        // Some vectors are alike, and half of the words have the zero vector.
        let some = two(&(0..200)
            .map(|i| {
                if i < 100 {
                    0.0
                } else {
                    (i / 40) as f32 * (i % 2) as f32 + 1.0
                }
            })
            .collect::<Vec<_>>());
        assert!(
            some.tsne
                .iter()
                .flatten()
                .flatten()
                .all(|value| value.is_finite())
        );
        let one = WordMap::new(&vectors(1, vec![1.0, -2.0, 3.0]), 100).unwrap();
        assert!(one.pca.iter().all(|point| point[1] == 0.0));
    }
}
