// Before the first half of a step of a model with subwords: makes the word of each center slot, the
// mean of its parts, and clears the sums of the slot. A workgroup takes a slot. Twin:
// engine/cpu/subwords.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    for (var slot = group.x; slot < batch.header.center_slots; slot += groups.x) {
        let first = batch.data[batch.header.part_offsets + slot];
        let end = batch.data[batch.header.part_offsets + slot + 1u];
        let share = 1.0 / f32(end - first);
        for (var column = lane.index; column < WIDTH; column += LANES) {
            var sum = vec4f(0.0);
            for (var part = first; part < end; part++) {
                sum += input_at(batch.data[batch.header.parts + part], column);
            }
            set_words(slot, column, share * sum);
            set_sums(slot, column, vec4i(0));
        }
    }
}
