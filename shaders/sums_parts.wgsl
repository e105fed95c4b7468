// The sums that `apply` reads in a model with subwords: for each row of W that is a part of words,
// the sums of these words, in the order of their slots. Twin: sums_fixed.wgsl.

fn slots() -> u32 {
    return batch.header.part_slots;
}

fn row_of(slot: u32) -> u32 {
    return batch.data[batch.header.part_rows + slot];
}

fn sum_at(slot: u32, column: u32) -> vec4f {
    let end = batch.data[batch.header.use_offsets + slot + 1u];
    var sum = vec4f(0.0);
    for (var at = batch.data[batch.header.use_offsets + slot]; at < end; at++) {
        let word = batch.data[batch.header.uses + at];
        let bits = byte_at(batch.header.center_bits, word);
        let scale = scale_of(largest.now[1], bits, batch.header.least_center_room);
        sum += vec4f(sums_at(word, column)) * inverse_of(scale);
    }
    return sum;
}

// Other rows have the same words: compose.wgsl clears the sums of the next step.
fn clear_sum(slot: u32, column: u32) {}
