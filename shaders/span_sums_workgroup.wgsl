// Contributions of a span to its centers, in the memory of the workgroup that takes the span. A
// lane has its own columns, so that no lane waits for another. Twin: span_sums_storage.wgsl.

// Groups of four elements of all centers that a span may have.
override SPAN_SUMS: u32 = 832u;

var<workgroup> span_sums: array<vec4f, SPAN_SUMS>;

fn span_sum_at(group: u32, place: u32, column: u32) -> vec4f {
    return span_sums[place * WIDTH + column];
}

fn set_span_sum(group: u32, place: u32, column: u32, value: vec4f) {
    span_sums[place * WIDTH + column] = value;
}
