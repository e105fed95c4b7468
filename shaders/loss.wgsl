// Ends a step, or one of its halves, in one workgroup. It adds up the losses of a batch's parts in
// a fixed order, and hands the largest elements on to the next step. Losses are bits: see
// finite.wgsl.

@group(0) @binding(0) var<storage, read> batch: Batch;
@group(0) @binding(1) var<storage, read> losses: array<u32>;
@group(0) @binding(2) var<storage, read_write> batch_losses: array<u32>;
// The largest elements of W and of W', as bits: two for this step, then two for the next.
@group(0) @binding(3) var<storage, read_write> largest: array<u32>;

@compute @workgroup_size(LANES)
fn main(lane: Lane) {
    var sum = vec4f(0.0);
    for (var part = lane.index; part < batch.header.losses; part += LANES) {
        let bits = losses[part];
        if (bits & EXPONENT_BITS) == EXPONENT_BITS {
            sum.y += 1.0;
        } else {
            sum.x += bitcast<f32>(bits);
        }
    }
    let total = reduce(sum, lane);
    if lane.index == 0u {
        batch_losses[batch.header.loss_index] = loss_bits(total.x, total.y == 0.0);
        largest[0] = largest[2];
        largest[1] = largest[3];
    }
}
