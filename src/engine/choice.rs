//! Which engine trains: the one that was asked for, or the one that suits the machine.

use std::fmt;

use super::adapter::{AdapterKind, AdapterSummary};
use super::cpu::{self, CpuEngine};
#[cfg(feature = "gpu")]
use super::gpu::{self, GpuAdapter, GpuEngine, GpuOptions};
use super::{Engine, Objective};
use crate::error::{Error, Result};
use crate::model::{Model, Storage};
use crate::system::thread_count;

/// The kinds of engines that train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The processor's cores.
    Cpu,
    /// A GPU, or a program that stands for one.
    Gpu,
}

impl EngineKind {
    /// The kind of an engine by its description ([`Engine::describe`]), which begins with it.
    pub fn of_description(engine: &str) -> Option<Self> {
        match engine.split(' ').next() {
            Some("cpu") => Some(Self::Cpu),
            Some("gpu") => Some(Self::Gpu),
            _ => None,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
        })
    }
}

/// Which engine is asked for. By default a hardware GPU is taken where there is one, otherwise the
/// CPU.
#[derive(Clone, Debug, Default)]
pub struct EngineRequest {
    /// The kind of engine; none takes the fastest.
    pub kind: Option<EngineKind>,
    /// A GPU by its index or a part of its name, as [`adapters`] lists them. Several ranks have
    /// several: indices with commas between them, or `all` for all GPUs of the best kind.
    pub adapter: Option<String>,
    /// Threads of the CPU engine and of the batcher, 1 to 1024; none takes one for each core.
    pub threads: Option<usize>,
    /// Whether shaders check bounds; none checks them in debug builds alone.
    pub shader_checks: Option<bool>,
    /// The place of this process among the processes of the run, where each is a rank; none is a
    /// run of one process.
    pub process: Option<Process>,
    /// The kind of engine that a run was on which is resumed; it is taken again unless another one
    /// is asked for.
    pub resumed: Option<EngineKind>,
}

/// The place of a process among those of a run, each of which is a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Number of ranks.
    pub ranks: usize,
    /// Number of this rank among those of its machine, from 0.
    pub local: usize,
    /// Number of ranks on this machine, which share its threads and its adapters.
    pub locals: usize,
}

/// How an engine makes its steps; the settings of a run give all of it.
#[derive(Clone, Copy, Debug)]
pub struct StepSettings {
    /// Each step moves a row by at most this much (its Euclidean length).
    pub clip: f32,
    /// In what the matrices are stored.
    pub storage: Storage,
    /// The seed of the draws by which 16-bit floats are rounded.
    pub seed: u64,
}

/// An engine that was chosen and is not started yet.
#[derive(Clone, Debug)]
pub enum Choice {
    /// The CPU engine.
    Cpu {
        /// Its threads.
        threads: usize,
    },
    /// The GPU engine.
    #[cfg(feature = "gpu")]
    Gpu {
        /// The adapter that it runs on.
        adapter: Box<GpuAdapter>,
        /// How the adapter is used; what [`StepSettings`] say is replaced by them.
        options: GpuOptions,
        /// Threads that make batches.
        threads: usize,
        /// Whether nobody asked for the GPU engine. The CPU engine then stands in where the adapter
        /// cannot be trained on.
        automatic: bool,
    },
}

/// An engine that was started.
pub struct Started {
    /// The engine.
    pub engine: Box<dyn Engine + Send>,
    /// Threads that make batches while it trains.
    pub batcher_threads: usize,
    /// Where another engine than the chosen one was started: which and why, in one line.
    pub instead: Option<String>,
}

impl Choice {
    /// Chooses an engine, and says which and why, in one line.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that contradict each other, [`Error::Adapter`] when no
    /// adapter fits.
    pub fn new(request: &EngineRequest) -> Result<(Self, String)> {
        let threads = thread_count(request.threads)?;
        let kind = request.kind.or(request.resumed);
        let by = match (request.kind, request.resumed) {
            (None, Some(_)) => "as in the checkpoint",
            _ => "as asked",
        };
        if kind == Some(EngineKind::Cpu) {
            if let Some(adapter) = &request.adapter {
                return Err(Error::setting("adapter", adapter, contradiction(request)));
            }
            return Ok((Self::Cpu { threads }, format!("engine: cpu, {by}")));
        }
        Self::on_gpu(request, kind, threads, by)
    }

    /// Chooses the engines of several ranks, and says which and why, in one line. Ranks on the CPU
    /// share its threads; each rank on a GPU has an adapter, which may be named several times. The
    /// number of ranks is that of the adapters where it is not given.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when there are not as many adapters as ranks.
    pub fn of_ranks(request: &EngineRequest, ranks: Option<usize>) -> Result<(Vec<Self>, String)> {
        if let Some(process) = request.process {
            return Self::of_process(request, process, ranks);
        }
        let names = request.adapter.as_deref().map(named).transpose()?;
        let names = names.unwrap_or_default();
        let (mut choices, mut line) = match &names[..] {
            [] | [_] => {
                let (choice, line) = Self::new(request)?;
                (vec![choice], line)
            }
            [first, ..] => {
                let of = |name: &String| EngineRequest {
                    adapter: Some(name.clone()),
                    ..request.clone()
                };
                let (_, line) = Self::new(&of(first))?;
                let choices = names.iter().map(|name| Ok(Self::new(&of(name))?.0));
                (choices.collect::<Result<Vec<_>>>()?, line)
            }
        };
        let count = ranks.unwrap_or(choices.len());
        if count > 1 && choices[0].kind() == EngineKind::Cpu {
            choices = vec![choices[0].clone(); count];
            line += &format!("; {count} ranks share its threads");
        } else if choices.len() > 1 {
            let others: Vec<String> = choices[1..].iter().map(Self::adapter_name).collect();
            line += &format!("; with it {}", others.join(", "));
        }
        if choices.len() != count {
            let why = format!(
                "needs an adapter for each rank, and {} named: give their indices, such as \
                 `adapter = 0,1`, or `adapter = all`; an adapter may be named several times",
                match choices.len() {
                    1 => "one is".to_owned(),
                    several => format!("{several} are"),
                }
            );
            return Err(Error::setting("ranks", count, why));
        }
        let choices = choices.iter().map(|choice| choice.of_rank(count));
        Ok((choices.collect(), line))
    }

    /// Chooses the engine of a process that is a rank. The ranks of a machine take its adapters in
    /// turn, and share its cores unless a number of threads is asked for.
    fn of_process(
        request: &EngineRequest,
        process: Process,
        ranks: Option<usize>,
    ) -> Result<(Vec<Self>, String)> {
        let Process { local, locals, .. } = process;
        if let Some(ranks) = ranks.filter(|&ranks| ranks != process.ranks) {
            let why = format!(
                "the launcher started {} of them; leave it out",
                process.ranks
            );
            return Err(Error::setting("ranks", ranks, why));
        }
        let on_cpu = request.kind.or(request.resumed) == Some(EngineKind::Cpu);
        let names = match &request.adapter {
            Some(list) => named(list)?,
            None if on_cpu || locals == 1 => Vec::new(),
            None => named("all").unwrap_or_default(),
        };
        if !names.is_empty() && names.len() < locals {
            let why = format!(
                "{locals} ranks of this machine need an adapter each: name as many, such as \
                 `adapter = 0,1`; an adapter may be named several times"
            );
            return Err(Error::setting("adapter", names.join(","), why));
        }
        let own = EngineRequest {
            adapter: names.get(local).cloned(),
            process: None,
            ..request.clone()
        };
        let (choice, line) = Self::new(&own)?;
        let choice = match request.threads {
            None => choice.of_rank(locals),
            Some(_) => choice,
        };
        Ok((vec![choice], format!("{line}; {} ranks", process.ranks)))
    }

    #[cfg(feature = "gpu")]
    fn on_gpu(
        request: &EngineRequest,
        kind: Option<EngineKind>,
        threads: usize,
        by: &str,
    ) -> Result<(Self, String)> {
        let adapter = request.adapter.as_deref();
        if kind.is_some() || adapter.is_some() {
            let (adapter, others) = gpu::find(adapter)?;
            let mut why = format!("engine: gpu, {}, {by}", adapter.describe());
            if !others.is_empty() {
                let others = others.join(", ");
                why += &format!("; the name also fits {others}: `adapter` takes an index too");
            }
            return Ok((Self::gpu(adapter, request.shader_checks, threads), why));
        }
        Ok(match gpu::hardware() {
            Some(adapter) => {
                let why = format!(
                    "engine: gpu, {}: the fastest kind of adapter here",
                    adapter.describe()
                );
                let gpu = Self::gpu(adapter, request.shader_checks, threads);
                (gpu.chosen_automatically(), why)
            }
            None => (
                Self::Cpu { threads },
                "engine: cpu, as there is no hardware GPU (see `w2v-gpu devices`)".to_owned(),
            ),
        })
    }

    #[cfg(not(feature = "gpu"))]
    fn on_gpu(
        request: &EngineRequest,
        kind: Option<EngineKind>,
        threads: usize,
        _: &str,
    ) -> Result<(Self, String)> {
        const WHY: &str = "this program was built without its GPU engine; build it with the \
                           feature gpu, or use `engine = cpu`";
        match (&request.adapter, kind) {
            (Some(adapter), _) => Err(Error::setting("adapter", adapter, WHY)),
            (None, Some(_)) => Err(Error::setting("engine", EngineKind::Gpu, WHY)),
            (None, None) => Ok((
                Self::Cpu { threads },
                "engine: cpu, as the GPU engine is not part of this program".to_owned(),
            )),
        }
    }

    /// The GPU engine on an adapter.
    #[cfg(feature = "gpu")]
    pub fn gpu(adapter: GpuAdapter, shader_checks: Option<bool>, threads: usize) -> Self {
        let mut options = GpuOptions::default();
        options.shader_checks = shader_checks.unwrap_or(options.shader_checks);
        Self::Gpu {
            adapter: Box::new(adapter),
            options,
            threads,
            automatic: false,
        }
    }

    /// The choice as one that nobody asked for.
    #[cfg(feature = "gpu")]
    fn chosen_automatically(mut self) -> Self {
        if let Self::Gpu { automatic, .. } = &mut self {
            *automatic = true;
        }
        self
    }

    /// The kind of the engine.
    pub fn kind(&self) -> EngineKind {
        match self {
            Self::Cpu { .. } => EngineKind::Cpu,
            #[cfg(feature = "gpu")]
            Self::Gpu { .. } => EngineKind::Gpu,
        }
    }

    /// The adapter in one line: index, name, backend and kind; empty for the CPU engine.
    pub fn adapter_name(&self) -> String {
        match self {
            Self::Cpu { .. } => String::new(),
            #[cfg(feature = "gpu")]
            Self::Gpu { adapter, .. } => adapter.describe(),
        }
    }

    /// Its kind, and the adapter's name.
    pub fn name(&self) -> String {
        match self {
            Self::Cpu { .. } => EngineKind::Cpu.to_string(),
            #[cfg(feature = "gpu")]
            Self::Gpu { adapter, .. } => format!("{} {}", EngineKind::Gpu, adapter.describe()),
        }
    }

    /// Whether it runs on a GPU that is no program on the CPU.
    pub fn is_hardware_gpu(&self) -> bool {
        match self {
            Self::Cpu { .. } => false,
            #[cfg(feature = "gpu")]
            Self::Gpu { adapter, .. } => !adapter.is_software(),
        }
    }

    /// Its threads, or those that work for it.
    pub fn threads(&self) -> usize {
        match self {
            Self::Cpu { threads } => *threads,
            #[cfg(feature = "gpu")]
            Self::Gpu { threads, .. } => *threads,
        }
    }

    /// The choice of one of so many ranks, which share the threads.
    #[must_use]
    pub fn of_rank(&self, ranks: usize) -> Self {
        let mut own = self.clone();
        match &mut own {
            Self::Cpu { threads } => *threads = (*threads / ranks).max(1),
            #[cfg(feature = "gpu")]
            Self::Gpu { threads, .. } => *threads = (*threads / ranks).max(1),
        }
        own
    }

    /// Threads that make batches while it trains.
    pub fn batcher_threads(&self) -> usize {
        match self {
            Self::Cpu { threads } => cpu::batcher_threads(*threads),
            // The thread that feeds the device has a core for itself, and so has the driver.
            #[cfg(feature = "gpu")]
            Self::Gpu { threads, .. } => threads.saturating_sub(2).max(2).min(*threads),
        }
    }

    /// In what it stores matrices that are asked for in `storage`.
    ///
    /// # Errors
    /// [`Error::Setting`] when it cannot.
    pub fn check_storage(&self, storage: Storage) -> Result<()> {
        if self.kind() == EngineKind::Cpu && storage == Storage::F16 {
            let why = "is for the GPU, and this run is on the CPU; add `engine = gpu`, or leave it \
                       out";
            return Err(Error::setting("storage", "f16", why));
        }
        Ok(())
    }

    /// Brings a model to the engine; `measure` says whether its stages are to be timed.
    ///
    /// # Errors
    /// When the threads or the device cannot be had, or the model does not fit.
    pub fn start(
        &self,
        model: &Model,
        objective: Objective,
        settings: StepSettings,
        measure: bool,
    ) -> Result<Box<dyn Engine + Send>> {
        let StepSettings { clip, .. } = settings;
        match self {
            Self::Cpu { threads } => {
                // The CPU engine times its stages always: it takes no time to.
                let _ = measure;
                Ok(Box::new(CpuEngine::new(model, objective, clip, *threads)?))
            }
            #[cfg(feature = "gpu")]
            Self::Gpu {
                adapter, options, ..
            } => {
                let StepSettings { storage, seed, .. } = settings;
                let options = GpuOptions {
                    clip,
                    storage,
                    seed,
                    measure,
                    ..*options
                };
                let adapter = GpuAdapter::clone(adapter);
                Ok(Box::new(GpuEngine::new(
                    adapter, model, objective, options,
                )?))
            }
        }
    }
}

impl Choice {
    /// Brings a model to the engine. Where it is a GPU that nobody asked for and that cannot be
    /// trained on, the CPU engine is started instead, unless it cannot store what is asked for.
    ///
    /// # Errors
    /// As [`Choice::start`].
    pub fn start_or_fall_back(
        &self,
        model: &Model,
        objective: Objective,
        settings: StepSettings,
    ) -> Result<Started> {
        let error = match self.start(model, objective, settings, false) {
            Ok(engine) => {
                return Ok(Started {
                    engine,
                    batcher_threads: self.batcher_threads(),
                    instead: None,
                });
            }
            Err(error) => error,
        };
        let cpu = Self::Cpu {
            threads: self.threads(),
        };
        if !self.may_fall_back(&error) || cpu.check_storage(settings.storage).is_err() {
            return Err(error);
        }
        Ok(Started {
            engine: cpu.start(model, objective, settings, false)?,
            batcher_threads: cpu.batcher_threads(),
            instead: Some(format!(
                "engine: cpu instead of {}, which nobody asked for: {error}",
                self.name()
            )),
        })
    }

    /// Whether the CPU engine may stand in after an error.
    #[cfg(feature = "gpu")]
    fn may_fall_back(&self, error: &Error) -> bool {
        let of_device = matches!(
            error,
            Error::Device { .. } | Error::DeviceLimit { .. } | Error::DeviceMemory { .. }
        );
        matches!(self, Self::Gpu { automatic, .. } if *automatic && of_device)
    }

    /// Nothing could stand in for the CPU engine.
    #[cfg(not(feature = "gpu"))]
    fn may_fall_back(&self, _: &Error) -> bool {
        false
    }
}

/// All adapters, in the order of their index; none in a program without the GPU engine.
pub fn adapters() -> Vec<AdapterSummary> {
    #[cfg(feature = "gpu")]
    return gpu::adapters().iter().map(GpuAdapter::summary).collect();
    #[cfg(not(feature = "gpu"))]
    return Vec::new();
}

/// The adapters of a list: `all`, indices with commas between them, or a single name, which may
/// have commas of its own.
///
/// # Errors
/// [`Error::Adapter`] for `all` where there is no hardware GPU.
fn named(list: &str) -> Result<Vec<String>> {
    if list != "all" {
        let indices = list.split(',').map(str::trim);
        return Ok(
            if indices.clone().all(|index| index.parse::<usize>().is_ok()) {
                indices.map(str::to_owned).collect()
            } else {
                vec![list.to_owned()]
            },
        );
    }
    let all = adapters();
    let hardware = |kind: AdapterKind| all.iter().find(|adapter| adapter.kind == kind);
    let kinds = [
        AdapterKind::Discrete,
        AdapterKind::Integrated,
        AdapterKind::Virtual,
    ];
    let best = kinds
        .into_iter()
        .find_map(hardware)
        .ok_or_else(|| Error::Adapter {
            why: "`adapter = all`: there is no hardware GPU".to_owned(),
            adapters: all
                .iter()
                .map(|adapter| format!("  {}", adapter.line()))
                .collect(),
        })?;
    // Two graphics interfaces may list the same GPU, so one of them counts.
    let like = all
        .iter()
        .filter(|adapter| (adapter.kind, &adapter.backend) == (best.kind, &best.backend));
    Ok(like.map(|adapter| adapter.index.to_string()).collect())
}

/// Why a GPU cannot be named for a run on the CPU.
fn contradiction(request: &EngineRequest) -> &'static str {
    match request.kind {
        Some(_) => "names a GPU, but `engine = cpu` was asked for; leave one of the two out",
        None => {
            "names a GPU, but the run in the checkpoint is on the CPU; leave it out, or ask for \
             `engine = gpu`"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(kind: Option<EngineKind>, resumed: Option<EngineKind>) -> EngineRequest {
        EngineRequest {
            kind,
            resumed,
            threads: Some(3),
            ..EngineRequest::default()
        }
    }

    #[test]
    fn the_cpu_is_taken_where_it_is_asked_for_or_resumed() {
        for (kind, resumed, why) in [
            (Some(EngineKind::Cpu), None, "engine: cpu, as asked"),
            (
                None,
                Some(EngineKind::Cpu),
                "engine: cpu, as in the checkpoint",
            ),
        ] {
            let (choice, line) = Choice::new(&request(kind, resumed)).unwrap();
            assert_eq!((choice.kind(), choice.threads()), (EngineKind::Cpu, 3));
            assert_eq!((choice.batcher_threads(), &*line), (1, why));
            choice.check_storage(Storage::F32).unwrap();
            choice.check_storage(Storage::F16).unwrap_err();
        }
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        let with_adapter = |kind, resumed| EngineRequest {
            adapter: Some("0".to_owned()),
            ..request(kind, resumed)
        };
        for (request, why) in [
            (
                with_adapter(Some(EngineKind::Cpu), None),
                "`engine = cpu` was asked for",
            ),
            (
                with_adapter(None, Some(EngineKind::Cpu)),
                "the run in the checkpoint is on the CPU",
            ),
        ] {
            let error = Choice::new(&request).unwrap_err().to_string();
            assert!(
                error.starts_with("`adapter` 0: ") && error.contains(why),
                "{error}"
            );
        }
    }

    /// An adapter that cannot hold the model: an error where it was asked for, else the CPU engine,
    /// unless the matrices are to be in 16 bits.
    #[cfg(feature = "gpu")]
    #[test]
    #[ignore = "needs a GPU adapter: tests/run.sh runs it"]
    fn a_gpu_that_nobody_asked_for_gives_way_to_the_cpu() {
        let model = crate::engine::tests::random_model(8, 1);
        let mut choice = Choice::gpu(gpu::select(None).unwrap(), None, 3);
        if let Choice::Gpu { options, .. } = &mut choice {
            options.max_shard = Some(16);
        }
        let start = |choice: &Choice, storage| {
            let settings = StepSettings {
                clip: 0.25,
                storage,
                seed: 1,
            };
            choice.start_or_fall_back(&model, Objective::SIGMOID, settings)
        };
        assert!(start(&choice, Storage::F32).is_err());
        let automatic = choice.chosen_automatically();
        assert!(start(&automatic, Storage::F16).is_err());
        let started = start(&automatic, Storage::F32).unwrap();
        let line = started.instead.unwrap();
        for part in [
            "engine: cpu instead of gpu 0: ",
            "a matrix of",
            "`max_vocab`",
        ] {
            assert!(line.contains(part), "{line}");
        }
        assert!(started.engine.describe().starts_with("cpu (3 threads"));
        assert_eq!(started.batcher_threads, 1);
    }

    #[test]
    fn a_description_begins_with_the_kind() {
        let kind = EngineKind::of_description;
        assert_eq!(kind("cpu (2 threads, AVX2)"), Some(EngineKind::Cpu));
        assert_eq!(kind("gpu llvmpipe (Vulkan)"), Some(EngineKind::Gpu));
        assert_eq!(kind("reference (f64)"), None);
    }
}
