// What `apply` reads: fixed-point sums of the rows that the batch touches, by slot. Twin: sums_float.wgsl.

@group(0) @binding(2) var<storage, read_write> sums: array<vec4i>;

fn slots() -> u32 {
    return select(batch.header.center_slots, batch.header.target_slots, IS_OUTPUT);
}

fn row_of(slot: u32) -> u32 {
    return batch.data[select(batch.header.center_rows, batch.header.target_rows, IS_OUTPUT) + slot];
}

// The scale is a power of two: dividing by it is exact.
fn sum_at(at: u32) -> vec4f {
    return vec4f(sums[at]) * (1.0 / batch.header.scale);
}

fn clear_sum(at: u32) {
    sums[at] = vec4i(0);
}
