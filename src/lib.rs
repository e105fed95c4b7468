//! word2vec skip-gram on any GPU (Vulkan, Metal, DX12) and on the CPU, reproducible bit for bit.
//!
//! Text becomes vectors in this order, a module for each station:
//!
//! | module | does |
//! |---|---|
//! | [`corpus`] | text, plain or compressed, to a token store on disk: word ids, sentence by sentence |
//! | [`vocab`] | which words there are, in which order, how often |
//! | [`phrases`] | words that come together often, joined in the text |
//! | [`sampling`] | the counter-based generator, noise words, subsampling, the Huffman tree |
//! | [`cache`] | a corpus counted and encoded, kept for the next run |
//! | [`dataset`] | all of that made ready for a run |
//! | [`batcher`] | the token store to minibatches, in shuffled order, on several threads |
//! | [`batch`] | a minibatch: windows of centers and targets in flat arrays |
//! | [`engine`] | what a step computes; `reference` (f64), `cpu` and `gpu` compute it |
//! | [`init`] | a start from given vectors |
//! | [`plan`] | memory, disk and time that a run needs, before it starts |
//! | [`schedule`] | learning rate and batch size |
//! | [`mod@train`] | the loop over all batches |
//! | [`checkpoint`] | a run on disk, to go on from |
//! | [`lock`] | files that one process has for itself |
//! | [`model`] | the two matrices |
//! | [`format`](mod@format) | vectors files |
//! | [`similarity`] | nearest words and analogies |
//! | [`spelling`] | words that are spelt alike |
//! | [`mod@eval`] | how good vectors are |
//! | [`run_log`] | the record of a run in a file |
//! | [`tensorboard`] | the same for TensorBoard |
//! | [`report`] | a page about a run |
//! | [`mod@bench`] | engines side by side |
//!
//! [`config`] holds the settings, [`event`] what a run tells on the way, [`error`] what can go
//! wrong, [`quantity`] how numbers are shown.
//!
//! ```
//! use w2v_gpu::config::Config;
//! use w2v_gpu::corpus::Corpus;
//! use w2v_gpu::train::dataset::Dataset;
//! use w2v_gpu::engine::cpu::CpuEngine;
//! use w2v_gpu::vectors::Vectors;
//! use w2v_gpu::train::run::{Options, train};
//!
//! # fn main() -> w2v_gpu::Result<()> {
//! let config = Config { model: ModelSettings { dim: 50, ..Default::default() }, objective: ObjectiveSettings { sample: Some(1e-3), ..Default::default() }, schedule: ScheduleSettings { epochs: 2, ..Default::default() }, ..Config::default() };
//! let corpus = Corpus::open(&["data/corpus.txt".into()])?;
//! let data = Dataset::prepare(&corpus, &config, |_| ())?;
//! let mut engine = CpuEngine::new(&data.model(), data.objective(), config.schedule.clip, 2)?;
//! let (model, summary) = train(&data, &mut engine, Options::default(), |_| ())?;
//! println!("loss {:.3} per pair", summary.loss);
//!
//! let vectors = Vectors { vocab: data.vocab.clone(), matrix: model.input };
//! for (id, cosine) in w2v_gpu::vectors::similarity::nearest(&vectors, "guitar", 5)? {
//!     println!("{} {cosine:.2}", vectors.vocab.word(id));
//! }
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod bench;
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod corpus;
pub mod engine;
pub mod error;
pub mod eval;
pub mod event;
pub mod model;
pub mod quantity;
pub mod record;
pub mod sampling;
pub mod setting;
pub mod system;
pub mod text;
pub mod train;
pub mod vectors;
pub mod vocab;

pub use error::{Error, Result};
