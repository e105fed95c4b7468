//! How the matrices lie on the device: cut by columns into shards where they are larger than a
//! binding.
//!
//! The k-th piece of every row lies in shard k, so that a kernel chooses a buffer by column, never
//! by row. The sums of a batch are cut as the tables are: a batch touches no more rows than there
//! are, so they fit where a table does.

use ::half::f16;
use bytemuck::Pod;
use wgpu::{Buffer, Limits};

use super::device::Device;
use super::kernels::{Layout, most_buffers};
use crate::engine::half;
use crate::error::{Error, Result};
use crate::model::{Matrix, Storage};
use crate::quantity::{bytes, plural};

/// Shards of a matrix at most: with the usual bindings of 2 GB more than the memory of any device.
const MOST_SHARDS: u32 = 64;

/// Bytes of a group of four elements of a sum; tables may have less.
const FOUR_BYTES: u64 = 16;

/// How every matrix is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shards {
    pub(super) count: u32,
    /// Groups of four elements that a shard holds of a row.
    pub(super) width: u32,
}

impl Shards {
    /// The fewest shards that hold `rows` rows, `width` groups of four wide, in bindings of `room`
    /// bytes.
    pub(super) fn new(rows: u64, width: u32, room: u64) -> Option<Self> {
        let fitting = (room / (rows.max(1) * FOUR_BYTES)).min(u64::from(width)) as u32;
        // Pieces as even as can be: no number of shards is fewer.
        let count = width.checked_div(fitting)? + u32::from(!width.is_multiple_of(fitting));
        Some(Self {
            count,
            width: width.div_ceil(count),
        })
    }

    /// How matrices of up to `rows` rows are cut for an adapter of these limits, in shards of at
    /// most `largest` bytes.
    ///
    /// # Errors
    /// [`Error::DeviceLimit`] when it cannot bind that many.
    pub(super) fn for_adapter(
        rows: usize,
        width: u32,
        limits: &Limits,
        largest: Option<u64>,
        adapter: &str,
    ) -> Result<Self> {
        let room = room(limits).min(largest.unwrap_or(u64::MAX));
        let most = most(limits);
        Self::new(rows as u64, width, room)
            .filter(|shards| shards.count <= most)
            .ok_or_else(|| Error::DeviceLimit {
                what: format!("a matrix of {}", plural(rows as u64, "row")),
                needed: rows as u64 * u64::from(width) * FOUR_BYTES,
                allowed: room * u64::from(most),
                adapter: format!("{adapter}, which binds {most} x {},", bytes(room)),
            })
    }

    /// Bytes of a row of sums in each shard.
    pub(super) fn row_bytes(self) -> u64 {
        u64::from(self.width) * FOUR_BYTES
    }
}

/// The largest buffer that a shader can see whole, in bytes.
pub(super) fn room(limits: &Limits) -> u64 {
    limits
        .max_storage_buffer_binding_size
        .min(limits.max_buffer_size)
}

/// The most shards for which no kernel has more bindings than a shader may have.
pub(super) fn most(limits: &Limits) -> u32 {
    let fits = |&shards: &u32| most_buffers(shards) <= limits.max_storage_buffers_per_shader_stage;
    (1..=MOST_SHARDS).take_while(fits).last().unwrap_or(0)
}

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
                // What is written waits in host memory until the next submission.
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

    /// Brings it back, without its padding.
    pub(super) fn download(&self, device: &mut Device) -> Result<Matrix> {
        match self.storage {
            Storage::F32 => self.read(device, |&value: &f32| value),
            Storage::F16 => self.read(device, |&bits: &u16| f16::from_bits(bits).to_f32()),
        }
    }

    fn read<T: Pod>(&self, device: &mut Device, widen: impl Fn(&T) -> f32) -> Result<Matrix> {
        let mut matrix = Matrix::zeros(self.rows, self.dim);
        let row_bytes = (self.width * size_of::<T>()) as u64;
        for (shard, buffer) in self.shards.iter().enumerate() {
            let columns =
                (shard * self.width).min(self.dim)..((shard + 1) * self.width).min(self.dim);
            let mut row = 0;
            device.read(
                buffer,
                self.rows as u64 * row_bytes,
                row_bytes,
                |pieces: &[T]| {
                    for piece in pieces.chunks_exact(self.width) {
                        let own = &mut matrix.row_mut(row)[columns.clone()];
                        own.iter_mut()
                            .zip(piece)
                            .for_each(|(own, stored)| *own = widen(stored));
                        row += 1;
                    }
                },
            )?;
        }
        Ok(matrix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// All columns have a place, each shard fits, and one shard less would not do.
        #[test]
        fn the_fewest_shards_that_fit(rows in 1u64..1_000_000, width in 1u32..1024, room in 16u64..1 << 31) {
            let Some(Shards { count, width: piece }) = Shards::new(rows, width, room) else {
                // Not even one group of each row.
                prop_assert!(rows * FOUR_BYTES > room);
                return Ok(());
            };
            prop_assert!(count * piece >= width && (count - 1) * piece < width);
            prop_assert!(rows * u64::from(piece) * FOUR_BYTES <= room);
            prop_assert!(count == 1 || rows * u64::from(width.div_ceil(count - 1)) * FOUR_BYTES > room);
        }
    }

    /// An adapter as small as WebGPU's defaults binds one shard; lavapipe, with 32 bindings, seven.
    #[test]
    fn bindings_limit_the_shards() {
        let limits = |bindings| Limits {
            max_storage_buffers_per_shader_stage: bindings,
            ..Limits::default()
        };
        assert_eq!(
            [7, 8, 11, 12, 32].map(|bindings| most(&limits(bindings))),
            [0, 1, 1, 2, 7]
        );
        assert_eq!(most(&limits(u32::MAX)), MOST_SHARDS);
        let cut = |rows, bindings| Shards::for_adapter(rows, 75, &limits(bindings), None, "a chip");
        assert_eq!(
            cut(100_000, 8).unwrap(),
            Shards {
                count: 1,
                width: 75
            }
        );
        assert_eq!(
            cut(200_000, 12).unwrap(),
            Shards {
                count: 2,
                width: 38
            }
        );
        let error = cut(200_000, 8).unwrap_err().to_string();
        for part in [
            "a matrix of 200,000 rows needs 240 MB",
            "1 x 134 MB",
            "`max_vocab`",
            "`engine = cpu`",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}
