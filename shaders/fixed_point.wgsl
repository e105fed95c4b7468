// The number format of sums: a scale for each row, and the draws by which contributions are
// rounded. Twin: engine/fixed_point.rs, which says why and how.

// The least and the greatest exponent that counts, as a float's bits have it.
const LOWEST_EXPONENT = 64u;
const HIGHEST_EXPONENT = 240u;
// The exponent of the scale that leaves no room for several products, and that of the largest
// element, together.
const BASE = 283u;
// The bit of a draw's index that keeps draws for centers apart from draws for targets.
const OF_CENTERS = 0x80000000u;

// The power of two by which contributions to a row are multiplied: `largest` is the largest element
// of the other table, as a float's bits, `bits` those of the row's number of products, and `least`
// the room that every row has.
fn scale_of(largest: u32, bits: u32, least: u32) -> f32 {
    let exponent = clamp(largest >> 23u, LOWEST_EXPONENT, HIGHEST_EXPONENT);
    return bitcast<f32>((BASE - exponent - max(bits, least)) << 23u);
}

// 1 / scale, a power of two as well. A division need not give it exactly.
fn inverse_of(scale: f32) -> f32 {
    return bitcast<f32>((254u << 23u) - bitcast<u32>(scale));
}

// A byte of an array of bytes in the batch.
fn byte_at(array: u32, at: u32) -> u32 {
    return (batch.data[array + at / 4u] >> (8u * (at % 4u))) & 0xffu;
}

// The draw of a window or span: an odd multiple of 2^-24 between -1/2 and 1/2.
fn draw(index: u32) -> f32 {
    var x = index * 0x9e3779b9u + batch.header.draw_key;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    x ^= (x >> 16u);
    return f32(i32((x >> 8u) | 1u) - 0x800000) * 0x1p-24f;
}
