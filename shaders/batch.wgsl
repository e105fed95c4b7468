// A minibatch as it is uploaded, and the numbers that shape the kernels. First fragment of every kernel.

// Where each array of the batch starts in `data`, and the numbers of the step.
struct Header {
    // Losses to be added up: one for each span, or for each center of a softmax.
    losses: u32,
    spans: u32,
    span_windows: u32,
    span_center_offsets: u32,
    // Slots of W.
    span_centers: u32,
    center_offsets: u32,
    // Places among the centers of the span, four in a word.
    centers: u32,
    target_offsets: u32,
    targets: u32,
    // Rows of W that the batch touches, by slot.
    center_rows: u32,
    center_slots: u32,
    // Rows of W' that the batch touches, by slot.
    target_rows: u32,
    target_slots: u32,
    // Where this batch's loss goes.
    loss_index: u32,
    // For each slot, the bits of its number of products; the room that the sums of every row have; see fixed_point.wgsl.
    center_bits: u32,
    least_center_room: u32,
    target_bits: u32,
    least_target_room: u32,
    // The step's part of the draws by which contributions are rounded.
    draw_key: u32,
    lr: f32,
    // Longest step of a row.
    clip: f32,
    // What draws are made from, where values are rounded.
    rounding_low: u32,
    rounding_high: u32,
}

struct Batch {
    header: Header,
    data: array<u32>,
}

// Invocations of a workgroup.
override LANES: u32 = 32u;
// Groups of four elements in a row, and in the piece of it that a shard holds.
override WIDTH: u32 = 32u;
override SHARD_WIDTH: u32 = 32u;
