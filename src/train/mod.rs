//! Training: from a corpus to word vectors.
//!
//! | file | does |
//! |---|---|
//! | `trainer` | the four steps: open, prepare, start, train |
//! | `dataset` | a corpus made ready: vocabulary, encoded text, targets |
//! | `cache` | a corpus counted and encoded, kept for the next run |
//! | `init` | the model that a run starts from |
//! | `plan` | memory, disk and time that a run needs, before it starts |
//! | `schedule` | learning rate and batch size |
//! | `agree` | whether ranks are about to train the same |
//! | `run` | the loop over all batches |
//! | `ranks` | engines that train one model together |
//! | `together` | ranks as threads of this process |
//! | `state` | how far a run has come |
//! | `checkpoint` | a run on disk, to go on from |
//! | `row_limit` | rows that always move as far as they may |

mod agree;
pub mod cache;
pub mod checkpoint;
pub mod dataset;
pub mod init;
pub mod plan;
pub mod ranks;
mod row_limit;
mod run;
pub mod schedule;
pub mod state;
mod together;
mod trainer;

pub use agree::{agree, from_first};
pub use run::{AfterEpoch, Ending, EpochScoring, Summary, TrainOptions, train};
pub use trainer::{Ended, PreparedTrainer, StartedTrainer, Trainer};
