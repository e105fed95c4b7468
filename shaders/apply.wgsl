// Second half of a step: each touched row moves by its sum, within the row limit, and the sum is cleared.
//
// A workgroup takes a row. Run once for each table. Twin: engine/cpu/apply.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read_write> table: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> sums: array<vec4i>;

// Whether the table is W' (rows of targets) rather than W (rows of centers).
override IS_OUTPUT: bool = false;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let rows = select(batch.header.center_rows, batch.header.target_rows, IS_OUTPUT);
    let slots = select(batch.header.center_slots, batch.header.target_slots, IS_OUTPUT);
    let unit = 1.0 / batch.header.scale;
    for (var slot = group.x; slot < slots; slot += groups.x) {
        let row = batch.data[rows + slot] * WIDTH;
        var squares = vec4f(0.0);
        for (var column = lane.index; column < WIDTH; column += LANES) {
            let sum = vec4f(sums[slot * WIDTH + column]) * unit;
            squares += sum * sum;
        }
        let total = reduce(squares, lane);
        // The length is that of the sum, not of the step, whose squares overflow for learning rates beyond reason.
        let length = sqrt(total.x + total.y + total.z + total.w);
        let limit = batch.header.clip;
        let factor = unit * select(batch.header.lr, limit / length, batch.header.lr * length > limit);
        for (var column = lane.index; column < WIDTH; column += LANES) {
            table[row + column] += vec4f(sums[slot * WIDTH + column]) * factor;
            sums[slot * WIDTH + column] = vec4i(0);
        }
    }
}
