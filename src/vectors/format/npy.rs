//! NumPy's array file: a header in Python's syntax, then the values. The words are in a second
//! file.

use std::io::{self, Write};

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::{Checked, fits_line, other_size};
use super::word::quoted;
use super::words::WordsFile;
use super::{Abilities, Dtype, FormatSpec, LoadedVectors, SEPARATOR_BYTES};
use crate::error::Result;
use crate::error::shown;
use crate::quantity::plural;

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["npy"],
    title: "NumPy, its words in NAME.vocab",
    words: Some(WORDS),
    holds: Abilities {
        f16: true,
        counts: true,
        configuration: false,
    },
    fits: fits_line,
    value_bytes: 4,
    word_bytes: SEPARATOR_BYTES,
    read,
    write,
};

const WORDS: WordsFile = WordsFile {
    extension: "vocab",
    counts: true,
};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header of a plain array, in bytes.
const MAX_HEADER_BYTES: usize = 1 << 16;

/// The values begin at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    let words_path = WORDS.beside(input.path);
    let listed = WORDS.read(&words_path, input)?;
    let header = read_header(input)?.and_then(|header| Array::new(&header));
    let Array {
        dtype,
        rows: promised,
        dim,
    } = header.map_err(|why| input.wrong_byte(0, why))?;
    let (words, is_full) = (listed.words.seen, listed.words.is_full());
    if promised < words || promised > words && !is_full {
        let (rows, path, words) = (
            plural(promised, "row"),
            shown(&words_path),
            plural(words, "word"),
        );
        return Err(input.wrong_byte(0, format!("the header says {rows}, but {path} has {words}")));
    }
    if let Some(left) = input.left()
        && u128::from(promised) * dim as u128 * dtype.bytes() as u128 != u128::from(left)
    {
        return Err(input.wrong_byte(input.at, other_size(promised, dim, dtype, left)));
    }
    let rows = input.read_listed(listed, dim, dtype)?;
    rows.finish(Some(promised))
        .map_err(|why| input.wrong_byte(0, why))
}

/// Reads the text of the header. Before it come six bytes of magic, two of the version, and the
/// length in two bytes (version 1) or four.
fn read_header(input: &mut Input<'_>) -> Result<Checked<String>> {
    let start = input.read_bytes(8)?;
    if !start.starts_with(MAGIC) {
        return Ok(Err(
            "this is no .npy file: it does not begin with \\x93NUMPY".to_owned(),
        ));
    }
    let length = match start.get(6) {
        Some(1) => input.read_bytes(2)?,
        Some(2 | 3) => input.read_bytes(4)?,
        Some(version) => {
            return Ok(Err(format!(
                "version {version} of the format; 1 to 3 are known"
            )));
        }
        None => Vec::new(),
    };
    let length = length
        .iter()
        .rev()
        .fold(0, |length, &byte| length << 8 | usize::from(byte));
    if length > MAX_HEADER_BYTES {
        return Ok(Err(format!(
            "a header of {length} bytes; that of a plain array is short"
        )));
    }
    let header = input.read_bytes(length as u64)?;
    if header.len() < length || length == 0 {
        return Ok(Err("the file ends within its header".to_owned()));
    }
    Ok(String::from_utf8(header).map_err(|_| "the header is not UTF-8".to_owned()))
}

/// The properties of an array that can be read, from its header.
#[derive(Debug, PartialEq)]
struct Array {
    dtype: Dtype,
    rows: u64,
    dim: usize,
}

impl Array {
    fn new(header: &str) -> Checked<Self> {
        let Some(Fields {
            descr: Some(descr),
            fortran_order: Some(fortran_order),
            shape: Some(shape),
        }) = Fields::parse(header)
        else {
            return Err(format!(
                "expected descr, fortran_order and shape, and found {}",
                quoted(header.trim_ascii())
            ));
        };
        let dtype = match descr {
            "<f4" => Dtype::F32,
            "<f2" => Dtype::F16,
            _ => {
                let descr = quoted(descr);
                return Err(format!(
                    "values of type {descr}; take \"<f4\" or \"<f2\", as by .astype(\"<f4\")"
                ));
            }
        };
        if fortran_order {
            return Err(
                "the array lies in Fortran order; save numpy.ascontiguousarray of it".to_owned(),
            );
        }
        match shape[..] {
            [rows, dim] if rows > 0 && dim > 0 => {
                let dim = usize::try_from(dim).map_err(|_| {
                    format!("rows of {}, more than can be held", plural(dim, "value"))
                })?;
                Ok(Self { dtype, rows, dim })
            }
            _ => Err(format!(
                "the shape is {shape:?}; there are two dimensions, neither of them 0"
            )),
        }
    }
}

/// The values of a header's dictionary.
#[derive(Debug, Default)]
struct Fields<'a> {
    descr: Option<&'a str>,
    fortran_order: Option<bool>,
    shape: Option<Vec<u64>>,
}

impl<'a> Fields<'a> {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, with keys in any
    /// order.
    ///
    /// The `descr` of structured values is a list. Such values are not supported, and the result
    /// has the list up to its first comma.
    fn parse(header: &'a str) -> Option<Self> {
        let mut fields = Self::default();
        let mut rest = header
            .trim_ascii()
            .strip_prefix('{')?
            .strip_suffix('}')?
            .trim_ascii();
        while !rest.is_empty() {
            let (key, value) = rest.split_once(':')?;
            let value = value.trim_ascii_start();
            let end = match value.strip_prefix('(') {
                Some(_) => value.find(')')? + 1,
                None => value.find(',').unwrap_or(value.len()),
            };
            let (value, after) = value.split_at(end);
            match unquoted(key)? {
                "descr" => fields.descr = Some(unquoted(value).unwrap_or(value)),
                "fortran_order" => {
                    fields.fortran_order = Some(value.trim_ascii().to_lowercase().parse().ok()?)
                }
                "shape" => fields.shape = Some(tuple(value)?),
                _ => return None,
            }
            rest = after.trim_ascii_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_ascii_start();
        }
        Some(fields)
    }
}

/// The text within a Python string's quotes.
fn unquoted(text: &str) -> Option<&str> {
    let text = text.trim_ascii();
    let inner = |quote| text.strip_prefix(quote)?.strip_suffix(quote);
    inner('\'').or_else(|| inner('"'))
}

/// A tuple of sizes, such as `(2, 3)`, `(2,)` or `()`.
fn tuple(text: &str) -> Option<Vec<u64>> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?.trim_ascii();
    let inner = inner.strip_suffix(',').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(',')
        .map(|size| size.trim_ascii().parse().ok())
        .collect()
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    out.write_all(&header(table.dtype, table.rows, table.matrix.dim()))?;
    table.write_rows(out, |_, row, bytes| table.dtype.push(row, bytes))
}

/// The bytes before the values, in version 1 of the format.
fn header(dtype: Dtype, rows: usize, dim: usize) -> Vec<u8> {
    let descr = match dtype {
        Dtype::F32 => "<f4",
        Dtype::F16 => "<f2",
    };
    let mut text =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({rows}, {dim}), }}");
    let before = MAGIC.len() + 4;
    let padded = (before + text.len() + 1).next_multiple_of(ALIGNMENT) - before;
    text.extend(std::iter::repeat_n(' ', padded - text.len() - 1));
    text.push('\n');
    // The text is some 70 bytes long.
    [
        MAGIC,
        &[1, 0],
        &(text.len() as u16).to_le_bytes(),
        text.as_bytes(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_numpy_s() {
        let header = header(Dtype::F32, 2, 3);
        // The first 128 bytes that numpy.save writes for numpy.zeros((2, 3), "<f4").
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        assert_eq!(
            header,
            format!("\u{93}NUMPY\u{1}\0v\0{text:117}\n")
                .chars()
                .map(|c| c as u8)
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn headers_are_read_as_python_would() {
        let array = |rows, dim, dtype| Ok(Array { dtype, rows, dim });
        assert_eq!(
            Array::new("{'shape':(2,3),'fortran_order':False,'descr':'<f2'}"),
            array(2, 3, Dtype::F16)
        );
        assert_eq!(
            Array::new(
                "{ \"descr\" : \"<f4\" , \"fortran_order\" : False, \"shape\": (2, 3 , ) , }\n"
            ),
            array(2, 3, Dtype::F32)
        );
        for (header, why) in [
            ("", "expected descr"),
            ("{}", "expected descr"),
            ("{'descr': '<f4', 'fortran_order': False}", "expected descr"),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
                "expected descr",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999)}",
                "expected descr",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3}",
                "expected descr",
            ),
            (
                "{'descr': '<f4', 'fortran_order': None, 'shape': (2, 3)}",
                "expected descr",
            ),
            (
                "{'descr': '<f4', 'x': 1, 'fortran_order': False, 'shape': (2, 3)}",
                "expected descr",
            ),
            (
                "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (2, 3)}",
                "expected descr",
            ),
            (
                "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}",
                "values of type \"<f8\"; take \"<f4\"",
            ),
            (
                "{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}",
                "values of type \">f4\"",
            ),
            (
                "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}",
                "the array lies in Fortran order",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': ()}",
                "the shape is []",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}",
                "the shape is [6]",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 1)}",
                "the shape is [2, 3, 1]",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}",
                "the shape is [0, 3]",
            ),
            (
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0)}",
                "the shape is [2, 0]",
            ),
        ] {
            let found = Array::new(header).unwrap_err();
            assert!(found.starts_with(why), "{header}: {found}");
        }
    }
}
