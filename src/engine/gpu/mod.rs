//! The GPU engine: kernels in `shaders/`, run through wgpu on Vulkan, Metal or DX12.
//!
//! A step is three kernels: `window` computes every window's scores and adds its contributions to fixed-point sums,
//! `apply` moves the touched rows of both tables, and `loss` adds up the loss. Several steps go into one submission, and
//! nothing is read back until someone asks.

mod adapter;
mod device;
mod kernels;
mod upload;

pub use adapter::{AdapterSummary, Selected, adapters, hardware, select};
use wgpu::{BindGroup, Buffer, CommandEncoder, ComputePassDescriptor, Features};

use self::device::Device;
use self::kernels::{APPLY, LOSS, Layout, Pipeline, WINDOW};
use self::upload::{Step, pack};
use super::{Engine, fixed_point_scale};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::{Matrix, Model};

/// Batches in one submission, at most.
const BATCHES: usize = 8;

/// Windows after which a submission goes out even with fewer batches: enough to keep a device busy.
const SUBMIT_WINDOWS: usize = 1 << 16;

/// Losses kept on the device before they must be read.
const LOSSES: usize = 4096;

/// Workgroups in a dispatch: every adapter allows this many, and kernels stride over the rest.
const MAX_GROUPS: usize = 65_535;

/// Choices about how the GPU is used.
#[derive(Clone, Copy, Debug)]
pub struct GpuOptions {
    /// Each step moves a row by at most this much.
    pub clip: f32,
    /// Whether shaders check the bounds of what they read; slower, and needed only to look for mistakes in them.
    pub shader_checks: bool,
    /// Whether subgroup operations are used where the adapter has them.
    pub subgroups: bool,
    /// Invocations of a workgroup, a power of two up to 256; by default what suits the adapter.
    pub lanes: Option<u32>,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self { clip: 0.25, shader_checks: cfg!(debug_assertions), subgroups: true, lanes: None }
    }
}

/// Trains on a GPU.
#[derive(Debug)]
pub struct GpuEngine {
    device: Device,
    description: String,
    options: GpuOptions,
    layout: Layout,
    rows: usize,
    dim: usize,
    window: Pipeline,
    apply_input: Pipeline,
    apply_output: Pipeline,
    loss_kernel: Pipeline,
    input: Buffer,
    output: Buffer,
    scratch: Scratch,
    /// One place for each batch of a submission: what is written there must stay until it has run.
    places: Vec<Place>,
    batch_losses: Buffer,
    /// Commands not submitted yet, and the batches and windows in them.
    encoder: Option<CommandEncoder>,
    recorded: usize,
    recorded_windows: usize,
    /// Losses on the device.
    unread: usize,
    loss: f64,
    words: Vec<u32>,
}

/// Buffers between the kernels, as large as the largest batch so far.
#[derive(Debug)]
struct Scratch {
    center_sums: Buffer,
    target_sums: Buffer,
    window_losses: Buffer,
}

/// The upload of one batch, and everything bound for it.
#[derive(Debug)]
struct Place {
    batch: Buffer,
    /// For `window`, `apply` to W and to W', and `loss`.
    bound: [BindGroup; 4],
}

impl GpuEngine {
    /// Opens the adapter and brings a model to it.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] or [`Error::DeviceMemory`] when the model does not fit, [`Error::Device`] when the adapter
    /// does not work.
    pub fn new(selected: Selected, model: &Model, options: GpuOptions) -> Result<Self> {
        let summary = selected.summary();
        let (rows, dim) = (model.input.rows(), model.input.dim());
        let width = dim.div_ceil(4);
        let table_bytes = (rows * width * 16) as u64;
        let layout = layout(&selected, options, width as u32);
        let features = if layout.subgroups { Features::SUBGROUP } else { Features::empty() };
        let device = Device::new(&selected.adapter, features, table_bytes)?;
        tracing::info!("kernels: {layout:?}");
        let scope = device.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let window = WINDOW.pipeline(&device, layout, &[]);
        let apply_input = APPLY.pipeline(&device, layout, &[("IS_OUTPUT", 0.0)]);
        let apply_output = APPLY.pipeline(&device, layout, &[("IS_OUTPUT", 1.0)]);
        let loss_kernel = LOSS.pipeline(&device, layout, &[]);
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Device { doing: "compiling the kernels".to_owned(), why: error.to_string() });
        }
        let input = device.storage("W", table_bytes)?;
        let output = device.storage("W'", table_bytes)?;
        for (buffer, matrix) in [(&input, &model.input), (&output, &model.output)] {
            upload_table(&device, buffer, matrix, width)?;
        }
        let scratch = Scratch {
            center_sums: device.storage("sums of centers", 4)?,
            target_sums: device.storage("sums of targets", 4)?,
            window_losses: device.storage("losses of windows", 4)?,
        };
        let batch_losses = device.storage("losses of batches", LOSSES as u64 * 4)?;
        Ok(Self {
            device,
            description: format!("gpu {} ({}, {}), {}", summary.name, summary.backend, summary.kind, summary.driver),
            options,
            layout,
            rows,
            dim,
            window,
            apply_input,
            apply_output,
            loss_kernel,
            input,
            output,
            scratch,
            places: Vec::new(),
            batch_losses,
            encoder: None,
            recorded: 0,
            recorded_windows: 0,
            unread: 0,
            loss: 0.0,
            words: Vec::new(),
        })
    }

    /// Makes the buffers between the kernels large enough.
    fn fit(&mut self, batch: &Batch) -> Result<()> {
        let row_bytes = u64::from(self.layout.width) * 16;
        let Scratch { center_sums, target_sums, window_losses } = &mut self.scratch;
        let mut grown = false;
        for (what, buffer, bytes, most) in [
            ("sums of centers", center_sums, batch.center_rows.len() as u64 * row_bytes, self.rows as u64 * row_bytes),
            ("sums of targets", target_sums, batch.target_rows.len() as u64 * row_bytes, self.rows as u64 * row_bytes),
            ("losses of windows", window_losses, batch.windows() as u64 * 4, u64::MAX),
        ] {
            if buffer.size() < bytes {
                // A quarter more than needed, so that slightly larger batches don't need another.
                *buffer = self.device.storage(what, (bytes + bytes / 4).next_multiple_of(256).min(most))?;
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

    /// Makes the next batch's place large enough for `bytes`.
    fn place(&mut self, bytes: u64) -> Result<()> {
        let index = self.recorded;
        if self.places.get(index).is_some_and(|place| place.batch.size() >= bytes) {
            return Ok(());
        }
        let buffer = self.device.storage("a batch", (bytes + bytes / 4).next_multiple_of(256))?;
        let Scratch { center_sums, target_sums, window_losses } = &self.scratch;
        let bound = [
            self.window
                .bind(&self.device, &[&buffer, &self.input, &self.output, center_sums, target_sums, window_losses]),
            self.apply_input.bind(&self.device, &[&buffer, &self.input, center_sums]),
            self.apply_output.bind(&self.device, &[&buffer, &self.output, target_sums]),
            self.loss_kernel.bind(&self.device, &[&buffer, window_losses, &self.batch_losses]),
        ];
        let place = Place { batch: buffer, bound };
        if index < self.places.len() {
            self.places[index] = place;
        } else {
            self.places.push(place);
        }
        Ok(())
    }

    /// Submits what is recorded.
    fn flush(&mut self) -> Result<()> {
        self.recorded = 0;
        self.recorded_windows = 0;
        match self.encoder.take() {
            Some(encoder) => self.device.submit(encoder),
            None => Ok(()),
        }
    }

    /// Brings the losses of all batches so far over.
    fn read_losses(&mut self) -> Result<()> {
        self.flush()?;
        let unread = std::mem::take(&mut self.unread) as u64;
        if unread > 0 {
            let loss = &mut self.loss;
            self.device.read(&self.batch_losses, unread * 4, |losses| {
                *loss += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
            })?;
        }
        Ok(())
    }
}

impl Engine for GpuEngine {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        if batch.windows() == 0 {
            return Ok(());
        }
        if !self.options.shader_checks {
            batch
                .validate(self.rows, self.rows)
                .map_err(|why| Error::Device { doing: "checking a batch".to_owned(), why })?;
        }
        if self.unread == LOSSES {
            self.read_losses()?;
        }
        self.fit(batch)?;
        let step = Step {
            loss_index: self.unread as u32,
            scale: fixed_point_scale(batch.multiplicity),
            lr,
            clip: self.options.clip,
        };
        pack(batch, step, &mut self.words);
        self.place(self.words.len() as u64 * 4)?;
        let place = &self.places[self.recorded];
        self.device.queue.write_buffer(&place.batch, 0, bytemuck::cast_slice(&self.words));

        let encoder =
            self.encoder.get_or_insert_with(|| self.device.device.create_command_encoder(&Default::default()));
        let mut pass =
            encoder.begin_compute_pass(&ComputePassDescriptor { label: Some("step"), timestamp_writes: None });
        let kernels = [
            (&self.window, batch.windows()),
            (&self.apply_input, batch.center_rows.len()),
            (&self.apply_output, batch.target_rows.len()),
            (&self.loss_kernel, 1),
        ];
        for ((kernel, groups), bound) in kernels.into_iter().zip(&place.bound) {
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, bound, &[]);
            pass.dispatch_workgroups(groups.min(MAX_GROUPS) as u32, 1, 1);
        }
        drop(pass);
        self.unread += 1;
        self.recorded += 1;
        self.recorded_windows += batch.windows();
        if self.recorded == BATCHES || self.recorded_windows >= SUBMIT_WINDOWS { self.flush() } else { Ok(()) }
    }

    fn take_loss(&mut self) -> Result<f64> {
        self.read_losses()?;
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        self.flush()?;
        let padded = self.layout.width as usize * 4;
        let bytes = (self.rows * padded * 4) as u64;
        let dim = self.dim;
        let mut read = |buffer: &Buffer| {
            let mut values = Vec::with_capacity(self.rows * dim);
            let mut at = 0;
            self.device.read(buffer, bytes, |piece| {
                // Pieces are cut without regard to rows.
                for &value in piece {
                    if at < dim {
                        values.push(value);
                    }
                    at = (at + 1) % padded;
                }
            })?;
            Ok(Matrix::from_values(dim, values))
        };
        Ok(Model { input: read(&self.input)?, output: read(&self.output)? })
    }

    fn describe(&self) -> String {
        self.description.clone()
    }
}

/// Workgroups as wide as a subgroup measured fastest; where subgroups vary or are missing, a width that suits all.
fn layout(selected: &Selected, options: GpuOptions, width: u32) -> Layout {
    let subgroup = selected.summary().subgroup.filter(|_| options.subgroups);
    let lanes = options.lanes.unwrap_or(match subgroup {
        Some((_, max)) => max.clamp(4, 64),
        // A software adapter runs a workgroup's lanes in one SIMD register, of 8 floats on most processors.
        None if selected.is_software() => 8,
        None => 32,
    });
    Layout {
        lanes,
        subgroups: subgroup.is_some(),
        one_subgroup: subgroup == Some((lanes, lanes)),
        width,
        checks: options.shader_checks,
    }
}

/// Fills a table, some rows at a time, each padded to whole groups of four.
fn upload_table(device: &Device, buffer: &Buffer, matrix: &Matrix, width: usize) -> Result<()> {
    let padded = width * 4;
    let rows_at_once = ((8 << 20) / (padded * 4)).max(1);
    let mut piece = Vec::with_capacity(rows_at_once * padded);
    for first in (0..matrix.rows()).step_by(rows_at_once) {
        piece.clear();
        for row in first..matrix.rows().min(first + rows_at_once) {
            piece.extend_from_slice(matrix.row(row));
            piece.resize(piece.len().next_multiple_of(padded), 0.0);
        }
        device.queue.write_buffer(buffer, (first * padded * 4) as u64, bytemuck::cast_slice(&piece));
        // What is written waits in host memory until the next submission.
        device.queue.submit([]);
    }
    Ok(())
}

/// These need an adapter, be it a software one, and fail without: `tests/run.sh` installs one on Debian and Ubuntu.
#[cfg(test)]
mod tests {
    use proptest::strategy::{Strategy, ValueTree};
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::batch::tests::batch_of;
    use crate::engine::tests::{ROWS, agree_after_steps, random_model, window_strategy};

    fn engine(model: &Model, change: impl FnOnce(&mut GpuOptions)) -> GpuEngine {
        let mut options = GpuOptions::default();
        change(&mut options);
        GpuEngine::new(select(None).unwrap(), model, options).unwrap()
    }

    /// Windows of every shape on rows of many lengths, with either reduction.
    #[test]
    fn agrees_with_reference() {
        let mut runner = TestRunner::deterministic();
        for dim in [1, 4, 50, 100, 128, 300] {
            for subgroups in [true, false] {
                for seed in 0..4 {
                    let mut engine = engine(&random_model(dim, seed), |options| options.subgroups = subgroups);
                    let windows = window_strategy().new_tree(&mut runner).unwrap().current();
                    agree_after_steps(&mut engine, &windows, 0.25);
                }
            }
        }
    }

    /// A workgroup of several subgroups, and of lanes beyond the row's width.
    #[test]
    fn any_width_of_workgroups_agrees() {
        let windows = window_strategy().new_tree(&mut TestRunner::deterministic()).unwrap().current();
        for subgroups in [true, false] {
            let mut engine = engine(&random_model(50, 2), |options| {
                options.subgroups = subgroups;
                options.lanes = Some(64);
            });
            agree_after_steps(&mut engine, &windows, 0.25);
        }
    }

    /// More centers than a block, more targets than a block, and a window with neither.
    #[test]
    fn large_windows_are_taken_in_blocks() {
        let mut engine = engine(&random_model(20, 3), |_| ());
        let windows = [((0..39).collect(), (0..30).collect()), (vec![], vec![1]), ((5..22).collect(), vec![7])];
        agree_after_steps(&mut engine, &windows, 0.25);
    }

    /// Runs that are repeated, and with shader checks on or off, give the same bits.
    #[test]
    fn the_same_bits_on_every_run() {
        let model = random_model(100, 4);
        let windows: Vec<_> =
            (0..3000u32).map(|w| ((0..w % 11).map(|i| (w + i) % 40).collect(), vec![w % 40, 0, 1, w % 7])).collect();
        let batch = batch_of(ROWS, &windows);
        let run = |checks| {
            let mut engine = engine(&model, |options| options.shader_checks = checks);
            // More batches than a submission takes.
            (0..BATCHES + 3).for_each(|_| engine.step(&batch, 0.05).unwrap());
            (engine.model().unwrap(), engine.take_loss().unwrap().to_bits())
        };
        let first = run(true);
        assert!(first == run(true) && first == run(false));
    }

    /// Buffers grow with the batches, and what they held is not lost.
    #[test]
    fn batches_of_growing_size() {
        let mut engine = engine(&random_model(16, 5), |_| ());
        for size in [1, 40, 5, 400] {
            let windows: Vec<_> = (0..size).map(|w| (vec![w % 40, (w + 9) % 40], vec![(w * 3) % 40, 2])).collect();
            agree_after_steps(&mut engine, &windows, 0.25);
        }
    }

    #[test]
    fn losses_are_read_before_their_room_is_full() {
        let model = random_model(4, 6);
        let batch = batch_of(ROWS, &[(vec![1], vec![2, 3])]);
        let mut engine = engine(&model, |_| ());
        let mut one = 0.0;
        for step in 0..LOSSES + 5 {
            // No learning, so that every batch has the same loss.
            engine.step(&batch, 0.0).unwrap();
            if step == 0 {
                one = engine.take_loss().unwrap();
            }
        }
        let rest = engine.take_loss().unwrap();
        assert!((rest / one - (LOSSES + 4) as f64).abs() < 1e-6 * LOSSES as f64, "{rest} {one}");
    }

    #[test]
    fn a_loss_that_is_no_number_is_not_hidden() {
        let mut model = random_model(20, 7);
        model.input.row_mut(0)[3] = f32::NAN;
        let mut engine = engine(&model, |_| ());
        engine.step(&batch_of(ROWS, &[(vec![0], vec![1, 2])]), 0.05).unwrap();
        assert!(engine.take_loss().unwrap().is_nan());
    }

    #[test]
    fn a_model_larger_than_a_binding_is_refused_before_any_work() {
        let selected = select(None).unwrap();
        let room = selected.summary().max_binding.min(selected.summary().max_buffer);
        let error = Device::new(&selected.adapter, Features::empty(), room + 1).unwrap_err().to_string();
        assert!(error.contains("--dim") && error.contains("--engine cpu"), "{error}");
    }

    /// A device that goes away becomes an error, not an abort.
    #[test]
    fn a_lost_device_becomes_an_error() {
        let mut engine = engine(&random_model(20, 8), |_| ());
        let batch = batch_of(ROWS, &[(vec![0], vec![1, 2])]);
        engine.step(&batch, 0.05).unwrap();
        engine.device.device.destroy();
        let error = engine.take_loss().unwrap_err();
        assert!(matches!(error, Error::Device { .. }), "{error}");
        assert!(error.to_string().contains("--engine cpu"), "{error}");
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
