//! A minibatch: windows as flat arrays of indices, and the builder and threads that make it.
//!
//! | file | does |
//! |---|---|
//! | `mod` | the batch's arrays, and the builder that numbers the rows it touches |
//! | `batcher` | the threads that turn the token store into batches |
//! | `tree` | the Huffman tree of hierarchical softmax |
//!
//! `docs/glossary.md` explains the words used here, with a drawing.

mod batcher;
mod settings;
mod tree;

use std::ops::Range;

pub use batcher::{
    Batcher, Batches, GROUP_BLOCKS, Negatives, POOL_SPANS, POOL_USES, SPAN, Targets, Windows,
};
pub use settings::{Loss, MAX_WINDOW, NegativesPer, ObjectiveSettings};
pub use tree::HuffmanTree;

/// Number of targets that a kernel handles at once.
pub const TARGET_BLOCK: usize = 8;

/// Largest number of centers in a span: its 16 positions, and those that windows of 5 reach beyond
/// them on both sides.
///
/// Kernels keep one row of sums for each center close at hand. So the number is also limited by
/// memory: 16 KB for 150 dimensions.
pub const SPAN_CENTERS: usize = 26;

/// The smallest `--batch`, in windows. A batch is made of whole spans of [`SPAN`]
/// positions.
pub const MIN_BATCH: usize = crate::batch::SPAN;

/// The largest `--batch`, in windows.
pub const MAX_BATCH: usize = 1 << 20;

/// The windows of one minibatch.
///
/// A **window** is a context word with the **centers** around it and its **targets**: the context
/// and the negatives, or the nodes of a path. It stands for all products of a center with a target.
///
/// Windows of neighbouring positions have many centers in common and form a **span**. A kernel adds
/// up what the windows of a span contribute to a center, and adds that to the center's sum once.
///
/// **Slots** name rows: slot `i` is the `i`-th smallest of the rows of a matrix that the batch
/// touches. Sums therefore need only as many rows as the batch touches.
///
/// With S spans, N windows, P pairs, T targets, and C and R touched rows of W and W', the arrays
/// have the lengths given below. [`BatchBuilder`] fills them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Length S + 1. Span `r` has the windows `span_windows[r]..span_windows[r + 1]`.
    pub span_windows: Vec<u32>,
    /// Length S + 1. Span `r` has up to [`SPAN_CENTERS`] centers, which are
    /// `span_centers[span_center_offsets[r]..span_center_offsets[r + 1]]`.
    pub span_center_offsets: Vec<u32>,
    /// Slots of W, below C: the centers of each span, span after span.
    pub span_centers: Vec<u32>,
    /// Length N + 1. Window `w` has `centers[center_offsets[w]..center_offsets[w + 1]]`.
    pub center_offsets: Vec<u32>,
    /// Length P. The centers of each window, window after window, as indices into the centers of
    /// its span.
    pub centers: Vec<u8>,
    /// Length N + 1. Window `w` has `targets[target_offsets[w]..target_offsets[w + 1]]`.
    pub target_offsets: Vec<u32>,
    /// Length T. The targets of each window, window after window.
    pub targets: Vec<Target>,
    /// Length C. The row of W that each center slot stands for, ascending.
    pub center_rows: Vec<u32>,
    /// Length R. The row of W' that each target slot stands for, ascending.
    pub target_rows: Vec<u32>,
    /// Length C. The bit length of each center slot's number of products with targets, which bounds
    /// how many terms its row receives.
    pub center_bits: Vec<u8>,
    /// Length R. The bit length of each target slot's number of products with centers.
    pub target_bits: Vec<u8>,
    /// The bit length of the largest number of products that one center has in one span. So many
    /// terms are added in floats before they go to the center's sum.
    pub center_contribution_bits: u8,
    /// The bit length of the largest number of centers in a window. So many terms are added in
    /// floats before they go to a target's sum.
    pub target_contribution_bits: u8,
    /// The epoch, from 0.
    pub epoch: u32,
    /// Words of the corpus before this batch, over all epochs.
    pub words_before: u64,
    /// Words of the corpus that this batch stands for, including those that subsampling dropped.
    pub words: u64,
}

/// Windows of neighbouring positions, which share their centers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// The numbers of the windows in the batch.
    pub windows: Range<usize>,
    /// The centers, as slots of W. [`Batch::centers`] has indices into this slice.
    pub centers: &'a [u32],
}

/// A slot of W' with its label, the value that its product with each center should have.
///
/// The label is 1 for the context and 0 for a negative. In hierarchical softmax it is the branch
/// that the context's path takes at an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Target(u32);

impl Target {
    /// A target with this slot, which must be below 2^31.
    #[inline]
    pub fn new(slot: u32, label: bool) -> Self {
        Self(slot << 1 | u32::from(label))
    }

    /// The slot of W'.
    #[inline]
    pub fn slot(self) -> usize {
        (self.0 >> 1) as usize
    }

    /// Whether the label is 1.
    #[inline]
    pub fn label(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Batch {
    /// Number of spans.
    pub fn spans(&self) -> usize {
        self.span_windows.len().saturating_sub(1)
    }

    /// The span with this number.
    #[inline]
    pub fn span(&self, span: usize) -> Span<'_> {
        Span {
            windows: range(&self.span_windows, span),
            centers: &self.span_centers[range(&self.span_center_offsets, span)],
        }
    }

    /// Number of windows.
    pub fn windows(&self) -> usize {
        self.center_offsets.len().saturating_sub(1)
    }

    /// Number of (center, context) pairs.
    pub fn pairs(&self) -> u64 {
        self.centers.len() as u64
    }

    /// Number of (center, target) products.
    pub fn products(&self) -> u64 {
        let product =
            |window| (self.centers_of(window).len() * self.targets_of(window).len()) as u64;
        (0..self.windows()).map(product).sum()
    }

    /// Size of all arrays in bytes.
    pub fn bytes(&self) -> usize {
        let of_spans =
            self.span_windows.len() + self.span_center_offsets.len() + self.span_centers.len();
        let offsets = self.center_offsets.len() + self.target_offsets.len();
        let of_rows = |rows: usize| rows + rows.div_ceil(4);
        let rows = of_rows(self.center_rows.len()) + of_rows(self.target_rows.len());
        4 * (of_spans + offsets + self.centers.len().div_ceil(4) + self.targets.len() + rows)
    }

    /// The centers of a window, as indices into the centers of its span.
    #[inline]
    pub fn centers_of(&self, window: usize) -> &[u8] {
        &self.centers[range(&self.center_offsets, window)]
    }

    /// The targets of a window.
    #[inline]
    pub fn targets_of(&self, window: usize) -> &[Target] {
        &self.targets[range(&self.target_offsets, window)]
    }

    /// Every window, with the rows of W that its centers are.
    pub fn windows_with_centers(&self) -> impl Iterator<Item = (usize, Vec<u32>)> {
        (0..self.spans())
            .map(|span| self.span(span))
            .flat_map(move |Span { windows, centers }| {
                let row = |&place: &u8| self.center_rows[centers[place as usize] as usize];
                windows
                    .map(move |window| (window, self.centers_of(window).iter().map(row).collect()))
            })
    }

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
                slots.for_each(|slot| offsets[slot as usize + 1] += targets);
            }
        }
        (1..offsets.len()).for_each(|slot| offsets[slot] += offsets[slot - 1]);
        let mut contexts = vec![0; offsets[offsets.len() - 1] as usize];
        let mut next = offsets.clone();
        for Span { windows, centers } in spans() {
            for window in windows {
                for &place in self.centers_of(window) {
                    let next = &mut next[centers[place as usize] as usize];
                    for target in self.targets_of(window) {
                        contexts[*next as usize] = self.target_rows[target.slot()];
                        *next += 1;
                    }
                }
            }
        }
        ByCenter { offsets, contexts }
    }

    /// Checks that every index lies within its array, as kernels without bounds checks require. W
    /// has `input_rows` rows and W' has `output_rows`.
    ///
    /// # Errors
    /// The name of the array that is wrong.
    pub fn validate(
        &self,
        input_rows: usize,
        output_rows: usize,
    ) -> std::result::Result<(), String> {
        let require = |holds: bool, what: &str| {
            if holds {
                Ok(())
            } else {
                Err(format!("the batch's {what}"))
            }
        };
        let cut = |offsets: &[u32], count: usize, length: usize| {
            offsets.len() == count + 1
                && offsets.first() == Some(&0)
                && offsets.last() == Some(&(length as u32))
                && offsets.is_sorted()
        };
        let (spans, windows) = (self.spans(), self.windows());
        require(
            cut(&self.span_windows, spans, windows),
            "spans do not span its windows",
        )?;
        let centers = self.span_centers.len();
        require(
            cut(&self.span_center_offsets, spans, centers),
            "spans do not span their centers",
        )?;
        require(
            cut(&self.center_offsets, windows, self.centers.len()),
            "center offsets do not span its centers",
        )?;
        require(
            cut(&self.target_offsets, windows, self.targets.len()),
            "target offsets do not span its targets",
        )?;
        let spans = || (0..spans).map(|span| self.span(span));
        require(
            spans().all(|span| span.centers.len() <= SPAN_CENTERS),
            "spans have too many centers",
        )?;
        let leads = |span: Span<'_>| {
            let of_windows = self.center_offsets[span.windows.start] as usize
                ..self.center_offsets[span.windows.end] as usize;
            self.centers[of_windows]
                .iter()
                .all(|&place| usize::from(place) < span.centers.len())
        };
        require(spans().all(leads), "centers exceed those of their span")?;
        let (center_slots, target_slots) = (self.center_rows.len(), self.target_rows.len());
        require(
            self.center_bits.len() == center_slots,
            "bits of centers are not one for each slot",
        )?;
        require(
            self.target_bits.len() == target_slots,
            "bits of targets are not one for each slot",
        )?;
        require(
            self.span_centers
                .iter()
                .all(|&slot| (slot as usize) < center_slots),
            "centers exceed its slots",
        )?;
        require(
            self.targets
                .iter()
                .all(|target| target.slot() < target_slots),
            "targets exceed its slots",
        )?;
        require(
            self.center_rows
                .iter()
                .all(|&row| (row as usize) < input_rows),
            "rows exceed W",
        )?;
        require(
            self.target_rows
                .iter()
                .all(|&row| (row as usize) < output_rows),
            "rows exceed W'",
        )
    }

    /// Empties the batch and keeps its memory.
    pub(crate) fn clear(&mut self) {
        let Self {
            span_windows,
            span_center_offsets,
            center_offsets,
            target_offsets,
            ..
        } = self;
        for offsets in [
            span_windows,
            span_center_offsets,
            center_offsets,
            target_offsets,
        ] {
            offsets.clear();
            offsets.push(0);
        }
        self.span_centers.clear();
        self.centers.clear();
        self.targets.clear();
        self.center_rows.clear();
        self.target_rows.clear();
        self.center_bits.clear();
        self.target_bits.clear();
    }
}

/// The range of list `index` in a concatenation of lists.
#[inline]
fn range(offsets: &[u32], index: usize) -> Range<usize> {
    offsets[index] as usize..offsets[index + 1] as usize
}

/// The pairs of a batch, sorted by center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByCenter {
    /// Center slot `s` has `contexts[offsets[s]..offsets[s + 1]]`.
    pub offsets: Vec<u32>,
    /// The contexts, as rows of W'.
    pub contexts: Vec<u32>,
}

impl ByCenter {
    /// The contexts of a center slot.
    pub fn of(&self, slot: usize) -> &[u32] {
        &self.contexts[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }
}

/// Makes a batch from windows of rows: numbers the touched rows and counts the products of each.
#[derive(Debug)]
pub struct BatchBuilder {
    centers: RowSet,
    targets: RowSet,
    /// For each center of the current span, how many more products it has than the center before
    /// it. The centers of a window are two ranges, so a window changes four of these numbers,
    /// however many centers it has.
    more_products: [u32; SPAN_CENTERS + 1],
    /// The largest number of products that a center has in one span of the batch.
    most_of_center: u32,
    /// The largest number of centers in a window of the batch.
    most_of_target: u32,
}

impl BatchBuilder {
    /// A builder for matrices of `input_rows` (W) and `output_rows` (W') rows.
    pub fn new(input_rows: usize, output_rows: usize) -> Self {
        Self {
            centers: RowSet::new(input_rows),
            targets: RowSet::new(output_rows),
            more_products: [0; SPAN_CENTERS + 1],
            most_of_center: 0,
            most_of_target: 0,
        }
    }

    /// Begins a span. `centers` are rows of W, at most [`SPAN_CENTERS`] of them. A window must
    /// follow.
    #[inline]
    pub fn span(&mut self, batch: &mut Batch, centers: impl Iterator<Item = u32>) {
        self.end_span(batch);
        batch.span_centers.extend(centers);
    }

    /// Adds a window to the span. `centers` are indices into the span's centers. `targets` still
    /// have rows of W' in the place of slots.
    #[inline]
    pub fn window(
        &mut self,
        batch: &mut Batch,
        centers: impl IntoIterator<Item = Range<u8>>,
        targets: &[Target],
    ) {
        let first = batch.centers.len();
        for places in centers {
            let (start, end) = (usize::from(places.start), usize::from(places.end));
            self.more_products[start] =
                self.more_products[start].wrapping_add(targets.len() as u32);
            self.more_products[end] = self.more_products[end].wrapping_sub(targets.len() as u32);
            batch.centers.extend(places);
        }
        let count = (batch.centers.len() - first) as u32;
        self.most_of_target = self.most_of_target.max(count);
        for target in targets {
            self.targets.touch(target.slot() as u32, count);
        }
        batch.targets.extend_from_slice(targets);
        batch.center_offsets.push(batch.centers.len() as u32);
        batch.target_offsets.push(batch.targets.len() as u32);
    }

    #[inline]
    fn end_span(&mut self, batch: &mut Batch) {
        let windows = batch.windows() as u32;
        if batch.span_windows[batch.spans()] < windows {
            let first = batch.span_center_offsets[batch.spans()] as usize;
            let mut products = 0u32;
            for (&row, more) in batch.span_centers[first..].iter().zip(&self.more_products) {
                products = products.wrapping_add(*more);
                self.most_of_center = self.most_of_center.max(products);
                self.centers.touch(row, products);
            }
            self.more_products = [0; SPAN_CENTERS + 1];
            batch.span_windows.push(windows);
            batch
                .span_center_offsets
                .push(batch.span_centers.len() as u32);
        }
    }

    /// Ends the batch and turns rows into slots.
    pub fn finish(&mut self, batch: &mut Batch) {
        self.end_span(batch);
        self.centers
            .number(&mut batch.center_rows, &mut batch.center_bits);
        self.targets
            .number(&mut batch.target_rows, &mut batch.target_bits);
        batch.center_contribution_bits = bit_length(std::mem::take(&mut self.most_of_center));
        batch.target_contribution_bits = bit_length(std::mem::take(&mut self.most_of_target));
        for center in &mut batch.span_centers {
            *center = self.centers.slots[*center as usize];
        }
        for target in &mut batch.targets {
            *target = Target::new(self.targets.slots[target.slot()], target.label());
        }
    }
}

/// The rows of one matrix that a batch touches.
#[derive(Debug)]
struct RowSet {
    /// One bit for each row.
    touched: Vec<u64>,
    /// Until the batch is finished, the number of products of each row; then the slot of each
    /// touched row.
    slots: Vec<u32>,
}

impl RowSet {
    fn new(rows: usize) -> Self {
        Self {
            touched: vec![0; rows.div_ceil(64)],
            slots: vec![0; rows],
        }
    }

    /// Counts more products of a row.
    #[inline]
    fn touch(&mut self, row: u32, products: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        let count = &mut self.slots[row as usize];
        // If the row was not touched yet, this still holds a slot of an earlier batch.
        *count = if self.touched[word] & bit == 0 {
            products
        } else {
            count.saturating_add(products)
        };
        self.touched[word] |= bit;
    }

    /// Gives each touched row its slot. Lists the rows in ascending order, and the bit lengths of
    /// their counts.
    fn number(&mut self, rows: &mut Vec<u32>, count_bits: &mut Vec<u8>) {
        for (word, bits) in self.touched.iter_mut().enumerate() {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let row = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                let entry = &mut self.slots[row as usize];
                count_bits.push(bit_length(*entry));
                *entry = rows.len() as u32;
                rows.push(row);
            }
        }
    }
}

/// The number of bits of a number without leading zeros; the number is below 2 to that power.
fn bit_length(number: u32) -> u8 {
    (u32::BITS - number.leading_zeros()) as u8
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// A batch of the given windows. Each has its centers and its targets, with the context first.
    ///
    /// Spans have four windows, or fewer where those would have too many centers. A window with too
    /// many centers for a span becomes several.
    pub(crate) fn batch_of(rows: usize, windows: &[(Vec<u32>, Vec<u32>)]) -> Batch {
        let mut builder = BatchBuilder::new(rows, rows);
        let mut batch = Batch::default();
        batch.clear();
        let windows: Vec<_> = windows
            .iter()
            .flat_map(|(centers, targets)| {
                let parts = centers
                    .chunks(SPAN_CENTERS)
                    .chain(centers.is_empty().then_some(&centers[..]));
                parts.map(move |centers| (centers, targets))
            })
            .collect();
        let mut left = &windows[..];
        while !left.is_empty() {
            let rows = |count: usize| {
                left[..count]
                    .iter()
                    .flat_map(|(centers, _)| *centers)
                    .copied()
                    .collect::<BTreeSet<_>>()
            };
            let count = (1..=left.len().min(4))
                .rev()
                .find(|&count| rows(count).len() <= SPAN_CENTERS)
                .unwrap();
            let rows: Vec<u32> = rows(count).into_iter().rev().collect();
            builder.span(&mut batch, rows.iter().copied());
            for (centers, targets) in &left[..count] {
                let place = |row| rows.iter().position(|other| other == row).unwrap() as u8;
                let targets: Vec<Target> = targets
                    .iter()
                    .enumerate()
                    .map(|(i, &row)| Target::new(row, i == 0))
                    .collect();
                builder.window(
                    &mut batch,
                    centers.iter().map(place).map(|place| place..place + 1),
                    &targets,
                );
            }
            left = &left[count..];
        }
        builder.finish(&mut batch);
        batch
    }

    proptest! {
        #[test]
        fn slots_lead_back_to_the_rows(windows in prop::collection::vec(
            (prop::collection::vec(0u32..200, 0..=SPAN_CENTERS), prop::collection::vec(0u32..200, 1..20)), 0..40)
        ) {
            let batch = batch_of(200, &windows);
            prop_assert_eq!(batch.windows(), windows.len());
            prop_assert_eq!(batch.validate(200, 200), Ok(()));
            let own: Vec<(usize, Vec<u32>)> = batch.windows_with_centers().collect();
            prop_assert_eq!(own, windows.iter().map(|(centers, _)| centers.clone()).enumerate().collect::<Vec<_>>());
            let mut center_products = [0; 200];
            let mut target_products = [0; 200];
            for (w, (_, targets)) in windows.iter().enumerate() {
                let own: Vec<u32> = batch.targets_of(w).iter().map(|t| batch.target_rows[t.slot()]).collect();
                prop_assert_eq!(&own, targets);
                prop_assert!(batch.targets_of(w).iter().enumerate().all(|(i, t)| t.label() == (i == 0)));
                targets.iter().for_each(|&row| target_products[row as usize] += windows[w].0.len() as u32);
                windows[w].0.iter().for_each(|&row| center_products[row as usize] += targets.len() as u32);
            }
            prop_assert!(batch.center_rows.is_sorted_by(|a, b| a < b) && batch.target_rows.is_sorted_by(|a, b| a < b));
            let of_rows = |rows: &[u32], products: &[u32]| -> Vec<u8> {
                rows.iter().map(|&row| bit_length(products[row as usize])).collect()
            };
            prop_assert_eq!(&batch.center_bits, &of_rows(&batch.center_rows, &center_products));
            prop_assert_eq!(&batch.target_bits, &of_rows(&batch.target_rows, &target_products));
            let most_centers = windows.iter().map(|(centers, _)| centers.len() as u32).max().unwrap_or(0);
            prop_assert_eq!(batch.target_contribution_bits, bit_length(most_centers));
            prop_assert_eq!(batch.center_contribution_bits, bit_length(most_products_in_a_span(&batch)));
        }
    }

    /// Counted center by center, window by window.
    fn most_products_in_a_span(batch: &Batch) -> u32 {
        let of_span = |span: Span<'_>| {
            let mut products = vec![0; span.centers.len()];
            for window in span.windows {
                let targets = batch.targets_of(window).len() as u32;
                batch
                    .centers_of(window)
                    .iter()
                    .for_each(|&place| products[place as usize] += targets);
            }
            products.into_iter().max().unwrap_or(0)
        };
        (0..batch.spans())
            .map(|span| of_span(batch.span(span)))
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn an_index_that_leads_nowhere_is_found() {
        let good = batch_of(10, &[(vec![1, 2], vec![3, 4]), (vec![5], vec![3])]);
        let breaks: [fn(&mut Batch); 12] = [
            |b| b.span_windows[1] = 3,
            |b| b.span_center_offsets[1] = 2,
            |b| b.span_centers[2] = 3,
            |b| {
                b.span_centers.extend([0; SPAN_CENTERS]);
                b.span_center_offsets[1] += SPAN_CENTERS as u32;
            },
            |b| b.center_offsets[1] = 4,
            |b| b.target_offsets[2] = 1,
            |b| b.centers[0] = 3,
            |b| b.targets[1] = Target::new(2, false),
            |b| b.center_rows[0] = 10,
            |b| b.target_rows[1] = 10,
            |b| b.center_bits.push(1),
            |b| _ = b.target_bits.pop(),
        ];
        for (i, damage) in breaks.into_iter().enumerate() {
            let mut batch = good.clone();
            damage(&mut batch);
            assert!(batch.validate(10, 10).is_err(), "{i}");
        }
    }

    #[test]
    fn pairs_by_center() {
        let batch = batch_of(
            10,
            &[
                (vec![7, 2], vec![3]),
                (vec![2], vec![9, 9]),
                (vec![], vec![1]),
                (vec![2, 2], vec![0]),
            ],
        );
        let by_center = batch.by_center();
        assert_eq!(batch.center_rows, [2, 7]);
        assert_eq!(
            (by_center.of(0), by_center.of(1)),
            (&[3, 9, 9, 0, 0][..], &[3][..])
        );
        assert_eq!(batch.products(), 6);
    }

    #[test]
    fn a_builder_forgets_the_batch_before() {
        let mut builder = BatchBuilder::new(10, 10);
        let mut batch = Batch::default();
        for _ in 0..2 {
            batch.clear();
            builder.span(&mut batch, [5, 7].into_iter());
            builder.window(
                &mut batch,
                std::iter::once(0..2),
                &[Target::new(9, true), Target::new(3, false)],
            );
            builder.finish(&mut batch);
            assert_eq!(batch.center_rows, [5, 7]);
            assert_eq!(
                (batch.center_bits.clone(), batch.target_bits.clone()),
                (vec![2, 2], vec![2, 2])
            );
            assert_eq!(
                (
                    batch.center_contribution_bits,
                    batch.target_contribution_bits
                ),
                (2, 2)
            );
        }
    }
}
