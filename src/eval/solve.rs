//! Answers analogies: finds the best of all candidate words for every question.
//!
//! Many questions share few words, and the score of a candidate needs only its cosines with those
//! words. So the candidates are taken in blocks. One matrix product gives the cosines of a block
//! with all words, and each question combines three rows of it. Only the best answer so far is
//! kept.
//!
//! Blocks are the same for any number of threads, and equal scores go to the lower id. So the
//! answers are the same for any number of threads. Another kind of processor may round a cosine
//! differently, and so decide a near tie in another way.

use rayon::prelude::*;

use super::EvalOptions;
use super::words::Table;
use crate::vectors::similarity::{product, to_unit};

/// Candidates in a block. The cosines of a block with the 905 words of Google's set stay in a
/// core's cache.
const BLOCK: usize = 256;

/// Questions that are worked on at once. This bounds the memory of each thread.
const QUESTIONS: usize = 1 << 14;

/// A question "a is to b as c is to ?".
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// The rows of a, b and c, in the table of vectors.
    pub(super) rows: [u32; 3],
    /// Candidates that are not allowed as answers.
    pub(super) excluded: [&'a [u32]; 3],
}

/// The best candidate by each method; `None` if none scores high enough, or the method was not
/// asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Best {
    pub(super) add: Option<u32>,
    pub(super) multiply: Option<u32>,
}

/// Answers each question with one of the first `candidates` rows.
pub(super) fn solve(
    table: Table<'_>,
    candidates: usize,
    questions: &[Asked],
    options: &EvalOptions,
) -> Vec<Best> {
    questions
        .chunks(QUESTIONS)
        .flat_map(|questions| {
            let chunk = Chunk::new(table, questions, options);
            let leaders = (0..candidates.div_ceil(BLOCK))
                .into_par_iter()
                .fold(
                    || Scratch::new(&chunk),
                    |mut scratch, block| {
                        chunk.try_block(
                            block * BLOCK..candidates.min((block + 1) * BLOCK),
                            &mut scratch,
                        );
                        scratch
                    },
                )
                .map(|scratch| scratch.leaders)
                .reduce(|| chunk.no_leaders(), merged);
            leaders.into_iter().map(|[add, multiply]| Best {
                add: add.row(),
                multiply: multiply.row(),
            })
        })
        .collect()
}

/// The best candidate so far.
#[derive(Clone, Copy, Debug)]
struct Leader {
    score: f32,
    row: u32,
}

impl Leader {
    const NONE: Self = Self {
        score: f32::NEG_INFINITY,
        row: u32::MAX,
    };

    fn row(self) -> Option<u32> {
        (self.row != u32::MAX).then_some(self.row)
    }

    fn better(self, other: Self) -> Self {
        let wins = other.score > self.score || (other.score == self.score && other.row < self.row);
        if wins { other } else { self }
    }
}

/// For each question, the leaders by 3CosAdd and by 3CosMul.
type Leaders = Vec<[Leader; 2]>;

fn merged(mut a: Leaders, b: Leaders) -> Leaders {
    for (a, b) in a.iter_mut().zip(b) {
        *a = [a[0].better(b[0]), a[1].better(b[1])];
    }
    a
}

/// Questions that are worked on together.
struct Chunk<'a> {
    table: Table<'a>,
    questions: &'a [Asked<'a>],
    options: &'a EvalOptions,
    /// The unit vectors of the different words of these questions.
    units: Vec<f32>,
    /// For each question, the indices of a, b and c among these words.
    places: Vec<[usize; 3]>,
}

/// The buffers of a thread.
struct Scratch {
    leaders: Leaders,
    /// The unit vectors of a block.
    block: Vec<f32>,
    /// The cosines of a block: one row for each word of the questions.
    cosines: Vec<f32>,
    scores: [f32; BLOCK],
}

impl Scratch {
    fn new(chunk: &Chunk) -> Self {
        let dim = chunk.table.dim();
        Self {
            leaders: chunk.no_leaders(),
            block: vec![0.0; BLOCK * dim],
            cosines: vec![0.0; BLOCK * chunk.units.len() / dim],
            scores: [0.0; BLOCK],
        }
    }
}

impl<'a> Chunk<'a> {
    fn new(table: Table<'a>, questions: &'a [Asked<'a>], options: &'a EvalOptions) -> Self {
        let mut rows: Vec<u32> = questions
            .iter()
            .flat_map(|question| question.rows)
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let mut units = vec![0.0; rows.len() * table.dim()];
        for (unit, &row) in units.chunks_exact_mut(table.dim()).zip(&rows) {
            to_unit(table.row(row), unit);
        }
        let place = |row| rows.partition_point(|&other| other < row);
        let places = questions
            .iter()
            .map(|question| question.rows.map(place))
            .collect();
        Self {
            table,
            questions,
            options,
            units,
            places,
        }
    }

    fn no_leaders(&self) -> Leaders {
        vec![[Leader::NONE; 2]; self.questions.len()]
    }

    /// Compares the candidates of a block with the leaders of every question.
    fn try_block(&self, rows: std::ops::Range<usize>, scratch: &mut Scratch) {
        let Scratch {
            leaders,
            block,
            cosines,
            scores,
        } = scratch;
        let (dim, width) = (self.table.dim(), rows.len());
        let block = &mut block[..width * dim];
        for (unit, row) in block.chunks_exact_mut(dim).zip(rows.clone()) {
            to_unit(self.table.row(row as u32), unit);
        }
        let cosines = &mut cosines[..self.units.len() / dim * width];
        product(&self.units, block, dim, cosines);
        let scores = &mut scores[..width];
        let EvalOptions {
            protocol, method, ..
        } = self.options;
        let (first, floor, epsilon) = (rows.start, protocol.floor(), protocol.epsilon());
        for ((question, places), [add, multiply]) in
            self.questions.iter().zip(&self.places).zip(leaders)
        {
            let [a, b, c] = places.map(|place| &cosines[place * width..][..width]);
            if method.adds() {
                (0..width).for_each(|i| scores[i] = b[i] - a[i] + c[i]);
                question.exclude(scores, first);
                *add = add.better(leader(scores, first, floor));
            }
            if method.multiplies() {
                let positive = |cosine: f32| (1.0 + cosine) / 2.0;
                (0..width).for_each(|i| {
                    scores[i] = positive(b[i]) * positive(c[i]) / (positive(a[i]) + epsilon)
                });
                question.exclude(scores, first);
                *multiply = multiply.better(leader(scores, first, floor));
            }
        }
    }
}

impl Asked<'_> {
    /// Lowers the scores of excluded candidates so that they cannot win.
    fn exclude(&self, scores: &mut [f32], first: usize) {
        for &row in self.excluded.into_iter().flatten() {
            if let Some(score) = (row as usize)
                .checked_sub(first)
                .and_then(|i| scores.get_mut(i))
            {
                *score = f32::NEG_INFINITY;
            }
        }
    }
}

/// The first of the highest scores above `floor`. The scores belong to the rows from `first` on.
fn leader(scores: &[f32], first: usize, floor: f32) -> Leader {
    let higher = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [floor; 16];
    let (pieces, rest) = scores.as_chunks::<16>();
    for piece in pieces {
        (0..16).for_each(|i| lanes[i] = higher(lanes[i], piece[i]));
    }
    let score = lanes.iter().chain(rest).copied().fold(floor, higher);
    match scores.iter().position(|&other| other == score) {
        Some(at) if score > floor => Leader {
            score,
            row: (first + at) as u32,
        },
        _ => Leader::NONE,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::eval::words::Found;
    use crate::eval::{Method, Protocol};
    use crate::model::{Matrix, Model};

    fn solved(
        matrix: &Matrix,
        candidates: usize,
        questions: &[Asked],
        protocol: Protocol,
    ) -> Vec<Best> {
        solve(
            Found::default().table(matrix),
            candidates,
            questions,
            &EvalOptions {
                method: Method::Both,
                ..EvalOptions::of(protocol)
            },
        )
    }

    /// The scores of all candidates by the formulas in f64, if every cosine were in their favour by
    /// `slack`.
    fn scores(
        matrix: &Matrix,
        candidates: usize,
        [a, b, c]: [u32; 3],
        epsilon: f64,
        slack: f64,
    ) -> [Vec<f64>; 2] {
        let unit = |row: u32| -> Vec<f64> {
            let row: Vec<f64> = matrix
                .row(row as usize)
                .iter()
                .map(|&value| f64::from(value))
                .collect();
            let length = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter()
                .map(|value| if length > 0.0 { value / length } else { 0.0 })
                .collect()
        };
        let cosine = |x: u32, y: u32| unit(x).iter().zip(unit(y)).map(|(x, y)| x * y).sum::<f64>();
        let shifted = |x, y, slack: f64| ((1.0 + cosine(x, y) + slack) / 2.0).max(0.0);
        let add = |x| cosine(x, b) - cosine(x, a) + cosine(x, c) + 3.0 * slack;
        let multiply =
            |x| shifted(x, b, slack) * shifted(x, c, slack) / (shifted(x, a, -slack) + epsilon);
        [
            (0..candidates as u32).map(add).collect(),
            (0..candidates as u32).map(multiply).collect(),
        ]
    }

    /// Compares the answers with the formulas, and with the answers of other numbers of threads.
    fn check(matrix: &Matrix, candidates: usize, questions: &[Asked], protocol: Protocol) {
        let found = solved(matrix, candidates, questions, protocol);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            assert_eq!(
                pool.install(|| solved(matrix, candidates, questions, protocol)),
                found
            );
        }
        let (floor, epsilon) = (f64::from(protocol.floor()), f64::from(protocol.epsilon()));
        for (question, best) in questions.iter().zip(found) {
            let is_allowed = |row: usize| {
                !question
                    .excluded
                    .iter()
                    .any(|rows| rows.contains(&(row as u32)))
            };
            // A cosine is a sum of fewer than 16 products of numbers up to 1, each rounded by at
            // most 2^-24.
            let slack = 16.0 * 2.0f64.powi(-24) * 2.0;
            let [at_most, at_least] = [slack, -slack]
                .map(|slack| scores(matrix, candidates, question.rows, epsilon, slack));
            for (method, best) in [best.add, best.multiply].into_iter().enumerate() {
                let allowed = (0..candidates)
                    .filter(|&row| is_allowed(row))
                    .map(|row| at_least[method][row]);
                let highest = allowed.fold(f64::NEG_INFINITY, f64::max);
                match best {
                    None => assert!(highest <= floor, "{highest}"),
                    Some(row) => {
                        let score = at_most[method][row as usize];
                        assert!(
                            is_allowed(row as usize) && score >= highest && score > floor,
                            "{score} {highest}"
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn agrees_with_the_formulas_in_f64(
            dim in 1usize..12,
            seed in any::<u64>(),
            rows in prop::sample::select(vec![4, 5, 255, 256, 257, 700]),
            outside in 0usize..3,
            protocol in prop::sample::select(vec![Protocol::Gensim, Protocol::Word2vec, Protocol::Hyperwords]),
            questions in prop::collection::vec(any::<[u32; 3]>(), 1..20),
        ) {
            let mut matrix = Model::new(rows, dim, seed).input;
            matrix.row_mut(1).fill(0.0);
            let rows_of: Vec<[u32; 3]> = questions.iter().map(|question| question.map(|n| n % rows as u32)).collect();
            let asked: Vec<Asked> = rows_of
                .iter()
                .map(|question| Asked { rows: *question, excluded: [&question[..1], &question[1..2], &question[2..]] })
                .collect();
            check(&matrix, rows - outside, &asked, protocol);
        }
    }

    #[test]
    fn equal_scores_go_to_the_lower_id() {
        // Rows 0 to 2 ask. All other rows have one direction, over several blocks.
        let mut values = vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        values.extend((0..2000).flat_map(|_| [2.0, 3.0]));
        let matrix = Matrix::from_values(2, values);
        let excluded: Vec<u32> = (0..300).collect();
        let question = |excluded| Asked {
            rows: [0, 1, 2],
            excluded: [excluded, &[], &[2]],
        };
        let best = solved(
            &matrix,
            2003,
            &[question(&excluded[..3]), question(&excluded)],
            Protocol::Gensim,
        );
        assert_eq!(
            best,
            [
                Best {
                    add: Some(3),
                    multiply: Some(3)
                },
                Best {
                    add: Some(300),
                    multiply: Some(300)
                }
            ]
        );
    }

    #[test]
    fn no_candidate_is_no_answer() {
        let matrix = Matrix::from_values(1, vec![1.0, -1.0, -2.0, -3.0]);
        let asked = |excluded| {
            [Asked {
                rows: [0, 1, 0],
                excluded: [excluded, &[], &[]],
            }]
        };
        let none = Best {
            add: None,
            multiply: None,
        };
        assert_eq!(
            solved(&matrix, 4, &asked(&[0, 1, 2, 3]), Protocol::Gensim),
            [none]
        );
        assert_eq!(solved(&matrix, 0, &asked(&[]), Protocol::Gensim), [none]);
        // The other word, (1, -2), has the cosines .45, -.54 and -.89. It scores -1.88, which is no
        // answer for word2vec.
        let matrix = Matrix::from_values(2, vec![1.0, 0.0, -1.0, 0.1, 0.0, 1.0, 0.5, -1.0]);
        let asked = [Asked {
            rows: [0, 1, 2],
            excluded: [&[0], &[1], &[2]],
        }];
        assert_eq!(solved(&matrix, 4, &asked, Protocol::Word2vec)[0].add, None);
        assert_eq!(solved(&matrix, 4, &asked, Protocol::Gensim)[0].add, Some(3));
    }

    #[test]
    fn a_vector_that_is_not_finite_wins_nothing() {
        let matrix = Matrix::from_values(
            2,
            vec![
                1.0,
                0.0,
                0.0,
                1.0,
                f32::NAN,
                1.0,
                f32::INFINITY,
                1.0,
                1.0,
                3.0,
            ],
        );
        let asked = [Asked {
            rows: [0, 1, 1],
            excluded: [&[0], &[1], &[]],
        }];
        assert_eq!(
            solved(&matrix, 5, &asked, Protocol::Gensim),
            [Best {
                add: Some(4),
                multiply: Some(4)
            }]
        );
    }
}
