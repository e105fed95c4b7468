// Second half of a step: each touched row moves by its sum, within the row limit, and the sum is
// cleared.
//
// A workgroup takes a row. The kernel runs once for each table. The fragment in front of it,
// sums_fixed.wgsl or sums_float.wgsl, says which rows move and by which sums. Twin:
// engine/cpu/apply.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;

// Whether the table is W' (rows of targets) rather than W (rows of centers).
override IS_OUTPUT: bool = false;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    for (var slot = group.x; slot < slots(); slot += groups.x) {
        let row = row_of(slot);
        var sums: array<vec4f, COLUMNS>;
        var squares = vec4f(0.0);
        for (var k = 0u; k < COLUMNS; k++) {
            let column = lane.index + k * LANES;
            if column < WIDTH {
                sums[k] = sum_at(slot, column);
            }
            squares += sums[k] * sums[k];
        }
        let total = reduce(squares, lane);
        // The length is that of the sum, not of the step, whose squares overflow for learning rates
        // beyond reason.
        let length = sqrt(total.x + total.y + total.z + total.w);
        let limit = batch.header.clip;
        let factor = select(batch.header.lr, limit / length, batch.header.lr * length > limit);
        for (var k = 0u; k < COLUMNS; k++) {
            let column = lane.index + k * LANES;
            if column < WIDTH {
                let moved = table_at(row, column) + sums[k] * factor;
                set_table(row, column, moved);
                note_elements(moved);
                clear_sum(slot, column);
            }
        }
    }
}
