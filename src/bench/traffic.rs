//! How many bytes the algorithm moves: a model of the reads and writes of each stage of a step.
//!
//! The model counts rows, each as often as a use has to name it anew. In the first half these are
//! the centers of a span and the targets of its windows. Each row is read once, and its sum is
//! added to once (a read and a write). In the second half each touched row is read and written, and
//! so is its sum, which is cleared. Caches may serve a part of this traffic: a bandwidth above the
//! bandwidth of a copy says that they do. Smaller things are left out: offsets, losses, and
//! everything that stays in registers.

use super::Shape;
use crate::batch::{Batch, TARGET_BLOCK};
use crate::engine::{LossFunction, Objective};

/// Bytes of an index, of an element of a sum, and of a score.
const WORD: u64 = 4;

/// The bytes that each stage of a step moves for some batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of the first half of a step: scores, errors and sums.
    pub window: u64,
    /// Bytes of the second half for the rows of W.
    pub apply_input: u64,
    /// Bytes of the second half for the rows of W'.
    pub apply_output: u64,
}

impl Traffic {
    /// The bytes that the step on one batch moves.
    pub fn of(batch: &Batch, objective: Objective, shape: Shape) -> Self {
        let (row, sums) = (shape.row_bytes(), shape.dim as u64 * WORD);
        let (centers, targets) = (batch.span_centers.len() as u64, batch.targets.len() as u64);
        let (center_rows, target_rows) = (
            batch.center_rows.len() as u64,
            batch.target_rows.len() as u64,
        );
        let moved = |rows: u64| rows * 2 * (row + sums);
        // A choice among more than a block of targets reads their rows twice.
        let again = match objective.loss {
            LossFunction::Choice { branches } if branches > TARGET_BLOCK => targets * row,
            _ => 0,
        };
        match objective.loss {
            LossFunction::Sigmoid | LossFunction::Choice { .. } => Self {
                window: (centers + targets) * (row + 2 * sums + WORD) + again,
                apply_input: moved(center_rows),
                apply_output: moved(target_rows),
            },
            // Each product reads two matrices and writes a third. The scores are turned into errors
            // in place.
            LossFunction::Softmax => {
                let words = shape.output_rows as u64;
                let (scores, centers) = (center_rows * words * WORD, center_rows);
                let products = (centers + words) * row
                    + scores
                    + 2 * scores
                    + (scores + words * row + centers * sums)
                    + (scores + centers * row + words * sums);
                Self {
                    window: products,
                    apply_input: moved(centers),
                    apply_output: moved(words),
                }
            }
        }
    }

    /// The bytes that all stages move.
    pub fn total(self) -> u64 {
        self.window + self.apply_input + self.apply_output
    }

    /// The bytes that a stage moves, by the engine's name for the stage. `None` for a stage that is
    /// only a part of a half, or moves next to nothing.
    pub fn of_stage(self, name: &str) -> Option<u64> {
        match name {
            "window" => Some(self.window),
            "apply" => Some(self.apply_input + self.apply_output),
            "softmax" => Some(self.total()),
            _ if name.starts_with("apply") && name.ends_with(": W") => Some(self.apply_input),
            _ if name.starts_with("apply") && name.ends_with(": W'") => Some(self.apply_output),
            _ => None,
        }
    }
}

impl std::ops::AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.window += other.window;
        self.apply_input += other.apply_input;
        self.apply_output += other.apply_output;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::tests::batch_of;

    #[test]
    fn rows_by_hand() {
        // A span of two windows: centers 0 and 1; 2 + 1 targets, which are rows 3, 4 and 0 of W'.
        let batch = batch_of(9, &[(vec![0, 1], vec![3, 4]), (vec![1], vec![0])]);
        let shape = Shape {
            dim: 10,
            bytes: 4,
            output_rows: 9,
        };
        let traffic = Traffic::of(&batch, Objective::SIGMOID, shape);
        // A row or its sum has 40 bytes. A center of the span, or a target, takes three of them and
        // an index.
        assert_eq!(
            traffic,
            Traffic {
                window: 5 * 124,
                apply_input: 2 * 160,
                apply_output: 3 * 160
            }
        );
        assert_eq!(traffic.of_stage("apply"), Some(5 * 160));
        assert_eq!(traffic.of_stage("apply fixed-point sums: W"), Some(2 * 160));
        assert_eq!(
            traffic.of_stage("apply fixed-point sums: W'"),
            Some(3 * 160)
        );
        assert_eq!(traffic.of_stage("loss"), None);
        let half = Traffic::of(&batch, Objective::SIGMOID, Shape { bytes: 2, ..shape });
        assert_eq!(half.window, 5 * 104);
    }
}
