//! The objective of training: how the scores of centers with targets become a loss.
//!
//! Every engine takes a step in three acts. **Scores** are products of rows of W and rows of W'.
//! **Errors** are what the loss function makes of them: the negated gradient of the loss by each
//! score. **Contributions** are errors times rows, added up for each row that a batch touches. The
//! loss function decides about errors alone, and about which rows of W' a center has scores with.
//!
//! Where extensions go:
//!
//! - *An averaged input* (the mean of a window's centers, as in CBOW) is a second field here. It
//!   changes the first and the last act: one score for a window and target, whose contribution goes
//!   to every center in equal parts.
//! - *An input made of several rows* (a word and its subwords) leaves this file alone: a center
//!   becomes several rows in the [batch](crate::batch::Batch), and the first and the last act take
//!   their sum for its row.
//! - *A choice among more than two* (an inner node of a tree with up to eight branches) is a
//!   [`LossFunction`]: a block of targets whose errors are those of a softmax over the block. It
//!   changes the second act alone.
//!
//! An engine chooses its kernels in one place: `gpu::program::stages`, `cpu::CpuEngine::new` and
//! `ReferenceEngine::gradient`.

use crate::batch::Batch;

/// How the loss of a batch follows from the model. Each center of a window meets each target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// How scores become a loss.
    pub loss: LossFunction,
}

/// How scores become a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossFunction {
    /// Each target by itself, by its label: negative sampling and hierarchical softmax.
    Sigmoid,
    /// Each target, whatever its label, as the one to be chosen among all rows of W'.
    Softmax,
}

impl Objective {
    /// Each center with each target, by its label.
    pub const SIGMOID: Self = Self {
        loss: LossFunction::Sigmoid,
    };

    /// Each center with all rows of W'.
    pub const SOFTMAX: Self = Self {
        loss: LossFunction::Softmax,
    };

    /// The loss of a batch when all scores are zero, as in a model without training: for each
    /// product of a center and a target log 2, or the log of the number of rows of W'.
    pub fn blank_loss(self, batch: &Batch, output_rows: usize) -> f64 {
        let choices = match self.loss {
            LossFunction::Sigmoid => 2,
            LossFunction::Softmax => output_rows,
        };
        batch.products() as f64 * (choices as f64).ln()
    }
}
