// Sums and maxima over a workgroup through its memory: works everywhere. Twin:
// reduce_subgroup.wgsl.

struct Lane {
    @builtin(local_invocation_index) index: u32,
}

var<workgroup> partial: array<vec4f, LANES>;

// The sum of `value` over all lanes, on every lane. LANES must be a power of two.
fn reduce(value: vec4f, lane: Lane) -> vec4f {
    partial[lane.index] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane.index < half {
            partial[lane.index] += partial[lane.index + half];
        }
        workgroupBarrier();
    }
    let sum = partial[0];
    // Nobody may start the next sum before everybody has read this one.
    workgroupBarrier();
    return sum;
}

// The largest `value` of all lanes, on every lane.
fn reduce_max(value: f32, lane: Lane) -> f32 {
    partial[lane.index].x = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane.index < half {
            partial[lane.index].x = max(partial[lane.index].x, partial[lane.index + half].x);
        }
        workgroupBarrier();
    }
    let largest = partial[0].x;
    workgroupBarrier();
    return largest;
}
