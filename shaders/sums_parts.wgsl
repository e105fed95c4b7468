// The sums that `apply` reads in a model with subwords: for each row of W that is a part of words,
// the sums of these words, in the order of their slots. Twin: sums_fixed.wgsl.

fn slots() -> u32 {
    return batch.header.part_slots;
}

fn row_of(slot: u32) -> u32 {
    return batch.data[batch.header.part_rows + slot];
}

// A frequent n-gram is a part of hundreds of words, which one workgroup walks. So the rows of four
// are under way at once; they are added in order.
fn sum_at(slot: u32, column: u32) -> vec4f {
    var at = batch.data[batch.header.use_offsets + slot];
    let end = batch.data[batch.header.use_offsets + slot + 1u];
    var sum = vec4f(0.0);
    for (; at + 4u <= end; at += 4u) {
        let first = gradient_at(at, column);
        let second = gradient_at(at + 1u, column);
        let third = gradient_at(at + 2u, column);
        let fourth = gradient_at(at + 3u, column);
        sum += first;
        sum += second;
        sum += third;
        sum += fourth;
    }
    for (; at < end; at++) {
        sum += gradient_at(at, column);
    }
    return sum;
}

// The gradient of the word that a row is used by.
fn gradient_at(use_: u32, column: u32) -> vec4f {
    let word = batch.data[batch.header.uses + use_];
    let bits = byte_at(batch.header.center_bits, word);
    let scale = scale_of(largest.now[1], bits, batch.header.least_center_room);
    return vec4f(sums_at(word, column)) * inverse_of(scale);
}

// Other rows have the same words: compose.wgsl clears the sums of the next step.
fn clear_sum(slot: u32, column: u32) {}
