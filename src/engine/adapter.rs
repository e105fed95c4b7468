//! The description of an adapter: a GPU, or a program that stands in for one.

use std::fmt;

use serde::{Serialize, Serializer};

/// The description of an adapter.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterSummary {
    /// The adapter's place in the list, from 0; `--adapter` takes it.
    pub index: usize,
    /// The adapter's name; `--adapter` takes any part of it.
    pub name: String,
    /// The graphics interface: Vulkan, Metal or DX12.
    pub backend: String,
    /// The kind of adapter: discrete, integrated, virtual or software.
    pub kind: AdapterKind,
    /// The driver and its version.
    pub driver: String,
    /// The largest piece of a buffer that a shader can see through one binding, in bytes.
    pub max_binding: u64,
    /// The largest matrix, in bytes: as many such pieces as a shader can see at a time.
    pub max_matrix: u64,
    /// The largest buffer, in bytes.
    pub max_buffer: u64,
    /// The smallest and largest number of invocations in a subgroup; `None` where shaders may not
    /// use subgroup operations.
    pub subgroup: Option<(u32, u32)>,
}

impl AdapterSummary {
    /// Index, name, backend and kind in one line.
    pub fn line(&self) -> String {
        let Self {
            index,
            name,
            backend,
            kind,
            ..
        } = self;
        format!("{index}: {name} ({backend}, {kind})")
    }
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
    /// A program on the CPU, such as lavapipe.
    Software,
    /// An adapter whose driver does not tell its kind.
    Other,
}

impl AdapterKind {
    /// Whether the adapter uses the memory of the host.
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
