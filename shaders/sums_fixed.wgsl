// The sums that `apply` reads: in fixed point, of the rows that the batch touches, by slot. Twin:
// sums_float.wgsl.

fn slots() -> u32 {
    return select(batch.header.center_slots, batch.header.target_slots, IS_OUTPUT);
}

fn row_of(slot: u32) -> u32 {
    return batch.data[select(batch.header.center_rows, batch.header.target_rows, IS_OUTPUT) + slot];
}

fn scale_of_slot(slot: u32) -> f32 {
    if IS_OUTPUT {
        return scale_of(largest.now[0], byte_at(batch.header.target_bits, slot), batch.header.least_target_room);
    }
    return scale_of(largest.now[1], byte_at(batch.header.center_bits, slot), batch.header.least_center_room);
}

fn sum_at(slot: u32, column: u32) -> vec4f {
    return vec4f(sums_at(slot, column)) * inverse_of(scale_of_slot(slot));
}

fn clear_sum(slot: u32, column: u32) {
    set_sums(slot, column, vec4i(0));
}
