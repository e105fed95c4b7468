//! Windows: how wide they are, and how they are cut into spans.

use std::ops::Range;

use rand::Rng;

use super::SPAN_CENTERS;
use crate::corpus::END;
use crate::sampling::below;

/// Length of a **span**: this many consecutive positions stay together when positions are shuffled.
///
/// Shuffling single positions gains no quality, and neighbouring windows share their center rows.
pub const SPAN: usize = 16;

/// How window widths are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The largest distance between a context and a center, in kept words; at least 1.
    pub window: u32,
    /// Whether every window has the width `window`. If not, each draws a width from 1 to `window`.
    pub fixed: bool,
}

impl Windows {
    /// The distance in kept words to which a window reaches on each side: drawn, or the largest.
    #[inline]
    pub(super) fn reach(self, rng: &mut impl Rng) -> usize {
        let reach = if self.fixed {
            self.window
        } else {
            1 + below(self.window, rng.next_u32())
        };
        reach as usize
    }
}

/// The positions within reach of a context in its sentence. The context's own position is among
/// them.
pub(super) fn around(tokens: &[u32], position: usize, reach: usize) -> Range<usize> {
    let ends = |token: &u32| token & END != 0;
    let first = position.saturating_sub(reach);
    let first = tokens[first..position]
        .iter()
        .rposition(ends)
        .map_or(first, |end| first + end + 1);
    let last = tokens.len().min(position + 1 + reach);
    let last = tokens[position..last]
        .iter()
        .position(ends)
        .map_or(last, |end| position + end + 1);
    first..last
}

/// A window that is to be added to a batch, as positions among the group's tokens.
#[derive(Debug)]
pub(super) struct Window<R> {
    pub(super) context: usize,
    /// The context's position may lie in this range, but the context is not one of the centers.
    pub(super) centers: Range<usize>,
    /// Number of centers in the earlier parts of the window, if it was cut into several.
    pub(super) before: usize,
    /// The generator of the window's draws, after the draw of its width.
    pub(super) rng: R,
}

impl<R> Window<R> {
    /// The places of its centers in a span whose first center is at position `span`.
    #[inline]
    pub(super) fn places(&self, span: usize) -> Places {
        Places {
            context: self.context,
            centers: self.centers.clone(),
            span,
        }
    }
}

/// Adds a window, unless it has no center. A window with more centers than a span can hold is cut
/// into several with the same targets.
#[inline]
pub(super) fn add_window<R: Clone>(
    context: usize,
    centers: Range<usize>,
    rng: R,
    windows: &mut Vec<Window<R>>,
) {
    let mut left = centers.clone();
    while !left.is_empty() {
        let before = left.start - centers.start;
        let part = left.start..left.end.min(left.start + SPAN_CENTERS);
        left.start = part.end;
        if part != (context..context + 1) {
            windows.push(Window {
                context,
                centers: part,
                before,
                rng: rng.clone(),
            });
        }
    }
}

/// How many of the first windows fit into one span, and the range of positions of its centers.
#[inline]
pub(super) fn as_one_span<R>(windows: &[Window<R>]) -> (usize, Range<usize>) {
    let mut positions = windows[0].centers.clone();
    for (count, Window { centers, .. }) in windows.iter().enumerate() {
        let all = positions.start.min(centers.start)..positions.end.max(centers.end);
        if all.len() > SPAN_CENTERS {
            return (count, positions);
        }
        positions = all;
    }
    (windows.len(), positions)
}

/// Where the centers of a window stand among those of its span, whose first center is at position
/// `span`.
pub(super) struct Places {
    pub(super) context: usize,
    pub(super) centers: Range<usize>,
    pub(super) span: usize,
}

impl Places {
    /// The centers before the context and those behind it, as indices into the span's centers.
    #[inline]
    pub(super) fn ranges(&self) -> [Range<u8>; 2] {
        let &Self {
            context,
            centers: Range { start, end },
            span,
        } = self;
        let place = |position: usize| (position - span) as u8;
        let (before, behind) = (context.clamp(start, end), (context + 1).clamp(start, end));
        [place(start)..place(before), place(behind)..place(end)]
    }

    pub(super) fn all(&self) -> impl Iterator<Item = u8> {
        self.ranges().into_iter().flatten()
    }
}
