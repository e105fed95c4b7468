// Four elements as 16-bit floats, rounded stochastically. Twin: engine/half.rs, which says why and
// how.

// Magnitudes as bits: the largest 16-bit float, the smallest that is not subnormal, and infinity.
const LARGEST = 0x477fe000u;
const NORMAL = 0x38800000u;
const INFINITE = 0x7f800000u;

// Draws for the four elements of a row's column: PCG4D.
fn draws(row: u32, column: u32) -> vec4u {
    var v = vec4u(batch.header.rounding_low, batch.header.rounding_high, row, 2u * column + select(0u, 1u, IS_OUTPUT));
    v = mix_draws(v * 1664525u + 1013904223u);
    return mix_draws(v ^ (v >> vec4u(16u)));
}

fn mix_draws(words: vec4u) -> vec4u {
    var v = words;
    v.x += v.y * v.w;
    v.y += v.z * v.x;
    v.z += v.x * v.y;
    v.w += v.y * v.z;
    return v;
}

// Rounds by integers, since pack2x16float may round a value that 16 bits cannot hold either way. A
// draw below the share of 2^32 leads away from zero.
fn half_of(value: f32, draw: u32) -> u32 {
    let sign = bitcast<u32>(value) >> 16u & 0x8000u;
    let bits = bitcast<u32>(value) & 0x7fffffffu;
    if bits >= INFINITE {
        return sign | select(0x7c00u, 0x7e00u, bits > INFINITE);
    }
    let magnitude = min(bits, LARGEST);
    // The share is what lies beyond ten bits of the fraction. The exponent of a 16-bit float counts
    // from another start.
    var half = (magnitude >> 13u) - (112u << 10u);
    var share = magnitude << 19u;
    if magnitude < NORMAL {
        let units = bitcast<f32>(magnitude) * 0x1p24f;
        half = u32(units);
        share = u32((units - f32(half)) * 0x1p32f);
    }
    half += select(0u, 1u, draw < share);
    return select(sign | half, 0u, half == 0u);
}

fn pack_four(value: vec4f, row: u32, column: u32) -> vec2u {
    let draw = draws(row, column);
    return vec2u(
        half_of(value.x, draw.x) | half_of(value.y, draw.y) << 16u,
        half_of(value.z, draw.z) | half_of(value.w, draw.w) << 16u,
    );
}
