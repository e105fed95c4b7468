// Adds a product of two matrices to a third. The fragment behind it says which matrices, and their
// shape.
//
// A workgroup takes a tile of 64 x 64 elements, an invocation 8 x 8 of them. It brings 8 terms of
// both matrices into its memory at a time. Every element is summed by one invocation, term after
// term: the same result on every run.

const TILE = 64u;
const TERMS = 8u;
// Groups of four rows or columns in a tile.
const FOURS = TILE / 4u;

struct Shape {
    rows: u32,
    columns: u32,
    terms: u32,
}

// Four rows or four columns to an element; terms come after one another.
var<workgroup> left_tile: array<vec4f, TERMS * FOURS>;
var<workgroup> right_tile: array<vec4f, TERMS * FOURS>;

fn four_left(term: u32, row: u32) -> vec4f {
    return vec4f(left(term, row), left(term, row + 1u), left(term, row + 2u), left(term, row + 3u));
}

fn four_right(term: u32, column: u32) -> vec4f {
    return vec4f(right(term, column), right(term, column + 1u), right(term, column + 2u), right(term, column + 3u));
}

fn add_eight(row: u32, column: u32, low: vec4f, high: vec4f, size: Shape) {
    if row < size.rows && column < size.columns {
        add_four(row, column, low);
        if column + 4u < size.columns {
            add_four(row, column + 4u, high);
        }
    }
}

@compute @workgroup_size(8, 8)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) local: vec3u,
    @builtin(local_invocation_index) index: u32,
) {
    let size = shape();
    let first_row = group.y * TILE;
    let first_column = group.x * TILE;
    // Eight rows of a low and a high four. Indices are constants, so that they stay in registers.
    var sums: array<vec4f, 16>;
    for (var first = 0u; first < size.terms; first += TERMS) {
        for (var i = index; i < TERMS * FOURS; i += 64u) {
            let term = i / FOURS;
            let four = 4u * (i % FOURS);
            left_tile[i] = four_left(first + term, first_row + four);
            right_tile[i] = four_right(first + term, first_column + four);
        }
        workgroupBarrier();
        for (var term = 0u; term < TERMS; term++) {
            let low_rows = left_tile[term * FOURS + 2u * local.y];
            let high_rows = left_tile[term * FOURS + 2u * local.y + 1u];
            let low_columns = right_tile[term * FOURS + 2u * local.x];
            let high_columns = right_tile[term * FOURS + 2u * local.x + 1u];
            sums[0] += low_rows.x * low_columns;
            sums[1] += low_rows.x * high_columns;
            sums[2] += low_rows.y * low_columns;
            sums[3] += low_rows.y * high_columns;
            sums[4] += low_rows.z * low_columns;
            sums[5] += low_rows.z * high_columns;
            sums[6] += low_rows.w * low_columns;
            sums[7] += low_rows.w * high_columns;
            sums[8] += high_rows.x * low_columns;
            sums[9] += high_rows.x * high_columns;
            sums[10] += high_rows.y * low_columns;
            sums[11] += high_rows.y * high_columns;
            sums[12] += high_rows.z * low_columns;
            sums[13] += high_rows.z * high_columns;
            sums[14] += high_rows.w * low_columns;
            sums[15] += high_rows.w * high_columns;
        }
        // The next terms may only come in once these are used.
        workgroupBarrier();
    }
    let row = first_row + 8u * local.y;
    let column = first_column + 8u * local.x;
    add_eight(row + 0u, column, sums[0], sums[1], size);
    add_eight(row + 1u, column, sums[2], sums[3], size);
    add_eight(row + 2u, column, sums[4], sums[5], size);
    add_eight(row + 3u, column, sums[6], sums[7], size);
    add_eight(row + 4u, column, sums[8], sums[9], size);
    add_eight(row + 5u, column, sums[10], sums[11], size);
    add_eight(row + 6u, column, sums[12], sums[13], size);
    add_eight(row + 7u, column, sums[14], sums[15], size);
}
