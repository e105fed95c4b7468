// Adds a product of two matrices to a third. Which ones, the fragment behind it says, and their shape.
//
// A workgroup takes a tile of 32 x 32 elements, an invocation 4 x 4 of them. It brings 16 terms of both matrices into its
// memory at a time. Every element is summed by one invocation, term after term: the same result on every run.

const TILE = 32u;
const TERMS = 16u;
const GROUPS = TILE / 4u;

// Four rows or four columns to an element; terms come after one another.
var<workgroup> left_tile: array<vec4f, TERMS * GROUPS>;
var<workgroup> right_tile: array<vec4f, TERMS * GROUPS>;

fn four_left(term: u32, row: u32) -> vec4f {
    return vec4f(left(term, row), left(term, row + 1u), left(term, row + 2u), left(term, row + 3u));
}

fn four_right(term: u32, column: u32) -> vec4f {
    return vec4f(right(term, column), right(term, column + 1u), right(term, column + 2u), right(term, column + 3u));
}

@compute @workgroup_size(GROUPS, GROUPS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_id) local: vec3u,
    @builtin(local_invocation_index) index: u32,
) {
    let size = shape();
    let first_row = group.y * TILE;
    let first_column = group.x * TILE;
    var sums: array<vec4f, 4>;
    for (var first = 0u; first < size.terms; first += TERMS) {
        for (var i = index; i < TERMS * GROUPS; i += GROUPS * GROUPS) {
            let term = i / GROUPS;
            let four = 4u * (i % GROUPS);
            left_tile[i] = four_left(first + term, first_row + four);
            right_tile[i] = four_right(first + term, first_column + four);
        }
        workgroupBarrier();
        for (var term = 0u; term < TERMS; term++) {
            let rows = left_tile[term * GROUPS + local.y];
            let columns = right_tile[term * GROUPS + local.x];
            sums[0] += rows.x * columns;
            sums[1] += rows.y * columns;
            sums[2] += rows.z * columns;
            sums[3] += rows.w * columns;
        }
        // The next terms may only come in once these are used.
        workgroupBarrier();
    }
    let row = first_row + 4u * local.y;
    let column = first_column + 4u * local.x;
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            if row + i < size.rows && column + j < size.columns {
                add(row + i, column + j, sums[i][j]);
            }
        }
    }
}

struct Shape {
    rows: u32,
    columns: u32,
    terms: u32,
}
