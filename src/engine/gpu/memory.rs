//! The memory that the engine takes on the device.

use super::device::READ_BYTES;
use super::program::{MAX_GROUPS, PRODUCT_TILE, SPAN_SUMS_BYTES};
use super::tables::Shards;
use super::upload::HEADER_WORDS;
use super::{LOSSES, SCORES, UPLOADS};
use crate::batch::SPAN_CENTERS;
use crate::engine::Objective;
use crate::engine::memory::{Allocation, Sizes};

/// Elements of a row, which come in groups of four.
fn padded(dim: u64) -> u64 {
    dim.next_multiple_of(4)
}

/// How many bindings of at most `max_binding` bytes each table takes, the larger one having so many
/// rows; more than any adapter has where no number of them would do.
pub fn bindings(rows: u64, dim: u64, max_binding: u64) -> u64 {
    let groups = padded(dim) / 4;
    let shards = Shards::new(rows, u32::try_from(groups).unwrap_or(u32::MAX), max_binding);
    shards.map_or(groups + 1, |shards| u64::from(shards.count))
}

/// The engine's buffers on the device.
pub fn buffers(sizes: &Sizes) -> Vec<Allocation> {
    let Sizes {
        input_rows,
        output_rows,
        dim,
        batch,
        storage,
        ..
    } = sizes;
    let row = padded(*dim) * 4;
    let table = |rows: u64| rows * padded(*dim) * storage.bytes();
    let (w, w_prime) = (table(*input_rows), table(*output_rows));
    let mut buffers = vec![Allocation::new("W", w), Allocation::new("W'", w_prime)];
    // What grows with the batches has a quarter more than was needed.
    let with_room = |bytes: u64| bytes + bytes / 4;
    match sizes.objective {
        Objective::Sigmoid => buffers.extend([
            Allocation::new("sums of centers", with_room(batch.center_rows * row)),
            Allocation::new("sums of targets", with_room(batch.target_rows * row)),
            Allocation::new("losses of spans", with_room(batch.spans * 4)),
            // At most: none where a workgroup's memory has room for them.
            Allocation::new(
                "sums of spans",
                with_room((batch.spans * SPAN_CENTERS as u64 * row).min(SPAN_SUMS_BYTES)),
            ),
        ]),
        Objective::Softmax => {
            let most =
                (SCORES as u64 / output_rows.max(&1)).clamp(1, (MAX_GROUPS * PRODUCT_TILE) as u64);
            let tile = most.min(batch.center_rows);
            buffers.extend([
                Allocation::new("scores of the softmax", with_room(tile * output_rows * 4)),
                Allocation::new("sums of centers", with_room(tile * row)),
                Allocation::new("sums of all words", with_room(output_rows * row)),
                Allocation::new("losses of centers", with_room(tile * 4)),
            ]);
        }
    }
    let upload = batch.bytes() + 4 * HEADER_WORDS as u64;
    buffers.extend([
        Allocation::new("batches uploaded", UPLOADS as u64 * with_room(upload)),
        Allocation::new("losses of batches", 4 * LOSSES as u64),
        Allocation::new("largest elements", 16),
        Allocation::new("reading back", READ_BYTES.min(w.max(w_prime))),
    ]);
    buffers
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
