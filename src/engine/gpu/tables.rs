//! The matrices on the device: W and W', brought over and back.

use ::half::f16;
use bytemuck::Pod;
use wgpu::Buffer;

use super::device::Device;
use super::layout::Layout;
use crate::engine::half;
use crate::error::Result;
use crate::model::{Matrix, Storage};

/// W or W' on the device.
#[derive(Debug)]
pub(super) struct DeviceTable {
    pub(super) shards: Vec<Buffer>,
    rows: usize,
    dim: usize,
    /// Elements of a row in each shard.
    width: usize,
    storage: Storage,
}

impl DeviceTable {
    /// Brings a matrix over, some rows at a time, each padded to whole groups of four.
    pub(super) fn upload(
        device: &Device,
        what: &'static str,
        matrix: &Matrix,
        layout: &Layout,
    ) -> Result<Self> {
        let (rows, dim) = (matrix.rows(), matrix.dim());
        let (storage, width) = (layout.storage, layout.shards.width as usize * 4);
        let row_bytes = width as u64 * storage.bytes();
        let rows_at_once = ((8 << 20) / (width * 4)).max(1);
        let mut piece = Vec::with_capacity(rows_at_once * width);
        let mut shards = Vec::new();
        for shard in 0..layout.shards.count as usize {
            let buffer = device.storage(what, rows as u64 * row_bytes)?;
            let columns = (shard * width).min(dim)..((shard + 1) * width).min(dim);
            for first in (0..rows).step_by(rows_at_once) {
                piece.clear();
                for row in first..rows.min(first + rows_at_once) {
                    piece.extend_from_slice(&matrix.row(row)[columns.clone()]);
                    piece.resize(piece.len().next_multiple_of(width), 0.0);
                }
                let halves: Vec<u16>;
                let bytes = match storage {
                    Storage::F32 => bytemuck::cast_slice(&piece),
                    Storage::F16 => {
                        halves = piece.iter().copied().map(half::nearest).collect();
                        bytemuck::cast_slice(&halves)
                    }
                };
                device
                    .queue
                    .write_buffer(&buffer, first as u64 * row_bytes, bytes);
                // Written bytes wait in host memory until the next submission.
                device.queue.submit([]);
            }
            shards.push(buffer);
        }
        Ok(Self {
            shards,
            rows,
            dim,
            width,
            storage,
        })
    }

    /// Elements of a row, without padding.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// Brings the table back, without its padding.
    pub(super) fn download(&self, device: &mut Device) -> Result<Matrix> {
        let shape = (self.rows, self.dim, self.width);
        let values = match self.storage {
            Storage::F32 => read_rows(device, &self.shards, shape, |&value: &f32| value),
            Storage::F16 => read_rows(device, &self.shards, shape, |&bits: &u16| {
                f16::from_bits(bits).to_f32()
            }),
        }?;
        Ok(Matrix::from_values(self.dim, values))
    }
}

/// Reads the first rows of a matrix that is cut into shards, without their padding. The shape is
/// the number of rows, the elements of a row, and the elements of a row in each shard.
pub(super) fn read_rows<T: Pod, V: Copy + Default>(
    device: &mut Device,
    shards: &[Buffer],
    (rows, dim, width): (usize, usize, usize),
    value: impl Fn(&T) -> V,
) -> Result<Vec<V>> {
    let mut values = vec![V::default(); rows * dim];
    let row_bytes = (width * size_of::<T>()) as u64;
    for (shard, buffer) in shards.iter().enumerate() {
        let columns = (shard * width).min(dim)..((shard + 1) * width).min(dim);
        let mut row = 0;
        device.read(
            buffer,
            rows as u64 * row_bytes,
            row_bytes,
            |pieces: &[T]| {
                for piece in pieces.chunks_exact(width) {
                    let own = &mut values[row * dim..][columns.clone()];
                    own.iter_mut()
                        .zip(piece)
                        .for_each(|(own, stored)| *own = value(stored));
                    row += 1;
                }
            },
        )?;
    }
    Ok(values)
}
