// The largest elements that W and W' have had, as a float's bits. The scales of a step follow from
// the first two. The rows that it moves raise the others, which are for the next step.
struct Largest {
    now: array<u32, 2>,
    next: array<atomic<u32>, 2>,
}

@group(0) @binding(1) var<storage, read_write> largest: Largest;

// Raises the largest element by those of a row that was moved. Few are larger than all before, so
// that hardly any lane waits for another.
fn note_elements(value: vec4f) {
    let magnitude = abs(value);
    let bits = bitcast<u32>(max(max(magnitude.x, magnitude.y), max(magnitude.z, magnitude.w)));
    let table = select(0u, 1u, IS_OUTPUT);
    if bits > largest.now[table] {
        atomicMax(&largest.next[table], bits);
    }
}
