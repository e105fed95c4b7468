//! A batch by its centers, for objectives without negatives.

use super::{Batch, Row, Span};

impl Batch {
    /// The contexts of each center slot, for the full softmax, where the context is the only
    /// target.
    pub fn by_center(&self) -> ByCenter {
        let mut offsets = vec![0u32; self.center_rows.len() + 1];
        let spans = || (0..self.spans()).map(|span| self.span(span));
        for Span { windows, centers } in spans() {
            for window in windows {
                let targets = self.targets_of(window).len() as u32;
                let slots = self
                    .centers_of(window)
                    .iter()
                    .map(|&place| centers[place as usize]);
                slots.for_each(|slot| offsets[slot.index() + 1] += targets);
            }
        }
        (1..offsets.len()).for_each(|slot| offsets[slot] += offsets[slot - 1]);
        let mut contexts = vec![Row(0); offsets[offsets.len() - 1] as usize];
        let mut next = offsets.clone();
        for Span { windows, centers } in spans() {
            for window in windows {
                for &place in self.centers_of(window) {
                    let next = &mut next[centers[place as usize].index()];
                    for target in self.targets_of(window) {
                        contexts[*next as usize] = self.target_rows[target.slot().index()];
                        *next += 1;
                    }
                }
            }
        }
        ByCenter { offsets, contexts }
    }
}

/// The pairs of a batch, sorted by center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByCenter {
    /// Center slot `s` has `contexts[offsets[s]..offsets[s + 1]]`.
    pub offsets: Vec<u32>,
    /// The contexts, as rows of W'.
    pub contexts: Vec<Row>,
}

impl ByCenter {
    /// The contexts of a center slot.
    pub fn of(&self, slot: usize) -> &[Row] {
        &self.contexts[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }
}
