//! The memory that the engine takes.

use super::lanes::{Floats, LANES};
use super::softmax::SCORES;
use crate::engine::LossFunction;
use crate::engine::memory::{Allocation, Sizes};

/// The engine's memory on `threads` threads, without the model that it starts from.
pub fn buffers(sizes: &Sizes, threads: usize) -> Vec<Allocation> {
    let Sizes {
        input_rows,
        output_rows,
        dim,
        batch,
        ..
    } = sizes;
    let pieces = |floats: u64| floats.div_ceil(LANES as u64);
    let row = pieces(*dim) * size_of::<Floats>() as u64;
    let mut buffers = vec![
        Allocation::new("W", input_rows * row),
        Allocation::new("W'", output_rows * row),
    ];
    match sizes.objective.loss {
        LossFunction::Sigmoid | LossFunction::Choice { .. } => {
            // Fixed-point sums are as large as floats, and each row of them has a bit.
            let of_thread = |rows: u64| rows * row + rows.div_ceil(64) * 8;
            let of_thread = of_thread(batch.center_rows) + of_thread(batch.target_rows);
            buffers.push(Allocation::new(
                "sums of the threads",
                threads as u64 * of_thread,
            ));
            if sizes.objective.subwords {
                let words = batch.center_rows * (row + 4);
                buffers.push(Allocation::new("words composed of parts", words));
            }
        }
        LossFunction::Softmax => {
            let score_row = pieces(*output_rows) * size_of::<Floats>() as u64;
            let tile = (4 * SCORES as u64 / score_row.max(1))
                .max(1)
                .min(batch.center_rows);
            buffers.extend([
                Allocation::new("W' transposed", dim * score_row),
                Allocation::new("scores of the softmax", tile * (score_row + 2 * row)),
                Allocation::new("sums of all words", output_rows * row),
            ]);
        }
    }
    buffers
}
