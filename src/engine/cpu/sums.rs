//! Fixed-point sums: each thread has its own, for the rows that it touches.
//!
//! A thread then moves rows that it has touched itself: most are touched by one thread alone, whose
//! cache has all that it takes.

use super::lanes::{Floats, Integers};

/// Slots in a word of marks.
const WORD: usize = u64::BITS as usize;

/// The sums of one thread for the rows of one table.
#[derive(Debug, Default)]
pub(super) struct SlotSums {
    /// Slot after slot. The sums of a slot that was not touched mean nothing.
    pub(super) sums: Vec<Integers>,
    /// A bit for each slot.
    touched: Vec<u64>,
}

impl SlotSums {
    /// Forgets the batch before, and makes room for the next, with sums of `width` pieces.
    pub(super) fn start(&mut self, slots: usize, width: usize) {
        self.touched.clear();
        self.touched.resize(slots.div_ceil(WORD), 0);
        if self.sums.len() < slots * width {
            self.sums.resize(slots * width, Integers::ZERO);
        }
    }

    /// Marks a slot as touched. Returns which bits of its sums so far count: all, or none if this
    /// is the first time.
    #[inline(always)]
    pub(super) fn touch(&mut self, slot: usize) -> u32 {
        let (word, bit) = (&mut self.touched[slot / WORD], slot % WORD);
        let before = (*word >> bit & 1) as u32;
        *word |= 1 << bit;
        before.wrapping_neg()
    }

    /// Replaces the sum of a slot, of rows of `width` pieces, and marks the slot as touched.
    pub(super) fn set(&mut self, slot: usize, width: usize, values: &[i32]) {
        self.touch(slot);
        let sums = &mut self.sums[slot * width..][..width];
        sums.fill(Integers::ZERO);
        bytemuck::cast_slice_mut(sums)[..values.len()].copy_from_slice(values);
    }

    /// The sums of a slot, if it was touched.
    #[inline(always)]
    pub(super) fn of(&self, slot: usize, width: usize) -> Option<&[Integers]> {
        let touched = self.touched[slot / WORD] >> (slot % WORD) & 1 == 1;
        touched.then(|| &self.sums[slot * width..][..width])
    }
}

/// The total of all threads' sums of a slot, in `total`.
#[inline(always)]
pub(super) fn add_total(sums: &[&SlotSums], slot: usize, total: &mut [Integers]) {
    let width = total.len();
    total.fill(Integers::ZERO);
    for own in sums.iter().filter_map(|sums| sums.of(slot, width)) {
        for (total, sum) in total.iter_mut().zip(own) {
            total.add(sum);
        }
    }
}

/// The total of all threads' sums of a slot as floats, with so large a unit, which is a power of two.
/// `total` is a buffer.
#[inline(always)]
pub(super) fn total_in_floats(
    sums: &[&SlotSums],
    slot: usize,
    unit: f32,
    total: &mut [Integers],
    floats: &mut [Floats],
) {
    add_total(sums, slot, total);
    for (float, total) in floats.iter_mut().zip(total) {
        *float = Floats::ZERO.add_scaled(unit, total.to_floats());
    }
}

/// The slots whose rows a thread should move, in ascending order: each touched slot is shared out
/// to one thread of those that touched it.
#[inline(always)]
pub(super) fn shared_out<'a>(
    sums: &'a [&SlotSums],
    thread: usize,
) -> impl Iterator<Item = usize> + Clone + 'a {
    (0..sums[thread].touched.len()).flat_map(move |word| {
        // Another thread is the first to choose in each word.
        let turn = (thread + word) % sums.len();
        let before = (0..turn).map(|earlier| (thread + sums.len() - turn + earlier) % sums.len());
        let taken = before.fold(0, |taken, other| taken | sums[other].touched[word]);
        let mut left = sums[thread].touched[word] & !taken;
        std::iter::from_fn(move || {
            let bit = (left != 0).then(|| left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(word * WORD + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_touched_slot_goes_to_one_thread_that_touched_it(
            touched in prop::collection::vec(prop::collection::btree_set(0usize..300, 0..200), 1..6),
        ) {
            let threads: Vec<SlotSums> = touched
                .iter()
                .map(|slots| {
                    let mut sums = SlotSums::default();
                    sums.start(300, 1);
                    slots.iter().for_each(|&slot| assert_eq!(sums.touch(slot), 0));
                    assert!(slots.iter().all(|&slot| sums.touch(slot) == u32::MAX));
                    sums
                })
                .collect();
            let all: Vec<&SlotSums> = threads.iter().collect();
            let mut owners = [0; 300];
            for (thread, touched) in touched.iter().enumerate() {
                let own: Vec<usize> = shared_out(&all, thread).collect();
                prop_assert!(own.is_sorted() && own.iter().all(|slot| touched.contains(slot)));
                own.iter().for_each(|&slot| owners[slot] += 1);
            }
            for (slot, owners) in owners.into_iter().enumerate() {
                prop_assert_eq!(owners, usize::from(touched.iter().any(|touched| touched.contains(&slot))));
            }
        }
    }

    #[test]
    fn the_batch_before_is_forgotten() {
        let mut sums = SlotSums::default();
        sums.start(70, 2);
        sums.touch(69);
        assert_eq!(sums.of(69, 2).map(<[_]>::len), Some(2));
        sums.start(90, 2);
        assert!((0..90).all(|slot| sums.of(slot, 2).is_none()));
    }
}
