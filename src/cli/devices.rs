//! `devices`: lists the adapters.

use std::io::{self, Write};

use crate::engine::adapter::AdapterSummary;
use crate::engine::choice::{Choice, EngineKind, EngineRequest, adapters};
use crate::error::DRIVER_ADVICE;
use crate::quantity::bytes;
use anyhow::Result;

/// Lists every adapter with its backend, kind and limits, and says which one `--engine auto` would
/// take
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  w2v-gpu devices
  w2v-gpu devices --json")]
pub(crate) struct Args {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let adapters = adapters();
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &adapters)?;
        writeln!(out)?;
        return Ok(());
    }
    for adapter in &adapters {
        let AdapterSummary {
            index,
            name,
            backend,
            kind,
            driver,
            max_binding,
            max_matrix,
            max_buffer,
            subgroup,
        } = adapter;
        writeln!(out, "{index}: {name} ({backend}, {kind})")?;
        writeln!(out, "   driver: {driver}")?;
        let [matrix, piece, buffer] =
            [max_matrix, max_binding, max_buffer].map(|&size| bytes(size));
        writeln!(
            out,
            "   a matrix may have {matrix}, in pieces of up to {piece}; a buffer {buffer}"
        )?;
        match subgroup {
            Some((min, max)) if min == max => writeln!(out, "   subgroups of {min}")?,
            Some((min, max)) => writeln!(out, "   subgroups of {min} to {max}")?,
            None => writeln!(out, "   no subgroup operations")?,
        }
    }
    let (choice, _) = Choice::new(&EngineRequest::default())?;
    match choice.kind() {
        EngineKind::Gpu => {
            let (name, why) = (
                choice.adapter_name(),
                "hardware, a discrete GPU before an integrated one",
            );
            writeln!(out, "--engine auto takes {name} ({why})")?;
        }
        EngineKind::Cpu if cfg!(not(feature = "gpu")) => writeln!(
            out,
            "no adapter: the GPU engine is not part of this program; --engine auto takes the CPU"
        )?,
        EngineKind::Cpu if adapters.is_empty() => writeln!(
            out,
            "no adapter: {DRIVER_ADVICE}; --engine auto takes the CPU"
        )?,
        EngineKind::Cpu => writeln!(
            out,
            "--engine auto takes the CPU, as no adapter is hardware; --engine gpu takes software \
             too"
        )?,
    }
    Ok(())
}
