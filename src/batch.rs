//! A minibatch: windows in flat index arrays.

use std::ops::Range;

/// Targets that a kernel handles at a time: a window of more targets adds to its center rows once per block.
///
/// Engines must agree on it, because it enters [`Batch::multiplicity`].
pub const TARGET_BLOCK: usize = 8;

/// Windows of one context position each: its target rows (the context and the negatives, say) and the centers around it.
///
/// Each window stands for the full cross product of its centers and targets. Rows are named by **slots**: slot `i` of a
/// table is the `i`-th smallest row that the batch touches there, so accumulators need only be as large as the batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Window `w` has `centers[center_offsets[w]..center_offsets[w + 1]]`.
    pub center_offsets: Vec<u32>,
    /// Slots of W, window after window.
    pub centers: Vec<u32>,
    /// Window `w` has `targets[target_offsets[w]..target_offsets[w + 1]]`.
    pub target_offsets: Vec<u32>,
    /// Targets, window after window.
    pub targets: Vec<Target>,
    /// The row of W that each center slot stands for, ascending.
    pub center_rows: Vec<u32>,
    /// The row of W' that each target slot stands for, ascending.
    pub target_rows: Vec<u32>,
    /// The most contributions that any row receives: a target one from its window, a center one for each [`TARGET_BLOCK`]
    /// of it.
    pub multiplicity: u32,
    /// The epoch, from 0.
    pub epoch: u32,
    /// Words of the corpus seen before this batch, over all epochs.
    pub words_before: u64,
    /// Words of the corpus this batch stands for, those dropped by subsampling included.
    pub words: u64,
}

/// A slot of W' with the label that its product with each center should have: 1 for the context, 0 for a negative; in
/// hierarchical softmax, which branch the context's path takes at an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Target(u32);

impl Target {
    /// A target of a slot below 2^31.
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
        let product = |window| (self.centers_of(window).len() * self.targets_of(window).len()) as u64;
        (0..self.windows()).map(product).sum()
    }

    /// Bytes of all arrays.
    pub fn bytes(&self) -> usize {
        let offsets = self.center_offsets.len() + self.target_offsets.len();
        let rows = self.center_rows.len() + self.target_rows.len();
        4 * (offsets + self.centers.len() + self.targets.len() + rows)
    }

    /// The centers of a window.
    #[inline]
    pub fn centers_of(&self, window: usize) -> &[u32] {
        &self.centers[self.center_range(window)]
    }

    /// The targets of a window.
    #[inline]
    pub fn targets_of(&self, window: usize) -> &[Target] {
        let range = self.target_offsets[window] as usize..self.target_offsets[window + 1] as usize;
        &self.targets[range]
    }

    /// The contexts of each center slot, for objectives without negatives: every target stands for itself.
    pub fn by_center(&self) -> ByCenter {
        let mut offsets = vec![0u32; self.center_rows.len() + 1];
        for window in 0..self.windows() {
            let targets = self.targets_of(window).len() as u32;
            self.centers_of(window).iter().for_each(|&center| offsets[center as usize + 1] += targets);
        }
        (1..offsets.len()).for_each(|slot| offsets[slot] += offsets[slot - 1]);
        let mut contexts = vec![0; offsets[offsets.len() - 1] as usize];
        let mut next = offsets.clone();
        for window in 0..self.windows() {
            for &center in self.centers_of(window) {
                for target in self.targets_of(window) {
                    contexts[next[center as usize] as usize] = self.target_rows[target.slot()];
                    next[center as usize] += 1;
                }
            }
        }
        ByCenter { offsets, contexts }
    }

    fn center_range(&self, window: usize) -> Range<usize> {
        self.center_offsets[window] as usize..self.center_offsets[window + 1] as usize
    }

    /// Checks that every index leads somewhere: what unchecked kernels rely on.
    ///
    /// # Errors
    /// Which array is wrong.
    pub fn validate(&self, input_rows: usize, output_rows: usize) -> std::result::Result<(), String> {
        let require = |holds: bool, what: &str| if holds { Ok(()) } else { Err(format!("the batch's {what}")) };
        let spans = |offsets: &[u32], length: usize| {
            offsets.len() == self.windows() + 1
                && offsets.first() == Some(&0)
                && offsets.last() == Some(&(length as u32))
                && offsets.is_sorted()
        };
        require(spans(&self.center_offsets, self.centers.len()), "center offsets do not span its centers")?;
        require(spans(&self.target_offsets, self.targets.len()), "target offsets do not span its targets")?;
        let (center_slots, target_slots) = (self.center_rows.len(), self.target_rows.len());
        require(self.centers.iter().all(|&slot| (slot as usize) < center_slots), "centers exceed its slots")?;
        require(self.targets.iter().all(|target| target.slot() < target_slots), "targets exceed its slots")?;
        require(self.center_rows.iter().all(|&row| (row as usize) < input_rows), "rows exceed W")?;
        require(self.target_rows.iter().all(|&row| (row as usize) < output_rows), "rows exceed W'")
    }

    /// Empties the batch, keeping its memory.
    pub(crate) fn clear(&mut self) {
        self.center_offsets.clear();
        self.center_offsets.push(0);
        self.target_offsets.clear();
        self.target_offsets.push(0);
        self.centers.clear();
        self.targets.clear();
        self.center_rows.clear();
        self.target_rows.clear();
    }
}

/// The pairs of a batch, center after center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByCenter {
    /// Center slot `s` has `contexts[offsets[s]..offsets[s + 1]]`.
    pub offsets: Vec<u32>,
    /// Rows of W'.
    pub contexts: Vec<u32>,
}

impl ByCenter {
    /// The contexts of a center slot.
    pub fn of(&self, slot: usize) -> &[u32] {
        &self.contexts[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }
}

/// Makes batches from windows of rows: numbers the touched rows and counts how often each is touched.
#[derive(Debug)]
pub struct BatchBuilder {
    centers: RowSet,
    targets: RowSet,
}

impl BatchBuilder {
    /// For tables of `input_rows` (W) and `output_rows` (W').
    pub fn new(input_rows: usize, output_rows: usize) -> Self {
        Self { centers: RowSet::new(input_rows), targets: RowSet::new(output_rows) }
    }

    /// Adds a window to a batch. Its centers are still rows, and the slots of its targets too.
    #[inline]
    pub fn window(&mut self, batch: &mut Batch, centers: &[u32], targets: &[Target]) {
        for target in targets {
            self.targets.touch(target.slot() as u32, 1);
        }
        batch.targets.extend_from_slice(targets);
        let blocks = targets.len().div_ceil(TARGET_BLOCK) as u32;
        for &row in centers {
            self.centers.touch(row, blocks);
        }
        batch.centers.extend_from_slice(centers);
        batch.center_offsets.push(batch.centers.len() as u32);
        batch.target_offsets.push(batch.targets.len() as u32);
    }

    /// Ends a batch: rows become slots.
    pub fn finish(&mut self, batch: &mut Batch) {
        let centers = self.centers.number(&mut batch.center_rows);
        let targets = self.targets.number(&mut batch.target_rows);
        batch.multiplicity = centers.max(targets);
        for center in &mut batch.centers {
            *center = self.centers.slots[*center as usize];
        }
        for target in &mut batch.targets {
            *target = Target::new(self.targets.slots[target.slot()], target.label());
        }
    }
}

/// The rows of one table that a batch touches.
#[derive(Debug)]
struct RowSet {
    /// One bit for each row.
    touched: Vec<u64>,
    /// While rows come in, how often each was touched; then the slot of each touched row.
    slots: Vec<u32>,
}

impl RowSet {
    fn new(rows: usize) -> Self {
        Self { touched: vec![0; rows.div_ceil(64)], slots: vec![0; rows] }
    }

    #[inline]
    fn touch(&mut self, row: u32, times: u32) {
        let (word, bit) = (row as usize / 64, 1 << (row % 64));
        let count = &mut self.slots[row as usize];
        // What a previous batch left there is a slot, not a count.
        *count = if self.touched[word] & bit == 0 { times } else { *count + times };
        self.touched[word] |= bit;
    }

    /// Lists the touched rows in ascending order, gives each its slot, and returns the largest count.
    fn number(&mut self, rows: &mut Vec<u32>) -> u32 {
        let mut most = 0;
        for (word, bits) in self.touched.iter_mut().enumerate() {
            let mut left = std::mem::take(bits);
            while left != 0 {
                let row = word as u32 * 64 + left.trailing_zeros();
                left &= left - 1;
                let entry = &mut self.slots[row as usize];
                most = most.max(*entry);
                *entry = rows.len() as u32;
                rows.push(row);
            }
        }
        most
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A batch of the given windows: centers, then targets of which the first is the context.
    pub(crate) fn batch_of(rows: usize, windows: &[(Vec<u32>, Vec<u32>)]) -> Batch {
        let mut builder = BatchBuilder::new(rows, rows);
        let mut batch = Batch::default();
        batch.clear();
        for (centers, targets) in windows {
            let targets: Vec<Target> = targets.iter().enumerate().map(|(i, &row)| Target::new(row, i == 0)).collect();
            builder.window(&mut batch, centers, &targets);
        }
        builder.finish(&mut batch);
        batch
    }

    proptest! {
        #[test]
        fn slots_lead_back_to_the_rows(windows in prop::collection::vec(
            (prop::collection::vec(0u32..200, 0..40), prop::collection::vec(0u32..200, 1..20)), 0..40)
        ) {
            let batch = batch_of(200, &windows);
            prop_assert_eq!(batch.windows(), windows.len());
            prop_assert_eq!(batch.validate(200, 200), Ok(()));
            let mut center_count = [0u32; 200];
            let mut target_count = [0u32; 200];
            for (w, (centers, targets)) in windows.iter().enumerate() {
                let own: Vec<u32> = batch.centers_of(w).iter().map(|&slot| batch.center_rows[slot as usize]).collect();
                prop_assert_eq!(&own, centers);
                let own: Vec<u32> = batch.targets_of(w).iter().map(|t| batch.target_rows[t.slot()]).collect();
                prop_assert_eq!(&own, targets);
                prop_assert!(batch.targets_of(w).iter().enumerate().all(|(i, t)| t.label() == (i == 0)));
                centers.iter().for_each(|&row| center_count[row as usize] += targets.len().div_ceil(TARGET_BLOCK) as u32);
                targets.iter().for_each(|&row| target_count[row as usize] += 1);
            }
            prop_assert!(batch.center_rows.is_sorted_by(|a, b| a < b) && batch.target_rows.is_sorted_by(|a, b| a < b));
            prop_assert_eq!(batch.multiplicity, center_count.into_iter().chain(target_count).max().unwrap());
        }
    }

    #[test]
    fn an_index_that_leads_nowhere_is_found() {
        let good = batch_of(10, &[(vec![1, 2], vec![3, 4]), (vec![5], vec![3])]);
        let breaks: [fn(&mut Batch); 6] = [
            |b| b.center_offsets[1] = 4,
            |b| b.target_offsets[2] = 1,
            |b| b.centers[0] = 3,
            |b| b.targets[1] = Target::new(2, false),
            |b| b.center_rows[0] = 10,
            |b| b.target_rows[1] = 10,
        ];
        for (i, damage) in breaks.into_iter().enumerate() {
            let mut batch = good.clone();
            damage(&mut batch);
            assert!(batch.validate(10, 10).is_err(), "{i}");
        }
    }

    #[test]
    fn pairs_by_center() {
        let batch =
            batch_of(10, &[(vec![7, 2], vec![3]), (vec![2], vec![9, 9]), (vec![], vec![1]), (vec![2, 2], vec![0])]);
        let by_center = batch.by_center();
        assert_eq!(batch.center_rows, [2, 7]);
        assert_eq!((by_center.of(0), by_center.of(1)), (&[3, 9, 9, 0, 0][..], &[3][..]));
        assert_eq!(batch.products(), 6);
    }

    #[test]
    fn a_builder_forgets_the_batch_before() {
        let mut builder = BatchBuilder::new(10, 10);
        let mut batch = Batch::default();
        for _ in 0..2 {
            batch.clear();
            builder.window(&mut batch, &[5, 7], &[Target::new(9, true), Target::new(3, false)]);
            builder.finish(&mut batch);
            assert_eq!(batch.center_rows, [5, 7]);
            assert_eq!(batch.multiplicity, 1);
        }
    }
}
