//! A step whose targets are scored one by one: its two halves on all threads, and the sums between
//! them.
//!
//! Each thread adds to sums of its own. They stay apart between the halves: the second half adds
//! them up row by row, while it moves the row. So a whole step writes no total anywhere.

use std::sync::{Mutex, PoisonError};

use super::apply::{Movement, StepRate};
use super::cores::{Chunks, Cores};
use super::lanes::{Integers, PaddedMatrix, SharedRows};
use super::subwords::Composed;
use super::sums::{SlotSums, add_total};
use super::window::{ThreadScratch, Train};
use crate::batch::{Batch, POOL_SPANS, Parts, Row};
use crate::engine::Objective;
use crate::engine::fixed_point::{self, Scales, SumFormat};
use crate::engine::sums::{BatchSums, SumRows, TableSums, halves};
use crate::error::Result;

/// Chunks of spans for each thread, about, which they take one after the other; no chunk is larger
/// than the spans of a pool of negatives, whose rows then stay with a core.
const CHUNKS: usize = 8;

/// The working memory of all threads, kept from batch to batch.
#[derive(Debug)]
pub(super) struct SigmoidWork {
    threads: Vec<Mutex<ThreadScratch>>,
    /// The rows whose sums wait for the second half of a step.
    pub(super) held: Option<HeldRows>,
}

/// The rows whose sums the threads hold between the halves of a step.
#[derive(Debug)]
pub(super) struct HeldRows {
    words_before: u64,
    centers: SumRows,
    targets: SumRows,
}

/// The touched rows of a table, by slot, and the units of their sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Touched<'a> {
    rows: &'a [Row],
    bits: &'a [u8],
    scales: Scales,
}

impl<'a> Touched<'a> {
    /// The rows of W and of W' that a batch touches.
    pub(super) fn of_batch(batch: &'a Batch, format: SumFormat) -> [Self; 2] {
        [
            Self {
                rows: &batch.center_rows,
                bits: &batch.center_bits,
                scales: format.centers,
            },
            Self {
                rows: &batch.target_rows,
                bits: &batch.target_bits,
                scales: format.targets,
            },
        ]
    }

    /// How these rows of a table move by the sums of all threads.
    fn movement(
        self,
        table: &'a SharedRows<'a>,
        sums: &'a [&'a SlotSums],
        width: usize,
        rate: StepRate,
    ) -> Movement<'a> {
        Movement {
            table,
            sums,
            scales: self.scales,
            bits: self.bits,
            width,
            rate,
        }
    }

    fn of_sums(sums: &'a SumRows) -> Self {
        Self {
            rows: &sums.rows,
            bits: &sums.bits,
            scales: sums.scales,
        }
    }

    fn to_sums(self) -> SumRows {
        SumRows {
            rows: self.rows.to_vec(),
            bits: self.bits.to_vec(),
            scales: self.scales,
        }
    }
}

impl HeldRows {
    /// The rows that a batch touches, to be kept beyond the batch.
    pub(super) fn of_batch(batch: &Batch, format: SumFormat) -> Self {
        let [centers, targets] = Touched::of_batch(batch, format).map(Touched::to_sums);
        Self {
            words_before: batch.words_before,
            centers,
            targets,
        }
    }

    /// The rows of W and of W'.
    pub(super) fn touched(&self) -> [Touched<'_>; 2] {
        [&self.centers, &self.targets].map(Touched::of_sums)
    }
}

impl SigmoidWork {
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads: (0..threads).map(|_| Mutex::default()).collect(),
            held: None,
        }
    }

    /// Each thread's memory, while no thread is at work.
    fn scratches(&mut self) -> impl Iterator<Item = &mut ThreadScratch> {
        self.threads
            .iter_mut()
            .map(|scratch| scratch.get_mut().unwrap_or_else(PoisonError::into_inner))
    }

    /// First half of a step: the contributions of a batch, added up by thread. Center slots have the
    /// rows `center_rows` of `input`.
    pub(super) fn add_up(
        &mut self,
        cores: &Cores,
        objective: Objective,
        batch: &Batch,
        (input, center_rows): (&PaddedMatrix, &[Row]),
        output: &PaddedMatrix,
    ) -> SumFormat {
        objective.check(batch);
        let format = SumFormat {
            centers: Scales::new(output.largest(), batch.center_contribution_bits),
            targets: Scales::new(input.largest(), batch.target_contribution_bits),
            key: fixed_point::key(batch.words_before),
        };
        self.scratches()
            .for_each(|scratch| scratch.start(batch, input.width()));
        let threads = &self.threads;
        let chunk = (batch.spans() / (CHUNKS * threads.len())).clamp(1, POOL_SPANS);
        let chunks = Chunks::new(batch.spans(), chunk);
        cores.on_all(|thread| {
            let mut scratch = threads[thread]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for spans in &chunks {
                cores.arch.dispatch(Train {
                    batch,
                    spans,
                    input,
                    center_rows,
                    output,
                    objective,
                    format,
                    scratch: &mut scratch,
                });
            }
        });
        format
    }

    /// The loss of a batch of so many spans, after the first half.
    pub(super) fn loss(&mut self, spans: usize) -> f64 {
        // Added up in the order of the spans: floats, unlike fixed-point sums, are not associative.
        let mut losses = vec![0.0; spans];
        self.scratches()
            .flat_map(|scratch| &scratch.losses)
            .for_each(|&(span, loss)| losses[span] = loss);
        losses.iter().sum()
    }

    /// Second half of a step: every touched row moves by the sums of all threads.
    pub(super) fn move_rows(
        &mut self,
        cores: &Cores,
        [input, output]: [&mut PaddedMatrix; 2],
        [centers, targets]: [Touched<'_>; 2],
        rate: StepRate,
    ) {
        let width = input.width();
        let (center_sums, target_sums) = self.slot_sums();
        let (input, output) = (input.shared(centers.rows), output.shared(targets.rows));
        let (centers, targets) = (
            centers.movement(&input, &center_sums, width, rate),
            targets.movement(&output, &target_sums, width, rate),
        );
        cores.on_all(|thread| {
            cores.arch.dispatch(centers.share(thread));
            cores.arch.dispatch(targets.share(thread));
        });
    }

    /// Second half of a step of words that are composed: the rows of W' move as in
    /// [`move_rows`](Self::move_rows), and those of W by the gradients of the words that they are
    /// parts of.
    pub(super) fn move_parts(
        &mut self,
        cores: &Cores,
        (composed, parts): (&mut Composed, &Parts),
        [input, output]: [&mut PaddedMatrix; 2],
        [centers, targets]: [Touched<'_>; 2],
        rate: StepRate,
    ) {
        let width = output.width();
        let (center_sums, target_sums) = self.slot_sums();
        let output = output.shared(targets.rows);
        let targets = targets.movement(&output, &target_sums, width, rate);
        let gradients = composed.take_gradients(center_sums, centers.scales, centers.bits);
        cores.on_all(|thread| {
            cores.arch.dispatch(gradients.share(thread));
            cores.arch.dispatch(targets.share(thread));
        });
        composed.move_parts(cores, parts, input, rate);
    }

    /// Every thread's sums for rows of W and for rows of W'.
    fn slot_sums(&mut self) -> (Vec<&SlotSums>, Vec<&SlotSums>) {
        self.scratches()
            .map(|scratch| (&scratch.centers, &scratch.targets))
            .unzip()
    }

    /// The totals of the sums that are held, for matrices of `dim` columns in rows of `width`
    /// pieces.
    pub(super) fn sums(&mut self, dim: usize, width: usize) -> Option<BatchSums> {
        let held = self.held.take()?;
        let (centers, targets) = self.slot_sums();
        let total = |sums: &[&SlotSums], rows: &SumRows| {
            let mut values = Vec::with_capacity(rows.rows.len() * dim);
            let mut total = vec![Integers::ZERO; width];
            for slot in 0..rows.rows.len() {
                add_total(sums, slot, &mut total);
                let row: &[i32] = bytemuck::cast_slice(&total);
                values.extend_from_slice(&row[..dim]);
            }
            TableSums {
                rows: rows.clone(),
                dim,
                values,
            }
        };
        let sums = BatchSums {
            words_before: held.words_before,
            input: total(&centers, &held.centers),
            output: total(&targets, &held.targets),
        };
        self.held = Some(held);
        Some(sums)
    }

    /// Replaces the sums that are held, and shares them out among the threads.
    ///
    /// # Errors
    /// [`Error::Halves`](crate::Error::Halves) when the sums are not those of the two matrices.
    pub(super) fn set_sums(
        &mut self,
        sums: &BatchSums,
        [input, output]: [&PaddedMatrix; 2],
    ) -> Result<()> {
        sums.input.validate(input.rows(), input.dim())?;
        sums.output.validate(output.rows(), output.dim())?;
        let (centers, targets) = (&sums.input.rows, &sums.output.rows);
        if !centers.scales.are_for(output.largest()) || !targets.scales.are_for(input.largest()) {
            return Err(halves("the scales of the sums are those of another model"));
        }
        let (width, count) = (input.width(), self.threads.len());
        for (thread, scratch) in self.scratches().enumerate() {
            let share = |slots: usize| slots * thread / count..slots * (thread + 1) / count;
            for (own, table) in [
                (&mut scratch.centers, &sums.input),
                (&mut scratch.targets, &sums.output),
            ] {
                let slots = table.rows.rows.len();
                own.start(slots, width);
                for slot in share(slots) {
                    own.set(slot, width, &table.values[slot * table.dim..][..table.dim]);
                }
            }
        }
        self.held = Some(HeldRows {
            words_before: sums.words_before,
            centers: centers.clone(),
            targets: targets.clone(),
        });
        Ok(())
    }
}
