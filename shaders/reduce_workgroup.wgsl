// Sums over a workgroup through its memory: works everywhere. Twin: reduce_subgroup.wgsl.

struct Lane {
    @builtin(local_invocation_index) index: u32,
}

var<workgroup> partial_sums: array<vec4f, LANES>;

// The sum of `value` over all lanes, on every lane. LANES must be a power of two.
fn reduce(value: vec4f, lane: Lane) -> vec4f {
    partial_sums[lane.index] = value;
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane.index < half {
            partial_sums[lane.index] += partial_sums[lane.index + half];
        }
        workgroupBarrier();
    }
    let sum = partial_sums[0];
    // Nobody may start the next sum before everybody has read this one.
    workgroupBarrier();
    return sum;
}
