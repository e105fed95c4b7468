// Contributions of a run to its centers, in a buffer that has room for each workgroup: for rows that are too wide for the
// memory of a workgroup. A lane has its own columns. Twin: run_sums_workgroup.wgsl.

@group(0) @binding(3) var<storage, read_write> run_sums: array<vec4f>;

// Groups of four elements of all centers that a run may have.
override RUN_SUMS: u32 = 832u;

fn run_sum_at(group: u32, place: u32, column: u32) -> vec4f {
    return run_sums[group * RUN_SUMS + place * WIDTH + column];
}

fn set_run_sum(group: u32, place: u32, column: u32, value: vec4f) {
    run_sums[group * RUN_SUMS + place * WIDTH + column] = value;
}
