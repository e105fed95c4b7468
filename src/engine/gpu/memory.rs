//! The memory that the engine takes on the device.

use super::device::READ_BYTES;
use super::limits::MAX_GROUPS;
use super::program::{
    BATCH_LOSSES, LARGEST, SCORES, StepSize, scratch_buffers, span_groups, stages, tile_centers,
};
use super::shards::Shards;
use super::upload::{HEADER_WORDS, UPLOADS};
use crate::engine::LossFunction;
use crate::engine::memory::{Allocation, Sizes};

/// Elements of a row, which come in groups of four.
fn padded(dim: u64) -> u64 {
    dim.next_multiple_of(4)
}

/// Bindings that each table takes, of at most `max_binding` bytes each, where the larger table has
/// `rows` rows. Where no number of them would do, it is more than any adapter has.
pub fn bindings(rows: u64, dim: u64, max_binding: u64) -> u64 {
    let groups = padded(dim) / 4;
    let shards = Shards::new(rows, u32::try_from(groups).unwrap_or(u32::MAX), max_binding);
    shards.map_or(groups + 1, |shards| u64::from(shards.count))
}

/// The engine's buffers on the device.
pub fn buffers(sizes: &Sizes) -> Vec<Allocation> {
    let row = padded(sizes.dim);
    let table = |rows: u64| rows * row * sizes.storage.bytes();
    let (w, w_prime) = (table(sizes.input_rows), table(sizes.output_rows));
    let mut buffers = vec![Allocation::new("W", w), Allocation::new("W'", w_prime)];
    // Buffers that grow with the batches have a quarter more than was needed.
    let with_room = |bytes: u64| bytes + bytes / 4;
    let size = largest_step(sizes);
    // Sums of spans in a buffer are the most memory; some adapters take none for them.
    for buffer in scratch_buffers(&stages(sizes.objective, false)) {
        let shape = buffer.shape(&size);
        buffers.push(Allocation::new(shape.label, with_room(shape.bytes)));
    }
    let upload = sizes.batch.bytes() + 4 * HEADER_WORDS as u64;
    buffers.extend([
        Allocation::new("batches uploaded", UPLOADS as u64 * with_room(upload)),
        Allocation::new(BATCH_LOSSES.label, BATCH_LOSSES.bytes),
        Allocation::new(LARGEST.label, LARGEST.bytes),
        Allocation::new("reading back", READ_BYTES.min(w.max(w_prime))),
    ]);
    buffers
}

/// The largest step, all shards of a matrix counted together.
fn largest_step(sizes: &Sizes) -> StepSize {
    let (batch, width) = (sizes.batch, padded(sizes.dim) / 4);
    let most_groups = MAX_GROUPS as u64;
    let tile = tile_centers(SCORES, sizes.output_rows as usize) as u64;
    let (spans, centers, targets) = match sizes.objective.loss {
        LossFunction::Sigmoid | LossFunction::Choice { .. } => {
            (batch.spans, batch.center_rows, batch.target_rows)
        }
        LossFunction::Softmax => (0, tile.min(batch.center_rows), 0),
    };
    StepSize {
        spans,
        span_groups: span_groups(spans, width, most_groups, false),
        centers,
        targets,
        parts: batch.part_rows,
        words: sizes.output_rows,
        moves_input: true,
        moves_output: true,
        width,
        row_bytes: width * 16,
        most_groups,
        stage_work: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_as_many_bindings_as_it_fills() {
        assert_eq!(bindings(1000, 5, 32_000), 1);
        assert_eq!(bindings(1000, 5, 31_999), 2);
        assert_eq!(bindings(200_000, 300, 128 << 20), 2);
        assert_eq!(bindings(1000, 5, 15_999), 3);
    }
}
