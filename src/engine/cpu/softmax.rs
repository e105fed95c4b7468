//! A step of the full softmax, as three products of matrices.
//!
//! A batch's pairs are taken center by center, for all pairs of a center share its scores. Some
//! centers at a time (a **tile**): their scores with all words, Z = H W'^T; from these the errors
//! E, in the same place; then the sums E W' for their own rows and E^T H for W'. So there are never
//! more scores than [`SCORES`], however large batch and vocabulary. Every element of a product is
//! summed by one thread in a fixed order: the result does not depend on their number.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::apply::{self, StepRate};
use super::lanes::{Floats, LANES, PaddedMatrix};
use super::window::exp_of_negative;
use crate::batch::{Batch, ByCenter, Row};

/// Scores held at a time: 64 MB.
pub(super) const SCORES: usize = 1 << 24;

/// Rows of a product that a thread takes at a time.
const PRODUCT_ROWS: usize = 32;

/// Rows and pieces of a product whose sums stay in registers.
const BLOCK_ROWS: usize = 4;
const BLOCK_PIECES: usize = 2;

/// Terms after which the sums go back to memory: as many rows of the right matrix stay in a core's
/// cache.
const BLOCK_TERMS: usize = 256;

/// Pieces of a row after which a sum of exponentials is carried on in f64.
const EXACT_PIECES: usize = 64;

/// The working memory of a step, kept from batch to batch.
#[derive(Debug)]
pub(super) struct SoftmaxWork {
    /// Scores held at a time, unless a single center has more.
    pub(super) most_scores: usize,
    /// W' transposed: `dim` rows of all words.
    transposed: Vec<Floats>,
    /// Scores of a tile, then its errors: a row of all words for each center.
    scores: Vec<Floats>,
    /// The tile's rows of W.
    centers: Vec<Floats>,
    /// The sums for the tile's rows of W.
    center_sums: Vec<Floats>,
    /// The sums for W'.
    output_sums: Vec<Floats>,
}

impl Default for SoftmaxWork {
    fn default() -> Self {
        Self {
            most_scores: SCORES,
            transposed: Vec::new(),
            scores: Vec::new(),
            centers: Vec::new(),
            center_sums: Vec::new(),
            output_sums: Vec::new(),
        }
    }
}

/// Trains on a batch, and returns its loss. The threads are those of the current rayon pool.
pub(super) fn train(
    arch: Arch,
    batch: &Batch,
    [input, output]: [&mut PaddedMatrix; 2],
    work: &mut SoftmaxWork,
    rate: StepRate,
) -> f64 {
    let (width, words) = (input.width(), output.rows());
    let score_width = words.div_ceil(LANES);
    let by_center = batch.by_center();
    transpose(output, score_width, &mut work.transposed);
    zeros(&mut work.output_sums, words * width);
    let mut loss = 0.0;
    let tile = (work.most_scores / (score_width * LANES)).max(1);
    for (first, rows) in (0..).step_by(tile).zip(batch.center_rows.chunks(tile)) {
        work.centers.clear();
        rows.iter()
            .for_each(|&row| work.centers.extend_from_slice(input.row(row.index())));
        zeros(&mut work.scores, rows.len() * score_width);
        zeros(&mut work.center_sums, rows.len() * width);
        let SoftmaxWork {
            transposed,
            scores,
            centers,
            center_sums,
            output_sums,
            ..
        } = work;

        let by_rows = Left {
            values: bytemuck::cast_slice(&centers[..]),
            row_stride: width * LANES,
            term_stride: 1,
        };
        product(arch, by_rows, input.dim(), transposed, score_width, scores);
        loss += errors(arch, scores, score_width, words, &by_center, first);
        let by_rows = Left {
            values: bytemuck::cast_slice(&scores[..]),
            row_stride: score_width * LANES,
            term_stride: 1,
        };
        product(arch, by_rows, words, output.pieces(), width, center_sums);
        let by_columns = Left {
            row_stride: 1,
            term_stride: score_width * LANES,
            ..by_rows
        };
        product(arch, by_columns, rows.len(), centers, width, output_sums);
        // No other tile has these rows.
        apply::rows(arch, input, rows, center_sums, rate);
    }
    let all: Vec<Row> = (0..words as u32).map(Row).collect();
    apply::rows(arch, output, &all, &work.output_sums, rate);
    loss
}

fn zeros(values: &mut Vec<Floats>, length: usize) {
    values.clear();
    values.resize(length, Floats::ZERO);
}

/// Writes a table's columns as rows, of `score_width` pieces each.
fn transpose(table: &PaddedMatrix, score_width: usize, transposed: &mut Vec<Floats>) {
    zeros(transposed, table.dim() * score_width);
    transposed
        .par_chunks_exact_mut(score_width)
        .enumerate()
        .for_each(|(column, row)| {
            let row: &mut [f32] = bytemuck::cast_slice_mut(row);
            let values: &[f32] = bytemuck::cast_slice(table.pieces());
            let stride = table.width() * LANES;
            for (word, value) in row[..table.rows()].iter_mut().enumerate() {
                *value = values[word * stride + column];
            }
        });
}

/// The left matrix of a product, row by row or column by column.
#[derive(Clone, Copy)]
struct Left<'a> {
    values: &'a [f32],
    row_stride: usize,
    term_stride: usize,
}

/// Adds `left` times `right` to `sums`: `terms` terms for each element, in their order. Rows of
/// `right` and of `sums` are `width` pieces wide.
fn product(
    arch: Arch,
    left: Left<'_>,
    terms: usize,
    right: &[Floats],
    width: usize,
    sums: &mut [Floats],
) {
    sums.par_chunks_mut(PRODUCT_ROWS * width)
        .enumerate()
        .for_each(|(chunk, sums)| {
            let left = Left {
                values: &left.values[chunk * PRODUCT_ROWS * left.row_stride..],
                ..left
            };
            arch.dispatch(Product {
                left,
                terms,
                right,
                width,
                sums,
            });
        });
}

struct Product<'a> {
    left: Left<'a>,
    terms: usize,
    right: &'a [Floats],
    width: usize,
    sums: &'a mut [Floats],
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self {
            left,
            terms,
            right,
            width,
            sums,
        } = self;
        let rows = sums.len() / width;
        for first_term in (0..terms).step_by(BLOCK_TERMS) {
            let terms = first_term..terms.min(first_term + BLOCK_TERMS);
            for piece in (0..width).step_by(BLOCK_PIECES) {
                for row in (0..rows).step_by(BLOCK_ROWS) {
                    let block = ProductBlock {
                        left,
                        right,
                        width,
                        row,
                        piece,
                    };
                    // Constant sizes keep the sums in registers.
                    match (rows - row, width - piece) {
                        (BLOCK_ROWS.., BLOCK_PIECES..) => {
                            block.add::<BLOCK_ROWS, BLOCK_PIECES>(terms.clone(), sums)
                        }
                        (BLOCK_ROWS.., _) => block.add::<BLOCK_ROWS, 1>(terms.clone(), sums),
                        (rest, _) => {
                            for row in row..row + rest {
                                for piece in piece..width.min(piece + BLOCK_PIECES) {
                                    ProductBlock {
                                        row,
                                        piece,
                                        ..block
                                    }
                                    .add::<1, 1>(terms.clone(), sums);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Some rows and pieces of a product.
#[derive(Clone, Copy)]
struct ProductBlock<'a> {
    left: Left<'a>,
    right: &'a [Floats],
    width: usize,
    row: usize,
    piece: usize,
}

impl ProductBlock<'_> {
    #[expect(
        clippy::needless_range_loop,
        reason = "loops of constant length over arrays stay in registers"
    )]
    #[inline(always)]
    fn add<const ROWS: usize, const PIECES: usize>(self, terms: Range<usize>, sums: &mut [Floats]) {
        let Self {
            left,
            right,
            width,
            row,
            piece,
        } = self;
        let mut own = [[Floats::ZERO; PIECES]; ROWS];
        for r in 0..ROWS {
            own[r].copy_from_slice(&sums[(row + r) * width + piece..][..PIECES]);
        }
        for term in terms {
            let right = &right[term * width + piece..][..PIECES];
            for r in 0..ROWS {
                let factor = left.values[(row + r) * left.row_stride + term * left.term_stride];
                for p in 0..PIECES {
                    own[r][p] = own[r][p].add_scaled(factor, right[p]);
                }
            }
        }
        for r in 0..ROWS {
            sums[(row + r) * width + piece..][..PIECES].copy_from_slice(&own[r]);
        }
    }
}

/// Turns the scores of a tile into errors, and returns the tile's loss.
fn errors(
    arch: Arch,
    scores: &mut [Floats],
    score_width: usize,
    words: usize,
    by_center: &ByCenter,
    first: usize,
) -> f64 {
    let losses: Vec<f64> = scores
        .par_chunks_exact_mut(score_width)
        .enumerate()
        .map(|(center, scores)| {
            arch.dispatch(Errors {
                scores,
                words,
                contexts: by_center.of(first + center),
            })
        })
        .collect();
    // In the order of the centers: floats are not associative.
    losses.into_iter().sum()
}

/// One center's scores with all words, to be turned into the errors summed over its pairs.
///
/// With n contexts and the largest score m, log sum of e^z = m + log sum of e^(z - m), where no
/// term exceeds 1; the loss is n times that, less the contexts' own scores, and the error of word v
/// is how often it is a context, less n p(v).
struct Errors<'a> {
    scores: &'a mut [Floats],
    words: usize,
    contexts: &'a [Row],
}

impl WithSimd for Errors<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let Self {
            scores,
            words,
            contexts,
        } = self;
        let of_words: &mut [f32] = bytemuck::cast_slice_mut(scores);
        let chosen: f64 = contexts
            .iter()
            .map(|&context| f64::from(of_words[context.index()]))
            .sum();
        let finite = of_words[..words].iter().all(|score| score.is_finite());
        // The padding: words with no share at all.
        of_words[words..].fill(f32::NEG_INFINITY);
        let mut largest = Floats([f32::NEG_INFINITY; LANES]);
        for &piece in &*scores {
            largest = largest.max(piece);
        }
        let largest = largest.0.into_iter().fold(f32::NEG_INFINITY, f32::max);
        let mut total = 0.0;
        for pieces in scores.chunks_mut(EXACT_PIECES) {
            let mut sum = Floats::ZERO;
            for piece in pieces {
                for lane in 0..LANES {
                    piece.0[lane] = exp_of_negative(piece.0[lane] - largest);
                    sum.0[lane] += piece.0[lane];
                }
            }
            total += f64::from(sum.sum());
        }
        let pairs = contexts.len() as f64;
        let share = (-pairs / total) as f32;
        for piece in &mut *scores {
            for lane in 0..LANES {
                piece.0[lane] *= share;
            }
        }
        let of_words: &mut [f32] = bytemuck::cast_slice_mut(scores);
        contexts
            .iter()
            .for_each(|&context| of_words[context.index()] += 1.0);
        // A score of minus infinity would leave no trace.
        if !finite {
            return f64::NAN;
        }
        pairs * (f64::from(largest) + total.ln()) - chosen
    }
}
