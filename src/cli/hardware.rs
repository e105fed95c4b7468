//! The options about engines, devices and threads.

use clap::ValueEnum;

use crate::engine::choice::{EngineKind, EngineRequest, Process};
use crate::error::Result;
use crate::system::thread_count;

/// How many threads a command has.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Threads {
    /// Threads, 1 to 1024 [default: one for each core]
    #[arg(
        long,
        visible_alias = "workers",
        value_name = "N",
        help_heading = "Hardware"
    )]
    threads: Option<usize>,
}

impl Threads {
    /// The number of threads.
    ///
    /// # Errors
    /// As [`thread_count`].
    pub(super) fn count(&self) -> Result<usize> {
        thread_count(self.threads)
    }
}

/// Where a command computes, whatever its engines are.
#[derive(clap::Args, Debug)]
#[group(skip)]
pub(super) struct Device {
    /// The GPU: its index or a part of its name, as `w2v-gpu devices` lists them
    #[arg(long, value_name = "NAME|INDEX", help_heading = "Hardware")]
    pub(super) adapter: Option<String>,
    #[command(flatten)]
    pub(super) threads: Threads,
}

/// The help of `--adapter` where several ranks may train.
const ADAPTERS: &str = "The GPU: its index or a part of its name, as `w2v-gpu devices` lists them. \
                        Several indices, such as 0,1, make as many ranks, and so does all, with each \
                        GPU of the best kind";

/// The options of `train` about its engine and its device.
#[derive(clap::Args, Debug)]
#[command(mut_arg("adapter", |adapter| adapter.help(ADAPTERS).value_name("NAME|INDEX,...|all")))]
pub(super) struct Hardware {
    /// auto takes a hardware GPU where there is one, otherwise the CPU
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ENGINE",
        help_heading = "Hardware"
    )]
    engine: EngineOption,
    #[command(flatten)]
    device: Device,
    /// Bounds checks within shaders [default: off in release builds]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", help_heading = "Hardware")]
    shader_checks: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum EngineOption {
    #[default]
    Auto,
    Gpu,
    Cpu,
}

impl Hardware {
    /// The number of threads.
    ///
    /// # Errors
    /// As [`thread_count`].
    pub(super) fn threads(&self) -> Result<usize> {
        self.device.threads.count()
    }

    /// The options about the engine that were given, as one would type them.
    pub(super) fn typed(&self) -> Vec<String> {
        let engine = match self.engine {
            EngineOption::Auto => None,
            engine => engine.to_possible_value(),
        };
        let engine = engine.map(|engine| ["--engine".to_owned(), engine.get_name().to_owned()]);
        let adapter = self.device.adapter.clone();
        let adapter = adapter.map(|adapter| ["--adapter".to_owned(), adapter]);
        engine.into_iter().chain(adapter).flatten().collect()
    }

    /// The engine that the options ask for, for a process of a run.
    pub(super) fn request(&self, process: Option<Process>) -> EngineRequest {
        EngineRequest {
            kind: match self.engine {
                EngineOption::Auto => None,
                EngineOption::Gpu => Some(EngineKind::Gpu),
                EngineOption::Cpu => Some(EngineKind::Cpu),
            },
            adapter: self.device.adapter.clone(),
            threads: self.device.threads.threads,
            shader_checks: self.shader_checks,
            process,
            resumed: None,
        }
    }
}
