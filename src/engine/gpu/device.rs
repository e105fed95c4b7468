//! A device with its queue, asked for only what is needed, and whose failures become errors.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytemuck::Pod;
use wgpu::{
    Adapter, Buffer, BufferDescriptor, BufferUsages, CommandEncoder, DeviceDescriptor, ErrorFilter,
    Features, Limits, MapMode, PollType, SubmissionIndex,
};

use super::limits::room;
use crate::error::{Error, Result};
use crate::quantity;

/// Submissions that may wait on the device before the host waits for the oldest.
const IN_FLIGHT: usize = 3;

/// Bytes brought over at a time.
pub(super) const READ_BYTES: u64 = 32 << 20;

/// The uses of every buffer of the engine: shaders see it, the host fills it and reads it back.
const STORAGE: BufferUsages = BufferUsages::STORAGE
    .union(BufferUsages::COPY_DST)
    .union(BufferUsages::COPY_SRC);

#[derive(Debug)]
pub(super) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    limits: Limits,
    adapter: String,
    /// The first failure that the driver reported outside of any call that could return it.
    failure: Arc<Mutex<Option<Failure>>>,
    in_flight: VecDeque<SubmissionIndex>,
}

/// A failure that the driver reported.
#[derive(Clone, Debug)]
enum Failure {
    /// Memory ran out.
    Memory,
    /// Anything else, in the driver's words.
    Other(String),
}

/// The features and limits that a device is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needed {
    pub(super) features: Features,
    /// Buffers that a shader binds at most.
    pub(super) buffers: u32,
    /// The largest buffer, in bytes.
    pub(super) largest: u64,
    /// Memory of a workgroup, in bytes.
    pub(super) workgroup_bytes: u32,
}

/// Hears of failures that no call returns: a place where the first of them is noted.
fn watch(device: &wgpu::Device) -> Arc<Mutex<Option<Failure>>> {
    let failure = Arc::new(Mutex::new(None));
    let note = |failure: &Arc<Mutex<Option<Failure>>>, what: Failure| {
        failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(what);
    };
    let heard = Arc::clone(&failure);
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        let what = match error {
            wgpu::Error::OutOfMemory { .. } => Failure::Memory,
            other => Failure::Other(other.to_string()),
        };
        note(&heard, what);
    }));
    let heard = Arc::clone(&failure);
    device.set_device_lost_callback(move |reason, text| {
        // A device that the engine gives back itself is no failure.
        if reason != wgpu::DeviceLostReason::Destroyed {
            let what = format!("the device was lost ({reason:?}) {text}");
            note(&heard, Failure::Other(what));
        }
    });
    failure
}

/// An adapter's name and backend, as errors give them.
pub(super) fn adapter_name(adapter: &Adapter) -> String {
    let info = adapter.get_info();
    format!("{} ({})", info.name, info.backend)
}

impl Device {
    /// Opens an adapter.
    pub(super) fn new(adapter: &Adapter, needed: Needed) -> Result<Self> {
        let Needed {
            features,
            buffers,
            largest,
            workgroup_bytes,
        } = needed;
        let name = adapter_name(adapter);
        // Batches grow while training goes on, up to the usual limit.
        let binding = largest
            .max(Limits::default().max_storage_buffer_binding_size)
            .min(room(&adapter.limits()));
        let usual = Limits::downlevel_defaults();
        let limits = Limits {
            max_compute_workgroup_storage_size: workgroup_bytes
                .max(usual.max_compute_workgroup_storage_size),
            max_storage_buffer_binding_size: binding,
            max_buffer_size: binding.max(READ_BYTES),
            max_storage_buffers_per_shader_stage: buffers,
            ..usual
        };
        let descriptor = DeviceDescriptor {
            label: Some("w2v-gpu"),
            required_features: features,
            required_limits: limits.clone(),
            ..DeviceDescriptor::default()
        };
        let (device, queue) =
            pollster::block_on(adapter.request_device(&descriptor)).map_err(|error| {
                Error::Device {
                    adapter: name.clone(),
                    doing: "opening it".to_owned(),
                    why: error.to_string(),
                }
            })?;
        tracing::info!(
            "granted by {name}: {buffers} bindings of {}, {}",
            quantity::bytes(binding),
            if features.is_empty() {
                "no features".to_owned()
            } else {
                format!("features {features}")
            }
        );
        let failure = watch(&device);
        Ok(Self {
            device,
            queue,
            limits,
            adapter: name,
            failure,
            in_flight: VecDeque::new(),
        })
    }

    /// The largest buffer that a shader can see whole, in bytes.
    pub(super) fn largest_binding(&self) -> u64 {
        room(&self.limits)
    }

    /// Whether passes can write the time.
    pub(super) fn has_timestamps(&self) -> bool {
        self.device.features().contains(Features::TIMESTAMP_QUERY)
    }

    /// A buffer of zeros that shaders can use.
    pub(super) fn storage(&self, what: &'static str, bytes: u64) -> Result<Buffer> {
        self.buffer(what, bytes, STORAGE)
    }

    pub(super) fn buffer(
        &self,
        what: &'static str,
        bytes: u64,
        usage: BufferUsages,
    ) -> Result<Buffer> {
        let allowed = self.largest_binding();
        if bytes > allowed {
            let (what, adapter) = (what.to_owned(), self.adapter.clone());
            return Err(Error::DeviceLimit {
                what,
                needed: bytes,
                allowed,
                adapter,
            });
        }
        let scope = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let descriptor = BufferDescriptor {
            label: Some(what),
            size: bytes.max(4),
            usage,
            mapped_at_creation: false,
        };
        let buffer = self.device.create_buffer(&descriptor);
        match pollster::block_on(scope.pop()) {
            Some(_) => Err(Error::DeviceMemory {
                adapter: self.adapter.clone(),
                doing: format!("making room for {what} ({})", quantity::bytes(bytes)),
            }),
            None => self.check(what).map(|()| buffer),
        }
    }

    /// Submits a recording; waits while too many are under way.
    pub(super) fn submit(&mut self, encoder: CommandEncoder) -> Result<()> {
        self.in_flight
            .push_back(self.queue.submit([encoder.finish()]));
        if self.in_flight.len() > IN_FLIGHT {
            let oldest = self.in_flight.pop_front();
            self.wait(oldest)?;
        }
        self.check("training")
    }

    pub(super) fn wait(&self, submission_index: Option<SubmissionIndex>) -> Result<()> {
        self.device
            .poll(PollType::Wait {
                submission_index,
                timeout: None,
            })
            .map_err(|error| self.failed("waiting for it", error))?;
        self.check("waiting for it")
    }

    /// The failure that the driver reported meanwhile, as an error.
    fn check(&self, doing: &str) -> Result<()> {
        match self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
        {
            Some(Failure::Other(why)) => Err(self.failed(doing, why)),
            Some(Failure::Memory) => Err(Error::DeviceMemory {
                adapter: self.adapter.clone(),
                doing: doing.to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// The error that the adapter failed at some work.
    pub(super) fn failed(&self, doing: &str, why: impl ToString) -> Error {
        Error::Device {
            adapter: self.adapter.clone(),
            doing: doing.to_owned(),
            why: why.to_string(),
        }
    }

    /// Brings some bytes of a buffer back, in pieces of whole rows of `row` bytes, once all that was
    /// submitted is done.
    pub(super) fn read<T: Pod>(
        &mut self,
        buffer: &Buffer,
        bytes: Range<u64>,
        row: u64,
        mut take: impl FnMut(&[T]),
    ) -> Result<()> {
        let piece = (READ_BYTES / row * row).min(bytes.end - bytes.start);
        let staging = self.buffer(
            "reading back",
            piece,
            BufferUsages::MAP_READ | BufferUsages::COPY_DST,
        )?;
        let mut start = bytes.start;
        while start < bytes.end {
            let size = piece.min(bytes.end - start);
            let mut encoder = self.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(buffer, start, &staging, 0, size);
            self.submit(encoder)?;
            let (sender, mapped) = std::sync::mpsc::channel();
            staging.map_async(MapMode::Read, ..size, move |result| {
                // The receiver is gone only if waiting failed, which is reported.
                let _ = sender.send(result);
            });
            self.wait(None)?;
            self.in_flight.clear();
            let doing = "reading back";
            mapped
                .recv()
                .map_err(|error| self.failed(doing, error))?
                .map_err(|error| self.failed(doing, error))?;
            let view = staging
                .get_mapped_range(..size)
                .map_err(|error| self.failed(doing, error))?;
            take(bytemuck::cast_slice(&view));
            drop(view);
            staging.unmap();
            start += size;
        }
        Ok(())
    }
}
