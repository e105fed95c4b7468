// Adds to the sums for all rows of W': errors transposed times a tile's rows of W. Behind
// product.wgsl. Twin: engine/cpu/softmax.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> errors: array<f32>;

// Rows of W'.
override ROWS: u32 = 1u;

fn shape() -> Shape {
    return Shape(ROWS, 4u * WIDTH, batch.header.center_slots);
}

fn left(term: u32, row: u32) -> f32 {
    if row >= ROWS || term >= batch.header.center_slots {
        return 0.0;
    }
    return errors[term * ROWS + row];
}

fn right(term: u32, column: u32) -> f32 {
    if term >= batch.header.center_slots || column >= 4u * WIDTH {
        return 0.0;
    }
    return input_element(batch.data[batch.header.center_rows + term], column);
}

// The tiles of a batch follow one another, and `apply` has cleared what the batch before left. Rows
// are of whole fours.
fn add_four(row: u32, column: u32, sum: vec4f) {
    set_sums(row, column / 4u, sums_at(row, column / 4u) + sum);
}
