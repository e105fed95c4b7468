//! Makes batches: rows become slots.

use std::ops::Range;
use std::sync::Arc;

use super::parts::PartsBuilder;
use super::{Batch, Inputs, Row, RowTarget, SPAN_CENTERS, Slot, Target};
use crate::subwords::SubwordTable;

/// Makes a batch from windows of rows: numbers the touched rows and counts the products of each.
#[derive(Debug)]
pub struct BatchBuilder {
    inputs: Inputs,
    centers: RowSet,
    targets: RowSet,
    /// Adds the parts of words, in a model with subwords.
    parts: Option<PartsBuilder>,
    /// The rows of W that are centers, span after span.
    span_centers: Vec<Row>,
    /// The targets of all windows, whose rows have no slots yet.
    row_targets: Vec<RowTarget>,
    /// For each center of the current span, how many more products it has than the center before
    /// it. The centers of a window are two ranges, so a window changes four of these numbers,
    /// however many centers it has.
    more_products: [u32; SPAN_CENTERS + 1],
    /// The largest number of products that a center has in one span of the batch.
    most_of_center: u32,
    /// The largest number of products that a target has in one window of the batch.
    most_of_target: u32,
}

impl BatchBuilder {
    /// A builder for matrices of `input_rows` (W) and `output_rows` (W') rows, whose centers meet
    /// targets as `inputs` says.
    pub fn new(input_rows: usize, output_rows: usize, inputs: Inputs) -> Self {
        Self {
            inputs,
            centers: RowSet::new(input_rows),
            targets: RowSet::new(output_rows),
            parts: None,
            span_centers: Vec::new(),
            row_targets: Vec::new(),
            more_products: [0; SPAN_CENTERS + 1],
            most_of_center: 0,
            most_of_target: 0,
        }
    }

    /// The builder for a model whose words have parts, those of a table. The rows of W that centers
    /// are then are words.
    #[must_use]
    pub fn with_subwords(self, table: Arc<SubwordTable>) -> Self {
        Self {
            parts: Some(PartsBuilder::new(table)),
            ..self
        }
    }

    /// Begins a span of at most [`SPAN_CENTERS`] centers. A window must follow.
    #[inline]
    pub fn span(&mut self, batch: &mut Batch, centers: impl Iterator<Item = Row>) {
        self.end_span(batch);
        self.span_centers.extend(centers);
    }

    /// Adds a window to the span. `centers` are indices into the span's centers.
    #[inline]
    pub fn window(
        &mut self,
        batch: &mut Batch,
        centers: impl IntoIterator<Item = Range<u8>>,
        targets: &[RowTarget],
    ) {
        let first = batch.centers.len();
        for places in centers {
            let (start, end) = (usize::from(places.start), usize::from(places.end));
            self.more_products[start] =
                self.more_products[start].wrapping_add(targets.len() as u32);
            self.more_products[end] = self.more_products[end].wrapping_sub(targets.len() as u32);
            batch.centers.extend(places);
        }
        let products = self.inputs.count(batch.centers.len() - first) as u32;
        self.most_of_target = self.most_of_target.max(products);
        for target in targets {
            self.targets.touch(target.row(), products);
        }
        self.row_targets.extend_from_slice(targets);
        batch.center_offsets.push(batch.centers.len() as u32);
        batch.target_offsets.push(self.row_targets.len() as u32);
    }

    #[inline]
    fn end_span(&mut self, batch: &mut Batch) {
        let windows = batch.windows() as u32;
        if batch.span_windows[batch.spans()] < windows {
            let first = batch.span_center_offsets[batch.spans()] as usize;
            let mut products = 0u32;
            for (&row, more) in self.span_centers[first..].iter().zip(&self.more_products) {
                products = products.wrapping_add(*more);
                self.most_of_center = self.most_of_center.max(products);
                self.centers.touch(row, products);
            }
            self.more_products = [0; SPAN_CENTERS + 1];
            batch.span_windows.push(windows);
            batch
                .span_center_offsets
                .push(self.span_centers.len() as u32);
        }
    }

    /// Ends the batch and turns rows into slots.
    pub fn finish(&mut self, batch: &mut Batch) {
        self.end_span(batch);
        batch.inputs = self.inputs;
        self.centers.number(|row, products| {
            batch.center_rows.push(row);
            batch.center_bits.push(bit_length(products));
        });
        self.targets.number(|row, products| {
            batch.target_rows.push(row);
            batch.target_bits.push(bit_length(products));
        });
        if let Some(parts) = &mut self.parts {
            parts.fill(&batch.center_rows, &mut batch.parts);
        }
        batch.center_contribution_bits = bit_length(std::mem::take(&mut self.most_of_center));
        batch.target_contribution_bits = bit_length(std::mem::take(&mut self.most_of_target));
        let centers = self.span_centers.drain(..);
        let slot = |row| self.centers.slot(row);
        batch.span_centers.extend(centers.map(slot));
        let slot = |row| self.targets.slot(row);
        let targets = self.row_targets.drain(..);
        batch
            .targets
            .extend(targets.map(|target| Target::new(slot(target.row()), target.label())));
    }
}

/// The rows of one matrix that a batch touches.
#[derive(Debug)]
pub(super) struct RowSet {
    /// One bit for each row.
    touched: Vec<u64>,
    /// Until the rows are numbered, what was counted of each touched row; then its slot.
    slots: Vec<u32>,
}

impl RowSet {
    pub(super) fn new(rows: usize) -> Self {
        Self {
            touched: vec![0; rows.div_ceil(64)],
            slots: vec![0; rows],
        }
    }

    /// Counts more of a row, such as its products.
    #[inline]
    pub(super) fn touch(&mut self, Row(row): Row, more: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        let count = &mut self.slots[row as usize];
        // If the row was not touched yet, this still holds a slot of an earlier batch.
        *count = if self.touched[word] & bit == 0 {
            more
        } else {
            count.saturating_add(more)
        };
        self.touched[word] |= bit;
    }

    /// Gives each touched row its slot. Calls `take` with the rows in ascending order, and what was
    /// counted of each.
    pub(super) fn number(&mut self, mut take: impl FnMut(Row, u32)) {
        let mut slot = 0;
        for (word, bits) in self.touched.iter_mut().enumerate() {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let row = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                let entry = &mut self.slots[row as usize];
                take(Row(row), *entry);
                *entry = slot;
                slot += 1;
            }
        }
    }

    /// The slot of a touched row, once they are numbered.
    #[inline]
    pub(super) fn slot(&self, row: Row) -> Slot {
        Slot(self.slots[row.index()])
    }
}

/// The number of bits of a number without leading zeros; the number is below 2 to that power.
pub(super) fn bit_length(number: u32) -> u8 {
    (u32::BITS - number.leading_zeros()) as u8
}
