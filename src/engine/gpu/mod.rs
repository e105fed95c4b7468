//! The GPU engine: kernels in `shaders/`, run through wgpu on Vulkan, Metal or DX12.
//!
//! `program` says which kernels a step takes, and on which buffers. Several steps go into one
//! submission, and nothing is read back until someone asks.

mod adapter;
mod bindings;
mod copy;
mod device;
#[cfg(test)]
mod fragments;
mod kernels;
mod layout;
mod limits;
mod memory;
mod options;
mod pipeline;
mod program;
mod shards;
mod tables;
mod timing;
#[cfg(test)]
mod translation;
mod upload;
#[cfg(test)]
mod variants;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub(super) use adapter::find;
pub use adapter::{GpuAdapter, adapters, hardware, select};
pub use copy::copy_bandwidth;
pub use memory::{bindings, buffers};
pub use options::GpuOptions;
use wgpu::{
    BindGroup, Buffer, BufferSize, CommandEncoder, ComputePassDescriptor, ErrorFilter, Features,
};

use self::device::{Device, Needed, adapter_name};
use self::layout::Layout;
use self::limits::most_buffers;
use self::program::{
    BATCH_LOSSES, BufferRole, LARGEST, LOSSES, Program, SCORES, ScratchBuffer, StepSize,
    most_words, span_groups, tile_centers,
};
use self::shards::Shards;
use self::tables::{DeviceTable, read_rows};
use self::timing::{HostStage, Timing};
use self::upload::{
    HEADER_WORDS, HeldRows, StepNumbers, UPLOADS, counts, header, pack, pack_centers, pack_rows,
};
use super::fixed_point::{Scales, least_room};
use super::sums::{
    BatchSums, SumRows, TableSums, halves, no_sums, sums_are_floats, sums_of_parts, sums_wait,
};
use super::{Engine, LossFunction, Objective, StageTime, check_rows, half};
use crate::batch::{Batch, Packer, Row};
use crate::error::{Error, Result};
use crate::model::{Matrix, Model, Table};

/// Windows after which a submission goes out even with fewer uploads: enough to keep a device busy.
const SUBMIT_WINDOWS: usize = 1 << 16;

/// The number of engines so far. A batch that was checked for one engine is not taken by another,
/// whose matrices may have fewer rows.
static ENGINES: AtomicU64 = AtomicU64::new(0);

/// Floating-point operations after which a submission goes out. Windows takes a device for dead that
/// works on a submission for 2 seconds: a device that makes 5 billion of them a second is in time.
const SUBMIT_WORK: u64 = 10_000_000_000;

/// Trains on a GPU.
#[derive(Debug)]
pub struct GpuEngine {
    device: Device,
    /// Adapter, backend and driver, for [`Engine::describe`].
    description: String,
    options: GpuOptions,
    layout: Layout,
    /// Its objective, the sizes of its matrices, and what else its batches must satisfy.
    checks: Checks,
    program: Program,
    input: DeviceTable,
    output: DeviceTable,
    /// The program's buffers between its kernels, each as large as needed so far; matrices in their
    /// shards.
    scratch: Vec<(ScratchBuffer, Vec<Buffer>)>,
    /// A slot for each upload of a submission: its words must stay until the submission has run.
    slots: Vec<UploadSlot>,
    batch_losses: Buffer,
    largest: Buffer,
    /// Scores of a softmax held at a time, unless a single center has more.
    most_scores: usize,
    /// Work of a submission at most, unless a single stage has more: [`SUBMIT_WORK`].
    submit_work: u64,
    /// Commands not submitted yet.
    encoder: Option<CommandEncoder>,
    /// Uploads of the commands not submitted yet.
    recorded: usize,
    /// Windows of the commands not submitted yet.
    recorded_windows: usize,
    /// Work of the commands not submitted yet, as far as stages tell it.
    recorded_work: u64,
    /// Losses on the device that have not been read.
    unread: usize,
    /// The loss that has been read since it was last taken.
    loss: f64,
    /// The upload at hand, kept for its memory.
    words: Vec<u32>,
    /// The rows whose sums wait on the device for the second half of a step.
    held: Option<HeldSums>,
    timing: Option<Timing>,
}

/// The upload of a batch, or of a part of it, and everything bound for it.
#[derive(Debug)]
struct UploadSlot {
    upload: Buffer,
    /// For each stage of the program.
    bound: Vec<BindGroup>,
}

/// The rows whose sums are on the device between the halves of a step.
#[derive(Debug)]
struct HeldSums {
    words_before: u64,
    centers: HeldRows,
    targets: HeldRows,
}

impl GpuEngine {
    /// Opens the adapter and brings a model to it.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] or [`Error::DeviceMemory`] when the model does not fit,
    /// [`Error::Device`] when the adapter does not work.
    pub fn new(
        selected: GpuAdapter,
        model: &Model,
        objective: Objective,
        options: GpuOptions,
    ) -> Result<Self> {
        let (input_rows, output_rows) = (model.input.rows(), model.output.rows());
        let (device, layout) = open(&selected, model, objective, options)?;
        tracing::info!("kernels: {layout:?}");
        let program = compile(objective, &device, layout, output_rows)?;
        let input = DeviceTable::upload(&device, "W", &model.input, &layout)?;
        let output = DeviceTable::upload(&device, "W'", &model.output, &layout)?;
        let scratch = program.scratch.iter().map(|&buffer| (buffer, Vec::new()));
        let scratch = scratch.collect();
        let batch_losses = device.storage(BATCH_LOSSES.label, BATCH_LOSSES.bytes)?;
        let largest = device.storage(LARGEST.label, LARGEST.bytes)?;
        let stages = program.stages.len();
        let timing = options
            .measure
            .then(|| Timing::new(&device, UPLOADS * stages, stages))
            .transpose()?;
        let summary = selected.summary();
        let engine = Self {
            device,
            description: format!(
                "gpu {} ({}, {}), {}",
                summary.name, summary.backend, summary.kind, summary.driver
            ),
            options,
            layout,
            checks: Checks {
                adapter: adapter_name(&selected.adapter),
                engine: ENGINES.fetch_add(1, Ordering::Relaxed) + 1,
                objective,
                input_rows,
                output_rows,
                by_shaders: options.shader_checks,
            },
            program,
            input,
            output,
            scratch,
            slots: Vec::new(),
            batch_losses,
            largest,
            most_scores: SCORES,
            submit_work: SUBMIT_WORK,
            encoder: None,
            recorded: 0,
            recorded_windows: 0,
            recorded_work: 0,
            unread: 0,
            loss: 0.0,
            words: Vec::new(),
            held: None,
            timing,
        };
        engine.write_largest([&model.input, &model.output].map(Matrix::largest));
        Ok(engine)
    }

    /// Makes the buffers between the kernels large enough for a step.
    fn fit(&mut self, size: &StepSize) -> Result<()> {
        let mut grown = false;
        for (buffer, shards) in &mut self.scratch {
            let shape = buffer.shape(size);
            if shards
                .first()
                .is_none_or(|shard| shard.size() < shape.bytes)
            {
                // A quarter more than needed, so that slightly larger batches don't need another.
                let room = (shape.bytes + shape.bytes / 4)
                    .next_multiple_of(256)
                    .min(self.device.largest_binding());
                let count = if shape.is_matrix {
                    self.layout.shards.count
                } else {
                    1
                };
                let bytes = room.max(shape.bytes);
                let new = (0..count).map(|_| self.device.storage(shape.label, bytes));
                *shards = new.collect::<Result<_>>()?;
                grown = true;
            }
        }
        if grown {
            // Commands already recorded keep what they were bound to.
            self.flush()?;
            self.slots.clear();
        }
        Ok(())
    }

    /// The buffer, or the shards, of a role.
    fn buffers<'a>(&'a self, role: BufferRole, upload: &'a Buffer) -> &'a [Buffer] {
        match role {
            BufferRole::Upload => std::slice::from_ref(upload),
            BufferRole::Input => &self.input.shards,
            BufferRole::Output => &self.output.shards,
            BufferRole::Scratch(wanted) => self.scratch_buffers(wanted),
            BufferRole::BatchLosses => std::slice::from_ref(&self.batch_losses),
            BufferRole::Largest => std::slice::from_ref(&self.largest),
        }
    }

    /// A buffer between the kernels, or its shards.
    fn scratch_buffers(&self, wanted: ScratchBuffer) -> &[Buffer] {
        let found = self.scratch.iter().find(|(buffer, _)| *buffer == wanted);
        found.map_or(&[], |(_, shards)| shards)
    }

    /// Makes the next upload's slot large enough for `bytes`.
    fn fit_slot(&mut self, bytes: u64) -> Result<()> {
        let index = self.recorded;
        if self
            .slots
            .get(index)
            .is_some_and(|slot| slot.upload.size() >= bytes)
        {
            return Ok(());
        }
        let upload = self
            .device
            .storage("a batch", (bytes + bytes / 4).next_multiple_of(256))?;
        let bind = |compiled: &program::CompiledStage| {
            let roles = compiled.stage.buffers.iter();
            let buffers = roles.flat_map(|&role| self.buffers(role, &upload));
            compiled.pipeline.bind(&self.device, buffers)
        };
        let bound = self.program.stages.iter().map(bind).collect();
        let slot = UploadSlot { upload, bound };
        if index < self.slots.len() {
            self.slots[index] = slot;
        } else {
            self.slots.push(slot);
        }
        Ok(())
    }

    /// Records the stages of a step, or of a part of it, on what is packed in `words`.
    fn record(
        &mut self,
        words: &[u32],
        numbers: StepNumbers,
        size: &StepSize,
        windows: usize,
    ) -> Result<()> {
        let started = Instant::now();
        self.fit(size)?;
        let bytes = words.len() as u64 * 4;
        self.fit_slot(bytes)?;
        let slot = &self.slots[self.recorded];
        let whole = BufferSize::new(bytes).expect("the header is a part of each upload");
        let view = self.device.queue.write_buffer_with(&slot.upload, 0, whole);
        let mut view = view.ok_or_else(|| {
            let why = "the device gave no memory for it".to_owned();
            self.device.failed("uploading a batch", why)
        })?;
        let (header, arrays) = (header(words, numbers), &words[HEADER_WORDS..]);
        view.slice(..HEADER_WORDS * 4)
            .copy_from_slice(bytemuck::cast_slice(&header));
        view.slice(HEADER_WORDS * 4..)
            .copy_from_slice(bytemuck::cast_slice(arrays));
        drop(view);
        if let Some(timing) = &mut self.timing {
            timing.add(HostStage::Upload, started);
        }

        let stages: Vec<usize> = (0..self.program.stages.len())
            .filter(|&stage| !(self.program.stages[stage].stage.groups)(size).contains(&0))
            .collect();
        // One pass for as many kernels as a submission may hold, or for each its own when they are
        // timed.
        let most = if self.timing.is_some() {
            1
        } else {
            (self.submit_work / size.stage_work.max(1)).clamp(1, stages.len().max(1) as u64)
                as usize
        };
        for stages in stages.chunks(most) {
            self.record_pass(stages, size);
            self.recorded_work += size.stage_work * stages.len() as u64;
            if self.recorded_work >= self.submit_work {
                self.submit()?;
            }
        }
        self.unread += 1;
        self.recorded += 1;
        self.recorded_windows += windows;
        if self.recorded == UPLOADS || self.recorded_windows >= SUBMIT_WINDOWS {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Records a pass of some stages on the next upload's slot.
    fn record_pass(&mut self, stages: &[usize], size: &StepSize) {
        let encoder = self.encoder.get_or_insert_with(|| {
            self.device
                .device
                .create_command_encoder(&Default::default())
        });
        let timestamp_writes = self
            .timing
            .as_mut()
            .and_then(|timing| timing.writes(stages[0]));
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: Some("step"),
            timestamp_writes,
        });
        for &stage in stages {
            let compiled = &self.program.stages[stage];
            let [x, y] = (compiled.stage.groups)(size).map(|count| count as u32);
            pass.set_pipeline(&compiled.pipeline.pipeline);
            pass.set_bind_group(0, &self.slots[self.recorded].bound[stage], &[]);
            pass.dispatch_workgroups(x, y, 1);
        }
    }

    /// The numbers of the next upload, which is of a step after so many words.
    fn next_numbers(&mut self, words_before: u64, lr: f32) -> Result<StepNumbers> {
        if self.unread == LOSSES {
            self.read_losses()?;
        }
        Ok(StepNumbers {
            loss_index: self.unread as u32,
            lr,
            clip: self.options.clip,
            rounding: half::key(self.options.seed, words_before),
        })
    }

    /// Checks a batch, and packs it where it was not packed for this engine; calls `then` with
    /// what is packed.
    fn with_packed(
        &mut self,
        batch: &Batch,
        then: impl FnOnce(&mut Self, &[u32]) -> Result<()>,
    ) -> Result<()> {
        if let Some(words) = batch.packed.of(self.checks.engine) {
            return then(self, words);
        }
        let started = Instant::now();
        self.checks.validate(batch)?;
        let mut words = std::mem::take(&mut self.words);
        pack(batch, &mut words);
        self.note(HostStage::Pack, started);
        let done = then(self, &words);
        self.words = words;
        done
    }

    /// Records a whole step, or with `lr` none its first half.
    fn add_up(&mut self, batch: &Batch, lr: Option<f32>) -> Result<()> {
        let numbers = self.next_numbers(batch.words_before, lr.unwrap_or(0.0))?;
        self.with_packed(batch, |engine, words| {
            let [spans, centers, targets, parts] = counts(words);
            let layout = engine.layout;
            let (width, most) = (u64::from(layout.width), layout.groups as u64);
            let size = StepSize {
                spans,
                span_groups: span_groups(spans, width, most, layout.span_sums_fit),
                centers,
                targets,
                parts,
                moves_input: lr.is_some(),
                moves_output: lr.is_some(),
                ..StepSize::on(&layout, engine.checks.output_rows)
            };
            engine.record(words, numbers, &size, batch.windows())
        })
    }

    /// Takes the batch's centers in tiles, so that their scores with all words fit into
    /// `most_scores`. W' moves after the last tile.
    fn softmax_step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let started = Instant::now();
        let by_center = batch.by_center();
        self.note(HostStage::Pack, started);
        let centers = batch.center_rows.len();
        let tile = tile_centers(self.most_scores, self.checks.output_rows);
        for first in (0..centers).step_by(tile) {
            let slots = first..centers.min(first + tile);
            let numbers = self.next_numbers(batch.words_before, lr)?;
            let started = Instant::now();
            let mut words = std::mem::take(&mut self.words);
            pack_centers(batch, &by_center, slots.clone(), &mut words);
            self.note(HostStage::Pack, started);
            let size = StepSize {
                centers: slots.len() as u64,
                moves_input: true,
                moves_output: slots.end == centers,
                ..StepSize::on(&self.layout, self.checks.output_rows)
            };
            let recorded = self.record(&words, numbers, &size.with_products(), slots.len());
            self.words = words;
            recorded?;
        }
        Ok(())
    }

    /// The size of the second half of a step.
    fn half_size(&self, centers: &HeldRows, targets: &HeldRows) -> StepSize {
        StepSize {
            centers: centers.rows.len() as u64,
            targets: targets.rows.len() as u64,
            moves_input: true,
            moves_output: true,
            ..StepSize::on(&self.layout, self.checks.output_rows)
        }
    }

    /// The sums on the device of the rows of one table, whose scales are those of elements up to
    /// `largest`.
    fn read_sums(
        &mut self,
        buffer: ScratchBuffer,
        held: HeldRows,
        largest: f32,
    ) -> Result<TableSums> {
        let (dim, width) = (self.dim(), self.layout.shards.width as usize * 4);
        let shards = self.scratch_buffers(buffer).to_vec();
        let shape = (held.rows.len(), dim, width);
        let values = read_rows(&mut self.device, &shards, 0, shape, |&value: &i32| value)?;
        Ok(TableSums {
            rows: SumRows {
                scales: Scales::with_room(largest, held.least_room),
                rows: held.rows,
                bits: held.bits,
            },
            dim,
            values,
        })
    }

    /// Writes sums to the device, and zeros in up to `before` slots: kernels expect sums without a
    /// row to be zero.
    fn write_sums(&mut self, buffer: ScratchBuffer, sums: &TableSums, before: usize) {
        let (dim, width) = (sums.dim, self.layout.shards.width as usize * 4);
        let slots = sums.rows.rows.len().max(before);
        for (shard, buffer) in self.scratch_buffers(buffer).iter().enumerate() {
            let columns = (shard * width).min(dim)..((shard + 1) * width).min(dim);
            let mut piece = vec![0i32; slots * width];
            for (piece, row) in piece
                .chunks_exact_mut(width)
                .zip(sums.values.chunks_exact(dim))
            {
                piece[..columns.len()].copy_from_slice(&row[columns.clone()]);
            }
            let bytes = bytemuck::cast_slice(&piece);
            self.device.queue.write_buffer(buffer, 0, bytes);
        }
    }

    /// Elements of a row.
    fn dim(&self) -> usize {
        self.input.dim()
    }

    /// The largest elements of W and of W' so far.
    fn read_largest(&mut self) -> Result<[f32; 2]> {
        self.flush()?;
        let mut largest = [0; 2];
        self.device.read(&self.largest, 0..8, 8, |bits: &[u32]| {
            largest.copy_from_slice(bits)
        })?;
        Ok(largest.map(f32::from_bits))
    }

    /// Replaces the largest elements of W and of W', those that the next step reads and those that
    /// it raises.
    fn write_largest(&self, largest: [f32; 2]) {
        let bits = largest.map(f32::to_bits);
        let both = [bits, bits];
        self.device
            .queue
            .write_buffer(&self.largest, 0, bytemuck::cast_slice(&both));
    }

    /// Whether steps have halves, and none is between them.
    fn begin_half(&self) -> Result<()> {
        self.checks.has_halves()?;
        if self.held.is_some() {
            return Err(sums_wait());
        }
        Ok(())
    }

    /// The rows whose sums are on the device.
    fn take_held(&mut self) -> Result<HeldSums> {
        self.checks.has_halves()?;
        self.held.take().ok_or_else(no_sums)
    }

    /// Adds the time since `started` to a stage, where stages are timed.
    fn note(&mut self, host: HostStage, started: Instant) {
        if let Some(timing) = &mut self.timing {
            timing.add(host, started);
        }
    }

    /// Submits what is recorded, and begins with the first slot again.
    fn flush(&mut self) -> Result<()> {
        self.recorded = 0;
        self.recorded_windows = 0;
        self.submit()
    }

    /// Submits what is recorded; the slots stay taken.
    fn submit(&mut self) -> Result<()> {
        self.recorded_work = 0;
        let Some(mut encoder) = self.encoder.take() else {
            return Ok(());
        };
        let full = self
            .timing
            .as_mut()
            .is_some_and(|timing| timing.resolve(&mut encoder));
        let started = Instant::now();
        self.device.submit(encoder)?;
        match &mut self.timing {
            None => Ok(()),
            Some(timing) => {
                timing.add(HostStage::Submit, started);
                if full {
                    timing.read(&mut self.device)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Brings the losses of all batches so far over.
    fn read_losses(&mut self) -> Result<()> {
        self.flush()?;
        let unread = std::mem::take(&mut self.unread) as u64;
        let started = Instant::now();
        if unread > 0 {
            let loss = &mut self.loss;
            self.device
                .read(&self.batch_losses, 0..unread * 4, 4, |losses: &[f32]| {
                    *loss += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
                })?;
        }
        self.note(HostStage::Read, started);
        Ok(())
    }
}

impl Engine for GpuEngine {
    /// Both halves in one upload.
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        if self.held.is_some() {
            return Err(sums_wait());
        }
        if batch.windows() == 0 {
            return Ok(());
        }
        match self.checks.objective.loss {
            LossFunction::Sigmoid | LossFunction::Choice { .. } => self.add_up(batch, Some(lr)),
            LossFunction::Softmax => {
                self.checks.validate(batch)?;
                self.softmax_step(batch, lr)
            }
        }
    }

    fn accumulate(&mut self, batch: &Batch) -> Result<()> {
        self.begin_half()?;
        self.add_up(batch, None)?;
        let held = |rows: &[Row], bits: &[u8], contribution_bits| HeldRows {
            rows: rows.to_vec(),
            bits: bits.to_vec(),
            least_room: least_room(contribution_bits),
        };
        self.held = Some(HeldSums {
            words_before: batch.words_before,
            centers: held(
                &batch.center_rows,
                &batch.center_bits,
                batch.center_contribution_bits,
            ),
            targets: held(
                &batch.target_rows,
                &batch.target_bits,
                batch.target_contribution_bits,
            ),
        });
        Ok(())
    }

    fn apply(&mut self, lr: f32) -> Result<()> {
        let held = self.take_held()?;
        let numbers = self.next_numbers(held.words_before, lr)?;
        let mut words = std::mem::take(&mut self.words);
        pack_rows(&held.centers, &held.targets, &mut words);
        let size = self.half_size(&held.centers, &held.targets);
        let recorded = self.record(&words, numbers, &size, 0);
        self.words = words;
        recorded
    }

    fn sums(&mut self) -> Result<BatchSums> {
        let held = self.take_held()?;
        let [input, output] = self.read_largest()?;
        let sums = BatchSums {
            words_before: held.words_before,
            input: self.read_sums(ScratchBuffer::CenterSums, held.centers.clone(), output)?,
            output: self.read_sums(ScratchBuffer::TargetSums, held.targets.clone(), input)?,
        };
        self.held = Some(held);
        Ok(sums)
    }

    fn set_sums(&mut self, sums: &BatchSums) -> Result<()> {
        let [input, output] = self.read_largest()?;
        let (centers, targets) = (&sums.input.rows, &sums.output.rows);
        let held = self.take_held()?;
        let before = [held.centers.rows.len(), held.targets.rows.len()];
        self.held = Some(held);
        sums.input.validate(self.checks.input_rows, self.dim())?;
        sums.output.validate(self.checks.output_rows, self.dim())?;
        if !centers.scales.are_for(output) || !targets.scales.are_for(input) {
            return Err(halves("the scales of the sums are those of another model"));
        }
        let held = |rows: &SumRows| HeldRows {
            rows: rows.rows.clone(),
            bits: rows.bits.clone(),
            least_room: rows.scales.least_room(),
        };
        let (centers, targets) = (held(centers), held(targets));
        let size = self.half_size(&centers, &targets);
        self.fit(&size)?;
        self.write_sums(ScratchBuffer::CenterSums, &sums.input, before[0]);
        self.write_sums(ScratchBuffer::TargetSums, &sums.output, before[1]);
        self.held = Some(HeldSums {
            words_before: sums.words_before,
            centers,
            targets,
        });
        Ok(())
    }

    fn take_loss(&mut self) -> Result<f64> {
        self.read_losses()?;
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        let [input, output] = self.read_largest()?;
        Ok(Model {
            input: self.input.download(&mut self.device)?.having_reached(input),
            output: self
                .output
                .download(&mut self.device)?
                .having_reached(output),
        })
    }

    fn rows(&mut self, table: Table, rows: Range<usize>) -> Result<Matrix> {
        let largest = self.read_largest()?[table as usize];
        let table = match table {
            Table::Input => &self.input,
            Table::Output => &self.output,
        };
        let rows = table.download_rows(&mut self.device, rows)?;
        Ok(rows.having_reached(largest))
    }

    fn set_rows(&mut self, table: Table, first: usize, rows: &Matrix) -> Result<()> {
        let mut largest = self.read_largest()?;
        let reached = &mut largest[table as usize];
        *reached = reached.max(rows.largest());
        let table = match table {
            Table::Input => &self.input,
            Table::Output => &self.output,
        };
        check_rows(table.rows(), table.dim(), first, rows)?;
        table.write(&self.device, first, rows);
        self.write_largest(largest);
        Ok(())
    }

    fn stages(&mut self) -> Result<Vec<StageTime>> {
        self.flush()?;
        let Some(timing) = &mut self.timing else {
            return Ok(Vec::new());
        };
        timing.read(&mut self.device)?;
        Ok(timing.take(&self.program.stages))
    }

    /// Checks and packs each batch. A softmax packs tiles of centers instead, one after the other.
    fn packer(&self) -> Option<Packer> {
        if self.checks.objective.loss == LossFunction::Softmax {
            return None;
        }
        let checks = self.checks.clone();
        Some(Arc::new(move |batch| {
            checks.validate(batch)?;
            let mut words = batch.packed.take();
            pack(batch, &mut words);
            batch.packed.set(checks.engine, words);
            Ok(())
        }))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// What a batch must satisfy before it is packed for an engine.
#[derive(Clone, Debug)]
struct Checks {
    /// The adapter, as errors name it.
    adapter: String,
    /// The number of the engine among all of the process, above 0.
    engine: u64,
    objective: Objective,
    input_rows: usize,
    output_rows: usize,
    /// Whether the shaders check what they read.
    by_shaders: bool,
}

impl Checks {
    /// Whether steps have halves: whether all sums are integers.
    fn has_halves(&self) -> Result<()> {
        match self.objective.loss {
            LossFunction::Softmax => Err(sums_are_floats()),
            _ if self.objective.subwords => Err(sums_of_parts()),
            LossFunction::Sigmoid | LossFunction::Choice { .. } => Ok(()),
        }
    }

    /// Checks a batch, where the shaders do not.
    fn validate(&self, batch: &Batch) -> Result<()> {
        self.objective.check(batch);
        if self.by_shaders {
            return Ok(());
        }
        let checked = batch.validate(self.input_rows, self.output_rows);
        checked.map_err(|why| Error::Device {
            adapter: self.adapter.clone(),
            doing: "checking a batch".to_owned(),
            why,
        })
    }
}

/// Opens the adapter for a model, and chooses the layout of the kernels.
fn open(
    selected: &GpuAdapter,
    model: &Model,
    objective: Objective,
    options: GpuOptions,
) -> Result<(Device, Layout)> {
    let adapter = adapter_name(&selected.adapter);
    let (input_rows, output_rows) = (model.input.rows(), model.output.rows());
    let rows = input_rows.max(output_rows);
    let width = model.input.dim().div_ceil(4) as u32;
    let limits = selected.adapter.limits();
    let shards = Shards::for_adapter(rows, width, &limits, options.max_shard, &adapter)?;
    let layout = Layout::choose(selected.traits(), options, width, shards);
    let mut features = Features::empty();
    features.set(Features::SUBGROUP, layout.subgroups);
    features.set(
        Features::TIMESTAMP_QUERY,
        options.measure && selected.has_timestamps(),
    );
    let needed = Needed {
        features,
        buffers: most_buffers(shards.count),
        largest: rows as u64 * shards.row_bytes(),
        workgroup_bytes: layout.workgroup_bytes(),
    };
    let device = Device::new(&selected.adapter, needed)?;
    if objective.loss == LossFunction::Softmax && output_rows > most_words() {
        return Err(Error::DeviceLimit {
            what: "a softmax over all words".to_owned(),
            needed: output_rows as u64 * 4,
            allowed: most_words() as u64 * 4,
            adapter,
        });
    }
    Ok((device, layout))
}

/// Compiles the kernels; a driver that rejects one is an error.
fn compile(
    objective: Objective,
    device: &Device,
    layout: Layout,
    output_rows: usize,
) -> Result<Program> {
    // A driver's own refusal is an internal error.
    let refusals = [
        ErrorFilter::OutOfMemory,
        ErrorFilter::Internal,
        ErrorFilter::Validation,
    ];
    let scopes = refusals.map(|refusal| device.device.push_error_scope(refusal));
    let program = Program::new(objective, device, layout, output_rows);
    // The last scope that was opened is the first to be closed.
    let closed = scopes.into_iter().rev();
    let errors: Vec<_> = closed
        .filter_map(|scope| pollster::block_on(scope.pop()))
        .collect();
    match errors.into_iter().next() {
        None => Ok(program),
        Some(error) => Err(device.failed("compiling the kernels", error)),
    }
}

/// These tests need an adapter, be it a software one. A plain `cargo test` shows them as ignored;
/// `tests/run.sh` installs an adapter and runs them.
#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::batch::tests::batch_of;
    use crate::engine::reference::ReferenceEngine;
    use crate::engine::tests::{
        MEANS_AND_CHOICES, ROWS, WITH_SUBWORDS, a_model_goes_on_as_the_engine_it_comes_from,
        a_rate_of_zero_changes_nothing, agree_after_steps, batch_for, floats_have_no_halves,
        halves_give_the_bits_of_a_step, halves_keep_their_order, model_of_huge_scores,
        random_model, rows_are_those_of_the_model, scores_that_are_not_finite_show,
        small_contributions_to_frequent_rows_count, window_strategy, with_few_targets,
    };
    use crate::model::{Matrix, Storage};

    const OBJECTIVES: [Objective; 3] = [Objective::SIGMOID, Objective::SOFTMAX, WITH_SUBWORDS[0]];

    /// The best adapter. Without one the tests fail: what they hold would not be known.
    fn adapter() -> GpuAdapter {
        select(None).unwrap_or_else(|error| {
            panic!("tests of the GPU engine need an adapter; tests/run.sh installs one\n{error}")
        })
    }

    fn engine(
        model: &Model,
        objective: Objective,
        change: impl FnOnce(&mut GpuOptions),
    ) -> GpuEngine {
        let mut options = GpuOptions::default();
        change(&mut options);
        GpuEngine::new(adapter(), model, objective, options).unwrap()
    }

    /// Windows of every shape on rows of many lengths, with either reduction.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn agrees_with_reference() {
        let mut runner = TestRunner::deterministic();
        for dim in [1, 4, 50, 100, 128, 300] {
            for subgroups in [true, false] {
                // Kernels of wide rows take their time to compile.
                let seeds = if dim > 128 { 1 } else { 3 };
                let each =
                    (0..seeds).flat_map(|seed| OBJECTIVES.map(|objective| (seed, objective)));
                let others = [MEANS_AND_CHOICES, WITH_SUBWORDS].concat();
                let others = others.into_iter().map(|objective| (0, objective));
                for (seed, objective) in each.chain(others) {
                    let change = |options: &mut GpuOptions| options.subgroups = subgroups;
                    let mut engine = engine(&random_model(dim, seed), objective, change);
                    let mut windows = window_strategy().new_tree(&mut runner).unwrap().current();
                    if objective == Objective::SOFTMAX {
                        windows = with_few_targets(&windows);
                    }
                    agree_after_steps(&mut engine, objective, &windows, 0.25);
                }
            }
        }
    }

    /// Workgroups of several subgroups, and rows so wide that the sums of a span lie in a buffer.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn wide_rows_agree() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        for (dim, lanes, fit) in [
            (300, Some(32), true),
            (300, Some(64), true),
            (640, None, false),
            (640, Some(64), false),
        ] {
            for objective in [Objective::SIGMOID, MEANS_AND_CHOICES[2], WITH_SUBWORDS[1]] {
                let mut engine = engine(&random_model(dim, 4), objective, |options| {
                    options.lanes = lanes
                });
                assert_eq!(engine.layout.span_sums_fit, fit, "{dim} {lanes:?}");
                agree_after_steps(&mut engine, objective, &windows, 0.25);
            }
        }
    }

    /// Tables cut into shards, evenly and not; rows of one group have no more than one.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn tables_in_shards_agree() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        let windows = with_few_targets(&windows);
        for (dim, shards) in [(1, 1), (5, 2), (50, 2), (50, 3), (300, 2), (300, 3)] {
            for objective in OBJECTIVES {
                let shard = ROWS * 16 * usize::div_ceil(dim, 4).div_ceil(shards);
                let mut engine = engine(&random_model(dim, 3), objective, |options| {
                    options.max_shard = Some(shard as u64);
                });
                assert_eq!(engine.layout.shards.count as usize, shards);
                assert!(engine.model().unwrap() == random_model(dim, 3));
                agree_after_steps(&mut engine, objective, &windows, 0.25);
            }
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn halves_are_a_step() {
        for (storage, shard) in [
            (Storage::F32, None),
            (Storage::F16, Some(ROWS as u64 * 16 * 7)),
        ] {
            let start = |model: &Model| {
                engine(model, Objective::SIGMOID, |options| {
                    (options.storage, options.max_shard) = (storage, shard);
                })
            };
            halves_keep_their_order(&mut start(&random_model(50, 15)));
            halves_give_the_bits_of_a_step(|model| Box::new(start(model)));
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn sums_in_floats_have_no_halves() {
        for objective in [Objective::SOFTMAX, WITH_SUBWORDS[0]] {
            let mut engine = engine(&random_model(20, 15), objective, |_| ());
            floats_have_no_halves(&mut engine, objective);
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn nothing_is_lost_to_a_frequent_row() {
        small_contributions_to_frequent_rows_count(|model| {
            Box::new(engine(model, Objective::SIGMOID, |_| ()))
        });
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_model_goes_on_as_its_engine() {
        a_model_goes_on_as_the_engine_it_comes_from(|model| {
            Box::new(engine(model, Objective::SIGMOID, |_| ()))
        });
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn rows_can_be_read_and_replaced() {
        for shard in [None, Some(ROWS as u64 * 16 * 3)] {
            rows_are_those_of_the_model(|model| {
                let change = |options: &mut GpuOptions| options.max_shard = shard;
                Box::new(engine(model, Objective::SIGMOID, change))
            });
        }
    }

    /// The distance of a 16-bit float to the next one away from zero.
    fn unit(value: f32) -> f32 {
        let exponent = (value.to_bits() >> 23 & 0xff) as i32 - 127;
        (exponent.max(-14) as f32 - 10.0).exp2()
    }

    fn in_halves(dim: usize, objective: Objective, shards: usize) -> GpuEngine {
        let shard = ROWS * 16 * usize::div_ceil(dim, 4).div_ceil(shards);
        engine(&random_model(dim, 3), objective, |options| {
            (options.storage, options.seed) = (Storage::F16, 5);
            options.max_shard = Some(shard as u64);
        })
    }

    /// Matrices of 16-bit floats, in one and more shards: the reference rounds by the same draws.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn tables_of_halves_agree() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        let windows = with_few_targets(&windows);
        for (dim, shards) in [(1, 1), (5, 2), (50, 1), (300, 3)] {
            for objective in OBJECTIVES {
                let mut batch = batch_for(objective, &windows);
                let mut engine = in_halves(dim, objective, shards);
                let (mut moved, mut apart) = (0, 0);
                for step in 0..3 {
                    batch.words_before = step * 1000;
                    let start = engine.model().unwrap();
                    let mut reference =
                        ReferenceEngine::new(&start, objective, 0.25).storing_halves(5);
                    engine.step(&batch, 0.5).unwrap();
                    reference.step(&batch, 0.5).unwrap();
                    let (own, expected) = (engine.model().unwrap(), reference.model().unwrap());
                    for [start, own, expected] in [
                        [&start.input, &own.input, &expected.input],
                        [&start.output, &own.output, &expected.output],
                    ] {
                        for ((start, own), expected) in start
                            .values()
                            .iter()
                            .zip(own.values())
                            .zip(expected.values())
                        {
                            moved += usize::from(start != expected);
                            apart += usize::from(own != expected);
                            // A third of what three steps in 32 bits may differ by, and one
                            // neighbour where the draw falls between the two.
                            let most = 7e-5 + unit(own.abs().max(expected.abs()));
                            assert!(
                                (own - expected).abs() <= most,
                                "{own} {expected}, before {start}"
                            );
                        }
                    }
                }
                // With other draws every other element would differ.
                assert!(
                    moved > 30 * dim && apart * 10 < moved,
                    "{apart} of {moved} differ"
                );
            }
        }
    }

    /// Steps far below the distance of two neighbours are not lost: on average a table moves as far
    /// as in 64 bits.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn rounding_to_halves_is_unbiased() {
        let windows: Vec<_> = (0..40)
            .map(|w| (vec![w, (w + 7) % 40], vec![(w + 3) % 40, (w * 3) % 40]))
            .collect();
        for objective in OBJECTIVES {
            let mut batch = batch_for(objective, &windows);
            let mut engine = in_halves(300, objective, 1);
            let start = engine.model().unwrap();
            let mut reference = ReferenceEngine::new(&start, objective, 0.25);
            for step in 0..20 {
                batch.words_before = step;
                engine.step(&batch, 1e-5).unwrap();
                reference.step(&batch, 1e-5).unwrap();
            }
            let own = engine.model().unwrap();
            for (start, own, expected) in [
                (&start.input, &own.input, &reference.input),
                (&start.output, &own.output, &reference.output),
            ] {
                let (mut way, mut error, mut variance, mut still) = (0.0, 0.0, 0.0, 0);
                for ((&start, &own), &expected) in
                    start.values().iter().zip(own.values()).zip(expected)
                {
                    let (step, unit) = (expected - f64::from(start), f64::from(unit(start)));
                    way += step.abs();
                    error += (f64::from(own) - expected) * step.signum();
                    // Each of the 20 steps goes a whole unit or none.
                    variance += step.abs() * unit;
                    still += usize::from(own == start);
                }
                // To the nearest neighbour, next to nothing would have moved.
                assert!(
                    (3000..12_000).contains(&still),
                    "{still} of 12,000 have not moved"
                );
                assert!(
                    error.abs() < 4.0 * variance.sqrt() && way > 20.0 * variance.sqrt(),
                    "{error} {way} {variance}"
                );
            }
        }
    }

    /// A workgroup of several subgroups or of less than one, and lanes beyond the row's width.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn any_width_of_workgroups_agrees() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        let forms = [(4, true), (4, false), (64, true), (64, false)];
        for ((lanes, subgroups), objective) in forms
            .into_iter()
            .flat_map(|form| OBJECTIVES.map(|objective| (form, objective)))
        {
            let mut engine = engine(&random_model(50, 2), objective, |options| {
                (options.lanes, options.subgroups) = (Some(lanes), subgroups);
            });
            agree_after_steps(&mut engine, objective, &with_few_targets(&windows), 0.25);
        }
    }

    /// More centers than a block, more targets than a block, and a window with neither.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn large_windows_are_taken_in_blocks() {
        let mut engine = engine(&random_model(20, 3), Objective::SIGMOID, |_| ());
        let windows = [
            ((0..39).collect(), (0..30).collect()),
            (vec![], vec![1]),
            ((5..22).collect(), vec![7]),
        ];
        agree_after_steps(&mut engine, Objective::SIGMOID, &windows, 0.25);
    }

    /// Hierarchical softmax has fewer rows in W' than in W.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn tables_of_different_sizes() {
        let model = random_model(20, 10);
        let fewer = Matrix::from_values(20, model.output.values()[..20 * 30].to_vec());
        let model = Model {
            output: fewer,
            ..model
        };
        for objective in OBJECTIVES {
            let windows = [((0..39).collect(), vec![29, 0, 3]), (vec![39, 31], vec![5])];
            agree_after_steps(
                &mut engine(&model, objective, |_| ()),
                objective,
                &windows,
                0.25,
            );
        }
    }

    /// Centers that are taken a few at a time: every tile's scores come from the same W and W'.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_softmax_in_tiles_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        for most_scores in [1, 150] {
            let mut engine = engine(&random_model(20, 7), Objective::SOFTMAX, |_| ());
            engine.most_scores = most_scores;
            agree_after_steps(&mut engine, Objective::SOFTMAX, &windows, 0.25);
        }
    }

    /// A softmax of much work goes out stage by stage, with the bits of one that goes out whole.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn submissions_are_bounded_by_work() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        let batch = batch_of(ROWS, &windows);
        let run = |submit_work, measure| {
            let mut engine = engine(&random_model(20, 7), Objective::SOFTMAX, |options| {
                options.measure = measure;
            });
            (engine.most_scores, engine.submit_work) = (150, submit_work);
            (0..3).for_each(|_| engine.step(&batch, 0.05).unwrap());
            let waiting = engine.encoder.is_some();
            let loss = engine.take_loss().unwrap().to_bits();
            (engine.model().unwrap(), loss, waiting)
        };
        let (model, loss, waiting) = run(SUBMIT_WORK, false);
        assert!(waiting);
        for (submit_work, measure) in [(1, false), (1, true), (50_000, false)] {
            let own = run(submit_work, measure);
            assert!(own.0 == model && own.1 == loss, "{submit_work}");
            assert!(submit_work > 1 || !own.2);
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_softmax_of_huge_scores_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        let mut engine = engine(&model_of_huge_scores(20), Objective::SOFTMAX, |_| ());
        agree_after_steps(&mut engine, Objective::SOFTMAX, &windows, 0.25);
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_rate_of_zero_only_measures() {
        for objective in OBJECTIVES {
            a_rate_of_zero_changes_nothing(
                &mut engine(&random_model(50, 6), objective, |_| ()),
                objective,
            );
            // In 16 bits also of subnormal numbers, and of negative ones that are rounded to zero.
            let mut model = random_model(50, 6);
            for row in 0..6 {
                let scale = [1e-5, 1e-6, 1e-7][row / 2];
                model
                    .input
                    .row_mut(row)
                    .iter_mut()
                    .for_each(|value| *value *= scale);
                model
                    .output
                    .row_mut(row)
                    .iter_mut()
                    .for_each(|value| *value *= scale);
            }
            let mut engine = engine(&model, objective, |options| options.storage = Storage::F16);
            let bits = |model: Model| {
                [model.input, model.output]
                    .map(|m| m.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>())
            };
            let before = bits(engine.model().unwrap());
            assert!(before[0].contains(&0) && before[0].contains(&2f32.powi(-24).to_bits()));
            a_rate_of_zero_changes_nothing(&mut engine, objective);
            assert!(bits(engine.model().unwrap()) == before);
        }
    }

    /// Training that is repeated, and with shader checks on or off, gives the same bits.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn the_same_bits_on_every_run() {
        let model = random_model(100, 4);
        let windows: Vec<_> = (0..3000u32)
            .map(|w| {
                (
                    (0..w % 11).map(|i| (w + i) % 40).collect(),
                    vec![w % 40, 0, 1, w % 7],
                )
            })
            .collect();
        for objective in OBJECTIVES {
            let batch = batch_for(objective, &windows);
            let run = |checks, storage| {
                let mut engine = engine(&model, objective, |options| {
                    (options.shader_checks, options.storage) = (checks, storage);
                });
                // More batches than a submission takes.
                (0..UPLOADS + 3).for_each(|_| engine.step(&batch, 0.05).unwrap());
                (
                    engine.model().unwrap(),
                    engine.take_loss().unwrap().to_bits(),
                )
            };
            for storage in [Storage::F32, Storage::F16] {
                let first = run(true, storage);
                assert!(first == run(true, storage) && first == run(false, storage));
            }
        }
    }

    /// Every kernel has its time, more submissions than are kept on the device included, and the
    /// result is that of any run.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn timing_stages_changes_nothing() {
        let model = random_model(20, 11);
        let windows = [(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])];
        for objective in OBJECTIVES {
            let batch = batch_for(objective, &windows);
            let run = |measure| {
                let mut engine = engine(&model, objective, |options| options.measure = measure);
                (0..UPLOADS * 65 + 1).for_each(|_| engine.step(&batch, 0.05).unwrap());
                let result = (
                    engine.model().unwrap(),
                    engine.take_loss().unwrap().to_bits(),
                );
                (result, engine.stages().unwrap(), engine)
            };
            let (plain, none, _) = run(false);
            let (timed, stages, mut engine) = run(true);
            assert!(plain == timed && none.is_empty());
            let kernels: Vec<_> = stages.iter().filter(|stage| stage.on_device).collect();
            let names = engine.program.stages.iter().map(|stage| &stage.name);
            assert!(
                names.eq(kernels.iter().map(|stage| &stage.name)),
                "{stages:?}"
            );
            assert!(
                stages.iter().all(|stage| !stage.time.is_zero()),
                "{stages:?}"
            );
            // Times begin anew once they are taken.
            assert!(
                engine
                    .stages()
                    .unwrap()
                    .iter()
                    .all(|stage| stage.time.is_zero())
            );
        }
    }

    /// Buffers grow with the batches, and what they held is not lost.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn batches_of_growing_size() {
        for objective in OBJECTIVES {
            let mut engine = engine(&random_model(16, 5), objective, |_| ());
            for size in [1, 40, 5, 400] {
                let windows: Vec<_> = (0..size)
                    .map(|w| (vec![w % 40, (w + 9) % 40], vec![(w * 3) % 40, 2]))
                    .collect();
                agree_after_steps(&mut engine, objective, &windows, 0.25);
            }
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn losses_are_read_before_their_room_is_full() {
        let model = random_model(4, 6);
        let batch = batch_of(ROWS, &[(vec![1], vec![2, 3])]);
        let mut engine = engine(&model, Objective::SIGMOID, |_| ());
        let mut one = 0.0;
        for step in 0..LOSSES + 5 {
            // No learning, so that every batch has the same loss.
            engine.step(&batch, 0.0).unwrap();
            if step == 0 {
                one = engine.take_loss().unwrap();
            }
        }
        let rest = engine.take_loss().unwrap();
        assert!(
            (rest / one - (LOSSES + 4) as f64).abs() < 1e-6 * LOSSES as f64,
            "{rest} {one}"
        );
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_loss_that_is_no_number_is_not_hidden() {
        for objective in OBJECTIVES {
            for storage in [Storage::F32, Storage::F16] {
                scores_that_are_not_finite_show(objective, |model| {
                    Box::new(engine(model, objective, |options| {
                        options.storage = storage
                    }))
                });
            }
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_model_that_no_number_of_shards_holds_is_refused() {
        let options = GpuOptions {
            max_shard: Some(ROWS as u64 * 16 - 1),
            ..GpuOptions::default()
        };
        let refused = GpuEngine::new(adapter(), &random_model(8, 1), Objective::SIGMOID, options);
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("a matrix of 40 rows") && error.contains("`max_vocab`"),
            "{error}"
        );
    }

    /// A kernel that cannot be compiled is an error with its name and the adapter's.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_kernel_that_is_refused_is_an_error() {
        let (adapter, options) = (adapter(), GpuOptions::default());
        let model = random_model(8, 1);
        let (device, layout) = open(&adapter, &model, Objective::SIGMOID, options).unwrap();
        // More bindings than the device was asked for.
        let shards = Shards { count: 3, width: 1 };
        let layout = Layout { shards, ..layout };
        let refused = compile(Objective::SIGMOID, &device, layout, ROWS);
        let error = refused.err().unwrap().to_string();
        for part in [&adapter.summary().name, "compiling the kernels", "window"] {
            assert!(error.contains(part), "{error}");
        }
    }

    /// A device that goes away becomes an error, not an abort.
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_lost_device_becomes_an_error() {
        let mut engine = engine(&random_model(20, 8), Objective::SIGMOID, |_| ());
        let batch = batch_of(ROWS, &[(vec![0], vec![1, 2])]);
        engine.step(&batch, 0.05).unwrap();
        engine.device.device.destroy();
        let error = engine.take_loss().unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        for part in [&adapter().summary().name, "`engine = cpu`"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn an_unknown_adapter_lists_those_there_are() {
        for wanted in ["no such adapter", "99"] {
            let error = select(Some(wanted)).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("0: "), "{error}");
        }
        assert_eq!(select(Some("0")).unwrap().summary().index, 0);
    }
}
