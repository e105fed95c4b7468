// A minibatch as it is uploaded, and the numbers that shape the kernels. First fragment of every
// kernel.

// Where each array of the batch starts in `data`, and the numbers of the step.
struct Header {
    // Losses to be added up: one for each span, or for each center of a softmax.
    losses: u32,
    spans: u32,
    span_windows: u32,
    span_center_offsets: u32,
    // The centers of each span, as slots of W.
    span_centers: u32,
    center_offsets: u32,
    // The centers of each window, as indices into those of its span, four in a word.
    centers: u32,
    target_offsets: u32,
    targets: u32,
    // Rows of W that the batch touches, by slot.
    center_rows: u32,
    center_slots: u32,
    // Rows of W' that the batch touches, by slot.
    target_rows: u32,
    target_slots: u32,
    // In a model with subwords the parts of each center slot, as rows of W; the rows of W that are
    // parts; and the slots that each of them is a part of.
    part_offsets: u32,
    parts: u32,
    part_rows: u32,
    part_slots: u32,
    use_offsets: u32,
    uses: u32,
    // The place of this upload's loss among those of all uploads.
    loss_index: u32,
    // For each slot the bits of its number of products, and the bits of room that every row has:
    // see fixed_point.wgsl.
    center_bits: u32,
    least_center_room: u32,
    target_bits: u32,
    least_target_room: u32,
    // The part of the key that identifies the step, in the draws by which contributions are
    // rounded.
    draw_key: u32,
    lr: f32,
    // The longest way of a row.
    clip: f32,
    // The part of the key that identifies the step, in the draws by which 16-bit floats are
    // rounded.
    rounding_low: u32,
    rounding_high: u32,
}

struct Batch {
    header: Header,
    data: array<u32>,
}

// Invocations of a workgroup.
override LANES: u32 = 32u;
// Groups of four elements in a row.
override WIDTH: u32 = 32u;
// Groups of four elements in the piece of a row that a shard holds.
override SHARD_WIDTH: u32 = 32u;
