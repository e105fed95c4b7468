// Sums and maxima over a workgroup by subgroup operations: no barrier where the workgroup is one
// subgroup. Twin: reduce_workgroup.wgsl.

struct Lane {
    @builtin(local_invocation_index) index: u32,
    @builtin(subgroup_invocation_id) in_subgroup: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
}

// Whether a workgroup is known to be a single subgroup.
override ONE_SUBGROUP: bool = false;

var<workgroup> partial: array<vec4f, LANES>;

// The sum of `value` over all lanes, on every lane.
fn reduce(value: vec4f, lane: Lane) -> vec4f {
    let own = subgroupAdd(value);
    if ONE_SUBGROUP {
        return own;
    }
    if lane.in_subgroup == 0u {
        partial[lane.subgroup] = own;
    }
    workgroupBarrier();
    var sum = partial[0];
    for (var i = 1u; i < lane.subgroups; i++) {
        sum += partial[i];
    }
    // Nobody may start the next sum before everybody has read this one.
    workgroupBarrier();
    return sum;
}

// The largest `value` of all lanes, on every lane.
fn reduce_max(value: f32, lane: Lane) -> f32 {
    let own = subgroupMax(value);
    if ONE_SUBGROUP {
        return own;
    }
    if lane.in_subgroup == 0u {
        partial[lane.subgroup].x = own;
    }
    workgroupBarrier();
    var largest = partial[0].x;
    for (var i = 1u; i < lane.subgroups; i++) {
        largest = max(largest, partial[i].x);
    }
    workgroupBarrier();
    return largest;
}
