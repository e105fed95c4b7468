// Sums for a tile's rows of W: errors times W'. Behind product.wgsl. Twin: engine/cpu/softmax.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> errors: array<f32>;

// Rows of W'.
override ROWS: u32 = 1u;

fn shape() -> Shape {
    return Shape(batch.header.center_slots, 4u * WIDTH, ROWS);
}

fn left(term: u32, row: u32) -> f32 {
    if row >= batch.header.center_slots || term >= ROWS {
        return 0.0;
    }
    return errors[row * ROWS + term];
}

fn right(term: u32, column: u32) -> f32 {
    if term >= ROWS || column >= 4u * WIDTH {
        return 0.0;
    }
    return output_element(term, column);
}

// Rows are of whole fours.
fn add_four(row: u32, column: u32, sum: vec4f) {
    set_sums(row, column / 4u, sum);
}
