//! word2vec skip-gram.

pub mod batch;
pub mod batcher;
pub mod config;
pub mod corpus;
pub mod engine;
pub mod error;
pub mod event;
pub mod format;
pub mod model;
pub mod sampling;
pub mod schedule;
pub mod similarity;
pub mod train;
pub mod vocab;
pub use error::{Error, Result};
