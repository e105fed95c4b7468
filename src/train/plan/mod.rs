//! The needs of a run, computed before it starts: memory, bindings, disk space, batches and time.
//!
//! Sizes of batches are the largest to be expected; sizes of matrices are exact.

mod probe;
mod ranks;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::probe::{Estimate, probe};
pub use self::ranks::RanksPlan;
use super::dataset::Dataset;
use crate::batch::{GROUP_BLOCKS, Inputs, SPAN, SPAN_CENTERS, Targets};
use crate::corpus::BLOCK_TOKENS;
#[cfg(feature = "gpu")]
use crate::engine::adapter::AdapterSummary;
use crate::engine::choice::Choice;
use crate::engine::cpu;
#[cfg(feature = "gpu")]
use crate::engine::gpu;
use crate::engine::memory::{Allocation, BatchSizes, Sizes};
use crate::error::{Error, Result};
use crate::quantity;
use crate::system::space::{check_disk, is_same_disk};
use crate::system::{available_disk, available_memory, serialize_path, written_to};

/// Bytes that a word takes beside its text: the end of its text, its count, its place in the index,
/// and the probability of keeping it.
const WORD_BYTES: u64 = 28;

/// Bytes that a word takes in the table of noise words.
const NOISE_BYTES: u64 = 8;

/// Number of groups in memory at a time: two being cut into batches, one waiting, one being read.
const GROUPS: u64 = 4;

/// Number of checkpoints on disk at a time: two are kept while a new one is written.
const CHECKPOINTS: u64 = 3;

/// The conditions under which a run will be carried out.
#[derive(Clone, Debug)]
pub struct Setup<'a> {
    /// The chosen engine of each rank; at least one.
    pub choices: &'a [Choice],
    /// The folder of the run's checkpoints; `None` if the run is not saved.
    pub checkpoints: Option<&'a Path>,
    /// The files that will be written, with their sizes in bytes.
    pub files: Vec<(PathBuf, u64)>,
}

/// The needs of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Number of words in the vocabulary.
    pub vocabulary: u64,
    /// Number of rows of W: one for each word, and with subwords for each bucket in use.
    pub input_rows: u64,
    /// Number of rows of W'.
    pub output_rows: u64,
    /// Number of floats in a row.
    pub dim: u64,
    /// Number of epochs.
    pub epochs: u32,
    /// Number of words of the corpus in one epoch.
    pub words: u64,
    /// Number of minibatches of the run, about: the words that subsampling drops are not known yet.
    pub batches: u64,
    /// Number of windows in a minibatch, about.
    pub batch: u64,
    /// What several ranks tell each other; `None` if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranks: Option<RanksPlan>,
    /// The memory that the run needs on the host.
    pub host: HostMemory,
    /// The memory that the run needs on the GPU; `None` for the CPU engine.
    pub device: Option<DeviceMemory>,
    /// The disk space that the run needs.
    pub disk: Vec<Stored>,
}

/// The memory that a run needs on the host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostMemory {
    /// The allocations that are in memory by now.
    pub held: Vec<Allocation>,
    /// The allocations that the run will add, as if all were there at once.
    pub buffers: Vec<Allocation>,
    /// Bytes of `buffers`, and of the device's buffers if it shares the memory of the host.
    pub needed: u64,
    /// Free memory in bytes; `None` where the system does not tell.
    pub available: Option<u64>,
}

/// The memory that a run needs on the GPU.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeviceMemory {
    /// The GPU's name.
    pub adapter: String,
    /// The engine's buffers.
    pub buffers: Vec<Allocation>,
    /// Bytes of all buffers.
    pub needed: u64,
    /// Whether the GPU uses the memory of the host.
    pub shares_memory: bool,
    /// Bytes that a shader can see through one binding.
    pub max_binding: u64,
    /// Number of bindings that each of W and W' needs.
    pub bindings: u64,
}

/// Files of one purpose on a disk.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stored {
    /// The purpose of the files, as a noun phrase for the user.
    pub what: &'static str,
    /// The folder of the files.
    #[serde(serialize_with = "serialize_path")]
    pub folder: PathBuf,
    /// The size of the files in bytes.
    pub bytes: u64,
    /// Whether the files are written by now.
    pub written: bool,
    /// Free space on that disk in bytes; `None` where the system does not tell.
    pub available: Option<u64>,
}

impl Plan {
    /// The plan of a run on `data`.
    pub fn new(data: &Dataset, setup: &Setup<'_>) -> Self {
        let (windows, batches) = batches(data);
        let sizes = Sizes {
            objective: data.objective(),
            input_rows: data.batcher.input_rows() as u64,
            output_rows: data.batcher.output_rows() as u64,
            dim: data.config.model.dim as u64,
            storage: data.config.model.storage,
            batch: batch_sizes(data, windows),
        };
        let device = DeviceMemory::of(&setup.choices[0], &sizes);
        Self {
            vocabulary: data.vocab.len() as u64,
            input_rows: sizes.input_rows,
            output_rows: sizes.output_rows,
            dim: sizes.dim,
            epochs: data.batcher.epochs,
            words: data.batcher.store.tokens(),
            batches,
            batch: data.batcher.batch as u64,
            ranks: RanksPlan::of(data, &sizes, batches),
            host: HostMemory::new(data, &sizes, setup, device.as_ref()),
            device,
            disk: disk(data, &sizes, setup),
        }
    }

    /// Checks that the machine has enough free memory and disk space for the run. Whether the GPU
    /// can hold the model is found out by the engine when it starts.
    ///
    /// # Errors
    /// [`Error::HostMemory`] or [`Error::DiskSpace`], with the settings to change.
    pub fn check(&self) -> Result<()> {
        let HostMemory {
            buffers,
            needed,
            available,
            ..
        } = &self.host;
        if let Some(available) = available.filter(|available| needed > available) {
            let on_device = self
                .device
                .iter()
                .filter(|device| device.shares_memory)
                .flat_map(|device| &device.buffers);
            let largest = buffers
                .iter()
                .chain(on_device)
                .max_by_key(|buffer| buffer.bytes);
            let (what, bytes) =
                largest.map_or(("nothing", 0), |largest| (largest.what, largest.bytes));
            let largest = format!("{what}: {}", quantity::bytes(bytes));
            return Err(Error::HostMemory {
                needed: *needed,
                available,
                largest,
            });
        }
        let left: Vec<&Stored> = self.disk.iter().filter(|stored| !stored.written).collect();
        for stored in &left {
            let on_disk = left
                .iter()
                .filter(|other| is_same_disk(&other.folder, &stored.folder));
            let needed = on_disk.map(|other| other.bytes).sum();
            check_disk(
                stored.what,
                &stored.folder,
                needed,
                stored.available,
                "name a folder on a larger disk",
            )?;
        }
        Ok(())
    }
}

/// The number of windows in a batch and of batches in the run. Both assume that subsampling keeps
/// as many words of each group as it does on average.
fn batches(data: &Dataset) -> (u64, u64) {
    let batcher = &data.batcher;
    let groups = batcher.store.blocks().div_ceil(GROUP_BLOCKS).max(1);
    let ranks = data.dealt_ranks() as f64;
    let kept = data.prepared.kept / groups as f64 / ranks;
    let spans = (kept / SPAN as f64).ceil().max(1.0);
    let per_group = (kept / batcher.batch as f64).round().clamp(1.0, spans);
    let windows = (kept / per_group).ceil() as u64;
    (
        windows,
        groups as u64 * per_group as u64 * u64::from(batcher.epochs),
    )
}

/// The lengths of the arrays of a batch of `positions` positions.
fn batch_sizes(data: &Dataset, positions: u64) -> BatchSizes {
    let batcher = &data.batcher;
    let window = u64::from(batcher.windows.window);
    // A window has centers on both sides. A width drawn from 1 to `window` is (`window` + 1) / 2 on
    // average.
    let centers = positions
        * if batcher.windows.fixed {
            2 * window
        } else {
            window + 1
        };
    let (windows, targets) = match &*batcher.targets {
        Targets::Negatives(negatives) if negatives.per_pair && batcher.inputs == Inputs::Each => {
            (centers, centers * (1 + u64::from(negatives.count)))
        }
        Targets::Negatives(negatives) => (positions, positions * (1 + u64::from(negatives.count))),
        Targets::Path(_) => (
            positions,
            (positions as f64 * path_length(data)).ceil() as u64,
        ),
        Targets::Context => (positions, positions),
    };
    // A span has a center at each of its positions, and centers beyond it that its windows reach.
    // If these may be too many for one span, each window is taken to have its own centers.
    let reached = (positions + positions.div_ceil(SPAN as u64) * 2 * window).min(centers);
    let span_centers = if SPAN as u64 + 2 * window <= SPAN_CENTERS as u64 {
        reached
    } else {
        centers
    };
    let spans = positions
        .div_ceil(SPAN as u64)
        .max(span_centers.div_ceil(SPAN_CENTERS as u64));
    let center_rows = reached.min(data.vocab.len() as u64);
    let target_rows = targets.min(batcher.output_rows() as u64);
    let (parts, part_rows) = parts(data, center_rows);
    BatchSizes {
        spans,
        span_centers,
        windows,
        centers,
        targets,
        center_rows,
        target_rows,
        parts,
        part_rows,
    }
}

/// The most parts of so many different words, and the most rows of W that these are.
fn parts(data: &Dataset, words: u64) -> (u64, u64) {
    let Some(table) = &data.batcher.subwords else {
        return (0, 0);
    };
    // Frequent words, which a batch has, are short; the mean is that of all words.
    let mean = table.parts_of_all() as f64 / table.words() as f64;
    let parts = (words as f64 * mean).ceil() as u64;
    (parts, parts.min(table.rows() as u64))
}

/// Number of inner nodes on the path of a word, on average over the words that subsampling keeps.
fn path_length(data: &Dataset) -> f64 {
    let Targets::Path(tree) = &*data.batcher.targets else {
        return 1.0;
    };
    let kept = |(id, &count): (u32, &u64)| {
        let kept = count as f64 * data.batcher.subsampler.probability(id);
        (kept, kept * tree.path(id).len() as f64)
    };
    let each = (0..).zip(data.vocab.counts()).map(kept);
    let (kept, nodes) = each.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    nodes / kept.max(f64::MIN_POSITIVE)
}

fn total(buffers: &[Allocation]) -> u64 {
    buffers.iter().map(|buffer| buffer.bytes).sum()
}

/// Bytes of both matrices without padding.
fn model_bytes(sizes: &Sizes) -> u64 {
    (sizes.input_rows + sizes.output_rows) * sizes.dim * 4
}

impl HostMemory {
    fn new(
        data: &Dataset,
        sizes: &Sizes,
        setup: &Setup<'_>,
        device: Option<&DeviceMemory>,
    ) -> Self {
        let model = model_bytes(sizes);
        let of_ranks = |each: fn(&Choice) -> usize| setup.choices.iter().map(each).sum::<usize>();
        let threads = of_ranks(Choice::batcher_threads) as u64;
        let ranks = setup.choices.len() as u64;
        let of_words = data
            .batcher
            .subwords
            .as_ref()
            .map_or(0, |_| data.vocab.len());
        let rows = sizes.input_rows + sizes.output_rows + of_words as u64;
        let of_group = data.prepared.kept.min((GROUP_BLOCKS * BLOCK_TOKENS) as f64) as u64;
        let mut buffers = vec![Allocation::new(
            "the model at the start and at the end",
            model,
        )];
        if device.is_none() {
            let of_rank = cpu::buffers(sizes, setup.choices[0].threads());
            let all = of_rank.into_iter();
            buffers.extend(all.map(|one| Allocation::new(one.what, one.bytes * ranks)));
        }
        if data.config.ranks.ranks.is_some() {
            buffers.push(Allocation::new(
                "the ranks' rows at their last meeting",
                model * ranks,
            ));
        }
        buffers.extend([
            // One batch is at the engine, and the queue holds the others; for a device each is also
            // packed.
            Allocation::new(
                "batches in flight",
                (threads + 3 * ranks) * sizes.batch.bytes() * if device.is_some() { 2 } else { 1 },
            ),
            // Each row takes a number of 4 bytes, and one bit.
            Allocation::new(
                "rows numbered by the batcher",
                threads * (4 * rows + rows.div_ceil(8)),
            ),
            Allocation::new("text being cut into batches", GROUPS * of_group * 4),
        ]);
        if setup.checkpoints.is_some() {
            buffers.push(Allocation::new("checkpoint being written", model));
        }
        if data.config.validation.patience.is_some() {
            buffers.push(Allocation::new("the model of the best epoch", model));
        }
        let on_device = device
            .filter(|device| device.shares_memory)
            .map_or(0, |device| device.needed * ranks);
        Self {
            held: held(data),
            needed: total(&buffers) + on_device,
            buffers,
            available: available_memory(),
        }
    }
}

/// The allocations that preparing the corpus has left in memory.
fn held(data: &Dataset) -> Vec<Allocation> {
    let words = data.vocab.len() as u64;
    let text: usize = data.vocab.words().map(str::len).sum();
    let mut held = vec![Allocation::new(
        "vocabulary",
        text as u64 + words * WORD_BYTES,
    )];
    if let Some(table) = &data.batcher.subwords {
        held.push(Allocation::new("parts of the words", table.bytes()));
    }
    match &*data.batcher.targets {
        Targets::Negatives(_) => held.push(Allocation::new("noise words", words * NOISE_BYTES)),
        Targets::Path(tree) => {
            let nodes: usize = (0..words as u32).map(|word| tree.path(word).len()).sum();
            held.push(Allocation::new(
                "paths in the tree",
                words * 8 + nodes as u64 * 4,
            ));
        }
        Targets::Context => {}
    }
    held
}

impl DeviceMemory {
    /// The memory that the engine takes on its device; `None` for the CPU engine.
    fn of(
        choice: &Choice,
        #[cfg_attr(
            not(feature = "gpu"),
            expect(unused, reason = "the CPU engine has no device")
        )]
        sizes: &Sizes,
    ) -> Option<Self> {
        match choice {
            Choice::Cpu { .. } => None,
            #[cfg(feature = "gpu")]
            Choice::Gpu { adapter, .. } => Some(Self::new(sizes, &adapter.summary())),
        }
    }

    #[cfg(feature = "gpu")]
    fn new(sizes: &Sizes, adapter: &AdapterSummary) -> Self {
        let buffers = gpu::buffers(sizes);
        let bindings = gpu::bindings(
            sizes.input_rows.max(sizes.output_rows),
            sizes.dim,
            adapter.max_binding,
        );
        Self {
            adapter: adapter.name.clone(),
            needed: total(&buffers),
            buffers,
            shares_memory: adapter.kind.shares_memory(),
            max_binding: adapter.max_binding,
            bindings,
        }
    }
}

fn disk(data: &Dataset, sizes: &Sizes, setup: &Setup<'_>) -> Vec<Stored> {
    let stored = |what, folder: PathBuf, bytes, written| {
        let available = available_disk(&folder);
        Stored {
            what,
            folder,
            bytes,
            written,
            available,
        }
    };
    let tokens = data.batcher.store.tokens() + data.prepared.held_out;
    let mut disk = vec![stored(
        "token store",
        std::env::temp_dir(),
        tokens * 4,
        true,
    )];
    for (file, bytes) in &setup.files {
        disk.extend(written_to(file).map(|folder| stored("vectors", folder, *bytes, false)));
    }
    if let Some(folder) = setup.checkpoints {
        let models = 1 + u64::from(data.config.validation.patience.is_some());
        disk.push(stored(
            "checkpoints",
            folder.to_owned(),
            CHECKPOINTS * models * model_bytes(sizes),
            false,
        ));
    }
    disk
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(what: &'static str, folder: &Path, bytes: u64, written: bool) -> Stored {
        Stored {
            what,
            folder: folder.to_owned(),
            bytes,
            written,
            available: Some(1000),
        }
    }

    #[test]
    fn all_that_goes_to_a_disk_counts() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let host = HostMemory {
            held: Vec::new(),
            buffers: Vec::new(),
            needed: 5,
            available: Some(5),
        };
        let numbers = Plan {
            vocabulary: 2,
            input_rows: 2,
            output_rows: 2,
            dim: 1,
            epochs: 1,
            words: 1,
            batches: 1,
            batch: 1,
            ranks: None,
            host,
            device: None,
            disk: vec![
                stored("token store", folder, 900, true),
                stored("vectors", folder, 600, false),
            ],
        };
        numbers.check().unwrap();
        let mut too_much = numbers.clone();
        too_much
            .disk
            .push(stored("checkpoints", &folder.join("run"), 401, false));
        let error = too_much.check().unwrap_err().to_string();
        assert!(
            error.contains("1,001 bytes, but 1,000 bytes are free")
                && error.contains("larger disk"),
            "{error}"
        );
        too_much.disk[2].bytes -= 1;
        too_much.check().unwrap();
        let mut too_much = numbers;
        too_much.host.needed = 6;
        too_much.host.buffers = vec![Allocation::new("a", 2), Allocation::new("b", 4)];
        let error = too_much.check().unwrap_err().to_string();
        assert!(
            error.contains("needs 6 bytes") && error.contains("b: 4 bytes"),
            "{error}"
        );
        assert!(error.contains("`dim`, `max_vocab` or `batch`"), "{error}");
    }
}
