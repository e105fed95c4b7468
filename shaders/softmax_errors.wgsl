// Turns the scores of a tile's centers into errors, summed over each center's pairs, and makes the
// loss.
//
// A workgroup takes a center. With n contexts and the largest score m, log sum of e^z = m + log sum
// of e^(z - m), where no term exceeds 1; the loss is n times that, less the contexts' own scores;
// the error of word v is how often it is a context, less n times its share. Twin:
// engine/cpu/softmax.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read_write> scores: array<f32>;
// As bits.
@group(0) @binding(2) var<storage, read_write> losses: array<u32>;

// Rows of W'.
override ROWS: u32 = 1u;

const LOWEST = -3.4e38;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    for (var center = group.x; center < batch.header.center_slots; center += groups.x) {
        let first = center * ROWS;
        let first_context = batch.data[batch.header.target_offsets + center];
        let end_context = batch.data[batch.header.target_offsets + center + 1u];
        var highest = LOWEST;
        for (var word = lane.index; word < ROWS; word += LANES) {
            let score = scores[first + word];
            note_scores(vec4f(score));
            highest = max(highest, score);
        }
        let largest = reduce_max(highest, lane);
        var chosen = 0.0;
        for (var i = first_context + lane.index; i < end_context; i += LANES) {
            chosen += scores[first + batch.data[batch.header.targets + i]];
        }
        // Scores may only be replaced once everybody has read the contexts'.
        storageBarrier();
        var total = 0.0;
        for (var word = lane.index; word < ROWS; word += LANES) {
            let power = exp(scores[first + word] - largest);
            scores[first + word] = power;
            total += power;
        }
        let sums = reduce(vec4f(total, chosen, select(1.0, 0.0, noted_are_finite()), 0.0), lane);
        let contexts = f32(end_context - first_context);
        let share = -contexts / sums.x;
        for (var word = lane.index; word < ROWS; word += LANES) {
            scores[first + word] *= share;
        }
        // Contexts may repeat: one lane adds them, once everybody has written.
        storageBarrier();
        if lane.index == 0u {
            for (var i = first_context; i < end_context; i++) {
                scores[first + batch.data[batch.header.targets + i]] += 1.0;
            }
            losses[center] = loss_bits(contexts * (largest + log(sums.x)) - sums.y, sums.z == 0.0);
        }
    }
}
