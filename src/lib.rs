//! word2vec (skip-gram and CBOW) on any GPU (Vulkan, Metal, DX12) and on the CPU, reproducible bit
//! for bit.
//!
//! Text becomes vectors in this order, a room for each station:
//!
//! | room | does |
//! |---|---|
//! | [`text`] | bytes of a file to words |
//! | [`subwords`] | the n-grams of a word, as fastText has them |
//! | [`vocab`] | which words there are, in which order, how often |
//! | [`corpus`] | files and sentences to a token store on disk; phrases |
//! | [`sampling`] | the counter-based generator, noise words, subsampling |
//! | [`batch`] | the token store to minibatches: windows of centers and targets in flat arrays |
//! | [`engine`] | what a step computes; `reference` (f64), `cpu` and `gpu` compute it |
//! | [`train`] | [`Trainer`], which does all of that; plan, schedule, checkpoints |
//! | [`vectors`] | vectors files, nearest words, analogies |
//! | [`mod@eval`] | how good vectors are |
//! | [`record`] | a run written down: record, TensorBoard, page |
//! | [`mod@bench`] | engines side by side |
//!
//! [`config`] holds the settings, [`event`] what a run tells on the way, [`error`] what can go
//! wrong, [`model`] the two matrices, [`quantity`] how numbers are shown, [`setting`] how settings
//! are read, [`system`] what the operating system gives. `docs/glossary.md` explains the words of
//! the field as they are used here.
//!
//! ```
//! use w2v_gpu::{Config, Corpus, Trainer};
//!
//! # fn main() -> w2v_gpu::Result<()> {
//! let config = Config::with(|config| config.objective.sample = Some(1e-3));
//! let corpus = Corpus::open(&["data/corpus.txt".into()])?;
//! let vectors = Trainer::new(config)?.prepare(&corpus, |_| ())?.start()?.vectors()?;
//! for (id, cosine) in w2v_gpu::vectors::similarity::nearest(&vectors, "guitar", 5)? {
//!     println!("{} {cosine:.2}", vectors.vocab.word(id));
//! }
//! # Ok(())
//! # }
//! ```

pub mod batch;
pub mod bench;
#[cfg(feature = "cli")]
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
pub mod subwords;
pub mod system;
pub mod text;
pub mod train;
pub mod vectors;
pub mod vocab;

pub use config::Config;
pub use corpus::Corpus;
pub use error::{Error, Result};
pub use event::Event;
pub use train::Trainer;
pub use vectors::Vectors;
