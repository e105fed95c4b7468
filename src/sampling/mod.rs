//! Random draws: the counter-based generator, noise words, and the subsampling of frequent words.
//!
//! ```
//! use rand::Rng;
//! use w2v_gpu::sampling::{Key, Stream};
//!
//! let key = Key::new(1, 0, Stream::Windows);
//! assert_eq!(key.at(7).next_u64(), key.at(7).next_u64());
//! ```

mod alias;
mod rng;
mod subsample;

pub use alias::AliasTable;
pub use rng::{Key, Stream, below};
pub use subsample::{Subsampler, auto_sample};
