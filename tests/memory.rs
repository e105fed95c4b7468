//! The memory that a plan names, beside what batches and the CPU engine really take. One test
//! alone: all that the process allocates is counted.

mod common;

use peak_alloc::PeakAlloc;
use w2v_gpu::config::Config;
use w2v_gpu::corpus::Corpus;
use w2v_gpu::engine::Engine;
use w2v_gpu::engine::choice::Choice;
use w2v_gpu::engine::cpu::CpuEngine;
use w2v_gpu::train::dataset::Dataset;
use w2v_gpu::train::plan::{Plan, Setup};

use common::bundled;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Threads of the engine.
const THREADS: usize = 2;

/// Batches that it trains on; after these its sums hardly grow.
const STEPS: u32 = 100;

#[test]
fn planned_memory_is_what_batches_and_the_engine_take() {
    let corpus = Corpus::open(&[bundled("corpus.txt")]).unwrap();
    let data = Dataset::prepare(&corpus, &Config::default(), |_| ()).unwrap();
    let setup = Setup {
        choices: &[Choice::Cpu { threads: THREADS }],
        checkpoints: None,
        files: Vec::new(),
    };
    let plan = Plan::new(&data, &setup);
    let planned = |what: &str| {
        let buffers = &plan.host.buffers;
        let buffer = buffers.iter().find(|buffer| buffer.what == what);
        buffer.unwrap_or_else(|| panic!("{what}")).bytes as f64
    };

    let model = data.model();
    let before = HEAP.current_usage();
    let mut engine = CpuEngine::new(&model, data.objective(), 0.25, THREADS).unwrap();
    let matrices = (HEAP.current_usage() - before) as f64;
    let ratio = matrices / (planned("W") + planned("W'"));
    assert!((0.99..1.05).contains(&ratio), "matrices: {ratio}");

    let (mut batches, mut largest) = (0, 0);
    for batch in data.batcher.batches(1) {
        let batch = batch.unwrap();
        if batches < STEPS {
            engine.step(&batch, 0.01).unwrap();
        }
        largest = largest.max(batch.bytes());
        batches += 1;
    }
    // With one thread making batches four are there at a time.
    let ratio = largest as f64 / (planned("batches in flight") / 4.0);
    assert!((0.7..1.1).contains(&ratio), "largest batch: {ratio}");
    let ratio = f64::from(batches) / plan.batches as f64;
    assert!((0.98..1.02).contains(&ratio), "batches: {ratio}");
    let sums = (HEAP.current_usage() - before) as f64 - matrices;
    let ratio = sums / planned("sums of the threads");
    assert!((0.5..1.2).contains(&ratio), "sums: {ratio}");
}
