//! The CPU engine: threads and SIMD, the same result for any number of threads and on any processor.
//!
//! Threads first share out the windows, each adding to fixed-point sums of its own (`window`); then they share out the
//! touched rows, add the sums of all threads and move the rows (`apply`).

mod apply;
mod lanes;
mod window;

use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::Arch;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use self::lanes::Table;
use self::window::{Scratch, Train};
use super::{Engine, fixed_point_scale};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::model::{Matrix, Model};

/// Windows that a thread takes at a time.
const CHUNK: usize = 64;

/// Trains on the processor's cores.
#[derive(Debug)]
pub struct CpuEngine {
    arch: Arch,
    pool: ThreadPool,
    dim: usize,
    clip: f32,
    input: Table,
    output: Table,
    scratch: Vec<Scratch>,
    loss: f64,
}

impl CpuEngine {
    /// Starts from a model; each step moves a row by at most `clip`.
    ///
    /// # Errors
    /// [`Error::Device`] when the threads cannot be started.
    pub fn new(model: &Model, clip: f32, threads: usize) -> Result<Self> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("cpu-engine-{index}"))
            .build()
            .map_err(|error| Error::Device { doing: "starting threads".to_owned(), why: error.to_string() })?;
        Ok(Self {
            arch: Arch::new(),
            pool,
            dim: model.input.dim(),
            clip,
            input: Table::new(&model.input),
            output: Table::new(&model.output),
            scratch: (0..threads).map(|_| Scratch::default()).collect(),
            loss: 0.0,
        })
    }
}

impl Engine for CpuEngine {
    fn step(&mut self, batch: &Batch, lr: f32) -> Result<()> {
        let scale = fixed_point_scale(batch.multiplicity);
        let Self { arch, pool, input, output, scratch, clip, .. } = self;
        let (arch, clip) = (*arch, *clip);
        let next = AtomicUsize::new(0);
        let losses = pool.install(|| {
            let mut losses: Vec<(usize, f64)> = scratch
                .par_iter_mut()
                .flat_map_iter(|scratch| {
                    scratch.fit(batch, input.width());
                    let mut losses = Vec::new();
                    loop {
                        let first = next.fetch_add(CHUNK, Ordering::Relaxed);
                        if first >= batch.windows() {
                            break losses;
                        }
                        let windows = first..batch.windows().min(first + CHUNK);
                        let loss = arch.dispatch(Train { batch, windows, input, output, scale, scratch });
                        losses.push((first, loss));
                    }
                })
                .collect();
            let (mut centers, mut targets) = (Vec::new(), Vec::new());
            for scratch in scratch {
                centers.push(&mut scratch.centers);
                targets.push(&mut scratch.targets);
            }
            let step = apply::Step { lr, clip, scale };
            apply::table(arch, input, &batch.center_rows, centers, step);
            apply::table(arch, output, &batch.target_rows, targets, step);
            // Summed in the order of the windows: floats, unlike the sums above, are not associative.
            losses.sort_unstable_by_key(|&(first, _)| first);
            losses
        });
        self.loss += losses.into_iter().map(|(_, loss)| loss).sum::<f64>();
        Ok(())
    }

    fn take_loss(&mut self) -> Result<f64> {
        Ok(std::mem::take(&mut self.loss))
    }

    fn model(&mut self) -> Result<Model> {
        let narrow = |table: &Table| Matrix::from_values(self.dim, table.values(self.dim));
        Ok(Model { input: narrow(&self.input), output: narrow(&self.output) })
    }

    fn describe(&self) -> String {
        let simd = match self.arch {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => "AVX-512",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => "AVX2",
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => "NEON",
            _ => "no SIMD",
        };
        format!("cpu ({} threads, {simd})", self.scratch.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::tests::{agree_after_steps, random_model, window_strategy};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_reference(
            dim in prop::sample::select(vec![1usize, 4, 16, 50, 100, 128, 300]),
            windows in window_strategy(),
            threads in 1usize..4,
        ) {
            let model = random_model(dim, 1);
            let mut engine = CpuEngine::new(&model, 0.25, threads).unwrap();
            agree_after_steps(&mut engine, &windows, 0.25);
        }

        #[test]
        fn the_same_bits_for_any_number_of_threads(windows in window_strategy()) {
            let model = random_model(100, 2);
            let batch = crate::batch::tests::batch_of(crate::engine::tests::ROWS, &windows);
            let run = |threads| {
                let mut engine = CpuEngine::new(&model, 0.25, threads).unwrap();
                (0..3).for_each(|_| engine.step(&batch, 0.5).unwrap());
                (engine.model().unwrap(), engine.take_loss().unwrap().to_bits())
            };
            let one = run(1);
            prop_assert!(one == run(2) && one == run(5));
        }
    }

    /// AVX-512, AVX2 and no SIMD at all, as far as this processor has them.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_same_bits_on_any_processor() {
        let model = random_model(100, 5);
        let windows: Vec<_> =
            (0..200u32).map(|w| ((0..w % 11).map(|i| (w + i) % 40).collect(), vec![w % 40, 0, 1, w % 7])).collect();
        let batch = crate::batch::tests::batch_of(crate::engine::tests::ROWS, &windows);
        let run = |arch| {
            let mut engine = CpuEngine::new(&model, 0.25, 2).unwrap();
            engine.arch = arch;
            (0..3).for_each(|_| engine.step(&batch, 0.5).unwrap());
            (engine.model().unwrap(), engine.take_loss().unwrap().to_bits())
        };
        let best = run(Arch::new());
        assert!(best == run(Arch::Scalar));
        if let Some(v3) = pulp::x86::V3::try_new() {
            assert!(best == run(Arch::V3(v3)));
        }
    }

    #[test]
    fn a_loss_that_is_no_number_is_not_hidden() {
        let mut model = random_model(20, 3);
        model.input.row_mut(0)[3] = f32::NAN;
        let mut engine = CpuEngine::new(&model, 0.25, 2).unwrap();
        engine.step(&crate::batch::tests::batch_of(5, &[(vec![0], vec![1, 2])]), 0.05).unwrap();
        assert!(engine.take_loss().unwrap().is_nan());
    }

    /// Keeps the padding honest: what lies beyond `dim` must stay zero.
    #[test]
    fn padding_stays_zero() {
        let model = random_model(5, 4);
        let mut engine = CpuEngine::new(&model, 0.25, 1).unwrap();
        engine.step(&crate::batch::tests::batch_of(9, &[(vec![0, 3], vec![1, 2])]), 0.5).unwrap();
        let super::lanes::Floats(first) = engine.input.row(0)[0];
        assert!(first[..5].iter().all(|&v| v != 0.0) && first[5..].iter().all(|&v| v == 0.0));
    }
}
