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
mod builder;
mod by_center;
mod group;
mod packed;
mod parts;
mod row;
mod row_set;
mod section;
mod settings;
mod targets;
mod tree;
mod windows;

use std::ops::Range;

pub use batcher::{Batcher, Batches};
pub use builder::BatchBuilder;
pub use by_center::ByCenter;
pub use group::{GROUP_BLOCKS, Share};
pub use packed::{Packed, Packer};
pub use parts::Parts;
pub use row::{Row, RowTarget, Slot, Target};
pub use settings::{
    CbowGradient, CbowSettings, Loss, MAX_CBOW_WINDOW, MAX_WINDOW, ModelKind, NegativeSettings,
    NegativesPer, ObjectiveSettings, TreeSettings,
};
pub use targets::{Negatives, POOL_SPANS, POOL_USES, Targets};
pub use tree::{HuffmanTree, MAX_ARITY};
pub use windows::{SPAN, Windows};

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

/// How the centers of a window meet its targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inputs {
    /// Each by itself, as in skip-gram.
    #[default]
    Each,
    /// Their mean alone, as in CBOW, with what each gets of the gradient by the mean.
    Mean(CbowGradient),
}

impl Inputs {
    /// Number of inputs that so many centers of a window make.
    #[inline]
    pub fn count(self, centers: usize) -> usize {
        match self {
            Self::Each => centers,
            Self::Mean(_) => centers.min(1),
        }
    }
}

/// The windows of one minibatch.
///
/// A **window** is a context word with the **centers** around it and its **targets**: the context
/// and the negatives, or the nodes of a path. It stands for all products of a center with a target,
/// or of the centers' mean with a target ([`Inputs`]). An **example** is what meets all targets of
/// a window: each (center, context) pair, or the window.
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
    /// How centers meet targets. The bits of products, below, are for this way.
    pub inputs: Inputs,
    /// Length S + 1. Span `r` has the windows `span_windows[r]..span_windows[r + 1]`.
    pub span_windows: Vec<u32>,
    /// Length S + 1. Span `r` has up to [`SPAN_CENTERS`] centers, which are
    /// `span_centers[span_center_offsets[r]..span_center_offsets[r + 1]]`.
    pub span_center_offsets: Vec<u32>,
    /// Slots of W, below C: the centers of each span, span after span.
    pub span_centers: Vec<Slot>,
    /// Length N + 1. Window `w` has `centers[center_offsets[w]..center_offsets[w + 1]]`.
    pub center_offsets: Vec<u32>,
    /// Length P. The centers of each window, window after window, as indices into the centers of
    /// its span.
    pub centers: Vec<u8>,
    /// Length N + 1. Window `w` has `targets[target_offsets[w]..target_offsets[w + 1]]`.
    pub target_offsets: Vec<u32>,
    /// Length T. The targets of each window, window after window.
    pub targets: Vec<Target>,
    /// Length C. The row of W that each center slot stands for, ascending. In a model with subwords
    /// it is the word that the slot stands for, which is composed of its `parts`.
    pub center_rows: Vec<Row>,
    /// Length R. The row of W' that each target slot stands for, ascending.
    pub target_rows: Vec<Row>,
    /// Length C. The bit length of each center slot's number of products with targets, by itself or
    /// in a mean, which bounds how many terms its row receives.
    pub center_bits: Vec<u8>,
    /// Length R. The bit length of each target slot's number of products with centers or means.
    pub target_bits: Vec<u8>,
    /// The parts of the words that are centers, in a model with subwords.
    pub parts: Parts,
    /// The bit length of the largest number of products that one center has in one span. So many
    /// terms are added in floats before they go to the center's sum.
    pub center_contribution_bits: u8,
    /// The bit length of the largest number of products that one target has in a window. So many
    /// terms are added in floats before they go to the target's sum.
    pub target_contribution_bits: u8,
    /// The epoch, from 0.
    pub epoch: u32,
    /// Words of the corpus before this batch, over all epochs.
    pub words_before: u64,
    /// Words of the corpus that this batch stands for, including those that subsampling dropped.
    pub words: u64,
    /// The batch as the engine's device takes it.
    pub packed: Packed,
}

/// Windows of neighbouring positions, which share their centers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<'a> {
    /// The numbers of the windows in the batch.
    pub windows: Range<usize>,
    /// The centers, as slots of W. [`Batch::centers`] has indices into this slice.
    pub centers: &'a [Slot],
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

    /// Number of examples: of (center, context) pairs, or of windows with a center.
    pub fn examples(&self) -> u64 {
        match self.inputs {
            Inputs::Each => self.centers.len() as u64,
            Inputs::Mean(_) => {
                let ends = self.center_offsets.windows(2);
                ends.filter(|ends| ends[0] < ends[1]).count() as u64
            }
        }
    }

    /// Number of inputs that a window's centers make: each, or their mean.
    pub fn inputs_of(&self, window: usize) -> usize {
        self.inputs.count(self.centers_of(window).len())
    }

    /// Number of products of an input with a target.
    pub fn products(&self) -> u64 {
        let product = |window| (self.inputs_of(window) * self.targets_of(window).len()) as u64;
        (0..self.windows()).map(product).sum()
    }

    /// Size of all arrays in bytes.
    pub fn bytes(&self) -> usize {
        let of_spans =
            self.span_windows.len() + self.span_center_offsets.len() + self.span_centers.len();
        let offsets = self.center_offsets.len() + self.target_offsets.len();
        let of_rows = |rows: usize| rows + rows.div_ceil(4);
        let rows = of_rows(self.center_rows.len()) + of_rows(self.target_rows.len());
        let of_centers = self.centers.len().div_ceil(4) + self.parts.numbers();
        4 * (of_spans + offsets + of_centers + self.targets.len() + rows)
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
    pub fn windows_with_centers(&self) -> impl Iterator<Item = (usize, Vec<Row>)> {
        (0..self.spans())
            .map(|span| self.span(span))
            .flat_map(move |Span { windows, centers }| {
                let row = |&place: &u8| self.center_rows[centers[place as usize].index()];
                windows
                    .map(move |window| (window, self.centers_of(window).iter().map(row).collect()))
            })
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
        let (spans, windows) = (self.spans(), self.windows());
        require(
            is_cut(&self.span_windows, spans, windows),
            "spans do not span its windows",
        )?;
        let centers = self.span_centers.len();
        require(
            is_cut(&self.span_center_offsets, spans, centers),
            "spans do not span their centers",
        )?;
        require(
            is_cut(&self.center_offsets, windows, self.centers.len()),
            "center offsets do not span its centers",
        )?;
        require(
            is_cut(&self.target_offsets, windows, self.targets.len()),
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
                .all(|slot| slot.index() < center_slots),
            "centers exceed its slots",
        )?;
        require(
            self.targets
                .iter()
                .all(|target| target.slot().index() < target_slots),
            "targets exceed its slots",
        )?;
        require(
            self.center_rows.iter().all(|row| row.index() < input_rows),
            "rows exceed W",
        )?;
        require(
            self.target_rows.iter().all(|row| row.index() < output_rows),
            "rows exceed W'",
        )?;
        let fault = self.parts.fault(center_slots, input_rows);
        require(fault.is_none(), fault.unwrap_or_default())
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
        self.packed.clear();
        self.parts.clear();
        self.span_centers.clear();
        self.centers.clear();
        self.targets.clear();
        self.center_rows.clear();
        self.target_rows.clear();
        self.center_bits.clear();
        self.target_bits.clear();
    }
}

/// Whether offsets cut `length` elements into `count` lists.
fn is_cut(offsets: &[u32], count: usize, length: usize) -> bool {
    offsets.len() == count + 1
        && offsets.first() == Some(&0)
        && offsets.last() == Some(&(length as u32))
        && offsets.is_sorted()
}

/// The range of list `index` in a concatenation of lists.
#[inline]
fn range(offsets: &[u32], index: usize) -> Range<usize> {
    offsets[index] as usize..offsets[index + 1] as usize
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::builder::bit_length;
    use super::*;

    /// A batch of the given windows. Each has its centers and its targets, with the context first.
    ///
    /// Spans have four windows, or fewer where those would have too many centers. A window with too
    /// many centers for a span becomes several.
    pub(crate) fn batch_of(rows: usize, windows: &[(Vec<u32>, Vec<u32>)]) -> Batch {
        let builder = BatchBuilder::new(rows, rows, Inputs::Each);
        batch_by(builder, windows, |target| target == 0)
    }

    /// A batch as [`batch_of`] makes it, by any builder and with other labels: `label` has those of
    /// each window's targets, by their places.
    pub(crate) fn batch_by(
        mut builder: BatchBuilder,
        windows: &[(Vec<u32>, Vec<u32>)],
        label: impl Fn(usize) -> bool,
    ) -> Batch {
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
            builder.span(&mut batch, rows.iter().map(|&row| Row(row)));
            for (centers, targets) in &left[..count] {
                let place = |row| rows.iter().position(|other| other == row).unwrap() as u8;
                let targets: Vec<RowTarget> = targets
                    .iter()
                    .enumerate()
                    .map(|(i, &row)| RowTarget::new(Row(row), label(i)))
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
        fn slots_lead_back_to_the_rows(is_mean: bool, windows in prop::collection::vec(
            (prop::collection::vec(0u32..200, 0..=SPAN_CENTERS), prop::collection::vec(0u32..200, 1..20)), 0..40)
        ) {
            let inputs = if is_mean { Inputs::Mean(CbowGradient::Whole) } else { Inputs::Each };
            let builder = BatchBuilder::new(200, 200, inputs);
            let batch = batch_by(builder, &windows, |target| target == 0);
            // How many inputs of a window meet its targets.
            let met = |centers: &[u32]| if is_mean { centers.len().min(1) } else { centers.len() } as u32;
            let examples: u32 = windows.iter().map(|(centers, _)| met(centers)).sum();
            prop_assert_eq!(batch.examples(), u64::from(examples));
            let products: u32 = windows.iter().map(|(centers, targets)| met(centers) * targets.len() as u32).sum();
            prop_assert_eq!(batch.products(), u64::from(products));
            prop_assert_eq!(batch.windows(), windows.len());
            prop_assert_eq!(batch.validate(200, 200), Ok(()));
            let own: Vec<(usize, Vec<u32>)> = batch
                .windows_with_centers()
                .map(|(window, rows)| (window, rows.iter().map(|row| row.0).collect()))
                .collect();
            prop_assert_eq!(own, windows.iter().map(|(centers, _)| centers.clone()).enumerate().collect::<Vec<_>>());
            let mut center_products = [0; 200];
            let mut target_products = [0; 200];
            for (w, (_, targets)) in windows.iter().enumerate() {
                let own: Vec<u32> = batch.targets_of(w).iter().map(|t| batch.target_rows[t.slot().index()].0).collect();
                prop_assert_eq!(&own, targets);
                prop_assert!(batch.targets_of(w).iter().enumerate().all(|(i, t)| t.label() == (i == 0)));
                targets.iter().for_each(|&row| target_products[row as usize] += met(&windows[w].0));
                windows[w].0.iter().for_each(|&row| center_products[row as usize] += targets.len() as u32);
            }
            prop_assert!(batch.center_rows.is_sorted_by(|a, b| a < b) && batch.target_rows.is_sorted_by(|a, b| a < b));
            let of_rows = |rows: &[Row], products: &[u32]| -> Vec<u8> {
                rows.iter().map(|row| bit_length(products[row.index()])).collect()
            };
            prop_assert_eq!(&batch.center_bits, &of_rows(&batch.center_rows, &center_products));
            prop_assert_eq!(&batch.target_bits, &of_rows(&batch.target_rows, &target_products));
            let most_of_target = windows.iter().map(|(centers, _)| met(centers)).max().unwrap_or(0);
            prop_assert_eq!(batch.target_contribution_bits, bit_length(most_of_target));
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
            |b| b.span_centers[2] = Slot(3),
            |b| {
                b.span_centers.extend([Slot(0); SPAN_CENTERS]);
                b.span_center_offsets[1] += SPAN_CENTERS as u32;
            },
            |b| b.center_offsets[1] = 4,
            |b| b.target_offsets[2] = 1,
            |b| b.centers[0] = 3,
            |b| b.targets[1] = Target::new(Slot(2), false),
            |b| b.center_rows[0] = Row(10),
            |b| b.target_rows[1] = Row(10),
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
        assert_eq!(batch.center_rows, [2, 7].map(Row));
        assert_eq!(
            (by_center.of(0), by_center.of(1)),
            (&[3, 9, 9, 0, 0].map(Row)[..], &[Row(3)][..])
        );
        assert_eq!(batch.products(), 6);
    }

    #[test]
    fn a_builder_forgets_the_batch_before() {
        let mut builder = BatchBuilder::new(10, 10, Inputs::Each);
        let mut batch = Batch::default();
        for _ in 0..2 {
            batch.clear();
            builder.span(&mut batch, [5, 7].map(Row).into_iter());
            builder.window(
                &mut batch,
                std::iter::once(0..2),
                &[RowTarget::new(Row(9), true), RowTarget::new(Row(3), false)],
            );
            builder.finish(&mut batch);
            assert_eq!(batch.center_rows, [5, 7].map(Row));
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
