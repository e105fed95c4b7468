// Scores of a tile's centers with all words: their rows of W times W' transposed. Behind
// product.wgsl. Twin: engine/cpu/softmax.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;

// Rows of W'.
override ROWS: u32 = 1u;

fn shape() -> Shape {
    return Shape(batch.header.center_slots, ROWS, 4u * WIDTH);
}

fn left(term: u32, row: u32) -> f32 {
    if row >= batch.header.center_slots || term >= 4u * WIDTH {
        return 0.0;
    }
    return input_element(batch.data[batch.header.center_rows + row], term);
}

fn right(term: u32, column: u32) -> f32 {
    if column >= ROWS || term >= 4u * WIDTH {
        return 0.0;
    }
    return output_element(column, term);
}

fn add_four(row: u32, column: u32, four: vec4f) {
    var score = four;
    for (var i = 0u; i < 4u && column + i < ROWS; i++) {
        scores[row * ROWS + column + i] = score[i];
    }
}
