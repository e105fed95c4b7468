//! The rows that a batch touches, and their slots.

use super::{Row, Slot};

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
