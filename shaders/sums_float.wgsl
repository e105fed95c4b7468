// The sums that `apply` reads after a softmax: in floats, of the tile's centers by slot, and of
// every row of W'. Twin: sums_fixed.wgsl.

// Rows of W'.
override ROWS: u32 = 1u;

fn slots() -> u32 {
    return select(batch.header.center_slots, ROWS, IS_OUTPUT);
}

fn row_of(slot: u32) -> u32 {
    if IS_OUTPUT {
        return slot;
    }
    return batch.data[batch.header.center_rows + slot];
}

fn sum_at(slot: u32, column: u32) -> vec4f {
    return sums_at(slot, column);
}

fn clear_sum(slot: u32, column: u32) {
    set_sums(slot, column, vec4f(0.0));
}

// Floats need no scale that would follow from the elements.
fn note_elements(value: vec4f) {}
