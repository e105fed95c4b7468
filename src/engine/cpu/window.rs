//! First half of a step: every window's scores, loss and contributions, from the same W and W'.
//!
//! Contributions to a center are added up in floats over the windows of a span, then once in fixed
//! point.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::lanes::{Address, Floats, LANES, PaddedMatrix, per_piece, sum_of_lanes, vectors};
use super::sums::SlotSums;
use crate::batch::{Batch, CbowGradient, Inputs, Row, Slot, Span, TARGET_BLOCK, Target};
use crate::engine::fixed_point::{OF_CENTERS, ROUND, Scales, SumFormat, draw};
use crate::engine::{LossFunction, Objective};

/// The sums and the working memory of one thread.
#[derive(Debug, Default)]
// Aligned, so that no two threads write to the same cache line.
#[repr(align(128))]
pub(super) struct ThreadScratch {
    /// Sums for the rows of W.
    pub(super) centers: SlotSums,
    /// Sums for the rows of W'.
    pub(super) targets: SlotSums,
    /// The number and the loss of each span that the thread has taken.
    pub(super) losses: Vec<(usize, f64)>,
    /// Errors of a block of targets: [`TARGET_BLOCK`] for each center of the window.
    errors: Vec<f32>,
    /// The scale of each target's sums. They lie in memory as the errors do: registers are for rows
    /// and contributions.
    scales: Vec<f32>,
    /// Where the row and the contributions of each input of the window start, in pieces: the row
    /// in W or in `mean`, the contributions in `span`.
    places: Vec<(usize, usize)>,
    /// The totals of the choice at hand, for each input of the window.
    totals: Vec<Total>,
    /// The mean of the window's centers.
    mean: Vec<Floats>,
    /// Contributions of the span to its centers, place after place; then those of the window to its
    /// mean.
    span: Vec<Floats>,
    /// Rows that will be read soon.
    rows_ahead: Vec<Address>,
    /// Sums that will be added to soon.
    sums_ahead: Vec<Address>,
}

impl ThreadScratch {
    /// Begins a batch.
    pub(super) fn start(&mut self, batch: &Batch, width: usize) {
        self.centers.start(batch.center_rows.len(), width);
        self.targets.start(batch.target_rows.len(), width);
        self.losses.clear();
    }
}

/// Some spans of a batch, to be trained by one thread.
pub(super) struct Train<'a> {
    pub(super) batch: &'a Batch,
    pub(super) spans: Range<usize>,
    /// The table that centers are rows of: W, or the words composed of parts.
    pub(super) input: &'a PaddedMatrix,
    /// The row of each center slot in it.
    pub(super) center_rows: &'a [Row],
    pub(super) output: &'a PaddedMatrix,
    pub(super) objective: Objective,
    pub(super) format: SumFormat,
    pub(super) scratch: &'a mut ThreadScratch,
}

impl WithSimd for Train<'_> {
    type Output = ();

    /// Adds up the contributions. All that is called from here is inlined, and so compiled for each
    /// kind of processor.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            batch,
            spans,
            input,
            center_rows,
            output,
            objective,
            format,
            scratch,
        } = self;
        let width = input.width();
        let mut mean = std::mem::take(&mut scratch.mean);
        mean.resize(width, Floats::ZERO);
        for span in spans {
            let mut loss = 0.0;
            let next = if span + 1 < batch.spans() {
                batch.span(span + 1).centers
            } else {
                &[]
            };
            let Span { windows, centers } = batch.span(span);
            scratch.span.clear();
            scratch
                .span
                .resize((centers.len() + 1) * width, Floats::ZERO);
            for window in windows.clone() {
                let ahead = Ahead {
                    batch,
                    windows: &windows,
                    window,
                    centers,
                    next,
                    input,
                    center_rows,
                    output,
                };
                ahead.list(scratch);
                let centers = Centers {
                    places: batch.centers_of(window),
                    slots: centers,
                    rows: center_rows,
                };
                let rows = match objective.inputs {
                    Inputs::Each => centers.each(input, scratch),
                    Inputs::Mean(_) => centers.mean(simd, input, &mut mean, scratch),
                };
                let block = TargetBlock {
                    batch,
                    targets: batch.targets_of(window),
                    rows,
                    output,
                    scales: format.targets,
                    draw: draw(format.key, window as u32),
                    act: SecondAct::Labels,
                };
                match objective.loss {
                    LossFunction::Choice { branches } => {
                        loss += block.choices(simd, branches, scratch);
                    }
                    LossFunction::Sigmoid | LossFunction::Softmax => {
                        loss += block.blocks(simd, scratch);
                    }
                }
                if let Inputs::Mean(gradient) = objective.inputs {
                    centers.spread(simd, gradient, width, &mut scratch.span);
                }
            }
            add_span(simd, batch, span, format, scratch);
            scratch.losses.push((span, loss));
        }
        scratch.mean = mean;
    }
}

/// The centers of a window.
#[derive(Clone, Copy)]
struct Centers<'a> {
    /// Indices into the span's centers.
    places: &'a [u8],
    /// Slots of the span's centers.
    slots: &'a [Slot],
    /// The row of each slot.
    rows: &'a [Row],
}

impl<'a> Centers<'a> {
    /// The row of W at a place, in pieces.
    #[inline(always)]
    fn row(&self, place: u8, width: usize) -> usize {
        self.rows[self.slots[usize::from(place)].index()].index() * width
    }

    /// Lists each center as an input; returns the rows of the inputs.
    #[inline(always)]
    fn each(&self, input: &'a PaddedMatrix, scratch: &mut ThreadScratch) -> &'a [Floats] {
        let width = input.width();
        let place = |&place: &u8| (self.row(place, width), usize::from(place) * width);
        scratch.places.clear();
        scratch.places.extend(self.places.iter().map(place));
        input.pieces()
    }

    /// Makes the mean of the centers, and lists it as the only input; returns it.
    #[inline(always)]
    fn mean<'m, S: Simd>(
        &self,
        simd: S,
        input: &PaddedMatrix,
        mean: &'m mut [Floats],
        scratch: &mut ThreadScratch,
    ) -> &'m [Floats] {
        let width = input.width();
        scratch.places.clear();
        if self.places.is_empty() {
            return mean;
        }
        let last = self.slots.len() * width;
        scratch.places.push((0, last));
        scratch.span[last..].fill(Floats::ZERO);
        mean.fill(Floats::ZERO);
        let sums: &mut [S::f32s] = bytemuck::cast_slice_mut(mean);
        for &place in self.places {
            let row = vectors::<S>(&input.pieces()[self.row(place, width)..][..width]);
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum = simd.add_f32s(*sum, x);
            }
        }
        let share = simd.splat_f32s(1.0 / self.places.len() as f32);
        sums.iter_mut()
            .for_each(|sum| *sum = simd.mul_f32s(*sum, share));
        mean
    }

    /// Adds the contributions to the mean to those of each center.
    #[inline(always)]
    fn spread<S: Simd>(&self, simd: S, gradient: CbowGradient, width: usize, span: &mut [Floats]) {
        let (centers, of_mean) = span.split_at_mut(self.slots.len() * width);
        let part = simd.splat_f32s(match gradient {
            CbowGradient::Whole => 1.0,
            CbowGradient::Share => 1.0 / self.places.len() as f32,
        });
        for &place in self.places {
            let sums = &mut centers[usize::from(place) * width..][..width];
            let sums: &mut [S::f32s] = bytemuck::cast_slice_mut(sums);
            for (sum, &x) in sums.iter_mut().zip(vectors::<S>(of_mean)) {
                *sum = simd.mul_add_f32s(part, x, *sum);
            }
        }
    }
}

/// Adds the contributions of a span to the sums of its centers.
#[inline(always)]
fn add_span<S: Simd>(
    simd: S,
    batch: &Batch,
    span: usize,
    format: SumFormat,
    scratch: &mut ThreadScratch,
) {
    let centers = batch.span(span).centers;
    let width = scratch.span.len() / (centers.len() + 1);
    let draw = simd.splat_f32s(draw(format.key, span as u32 | OF_CENTERS));
    for (&slot, contributions) in centers.iter().zip(scratch.span.chunks_exact(width.max(1))) {
        let scale = simd.splat_f32s(format.centers.scale(batch.center_bits[slot.index()]));
        let before = scratch.centers.touch(slot.index());
        let sums = &mut scratch.centers.sums[slot.index() * width..][..width];
        let sums: &mut [S::u32s] = bytemuck::cast_slice_mut(sums);
        for (sums, &contribution) in sums.iter_mut().zip(vectors::<S>(contributions)) {
            add_fixed(simd, sums, before, contribution, scale, draw);
        }
    }
}

/// The memory that the next windows need, as far as it is known by now.
struct Ahead<'a> {
    batch: &'a Batch,
    /// The windows of the span.
    windows: &'a Range<usize>,
    /// The window at hand.
    window: usize,
    /// Slots of the span's centers.
    centers: &'a [Slot],
    /// Slots of the next span's centers.
    next: &'a [Slot],
    input: &'a PaddedMatrix,
    /// The row of each center slot in it.
    center_rows: &'a [Row],
    output: &'a PaddedMatrix,
}

impl Ahead<'_> {
    /// Lists the rows and sums of the next window's targets and, spread over the windows of the
    /// span, the sums of its centers, and the rows of the next span's.
    #[inline(always)]
    fn list(&self, scratch: &mut ThreadScratch) {
        let Self {
            batch,
            windows,
            window,
            centers,
            next,
            input,
            center_rows,
            output,
        } = self;
        let width = input.width();
        let (done, count) = (window - windows.start, windows.len());
        let share = |slots: &[Slot]| slots.len() * done / count..slots.len() * (done + 1) / count;
        let ThreadScratch {
            centers: center_sums,
            targets: target_sums,
            rows_ahead,
            sums_ahead,
            ..
        } = scratch;
        rows_ahead.clear();
        sums_ahead.clear();
        for &slot in &centers[share(centers)] {
            sums_ahead.push(Address::of(&center_sums.sums, slot.index() * width));
        }
        for &slot in &next[share(next)] {
            rows_ahead.push(Address::of(
                input.pieces(),
                center_rows[slot.index()].index() * width,
            ));
        }
        if window + 1 < batch.windows() {
            for target in batch.targets_of(window + 1) {
                rows_ahead.push(Address::of(
                    output.pieces(),
                    batch.target_rows[target.slot().index()].index() * width,
                ));
                sums_ahead.push(Address::of(
                    &target_sums.sums,
                    target.slot().index() * width,
                ));
            }
        }
    }
}

/// How scores become errors.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SecondAct {
    /// Each by the label of its target.
    Labels,
    /// By a choice among the targets at hand.
    Choice,
    /// Not yet: the scores only add to the totals of a choice among more targets.
    Totals,
    /// By a choice whose totals are known.
    Chosen,
}

/// A window's inputs with some of its targets, up to [`TARGET_BLOCK`] of them in
/// [`train`](Self::train).
#[derive(Clone, Copy)]
struct TargetBlock<'a> {
    batch: &'a Batch,
    targets: &'a [Target],
    /// Where the rows of the inputs lie: W, or their mean.
    rows: &'a [Floats],
    output: &'a PaddedMatrix,
    /// The scales of the sums for W'.
    scales: Scales,
    /// The draw by which the window's contributions are rounded, from -1/2 to 1/2.
    draw: f32,
    act: SecondAct,
}

impl TargetBlock<'_> {
    /// Takes the targets as choices among `branches` of them, and returns the loss. A choice among
    /// more than a block is taken twice: the first time for its totals.
    #[inline(always)]
    fn choices<S: Simd>(&self, simd: S, branches: usize, scratch: &mut ThreadScratch) -> f64 {
        let mut loss = 0.0;
        for targets in self.targets.chunks(branches) {
            let acts: &[SecondAct] = if targets.len() > TARGET_BLOCK {
                &[SecondAct::Totals, SecondAct::Chosen]
            } else {
                &[SecondAct::Choice]
            };
            scratch.totals.clear();
            scratch.totals.resize(scratch.places.len(), Total::NONE);
            for &act in acts {
                loss += Self {
                    targets,
                    act,
                    ..*self
                }
                .blocks(simd, scratch);
            }
        }
        loss
    }

    /// Takes the targets block by block, and returns the loss.
    #[inline(always)]
    fn blocks<S: Simd>(&self, simd: S, scratch: &mut ThreadScratch) -> f64 {
        let mut loss = 0.0;
        for targets in self.targets.chunks(TARGET_BLOCK) {
            let block = Self { targets, ..*self };
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
        loss
    }

    /// The cross product of the inputs and `T` targets, in three acts; returns its loss.
    ///
    /// Loops over the targets have a constant end, and the acts are inlined: otherwise arrays of
    /// registers would go to memory.
    #[inline(always)]
    fn train<S: Simd, const T: usize>(&self, simd: S, scratch: &mut ThreadScratch) -> f32 {
        let targets: &[Target; T] = self
            .targets
            .try_into()
            .expect("the caller has counted the targets");
        let (batch, width) = (self.batch, self.output.width());
        let mut target_rows: [&[S::f32s]; T] = [&[]; T];
        for (row, target) in target_rows.iter_mut().zip(targets) {
            let own = self
                .output
                .row(batch.target_rows[target.slot().index()].index());
            *row = &vectors::<S>(own)[..width * per_piece::<S>()];
        }
        self.scores(simd, &target_rows, scratch);
        let inputs = scratch.places.len();
        if matches!(self.act, SecondAct::Choice | SecondAct::Totals) {
            add_to_totals::<T>(&scratch.errors, &mut scratch.totals);
        }
        let loss = match self.act {
            SecondAct::Labels => errors(targets, inputs, &mut scratch.errors),
            SecondAct::Totals => return 0.0,
            SecondAct::Choice | SecondAct::Chosen => {
                errors_of_choice(targets, &scratch.totals, &mut scratch.errors)
            }
        };
        self.contributions(simd, targets, &target_rows, scratch);
        loss
    }

    /// First act: the scores of all inputs with the targets, in `scratch.errors`. Two inputs are
    /// taken against all targets at once, so that each vector of W' is loaded half as often.
    #[expect(
        clippy::needless_range_loop,
        reason = "a part of a piece is named in several arrays"
    )]
    #[inline(always)]
    fn scores<S: Simd, const T: usize>(
        &self,
        simd: S,
        target_rows: &[&[S::f32s]; T],
        scratch: &mut ThreadScratch,
    ) {
        let (rows, width) = (self.rows, self.output.width());
        scratch.errors.clear();
        let scores = (scratch.places.len() * TARGET_BLOCK).next_multiple_of(LANES);
        scratch.errors.resize(scores, 0.0);
        let pairs = scratch
            .places
            .chunks(2)
            .zip(scratch.errors.chunks_exact_mut(LANES));
        for (places, scores) in pairs {
            let row = |place: &(usize, usize)| vectors::<S>(&rows[place.0..][..width]);
            // The last one may be alone.
            let [first, second] = [row(&places[0]), row(&places[places.len() - 1])];
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
    }

    /// Third act: errors times rows, added to the sums of the span's centers and of the targets.
    /// Vector by vector, each row of the window is read once and each sum is written once.
    #[inline(always)]
    fn contributions<S: Simd, const T: usize>(
        &self,
        simd: S,
        targets: &[Target; T],
        target_rows: &[&[S::f32s]; T],
        scratch: &mut ThreadScratch,
    ) {
        let width = self.output.width();
        let mut before = [0; T];
        scratch.scales.resize(TARGET_BLOCK, 0.0);
        let row_scales = &mut scratch.scales[..T];
        for j in 0..T {
            let slot = targets[j].slot().index();
            before[j] = scratch.targets.touch(slot);
            row_scales[j] = self.scales.scale(self.batch.target_bits[slot]);
        }
        let rows = vectors::<S>(self.rows);
        let span: &mut [S::f32s] = bytemuck::cast_slice_mut(&mut scratch.span);
        let target_sums: &mut [S::u32s] = bytemuck::cast_slice_mut(&mut scratch.targets.sums);
        for at in 0..width * per_piece::<S>() {
            // A line at a time: many at once would wait for each other.
            if at % per_piece::<S>() == 0 {
                let line = at / per_piece::<S>();
                scratch.rows_ahead.iter().for_each(|row| row.prefetch(line));
                scratch
                    .sums_ahead
                    .iter()
                    .for_each(|sums| sums.prefetch_to_write(line));
            }
            let mut target_vectors = [simd.splat_f32s(0.0); T];
            for j in 0..T {
                target_vectors[j] = target_rows[j][at];
            }
            let mut contributions = [simd.splat_f32s(0.0); T];
            for (&(row, sum), errors) in scratch
                .places
                .iter()
                .zip(scratch.errors.chunks_exact(TARGET_BLOCK))
            {
                let x = rows[row * per_piece::<S>() + at];
                let sum = &mut span[sum * per_piece::<S>() + at];
                let mut contribution = *sum;
                for j in 0..T {
                    let error = simd.splat_f32s(errors[j]);
                    contributions[j] = simd.mul_add_f32s(error, x, contributions[j]);
                    contribution = simd.mul_add_f32s(error, target_vectors[j], contribution);
                }
                *sum = contribution;
            }
            for j in 0..T {
                let sums =
                    &mut target_sums[targets[j].slot().index() * width * per_piece::<S>() + at];
                let (scale, draw) = (simd.splat_f32s(row_scales[j]), simd.splat_f32s(self.draw));
                add_fixed(simd, sums, before[j], contributions[j], scale, draw);
            }
        }
    }
}

/// Second act: scores become errors in their place, 16 at a time, which are two centers with eight
/// targets each. Returns the loss.
#[inline(always)]
fn errors<const T: usize>(targets: &[Target; T], centers: usize, errors: &mut [f32]) -> f32 {
    let mut signs = [0.0; LANES];
    for j in 0..T {
        signs[j] = if targets[j].label() { 1.0 } else { -1.0 };
        signs[j + TARGET_BLOCK] = signs[j];
    }
    let mut loss = [0.0f32; LANES];
    for (pair, errors) in errors.chunks_exact_mut(LANES).enumerate() {
        let present = if 2 * pair + 1 < centers {
            LANES
        } else {
            TARGET_BLOCK
        };
        for lane in 0..LANES {
            let sign = if lane < present { signs[lane] } else { 0.0 };
            let (error, own) = error_and_loss(sign, errors[lane]);
            errors[lane] = error;
            loss[lane] += own;
        }
    }
    Floats(loss).sum()
}

/// What the scores of an input with the targets of a choice add up to, so far.
#[derive(Clone, Copy, Debug)]
struct Total {
    /// The largest score.
    largest: f32,
    /// The sum of e to the power of each score less the largest.
    sum: f32,
}

impl Total {
    /// The total of no score.
    const NONE: Self = Self {
        largest: f32::MIN,
        sum: 0.0,
    };
}

/// Adds the scores of each input with the first `T` targets of a block to the input's total.
#[inline(always)]
fn add_to_totals<const T: usize>(scores: &[f32], totals: &mut [Total]) {
    for (scores, total) in scores.chunks_exact(TARGET_BLOCK).zip(totals) {
        let largest = scores[..T].iter().copied().fold(total.largest, f32::max);
        let before = total.sum * exp_of_negative(total.largest - largest);
        let terms = scores[..T]
            .iter()
            .map(|score| exp_of_negative(score - largest));
        let sum = terms.fold(before, |sum, term| sum + term);
        *total = Total { largest, sum };
    }
}

/// Second act of a choice: scores become errors in their place. Returns the loss of the chosen
/// targets.
#[inline(always)]
fn errors_of_choice<const T: usize>(
    targets: &[Target; T],
    totals: &[Total],
    errors: &mut [f32],
) -> f32 {
    let mut loss = 0.0;
    for (errors, total) in errors.chunks_exact_mut(TARGET_BLOCK).zip(totals) {
        let of_all = 1.0 / total.sum;
        for (error, target) in errors.iter_mut().zip(targets) {
            let score = *error;
            // A score of minus infinity would leave no trace in the loss of another target.
            loss += 0.0 * f64::from(score);
            if target.label() {
                let log_total = f64::from(total.largest) + f64::from(total.sum).ln();
                loss += log_total - f64::from(score);
            }
            let wanted = f32::from(u8::from(target.label()));
            *error = wanted - exp_of_negative(score - total.largest) * of_all;
        }
    }
    loss as f32
}

/// Adds a contribution in fixed point, rounded by a draw
/// ([`fixed_point`](crate::engine::fixed_point)). The sums so far count in the bits of `before`.
#[inline(always)]
fn add_fixed<S: Simd>(
    simd: S,
    sums: &mut S::u32s,
    before: u32,
    contribution: S::f32s,
    scale: S::f32s,
    draw: S::f32s,
) {
    let rounded = simd.add_f32s(
        simd.mul_add_f32s(contribution, scale, draw),
        simd.splat_f32s(ROUND),
    );
    let integers = simd.sub_u32s(
        simd.transmute_u32s_f32s(rounded),
        simd.splat_u32s(ROUND.to_bits()),
    );
    // In two's complement; wraps only for values that are no numbers, which the loss reports.
    *sums = simd.add_u32s(simd.and_u32s(*sums, simd.splat_u32s(before)), integers);
}

/// Error `y - s(z)` and loss of a score `z`, for `sign` 1 (label 1), -1 (label 0) or 0 (nothing
/// there).
///
/// With a = sign z, the error is sign s(-a) and the loss log(1 + e^-a). Both come from t = e^-|a|:
/// s(-a) is t / (1 + t) for a >= 0 and 1 / (1 + t) below, and log(1 + e^-a) = max(-a, 0) + log(1 +
/// t). The loss of an infinite score is no number, whatever its sign.
#[inline(always)]
fn error_and_loss(sign: f32, score: f32) -> (f32, f32) {
    let a = sign * score;
    let t = exp_of_negative(-a.abs());
    let share = 1.0 / (1.0 + t);
    let error = sign * if a >= 0.0 { t * share } else { share };
    let ramp = if a < 0.0 { -a } else { 0.0 };
    let zero = 0.0 * score;
    (error, sign.abs() * (ramp + log_of_one_plus(t) + zero))
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
    let exponent = (shifted.to_bits() as i32)
        .wrapping_sub(ROUND.to_bits() as i32)
        .wrapping_add(127);
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
                assert!(
                    (f64::from(error) - expected).abs() < 2e-7,
                    "{score}: {error} {expected}"
                );
                assert!(
                    (f64::from(loss) - expected_loss).abs() < 3e-7 * expected_loss.max(1.0),
                    "{score}: {loss}"
                );
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
        for score in [f32::INFINITY, f32::NEG_INFINITY] {
            assert!(error_and_loss(1.0, score).1.is_nan());
        }
    }

    #[test]
    fn contributions_are_rounded_by_their_draw() {
        let of = |(contribution, draw): (f32, f32)| {
            let mut sum = 1u32;
            add_fixed(pulp::Scalar, &mut sum, u32::MAX, contribution, 4.0, draw);
            sum as i32
        };
        let cases = [
            (0.374, 0.0),
            (-0.376, 0.0),
            (0.1, 0.1001),
            (0.1, 0.09),
            (-0.1, -0.1001),
            (0.0, 0.499),
        ];
        assert_eq!(cases.map(of), [2, -1, 2, 1, 0, 1]);
    }
}
