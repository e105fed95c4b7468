//! Tries the settings that speed depends on, one after the other.

use serde::Serialize;

use super::Bench;
use super::measure::Measurement;
use crate::batch::SPAN;
use crate::engine::choice::Choice;
use crate::error::Result;
use crate::event::Event;
use crate::train::dataset::Dataset;

/// The widths of workgroups that are tried, in invocations.
#[cfg(feature = "gpu")]
const LANES: [u32; 6] = [8, 16, 32, 64, 128, 256];

/// The batch sizes that are tried, in windows.
const BATCHES: [usize; 4] = [1024, 4096, 16_384, 65_536];

/// The span sizes that are tried, in windows. A workgroup takes a span.
const SPANS: [usize; 3] = [4, 8, SPAN];

/// The share of a trial's time that training takes. The rest is for starting the engine.
const TRAINING_SHARE: f64 = 0.8;

/// A setting whose values are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Knob {
    /// Number of invocations in a workgroup.
    Lanes,
    /// Number of threads of the CPU engine.
    Threads,
    /// Number of windows in a span, which a workgroup takes. Results name it `run`, as earlier ones
    /// do.
    #[serde(rename = "run")]
    Span,
    /// Number of windows in a batch.
    Batch,
}

/// The trials of all values of one setting on one engine. The other settings keep their values, or
/// have the best values of earlier sweeps.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The kind of engine, and the adapter's name.
    pub name: String,
    /// The setting that was varied.
    pub knob: Knob,
    /// One trial for each value.
    pub trials: Vec<Trial>,
    /// The fastest value; `None` if all trials failed.
    pub best: Option<usize>,
}

/// A trial of one value of a setting.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// The tried value.
    pub value: usize,
    /// Words of the corpus trained in a second, on batches made beforehand.
    pub words_per_second: Option<f64>,
    /// The reason why there is no speed.
    pub error: Option<String>,
}

/// Tries workgroups or threads on each engine, then spans, then batches.
pub(super) fn sweep(
    bench: &mut Bench,
    candidates: &[Choice],
    on_event: &mut dyn FnMut(Event),
) -> Result<Vec<Sweep>> {
    let mut left: usize = candidates
        .iter()
        .map(|candidate| own_values(candidate).1.len() + SPANS.len() + BATCHES.len())
        .sum();
    let mut sweeps = Vec::new();
    let mut tuned = candidates.to_vec();
    for candidate in &mut tuned {
        let (knob, values) = own_values(candidate);
        let mut sweep = Sweep {
            name: candidate.name(),
            knob,
            trials: Vec::new(),
            best: None,
        };
        for value in values {
            bench.tell(format!("{}: {} {value}", sweep.name, knob.name()), on_event);
            trial(bench, &mut sweep, &with(candidate, value), value, left);
            left -= 1;
        }
        sweep.best = best(&sweep.trials);
        if let Some(best) = sweep.best {
            *candidate = with(candidate, best);
        }
        sweeps.push(sweep);
    }
    // All engines are tried on the same batches before the next batches are made. The last of the
    // span sizes is the one of training, and stays for the sizes of batches.
    let set_span: fn(&mut Dataset, usize) = Dataset::set_span;
    for (knob, values, set) in [
        (Knob::Span, &SPANS[..], set_span),
        (Knob::Batch, &BATCHES[..], Dataset::set_batch),
    ] {
        let mut by_value: Vec<Sweep> = tuned
            .iter()
            .map(|candidate| Sweep {
                name: candidate.name(),
                knob,
                trials: Vec::new(),
                best: None,
            })
            .collect();
        for &value in values {
            set(bench.trainer.data_mut(), value);
            bench.make_batches()?;
            for (candidate, sweep) in tuned.iter().zip(&mut by_value) {
                bench.tell(
                    format!("{}: {} {value} windows", sweep.name, knob.name()),
                    on_event,
                );
                trial(bench, sweep, candidate, value, left);
                left -= 1;
            }
        }
        for sweep in &mut by_value {
            sweep.best = best(&sweep.trials);
        }
        sweeps.extend(by_value);
    }
    Ok(sweeps)
}

impl Knob {
    fn name(self) -> &'static str {
        match self {
            Self::Lanes => "workgroups of",
            Self::Threads => "threads",
            Self::Span => "spans of",
            Self::Batch => "batches of",
        }
    }
}

/// The setting that only this kind of engine has, and its values.
fn own_values(candidate: &Choice) -> (Knob, Vec<usize>) {
    match *candidate {
        Choice::Cpu { threads } => {
            let doubled = std::iter::successors(Some(1), |threads| Some(threads * 2));
            (
                Knob::Threads,
                doubled
                    .take_while(|&value| value < threads)
                    .chain([threads])
                    .collect(),
            )
        }
        #[cfg(feature = "gpu")]
        Choice::Gpu { .. } => (Knob::Lanes, LANES.map(|lanes| lanes as usize).to_vec()),
    }
}

/// The engine with another value of this setting.
fn with(candidate: &Choice, value: usize) -> Choice {
    let mut candidate = candidate.clone();
    match &mut candidate {
        Choice::Cpu { threads } => *threads = value,
        #[cfg(feature = "gpu")]
        Choice::Gpu { options, .. } => options.lanes = Some(value as u32),
    }
    candidate
}

/// Trains for an equal part of the remaining time, as `left` trials are still to come. If no time
/// remains, the trials of a sweep end with the first that succeeds.
fn trial(bench: &Bench, sweep: &mut Sweep, candidate: &Choice, value: usize, left: usize) {
    let share = bench.left().div_f64(left as f64);
    let tried = sweep
        .trials
        .iter()
        .any(|trial| trial.words_per_second.is_some());
    let trial = if share.is_zero() && tried {
        Trial {
            value,
            words_per_second: None,
            error: Some("no time was left; give more `seconds`".to_owned()),
        }
    } else {
        let speed = Measurement::start(bench, candidate, false).and_then(|mut measurement| {
            measurement.words_per_second(share.mul_f64(TRAINING_SHARE))
        });
        match speed {
            Ok(speed) => Trial {
                value,
                words_per_second: Some(speed),
                error: None,
            },
            Err(error) => Trial {
                value,
                words_per_second: None,
                error: Some(error.to_string()),
            },
        }
    };
    sweep.trials.push(trial);
}

fn best(trials: &[Trial]) -> Option<usize> {
    let speed = |trial: &&Trial| trial.words_per_second.unwrap_or(0.0);
    let best = trials.iter().max_by(|a, b| speed(a).total_cmp(&speed(b)))?;
    best.words_per_second.map(|_| best.value)
}
