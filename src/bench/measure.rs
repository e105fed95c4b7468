//! Measures one engine: on batches made beforehand, stage by stage, and with the batcher at work.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Bench, Entry, Outcome, Traffic, Work, copy_bandwidth_of, shape};
use crate::batch::{Batch, Packer};
use crate::engine::choice::Choice;
use crate::engine::{Engine, StageTime};
use crate::error::Result;
use crate::event::Event;
use crate::train::schedule::Schedule;

/// The shares of an engine's time that its measurements take. The rest is for starting the engine,
/// twice, and for measuring a copy of memory.
const PLAIN_SHARE: f64 = 0.45;
const END_TO_END_SHARE: f64 = 0.2;
const STAGES_SHARE: f64 = 0.15;
const CALIBRATION_SHARE: f64 = 0.04;
const HOST_SHARE: f64 = 0.06;

/// Bytes of batches that are packed beforehand, to time the stages with.
const PACKED_BYTES: usize = 64 << 20;

/// The measured figures of an engine.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// The description of the engine, in one line.
    pub engine: String,
    /// Words of the corpus trained in a second on batches made beforehand. Words dropped by
    /// subsampling are included.
    pub words_per_second: f64,
    /// Pairs trained in a second on these batches.
    pub pairs_per_second: f64,
    /// Windows trained in a second on these batches.
    pub windows_per_second: f64,
    /// Number of batches trained.
    pub batches: u64,
    /// Seconds that training on them took.
    pub seconds: f64,
    /// The loss after a number of batches that all engines trained on.
    pub loss: MeasuredLoss,
    /// The speed with the batcher at work, as in training.
    pub end_to_end: EndToEnd,
    /// How fast the host alone is, by its threads, while the device does nothing; empty for an
    /// engine whose batches are not packed. No device that the host feeds is faster.
    pub host_alone: Vec<HostSpeed>,
    /// The time of each stage, from a measurement of its own.
    pub stages: Vec<StageSpeed>,
    /// Share of the time in which the device was busy, 0 to 1, on batches made beforehand. `None`
    /// where the device does not tell.
    pub busy: Option<f64>,
    /// Bytes that the algorithm moves for a word of the corpus: see [`Traffic`].
    pub bytes_per_word: f64,
    /// The bandwidth that follows from `bytes_per_word`, in bytes a second.
    pub bytes_per_second: f64,
    /// Bytes that a copy reads and writes in a second on the same device.
    pub copy_bytes_per_second: f64,
    /// The losses after increasing numbers of batches.
    #[serde(skip)]
    losses: Vec<MeasuredLoss>,
}

/// The mean loss per pair over the first batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MeasuredLoss {
    /// Number of these batches.
    pub batches: u64,
    /// Mean loss per pair.
    pub per_pair: f64,
}

/// The speed of an engine with the batcher at work.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct EndToEnd {
    /// Words of the corpus trained in a second. Words dropped by subsampling are included.
    pub words_per_second: f64,
    /// Number of threads that made batches.
    pub batcher_threads: usize,
    /// Share of the time in which the engine waited for a batch, 0 to 1.
    pub waiting: f64,
    /// Share of the time in which the device was busy, 0 to 1. It is computed from the time that
    /// the device's stages take for a word.
    pub busy: Option<f64>,
}

/// How fast batches are made, packed and handed over, without any work of the device.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct HostSpeed {
    /// Number of threads that make and pack batches, beside those that read and the one that hands
    /// over.
    pub threads: usize,
    /// Words of the corpus handed over in a second. Words dropped by subsampling are included.
    pub words_per_second: f64,
}

/// The speed of one stage of an engine's steps.
#[derive(Clone, Debug, Serialize)]
pub struct StageSpeed {
    /// The name of the kernel, or of the host's work.
    pub name: String,
    /// Whether the device did the work; otherwise the host did it for the device.
    pub on_device: bool,
    /// Nanoseconds for a word of the corpus.
    pub nanoseconds_per_word: f64,
    /// Share of the measured time, 0 to 1. Host and device work at the same time, so their shares
    /// may add up to more than 1.
    pub share: f64,
    /// Bytes that the stage moves for a word; `None` if moving bytes is not most of its work.
    pub bytes_per_word: Option<f64>,
    /// The bandwidth that follows from `bytes_per_word`, in bytes a second.
    pub bytes_per_second: Option<f64>,
}

/// An engine that is being measured.
pub(super) struct Measurement<'a> {
    bench: &'a Bench,
    engine: Box<dyn Engine + Send>,
    schedule: Schedule,
}

impl<'a> Measurement<'a> {
    /// Starts an engine, and lets it train on a batch at learning rate 0. So work that is done only
    /// once is not measured.
    pub(super) fn start(bench: &'a Bench, candidate: &Choice, measure: bool) -> Result<Self> {
        let mut engine = bench
            .trainer
            .start_engine(candidate, &bench.model, measure)?;
        let settings = &bench.data().config.schedule;
        let schedule = Schedule::new(settings.lr, settings.min_lr, bench.data().total_words());
        engine.step(&bench.batches[0], 0.0)?;
        engine.take_loss()?;
        engine.stages()?;
        Ok(Self {
            bench,
            engine,
            schedule,
        })
    }

    /// The time of a step, measured for about `time` with steps at learning rate 0.
    fn calibrate(&mut self, time: Duration) -> Result<Duration> {
        let (count, took) = self.double(time, |measurement, batch| {
            measurement.engine.step(batch, 0.0)
        })?;
        self.engine.stages()?;
        Ok(took / count as u32)
    }

    /// Words trained in a second, measured for about `time`.
    pub(super) fn words_per_second(&mut self, time: Duration) -> Result<f64> {
        let (count, took) = self.double(time, Self::step)?;
        let words: u64 = self
            .bench
            .batches
            .iter()
            .cycle()
            .take(count)
            .map(|batch| batch.words)
            .sum();
        Ok(words as f64 / took.as_secs_f64())
    }

    /// Calls `step` on one batch, then on twice as many and so on, until most of `time` is over.
    /// Returns the number of batches of the last round and its time.
    fn double(
        &mut self,
        time: Duration,
        step: impl Fn(&mut Self, &Batch) -> Result<()>,
    ) -> Result<(usize, Duration)> {
        let (mut count, batches) = (1, &self.bench.batches);
        loop {
            let started = Instant::now();
            batches
                .iter()
                .cycle()
                .take(count)
                .try_for_each(|batch| step(self, batch))?;
            self.engine.take_loss()?;
            let took = started.elapsed();
            if took > time / 3 || count >= 1 << 16 {
                return Ok((count, took));
            }
            count *= 2;
        }
    }

    fn step(&mut self, batch: &Batch) -> Result<()> {
        self.engine
            .step(batch, self.schedule.lr(batch.words_before))
    }

    /// Trains on `count` batches. The batches made beforehand are repeated if there are fewer.
    fn train(
        &mut self,
        count: u64,
        mut on_batch: impl FnMut(&Batch),
    ) -> Result<(Duration, Vec<MeasuredLoss>)> {
        let bench = self.bench;
        let (mut losses, mut sum, mut pairs) = (Vec::new(), 0.0, 0);
        let started = Instant::now();
        for (done, batch) in (1..=count).zip(bench.batches.iter().cycle()) {
            self.step(batch)?;
            on_batch(batch);
            pairs += batch.examples();
            if is_mark(done) || done == count {
                sum += self.engine.take_loss()?;
                losses.push(MeasuredLoss {
                    batches: done,
                    per_pair: sum / pairs as f64,
                });
            }
        }
        Ok((started.elapsed(), losses))
    }

    /// Trains on batches while the batcher makes them, for about `time` or until `most` batches are
    /// done.
    fn train_end_to_end(&mut self, threads: usize, most: u64, time: Duration) -> Result<EndToEnd> {
        let packer = self.engine.packer();
        let batcher = &self.bench.data().batcher;
        let mut batches = batcher.batches_packed(threads, 0, packer);
        let (mut work, mut waited, started) = (Work::default(), Duration::ZERO, Instant::now());
        while work.batches < most && (work.batches == 0 || started.elapsed() < time) {
            let asked = Instant::now();
            let Some(batch) = batches.next().transpose()? else {
                break;
            };
            waited += asked.elapsed();
            self.step(&batch)?;
            work.add(&batch);
            batches.recycle(batch);
        }
        self.engine.take_loss()?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(EndToEnd {
            words_per_second: work.words as f64 / seconds,
            batcher_threads: threads,
            waiting: (waited.as_secs_f64() / seconds).min(1.0),
            busy: None,
        })
    }

    /// The speed of the host alone on 1, 2, 4 and so on up to `most` threads, in about `time`.
    fn host_alone(&self, most: usize, time: Duration) -> Result<Vec<HostSpeed>> {
        let Some(packer) = self.engine.packer() else {
            return Ok(Vec::new());
        };
        let doubled = std::iter::successors(Some(1), |threads| Some(threads * 2));
        let mut counts: Vec<usize> = doubled.take_while(|&threads| threads < most).collect();
        counts.push(most);
        let each = time.div_f64(counts.len() as f64);
        let speed = |threads| self.host_speed(threads, &packer, each);
        counts.into_iter().map(speed).collect()
    }

    /// The speed of the host alone on a number of threads.
    fn host_speed(&self, threads: usize, packer: &Packer, time: Duration) -> Result<HostSpeed> {
        let batcher = &self.bench.data().batcher;
        let mut batches = batcher.batches_packed(threads, 0, Some(Arc::clone(packer)));
        let mut upload: Vec<u32> = Vec::new();
        let (mut words, mut started) = (0, None);
        while let Some(batch) = batches.next().transpose()? {
            upload.clear();
            upload.extend_from_slice(batch.packed.words());
            // The first batch waits for text to be read.
            match started {
                None => started = Some(Instant::now()),
                Some(started) => {
                    words += batch.words;
                    if started.elapsed() > time {
                        break;
                    }
                }
            }
            batches.recycle(batch);
        }
        let seconds = started.map_or(0.0, |started| started.elapsed().as_secs_f64());
        Ok(HostSpeed {
            threads,
            words_per_second: words as f64 / seconds.max(1e-9),
        })
    }
}

/// Whether the loss is read after this number of batches: 1, 2, 3, 4, 6, 8, 12 and so on. Engines
/// differ in the number of batches that they reach.
fn is_mark(batches: u64) -> bool {
    batches.is_power_of_two() || (batches.is_multiple_of(3) && (batches / 3).is_power_of_two())
}

/// The least number of batches that an engine trains on, however little time there is. With fewer,
/// nothing is seen of learning.
const LEAST_BATCHES: u64 = 3;

/// The number of batches that fit into `time`, at least [`LEAST_BATCHES`].
fn fitting(time: Duration, each: Duration) -> u64 {
    ((time.as_secs_f64() / each.as_secs_f64().max(1e-9)) as u64).max(LEAST_BATCHES)
}

/// Measures an engine in about the time `share`.
pub(super) fn measure(
    bench: &Bench,
    candidate: &Choice,
    share: Duration,
    on_event: &mut dyn FnMut(Event),
) -> Result<Measured> {
    let name = candidate.name();
    let ends = Instant::now() + share;
    bench.tell(format!("{name}: a copy of memory"), on_event);
    let copy_bytes_per_second = copy_bandwidth_of(candidate)?;

    bench.tell(format!("{name}: starting"), on_event);
    let mut measurement = Measurement::start(bench, candidate, false)?;
    let each = measurement.calibrate(share.mul_f64(CALIBRATION_SHARE))?;
    // The other measurements share the time left after starting. The calibration's share of it is
    // spent already. A second start, for the stages, takes a part of it too.
    let left = ends
        .saturating_duration_since(Instant::now())
        .div_f64(1.0 - CALIBRATION_SHARE);
    bench.tell(format!("{name}: training on ready batches"), on_event);
    let mut work = Work::default();
    let (elapsed, losses) = measurement
        .train(fitting(left.mul_f64(PLAIN_SHARE), each), |batch| {
            work.add(batch)
        })?;
    bench.tell(format!("{name}: training end to end"), on_event);
    let time = left.mul_f64(END_TO_END_SHARE);
    let mut end_to_end =
        measurement.train_end_to_end(candidate.batcher_threads(), fitting(time, each), time)?;
    bench.tell(format!("{name}: the host alone"), on_event);
    let time = left.mul_f64(HOST_SHARE);
    let host_alone = measurement.host_alone(candidate.batcher_threads(), time)?;
    let engine = measurement.engine.describe();
    drop(measurement);

    bench.tell(format!("{name}: timing the stages"), on_event);
    let count = fitting(left.mul_f64(STAGES_SHARE), each);
    let (stages, bytes_per_word) = time_stages(bench, candidate, count)?;
    let device = device_time(&stages);
    end_to_end.busy = device.map(|(_, seconds)| (seconds * end_to_end.words_per_second).min(1.0));

    let per_second = |count: u64| count as f64 / elapsed.as_secs_f64();
    Ok(Measured {
        engine,
        words_per_second: per_second(work.words),
        pairs_per_second: per_second(work.pairs),
        windows_per_second: per_second(work.windows),
        batches: work.batches,
        seconds: elapsed.as_secs_f64(),
        loss: losses[losses.len() - 1],
        end_to_end,
        host_alone,
        stages,
        busy: device.map(|(share, _)| share.min(1.0)),
        bytes_per_word,
        bytes_per_second: bytes_per_word * per_second(work.words),
        copy_bytes_per_second,
        losses,
    })
}

/// The first batches, packed as in training where an engine has them packed.
fn packed(batches: &[Batch], packer: Option<Packer>) -> Result<Cow<'_, [Batch]>> {
    let Some(packer) = packer else {
        return Ok(Cow::Borrowed(batches));
    };
    let (mut packed, mut bytes) = (Vec::new(), 0);
    for batch in batches {
        packed.push(batch.clone());
        packer(packed.last_mut().expect("a batch was pushed"))?;
        bytes += batch.bytes();
        if bytes > PACKED_BYTES {
            break;
        }
    }
    Ok(Cow::Owned(packed))
}

/// Times the stages of an engine over `count` batches. Also returns the bytes that the algorithm
/// moves for a word.
fn time_stages(bench: &Bench, candidate: &Choice, count: u64) -> Result<(Vec<StageSpeed>, f64)> {
    let mut measurement = Measurement::start(bench, candidate, true)?;
    let (mut timed, mut traffic) = (Work::default(), Traffic::default());
    let (objective, shape) = (bench.data().objective(), shape(candidate, bench));
    // The bytes are counted beforehand, because counting takes as long as an engine does.
    for batch in bench.batches.iter().cycle().take(count as usize) {
        timed.add(batch);
        traffic += Traffic::of(batch, objective, shape);
    }
    let ready = packed(&bench.batches, measurement.engine.packer())?;
    let started = Instant::now();
    for batch in ready.iter().cycle().take(count as usize) {
        measurement.step(batch)?;
    }
    measurement.engine.take_loss()?;
    let took = started.elapsed();
    let words = timed.words as f64;
    let speed = |stage: StageTime| {
        let seconds = stage.time.as_secs_f64();
        let bytes = traffic.of_stage(&stage.name).map(|bytes| bytes as f64);
        StageSpeed {
            nanoseconds_per_word: seconds * 1e9 / words,
            share: seconds / took.as_secs_f64(),
            bytes_per_word: bytes.map(|bytes| bytes / words),
            bytes_per_second: bytes.filter(|_| seconds > 0.0).map(|bytes| bytes / seconds),
            name: stage.name,
            on_device: stage.on_device,
        }
    };
    let stages = measurement.engine.stages()?;
    let speeds = stages.into_iter().map(speed).collect();
    Ok((speeds, traffic.total() as f64 / words))
}

/// The share of the time in which the device was busy, and its seconds for a word. `None` if no
/// stage has a time on the device.
fn device_time(stages: &[StageSpeed]) -> Option<(f64, f64)> {
    let on_device = || stages.iter().filter(|stage| stage.on_device);
    on_device().next()?;
    let share = on_device().map(|stage| stage.share).sum();
    let nanoseconds: f64 = on_device().map(|stage| stage.nanoseconds_per_word).sum();
    Some((share, nanoseconds * 1e-9))
}

/// Sets each engine's loss to the loss after the largest number of batches at which all engines
/// read it.
pub(super) fn keep_common_loss(entries: &mut [Entry]) {
    let mut measured: Vec<&mut Box<Measured>> = entries
        .iter_mut()
        .filter_map(|entry| match &mut entry.outcome {
            Outcome::Measured(measured) => Some(measured),
            Outcome::Failed { .. } => None,
        })
        .collect();
    let of = |measured: &Measured, batches| {
        measured
            .losses
            .iter()
            .copied()
            .find(|loss| loss.batches == batches)
    };
    let Some(first) = measured.first() else {
        return;
    };
    let common = first
        .losses
        .iter()
        .rev()
        .find(|loss| measured.iter().all(|m| of(m, loss.batches).is_some()));
    let Some(batches) = common.map(|loss| loss.batches) else {
        return;
    };
    for measured in &mut measured {
        measured.loss = of(measured, batches).unwrap_or(measured.loss);
    }
}
