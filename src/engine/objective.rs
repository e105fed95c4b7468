//! The objective of training: how the scores of centers with targets become a loss.
//!
//! Every engine takes a step in three acts. **Scores** are products of rows of W and rows of W'.
//! **Errors** are what the loss function makes of them: the negated gradient of the loss by each
//! score. **Contributions** are errors times rows, added up for each row that a batch touches. The
//! loss function decides about errors alone, and about which rows of W' a center has scores with.
//!
//! **Inputs** are what has scores with the targets of a window: each center's row of W, as in
//! skip-gram, or the mean of these rows, as in CBOW. A mean changes the first and the last act:
//! there is one score for a window and target, and the gradient by the mean goes to every center,
//! whole or in equal shares.
//!
//! **Subwords** come before the first act and after the last: a word is composed of several rows of
//! W, once for the batch, and its contributions go whole to each of these rows, as in fastText. The
//! acts see the composed words in the place of rows of W.
//!
//! An engine chooses its kernels in one place: `gpu::program::stages`, `cpu::CpuEngine::new` and
//! `ReferenceEngine::gradient`.

use crate::batch::{Batch, Inputs};

/// How the loss of a batch follows from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Objective {
    /// How the centers of a window meet its targets: [`Batch::inputs`] of every batch.
    pub inputs: Inputs,
    /// How scores become a loss.
    pub loss: LossFunction,
    /// Whether a word is the mean of several rows of W: whether batches have
    /// [`Batch::parts`].
    pub subwords: bool,
}

/// How scores become a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossFunction {
    /// Each target by itself, by its label: negative sampling and hierarchical softmax.
    Sigmoid,
    /// Each target, whatever its label, as the one to be chosen among all rows of W'.
    Softmax,
    /// Each `branches` targets of a window, and the fewer that are left at its end, as a choice:
    /// the target with label 1 is to be chosen among them. This is hierarchical softmax by a tree
    /// that is not binary.
    Choice {
        /// Branches of a node, 3 to [`MAX_ARITY`](crate::batch::MAX_ARITY).
        branches: usize,
    },
}

impl Objective {
    /// Each center with each target, by its label.
    pub const SIGMOID: Self = Self {
        inputs: Inputs::Each,
        loss: LossFunction::Sigmoid,
        subwords: false,
    };

    /// Each center with all rows of W'.
    pub const SOFTMAX: Self = Self {
        inputs: Inputs::Each,
        loss: LossFunction::Softmax,
        subwords: false,
    };

    /// Panics when a batch was made for other inputs: its bits of products would not bound the sums.
    pub(super) fn check(self, batch: &Batch) {
        assert_eq!(
            (self.inputs, self.subwords),
            (batch.inputs, batch.parts.is_some()),
            "a batch is trained with the objective that it was made for"
        );
    }

    /// The loss of a batch when all scores are zero, as in a model without training: for each
    /// product of an input and a target log 2, or the log of the number of rows of W'.
    pub fn blank_loss(self, batch: &Batch, output_rows: usize) -> f64 {
        let among = |choices: usize| (choices as f64).ln();
        match self.loss {
            LossFunction::Sigmoid => batch.products() as f64 * among(2),
            LossFunction::Softmax => batch.products() as f64 * among(output_rows),
            LossFunction::Choice { branches } => {
                let of_targets = |targets: usize| {
                    (targets / branches) as f64 * among(branches)
                        + among((targets % branches).max(1))
                };
                let windows = 0..batch.windows();
                windows
                    .map(|window| {
                        let targets = batch.targets_of(window).len();
                        batch.inputs_of(window) as f64 * of_targets(targets)
                    })
                    .sum()
            }
        }
    }
}
