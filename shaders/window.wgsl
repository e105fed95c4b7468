// First half of a step: embedding lookup, dot products, loss and the scatter of the gradient.
//
// A workgroup takes a span, window after window; its lanes take the columns of the rows. Every row
// of a window is read once. The rows of up to eight targets, and the sums of their contributions,
// stay with the lanes while the inputs pass: the centers, or their mean. Each input has eight
// products, which are reduced together; from them come eight errors, and its own contribution.
// A choice among more than eight targets takes them twice: the first time for its totals.
//
// Contributions to a center are added up over the span, then added to its sum; contributions to a
// target are added up over the window. Sums are integers and added to by atomics, so that the order
// of the workgroups does not matter. Twin: engine/cpu/window.rs.

@group(0) @binding(0) var<storage, read> batch: Batch;
// As bits.
@group(0) @binding(1) var<storage, read_write> span_losses: array<u32>;
// The largest elements of W and of W', as bits: two for this step, then two for the next.
@group(0) @binding(2) var<storage, read> largest: array<u32>;

const TARGET_BLOCK = 8u;
const SPAN_CENTERS = 26u;

// Whether the mean of a window's centers is its only input. If not, each center is one.
override MEAN: bool = false;
// Whether centers are rows of words that were composed of parts, by slot. If not, they are rows of W.
override COMPOSED: bool = false;
// Whether a center gets its share of the gradient by the mean. If not, it gets the whole.
override SHARE: bool = false;
// The targets of a choice; 0 where each target counts by its own label.
override BRANCHES: u32 = 0u;

// How scores become errors: each by its label, by a choice among the targets at hand, not yet (they
// add to the totals of a choice among more), or by a choice whose totals are known.
const LABELS = 0u;
const CHOICE = 1u;
const TOTALS = 2u;
const CHOSEN = 3u;

// Below any score.
const LOWEST = -0x1.fffffep+127f;

struct Errors {
    error: vec4f,
    loss: f32,
}

// With sign 1 for label 1, -1 for label 0 and 0 where there is no target, and a = sign * score, the
// error is sign / (1 + e^a) and the loss log(1 + e^-a), both from t = e^-|a|, which never
// overflows.
fn errors_of(score: vec4f, sign: vec4f) -> Errors {
    note_scores(score);
    let a = sign * score;
    let t = exp(-abs(a));
    let share = 1.0 / (1.0 + t);
    let error = sign * select(share, t * share, a >= vec4f(0.0));
    let loss = abs(sign) * (select(vec4f(0.0), -a, a < vec4f(0.0)) + log(1.0 + t));
    return Errors(error, loss.x + loss.y + loss.z + loss.w);
}

// The total of a choice: the largest score, and the sum of e to the power of each score less it.
// Eight scores join those before; a sign of 0 stands for no target.
fn with_scores(total: vec2f, low: vec4f, high: vec4f, low_signs: vec4f, high_signs: vec4f) -> vec2f {
    let a = select(low, vec4f(LOWEST), low_signs == vec4f(0.0));
    let b = select(high, vec4f(LOWEST), high_signs == vec4f(0.0));
    let both = max(a, b);
    let largest = max(total.x, max(max(both.x, both.y), max(both.z, both.w)));
    let terms = exp(a - largest) + exp(b - largest);
    return vec2f(largest, total.y * exp(total.x - largest) + (terms.x + terms.y + terms.z + terms.w));
}

// The errors of four targets of a choice, and the loss if one of them is to be chosen.
fn errors_of_choice(score: vec4f, sign: vec4f, total: vec2f) -> Errors {
    note_scores(score);
    let wanted = max(sign, vec4f(0.0));
    let error = abs(sign) * (wanted - exp(score - total.x) / total.y);
    let loss = select(vec4f(0.0), total.x + log(total.y) - score, sign > vec4f(0.0));
    return Errors(error, loss.x + loss.y + loss.z + loss.w);
}

// A contribution as integers, in the units of a scale.
fn fixed_point(contribution: vec4f, scale: f32, rounding: f32) -> vec4i {
    return vec4i(round(contribution * scale + rounding));
}

fn target_scale(slot: u32) -> f32 {
    return scale_of(largest[0], byte_at(batch.header.target_bits, slot), batch.header.least_target_room);
}

fn center_scale(slot: u32) -> f32 {
    return scale_of(largest[1], byte_at(batch.header.center_bits, slot), batch.header.least_center_room);
}

struct Target {
    slot: u32,
    row: u32,
    sign: f32,
}

// The target at a place, or one whose sign of 0 makes its errors and its loss 0.
fn target_at(at: u32, present: bool) -> Target {
    if !present {
        return Target(0u, 0u, 0.0);
    }
    let packed = batch.data[batch.header.targets + at];
    let slot = packed >> 1u;
    let row = batch.data[batch.header.target_rows + slot];
    return Target(slot, row, select(-1.0, 1.0, (packed & 1u) == 1u));
}

// The centers of a window, as places in the span that starts at `span_centers`.
struct Centers {
    first: u32,
    count: u32,
    span_centers: u32,
}

fn place_of(centers: Centers, i: u32) -> u32 {
    return byte_at(batch.header.centers, centers.first + i);
}

fn row_of_center(centers: Centers, place: u32) -> u32 {
    let slot = batch.data[centers.span_centers + place];
    if COMPOSED {
        return slot;
    }
    return batch.data[batch.header.center_rows + slot];
}

// What a window works on while its targets pass. All but the columns is alike on every lane.
struct Work {
    // The lane's columns of the mean of the centers, and of what the targets contribute to it.
    mean: array<vec4f, COLUMNS>,
    gradient: array<vec4f, COLUMNS>,
    // The total of the choice at hand for each input.
    totals: array<vec2f, SPAN_CENTERS>,
}

// Takes some targets of a window, from `first_target` on, with all its inputs; returns their loss.
fn take(act: u32, first_target: u32, end_target: u32, centers: Centers, rounding: f32, group: u32, lane: Lane, work: ptr<function, Work>) -> f32 {
    let inputs = select(centers.count, min(centers.count, 1u), MEAN);
    var loss = 0.0;
    for (var block = first_target; block < end_target; block += TARGET_BLOCK) {
        let targets = end_target - block;
        let t0 = target_at(block + 0u, 0u < targets);
        let t1 = target_at(block + 1u, 1u < targets);
        let t2 = target_at(block + 2u, 2u < targets);
        let t3 = target_at(block + 3u, 3u < targets);
        let t4 = target_at(block + 4u, 4u < targets);
        let t5 = target_at(block + 5u, 5u < targets);
        let t6 = target_at(block + 6u, 6u < targets);
        let t7 = target_at(block + 7u, 7u < targets);
        let low_signs = vec4f(t0.sign, t1.sign, t2.sign, t3.sign);
        let high_signs = vec4f(t4.sign, t5.sign, t6.sign, t7.sign);
        // Rows and sums have names of their own: an array over targets may end up in memory.
        var row0: array<vec4f, COLUMNS>;
        var row1: array<vec4f, COLUMNS>;
        var row2: array<vec4f, COLUMNS>;
        var row3: array<vec4f, COLUMNS>;
        var row4: array<vec4f, COLUMNS>;
        var row5: array<vec4f, COLUMNS>;
        var row6: array<vec4f, COLUMNS>;
        var row7: array<vec4f, COLUMNS>;
        var sum0: array<vec4f, COLUMNS>;
        var sum1: array<vec4f, COLUMNS>;
        var sum2: array<vec4f, COLUMNS>;
        var sum3: array<vec4f, COLUMNS>;
        var sum4: array<vec4f, COLUMNS>;
        var sum5: array<vec4f, COLUMNS>;
        var sum6: array<vec4f, COLUMNS>;
        var sum7: array<vec4f, COLUMNS>;
        for (var k = 0u; k < COLUMNS; k++) {
            let column = lane.index + k * LANES;
            if column < WIDTH {
                row0[k] = output_at(t0.row, column);
                if 1u < targets { row1[k] = output_at(t1.row, column); }
                if 2u < targets { row2[k] = output_at(t2.row, column); }
                if 3u < targets { row3[k] = output_at(t3.row, column); }
                if 4u < targets { row4[k] = output_at(t4.row, column); }
                if 5u < targets { row5[k] = output_at(t5.row, column); }
                if 6u < targets { row6[k] = output_at(t6.row, column); }
                if 7u < targets { row7[k] = output_at(t7.row, column); }
            }
        }
        for (var i = 0u; i < inputs; i++) {
            let place = place_of(centers, i);
            let center = row_of_center(centers, place);
            var x: array<vec4f, COLUMNS>;
            var low = vec4f(0.0);
            var high = vec4f(0.0);
            for (var k = 0u; k < COLUMNS; k++) {
                let column = lane.index + k * LANES;
                if MEAN {
                    x[k] = (*work).mean[k];
                } else if column < WIDTH {
                    x[k] = input_at(center, column);
                }
                low += vec4f(dot(x[k], row0[k]), dot(x[k], row1[k]), dot(x[k], row2[k]), dot(x[k], row3[k]));
                high += vec4f(dot(x[k], row4[k]), dot(x[k], row5[k]), dot(x[k], row6[k]), dot(x[k], row7[k]));
            }
            low = reduce(low, lane);
            high = reduce(high, lane);
            var low_errors: Errors;
            var high_errors: Errors;
            if BRANCHES == 0u {
                low_errors = errors_of(low, low_signs);
                high_errors = errors_of(high, high_signs);
            } else {
                var total = (*work).totals[i];
                if act != CHOSEN {
                    total = with_scores(total, low, high, low_signs, high_signs);
                    (*work).totals[i] = total;
                }
                if act == TOTALS {
                    continue;
                }
                low_errors = errors_of_choice(low, low_signs, total);
                high_errors = errors_of_choice(high, high_signs, total);
            }
            loss += low_errors.loss + high_errors.loss;
            let e = low_errors.error;
            let f = high_errors.error;
            for (var k = 0u; k < COLUMNS; k++) {
                let column = lane.index + k * LANES;
                if column < WIDTH {
                    let sum = e.x * row0[k] + e.y * row1[k] + e.z * row2[k] + e.w * row3[k]
                        + f.x * row4[k] + f.y * row5[k] + f.z * row6[k] + f.w * row7[k];
                    if MEAN {
                        (*work).gradient[k] += sum;
                    } else {
                        set_span_sum(group, place, column, span_sum_at(group, place, column) + sum);
                    }
                }
                sum0[k] += e.x * x[k];
                sum1[k] += e.y * x[k];
                sum2[k] += e.z * x[k];
                sum3[k] += e.w * x[k];
                sum4[k] += f.x * x[k];
                sum5[k] += f.y * x[k];
                sum6[k] += f.z * x[k];
                sum7[k] += f.w * x[k];
            }
        }
        if act == TOTALS {
            continue;
        }
        // An absent target has the slot of some row, to which nothing is added.
        let scale0 = target_scale(t0.slot);
        let scale1 = target_scale(t1.slot);
        let scale2 = target_scale(t2.slot);
        let scale3 = target_scale(t3.slot);
        let scale4 = target_scale(t4.slot);
        let scale5 = target_scale(t5.slot);
        let scale6 = target_scale(t6.slot);
        let scale7 = target_scale(t7.slot);
        for (var k = 0u; k < COLUMNS; k++) {
            let column = lane.index + k * LANES;
            if column < WIDTH {
                add_to_target_sums(t0.slot, column, fixed_point(sum0[k], scale0, rounding));
                if 1u < targets { add_to_target_sums(t1.slot, column, fixed_point(sum1[k], scale1, rounding)); }
                if 2u < targets { add_to_target_sums(t2.slot, column, fixed_point(sum2[k], scale2, rounding)); }
                if 3u < targets { add_to_target_sums(t3.slot, column, fixed_point(sum3[k], scale3, rounding)); }
                if 4u < targets { add_to_target_sums(t4.slot, column, fixed_point(sum4[k], scale4, rounding)); }
                if 5u < targets { add_to_target_sums(t5.slot, column, fixed_point(sum5[k], scale5, rounding)); }
                if 6u < targets { add_to_target_sums(t6.slot, column, fixed_point(sum6[k], scale6, rounding)); }
                if 7u < targets { add_to_target_sums(t7.slot, column, fixed_point(sum7[k], scale7, rounding)); }
            }
        }
    }
    return loss;
}

// Adds up the mean of a window's centers.
fn find_mean(centers: Centers, lane: Lane, work: ptr<function, Work>) {
    let share = 1.0 / f32(centers.count);
    for (var k = 0u; k < COLUMNS; k++) {
        let column = lane.index + k * LANES;
        if column < WIDTH {
            var sum = vec4f(0.0);
            for (var i = 0u; i < centers.count; i++) {
                sum += input_at(row_of_center(centers, place_of(centers, i)), column);
            }
            (*work).mean[k] = share * sum;
        }
    }
}

// Adds what the targets contribute to the mean to the sums of its centers.
fn spread(centers: Centers, group: u32, lane: Lane, work: ptr<function, Work>) {
    let part = select(1.0, 1.0 / f32(centers.count), SHARE);
    for (var i = 0u; i < centers.count; i++) {
        let place = place_of(centers, i);
        for (var k = 0u; k < COLUMNS; k++) {
            let column = lane.index + k * LANES;
            if column < WIDTH {
                let sum = span_sum_at(group, place, column) + part * (*work).gradient[k];
                set_span_sum(group, place, column, sum);
            }
        }
    }
}

// Takes a window of the span whose centers start at `span_centers`, and returns its loss.
fn train(window: u32, span_centers: u32, group: u32, lane: Lane) -> f32 {
    let first_center = batch.data[batch.header.center_offsets + window];
    let end_center = batch.data[batch.header.center_offsets + window + 1u];
    let first_target = batch.data[batch.header.target_offsets + window];
    let end_target = batch.data[batch.header.target_offsets + window + 1u];
    let centers = Centers(first_center, end_center - first_center, span_centers);
    let rounding = draw(window);
    var work: Work;
    if MEAN {
        find_mean(centers, lane, &work);
    }
    var loss = 0.0;
    if BRANCHES == 0u {
        loss = take(LABELS, first_target, end_target, centers, rounding, group, lane, &work);
    } else {
        for (var first = first_target; first < end_target; first += BRANCHES) {
            let end = min(end_target, first + BRANCHES);
            for (var i = 0u; i < SPAN_CENTERS; i++) {
                work.totals[i] = vec2f(LOWEST, 0.0);
            }
            var act = CHOICE;
            if end - first > TARGET_BLOCK {
                _ = take(TOTALS, first, end, centers, rounding, group, lane, &work);
                act = CHOSEN;
            }
            loss += take(act, first, end, centers, rounding, group, lane, &work);
        }
    }
    if MEAN {
        spread(centers, group, lane, &work);
    }
    return loss;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group_id: vec3u, @builtin(num_workgroups) groups: vec3u, lane: Lane) {
    let group = group_id.x;
    for (var span = group; span < batch.header.spans; span += groups.x) {
        let first_center = batch.data[batch.header.span_center_offsets + span];
        let places = batch.data[batch.header.span_center_offsets + span + 1u] - first_center;
        let span_centers = batch.header.span_centers + first_center;
        for (var place = 0u; place < places; place++) {
            for (var column = lane.index; column < WIDTH; column += LANES) {
                set_span_sum(group, place, column, vec4f(0.0));
            }
        }
        let end_window = batch.data[batch.header.span_windows + span + 1u];
        var loss = 0.0;
        for (var window = batch.data[batch.header.span_windows + span]; window < end_window; window++) {
            loss += train(window, span_centers, group, lane);
        }
        let rounding = draw(span | OF_CENTERS);
        for (var place = 0u; place < places; place++) {
            let slot = batch.data[span_centers + place];
            let scale = center_scale(slot);
            for (var column = lane.index; column < WIDTH; column += LANES) {
                add_to_center_sums(slot, column, fixed_point(span_sum_at(group, place, column), scale, rounding));
            }
        }
        if lane.index == 0u {
            span_losses[span] = loss_bits(loss, noted_are_finite());
        }
    }
}
