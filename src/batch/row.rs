//! Rows of the matrices, and the slots that stand for them within a batch.

use bytemuck::{Pod, Zeroable};

/// A row of W or of W', by its number from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Row(pub u32);

/// The rank of a row among the rows of its matrix that a batch touches, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Pod, Zeroable)]
#[repr(transparent)]
pub struct Slot(pub u32);

impl Row {
    /// The row as an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Slot {
    /// The slot as an index.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A slot of W' with its label, the value that its product with each center should have.
///
/// The label is 1 for the context and 0 for a negative. In hierarchical softmax it is the branch
/// that the context's path takes at an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct Target(u32);

impl Target {
    /// A target with this slot, which must be below 2^31.
    #[inline]
    pub fn new(slot: Slot, label: bool) -> Self {
        Self(slot.0 << 1 | u32::from(label))
    }

    /// The slot of W'.
    #[inline]
    pub fn slot(self) -> Slot {
        Slot(self.0 >> 1)
    }

    /// Whether the label is 1.
    #[inline]
    pub fn label(self) -> bool {
        self.0 & 1 == 1
    }
}

/// A target before its row has a slot: a row of W' with its label, as in [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTarget(u32);

impl RowTarget {
    /// A target with this row, which must be below 2^31.
    #[inline]
    pub fn new(row: Row, label: bool) -> Self {
        Self(row.0 << 1 | u32::from(label))
    }

    /// The row of W'.
    #[inline]
    pub fn row(self) -> Row {
        Row(self.0 >> 1)
    }

    /// Whether the label is 1.
    #[inline]
    pub fn label(self) -> bool {
        self.0 & 1 == 1
    }
}
