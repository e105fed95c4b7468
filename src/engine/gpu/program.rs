//! The kernels of a step: for each objective which ones, what each is bound to, and how many
//! workgroups it takes.

use super::device::Device;
use super::kernels::{
    APPLY_FIXED, APPLY_FLOAT, Kernel, LOSS, Layout, Pipeline, SOFTMAX_CENTER_SUMS, SOFTMAX_ERRORS,
    SOFTMAX_SCORES, SOFTMAX_TARGET_SUMS, WINDOW, WINDOW_OF_WIDE_ROWS,
};
use crate::engine::Objective;

/// Workgroups in a dimension of a dispatch: every adapter allows this many, and kernels stride over
/// the rest.
pub(super) const MAX_GROUPS: usize = 65_535;

/// Rows, and columns, of a product that a workgroup takes: `TILE` of `shaders/product.wgsl`.
pub(super) const PRODUCT_TILE: usize = 64;

/// A buffer, by the part it plays.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// The batch, or a part of it.
    Upload,
    /// W.
    Input,
    /// W'.
    Output,
    /// One of the buffers between the kernels, or its shards.
    Scratch(usize),
    /// A loss for each upload.
    BatchLosses,
    /// The largest elements of W and W', for this step and for the next.
    Largest,
}

/// A kernel of a program.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) pipeline: Pipeline,
    pub(super) bound: &'static [Bound],
}

/// The kernels of an objective, and the buffers between them.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) stages: Vec<Stage>,
    pub(super) scratch: &'static [Between],
}

/// A buffer between the kernels.
#[derive(Debug)]
pub(super) struct Between {
    /// What it holds.
    pub(super) what: &'static str,
    /// Whether it is a matrix, cut as the tables are.
    pub(super) is_matrix: bool,
}

const fn plain(what: &'static str) -> Between {
    Between {
        what,
        is_matrix: false,
    }
}

const fn matrix(what: &'static str) -> Between {
    Between {
        what,
        is_matrix: true,
    }
}

/// Workgroups for a stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dispatch {
    pub(super) stage: usize,
    pub(super) groups: [u32; 2],
}

use Bound::{BatchLosses, Input, Largest, Output, Scratch, Upload};

type StageTable = [(&'static Kernel, Option<bool>, &'static [Bound])];

/// The buffers between the kernels of [`SIGMOID`].
const OF_SIGMOID: &[Between] = &[
    matrix("sums of centers"),
    matrix("sums of targets"),
    plain("losses of spans"),
    plain("sums of spans"),
];

/// Kernel, for `apply` whether to W', and bindings.
const SIGMOID: &StageTable = &[
    (
        &WINDOW,
        None,
        &[
            Upload,
            Scratch(2),
            Largest,
            Input,
            Output,
            Scratch(0),
            Scratch(1),
        ],
    ),
    (
        &APPLY_FIXED,
        Some(false),
        &[Upload, Largest, Input, Scratch(0)],
    ),
    (
        &APPLY_FIXED,
        Some(true),
        &[Upload, Largest, Output, Scratch(1)],
    ),
    (&LOSS, None, &[Upload, Scratch(2), BatchLosses, Largest]),
];

/// The same for rows that are too wide for the memory of a workgroup.
const SIGMOID_OF_WIDE_ROWS: &StageTable = &[
    (
        &WINDOW_OF_WIDE_ROWS,
        None,
        &[
            Upload,
            Scratch(2),
            Largest,
            Scratch(3),
            Input,
            Output,
            Scratch(0),
            Scratch(1),
        ],
    ),
    SIGMOID[1],
    SIGMOID[2],
    SIGMOID[3],
];

/// The buffers between the kernels of [`SOFTMAX`]. The scores become errors.
const OF_SOFTMAX: &[Between] = &[
    plain("scores of a softmax"),
    matrix("sums of centers"),
    matrix("sums of words"),
    plain("losses of centers"),
];

/// The same.
const SOFTMAX: &StageTable = &[
    (&SOFTMAX_SCORES, None, &[Upload, Scratch(0), Input, Output]),
    (&SOFTMAX_ERRORS, None, &[Upload, Scratch(0), Scratch(3)]),
    (
        &SOFTMAX_CENTER_SUMS,
        None,
        &[Upload, Scratch(0), Output, Scratch(1)],
    ),
    (
        &SOFTMAX_TARGET_SUMS,
        None,
        &[Upload, Scratch(0), Input, Scratch(2)],
    ),
    (&APPLY_FLOAT, Some(false), &[Upload, Input, Scratch(1)]),
    (&LOSS, None, &[Upload, Scratch(3), BatchLosses, Largest]),
    (&APPLY_FLOAT, Some(true), &[Upload, Output, Scratch(2)]),
];

impl Program {
    /// Compiles the kernels of an objective.
    pub(super) fn new(
        objective: Objective,
        device: &Device,
        layout: Layout,
        output_rows: usize,
    ) -> Self {
        let (table, scratch) = match objective {
            Objective::Sigmoid if layout.span_sums_fit => (SIGMOID, OF_SIGMOID),
            Objective::Sigmoid => (SIGMOID_OF_WIDE_ROWS, OF_SIGMOID),
            Objective::Softmax => (SOFTMAX, OF_SOFTMAX),
        };
        let rows = ("ROWS", output_rows as f64);
        let stage =
            |&(kernel, is_output, bound): &(&'static Kernel, Option<bool>, &'static [Bound])| {
                let mut constants = Vec::new();
                constants.extend(
                    is_output.map(|is_output| ("IS_OUTPUT", f64::from(u8::from(is_output)))),
                );
                constants.extend(kernel.knows("ROWS").then_some(rows));
                let table =
                    is_output.map_or("", |is_output| if is_output { ": W'" } else { ": W" });
                let name = format!("{}{table}", kernel.name);
                Stage {
                    name,
                    pipeline: kernel.pipeline(device, layout, &constants),
                    bound,
                }
            };
        Self {
            stages: table.iter().map(stage).collect(),
            scratch,
        }
    }
}

/// As many workgroups as items, up to what suits the adapter: kernels stride over the rest.
fn line(stage: usize, items: usize, layout: Layout) -> Dispatch {
    Dispatch {
        stage,
        groups: [items.min(layout.groups) as u32, 1],
    }
}

/// Workgroups for a product of so many rows and columns.
fn tiles(stage: usize, rows: usize, columns: usize) -> Dispatch {
    Dispatch {
        stage,
        groups: [
            columns.div_ceil(PRODUCT_TILE) as u32,
            rows.div_ceil(PRODUCT_TILE) as u32,
        ],
    }
}

/// Bytes that the sums of spans take in a buffer, where they are not in the memory of workgroups.
pub(super) const SPAN_SUMS_BYTES: u64 = 64 << 20;

/// Workgroups that take spans, and the bytes that their sums take in a buffer.
pub(super) fn spans_at_once(layout: Layout, spans: usize) -> (usize, u64) {
    if layout.span_sums_fit {
        return (spans, 0);
    }
    let bytes = 16 * u64::from(layout.span_sums());
    let groups = spans
        .min(layout.groups)
        .min((SPAN_SUMS_BYTES / bytes).max(1) as usize);
    (groups, groups as u64 * bytes)
}

/// A step of [`Objective::Sigmoid`].
pub(super) fn sigmoid(
    layout: Layout,
    spans: usize,
    centers: usize,
    targets: usize,
) -> [Dispatch; 4] {
    let (groups, _) = spans_at_once(layout, spans);
    [
        line(0, groups, layout),
        line(1, centers, layout),
        line(2, targets, layout),
        line(3, 1, layout),
    ]
}

/// A tile of centers in a step of [`Objective::Softmax`]; `last` moves W'.
pub(super) fn softmax(layout: Layout, centers: usize, words: usize, last: bool) -> Vec<Dispatch> {
    let columns = layout.width as usize * 4;
    let mut dispatches = vec![
        tiles(0, centers, words),
        line(1, centers, layout),
        tiles(2, centers, columns),
        tiles(3, words, columns),
        line(4, centers, layout),
        line(5, 1, layout),
    ];
    dispatches.extend(last.then(|| line(6, words, layout)));
    dispatches
}
