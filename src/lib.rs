//! word2vec skip-gram.

pub mod corpus;
pub mod error;
pub mod model;
pub mod sampling;
pub mod vocab;
pub use error::{Error, Result};
pub mod format;
pub mod similarity;
