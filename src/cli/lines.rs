//! The lines that `train` prints about a run: its settings, its summary, and warnings.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use super::options;
use super::outputs::{OutputArgs, settings_path};
use crate::config::{Config, Loss, ModelKind, Preset};
use crate::error::shown;
use crate::event::Prepared;
use crate::quantity::{self, count, percent, plural, short};
use crate::system::{OsText, serialize_path};
use crate::train::dataset::Dataset;
use crate::train::init::{Given, Init};
use crate::train::{Ending, Summary};

/// The estimated multiply-adds per second of a full softmax, and the hours from which on a run gets
/// a warning.
const SOFTMAX_RATE: f64 = 1e11;
const SOFTMAX_HOURS: f64 = 0.5;

/// If the loss is at least this many times the lowest one of an earlier epoch, it has risen. The
/// losses of two epochs of a small text may differ by a tenth, as their draws differ.
const RISEN: f64 = 1.2;

/// If the loss is at least this share of an untrained model's loss, nothing was learned.
const NOTHING_LEARNED: f64 = 0.99;

/// The report of a run that has ended, which `--json` prints.
#[derive(Serialize)]
pub(super) struct TrainReport<'a> {
    pub(super) engine: String,
    #[serde(serialize_with = "serialize_path")]
    pub(super) output: &'a Path,
    pub(super) config: &'a Config,
    pub(super) corpus: Prepared,
    pub(super) init: Init,
    pub(super) training: Summary,
    pub(super) words_per_second: f64,
    pub(super) seconds: Stages,
}

/// Wall-clock seconds of each stage.
#[derive(Serialize)]
pub(super) struct Stages {
    pub(super) prepare: f64,
    pub(super) start: f64,
    pub(super) train: f64,
    pub(super) of_it_waiting_for_batches: f64,
    pub(super) write: f64,
}

/// A line with the settings that differ from the defaults, or from the defaults of the preset, of
/// the model that is trained.
pub(super) fn settings_line(config: &Config, preset: Option<Preset>, output: &Path) -> String {
    let model = config.objective.model;
    let mut base = preset.map_or_else(|| Config::of(model), |preset| Config::preset(preset, model));
    base.objective.model = ModelKind::default();
    let base = options::of(&base);
    let preset = preset.and_then(|preset| {
        Some(format!(
            "--preset {}",
            preset.to_possible_value()?.get_name()
        ))
    });
    let own = options::of(config)
        .into_iter()
        .filter(|option| !base.contains(option));
    let in_one_line = |option: String| shown(&OsText::from(option).to_path());
    let settings: Vec<String> = preset.into_iter().chain(own.map(in_one_line)).collect();
    let settings = if settings.is_empty() {
        "the defaults".to_owned()
    } else {
        settings.join(" ")
    };
    let all = settings_path(output).map_or_else(String::new, |path| {
        format!(" (all of them: {})", shown(&path))
    });
    format!("settings: {settings}{all}")
}

/// A warning if a full softmax would take too long.
pub(super) fn softmax_warning(data: &Dataset) -> Option<String> {
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

/// A line about the n-grams that words are composed of.
pub(super) fn subwords_line(data: &Dataset) -> Option<String> {
    let table = data.batcher.subwords.as_ref()?;
    let subwords = table.subwords();
    let share = 100.0 * table.sharing_ngrams() as f64 / table.ngrams().max(1) as f64;
    let alone = match table.words_alone() {
        0 => String::new(),
        words => format!("; {} have none", plural(words, "word")),
    };
    Some(format!(
        "subwords: {} of {} characters in {} of {} buckets, {share:.1}% of them share one; {:.1} \
         parts a word{alone}",
        plural(table.ngrams(), "n-gram"),
        subwords.lengths(),
        count(table.buckets().len() as u64),
        count(subwords.buckets().into()),
        table.parts_of_all() as f64 / table.words() as f64,
    ))
}

/// Lines about the number of words that start from given vectors.
pub(super) fn init_lines(init: &Init, data: &Dataset) -> Vec<String> {
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

pub(super) fn summary_lines(report: &TrainReport<'_>) -> Vec<String> {
    let TrainReport {
        training, seconds, ..
    } = report;
    let example = report.config.objective.model.example();
    vec![
        format!(
            "trained {}, {} in {}: {} words/s, loss {:.4} per {example} in epoch {}",
            plural(training.words, "word"),
            plural(training.pairs, example),
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
        format!("on {}; vectors: {}", report.engine, shown(report.output)),
    ]
}

/// A line about a run with `--patience`: why it ended early, or that its vectors are not from its
/// last epoch.
pub(super) fn ending_line(report: &TrainReport<'_>) -> Option<String> {
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

/// A warning if the training has learned nothing, reached the row limit, or unlearned.
pub(super) fn learning_warning(training: &Summary, config: &Config) -> Option<String> {
    let Summary {
        loss,
        blank_loss,
        at_limit,
        ..
    } = *training;
    let (lr, clip) = (config.schedule.lr, config.schedule.clip);
    let usual = match config.objective.model {
        ModelKind::SkipGram => "0.025 to 0.05",
        ModelKind::Cbow => "0.05 to 0.15",
    };
    if let Some(share) = at_limit.filter(|&share| share > 0.5) {
        return Some(format!(
            "--lr {lr} is too high: near the end {} of the rows still moved as far as --clip \
             {clip} lets them in each batch, so that the learning rate had no effect; lower --lr \
             ({usual} are usual)",
            percent(share)
        ));
    }
    let why = match loss / blank_loss {
        _ if training.ending == Ending::Interrupted => return None,
        ..NOTHING_LEARNED => return risen_warning(training, config),
        ..1.01 => {
            "train longer (more --epochs), in smaller steps (a smaller --batch), or with a higher \
             --lr"
        }
        _ => "lower --lr or --clip",
    };
    let example = config.objective.model.example();
    Some(format!(
        "nothing was learned: the loss is {loss:.4} per {example}, and {blank_loss:.4} without any \
         knowledge; {why}"
    ))
}

/// A warning if the loss has risen far above that of an earlier epoch.
fn risen_warning(training: &Summary, config: &Config) -> Option<String> {
    let (loss, lowest) = (training.loss, training.lowest_loss?);
    let example = config.objective.model.example();
    (loss >= RISEN * lowest).then(|| {
        format!(
            "the loss rose to {loss:.4} per {example} in epoch {}, and had been {lowest:.4} in an \
             earlier one: the steps of frequent rows are too long; lower --clip, --lr or --batch",
            training.model_epoch + 1
        )
    })
}

/// The message about a run that was stopped: its vectors so far, and the advice `saved` about
/// checkpoints.
pub(super) fn interruption(
    outputs: &OutputArgs,
    report: &TrainReport<'_>,
    saved: &str,
    share: f64,
) -> String {
    let TrainReport {
        training, output, ..
    } = report;
    let share = percent(share);
    let other = match outputs.file_in_the_way("") {
        Ok(Some(file)) if *output != outputs.output => {
            format!(
                ", as {} is there and not of an interrupted run",
                shown(&file)
            )
        }
        _ => String::new(),
    };
    let settings = settings_path(output).map_or_else(String::new, |path| {
        format!(", and {} says that the run was interrupted", shown(&path))
    });
    format!(
        "stopped after batch {}, {share} of the run; the vectors so far are in \
         {}{other}{settings}; {}",
        training.steps,
        shown(output),
        saved,
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::corpus::Corpus;

    fn bundled(change: impl FnOnce(&mut Config)) -> Dataset {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/corpus.txt");
        let mut config = Config::with(|config| config.objective.loss = Loss::Softmax);
        change(&mut config);
        Dataset::prepare(&Corpus::open(&[path]).unwrap(), &config, |_| ()).unwrap()
    }

    /// The last losses of runs, and the lowest: of a text that is one word for 99.9%, with tree and
    /// pairs; of one whose epochs differ by their draws; of usual ones.
    #[test]
    fn a_loss_that_rises_is_warned_about() {
        let config = Config::default();
        let warning = |loss, lowest_loss, blank_loss, ending| {
            let training = Summary {
                ending,
                steps: 1,
                words: 1,
                pairs: 1,
                epochs: 4,
                model_epoch: 3,
                loss,
                lowest_loss,
                blank_loss,
                at_limit: None,
                validation: None,
                elapsed: Duration::ZERO,
                waited: Duration::ZERO,
            };
            learning_warning(&training, &config)
        };
        let risen = warning(0.0451, Some(0.0170), 0.69, Ending::Complete).unwrap();
        assert!(
            risen.starts_with("the loss rose to 0.0451 per pair in epoch 4, and had been 0.0170"),
            "{risen}"
        );
        for (loss, lowest, ending) in [
            (0.0157, Some(0.0149), Ending::Complete),
            (2.1, Some(2.1), Ending::Complete),
            (2.1, None, Ending::Complete),
            (2.9, Some(2.1), Ending::Interrupted),
        ] {
            assert_eq!(
                warning(loss, lowest, 4.1, ending),
                None,
                "{loss} {lowest:?}"
            );
        }
        assert!(
            warning(4.2, Some(2.1), 4.1, Ending::Complete)
                .unwrap()
                .starts_with("nothing")
        );
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
