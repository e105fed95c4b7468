//! A section of a batch, for machines that share the windows of one step.

use std::ops::Range;

use super::Batch;
use super::group::share;
use super::targets::POOL_SPANS;

impl Batch {
    /// This batch with the windows of one of `sections` sections alone, cut between pools. Spans,
    /// windows and slots keep their numbers, so that draws and sums are those of the whole batch.
    /// Windows of the other sections have no centers and no targets.
    pub(crate) fn section(&self, section: usize, sections: usize) -> Self {
        let pools = share(self.spans().div_ceil(POOL_SPANS), section, sections);
        let span = |pool: usize| (pool * POOL_SPANS).min(self.spans());
        let spans = span(pools.start)..span(pools.end);
        let windows =
            self.span_windows[spans.start] as usize..self.span_windows[spans.end] as usize;
        let (span_center_offsets, span_centers) =
            cut(&self.span_center_offsets, &self.span_centers, spans);
        let (center_offsets, centers) = cut(&self.center_offsets, &self.centers, windows.clone());
        let (target_offsets, targets) = cut(&self.target_offsets, &self.targets, windows);
        Self {
            inputs: self.inputs,
            span_windows: self.span_windows.clone(),
            span_center_offsets,
            span_centers,
            center_offsets,
            centers,
            target_offsets,
            targets,
            center_rows: self.center_rows.clone(),
            target_rows: self.target_rows.clone(),
            center_bits: self.center_bits.clone(),
            target_bits: self.target_bits.clone(),
            center_contribution_bits: self.center_contribution_bits,
            target_contribution_bits: self.target_contribution_bits,
            parts: self.parts.clone(),
            epoch: self.epoch,
            words_before: self.words_before,
            words: self.words,
            packed: super::Packed::default(),
        }
    }
}

/// Lists of which those in `kept` alone have items.
fn cut<T: Copy>(offsets: &[u32], items: &[T], kept: Range<usize>) -> (Vec<u32>, Vec<T>) {
    let (start, end) = (offsets[kept.start], offsets[kept.end]);
    let offset = |&offset: &u32| offset.clamp(start, end) - start;
    (
        offsets.iter().map(offset).collect(),
        items[start as usize..end as usize].to_vec(),
    )
}

#[cfg(test)]
mod tests {
    use crate::batch::Batch;
    use crate::batch::tests::batch_of;

    /// Every window is in one section, whole, under its own number.
    #[test]
    fn sections_make_up_the_batch() {
        let windows: Vec<_> = (0..700u32)
            .map(|w| ((0..w % 5).collect(), vec![w % 40, w % 7]))
            .collect();
        let batch = batch_of(40, &windows);
        for count in [1, 2, 3, 7, 2000] {
            let section = |index| batch.section(index, count);
            let sections: Vec<Batch> = (0..count).map(section).collect();
            for section in &sections {
                section.validate(40, 40).unwrap();
            }
            for window in 0..batch.windows() {
                let own = sections
                    .iter()
                    .filter(|section| !section.targets_of(window).is_empty());
                let own: Vec<_> = own.collect();
                assert_eq!(own.len(), 1, "window {window}");
                assert_eq!(own[0].targets_of(window), batch.targets_of(window));
                assert_eq!(own[0].centers_of(window), batch.centers_of(window));
            }
            let examples: u64 = sections.iter().map(Batch::examples).sum();
            assert_eq!(examples, batch.examples());
        }
        assert_eq!(batch.section(0, 1), batch);
    }
}
