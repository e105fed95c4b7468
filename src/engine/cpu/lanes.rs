//! Rows in SIMD-sized pieces.
//!
//! All arithmetic is on fixed pieces of 16 elements in plain Rust; the compiler turns it into
//! AVX-512, AVX2 or NEON instructions within [`pulp::Arch::dispatch`]. Since the pieces don't
//! change with the processor, neither do the results.

use crate::batch::Row;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use bytemuck::{Pod, Zeroable};
use pulp::Simd;

use crate::model::Matrix;

/// Elements in a piece.
pub(super) const LANES: usize = 16;

/// A cache line of floats.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Floats(pub(super) [f32; LANES]);

/// A cache line of integers: fixed-point sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C, align(64))]
pub(super) struct Integers(pub(super) [i32; LANES]);

impl Floats {
    pub(super) const ZERO: Self = Self([0.0; LANES]);

    /// `self + a * b`, rounded once.
    #[inline(always)]
    pub(super) fn add_product(mut self, a: Self, b: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = a.0[lane].mul_add(b.0[lane], self.0[lane]);
        }
        self
    }

    /// `self + a * b` for one factor `a`.
    #[inline(always)]
    pub(super) fn add_scaled(mut self, a: f32, b: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = a.mul_add(b.0[lane], self.0[lane]);
        }
        self
    }

    /// The larger value in each lane.
    #[inline(always)]
    pub(super) fn max(mut self, other: Self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = if other.0[lane] > self.0[lane] {
                other.0[lane]
            } else {
                self.0[lane]
            };
        }
        self
    }

    /// The magnitude of each lane.
    #[inline(always)]
    pub(super) fn magnitudes(mut self) -> Self {
        for lane in 0..LANES {
            self.0[lane] = self.0[lane].abs();
        }
        self
    }

    /// The sum of all lanes, in a fixed order.
    #[expect(
        clippy::needless_range_loop,
        reason = "lanes are paired with lanes further on"
    )]
    #[inline(always)]
    pub(super) fn sum(self) -> f32 {
        let (mut eight, mut four) = ([0.0f32; 8], [0.0f32; 4]);
        for lane in 0..8 {
            eight[lane] = self.0[lane] + self.0[lane + 8];
        }
        for lane in 0..4 {
            four[lane] = eight[lane] + eight[lane + 4];
        }
        (four[0] + four[2]) + (four[1] + four[3])
    }
}

impl Integers {
    pub(super) const ZERO: Self = Self([0; LANES]);

    /// Adds `other`. Wraps only for values that are no numbers, which the loss reports.
    #[inline(always)]
    pub(super) fn add(&mut self, other: &Self) {
        let mut sum = *self;
        for lane in 0..LANES {
            sum.0[lane] = sum.0[lane].wrapping_add(other.0[lane]);
        }
        *self = sum;
    }

    /// The sums as floats, rounded to the nearest.
    #[inline(always)]
    pub(super) fn to_floats(self) -> Floats {
        let mut floats = Floats::ZERO;
        for lane in 0..LANES {
            floats.0[lane] = self.0[lane] as f32;
        }
        floats
    }
}

/// Vectors of a processor in a piece.
#[inline(always)]
pub(super) const fn per_piece<S: Simd>() -> usize {
    LANES / S::F32_LANES
}

/// A row in the processor's vectors.
#[inline(always)]
pub(super) fn vectors<S: Simd>(row: &[Floats]) -> &[S::f32s] {
    bytemuck::cast_slice(row)
}

/// [`Floats::sum`] of a piece in the processor's vectors, of which the first [`per_piece`] count.
#[inline(always)]
pub(super) fn sum_of_lanes<S: Simd>(simd: S, mut vectors: [S::f32s; LANES]) -> f32 {
    match S::F32_LANES {
        LANES => simd.reduce_sum_f32s(vectors[0]),
        8 => simd.reduce_sum_f32s(simd.add_f32s(vectors[0], vectors[1])),
        _ => {
            let mut left = per_piece::<S>();
            while left > 1 {
                left /= 2;
                for at in 0..left {
                    vectors[at] = simd.add_f32s(vectors[at], vectors[at + left]);
                }
            }
            let mut last = [0.0; 4];
            let lanes: &[f32] = bytemuck::cast_slice(&vectors[..1]);
            last[..lanes.len()].copy_from_slice(lanes);
            (last[0] + last[2]) + (last[1] + last[3])
        }
    }
}

/// The largest magnitude of an element that a table has had, as a float's bits: those of numbers
/// that are not negative are ordered as the numbers are.
#[derive(Debug)]
pub(super) struct Largest(AtomicU32);

impl Largest {
    fn new(value: f32) -> Self {
        Self(AtomicU32::new(value.to_bits()))
    }

    fn get(&self) -> f32 {
        f32::from_bits(self.0.load(Ordering::Relaxed))
    }

    pub(super) fn raise(&self, magnitudes: Floats) {
        // A NaN is never the larger one: the loss reports it.
        let largest = magnitudes.0.into_iter().fold(0.0, f32::max);
        self.0.fetch_max(largest.to_bits(), Ordering::Relaxed);
    }
}

/// A matrix with each row padded by zeros to whole pieces.
#[derive(Debug)]
pub(super) struct PaddedMatrix {
    dim: usize,
    width: usize,
    pieces: Vec<Floats>,
    /// Rows that are [`shared`](Self::shared) raise it; others leave it as it was.
    largest: Largest,
}

impl PaddedMatrix {
    pub(super) fn new(matrix: &Matrix) -> Self {
        let width = matrix.dim().div_ceil(LANES);
        let mut pieces = vec![Floats::ZERO; matrix.rows() * width];
        for (row, padded) in pieces.chunks_exact_mut(width).enumerate() {
            bytemuck::cast_slice_mut(padded)[..matrix.dim()].copy_from_slice(matrix.row(row));
        }
        Self {
            dim: matrix.dim(),
            width,
            pieces,
            largest: Largest::new(matrix.largest()),
        }
    }

    /// A matrix of no rows, to hold such as this one has.
    pub(super) fn empty(&self) -> Self {
        Self {
            dim: self.dim,
            width: self.width,
            pieces: Vec::new(),
            largest: Largest::new(0.0),
        }
    }

    /// Makes room for `rows` rows, whose elements will be no larger than `largest`.
    pub(super) fn fit(&mut self, rows: usize, largest: f32) {
        let pieces = rows * self.width;
        if self.pieces.len() < pieces {
            self.pieces.resize(pieces, Floats::ZERO);
        }
        self.largest = Largest::new(largest);
    }

    /// Floats in a row, without padding.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// The largest magnitude of an element so far.
    pub(super) fn largest(&self) -> f32 {
        self.largest.get()
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.pieces.len() / self.width
    }

    /// Pieces in a row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    #[inline(always)]
    pub(super) fn row(&self, row: usize) -> &[Floats] {
        &self.pieces[row * self.width..][..self.width]
    }

    /// Where a row starts.
    #[inline(always)]
    pub(super) fn address(&self, row: usize) -> Address {
        Address::of(&self.pieces, row * self.width)
    }

    /// All pieces, row after row.
    #[inline(always)]
    pub(super) fn pieces(&self) -> &[Floats] {
        &self.pieces
    }

    /// All pieces, to be changed.
    pub(super) fn pieces_mut(&mut self) -> &mut [Floats] {
        &mut self.pieces
    }

    /// Some rows, in ascending order, to be changed by several threads at once.
    pub(super) fn shared<'a>(&'a mut self, rows: &'a [Row]) -> SharedRows<'a> {
        let ascend = rows.is_sorted_by(|a, b| a < b);
        assert!(
            ascend && rows.last().is_none_or(|last| last.index() < self.rows()),
            "slots are rows of the table"
        );
        SharedRows {
            pieces: self.pieces.as_mut_ptr(),
            rows,
            width: self.width,
            largest: &self.largest,
            table: PhantomData,
        }
    }

    /// The values without padding.
    pub(super) fn matrix(&self) -> Matrix {
        self.matrix_of(0..self.rows())
    }

    /// The values of some rows without padding.
    pub(super) fn matrix_of(&self, rows: Range<usize>) -> Matrix {
        let pieces = &self.pieces[rows.start * self.width..rows.end * self.width];
        let rows = pieces.chunks_exact(self.width);
        let values = rows
            .flat_map(|row| &bytemuck::cast_slice::<Floats, f32>(row)[..self.dim])
            .copied();
        Matrix::from_values(self.dim, values.collect()).having_reached(self.largest())
    }

    /// Replaces the rows from row `first` on, and raises the largest magnitude to theirs.
    pub(super) fn set_rows(&mut self, first: usize, rows: &Matrix) {
        let pieces = &mut self.pieces[first * self.width..];
        for (row, padded) in pieces
            .chunks_exact_mut(self.width)
            .take(rows.rows())
            .enumerate()
        {
            bytemuck::cast_slice_mut(padded)[..self.dim].copy_from_slice(rows.row(row));
        }
        let mut reached = Floats::ZERO;
        reached.0[0] = rows.largest();
        self.largest.raise(reached);
    }
}

/// Some rows of a table, by slot, each of which one thread may change.
#[derive(Debug)]
pub(super) struct SharedRows<'a> {
    pieces: *mut Floats,
    /// Each slot's row: all differ, and the table has them.
    rows: &'a [Row],
    width: usize,
    /// To be raised by whoever moves rows.
    pub(super) largest: &'a Largest,
    table: PhantomData<&'a mut PaddedMatrix>,
}

#[expect(
    unsafe_code,
    reason = "rows shared out one by one are no ranges into which a table could be cut"
)]
// SAFETY: a row is reached through `row_mut` alone, whose callers take care that no two threads
// have the same.
unsafe impl Sync for SharedRows<'_> {}

impl SharedRows<'_> {
    /// Where the row of a slot starts.
    #[inline(always)]
    pub(super) fn address(&self, slot: usize) -> Address {
        Address(
            self.pieces
                .wrapping_add(self.rows[slot].index() * self.width)
                .addr(),
        )
    }

    /// The row of a slot.
    ///
    /// # Safety
    /// For as long as it is in use, no one may ask for the same slot.
    #[expect(unsafe_code, reason = "see above")]
    #[expect(
        clippy::mut_from_ref,
        reason = "whoever calls it is alone with the row"
    )]
    #[inline(always)]
    pub(super) unsafe fn row_mut(&self, slot: usize) -> &mut [Floats] {
        let start = self.rows[slot].index() * self.width;
        // SAFETY: the row lies within the table, which is borrowed; no other slot has it, and no
        // one else has the slot.
        unsafe { std::slice::from_raw_parts_mut(self.pieces.add(start), self.width) }
    }
}

/// Gives the processor a hint about a cache line: an instruction for each architecture that is
/// known here, on others nothing.
macro_rules! hint {
    ($line:expr, x86_64: $x86_64:literal, aarch64: $aarch64:literal) => {{
        let line: usize = $line;
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        #[expect(unsafe_code, reason = "there are no stable intrinsics for all of these")]
        // SAFETY: a prefetch reads nothing into the program, and does nothing where there is
        // nothing.
        unsafe {
            #[cfg(target_arch = "x86_64")]
            std::arch::asm!($x86_64, line = in(reg) line, options(nomem, nostack, preserves_flags));
            #[cfg(target_arch = "aarch64")]
            std::arch::asm!($aarch64, line = in(reg) line, options(nomem, nostack, preserves_flags));
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let _ = line;
    }};
}

/// Where something starts that will be needed soon.
#[derive(Clone, Copy, Debug)]
pub(super) struct Address(usize);

impl Address {
    /// Where an element lies.
    #[inline(always)]
    pub(super) fn of<T>(elements: &[T], index: usize) -> Self {
        Self(elements.as_ptr().wrapping_add(index).addr())
    }

    /// Asks the processor to bring the `line`-th cache line from there on into its cache.
    #[inline(always)]
    pub(super) fn prefetch(self, line: usize) {
        hint!(self.line(line), x86_64: "prefetcht0 [{line}]", aarch64: "prfm pldl1keep, [{line}]");
    }

    /// Asks for the line to be written to: no other core has it any more.
    #[inline(always)]
    pub(super) fn prefetch_to_write(self, line: usize) {
        hint!(self.line(line), x86_64: "prefetchw [{line}]", aarch64: "prfm pstl1keep, [{line}]");
    }

    #[inline(always)]
    fn line(self, line: usize) -> usize {
        self.0.wrapping_add(line * size_of::<Floats>())
    }
}
