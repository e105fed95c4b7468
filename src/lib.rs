//! word2vec skip-gram.

pub mod batch;
pub mod batcher;
pub mod corpus;
pub mod error;
pub mod format;
pub mod model;
pub mod sampling;
pub mod schedule;
pub mod similarity;
pub mod vocab;
pub use error::{Error, Result};
