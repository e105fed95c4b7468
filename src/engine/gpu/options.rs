//! The settings of the GPU engine.

use crate::model::Storage;

/// How the GPU engine trains and uses its adapter.
#[derive(Clone, Copy, Debug)]
pub struct GpuOptions {
    /// The longest way that a step moves a row.
    pub clip: f32,
    /// The number format in which the matrices are stored.
    pub storage: Storage,
    /// Seed of the draws by which 16-bit floats are rounded.
    pub seed: u64,
    /// Whether shaders check the bounds of their reads. Checks are slow, and find nothing but
    /// mistakes in the shaders.
    pub shader_checks: bool,
    /// Whether subgroup operations are used where the adapter has them.
    pub subgroups: bool,
    /// Invocations of a workgroup, a power of two up to 256. By default the engine chooses by the
    /// adapter.
    pub lanes: Option<u32>,
    /// The largest piece of a matrix that lies in one buffer, in bytes. By default it is the
    /// largest that the adapter can bind.
    pub max_shard: Option<u64>,
    /// Whether stages are timed; kernels are, where the adapter has timestamps. Each kernel then
    /// is a pass of its own.
    pub measure: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            clip: 0.25,
            storage: Storage::F32,
            seed: 1,
            shader_checks: cfg!(debug_assertions),
            subgroups: true,
            lanes: None,
            max_shard: None,
            measure: false,
        }
    }
}
