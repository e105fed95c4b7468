// Contributions of a run to its centers, in the memory of the workgroup that takes the run. A lane has its own columns, so
// that no lane waits for another. Twin: run_sums_storage.wgsl.

// Groups of four elements of all centers that a run may have.
override RUN_SUMS: u32 = 832u;

var<workgroup> run_sums: array<vec4f, RUN_SUMS>;

fn run_sum_at(group: u32, place: u32, column: u32) -> vec4f {
    return run_sums[place * WIDTH + column];
}

fn set_run_sum(group: u32, place: u32, column: u32, value: vec4f) {
    run_sums[place * WIDTH + column] = value;
}
