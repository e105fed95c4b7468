//! What is known of an adapter, a GPU or a program that stands for one.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is known of an adapter.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterSummary {
    /// Its place in the list; `--adapter` takes it.
    pub index: usize,
    /// Its name; `--adapter` takes any part of it.
    pub name: String,
    /// Vulkan, Metal or DX12.
    pub backend: String,
    /// Discrete, integrated, virtual or software.
    pub kind: AdapterKind,
    /// The driver and its version.
    pub driver: String,
    /// The largest piece of a buffer that a shader can see, in bytes.
    pub max_binding: u64,
    /// The largest matrix, in bytes: as many such pieces as a shader can see.
    pub max_matrix: u64,
    /// The largest buffer, in bytes.
    pub max_buffer: u64,
    /// Smallest and largest subgroup, where shaders may use subgroup operations.
    pub subgroup: Option<(u32, u32)>,
}

/// The kinds of adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the memory of the host.
    Integrated,
    /// A GPU of a virtual machine.
    Virtual,
    /// A program on the processor, such as lavapipe.
    Software,
    /// One whose driver does not say.
    Other,
}

impl AdapterKind {
    /// Whether its memory is that of the host.
    pub fn shares_memory(self) -> bool {
        matches!(self, Self::Integrated | Self::Software)
    }
}

impl fmt::Display for AdapterKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Software => "software",
            Self::Other => "other",
        })
    }
}

impl Serialize for AdapterKind {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}
