//! The limits of adapters, and how much of them the kernels need.

use wgpu::Limits;

/// Workgroups in a dimension of a dispatch. Every adapter allows this many; kernels stride over
/// the rest.
pub(super) const MAX_GROUPS: usize = 65_535;

/// Invocations of a workgroup at most. Every adapter allows this many.
pub(super) const MAX_LANES: u32 = 256;

/// Shards of a matrix at most: with the usual bindings of 2 GB more than the memory of any device.
pub(super) const MOST_SHARDS: u32 = 64;

/// Buffers that a kernel binds at most, with so many shards of each matrix. The window kernel of
/// wide rows has the most: four plain buffers and four matrices. A test holds all kernels to it.
pub(super) fn most_buffers(shards: u32) -> u32 {
    4 + 4 * shards
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
