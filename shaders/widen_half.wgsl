// 16-bit floats as 32-bit ones, by integers: unpack2x16float may take subnormal numbers for zero.

fn floats_of(halves: vec4u) -> vec4f {
    let magnitude = halves & vec4u(0x7fffu);
    let sign = (halves & vec4u(0x8000u)) << vec4u(16u);
    // The exponent of a 16-bit float counts from another start. That of infinity and NaN is the
    // highest in either format.
    let start = select(vec4u(112u << 23u), vec4u(224u << 23u), magnitude >= vec4u(0x7c00u));
    let normal = (magnitude << vec4u(13u)) + start;
    let subnormal = bitcast<vec4u>(vec4f(magnitude) * 0x1p-24f);
    return bitcast<vec4f>(sign | select(normal, subnormal, magnitude < vec4u(0x400u)));
}

// Four elements, as pack_four puts them.
fn unpack_four(four: vec2u) -> vec4f {
    return floats_of(vec4u(four.x & 0xffffu, four.x >> 16u, four.y & 0xffffu, four.y >> 16u));
}

// One of the two elements in a word.
fn unpack_one(two: u32, place: u32) -> f32 {
    return floats_of(vec4u((two >> (16u * place)) & 0xffffu)).x;
}
