//! How a kernel reaches its buffers, and the WGSL by which it reaches a matrix: the same functions
//! for any number of shards.
//!
//! No file can hold this text: a shader names each of its buffers, and their number depends on the
//! adapter. With a single shard it is the plain index.

use std::fmt::Write;

use crate::model::Storage;

/// How a kernel uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    ReadWrite,
}

/// The ways in which a kernel uses a matrix. A row is WIDTH wide; its columns are groups of four
/// elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MatrixUse {
    /// Reads a table: `NAME_at(row, column)`, and `NAME_element(row, element)` for one element.
    Read,
    /// Reads a matrix of floats, whatever a table is stored in: `NAME_at(row, column)`.
    ReadFloats,
    /// Reads and moves a table: the functions of `Read`, and `set_NAME(row, column, value)`.
    Move,
    /// Adds to sums in fixed point, by atomics: `add_to_NAME(slot, column, sum)`.
    Add,
    /// Reads and replaces sums in fixed point: `NAME_at(slot, column)` and
    /// `set_NAME(slot, column, value)`.
    Fixed,
    /// Reads and replaces sums in floats, by the functions of `Fixed`.
    Floats,
}

impl MatrixUse {
    /// How the buffers of the matrix are bound.
    pub(super) fn access(self) -> Access {
        if self.only_reads() {
            Access::Read
        } else {
            Access::ReadWrite
        }
    }

    /// Whether nothing of the matrix changes.
    fn only_reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadFloats)
    }

    /// The type that is stored, and the type that the kernel sees.
    fn types(self, storage: Storage) -> (&'static str, &'static str) {
        match self {
            Self::Read | Self::Move if storage == Storage::F16 => ("vec2u", "vec4f"),
            Self::Read | Self::ReadFloats | Self::Move | Self::Floats => ("vec4f", "vec4f"),
            Self::Fixed => ("vec4i", "vec4i"),
            Self::Add => ("atomic<i32>", "i32"),
        }
    }

    /// The bindings of a matrix from `first` on, one for each shard, and its accessors.
    pub(super) fn accessors(
        self,
        name: &str,
        first: usize,
        shards: u32,
        storage: Storage,
    ) -> String {
        let (element, value) = self.types(storage);
        let [load, load_element, store] = statements(element);
        let access = if self.only_reads() {
            "read"
        } else {
            "read_write"
        };
        let mut text = String::new();
        for (binding, shard) in (first..).zip(0..shards) {
            let _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}_{shard}: \
                 array<{element}>;"
            );
        }
        let mut function = |head: &str, column: &str, statement: &str| {
            let _ = writeln!(
                text,
                "fn {head} {{\n{}}}",
                body(name, shards, column, statement)
            );
        };
        if self == Self::Add {
            let head = format!("add_to_{name}(row: u32, column: u32, sum: vec4i)");
            function(
                &head,
                "column",
                "atomicAdd(&SHARD[4u * at], sum.x); atomicAdd(&SHARD[4u * at + 1u], sum.y); \
                 atomicAdd(&SHARD[4u * at + 2u], sum.z); atomicAdd(&SHARD[4u * at + 3u], sum.w);",
            );
            return text;
        }
        function(
            &format!("{name}_at(row: u32, column: u32) -> {value}"),
            "column",
            load,
        );
        if matches!(self, Self::Read | Self::Move) {
            let head = format!("{name}_element(row: u32, element: u32) -> f32");
            function(&head, "(element / 4u)", load_element);
        }
        if !self.only_reads() {
            let head = format!("set_{name}(row: u32, column: u32, value: {value})");
            function(&head, "column", store);
        }
        text
    }
}

/// The statements that load four elements of some stored type, load one element, and store four.
fn statements(element: &str) -> [&'static str; 3] {
    match element {
        "vec2u" => [
            "return unpack_four(SHARD[at]);",
            "return unpack_one(SHARD[at][element % 4u / 2u], element % 2u);",
            "SHARD[at] = pack_four(value, row, column);",
        ],
        _ => [
            "return SHARD[at];",
            "return SHARD[at][element % 4u];",
            "SHARD[at] = value;",
        ],
    }
}

/// A statement on the shard that holds a column, `at` being the place in it.
fn body(name: &str, shards: u32, column: &str, statement: &str) -> String {
    let on = |shard: u32| statement.replace("SHARD", &format!("{name}_{shard}"));
    if shards == 1 {
        return format!("    let at = row * WIDTH + {column};\n    {}\n", on(0));
    }
    let mut text = format!("    let at = row * SHARD_WIDTH + {column} % SHARD_WIDTH;\n");
    let _ = writeln!(text, "    switch {column} / SHARD_WIDTH {{");
    for shard in 0..shards {
        let case = if shard + 1 < shards {
            format!("case {shard}u")
        } else {
            "default".to_owned()
        };
        let _ = writeln!(text, "        {case}: {{ {} }}", on(shard));
    }
    text + "    }\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With one shard there is nothing but the index; with more the column alone says which.
    #[test]
    fn one_shard_costs_nothing() {
        let one = MatrixUse::Read.accessors("input", 3, 1, Storage::F32);
        assert!(
            one.starts_with("@group(0) @binding(3) var<storage, read> input_0: array<vec4f>;\n"),
            "{one}"
        );
        assert!(
            one.contains("    let at = row * WIDTH + column;\n    return input_0[at];\n"),
            "{one}"
        );
        assert!(!one.contains("SHARD"), "{one}");
        let three = MatrixUse::Move.accessors("table", 0, 3, Storage::F32);
        assert!(three.contains("switch column / SHARD_WIDTH"), "{three}");
        assert!(
            three.contains("case 1u: { table_1[at] = value; }"),
            "{three}"
        );
        assert!(
            three.contains("default: { return table_2[at]; }"),
            "{three}"
        );
    }
}
