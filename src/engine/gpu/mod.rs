//! The GPU engine: kernels in `shaders/`, run through wgpu on Vulkan, Metal or DX12.
//!
//! What kernels a step takes, `program` says. Several steps go into one submission, and nothing is
//! read back until someone asks.

mod accessors;
mod adapter;
mod copy;
mod device;
mod kernels;
mod memory;
mod program;
mod tables;
mod timing;
mod upload;

use std::time::Instant;

pub use adapter::{GpuAdapter, adapters, hardware, select};
pub use copy::copy_bandwidth;
pub use memory::{bindings, buffers};
use wgpu::{BindGroup, Buffer, CommandEncoder, ComputePassDescriptor, Features};

use self::device::{Device, Needed};
use self::kernels::{Layout, most_buffers};
use self::program::{Bound, Dispatch, MAX_GROUPS, PRODUCT_TILE, Program};
use self::tables::{DeviceTable, Shards};
use self::timing::{Host, Timing};
use self::upload::{Step, pack, pack_centers};
use super::{Engine, Objective, StageTime, half};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::{Model, Storage};

/// Uploads in one submission, at most.
const UPLOADS: usize = 8;

/// Windows after which a submission goes out even with fewer uploads: enough to keep a device busy.
const SUBMIT_WINDOWS: usize = 1 << 16;

/// Losses kept on the device before they must be read.
const LOSSES: usize = 4096;

/// Scores of a softmax held at a time: 64 MB.
const SCORES: usize = 1 << 24;

/// Choices about how the GPU is used.
#[derive(Clone, Copy, Debug)]
pub struct GpuOptions {
    /// Each step moves a row by at most this much.
    pub clip: f32,
    /// In what the matrices are stored.
    pub storage: Storage,
    /// Of the draws by which 16-bit floats are rounded.
    pub seed: u64,
    /// Whether shaders check the bounds of what they read; slower, and needed only to look for
    /// mistakes in them.
    pub shader_checks: bool,
    /// Whether subgroup operations are used where the adapter has them.
    pub subgroups: bool,
    /// Invocations of a workgroup, a power of two up to 256; by default what suits the adapter.
    pub lanes: Option<u32>,
    /// The largest piece of a matrix that lies in one buffer, in bytes; by default what the adapter
    /// can bind.
    pub max_shard: Option<u64>,
    /// Whether stages are timed, kernels where the adapter has timestamps. Each kernel is then a
    /// pass of its own.
    pub measure: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            clip: 0.25,
            storage: Storage::F32,
            seed: 1,
            shader_checks: cfg!(debug_assertions),
            subgroups: true,
            lanes: None,
            max_shard: None,
            measure: false,
        }
    }
}

/// Trains on a GPU.
#[derive(Debug)]
pub struct GpuEngine {
    device: Device,
    description: String,
    options: GpuOptions,
    objective: Objective,
    layout: Layout,
    input_rows: usize,
    output_rows: usize,
    program: Program,
    input: DeviceTable,
    output: DeviceTable,
    /// Buffers between the kernels, each as large as needed so far, those of matrices in their
    /// shards.
    scratch: Vec<Vec<Buffer>>,
    /// One place for each upload of a submission: what is written there must stay until it has run.
    places: Vec<Place>,
    batch_losses: Buffer,
    /// The largest elements of W and W', as bits: those of the step under way, and those of the
    /// next.
    largest: Buffer,
    /// Scores of a softmax held at a time, unless a single center has more.
    most_scores: usize,
    /// Commands not submitted yet, and the uploads and windows in them.
    encoder: Option<CommandEncoder>,
    recorded: usize,
    recorded_windows: usize,
    /// Losses on the device.
    unread: usize,
    loss: f64,
    words: Vec<u32>,
    timing: Option<Timing>,
}

/// The upload of a batch, or of a part of it, and everything bound for it.
#[derive(Debug)]
struct Place {
    upload: Buffer,
    /// For each kernel of the program.
    bound: Vec<BindGroup>,
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
        let summary = selected.summary();
        let (input_rows, output_rows) = (model.input.rows(), model.output.rows());
        let (rows, width) = (
            input_rows.max(output_rows),
            model.input.dim().div_ceil(4) as u32,
        );
        let limits = selected.adapter.limits();
        let shards = Shards::for_adapter(rows, width, &limits, options.max_shard, &summary.name)?;
        let layout = layout(&selected, options, width, shards);
        let mut features = if layout.subgroups {
            Features::SUBGROUP
        } else {
            Features::empty()
        };
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
        if objective == Objective::Softmax && output_rows > MAX_GROUPS * PRODUCT_TILE {
            let (what, adapter) = ("a softmax over all words".to_owned(), summary.name);
            let allowed = (MAX_GROUPS * PRODUCT_TILE * 4) as u64;
            return Err(Error::DeviceLimit {
                what,
                needed: output_rows as u64 * 4,
                allowed,
                adapter,
            });
        }
        tracing::info!("kernels: {layout:?}");
        let scope = device
            .device
            .push_error_scope(wgpu::ErrorFilter::Validation);
        let program = Program::new(objective, &device, layout, output_rows);
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Device {
                doing: "compiling the kernels".to_owned(),
                why: error.to_string(),
            });
        }
        let input = DeviceTable::upload(&device, "W", &model.input, &layout)?;
        let output = DeviceTable::upload(&device, "W'", &model.output, &layout)?;
        let scratch = program.scratch.iter().map(|_| Vec::new()).collect();
        let batch_losses = device.storage("losses of batches", LOSSES as u64 * 4)?;
        let largest = device.storage("largest elements", 16)?;
        let of_model = [&model.input, &model.output].map(|matrix| matrix.largest().to_bits());
        device
            .queue
            .write_buffer(&largest, 0, bytemuck::cast_slice(&[of_model, of_model]));
        let stages = program.stages.len();
        let timing = options
            .measure
            .then(|| Timing::new(&device, UPLOADS * stages, stages))
            .transpose()?;
        Ok(Self {
            device,
            description: format!(
                "gpu {} ({}, {}), {}",
                summary.name, summary.backend, summary.kind, summary.driver
            ),
            options,
            objective,
            layout,
            input_rows,
            output_rows,
            program,
            input,
            output,
            scratch,
            places: Vec::new(),
            batch_losses,
            largest,
            most_scores: SCORES,
            encoder: None,
            recorded: 0,
            recorded_windows: 0,
            unread: 0,
            loss: 0.0,
            words: Vec::new(),
            timing,
        })
    }

    /// Makes the buffers between the kernels large enough, in bytes, those of matrices of each
    /// shard.
    fn fit(&mut self, needed: &[u64]) -> Result<()> {
        let mut grown = false;
        for ((between, buffers), &bytes) in self
            .program
            .scratch
            .iter()
            .zip(&mut self.scratch)
            .zip(needed)
        {
            if buffers.first().is_none_or(|buffer| buffer.size() < bytes) {
                // A quarter more than needed, so that slightly larger batches don't need another.
                let room = (bytes + bytes / 4)
                    .next_multiple_of(256)
                    .min(self.device.largest_binding());
                let count = if between.is_matrix {
                    self.layout.shards.count
                } else {
                    1
                };
                let new = (0..count).map(|_| self.device.storage(between.what, room.max(bytes)));
                *buffers = new.collect::<Result<_>>()?;
                grown = true;
            }
        }
        if grown {
            // Commands already recorded keep what they were bound to.
            self.flush()?;
            self.places.clear();
        }
        Ok(())
    }

    /// Makes the next upload's place large enough for `bytes`.
    fn place(&mut self, bytes: u64) -> Result<()> {
        let index = self.recorded;
        if self
            .places
            .get(index)
            .is_some_and(|place| place.upload.size() >= bytes)
        {
            return Ok(());
        }
        let upload = self
            .device
            .storage("a batch", (bytes + bytes / 4).next_multiple_of(256))?;
        let buffers = |bound: &Bound| match bound {
            Bound::Upload => std::slice::from_ref(&upload),
            Bound::Input => &self.input.shards,
            Bound::Output => &self.output.shards,
            Bound::Scratch(index) => &self.scratch[*index],
            Bound::BatchLosses => std::slice::from_ref(&self.batch_losses),
            Bound::Largest => std::slice::from_ref(&self.largest),
        };
        let stages = self.program.stages.iter();
        let bound = stages
            .map(|stage| {
                stage
                    .pipeline
                    .bind(&self.device, stage.bound.iter().flat_map(buffers))
            })
            .collect();
        let place = Place { upload, bound };
        if index < self.places.len() {
            self.places[index] = place;
        } else {
            self.places.push(place);
        }
        Ok(())
    }

    /// Records kernels on what is packed in `words`.
    fn record(&mut self, scratch: &[u64], dispatches: &[Dispatch], windows: usize) -> Result<()> {
        let started = Instant::now();
        self.fit(scratch)?;
        self.place(self.words.len() as u64 * 4)?;
        let place = &self.places[self.recorded];
        self.device
            .queue
            .write_buffer(&place.upload, 0, bytemuck::cast_slice(&self.words));
        if let Some(timing) = &mut self.timing {
            timing.add(Host::Upload, started);
        }

        let encoder = self.encoder.get_or_insert_with(|| {
            self.device
                .device
                .create_command_encoder(&Default::default())
        });
        // One pass for all kernels, or for each its own when they are timed.
        let passes = dispatches.chunks(if self.timing.is_some() {
            1
        } else {
            dispatches.len()
        });
        for dispatches in passes {
            let timestamp_writes = self
                .timing
                .as_mut()
                .and_then(|timing| timing.writes(dispatches[0].stage));
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
                label: Some("step"),
                timestamp_writes,
            });
            for &Dispatch {
                stage,
                groups: [x, y],
            } in dispatches
            {
                pass.set_pipeline(&self.program.stages[stage].pipeline.pipeline);
                pass.set_bind_group(0, &place.bound[stage], &[]);
                pass.dispatch_workgroups(x, y, 1);
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

    /// What the kernels need to know of the next upload.
    fn next_step(&mut self, batch: &Batch, lr: f32) -> Result<Step> {
        if self.unread == LOSSES {
            self.read_losses()?;
        }
        let rounding = half::key(self.options.seed, batch);
        Ok(Step {
            loss_index: self.unread as u32,
            lr,
            clip: self.options.clip,
            rounding,
        })
    }

    fn sigmoid_step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let step = self.next_step(batch, lr)?;
        let started = Instant::now();
        pack(batch, step, &mut self.words);
        self.note(Host::Pack, started);
        let (windows, centers, targets) = (
            batch.windows(),
            batch.center_rows.len(),
            batch.target_rows.len(),
        );
        let row_bytes = self.layout.shards.row_bytes();
        let (_, span_sums) = program::spans_at_once(self.layout, batch.spans());
        let scratch = [
            centers as u64 * row_bytes,
            targets as u64 * row_bytes,
            batch.spans() as u64 * 4,
            span_sums,
        ];
        self.record(
            &scratch,
            &program::sigmoid(self.layout, batch.spans(), centers, targets),
            windows,
        )
    }

    /// Takes the batch's centers in tiles, so that their scores with all words fit into
    /// `most_scores`. W' moves after the last one.
    fn softmax_step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let started = Instant::now();
        let by_center = batch.by_center();
        self.note(Host::Pack, started);
        let centers = batch.center_rows.len();
        let tile = (self.most_scores / self.output_rows.max(1)).clamp(1, MAX_GROUPS * PRODUCT_TILE);
        for first in (0..centers).step_by(tile) {
            let slots = first..centers.min(first + tile);
            let step = self.next_step(batch, lr)?;
            let started = Instant::now();
            pack_centers(batch, &by_center, slots.clone(), step, &mut self.words);
            self.note(Host::Pack, started);
            let (count, row_bytes) = (slots.len() as u64, self.layout.shards.row_bytes());
            let scores = count * self.output_rows as u64 * 4;
            let scratch = [
                scores,
                count * row_bytes,
                self.output_rows as u64 * row_bytes,
                count * 4,
            ];
            let last = slots.end == centers;
            let dispatches = program::softmax(self.layout, slots.len(), self.output_rows, last);
            self.record(&scratch, &dispatches, slots.len())?;
        }
        Ok(())
    }

    /// Counts the time since `started` in where stages are timed.
    fn note(&mut self, host: Host, started: Instant) {
        if let Some(timing) = &mut self.timing {
            timing.add(host, started);
        }
    }

    /// Submits what is recorded.
    fn flush(&mut self) -> Result<()> {
        self.recorded = 0;
        self.recorded_windows = 0;
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
                timing.add(Host::Submit, started);
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
                .read(&self.batch_losses, unread * 4, 4, |losses: &[f32]| {
                    *loss += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
                })?;
        }
        self.note(Host::Read, started);
        Ok(())
    }
}

impl Engine for GpuEngine {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        if batch.windows() == 0 {
            return Ok(());
        }
        let started = Instant::now();
        if !self.options.shader_checks {
            batch
                .validate(self.input_rows, self.output_rows)
                .map_err(|why| Error::Device {
                    doing: "checking a batch".to_owned(),
                    why,
                })?;
        }
        self.note(Host::Pack, started);
        match self.objective {
            Objective::Sigmoid => self.sigmoid_step(batch, lr),
            Objective::Softmax => self.softmax_step(batch, lr),
        }
    }

    fn take_loss(&mut self) -> Result<f64> {
        self.read_losses()?;
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        self.flush()?;
        let mut largest = [0; 2];
        self.device.read(&self.largest, 8, 8, |bits: &[u32]| {
            largest.copy_from_slice(bits)
        })?;
        let [input, output] = largest.map(f32::from_bits);
        Ok(Model {
            input: self.input.download(&mut self.device)?.having_reached(input),
            output: self
                .output
                .download(&mut self.device)?
                .having_reached(output),
        })
    }

    fn stages(&mut self) -> Result<Vec<StageTime>> {
        self.flush()?;
        let Some(timing) = &mut self.timing else {
            return Ok(Vec::new());
        };
        timing.read(&mut self.device)?;
        Ok(timing.take(&self.program.stages))
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// A lane has this many columns of a row at most: rows of targets and their sums stay in its
/// registers.
const COLUMNS: u32 = 4;

/// Workgroups of a dispatch on a software adapter, where each costs as much as some rows: a few for
/// every core.
const SOFTWARE_GROUPS: usize = 128;

/// Invocations of a workgroup at most: what every adapter allows.
const MAX_LANES: u32 = 256;

/// Memory of a workgroup that its kernels take at most, in bytes: with more, too few workgroups run
/// at a time on hardware.
const WORKGROUP_BYTES: u32 = 16 << 10;

/// Workgroups as wide as a subgroup measured fastest, but wide rows take several, except on a
/// software adapter: barriers cost more there than registers that are none. Where subgroups vary or
/// are missing, a width that suits all.
fn layout(selected: &GpuAdapter, options: GpuOptions, width: u32, shards: Shards) -> Layout {
    let subgroup = selected.summary().subgroup.filter(|_| options.subgroups);
    let narrowest = match subgroup {
        Some((_, max)) => max.clamp(4, 64),
        // A software adapter runs a workgroup's lanes in one SIMD register, of 8 floats on most
        // processors.
        None if selected.is_software() => 8,
        None => 32,
    };
    let wide_enough = if selected.is_software() {
        1
    } else {
        width.div_ceil(COLUMNS).next_power_of_two()
    };
    let lanes = options
        .lanes
        .unwrap_or(narrowest.max(wide_enough))
        .min(MAX_LANES);
    let limit = selected.adapter.limits().max_compute_workgroup_storage_size;
    let workgroup_bytes = if selected.is_software() {
        limit
    } else {
        limit.min(WORKGROUP_BYTES)
    };
    let mut layout = Layout {
        lanes,
        subgroups: subgroup.is_some(),
        one_subgroup: subgroup == Some((lanes, lanes)),
        groups: if selected.is_software() {
            SOFTWARE_GROUPS
        } else {
            MAX_GROUPS
        },
        width,
        span_sums_fit: true,
        shards,
        storage: options.storage,
        checks: options.shader_checks,
    };
    layout.span_sums_fit = layout.workgroup_bytes() <= workgroup_bytes;
    layout
}

/// These need an adapter, be it a software one, and fail without: `tests/run.sh` installs one on
/// Debian and Ubuntu.
#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::batch::tests::batch_of;
    use crate::engine::reference::ReferenceEngine;
    use crate::engine::tests::{
        ROWS, a_model_goes_on_as_the_engine_it_comes_from, a_rate_of_zero_changes_nothing,
        agree_after_steps, model_of_huge_scores, random_model,
        small_contributions_to_frequent_rows_count, window_strategy, with_few_targets,
    };
    use crate::model::Matrix;

    const OBJECTIVES: [Objective; 2] = [Objective::Sigmoid, Objective::Softmax];

    fn engine(
        model: &Model,
        objective: Objective,
        change: impl FnOnce(&mut GpuOptions),
    ) -> GpuEngine {
        let mut options = GpuOptions::default();
        change(&mut options);
        GpuEngine::new(select(None).unwrap(), model, objective, options).unwrap()
    }

    /// Windows of every shape on rows of many lengths, with either reduction.
    #[test]
    fn agrees_with_reference() {
        let mut runner = TestRunner::deterministic();
        for dim in [1, 4, 50, 100, 128, 300] {
            for subgroups in [true, false] {
                // Kernels of wide rows take their time to compile.
                let seeds = if dim > 128 { 1 } else { 4 };
                for (seed, objective) in
                    (0..seeds).flat_map(|seed| OBJECTIVES.map(|objective| (seed, objective)))
                {
                    let change = |options: &mut GpuOptions| options.subgroups = subgroups;
                    let mut engine = engine(&random_model(dim, seed), objective, change);
                    let mut windows = window_strategy().new_tree(&mut runner).unwrap().current();
                    if objective == Objective::Softmax {
                        windows = with_few_targets(&windows);
                    }
                    agree_after_steps(&mut engine, objective, &windows, 0.25);
                }
            }
        }
    }

    /// Workgroups of several subgroups, and rows so wide that the sums of a span lie in a buffer.
    #[test]
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
            let mut engine = engine(&random_model(dim, 4), Objective::Sigmoid, |options| {
                options.lanes = lanes
            });
            assert_eq!(engine.layout.span_sums_fit, fit, "{dim} {lanes:?}");
            agree_after_steps(&mut engine, Objective::Sigmoid, &windows, 0.25);
        }
    }

    /// Tables cut into shards, evenly and not; rows of one group have no more than one.
    #[test]
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
    fn nothing_is_lost_to_a_frequent_row() {
        small_contributions_to_frequent_rows_count(|model| {
            Box::new(engine(model, Objective::Sigmoid, |_| ()))
        });
    }

    #[test]
    fn a_model_goes_on_as_its_engine() {
        a_model_goes_on_as_the_engine_it_comes_from(|model| {
            Box::new(engine(model, Objective::Sigmoid, |_| ()))
        });
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
    fn tables_of_halves_agree() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        let mut batch = batch_of(ROWS, &with_few_targets(&windows));
        for (dim, shards) in [(1, 1), (5, 2), (50, 1), (300, 3)] {
            for objective in OBJECTIVES {
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
    fn rounding_to_halves_is_unbiased() {
        let windows: Vec<_> = (0..40)
            .map(|w| (vec![w, (w + 7) % 40], vec![(w + 3) % 40, (w * 3) % 40]))
            .collect();
        let mut batch = batch_of(ROWS, &windows);
        for objective in OBJECTIVES {
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

    /// A workgroup of several subgroups, and of lanes beyond the row's width.
    #[test]
    fn any_width_of_workgroups_agrees() {
        let windows = window_strategy()
            .new_tree(&mut TestRunner::deterministic())
            .unwrap()
            .current();
        for (subgroups, objective) in [true, false]
            .into_iter()
            .flat_map(|s| OBJECTIVES.map(|objective| (s, objective)))
        {
            let mut engine = engine(&random_model(50, 2), objective, |options| {
                options.subgroups = subgroups;
                options.lanes = Some(64);
            });
            agree_after_steps(&mut engine, objective, &with_few_targets(&windows), 0.25);
        }
    }

    /// More centers than a block, more targets than a block, and a window with neither.
    #[test]
    fn large_windows_are_taken_in_blocks() {
        let mut engine = engine(&random_model(20, 3), Objective::Sigmoid, |_| ());
        let windows = [
            ((0..39).collect(), (0..30).collect()),
            (vec![], vec![1]),
            ((5..22).collect(), vec![7]),
        ];
        agree_after_steps(&mut engine, Objective::Sigmoid, &windows, 0.25);
    }

    /// Hierarchical softmax has fewer rows in W' than in W.
    #[test]
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
    fn a_softmax_in_tiles_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        for most_scores in [1, 150] {
            let mut engine = engine(&random_model(20, 7), Objective::Softmax, |_| ());
            engine.most_scores = most_scores;
            agree_after_steps(&mut engine, Objective::Softmax, &windows, 0.25);
        }
    }

    #[test]
    fn a_softmax_of_huge_scores_agrees() {
        let windows = [
            ((0..30).collect(), vec![1, 33]),
            ((5..22).collect(), vec![7]),
        ];
        let mut engine = engine(&model_of_huge_scores(20), Objective::Softmax, |_| ());
        agree_after_steps(&mut engine, Objective::Softmax, &windows, 0.25);
    }

    #[test]
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

    /// Runs that are repeated, and with shader checks on or off, give the same bits.
    #[test]
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
        let batch = batch_of(ROWS, &windows);
        for objective in OBJECTIVES {
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
    fn timing_stages_changes_nothing() {
        let model = random_model(20, 11);
        let batch = batch_of(ROWS, &[(vec![0, 1, 2], vec![3, 4]), (vec![5], vec![0])]);
        for objective in OBJECTIVES {
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
            // What was asked for begins anew.
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
    fn losses_are_read_before_their_room_is_full() {
        let model = random_model(4, 6);
        let batch = batch_of(ROWS, &[(vec![1], vec![2, 3])]);
        let mut engine = engine(&model, Objective::Sigmoid, |_| ());
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
    fn a_loss_that_is_no_number_is_not_hidden() {
        let mut model = random_model(20, 7);
        model.input.row_mut(0)[3] = f32::NAN;
        for objective in OBJECTIVES {
            for storage in [Storage::F32, Storage::F16] {
                let mut engine = engine(&model, objective, |options| options.storage = storage);
                engine
                    .step(&batch_of(ROWS, &[(vec![0], vec![1, 2])]), 0.05)
                    .unwrap();
                assert!(engine.take_loss().unwrap().is_nan());
            }
        }
    }

    #[test]
    fn a_model_that_no_number_of_shards_holds_is_refused() {
        let options = GpuOptions {
            max_shard: Some(ROWS as u64 * 16 - 1),
            ..GpuOptions::default()
        };
        let refused = GpuEngine::new(
            select(None).unwrap(),
            &random_model(8, 1),
            Objective::Sigmoid,
            options,
        );
        let error = refused.unwrap_err().to_string();
        assert!(
            error.contains("a matrix of 40 rows") && error.contains("`max_vocab`"),
            "{error}"
        );
    }

    /// A device that goes away becomes an error, not an abort.
    #[test]
    fn a_lost_device_becomes_an_error() {
        let mut engine = engine(&random_model(20, 8), Objective::Sigmoid, |_| ());
        let batch = batch_of(ROWS, &[(vec![0], vec![1, 2])]);
        engine.step(&batch, 0.05).unwrap();
        engine.device.device.destroy();
        let error = engine.take_loss().unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert!(error.to_string().contains("`engine = cpu`"), "{error}");
    }

    #[test]
    fn an_unknown_adapter_lists_those_there_are() {
        for wanted in ["no such adapter", "99"] {
            let error = select(Some(wanted)).unwrap_err().to_string();
            assert!(error.contains(wanted) && error.contains("0: "), "{error}");
        }
        assert_eq!(select(Some("0")).unwrap().summary().index, 0);
    }
}
