// What `apply` reads: fixed-point sums of the rows that the batch touches, by slot. Twin: sums_float.wgsl.

fn slots() -> u32 {
    return select(batch.header.center_slots, batch.header.target_slots, IS_OUTPUT);
}

fn row_of(slot: u32) -> u32 {
    return batch.data[select(batch.header.center_rows, batch.header.target_rows, IS_OUTPUT) + slot];
}

// The scale is a power of two: dividing by it is exact.
fn sum_at(slot: u32, column: u32) -> vec4f {
    return vec4f(sums_at(slot, column)) * (1.0 / batch.header.scale);
}

fn clear_sum(slot: u32, column: u32) {
    set_sums(slot, column, vec4i(0));
}
