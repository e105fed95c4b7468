//! `train`: from a corpus to word vectors.

use std::borrow::Cow;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{Config, Loss, ObjectiveSettings, Preset};
use crate::corpus::Corpus;
use crate::engine::Engine;
use crate::engine::cpu::{self, CpuEngine};
use crate::engine::gpu::{self, GpuEngine, GpuOptions};
use crate::event::Prepared;
use crate::model::{Embedding, Matrix, Model, Storage};
use crate::quantity::{self, count, percent, plural, short};
use crate::system::{self, STDIN, STDOUT};
use crate::train::cache::Cache;
use crate::train::dataset::Dataset;
use crate::train::init::{self, Given, Init};
use crate::train::plan::{Plan, Setup};
use crate::train::state::TrainState;
use crate::train::{Ending, EpochScoring, Summary, TrainOptions, train};
use crate::vectors::format::{Format, VectorTable, format_parser};
use crate::vocab::{self, Vocab};
use crate::{Error, eval};
use anyhow::Result;
use clap::parser::ValueSource;
use clap::{ArgMatches, ValueEnum};
use serde::Serialize;

use super::checkpoint::{Checkpoints, Session};
use super::metrics::{self, Recorder};
use super::progress::{Display, undercount_warning};
use super::signals::Signals;
use super::text::{self, CorpusArgs, check_apart, left_out_line};
use super::{options, plan};

/// Trains word vectors on text
///
/// Every line of CORPUS is a sentence, its words separated by whitespace. Of folders all files are
/// read, in order of their paths, but for hidden ones. Standard input and pipes are copied, as they
/// come, to a temporary file (in TMPDIR). The vectors are written in the format of OUT's extension;
/// gensim, spaCy and others load .txt and .bin. The settings of the run are written beside them, to
/// OUT.json.
#[derive(Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = "Examples:
  w2v-gpu train text.txt -o vectors.bin
  w2v-gpu train part1.txt.gz part2.txt -o vectors.txt --dim 300 --epochs 3 --engine gpu
  w2v-gpu train text.txt -o vectors.bin --loss hs --validation 0.01 --patience 2
  w2v-gpu train text.txt -o vectors.bin --preset word2vec --dim 200
  w2v-gpu train text.txt -o vectors.bin --cache ~/.cache/w2v-gpu
  w2v-gpu train text.txt -o vectors.bin --checkpoint run --checkpoint-every 5m
  w2v-gpu train text.txt -o vectors.bin --resume run"
)]
pub(crate) struct Args {
    #[command(flatten)]
    corpus: CorpusArgs,
    /// Keep the counted and encoded corpus in folder DIR, about 4 bytes a word, and take it from
    /// there while CORPUS and its options are the same. DIR may be deleted at any time
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where the vectors go: .txt or .vec (word2vec text), .bin (word2vec binary), .glove, .npy,
    /// .safetensors or .tsv; - for standard output, beside which no settings are written
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The format of OUT, whatever its name
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    to: Option<Format>,
    /// Which vectors are written: of the words as centers, as contexts, or the mean of both
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    embedding: Embedding,
    /// Also write the context vectors (W') to FILE; with --loss hs those of the tree's inner nodes
    #[arg(long, value_name = "FILE")]
    save_output: Option<PathBuf>,
    /// Take the defaults of another trainer; options typed beside it win
    #[arg(long, value_enum, value_name = "TRAINER")]
    preset: Option<Preset>,
    /// Take the defaults of a TOML file, lines such as `dim = 300`, or the settings of a run from
    /// its OUT.json; options typed beside it win
    #[arg(long = "config", id = "config_file", value_name = "FILE")]
    config_file: Option<PathBuf>,
    /// Also write the words and their counts to FILE, for --vocab
    #[arg(long, value_name = "FILE", help_heading = "Vocabulary")]
    save_vocab: Option<PathBuf>,
    #[command(flatten)]
    config: Config,
    #[command(flatten)]
    checkpoints: Checkpoints,
    #[command(flatten)]
    hardware: Hardware,
    /// Score the vectors after each epoch on FILE, lines `word word score`; may be given several
    /// times
    #[arg(long, value_name = "FILE", help_heading = "Evaluation")]
    eval_pairs: Vec<PathBuf>,
    /// Score the vectors after each epoch on FILE, analogies in Google's format or a BATS folder;
    /// several times likewise
    #[arg(long, value_name = "FILE|FOLDER", help_heading = "Evaluation")]
    eval_analogies: Vec<PathBuf>,
    /// The column of people's scores in --eval-pairs, by its name or its number from 1 [default:
    /// what looks it]
    #[arg(long, value_name = "COLUMN", help_heading = "Evaluation")]
    score_column: Option<String>,
    #[command(flatten)]
    recording: metrics::Recording,
    /// Work out what the run needs of memory, disk and time, print it on stdout, and write nothing
    #[arg(long, conflicts_with = "resume", help_heading = "Display")]
    dry_run: bool,
    /// Seconds between two reports [default: 0.5 on a terminal, 10 elsewhere]
    #[arg(long, value_name = "SECONDS", help_heading = "Display")]
    log_every: Option<f64>,
    /// Show errors and warnings only
    #[arg(short, long, help_heading = "Display")]
    quiet: bool,
    /// Show what was negotiated with the device; twice: more
    #[arg(short, long, action = clap::ArgAction::Count, help_heading = "Display")]
    verbose: u8,
    /// Print the summary on stdout as JSON
    #[arg(long, help_heading = "Display")]
    json: bool,
}

/// What to train on.
#[derive(clap::Args, Debug)]
struct Hardware {
    /// auto takes a hardware GPU where there is one, otherwise the CPU
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "ENGINE",
        help_heading = "Hardware"
    )]
    engine: EngineKind,
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

/// Multiply-adds per second that a softmax is estimated at, and the hours from which on a run is
/// warned about.
const SOFTMAX_RATE: f64 = 1e11;
const SOFTMAX_HOURS: f64 = 0.5;

/// How long a dry run trains for its estimate of the time.
const PROBE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum EngineKind {
    #[default]
    Auto,
    Gpu,
    Cpu,
}

/// Where the training will run, decided before any work.
enum Place {
    Gpu(Box<gpu::Selected>),
    Cpu,
}

impl Place {
    /// How many threads should make batches.
    fn batcher_threads(&self, threads: usize) -> usize {
        match self {
            Self::Gpu(_) => threads,
            Self::Cpu => cpu::batcher_threads(threads),
        }
    }
}

/// What a finished run prints.
#[derive(Serialize)]
struct TrainReport<'a> {
    engine: String,
    output: &'a Path,
    config: &'a Config,
    corpus: Prepared,
    init: Init,
    training: Summary,
    words_per_second: f64,
    seconds: Stages,
}

/// Wall-clock seconds of each stage.
#[derive(Serialize)]
struct Stages {
    prepare: f64,
    start: f64,
    train: f64,
    of_it_waiting_for_batches: f64,
    write: f64,
}

/// What the vectors were made with, written beside them.
#[derive(Serialize)]
struct Settings<'a> {
    program: &'static str,
    corpus: &'a [PathBuf],
    engine: &'a str,
    embedding: Embedding,
    config: &'a Config,
    /// Only of a run that was stopped before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    /// The share of that run which was trained, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_share: Option<f64>,
    /// The files of that run, which the next one may replace: absolute paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<String>>,
}

/// A run that is over, as its files are written.
struct Trained<'a> {
    data: &'a Dataset,
    corpus: &'a [PathBuf],
    engine: &'a str,
    summary: Summary,
    /// The share of the run that was trained, 0 to 1.
    share: f64,
}

/// What was typed that the chosen objective has no use for, if anything.
pub(super) fn conflict(typed: &ArgMatches) -> Option<String> {
    let loss = *typed.get_one::<Loss>("loss")?;
    let is_typed = |option: &&&str| typed.value_source(option) == Some(ValueSource::CommandLine);
    let option = ObjectiveSettings::OF_NEGATIVES
        .iter()
        .find(is_typed)
        .filter(|_| loss != Loss::Ns)?;
    let (flag, loss) = (options::option(option), loss.to_possible_value()?);
    Some(format!(
        "{flag} belongs to --loss ns: with --loss {} no negatives are drawn; leave it out",
        loss.get_name()
    ))
}

pub(crate) fn run(args: &Args) -> Result<()> {
    super::log_to_stderr(args.verbose);
    args.config.validate()?;
    check_embedding(args)?;
    let threads = threads(args.hardware.threads)?;
    let mut display = Display::new(args.quiet, checked_interval(args.log_every)?)
        .of_epochs(args.config.schedule.epochs);
    let paths = args.corpus.paths()?;
    check_streams(args, &paths)?;
    check_outputs(args)?;
    let corpus = Corpus::open(&paths)?;
    check_inputs(args, &corpus)?;
    check_outside(args, &paths)?;
    let options = eval::EvalOptions {
        score_column: args.score_column.clone(),
        ..eval::EvalOptions::default()
    };
    let sets = eval::Sets::read(&args.eval_pairs, &args.eval_analogies, options)?;
    sets.notes().for_each(|note| display.line(&note));
    // A dry run keeps nothing.
    let cache = if args.dry_run {
        None
    } else {
        open_cache(args, &paths)?
    };
    let mut session = if args.dry_run {
        Session::default()
    } else {
        Session::open(&args.checkpoints, &mut display)?
    };
    let config = session.complete(&args.config)?;
    if session.model().is_none() {
        init::check(&config)?;
    }
    let (place, why) = choose(
        &args.hardware,
        session.engine().map(|engine| engine.starts_with("cpu")),
    )?;
    check_storage(&place, config.model.storage)?;
    display.line(&why);
    left_out_line(&corpus)
        .iter()
        .for_each(|line| display.line(line));

    let started = Instant::now();
    // The threads of all that is not the engine's or the batcher's: reading, and scoring the
    // vectors.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let data = Dataset::prepare_cached(&corpus, &config, cache.as_ref(), |event| {
        display.show(&event)
    })?;
    session.check(&data)?;
    undercount_warning(&data.prepared.selection, args.config.vocabulary.min_count)
        .iter()
        .for_each(|warning| display.warn(warning));
    data.prepared
        .warnings()
        .iter()
        .for_each(|warning| display.warn(warning));
    let plan = plan(args, &data, &place, threads)?;
    let fits = plan.check();
    if args.dry_run
        && let Err(error) = &fits
    {
        let refused = Some(error.to_string());
        plan::PlanReport {
            plan: &plan,
            refused,
            engine: None,
            estimate: None,
        }
        .print(args.json)?;
    }
    fits?;
    let prepare = started.elapsed();

    let started = Instant::now();
    display.line(&settings_line(args));
    plan::lines(&plan)
        .iter()
        .for_each(|line| display.line(line));
    softmax_warning(&data)
        .iter()
        .for_each(|warning| display.warn(warning));
    let (start_model, init) = match (session.model(), session.init()) {
        (Some(model), Some(init)) => (Cow::Borrowed(model), init),
        _ => {
            let (model, init, odd) = init::start(&data)?;
            odd.iter()
                .chain(&init_lines(&init, &data))
                .for_each(|line| display.line(line));
            (Cow::Owned(model), init)
        }
    };
    let batcher_threads = place.batcher_threads(threads);
    let mut engine = start_engine(place, &data, &start_model, args, threads)?;
    drop(start_model);
    if args.dry_run {
        display.line("trying the first batches");
        let estimate = Some(crate::train::plan::probe(
            &data,
            &mut *engine,
            batcher_threads,
            PROBE,
        )?);
        let engine = Some(engine.describe());
        return plan::PlanReport {
            plan: &plan,
            refused: None,
            engine,
            estimate,
        }
        .print(args.json);
    }
    session.announce(&*engine, &mut display);
    let start = started.elapsed();
    let mut recorder = start_recorder(
        args,
        &paths,
        &data,
        &*engine,
        threads,
        session.reached(),
        &mut display,
    )?;
    recorder
        .growing_line()
        .iter()
        .for_each(|line| display.line(line));
    let signals = Signals::listen()?;
    let mut saver = session.saver(&data, &*engine, init);
    let options = TrainOptions {
        batcher_threads,
        interval: display.interval(),
        points: args.recording.points(),
        resume: session.take_snapshot(),
        saver: saver.as_mut(),
        stop: Some(signals.stop()),
        judge: (!sets.is_empty()).then_some(EpochScoring {
            sets: &sets,
            embedding: args.embedding,
        }),
    };
    let trained = train(&data, &mut *engine, options, |event| {
        session.note(&event);
        recorder.show(&event);
        display.show(&event);
    });
    display.finish();
    if !matches!(&trained, Ok((_, training)) if training.ending != Ending::Interrupted) {
        recorder.warn_of_place(&mut display);
    }
    let (model, training) = trained.map_err(|error| session.explain(error, &signals))?;

    let started = Instant::now();
    let description = engine.describe();
    drop(engine);
    let is_interrupted = training.ending == Ending::Interrupted;
    if is_interrupted && session.has(training.steps) {
        return Err(session.stopped(training.steps, &signals));
    }
    let share = trained_share(&training, &data);
    let trained = Trained {
        data: &data,
        corpus: &paths,
        engine: &description,
        summary: training,
        share,
    };
    let output = write(args, &trained, model).map_err(|error| session.explain_unwritten(error))?;
    let report = TrainReport {
        engine: description,
        output: &output,
        config: &data.config,
        corpus: data.prepared,
        init,
        training,
        words_per_second: training.words as f64 / training.elapsed.as_secs_f64(),
        seconds: Stages {
            prepare: prepare.as_secs_f64(),
            start: start.as_secs_f64(),
            train: training.elapsed.as_secs_f64(),
            of_it_waiting_for_batches: training.waited.as_secs_f64(),
            write: started.elapsed().as_secs_f64(),
        },
    };
    recorder.end(
        is_interrupted,
        report.output,
        &report.training,
        report.words_per_second,
        &report.seconds,
    );
    if args.json {
        writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        summary_lines(&report)
            .iter()
            .for_each(|line| display.line(line));
    }
    ending_line(&report)
        .iter()
        .for_each(|line| display.line(line));
    learning_warning(&report)
        .iter()
        .for_each(|warning| display.warn(warning));
    session.warning().iter().for_each(|line| display.warn(line));
    recorder.finish()?;
    if is_interrupted {
        return Err(signals
            .interrupted(interruption(args, &report, &session, share))
            .into());
    }
    signals.check()
}

pub(super) fn threads(asked: Option<usize>) -> Result<usize, Error> {
    let available = || std::thread::available_parallelism().map_or(1, usize::from);
    match asked {
        None => Ok(available()),
        Some(threads @ 1..=1024) => Ok(threads),
        Some(threads) => {
            let why = "use 1 to 1024 threads, or leave the option out to use every core".to_owned();
            Err(Error::setting("threads", threads, why))
        }
    }
}

fn checked_interval(seconds: Option<f64>) -> Result<Option<f64>, Error> {
    match seconds {
        Some(s) if !(s > 0.0 && s <= 1e6) => {
            let why = "must be a positive number of seconds, at most a million".to_owned();
            Err(Error::setting("log_every", s, why))
        }
        other => Ok(other),
    }
}

/// All files that will be written, each with the setting that names it.
fn output_files(args: &Args) -> Result<Vec<(&'static str, PathBuf)>, Error> {
    tagged_files(args, "")
}

/// The same with a tag in their names.
fn tagged_files(args: &Args, tag: &str) -> Result<Vec<(&'static str, PathBuf)>, Error> {
    let output = tagged(&args.output, tag);
    let mut files: Vec<_> = settings_path(&output)
        .map(|path| ("output", path))
        .into_iter()
        .collect();
    files.extend(
        args.save_vocab
            .as_deref()
            .map(|path| ("save_vocab", tagged(path, tag))),
    );
    files.extend(
        output_format(args)?
            .files(&output)?
            .into_iter()
            .map(|file| ("output", file)),
    );
    if let Some(path) = &args.save_output {
        let path = tagged(path, tag);
        files.extend(
            Format::from_path(&path)?
                .files(&path)?
                .into_iter()
                .map(|file| ("--save-output", file)),
        );
    }
    Ok(files)
}

/// The format of OUT.
fn output_format(args: &Args) -> Result<Format, Error> {
    args.to.map_or_else(|| Format::from_path(&args.output), Ok)
}

/// Finds out whether standard input is to be read for two things, or standard output written.
fn check_streams(args: &Args, corpus: &[PathBuf]) -> Result<(), Error> {
    let is_stdin = |path: &Path| path.as_os_str() == STDIN;
    let refuse = |setting, why: &str| Err(Error::setting(setting, STDIN, why));
    let reads_text = corpus
        .iter()
        .map(PathBuf::as_path)
        .chain(args.corpus.list())
        .any(is_stdin);
    for (setting, init) in [
        ("init", &args.config.init.init),
        ("init_output", &args.config.init.init_output),
    ] {
        if reads_text && init.as_deref().is_some_and(is_stdin) {
            return refuse(
                setting,
                "standard input cannot be both the text and vectors; name a file",
            );
        }
    }
    if args.save_output.as_deref().is_some_and(is_stdout) {
        return refuse(
            "--save-output",
            "standard output is for -o alone; name a file",
        );
    }
    if args.recording.metrics().is_some_and(is_stdout) {
        return refuse(
            "--metrics",
            "a record does not go to standard output; name a file, or a pipe that is there",
        );
    }
    let users = [
        ("output", is_stdout(&args.output)),
        (
            "save_vocab",
            args.save_vocab.as_deref().is_some_and(is_stdout),
        ),
        ("json", args.json),
    ];
    let mut users = users
        .into_iter()
        .filter(|&(_, uses)| uses && !args.dry_run)
        .map(|(setting, _)| setting);
    match (users.next(), users.next()) {
        (Some(setting), Some(other)) => refuse(
            setting,
            &format!("{other} goes to standard output as well; name a file"),
        ),
        _ => Ok(()),
    }
}

/// Whether a name stands for standard output.
fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STDOUT
}

/// Finds out before any work what would otherwise be found out after it.
fn check_outputs(args: &Args) -> Result<(), Error> {
    let files = output_files(args)?;
    for (at, (setting, file)) in files.iter().enumerate() {
        system::check_writable(file, setting)?;
        let mend = |why: &str| Error::setting(setting, file.display(), why);
        if files[..at]
            .iter()
            .any(|(_, other)| other == file || is_same_file(other, file))
        {
            return Err(mend("is also where another output goes; name another file"));
        }
    }
    Ok(())
}

/// Finds out whether an output would replace what is read, or a record of the run either.
fn check_inputs(args: &Args, corpus: &Corpus) -> Result<(), Error> {
    let named = [
        &args.config.vocabulary.vocab,
        &args.config.init.init,
        &args.config.init.init_output,
    ]
    .into_iter()
    .flatten()
    .map(PathBuf::as_path);
    let lists: Vec<&Path> = args
        .config
        .vocabulary
        .words
        .files()
        .chain(named)
        .chain(args.corpus.list())
        .collect();
    let outputs = output_files(args)?;
    for (setting, file) in &outputs {
        check_apart(corpus, lists.iter().copied(), file, setting)?;
    }
    let written = outputs.iter().map(|(_, file)| file.as_path());
    args.recording
        .check(corpus.files().chain(lists.iter().copied()).chain(written))
}

/// Finds out whether a file or folder of the run would be read as text by the next run on the same
/// folder of texts.
fn check_outside(args: &Args, corpus: &[PathBuf]) -> Result<(), Error> {
    let vectors = std::iter::once(("output", args.output.clone()));
    let files = vectors
        .chain(output_files(args)?)
        .filter(|(_, file)| !is_stdout(file));
    let places = files
        .chain(args.checkpoints.places())
        .chain(args.recording.places());
    for (setting, place) in places {
        text::check_outside(corpus, &place, setting)?;
    }
    Ok(())
}

/// The cache, in a folder where nobody else takes its files for their own.
fn open_cache(args: &Args, corpus: &[PathBuf]) -> Result<Option<Cache>, Error> {
    let Some(folder) = &args.cache else {
        return Ok(None);
    };
    text::check_outside(corpus, folder, "--cache")?;
    let cache = Cache::open(folder, "--cache")?;
    if args
        .checkpoints
        .folders()
        .any(|other| is_same_file(other, folder))
    {
        let why = "is the folder of the checkpoints; name a folder of its own".to_owned();
        return Err(Error::setting("cache", folder.display(), why));
    }
    Ok(Some(cache))
}

/// Whether two paths lead to one file that is there.
pub(super) fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// The place to train, and one line that says which and why.
///
/// A resumed run goes on with the kind of engine it began with, `on_cpu` or not, unless another is
/// asked for.
fn choose(hardware: &Hardware, on_cpu: Option<bool>) -> Result<(Place, String), Error> {
    let adapter = hardware.adapter.as_deref();
    let (engine, by) = match (hardware.engine, on_cpu) {
        (EngineKind::Auto, Some(true)) => (EngineKind::Cpu, "as in the checkpoint"),
        (EngineKind::Auto, Some(false)) => (EngineKind::Gpu, "as in the checkpoint"),
        (engine, _) => (engine, "as asked"),
    };
    match engine {
        EngineKind::Cpu if adapter.is_some() => {
            let why = match hardware.engine {
                EngineKind::Cpu => {
                    "names a GPU, but --engine cpu was asked for; leave one of the two out"
                }
                _ => {
                    "names a GPU, but the run in the checkpoint is on the CPU; leave it out, or \
                     ask for --engine gpu"
                }
            };
            let why = why.to_owned();
            Err(Error::setting("adapter", adapter.unwrap_or_default(), why))
        }
        EngineKind::Cpu => Ok((Place::Cpu, format!("engine: cpu, {by}"))),
        EngineKind::Auto if adapter.is_none() => Ok(match gpu::hardware() {
            Some(selected) => {
                let why = format!(
                    "engine: gpu, {}: the fastest kind of adapter here",
                    selected.describe()
                );
                (Place::Gpu(Box::new(selected)), why)
            }
            None => (
                Place::Cpu,
                "engine: cpu, as there is no hardware GPU (see `w2v-gpu devices`)".to_owned(),
            ),
        }),
        EngineKind::Auto | EngineKind::Gpu => {
            let selected = gpu::select(adapter)?;
            let why = format!("engine: gpu, {}, {by}", selected.describe());
            Ok((Place::Gpu(Box::new(selected)), why))
        }
    }
}

/// The CPU engine has 32-bit matrices alone.
fn check_storage(place: &Place, storage: Storage) -> Result<(), Error> {
    if matches!(place, Place::Cpu) && storage == Storage::F16 {
        let why = "is for the GPU, and this run is on the CPU; add --engine gpu, or leave it out"
            .to_owned();
        return Err(Error::setting("storage", "f16", why));
    }
    Ok(())
}

/// Where the settings of a run go: beside its vectors, if these go to a file.
fn settings_path(output: &Path) -> Option<PathBuf> {
    let mut path = output.as_os_str().to_owned();
    path.push(".json");
    (!is_stdout(output)).then(|| path.into())
}

/// In hierarchical softmax W' has no rows of words.
fn check_embedding(args: &Args) -> Result<(), Error> {
    let Some(which) = args.embedding.to_possible_value() else {
        return Ok(());
    };
    if args.config.objective.loss == Loss::Hs && args.embedding != Embedding::Input {
        let why = "with --loss hs only the input embedding has a row for each word: W' has those \
                   of the tree's inner nodes, which --save-output writes";
        let value = which.get_name().to_owned();
        return Err(Error::setting("embedding", value, why));
    }
    Ok(())
}

/// What the run needs, with all that was asked for.
fn plan(args: &Args, data: &Dataset, place: &Place, threads: usize) -> Result<Plan, Error> {
    let adapter = match place {
        Place::Gpu(selected) => Some(selected.summary()),
        Place::Cpu => None,
    };
    let text = data.vocab.words().map(|word| word.len() as u64).sum();
    let (rows, output_rows) = (data.vocab.len() as u64, data.batcher.output_rows() as u64);
    let bytes =
        |format: Format, rows| format.estimated_bytes(rows, data.config.model.dim as u64, text);
    let mut files = vec![(args.output.clone(), bytes(output_format(args)?, rows))];
    if let Some(path) = &args.save_output {
        files.push((path.clone(), bytes(Format::from_path(path)?, output_rows)));
    }
    let setup = Setup {
        adapter: adapter.as_ref(),
        threads,
        batcher_threads: place.batcher_threads(threads),
        checkpoints: args.checkpoints.folder(),
        files,
    };
    Ok(Plan::new(data, &setup))
}

/// The settings that are not the defaults, or not those of the preset.
fn settings_line(args: &Args) -> String {
    let base = args.preset.map_or_else(Config::default, Config::preset);
    let base = options::of(&base);
    let preset = args.preset.and_then(|preset| {
        Some(format!(
            "--preset {}",
            preset.to_possible_value()?.get_name()
        ))
    });
    let own = options::of(&args.config)
        .into_iter()
        .filter(|option| !base.contains(option));
    let settings: Vec<String> = preset.into_iter().chain(own).collect();
    let settings = if settings.is_empty() {
        "the defaults".to_owned()
    } else {
        settings.join(" ")
    };
    let all = settings_path(&args.output).map_or_else(String::new, |path| {
        format!(" (all of them: {})", path.display())
    });
    format!("settings: {settings}{all}")
}

/// A warning where a full softmax is out of proportion.
fn softmax_warning(data: &Dataset) -> Option<String> {
    let operations = data.softmax_operations();
    let hours = operations / SOFTMAX_RATE / 3600.0;
    (data.config.objective.loss == Loss::Softmax && hours > SOFTMAX_HOURS).then(|| {
        format!(
            "--loss softmax compares every center with all {}: {operations:.1e} multiply-adds, \
             some {} at {SOFTMAX_RATE:.0e} a second; --loss ns or hs takes a small part of that, \
             and a smaller --max-vocab less",
            plural(data.vocab.len() as u64, "word"),
            quantity::seconds(3600.0 * hours)
        )
    })
}

/// How many words start from given vectors.
fn init_lines(init: &Init, data: &Dataset) -> Vec<String> {
    let words = plural(data.vocab.len() as u64, "word");
    let line = |(what, given): (&str, Option<Given>)| {
        let Given {
            words: of_file,
            matched,
            ..
        } = given?;
        let (matched, of_file) = (count(matched), plural(of_file, "vector"));
        Some(format!(
            "{what}: {matched} of {words} start from the {of_file} given, the others as usual"
        ))
    };
    [("init", init.input), ("init of W'", init.output)]
        .into_iter()
        .filter_map(line)
        .collect()
}

/// The engine, with the model that training starts from.
fn start_engine(
    place: Place,
    data: &Dataset,
    model: &Model,
    args: &Args,
    threads: usize,
) -> Result<Box<dyn Engine>> {
    let (config, objective) = (&data.config, data.objective());
    Ok(match place {
        Place::Cpu => Box::new(CpuEngine::new(
            model,
            objective,
            config.schedule.clip,
            threads,
        )?),
        Place::Gpu(selected) => {
            let (clip, storage, seed) = (
                config.schedule.clip,
                config.model.storage,
                config.model.seed,
            );
            let mut options = GpuOptions {
                clip,
                storage,
                seed,
                ..GpuOptions::default()
            };
            if let Some(checks) = args.hardware.shader_checks {
                options.shader_checks = checks;
            }
            Box::new(GpuEngine::new(*selected, model, objective, options)?)
        }
    })
}

/// Begins to record the run where that was asked for, with everything that is settled by now.
fn start_recorder(
    args: &Args,
    corpus: &[PathBuf],
    data: &Dataset,
    engine: &dyn Engine,
    threads: usize,
    resumed: Option<TrainState>,
    display: &mut Display,
) -> Result<Recorder> {
    let run = metrics::Run {
        engine: engine.describe(),
        threads,
        corpus,
        output: &args.output,
        config: &data.config,
        prepared: &data.prepared,
        resumed,
    };
    args.recording.start(&run, display)
}

/// Writes all files of a run; returns where the vectors are.
fn write(args: &Args, trained: &Trained<'_>, model: Model) -> Result<PathBuf> {
    let Trained {
        data,
        corpus,
        engine,
        summary,
        share,
    } = *trained;
    let is_interrupted = summary.ending == Ending::Interrupted;
    let tag = if is_interrupted {
        unfinished_tag(args)?
    } else {
        String::new()
    };
    let files = is_interrupted.then(|| full_names(args, &tag)).transpose()?;
    let settings = serde_json::to_string_pretty(&Settings {
        program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
        corpus,
        engine,
        embedding: args.embedding,
        config: &data.config,
        interrupted: is_interrupted.then_some(true),
        trained_share: is_interrupted.then_some(share),
        files,
    })?;
    let output = tagged(&args.output, &tag);
    if let Some(path) = &args.save_vocab {
        system::write_atomically(&tagged(path, &tag), |out| vocab::write(&data.vocab, out))?;
    }
    if let Some(path) = &args.save_output {
        let nodes;
        let rows = if data.config.objective.loss == Loss::Hs {
            nodes = inner_nodes(model.output.rows());
            &nodes
        } else {
            &data.vocab
        };
        write_vectors(
            (&tagged(path, &tag), Format::from_path(path)?),
            rows,
            &model.output,
            &settings,
        )?;
    }
    write_vectors(
        (&output, output_format(args)?),
        &data.vocab,
        &model.embedding(args.embedding),
        &settings,
    )?;
    if let Some(path) = settings_path(&output) {
        system::write_atomically(&path, |out| writeln!(out, "{settings}"))?;
    }
    Ok(output)
}

/// The share of a run that was trained.
fn trained_share(summary: &Summary, data: &Dataset) -> f64 {
    summary.words as f64 / data.total_words().max(1) as f64
}

/// What stands in the names of the files of an interrupted run: nothing, unless that would replace
/// a file that no interrupted run with this OUT has written.
fn unfinished_tag(args: &Args) -> Result<String> {
    let tags = std::iter::once(String::new()).chain(std::iter::once(".interrupted".to_owned()));
    let mut tags = tags.chain((2..).map(|number| format!(".interrupted{number}")));
    let free = tags.find_map(|tag| match file_in_the_way(args, &tag) {
        Ok(None) => Some(Ok(tag)),
        Ok(Some(_)) => None,
        Err(error) => Some(Err(error)),
    });
    free.unwrap_or_else(|| Ok(String::new()))
}

/// The first file with a tag in its name that is there and was not written by an interrupted run
/// with this OUT.
fn file_in_the_way(args: &Args, tag: &str) -> Result<Option<PathBuf>> {
    let output = tagged(&args.output, tag);
    let replaceable = files_of_interrupted(&output);
    for file in
        std::iter::once(output).chain(tagged_files(args, tag)?.into_iter().map(|(_, file)| file))
    {
        if file.is_file() && !is_stdout(&file) && !replaceable.contains(&metrics::full_name(&file)?)
        {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// The absolute paths of all files that a run writes, with a tag in their names.
fn full_names(args: &Args, tag: &str) -> Result<Vec<String>> {
    let files = tagged_files(args, tag)?;
    Ok(files
        .iter()
        .map(|(_, file)| metrics::full_name(file))
        .collect::<io::Result<_>>()?)
}

/// The files that the settings beside vectors name, if they say that their run was interrupted.
fn files_of_interrupted(vectors: &Path) -> Vec<String> {
    let settings = settings_path(vectors)
        .and_then(|path| std::fs::read(path).ok())
        .unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap_or_default();
    let files = settings
        .get("files")
        .filter(|_| settings.get("interrupted").is_some_and(|it| it == true));
    files
        .and_then(|files| serde_json::from_value(files.clone()).ok())
        .unwrap_or_default()
}

/// A file's name with a tag in front of its extension, if it has one. A device, a pipe and standard
/// output keep theirs.
fn tagged(path: &Path, tag: &str) -> PathBuf {
    if tag.is_empty() || is_stdout(path) || path.exists() && !path.is_file() {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(tag);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Vectors, with the settings where the format has a place for them.
fn write_vectors(
    (path, format): (&Path, Format),
    vocab: &Vocab,
    matrix: &Matrix,
    settings: &str,
) -> Result<(), Error> {
    let table = VectorTable {
        configuration: Some(settings),
        ..VectorTable::new(vocab, matrix)
    };
    format.write(path, &table, &mut |_, _| ())
}

/// Names of the inner nodes of a Huffman tree, which nobody takes for words.
fn inner_nodes(nodes: usize) -> Vocab {
    let mut names = Vocab::default();
    for node in 0..nodes {
        names.push(&format!("<inner-node-{node}>"), 0);
    }
    names
}

fn summary_lines(report: &TrainReport<'_>) -> Vec<String> {
    let TrainReport {
        training, seconds, ..
    } = report;
    vec![
        format!(
            "trained {}, {} in {}: {} words/s, loss {:.4} per pair in epoch {}",
            plural(training.words, "word"),
            plural(training.pairs, "pair"),
            plural(training.steps, "batch"),
            short(report.words_per_second),
            training.loss,
            training.model_epoch + 1
        ),
        format!(
            "time: prepare {}, start {}, train {} (of it waiting for batches {}), write {}",
            quantity::seconds(seconds.prepare),
            quantity::seconds(seconds.start),
            quantity::seconds(seconds.train),
            quantity::seconds(seconds.of_it_waiting_for_batches),
            quantity::seconds(seconds.write)
        ),
        format!("on {}; vectors: {}", report.engine, report.output.display()),
    ]
}

/// What ended the run before its last epoch, or which epoch the vectors are of where that is not
/// the last.
fn ending_line(report: &TrainReport<'_>) -> Option<String> {
    let Summary {
        ending,
        epochs,
        model_epoch,
        validation,
        ..
    } = report.training;
    let patience = report.config.validation.patience?;
    let kept = format!(
        "the vectors are those of epoch {}, whose loss of held-out sentences is the lowest: {:.4}",
        model_epoch + 1,
        validation?
    );
    match ending {
        Ending::Early => {
            let of = report.config.schedule.epochs;
            Some(format!(
                "stopped early after epoch {epochs} of {of}, as --patience {patience} asks; {kept}"
            ))
        }
        _ if model_epoch + 1 < epochs => Some(format!("--patience {patience}: {kept}")),
        _ => None,
    }
}

/// The share of the loss of knowing nothing from which on nothing was learned.
const NOTHING_LEARNED: f64 = 0.99;

/// A warning where the training did not do what it is for.
fn learning_warning(report: &TrainReport<'_>) -> Option<String> {
    let Summary {
        loss,
        blank_loss,
        at_limit,
        ..
    } = report.training;
    let (lr, clip) = (report.config.schedule.lr, report.config.schedule.clip);
    if let Some(share) = at_limit.filter(|&share| share > 0.5) {
        return Some(format!(
            "--lr {lr} is too high: near the end {} of the rows still moved as far as --clip \
             {clip} lets them in each batch, so that the learning rate had no effect; lower --lr \
             (0.025 to 0.05 are usual)",
            percent(share)
        ));
    }
    let why = match loss / blank_loss {
        ..NOTHING_LEARNED => return None,
        _ if report.training.ending == Ending::Interrupted => return None,
        ..1.01 => {
            "train longer (more --epochs), in smaller steps (a smaller --batch), or with a higher \
             --lr"
        }
        _ => "lower --lr or --clip",
    };
    Some(format!(
        "nothing was learned: the loss is {loss:.4} per pair, and {blank_loss:.4} without any \
         knowledge; {why}"
    ))
}

/// What became of a run that was stopped and could not be saved.
fn interruption(args: &Args, report: &TrainReport<'_>, session: &Session, share: f64) -> String {
    let TrainReport {
        training, output, ..
    } = report;
    let share = percent(share);
    let other = match file_in_the_way(args, "") {
        Ok(Some(file)) if *output != args.output => {
            format!(
                ", as {} is there and not of an interrupted run",
                file.display()
            )
        }
        _ => String::new(),
    };
    let settings = settings_path(output).map_or_else(String::new, |path| {
        format!(", and {} says that the run was interrupted", path.display())
    });
    format!(
        "stopped after batch {}, {share} of the run; the vectors so far are in \
         {}{other}{settings}; {}",
        training.steps,
        output.display(),
        session.advice(args.checkpoints.folder().is_some()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(change: impl FnOnce(&mut Config)) -> Dataset {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus.txt");
        let mut config = Config::with(|config| config.objective.loss = Loss::Softmax);
        change(&mut config);
        Dataset::prepare(&Corpus::open(&[path]).unwrap(), &config, |_| ()).unwrap()
    }

    #[test]
    fn a_softmax_out_of_proportion_is_warned_about() {
        assert_eq!(softmax_warning(&bundled(|_| ())), None);
        let warning =
            softmax_warning(&bundled(|config| config.schedule.epochs = 1_000_000)).unwrap();
        assert!(
            warning.starts_with("--loss softmax") && warning.contains("some 7 h 7 min at"),
            "{warning}"
        );
    }
}
