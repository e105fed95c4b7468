//! How long the stages of steps take: on the device by timestamps around passes of one kernel each,
//! on the host by its clock.
//!
//! Timestamps are resolved on the device, and brought over when someone asks or their room is full.

use std::time::{Duration, Instant};

use wgpu::{
    Buffer, BufferUsages, CommandEncoder, ComputePassTimestampWrites,
    QUERY_RESOLVE_BUFFER_ALIGNMENT, QUERY_SIZE, QuerySet, QuerySetDescriptor, QueryType,
};

use super::device::Device;
use super::program::CompiledStage;
use crate::engine::StageTime;
use crate::error::Result;

/// Submissions whose timestamps are kept on the device.
const SUBMISSIONS: usize = 64;

/// A part of a step that the host does.
#[derive(Clone, Copy, Debug)]
pub(super) enum HostStage {
    /// Checks a batch and writes it as the kernels read it.
    Pack,
    /// Hands the batch to the driver, and makes buffers larger where needed.
    Upload,
    /// Hands commands to the driver, and waits while too many are under way.
    Submit,
    /// Waits for the device and brings losses over.
    Read,
}

/// Time of every stage since it was last asked for.
#[derive(Debug)]
pub(super) struct Timing {
    host: [Duration; 4],
    kernels: Option<KernelTimes>,
}

#[derive(Debug)]
struct KernelTimes {
    queries: QuerySet,
    resolved: Buffer,
    /// Bytes between the timestamps of two submissions.
    stride: u64,
    /// Nanoseconds of a tick.
    period: f64,
    /// The stage of each pass recorded and not submitted.
    recorded: Vec<usize>,
    /// The stage of each pass of each submission whose timestamps are on the device.
    submitted: Vec<Vec<usize>>,
    /// Time of each stage.
    times: Vec<Duration>,
}

impl Timing {
    /// A clock for submissions of at most `passes` passes. Kernels are timed where the device has
    /// timestamps.
    pub(super) fn new(device: &Device, passes: usize, stages: usize) -> Result<Self> {
        let kernels = device
            .has_timestamps()
            .then(|| KernelTimes::new(device, passes, stages))
            .transpose()?;
        Ok(Self {
            host: [Duration::ZERO; 4],
            kernels,
        })
    }

    pub(super) fn add(&mut self, host: HostStage, started: Instant) {
        self.host[host as usize] += started.elapsed();
    }

    /// Where the next pass, of a stage, writes its timestamps.
    pub(super) fn writes(&mut self, stage: usize) -> Option<ComputePassTimestampWrites<'_>> {
        let KernelTimes {
            queries, recorded, ..
        } = self.kernels.as_mut()?;
        let first = 2 * recorded.len() as u32;
        recorded.push(stage);
        Some(ComputePassTimestampWrites {
            query_set: queries,
            beginning_of_pass_write_index: Some(first),
            end_of_pass_write_index: Some(first + 1),
        })
    }

    /// Ends a submission; true when there is no room for another.
    pub(super) fn resolve(&mut self, encoder: &mut CommandEncoder) -> bool {
        let Some(KernelTimes {
            queries,
            resolved,
            stride,
            recorded,
            submitted,
            ..
        }) = &mut self.kernels
        else {
            return false;
        };
        let at = *stride * submitted.len() as u64;
        encoder.resolve_query_set(queries, 0..2 * recorded.len() as u32, resolved, at);
        submitted.push(std::mem::take(recorded));
        submitted.len() == SUBMISSIONS
    }

    /// Brings the timestamps over.
    pub(super) fn read(&mut self, device: &mut Device) -> Result<()> {
        let Some(KernelTimes {
            resolved,
            stride,
            period,
            submitted,
            times,
            ..
        }) = &mut self.kernels
        else {
            return Ok(());
        };
        let mut ticks: Vec<u64> = Vec::new();
        if !submitted.is_empty() {
            let bytes = *stride * submitted.len() as u64;
            device.read(resolved, 0..bytes, *stride, |piece: &[u64]| {
                ticks.extend_from_slice(piece)
            })?;
        }
        for (stages, ticks) in submitted
            .drain(..)
            .zip(ticks.chunks((*stride / u64::from(QUERY_SIZE)) as usize))
        {
            for (stage, ticks) in stages.into_iter().zip(ticks.chunks(2)) {
                times[stage] += Duration::from_nanos(
                    (ticks[1].saturating_sub(ticks[0]) as f64 * *period) as u64,
                );
            }
        }
        Ok(())
    }

    /// All times, which begin anew.
    pub(super) fn take(&mut self, stages: &[CompiledStage]) -> Vec<StageTime> {
        let [pack, upload, submit, read] = std::mem::take(&mut self.host);
        let stage = |name: &str, on_device, time| StageTime {
            name: name.to_owned(),
            on_device,
            time,
        };
        let mut times = vec![stage("pack", false, pack), stage("upload", false, upload)];
        if let Some(KernelTimes { times: kernels, .. }) = &mut self.kernels {
            times.extend(
                stages
                    .iter()
                    .zip(kernels)
                    .map(|(kernel, time)| stage(&kernel.name, true, std::mem::take(time))),
            );
        }
        times.extend([
            stage("submit", false, submit),
            stage("wait, read back", false, read),
        ]);
        times
    }
}

impl KernelTimes {
    fn new(device: &Device, passes: usize, stages: usize) -> Result<Self> {
        let count = 2 * passes as u32;
        let stride = u64::from(count * QUERY_SIZE).next_multiple_of(QUERY_RESOLVE_BUFFER_ALIGNMENT);
        let descriptor = QuerySetDescriptor {
            label: Some("timestamps"),
            ty: QueryType::Timestamp,
            count,
        };
        let usage = BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC;
        Ok(Self {
            queries: device.device.create_query_set(&descriptor),
            resolved: device.buffer("timestamps", stride * SUBMISSIONS as u64, usage)?,
            stride,
            period: f64::from(device.queue.get_timestamp_period()),
            recorded: Vec::new(),
            submitted: Vec::new(),
            times: vec![Duration::ZERO; stages],
        })
    }
}
