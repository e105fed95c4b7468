//! The options of `train` about the engine and its device.

use crate::engine::choice::{EngineKind, EngineRequest};

/// The options about the engine and its device.
#[derive(clap::Args, Debug)]
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
    /// The GPU: its index or a part of its name, as `w2v-gpu devices` lists them
    #[arg(long, value_name = "NAME|INDEX", help_heading = "Hardware")]
    adapter: Option<String>,
    /// Threads [default: one for each core]
    #[arg(
        long,
        visible_alias = "workers",
        value_name = "N",
        help_heading = "Hardware"
    )]
    threads: Option<usize>,
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
    /// The engine that the options ask for.
    pub(super) fn request(&self) -> EngineRequest {
        EngineRequest {
            kind: match self.engine {
                EngineOption::Auto => None,
                EngineOption::Gpu => Some(EngineKind::Gpu),
                EngineOption::Cpu => Some(EngineKind::Cpu),
            },
            adapter: self.adapter.clone(),
            threads: self.threads,
            shader_checks: self.shader_checks,
            resumed: None,
        }
    }
}
