// Finds scores that are no finite numbers, by their bits. A compiler may take all floats for finite
// (on Metal it does) and leave out what compares them; integers it takes as they are.

const EXPONENT_BITS = 0x7f800000u;
// The bits of a loss that is no number.
const NO_NUMBER = 0x7fc00000u;

// The largest magnitudes among the scores that were noted, as bits.
var<private> magnitudes: vec4u;

fn note_scores(scores: vec4f) {
    magnitudes = max(magnitudes, bitcast<vec4u>(scores) & vec4u(0x7fffffffu));
}

// Whether all scores that this invocation has noted are finite.
fn noted_are_finite() -> bool {
    return all(magnitudes < vec4u(EXPONENT_BITS));
}

// The bits of a loss, which are those of no number where a score was not finite.
fn loss_bits(loss: f32, finite: bool) -> u32 {
    return select(NO_NUMBER, bitcast<u32>(loss), finite);
}
