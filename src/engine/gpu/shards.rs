//! How matrices are cut by columns into shards where they are larger than a binding.
//!
//! The k-th piece of every row lies in shard k, so that a kernel chooses a buffer by column, never
//! by row. The sums of a batch are cut as the tables are: a batch touches no more rows than there
//! are, so its sums fit where a table does.

use wgpu::Limits;

use super::limits::{most, most_buffers, room};
use crate::error::{Error, Result};
use crate::quantity::{bytes, plural};

/// Bytes of a group of four elements of a sum; tables may have less.
const FOUR_BYTES: u64 = 16;

/// How every matrix is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shards {
    /// Shards of each matrix, at least 1.
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
    /// [`Error::DeviceLimit`] when it cannot bind that many, and [`Error::Device`] when it cannot
    /// even bind one of each matrix.
    pub(super) fn for_adapter(
        rows: usize,
        width: u32,
        limits: &Limits,
        largest: Option<u64>,
        adapter: &str,
    ) -> Result<Self> {
        let room = room(limits).min(largest.unwrap_or(u64::MAX));
        let most = most(limits);
        if most == 0 {
            let bindings = limits.max_storage_buffers_per_shader_stage;
            return Err(Error::Device {
                adapter: adapter.to_owned(),
                doing: "opening it".to_owned(),
                why: format!(
                    "its shaders bind {bindings} buffers at most, and the kernels bind up to {}",
                    most_buffers(1)
                ),
            });
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::gpu::limits::MOST_SHARDS;

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
        let error = cut(1, 7).unwrap_err().to_string();
        for part in ["a chip", "bind 7 buffers", "up to 8", "`adapter`"] {
            assert!(error.contains(part), "{error}");
        }
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
