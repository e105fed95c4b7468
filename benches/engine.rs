//! Batcher and CPU engine side by side on the bundled corpus, in windows per second: `cargo bench`.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use w2v_gpu::batch::Batch;
use w2v_gpu::config::Config;
use w2v_gpu::corpus::Corpus;
use w2v_gpu::engine::Engine;
use w2v_gpu::engine::cpu::CpuEngine;
use w2v_gpu::train::dataset::Dataset;

fn engine(criterion: &mut Criterion) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus.txt");
    let config = Config::with(|config| {
        config.objective.sample = Some(1e-3);
        config.schedule.epochs = 1;
        config.schedule.batch = Some(8192);
    });
    let corpus = Corpus::open(&[path]).expect("the bundled corpus is there");
    let data = Dataset::prepare(&corpus, &config, |_| ()).expect("it can be trained on");
    let batches: Vec<Batch> = data
        .batcher
        .batches(1)
        .map(|batch| batch.expect("it can be read"))
        .collect();
    let windows: u64 = batches.iter().map(|batch| batch.windows() as u64).sum();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);

    let mut group = criterion.benchmark_group("windows");
    group
        .throughput(Throughput::Elements(windows))
        .sample_size(10);
    for threads in [1, cores] {
        group.bench_function(BenchmarkId::new("batcher", threads), |bencher| {
            bencher.iter(|| {
                let mut made = Arc::clone(&data.batcher).batches(threads);
                while let Some(batch) = made.next() {
                    made.recycle(black_box(batch.expect("it can be read")));
                }
            });
        });
        let mut engine = CpuEngine::new(
            &data.model(),
            data.objective(),
            config.schedule.clip,
            threads,
        )
        .expect("threads can be started");
        group.bench_function(BenchmarkId::new("cpu engine", threads), |bencher| {
            bencher.iter(|| {
                batches
                    .iter()
                    .try_for_each(|batch| engine.step(batch, 0.025))
                    .expect("no device to fail")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, engine);
criterion_main!(benches);
