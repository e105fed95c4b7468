//! Random draws: the counter-based generator, noise words and the subsampling of frequent words;
//! and the tree that takes the place of draws in hierarchical softmax.

mod alias;
mod rng;
mod subsample;

pub use alias::AliasTable;
pub use rng::{Key, Stream, below};
pub use subsample::{Subsampler, auto_sample};
