//! `train`: makes word vectors from a corpus.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::parser::ValueSource;
use clap::{ArgMatches, FromArgMatches, ValueEnum};

use super::checkpoint::{Checkpoints, Session};
use super::follow::{self, Share};
use super::hardware::Hardware;
use super::lines::{self, Stages, TrainReport};
use super::metrics::{self, RecordedRun, Recorder};
use super::options::{self, rendered};
use super::outputs::{OutputArgs, Trained, is_stdout};
use super::plan::{self, PlanReport};
use super::progress::{Display, undercount_warning};
use super::signals::Signals;
use super::text::{self, CorpusArgs, check_apart, left_out_line};
use super::world::World;
use crate::Error;
use crate::config::{Config, Preset};
use crate::corpus::Corpus;
use crate::error::shown;
use crate::eval::{EvalOptions, Sets};
use crate::model::{Embedding, Model};
use crate::system::{self, OsText, Reserve, STDIN, is_same_file};
use crate::train::cache::Cache;
use crate::train::checkpoint::Fingerprint;
use crate::train::dataset::Dataset;
use crate::train::plan::Plan;
use crate::train::ranks::Ranks;
use crate::train::{
    Ended, Ending, EpochScoring, PreparedTrainer, StartedTrainer, Summary, TrainOptions, Trainer,
    agree, from_first,
};
use crate::vectors::format::{FastTextModel, Format};

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
    #[command(flatten)]
    outputs: OutputArgs,
    /// Take the defaults of another trainer; options typed beside it win
    #[arg(long, value_enum, value_name = "TRAINER")]
    preset: Option<Preset>,
    /// Take the defaults of a TOML file, lines such as `dim = 300`, or the settings of a run from
    /// its OUT.json; options typed beside it win
    #[arg(long = "config", id = "config_file", value_name = "FILE")]
    config_file: Option<PathBuf>,
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

/// Number of files that are open at once while a run writes its vectors, at most.
const FILES_TO_WRITE: usize = 8;

/// Number of files that records and the listener to signals open, at most.
const FILES_TO_TELL: usize = 8;

/// The error of a process that may not have enough files open at once.
const FEW_FILES: &str = "this process may not open as many files as a run and the writing of \
                         its vectors take; raise the limit (ulimit -n)";

/// The time that a dry run trains for its estimate.
const PROBE: Duration = Duration::from_secs(2);

/// The error message for a typed option that has no effect with the other options, if there is one.
pub(super) fn conflict(typed: &ArgMatches) -> Option<String> {
    let config = Config::from_arg_matches(typed).ok()?;
    let is_typed = |name: &&String| typed.value_source(name) == Some(ValueSource::CommandLine);
    config
        .conditional()
        .filter(|group| !group.holds)
        .find_map(|group| {
            let flag = options::option(group.names.iter().find(is_typed)?);
            let needs = options::rendered(&format!("`{}`", group.needs));
            Some(format!(
                "{flag} belongs to {needs} and has no effect without it; leave it out"
            ))
        })
}

/// Checks the options, prepares the corpus, starts the engine, trains, and writes the files.
pub(crate) fn run(args: &Args) -> Result<()> {
    super::log_to_stderr(args.verbose);
    let world = World::join()?;
    let done = match world.ranks() {
        Some(ranks) if ranks.rank() > 0 => follow(args, &world, ranks),
        _ => lead(args, &world),
    };
    world.end(done)
}

/// The run of a rank that is not the first; it has no part in a dry run.
fn follow(args: &Args, world: &World, ranks: &dyn Ranks) -> Result<()> {
    if args.dry_run {
        return Ok(());
    }
    let paths = args.corpus.paths()?;
    let share = Share {
        corpus: Corpus::open(&paths)?,
        cache: open_cache(args, &paths)?,
        config: args.config.clone(),
        request: args.hardware.request(world.process()),
        resumes: args.checkpoints.resumes(),
        points: args.recording.points(),
    };
    follow::run(share, world, ranks)
}

/// The run of the only process, or of rank 0.
fn lead(args: &Args, world: &World) -> Result<()> {
    args.config.validate()?;
    let mut display =
        Display::new(args.quiet, checked_interval(args.log_every)?).of_run(&args.config);
    let Opened {
        paths,
        corpus,
        sets,
        cache,
        session,
        trainer,
    } = open(args, world, &mut display)?;

    let started = Instant::now();
    let trainer = trainer.prepare_cached(&corpus, cache.as_ref(), |event| display.show(&event))?;
    warn_of_text(args, trainer.data(), &mut display);
    let plan = plan(args, &trainer)?;
    check_plan(args, &plan)?;
    let prepare = started.elapsed();

    let started = Instant::now();
    display.line(&lines::settings_line(
        &args.config,
        args.preset,
        &args.outputs.output,
    ));
    let subwords = lines::subwords_line(trainer.data());
    subwords.iter().for_each(|line| display.line(line));
    plan::lines(&plan)
        .iter()
        .for_each(|line| display.line(line));
    let warning = lines::softmax_warning(trainer.data());
    warning.iter().for_each(|warning| display.warn(warning));
    let mut trainer = trainer.start()?;
    trainer.instead().iter().for_each(|line| display.warn(line));
    trainer.odd().iter().for_each(|line| display.line(line));
    if trainer.resumed().is_none() {
        let from = lines::init_lines(&trainer.init(), trainer.data());
        from.iter().for_each(|line| display.line(line));
    }
    if args.dry_run {
        return estimate(args, &plan, &mut trainer, &mut display);
    }
    session.announce(trainer.engine(), &mut display);
    if let Some(ranks) = world.ranks() {
        let run = Fingerprint::new(trainer.data(), trainer.engine()).starting_from(trainer.init());
        let steps = trainer
            .resumed()
            .map_or(0, |snapshot| snapshot.reached.steps);
        agree(ranks, world.host(), &run, steps)?;
    }
    let start = started.elapsed();
    let reserve = |files| Reserve::of_files(files).context(FEW_FILES);
    drop(reserve(FILES_TO_WRITE + FILES_TO_TELL)?);
    let mut run = ObservedRun {
        args,
        paths: &paths,
        recorder: start_recorder(args, &paths, &trainer, &mut display)?,
        signals: Signals::listen()?,
        reserve: Some(reserve(FILES_TO_WRITE)?),
        ranks: world.ranks(),
        session,
        display,
    };
    let growing = run.recorder.growing_line();
    growing.iter().for_each(|line| run.display.line(line));
    let (model, summary) = run.train(&mut trainer, &sets)?;
    let times = [prepare, start];
    run.write(trainer, model, summary, times)
}

/// Everything that is opened before any text is read.
struct Opened {
    paths: Vec<PathBuf>,
    corpus: Corpus,
    sets: Sets,
    cache: Option<Cache>,
    session: Session,
    trainer: Trainer,
}

/// Finds, before any work, mistakes that would otherwise be found only after it.
fn open(args: &Args, world: &World, display: &mut Display) -> Result<Opened> {
    args.outputs.check_loss(args.config.objective.loss)?;
    args.hardware.threads()?;
    let paths = args.corpus.paths()?;
    if world.ranks().is_some() && paths.iter().any(|path| path.as_os_str() == STDIN) {
        let why = "standard input goes to one rank alone; name files that every rank can read";
        return Err(Error::setting("CORPUS", STDIN, why).into());
    }
    check_streams(args, &paths)?;
    args.outputs.check()?;
    let corpus = Corpus::open(&paths)?;
    check_inputs(args, &corpus)?;
    check_outside(args, &paths)?;
    let options = EvalOptions {
        score_column: args.score_column.clone(),
        ..EvalOptions::default()
    };
    let sets = Sets::read(&args.eval_pairs, &args.eval_analogies, options)?;
    sets.notes().for_each(|note| display.line(&note));
    // A dry run uses no cache and writes no checkpoints.
    let (cache, mut session) = if args.dry_run {
        (None, Session::default())
    } else {
        let cache = open_cache(args, &paths)?;
        (cache, Session::open(&args.checkpoints, display)?)
    };
    let resumed = session.take_checkpoint();
    if let (Some(ranks), Some(bytes)) = (world.ranks(), session.checkpoint_bytes()?) {
        from_first(ranks, &bytes)?;
    }
    let request = args.hardware.request(world.process());
    let trainer = Trainer::open(args.config.clone(), request, resumed)?;
    display.line(trainer.choice_line());
    left_out_line(&corpus)
        .iter()
        .for_each(|line| display.line(line));
    Ok(Opened {
        paths,
        corpus,
        sets,
        cache,
        session,
        trainer,
    })
}

/// Warns if the text holds less than was hoped for.
fn warn_of_text(args: &Args, data: &Dataset, display: &mut Display) {
    let undercount = undercount_warning(&data.prepared.selection, args.config.vocabulary.min_count);
    let warnings = undercount.into_iter().chain(data.prepared.warnings());
    warnings.for_each(|warning| display.warn(&warning));
}

/// Checks that the run fits into the machine. If it does not, a dry run still shows its needs.
fn check_plan(args: &Args, plan: &Plan) -> Result<()> {
    let fits = plan.check();
    if let (true, Err(error)) = (args.dry_run, &fits) {
        let report = PlanReport {
            plan,
            refused: Some(rendered(&error.to_string())),
            engine: None,
            estimate: None,
        };
        report.print(args.json)?;
    }
    Ok(fits?)
}

/// Prints the needs of the run, with its estimated time.
fn estimate(
    args: &Args,
    plan: &Plan,
    trainer: &mut StartedTrainer,
    display: &mut Display,
) -> Result<()> {
    display.line("trying the first batches");
    let estimate = trainer.probe(PROBE)?;
    let report = PlanReport {
        plan,
        refused: None,
        engine: Some(trainer.engine().describe()),
        estimate: Some(estimate),
    };
    report.print(args.json)
}

/// A run in progress, with all receivers of its events.
struct ObservedRun<'a> {
    args: &'a Args,
    paths: &'a [PathBuf],
    recorder: Recorder,
    signals: Signals,
    /// Held back for writing the vectors.
    reserve: Option<Reserve>,
    /// The ranks that are other processes, if there are any.
    ranks: Option<&'a dyn Ranks>,
    session: Session,
    display: Display,
}

impl ObservedRun<'_> {
    fn train(&mut self, trainer: &mut StartedTrainer, sets: &Sets) -> Result<(Model, Summary)> {
        let Self {
            args,
            recorder,
            signals,
            ranks,
            session,
            display,
            ..
        } = self;
        let mut saver = session.saver(trainer.data(), trainer.engine(), trainer.init());
        let options = TrainOptions {
            interval: display.interval(),
            points: args.recording.points(),
            saver: saver.as_mut(),
            stop: Some(signals.stop()),
            ranks: *ranks,
            scoring: (!sets.is_empty()).then_some(EpochScoring {
                sets,
                embedding: args.outputs.embedding,
            }),
            ..TrainOptions::default()
        };
        let trained = trainer.train(options, |event| {
            session.note(&event);
            recorder.show(&event);
            display.show(&event);
        });
        display.finish();
        if !matches!(&trained, Ok((_, summary)) if summary.ending != Ending::Interrupted) {
            recorder.warn_of_place(display);
        }
        trained.map_err(|error| session.explain(error, signals))
    }

    /// Writes all files of the run, and reports its result.
    fn write(
        mut self,
        trainer: StartedTrainer,
        model: Model,
        training: Summary,
        [prepare, start]: [Duration; 2],
    ) -> Result<()> {
        let began = Instant::now();
        let is_interrupted = training.ending == Ending::Interrupted;
        if is_interrupted && self.session.has(training.steps) {
            return Err(self.session.stopped(training.steps, &self.signals));
        }
        let Ended {
            data,
            engine,
            init,
            threads,
        } = trainer.end();
        let share = training.words as f64 / data.total_words().max(1) as f64;
        let trained = Trained {
            data: &data,
            corpus: self.paths,
            engine: &engine,
            summary: training,
            share,
        };
        let outputs = &self.args.outputs;
        drop(self.reserve.take());
        let output = threads
            .install(|| outputs.write(&trained, &model))
            .map_err(|error| match self.session.has(training.steps) {
                true => self.session.explain_unwritten(error),
                false => rescue(outputs, error, || {
                    threads.install(|| outputs.rescue(&trained, &model))
                }),
            })?;
        let report = TrainReport {
            engine,
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
                write: began.elapsed().as_secs_f64(),
            },
        };
        self.tell(&report)?;
        self.recorder.finish()?;
        if is_interrupted {
            let saved = self
                .session
                .advice(self.args.checkpoints.folder().is_some());
            let how = lines::interruption(outputs, &report, &saved, share);
            return Err(self.signals.interrupted(how).into());
        }
        self.signals.check()
    }

    /// Records and shows the result of the run.
    fn tell(&mut self, report: &TrainReport<'_>) -> Result<()> {
        let is_interrupted = report.training.ending == Ending::Interrupted;
        self.recorder.end(
            is_interrupted,
            report.output,
            &report.training,
            report.words_per_second,
            &report.seconds,
        );
        let display = &mut self.display;
        if self.args.json {
            writeln!(io::stdout(), "{}", serde_json::to_string_pretty(report)?)?;
        } else {
            let summary = lines::summary_lines(report);
            summary.iter().for_each(|line| display.line(line));
        }
        let ending = lines::ending_line(report);
        ending.iter().for_each(|line| display.line(line));
        let learning = lines::learning_warning(&report.training, report.config);
        let warnings = learning.into_iter().chain(self.session.warning());
        warnings.for_each(|warning| display.warn(&warning));
        Ok(())
    }
}

/// The error of a run whose files could not be written, with where they are instead.
fn rescue(
    outputs: &OutputArgs,
    error: anyhow::Error,
    rescue: impl FnOnce() -> Option<PathBuf>,
) -> anyhow::Error {
    let is_of_file = matches!(error.downcast_ref(), Some(Error::Io { .. }));
    if !is_of_file || is_stdout(&outputs.output) {
        return error;
    }
    let Some(folder) = rescue() else { return error };
    let said = format!(
        "{error}\nnothing is lost: the files of this run are in {}",
        shown(&folder)
    );
    error.context(said)
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

/// Refuses to read standard input for two things, or to write two things to standard output.
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
    for (setting, path) in [
        ("save_output", &args.outputs.save_output),
        ("save_model", &args.outputs.save_model),
    ] {
        if path.as_deref().is_some_and(is_stdout) {
            return refuse(setting, "standard output is for -o alone; name a file");
        }
    }
    if args.recording.metrics().is_some_and(is_stdout) {
        return refuse(
            "metrics",
            "a record does not go to standard output; name a file, or a pipe that is there",
        );
    }
    let users = [
        ("output", is_stdout(&args.outputs.output)),
        (
            "save_vocab",
            args.outputs.save_vocab.as_deref().is_some_and(is_stdout),
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
            &format!("`{other}` goes to standard output as well; name a file"),
        ),
        _ => Ok(()),
    }
}

/// Refuses an output that would replace a file that the run reads. Refuses a record that would
/// replace such a file or an output.
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
    let outputs = args.outputs.files()?;
    for (setting, file) in &outputs {
        check_apart(corpus, lists.iter().copied(), file, setting)?;
    }
    let written = outputs.iter().map(|(_, file)| file.as_path());
    args.recording
        .check(corpus.files().chain(lists.iter().copied()).chain(written))
}

/// Refuses a file or folder of the run that the next run on the same folder of texts would read as
/// text.
fn check_outside(args: &Args, corpus: &[PathBuf]) -> Result<(), Error> {
    let vectors = std::iter::once(("output", args.outputs.output.clone()));
    let files = vectors
        .chain(args.outputs.files()?)
        .filter(|(_, file)| !is_stdout(file));
    let places = files
        .chain(args.checkpoints.places())
        .chain(args.recording.places());
    for (setting, place) in places {
        text::check_outside(corpus, &place, setting)?;
    }
    Ok(())
}

/// Opens the cache, in a folder where nobody else takes its files for their own.
fn open_cache(args: &Args, corpus: &[PathBuf]) -> Result<Option<Cache>, Error> {
    let Some(folder) = &args.cache else {
        return Ok(None);
    };
    text::check_outside(corpus, folder, "cache")?;
    let cache = Cache::open(folder, "cache")?;
    if args
        .checkpoints
        .folders()
        .any(|other| is_same_file(other, folder))
    {
        let why = "is the folder of the checkpoints; name a folder of its own".to_owned();
        return Err(Error::setting("cache", shown(folder), why));
    }
    Ok(Some(cache))
}

/// The plan of the run, with all files that were asked for.
fn plan(args: &Args, trainer: &PreparedTrainer) -> Result<Plan, Error> {
    let (data, outputs) = (trainer.data(), &args.outputs);
    let (rows, output_rows) = (data.vocab.len() as u64, data.batcher.output_rows() as u64);
    let dim = data.config.model.dim as u64;
    let bytes = |format: Format, rows| format.estimated_bytes(&data.vocab, rows, dim);
    let mut files = vec![(outputs.output.clone(), bytes(outputs.format()?, rows))];
    if let Some(path) = &outputs.save_output {
        files.push((path.clone(), bytes(Format::from_path(path)?, output_rows)));
    }
    if let Some(path) = &outputs.save_model {
        files.push((
            path.clone(),
            FastTextModel::bytes(&data.vocab, data.batcher.subwords.as_deref(), dim),
        ));
    }
    if !args.dry_run {
        files
            .iter()
            .try_for_each(|(path, bytes)| system::check_file_size(path, *bytes))?;
    }
    Ok(trainer.plan(files, args.checkpoints.folder()))
}

/// The options that are no settings and decide about the vectors or the scores, as one would type
/// them.
fn options_of_result(args: &Args) -> Vec<OsText> {
    let mut typed = args.hardware.typed();
    if args.outputs.embedding != Embedding::default() {
        let which = args.outputs.embedding.to_possible_value();
        let which = which.map(|which| which.get_name().to_owned());
        typed.extend(["--embedding".to_owned()].into_iter().chain(which));
    }
    let mut typed: Vec<OsText> = typed.into_iter().map(OsText::from).collect();
    let pairs = args.eval_pairs.iter().map(|file| ("--eval-pairs", file));
    let analogies = args.eval_analogies.iter();
    for (option, file) in pairs.chain(analogies.map(|file| ("--eval-analogies", file))) {
        typed.extend([option.to_owned().into(), file.as_path().into()]);
    }
    if let Some(column) = &args.score_column {
        typed.extend(["--score-column".to_owned(), column.clone()].map(OsText::from));
    }
    typed
}

/// Begins the record of the run, if one was asked for, with everything that is settled by now.
fn start_recorder(
    args: &Args,
    corpus: &[PathBuf],
    trainer: &StartedTrainer,
    display: &mut Display,
) -> Result<Recorder> {
    let data = trainer.data();
    let run = RecordedRun {
        engine: trainer.engine().describe(),
        threads: trainer.threads().current_num_threads(),
        corpus,
        output: &args.outputs.output,
        config: &data.config,
        given: &args.config,
        options: options_of_result(args),
        prepared: &data.prepared,
        resumed: trainer.resumed().map(|snapshot| snapshot.reached),
    };
    args.recording.start(&run, display)
}
