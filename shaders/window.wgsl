// First half of a step: embedding lookup, dot products, sigmoid loss and the scatter of the gradient.
//
// A workgroup takes a window, its lanes the columns of the rows. Scores come first, a center against eight targets at a
// time, all eight products reduced together; then, column by column, every row of the window is read once and gets its
// contribution by an integer atomic, so that the order of the workgroups does not matter. Twin: engine/cpu/window.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read_write> window_losses: array<f32>;

const TARGET_BLOCK = 8u;
const CENTER_BLOCK = 16u;
const GRADIENT_LIMIT = 8.0;

// Errors of a block: eight targets for each center.
var<workgroup> errors: array<vec4f, 2 * CENTER_BLOCK>;

struct Errors {
    error: vec4f,
    loss: f32,
}

// With sign 1 for label 1, -1 for label 0 and 0 where there is no target, and a = sign * score, the error is
// sign / (1 + e^a) and the loss log(1 + e^-a), both from t = e^-|a|, which never overflows.
fn errors_of(score: vec4f, sign: vec4f) -> Errors {
    let a = sign * score;
    let t = exp(-abs(a));
    let share = 1.0 / (1.0 + t);
    let error = sign * select(share, t * share, a >= vec4f(0.0));
    let loss = abs(sign) * (select(vec4f(0.0), -a, a < vec4f(0.0)) + log(1.0 + t));
    return Errors(error, loss.x + loss.y + loss.z + loss.w);
}

fn fixed_point(contribution: vec4f) -> vec4i {
    let limited = clamp(contribution, vec4f(-GRADIENT_LIMIT), vec4f(GRADIENT_LIMIT));
    return vec4i(round(limited * batch.header.scale));
}

fn center_slot(i: u32) -> u32 {
    return batch.data[batch.header.centers + i];
}

fn center_row(slot: u32) -> u32 {
    return batch.data[batch.header.center_rows + slot];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    for (var window = group.x; window < batch.header.windows; window += groups.x) {
        let first_center = batch.data[batch.header.center_offsets + window];
        let end_center = batch.data[batch.header.center_offsets + window + 1u];
        let first_target = batch.data[batch.header.target_offsets + window];
        let end_target = batch.data[batch.header.target_offsets + window + 1u];
        var loss = 0.0;
        for (var block = first_target; block < end_target; block += TARGET_BLOCK) {
            let targets = min(TARGET_BLOCK, end_target - block);
            var slots: array<u32, TARGET_BLOCK>;
            var rows: array<u32, TARGET_BLOCK>;
            var signs: array<f32, TARGET_BLOCK>;
            for (var j = 0u; j < TARGET_BLOCK; j++) {
                // Where there is no target, the first one stands in, with a sign of 0.
                let packed = batch.data[batch.header.targets + block + select(0u, j, j < targets)];
                slots[j] = packed >> 1u;
                rows[j] = batch.data[batch.header.target_rows + slots[j]];
                signs[j] = select(0.0, select(-1.0, 1.0, (packed & 1u) == 1u), j < targets);
            }
            let low_signs = vec4f(signs[0], signs[1], signs[2], signs[3]);
            let high_signs = vec4f(signs[4], signs[5], signs[6], signs[7]);

            for (var start = first_center; start < end_center; start += CENTER_BLOCK) {
                let centers = min(CENTER_BLOCK, end_center - start);
                for (var i = 0u; i < centers; i++) {
                    let row = center_row(center_slot(start + i));
                    var low = vec4f(0.0);
                    var high = vec4f(0.0);
                    for (var column = lane.index; column < WIDTH; column += LANES) {
                        let x = input_at(row, column);
                        low += vec4f(
                            dot(x, output_at(rows[0], column)),
                            dot(x, output_at(rows[1], column)),
                            dot(x, output_at(rows[2], column)),
                            dot(x, output_at(rows[3], column)),
                        );
                        if targets > 4u {
                            high += vec4f(
                                dot(x, output_at(rows[4], column)),
                                dot(x, output_at(rows[5], column)),
                                dot(x, output_at(rows[6], column)),
                                dot(x, output_at(rows[7], column)),
                            );
                        }
                    }
                    let low_errors = errors_of(reduce(low, lane), low_signs);
                    let high_errors = errors_of(reduce(high, lane), high_signs);
                    loss += low_errors.loss + high_errors.loss;
                    if lane.index == 0u {
                        errors[2u * i] = low_errors.error;
                        errors[2u * i + 1u] = high_errors.error;
                    }
                }
                workgroupBarrier();

                for (var column = lane.index; column < WIDTH; column += LANES) {
                    var pieces: array<vec4f, TARGET_BLOCK>;
                    var sums: array<vec4f, TARGET_BLOCK>;
                    for (var j = 0u; j < TARGET_BLOCK; j++) {
                        pieces[j] = output_at(rows[j], column);
                        sums[j] = vec4f(0.0);
                    }
                    for (var i = 0u; i < centers; i++) {
                        let slot = center_slot(start + i);
                        let x = input_at(center_row(slot), column);
                        let low = errors[2u * i];
                        let high = errors[2u * i + 1u];
                        sums[0] += low.x * x;
                        sums[1] += low.y * x;
                        sums[2] += low.z * x;
                        sums[3] += low.w * x;
                        sums[4] += high.x * x;
                        sums[5] += high.y * x;
                        sums[6] += high.z * x;
                        sums[7] += high.w * x;
                        let sum = low.x * pieces[0] + low.y * pieces[1] + low.z * pieces[2] + low.w * pieces[3]
                            + high.x * pieces[4] + high.y * pieces[5] + high.z * pieces[6] + high.w * pieces[7];
                        add_to_center_sums(slot, column, fixed_point(sum));
                    }
                    for (var j = 0u; j < targets; j++) {
                        add_to_target_sums(slots[j], column, fixed_point(sums[j]));
                    }
                }
                // The next block's errors may only be written once these are read.
                workgroupBarrier();
            }
        }
        if lane.index == 0u {
            window_losses[window] = loss;
        }
    }
}
