//! A batch in the form that an engine's device takes.

use std::sync::Arc;

use super::Batch;
use crate::error::Result;

/// Packs a batch for the device of an engine, on the threads that make batches. So the thread that
/// feeds the device only hands the result over.
pub type Packer = Arc<dyn Fn(&mut Batch) -> Result<()> + Send + Sync>;

/// A batch as the device of one engine takes it; nothing until that engine's [`Packer`] was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// What the device is sent, without the numbers that only the step knows.
    #[cfg(feature = "gpu")]
    words: Vec<u32>,
    /// The engine that it is for, above 0.
    #[cfg(feature = "gpu")]
    engine: u64,
}

impl Packed {
    /// Forgets what was packed, and keeps its memory.
    pub(super) fn clear(&mut self) {
        #[cfg(feature = "gpu")]
        {
            self.engine = 0;
        }
    }

    /// What was packed, for whichever engine.
    pub fn words(&self) -> &[u32] {
        #[cfg(feature = "gpu")]
        if self.engine > 0 {
            return &self.words;
        }
        &[]
    }

    /// What was packed for an engine.
    #[cfg(feature = "gpu")]
    pub(crate) fn of(&self, engine: u64) -> Option<&[u32]> {
        (self.engine == engine).then_some(&self.words[..])
    }

    /// The memory for what is packed, to be given back by [`set`](Self::set).
    #[cfg(feature = "gpu")]
    pub(crate) fn take(&mut self) -> Vec<u32> {
        self.engine = 0;
        std::mem::take(&mut self.words)
    }

    /// Keeps what was packed for an engine.
    #[cfg(feature = "gpu")]
    pub(crate) fn set(&mut self, engine: u64, words: Vec<u32>) {
        (self.engine, self.words) = (engine, words);
    }
}
