//! A batch as the kernels read it: a header, then all arrays one after the other.

use std::ops::Range;

use bytemuck::{NoUninit, Pod, Zeroable};

use crate::batch::{Batch, ByCenter, Row};
use crate::engine::fixed_point::{self, least_room};

/// Uploads in one submission, at most.
pub(super) const UPLOADS: usize = 8;

/// `Header` of `shaders/batch.wgsl`; offsets are in words from the end of the header.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Header {
    losses: u32,
    spans: u32,
    span_windows: u32,
    span_center_offsets: u32,
    span_centers: u32,
    center_offsets: u32,
    centers: u32,
    target_offsets: u32,
    targets: u32,
    center_rows: u32,
    center_slots: u32,
    target_rows: u32,
    target_slots: u32,
    part_offsets: u32,
    parts: u32,
    part_rows: u32,
    part_slots: u32,
    use_offsets: u32,
    uses: u32,
    loss_index: u32,
    center_bits: u32,
    least_center_room: u32,
    target_bits: u32,
    least_target_room: u32,
    draw_key: u32,
    lr: f32,
    clip: f32,
    rounding_low: u32,
    rounding_high: u32,
}

/// Words in the header.
pub(super) const HEADER_WORDS: usize = size_of::<Header>() / 4;

/// The numbers of a step that are not in the batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct StepNumbers {
    /// The place of the upload's loss among the losses on the device.
    pub(super) loss_index: u32,
    /// The learning rate; 0 in a half that moves no rows.
    pub(super) lr: f32,
    /// The longest way of a row.
    pub(super) clip: f32,
    /// The part of the key that identifies the step in the draws by which 16-bit floats are
    /// rounded.
    pub(super) rounding: [u32; 2],
}

/// Touched rows of a table whose sums are on the device between the halves of a step.
#[derive(Clone, Debug)]
pub(super) struct HeldRows {
    /// The rows, by slot.
    pub(super) rows: Vec<Row>,
    /// For each slot the bits of the row's number of products.
    pub(super) bits: Vec<u8>,
    /// Bits of room that every row has at least.
    pub(super) least_room: u32,
}

/// An upload in the making: room for the header, then arrays. The numbers of the step join them when
/// it is written ([`header`]).
struct Upload<'a>(&'a mut Vec<u32>);

impl<'a> Upload<'a> {
    fn begin(words: &'a mut Vec<u32>) -> Self {
        words.clear();
        words.resize(HEADER_WORDS, 0);
        Self(words)
    }

    /// Appends an array, and returns where it starts.
    fn append<T: NoUninit>(&mut self, array: &[T]) -> u32 {
        let start = self.0.len() - HEADER_WORDS;
        self.0.extend_from_slice(bytemuck::cast_slice(array));
        start as u32
    }

    /// Appends an array of bytes, four in a word.
    fn append_bytes(&mut self, bytes: &[u8]) -> u32 {
        let (whole, rest) = bytes.as_chunks::<4>();
        let start = self.append::<u32>(&[]);
        self.0
            .extend(whole.iter().map(|&four| u32::from_le_bytes(four)));
        if !rest.is_empty() {
            let mut four = [0; 4];
            four[..rest.len()].copy_from_slice(rest);
            self.0.push(u32::from_le_bytes(four));
        }
        start
    }

    fn finish(self, header: Header) {
        self.0[..HEADER_WORDS].copy_from_slice(bytemuck::cast_slice(std::slice::from_ref(&header)));
    }
}

/// The header of what is packed in `words`, with the numbers of a step.
pub(super) fn header(words: &[u32], step: StepNumbers) -> [u32; HEADER_WORDS] {
    let mut header = [0; HEADER_WORDS];
    header.copy_from_slice(&words[..HEADER_WORDS]);
    let numbers: &mut Header = bytemuck::cast_mut(&mut header);
    numbers.loss_index = step.loss_index;
    (numbers.lr, numbers.clip) = (step.lr, step.clip);
    [numbers.rounding_low, numbers.rounding_high] = step.rounding;
    header
}

/// Spans, slots of W, slots of W' and rows that are parts, of what is packed in `words`.
pub(super) fn counts(words: &[u32]) -> [u64; 4] {
    let header: &Header = bytemuck::from_bytes(bytemuck::cast_slice(&words[..HEADER_WORDS]));
    let Header {
        spans,
        center_slots,
        target_slots,
        part_slots,
        ..
    } = *header;
    [spans, center_slots, target_slots, part_slots].map(u64::from)
}

/// Writes a batch into `words`.
pub(super) fn pack(batch: &Batch, words: &mut Vec<u32>) {
    let mut upload = Upload::begin(words);
    let header = Header {
        losses: batch.spans() as u32,
        spans: batch.spans() as u32,
        span_windows: upload.append(&batch.span_windows),
        span_center_offsets: upload.append(&batch.span_center_offsets),
        span_centers: upload.append(&batch.span_centers),
        center_offsets: upload.append(&batch.center_offsets),
        centers: upload.append_bytes(&batch.centers),
        target_offsets: upload.append(&batch.target_offsets),
        targets: upload.append(&batch.targets),
        center_rows: upload.append(&batch.center_rows),
        center_slots: batch.center_rows.len() as u32,
        target_rows: upload.append(&batch.target_rows),
        target_slots: batch.target_rows.len() as u32,
        part_offsets: upload.append(&batch.parts.offsets),
        parts: upload.append(&batch.parts.parts),
        part_rows: upload.append(&batch.parts.rows),
        part_slots: batch.parts.rows.len() as u32,
        use_offsets: upload.append(&batch.parts.use_offsets),
        uses: upload.append(&batch.parts.uses),
        center_bits: upload.append_bytes(&batch.center_bits),
        least_center_room: least_room(batch.center_contribution_bits),
        target_bits: upload.append_bytes(&batch.target_bits),
        least_target_room: least_room(batch.target_contribution_bits),
        draw_key: fixed_point::key(batch.words_before),
        ..Header::zeroed()
    };
    upload.finish(header);
}

/// Writes rows of W and of W' that are to be moved into `words`: no spans, and no losses.
pub(super) fn pack_rows(centers: &HeldRows, targets: &HeldRows, words: &mut Vec<u32>) {
    let mut upload = Upload::begin(words);
    let header = Header {
        center_rows: upload.append(&centers.rows),
        center_slots: centers.rows.len() as u32,
        target_rows: upload.append(&targets.rows),
        target_slots: targets.rows.len() as u32,
        center_bits: upload.append_bytes(&centers.bits),
        least_center_room: centers.least_room,
        target_bits: upload.append_bytes(&targets.bits),
        least_target_room: targets.least_room,
        ..Header::zeroed()
    };
    upload.finish(header);
}

/// Writes some of a batch's centers into `words`, as windows of one center each: its targets are
/// rows of W', namely its contexts.
pub(super) fn pack_centers(
    batch: &Batch,
    by_center: &ByCenter,
    slots: Range<usize>,
    words: &mut Vec<u32>,
) {
    let mut upload = Upload::begin(words);
    let offsets = &by_center.offsets[slots.start..=slots.end];
    let from_zero: Vec<u32> = offsets.iter().map(|offset| offset - offsets[0]).collect();
    let contexts = &by_center.contexts[offsets[0] as usize..offsets[slots.len()] as usize];
    let header = Header {
        losses: slots.len() as u32,
        target_offsets: upload.append(&from_zero),
        targets: upload.append(contexts),
        center_rows: upload.append(&batch.center_rows[slots.clone()]),
        center_slots: slots.len() as u32,
        ..Header::zeroed()
    };
    upload.finish(header);
}

/// Name and byte offset of every member, for comparison with the shader.
#[cfg(test)]
pub(super) const HEADER_OFFSETS: [(&str, usize); 29] = {
    use std::mem::offset_of;
    [
        ("losses", offset_of!(Header, losses)),
        ("spans", offset_of!(Header, spans)),
        ("span_windows", offset_of!(Header, span_windows)),
        (
            "span_center_offsets",
            offset_of!(Header, span_center_offsets),
        ),
        ("span_centers", offset_of!(Header, span_centers)),
        ("center_offsets", offset_of!(Header, center_offsets)),
        ("centers", offset_of!(Header, centers)),
        ("target_offsets", offset_of!(Header, target_offsets)),
        ("targets", offset_of!(Header, targets)),
        ("center_rows", offset_of!(Header, center_rows)),
        ("center_slots", offset_of!(Header, center_slots)),
        ("target_rows", offset_of!(Header, target_rows)),
        ("target_slots", offset_of!(Header, target_slots)),
        ("part_offsets", offset_of!(Header, part_offsets)),
        ("parts", offset_of!(Header, parts)),
        ("part_rows", offset_of!(Header, part_rows)),
        ("part_slots", offset_of!(Header, part_slots)),
        ("use_offsets", offset_of!(Header, use_offsets)),
        ("uses", offset_of!(Header, uses)),
        ("loss_index", offset_of!(Header, loss_index)),
        ("center_bits", offset_of!(Header, center_bits)),
        ("least_center_room", offset_of!(Header, least_center_room)),
        ("target_bits", offset_of!(Header, target_bits)),
        ("least_target_room", offset_of!(Header, least_target_room)),
        ("draw_key", offset_of!(Header, draw_key)),
        ("lr", offset_of!(Header, lr)),
        ("clip", offset_of!(Header, clip)),
        ("rounding_low", offset_of!(Header, rounding_low)),
        ("rounding_high", offset_of!(Header, rounding_high)),
    ]
};
