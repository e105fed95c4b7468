//! Trains with an engine of one's own: `cargo run --release --example own_engine`.

use w2v_gpu::batch::Batch;
use w2v_gpu::engine::{Engine, reference::ReferenceEngine};
use w2v_gpu::model::Model;
use w2v_gpu::train::{TrainOptions, dataset::Dataset, train};
use w2v_gpu::{Config, Corpus, Result};

/// The reference engine in steps of half the learning rate.
struct Careful(ReferenceEngine);

impl Engine for Careful {
    fn accumulate(&mut self, batch: &Batch) -> Result<()> {
        self.0.accumulate(batch)
    }
    fn apply(&mut self, lr: f32) -> Result<()> {
        self.0.apply(lr / 2.0)
    }
    fn take_loss(&mut self) -> Result<f64> {
        self.0.take_loss()
    }
    fn model(&mut self) -> Result<Model> {
        self.0.model()
    }
    fn describe(&self) -> String {
        "careful (f64, half the learning rate)".to_owned()
    }
}

fn main() -> Result<()> {
    let config = Config::with(|config| config.model.dim = 20);
    let corpus = Corpus::open(&["data/corpus.txt".into()])?;
    let data = Dataset::prepare(&corpus, &config, |_| ())?;
    let mut engine = Careful(ReferenceEngine::new(&data.model(), data.objective(), 0.25));
    let (_, summary) = train(&data, &mut engine, TrainOptions::default(), |_| ())?;
    println!("loss {:.3} per pair", summary.loss);
    Ok(())
}
