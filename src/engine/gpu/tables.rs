//! The matrices on the device: W and W', brought over and back.

use std::ops::Range;

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
    /// Makes the shards and brings a matrix over.
    pub(super) fn upload(
        device: &Device,
        what: &'static str,
        matrix: &Matrix,
        layout: &Layout,
    ) -> Result<Self> {
        let (rows, dim) = (matrix.rows(), matrix.dim());
        let (storage, width) = (layout.storage, layout.shards.width as usize * 4);
        let row_bytes = width as u64 * storage.bytes();
        let mut shards = Vec::new();
        for _ in 0..layout.shards.count {
            shards.push(device.storage(what, rows as u64 * row_bytes)?);
        }
        let table = Self {
            shards,
            rows,
            dim,
            width,
            storage,
        };
        table.write(device, 0, matrix);
        Ok(table)
    }

    /// Replaces the rows from row `first` on, some at a time, each padded to whole groups of four.
    pub(super) fn write(&self, device: &Device, first: usize, matrix: &Matrix) {
        let (rows, dim, width) = (matrix.rows(), self.dim, self.width);
        let row_bytes = width as u64 * self.storage.bytes();
        let rows_at_once = ((8 << 20) / (width * 4)).max(1);
        let mut piece = Vec::with_capacity(rows_at_once.min(rows) * width);
        for (shard, buffer) in self.shards.iter().enumerate() {
            let columns = (shard * width).min(dim)..((shard + 1) * width).min(dim);
            for begin in (0..rows).step_by(rows_at_once) {
                piece.clear();
                for row in begin..rows.min(begin + rows_at_once) {
                    piece.extend_from_slice(&matrix.row(row)[columns.clone()]);
                    piece.resize(piece.len().next_multiple_of(width), 0.0);
                }
                let halves: Vec<u16>;
                let bytes = match self.storage {
                    Storage::F32 => bytemuck::cast_slice(&piece),
                    Storage::F16 => {
                        halves = piece.iter().copied().map(half::nearest).collect();
                        bytemuck::cast_slice(&halves)
                    }
                };
                let place = (first + begin) as u64 * row_bytes;
                device.queue.write_buffer(buffer, place, bytes);
                // Written bytes wait in host memory until the next submission.
                device.queue.submit([]);
            }
        }
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a row, without padding.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// Brings the table back, without its padding.
    pub(super) fn download(&self, device: &mut Device) -> Result<Matrix> {
        self.download_rows(device, 0..self.rows)
    }

    /// Brings some rows back, without their padding.
    pub(super) fn download_rows(&self, device: &mut Device, rows: Range<usize>) -> Result<Matrix> {
        let (first, shape) = (rows.start, (rows.len(), self.dim, self.width));
        let values = match self.storage {
            Storage::F32 => read_rows(device, &self.shards, first, shape, |&value: &f32| value),
            Storage::F16 => read_rows(device, &self.shards, first, shape, |&bits: &u16| {
                f16::from_bits(bits).to_f32()
            }),
        }?;
        Ok(Matrix::from_values(self.dim, values))
    }
}

/// Reads rows of a matrix that is cut into shards, without their padding, from row `first` on. The
/// shape is the number of rows, the elements of a row, and the elements of a row in each shard.
pub(super) fn read_rows<T: Pod, V: Copy + Default>(
    device: &mut Device,
    shards: &[Buffer],
    first: usize,
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
            first as u64 * row_bytes..(first + rows) as u64 * row_bytes,
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
