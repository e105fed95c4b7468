// Sums for a tile's rows of W: errors times W'. Behind product.wgsl. Twin: engine/cpu/softmax.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> output: array<f32>;
@group(0) @binding(2) var<storage, read> errors: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<f32>;

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
    return output[term * 4u * WIDTH + column];
}

fn add(row: u32, column: u32, sum: f32) {
    sums[row * 4u * WIDTH + column] = sum;
}
