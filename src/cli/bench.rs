//! `bench`: compares the engines and adapters.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::Error;
use crate::bench::{
    BatcherSpeed, Bench, Entry, Knob, Measured, Outcome, Ratio, Sweep, Trial, Work, gpu_over_cpu,
};
use crate::config::{Config, RanksSettings};
use crate::corpus::Corpus;
use crate::engine::choice::Choice;
use crate::engine::choice::EngineKind;
#[cfg(not(feature = "gpu"))]
use crate::engine::choice::EngineRequest;
#[cfg(feature = "gpu")]
use crate::engine::gpu;
use crate::event::Prepared;
use crate::quantity::{bytes, percent, plural, seconds, short};
use crate::train::Trainer;
use crate::train::schedule::auto_batch;
use anyhow::{Context, Result};
use bytesize::ByteSize;
use serde::Serialize;
use sysinfo::{CpuRefreshKind, RefreshKind, System};

use super::hardware::Device;
use super::progress::Display;
use super::terminal::table;
use super::text::{CorpusArgs, left_out_line};

/// Without --text, bytes of text for each second of --seconds. Counting and encoding this much
/// takes a part of the time.
const TEXT_PER_SECOND: f64 = 8e6;

/// Compares the engines and adapters there are: speed, where the time goes, loss
///
/// The CPU engine and every adapter, software too, train on the same batches, made beforehand from
/// the beginning of CORPUS; then with the batcher at work, as in training. Kernels are timed by
/// timestamp queries where the adapter has them; -v shows these figures. Options that shape the work
/// are those of train.
/// Words are words of the corpus, those dropped by subsampling included.
#[derive(Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  w2v-gpu bench text.txt
  w2v-gpu bench text.txt --engine gpu --adapter nvidia --dim 300 --json
  w2v-gpu bench text.txt --sweep --seconds 120"
)]
pub(crate) struct Args {
    #[command(flatten)]
    corpus: CorpusArgs,
    /// Time that all of it takes, about
    #[arg(long, default_value_t = 30.0, value_name = "SECONDS")]
    seconds: f64,
    /// Read only so much of the text, such as 500M [default: 8M for each of --seconds]
    #[arg(long, value_name = "SIZE")]
    text: Option<ByteSize>,
    /// Instead of comparing, try widths of workgroups, numbers of threads, and windows in a span and
    /// in a batch, and name the best
    #[arg(long)]
    sweep: bool,
    #[command(flatten)]
    config: Config,
    /// What is measured
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ENGINE",
        help_heading = "Hardware"
    )]
    engine: Engines,
    #[command(flatten)]
    device: Device,
    /// Show errors and warnings only
    #[arg(short, long, help_heading = "Display")]
    quiet: bool,
    /// Show all that was measured, in tables; twice: also what was negotiated with the devices
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Display")]
    verbose: u8,
    /// Print the result on stdout as JSON
    #[arg(long, help_heading = "Display")]
    json: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Engines {
    #[default]
    All,
    Gpu,
    Cpu,
}

/// The report that `--json` prints.
#[derive(Serialize)]
struct BenchReport {
    program: &'static str,
    machine: Machine,
    config: Config,
    corpus: Prepared,
    /// The share of the corpus that was read, 0 to 1.
    share: f64,
    batcher: BatcherSpeed,
    batches: Work,
    gpu_over_cpu: Option<Ratio>,
    engines: Vec<Entry>,
    sweeps: Vec<Sweep>,
    seconds: f64,
}

#[derive(Serialize)]
struct Machine {
    processor: String,
    threads: usize,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let started = Instant::now();
    super::log_to_stderr(args.verbose.saturating_sub(1));
    let threads = args.device.threads.count()?;
    let budget = budget(args.seconds)?;
    let candidates = candidates(args, threads)?;
    let mut display = Display::new(args.quiet, None);
    // Its own engine is the last candidate: a GPU if there is one, as the CPU lacks some settings.
    let own = candidates.last().cloned().context("there is no engine")?;
    check_ranks(args)?;
    let trainer = Trainer::with_choice(args.config.clone(), own)?;
    let corpus = Corpus::open(&args.corpus.paths()?)?;
    left_out_line(&corpus)
        .iter()
        .for_each(|line| display.line(line));

    let most = args
        .text
        .map_or((args.seconds * TEXT_PER_SECOND) as u64, |size| {
            size.as_u64()
        });
    let mut trainer = trainer.prepare(&corpus.head(most), |event| display.show(&event))?;
    let prepared = trainer.data().prepared;
    let share = share(&prepared, &corpus);
    if args.config.schedule.batch.is_none() {
        // The batch size of a run on the whole corpus.
        trainer.data_mut().set_batch(auto_batch(
            prepared.kept / share * f64::from(args.config.schedule.epochs),
        ));
    }
    let config = trainer.data().config.clone();
    let (model, _, odd) = trainer.first_model()?;
    odd.iter().for_each(|line| display.line(line));
    let (mut bench, batcher) = Bench::new(trainer, model, started, budget)?;
    let batches = bench.work();
    let (mut engines, mut sweeps) = (Vec::new(), Vec::new());
    if args.sweep {
        sweeps = bench.sweep(&candidates, &mut |event| display.show(&event))?;
    } else {
        engines = bench.compare(&candidates, &mut |event| display.show(&event));
    }
    display.finish();
    let report = BenchReport {
        program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        machine: machine(),
        config,
        corpus: prepared,
        share,
        batcher,
        batches,
        gpu_over_cpu: gpu_over_cpu(&engines),
        engines,
        sweeps,
        seconds: started.elapsed().as_secs_f64(),
    };
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        print_summary(&report, args.verbose > 0, &mut out)?;
        if args.verbose > 0 {
            writeln!(out)?;
            print_tables(&report, &mut out)?;
        }
    }
    anyhow::ensure!(report.has_result(), "no engine could be measured");
    Ok(())
}

impl BenchReport {
    /// The seconds that training on the whole corpus takes at a speed.
    fn run_seconds(&self, words_per_second: f64) -> f64 {
        let words = self.corpus.tokens as f64 / self.share;
        words * f64::from(self.config.schedule.epochs) / words_per_second
    }

    fn has_result(&self) -> bool {
        self.engines
            .iter()
            .any(|entry| matches!(entry.outcome, Outcome::Measured(_)))
            || self.sweeps.iter().any(|sweep| sweep.best.is_some())
    }
}

fn budget(seconds: f64) -> Result<Duration, Error> {
    if seconds.is_finite() && (1.0..=1e5).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    let why = "measure for 1 second to a day; 30 is usual".to_owned();
    Err(Error::setting("seconds", seconds, why))
}

/// Refuses what is about several ranks: engines are measured one after the other.
fn check_ranks(args: &Args) -> Result<(), Error> {
    let RanksSettings { ranks, sync } = args.config.ranks;
    let why = "engines are measured one by one; leave it out";
    match (ranks, sync) {
        (None | Some(1), None) => Ok(()),
        (Some(ranks), _) => Err(Error::setting("ranks", ranks, why)),
        (None, Some(sync)) => Err(Error::setting("sync", sync, why)),
    }
}

/// The engines that will be measured, the CPU first.
fn candidates(args: &Args, threads: usize) -> Result<Vec<Choice>, Error> {
    let mut candidates = Vec::new();
    if args.engine != Engines::Gpu {
        candidates.push(Choice::Cpu { threads });
    }
    if args.engine == Engines::Cpu {
        if let Some(adapter) = &args.device.adapter {
            let why = "names a GPU, but --engine cpu was asked for; leave one of the two out";
            return Err(Error::setting("adapter", adapter, why));
        }
        return Ok(candidates);
    }
    candidates.extend(gpus(args, threads)?);
    Ok(candidates)
}

/// The adapter that `--adapter` names, or all adapters.
#[cfg(feature = "gpu")]
fn gpus(args: &Args, threads: usize) -> Result<Vec<Choice>, Error> {
    let adapters = match &args.device.adapter {
        Some(adapter) => vec![gpu::select(Some(adapter))?],
        None => gpu::adapters(),
    };
    if adapters.is_empty() && args.engine == Engines::Gpu {
        // This call returns the error that says what is missing.
        gpu::select(None)?;
    }
    let choice = |adapter| Choice::gpu(adapter, None, threads);
    Ok(adapters.into_iter().map(choice).collect())
}

/// No GPU: this program is built without that engine. A request for one is refused.
#[cfg(not(feature = "gpu"))]
fn gpus(args: &Args, threads: usize) -> Result<Vec<Choice>, Error> {
    if args.engine == Engines::All && args.device.adapter.is_none() {
        return Ok(Vec::new());
    }
    let request = EngineRequest {
        kind: Some(EngineKind::Gpu),
        adapter: args.device.adapter.clone(),
        threads: Some(threads),
        ..EngineRequest::default()
    };
    Choice::new(&request).map(|(choice, _)| vec![choice])
}

/// The share of a corpus that was read, 0 to 1, by its size on disk.
fn share(prepared: &Prepared, corpus: &Corpus) -> f64 {
    match (prepared.text.bytes, corpus.bytes()) {
        (read, all) if read > 0 && all > read => read as f64 / all as f64,
        _ => 1.0,
    }
}

fn machine() -> Machine {
    let system =
        System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing()));
    let processor = system.map_or_else(
        |_| String::new(),
        |system| {
            system
                .cpus()
                .first()
                .map_or_else(String::new, |cpu| cpu.brand().trim().to_owned())
        },
    );
    Machine {
        processor,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

/// Prints what a person wants to know: the speed of each engine, which to take, and the time of a
/// run. After a sweep it is the best value of each setting. Engines that could not be measured
/// follow.
fn print_summary(report: &BenchReport, with_tables: bool, out: &mut impl Write) -> io::Result<()> {
    let more = if with_tables {
        ""
    } else {
        "; -v shows all figures"
    };
    let ranked = ranked(&report.engines);
    if let [(fastest, _), ..] = *ranked {
        let speed =
            |&(entry, speed): &(&Entry, f64)| format!("{} {} words/s", entry.name, short(speed));
        let speeds: Vec<String> = ranked.iter().map(speed).collect();
        writeln!(out, "speed of training: {}", speeds.join(", "))?;
        writeln!(out, "{}", advice(report, fastest))?;
        let time = seconds(report.run_seconds(ranked[0].1));
        let epochs = plural(u64::from(report.config.schedule.epochs), "epoch");
        writeln!(
            out,
            "training on all of the text, {epochs}, takes about {time}{more}"
        )?;
    }
    for entry in &report.engines {
        if let Outcome::Failed { error } = &entry.outcome {
            writeln!(out, "{} was not measured: {error}", entry.name)?;
        }
    }
    for sweep in &report.sweeps {
        writeln!(out, "{}{more}", best_line(sweep))?;
    }
    Ok(())
}

/// The engines with their words per second as in training, the fastest first.
fn ranked(entries: &[Entry]) -> Vec<(&Entry, f64)> {
    let mut ranked: Vec<(&Entry, f64)> = entries
        .iter()
        .filter_map(|entry| match &entry.outcome {
            Outcome::Measured(measured) => Some((entry, measured.end_to_end.words_per_second)),
            Outcome::Failed { .. } => None,
        })
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

/// The line that says how the GPU compares, and how `train` comes to use the fastest engine.
fn advice(report: &BenchReport, fastest: &Entry) -> String {
    let is_measured = |entry: &Entry| matches!(entry.outcome, Outcome::Measured(_));
    let mut engines = report.engines.iter();
    let has_hardware = engines.any(|entry| entry.hardware_gpu && is_measured(entry));
    let compared = match &report.gpu_over_cpu {
        None => "no other engine was measured".to_owned(),
        Some(ratio) => format!(
            "the GPU is {:.2} times as fast as the CPU",
            ratio.end_to_end
        ),
    };
    let how = match fastest.kind {
        EngineKind::Gpu if fastest.hardware_gpu => "train takes the GPU by itself",
        EngineKind::Gpu => "train takes this GPU, which is software, with --engine gpu",
        EngineKind::Cpu if has_hardware => "train takes the CPU with --engine cpu",
        EngineKind::Cpu => "train takes the CPU by itself",
    };
    format!("{compared}; {how}")
}

/// The line about the best value of a setting.
fn best_line(sweep: &Sweep) -> String {
    let of = format!("{}, {}", sweep.name, knob(sweep.knob));
    let mut trials = sweep.trials.iter();
    let best = trials.find(|trial| Some(trial.value) == sweep.best);
    let speed = best.and_then(|trial| trial.words_per_second);
    match (sweep.best, speed) {
        (Some(value), Some(speed)) => format!("{of}: {value} is best, {} words/s", short(speed)),
        _ => format!("{of}: no value could be measured"),
    }
}

/// What a setting of the sweep is called.
fn knob(knob: Knob) -> &'static str {
    match knob {
        Knob::Lanes => "width of workgroups",
        Knob::Threads => "threads",
        Knob::Span => "windows in a span",
        Knob::Batch => "windows in a batch",
    }
}

fn print_tables(report: &BenchReport, out: &mut impl Write) -> io::Result<()> {
    if let Some(Ratio {
        gpu,
        engine,
        end_to_end,
    }) = &report.gpu_over_cpu
    {
        writeln!(
            out,
            "GPU / CPU: {engine:.2} on ready batches, {end_to_end:.2} end to end ({gpu})\n"
        )?;
    }
    let BenchReport {
        batcher,
        batches,
        machine,
        ..
    } = report;
    writeln!(
        out,
        "{} with {}; {} of the corpus, {} of about {} ({})",
        machine.processor,
        plural(machine.threads as u64, "core"),
        percent(report.share),
        plural(batches.batches, "batch"),
        plural(batches.windows / batches.batches, "window"),
        plural(batches.words, "word"),
    )?;
    writeln!(
        out,
        "batcher alone, {}: {} words/s, {} windows/s\n",
        plural(batcher.threads as u64, "thread"),
        short(batcher.words_per_second),
        short(batcher.windows_per_second),
    )?;
    table(&comparison(&report.engines), out)?;
    for sweep in &report.sweeps {
        print_sweep(sweep, out)?;
    }
    if !report.sweeps.is_empty() {
        writeln!(
            out,
            "A batch is one step: large ones are fast, but cost quality (see --batch)."
        )?;
    }
    writeln!(out, "measured in {}", seconds(report.seconds))
}

/// The table of the comparison: a column for each engine, a row for each figure.
fn comparison(entries: &[Entry]) -> Vec<Vec<String>> {
    let measured: Vec<(&Entry, &Measured)> = entries
        .iter()
        .filter_map(|entry| match &entry.outcome {
            Outcome::Measured(measured) => Some((entry, &**measured)),
            Outcome::Failed { .. } => None,
        })
        .collect();
    if measured.is_empty() {
        return Vec::new();
    }
    let row = |name: &str, cell: &dyn Fn(&Measured) -> String| -> Vec<String> {
        [name.to_owned()]
            .into_iter()
            .chain(measured.iter().map(|(_, measured)| cell(measured)))
            .collect()
    };
    let mut rows: Vec<Vec<String>> = vec![
        [String::new()]
            .into_iter()
            .chain(measured.iter().map(|(entry, _)| entry.name.clone()))
            .collect(),
    ];
    rows.push(row("words/s", &|m| short(m.words_per_second)));
    rows.push(row("pairs/s", &|m| short(m.pairs_per_second)));
    rows.push(row("windows/s", &|m| short(m.windows_per_second)));
    rows.push(row("end to end, words/s", &|m| {
        short(m.end_to_end.words_per_second)
    }));
    rows.push(row("  waiting for batches", &|m| {
        percent(m.end_to_end.waiting)
    }));
    rows.push(row("  device busy", &|m| share_or_dash(m.end_to_end.busy)));
    for threads in host_threads(&measured) {
        let name = format!("host alone, {}, words/s", plural(threads as u64, "thread"));
        rows.push(row(&name, &|m| {
            let speed = m.host_alone.iter().find(|speed| speed.threads == threads);
            speed.map_or_else(|| "-".to_owned(), |speed| short(speed.words_per_second))
        }));
    }
    rows.push(row("device busy", &|m| share_or_dash(m.busy)));
    rows.push(row("bytes a word", &|m| format!("{:.0}", m.bytes_per_word)));
    rows.push(row("  bandwidth", &|m| bandwidth(m.bytes_per_second)));
    rows.push(row("  of a copy", &|m| bandwidth(m.copy_bytes_per_second)));
    rows.push(row("  share", &|m| {
        percent(m.bytes_per_second / m.copy_bytes_per_second)
    }));
    let batches = measured[0].1.loss.batches;
    rows.push(row(
        &format!("loss per pair, {}", plural(batches, "batch")),
        &|m| format!("{:.5}", m.loss.per_pair),
    ));
    rows.push(row("nanoseconds a word, stage by stage", &|_| {
        String::new()
    }));
    for name in stage_names(&measured) {
        let (device, host) = (format!("  {name}"), format!("  {name} (host)"));
        let of = |m: &Measured| m.stages.iter().find(|stage| stage.name == name).cloned();
        let on_device = measured
            .iter()
            .filter_map(|(_, m)| of(m))
            .any(|stage| stage.on_device);
        rows.push(row(
            if on_device { &device } else { &host },
            &|m| match of(m) {
                None => "-".to_owned(),
                Some(stage) => match stage.bytes_per_second {
                    None => format!("{:.1}", stage.nanoseconds_per_word),
                    Some(bytes) => {
                        format!("{:.1} ({})", stage.nanoseconds_per_word, bandwidth(bytes))
                    }
                },
            },
        ));
    }
    rows
}

/// The numbers of threads for which the host alone was measured, beside any engine.
fn host_threads(measured: &[(&Entry, &Measured)]) -> BTreeSet<usize> {
    let speeds = measured
        .iter()
        .flat_map(|(_, measured)| &measured.host_alone);
    speeds.map(|speed| speed.threads).collect()
}

/// The names of the stages of all engines, each once.
fn stage_names(measured: &[(&Entry, &Measured)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for stage in measured.iter().flat_map(|(_, measured)| &measured.stages) {
        if !names.contains(&stage.name) {
            names.push(stage.name.clone());
        }
    }
    names
}

fn print_sweep(sweep: &Sweep, out: &mut impl Write) -> io::Result<()> {
    let Sweep {
        name,
        knob: setting,
        trials,
        best,
    } = sweep;
    let mut rows = vec![vec![
        format!("{name}, {}", knob(*setting)),
        "words/s".to_owned(),
        String::new(),
    ]];
    rows.extend(trials.iter().map(
        |Trial {
             value,
             words_per_second,
             error,
         }| {
            let speed = words_per_second.map_or_else(|| "-".to_owned(), short);
            let note = if *best == Some(*value) {
                "best"
            } else {
                error.as_deref().unwrap_or_default()
            };
            vec![format!("  {value}"), speed, note.to_owned()]
        },
    ));
    table(&rows, out)?;
    writeln!(out)
}

fn bandwidth(per_second: f64) -> String {
    format!("{}/s", bytes(per_second as u64))
}

/// A share as a percentage, or a dash if there is none.
fn share_or_dash(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), percent)
}
