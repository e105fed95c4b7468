// Contributions of a span to its centers, in a buffer that has room for each workgroup: for rows
// that are too wide for the memory of a workgroup. A lane has its own columns. Twin:
// span_sums_workgroup.wgsl.

@group(0) @binding(3) var<storage, read_write> span_sums: array<vec4f>;

// Groups of four elements of all centers that a span may have.
override SPAN_SUMS: u32 = 832u;

fn span_sum_at(group: u32, place: u32, column: u32) -> vec4f {
    return span_sums[group * SPAN_SUMS + place * WIDTH + column];
}

fn set_span_sum(group: u32, place: u32, column: u32, value: vec4f) {
    span_sums[group * SPAN_SUMS + place * WIDTH + column] = value;
}
