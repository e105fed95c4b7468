//! safetensors: the length of the header, the header in JSON, the values.
//!
//! The tensor is called `vectors`. The metadata in the header hold the words, and where they are
//! known their counts and the configuration of the run, each as JSON. In a whole model a tensor
//! `output` follows, which is W'; it is checked for its size and not read.

use std::io::{self, Write};

use ::safetensors::Dtype as TensorType;
use ::safetensors::tensor::{Metadata, TensorInfo};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::input::Input;
use super::output::{Output, VectorTable};
use super::rows::Listed;
use super::rows::{Checked, fits_header, other_size};
use super::word::quoted;
use super::{Abilities, Dtype, FormatSpec, LoadedVectors, Reading};
use crate::error::Result;
use crate::quantity::plural;

pub(super) static FORMAT: FormatSpec = FormatSpec {
    extensions: &["safetensors"],
    title: "safetensors",
    words: None,
    holds: Abilities {
        f16: true,
        counts: true,
        configuration: true,
    },
    fits: fits_header,
    value_bytes: 4,
    // In JSON within JSON, a word has two escaped quotes and a comma; its count has a comma.
    word_bytes: 6,
    read,
    write,
};

/// The name of the tensor that is read.
const TENSOR: &str = "vectors";

/// The name of the tensor that may follow: W'.
const OUTPUT: &str = "output";

/// The longest header, in bytes. Every reader of the format has this limit.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// The bytes that hold the header's length; the header begins after them.
const LENGTH_BYTES: usize = 8;

fn read(input: &mut Input<'_>) -> Result<LoadedVectors> {
    let header = read_header(input)?;
    let contents = header.and_then(|header| Contents::new(&header, input.reading));
    let Contents {
        listed,
        rows: promised,
        dtype,
        dim,
        after,
        configuration,
    } = contents.map_err(|why| input.wrong_byte(LENGTH_BYTES as u64, why))?;
    let own = (promised * dim * dtype.bytes()) as u64;
    if let Some(left) = input.left()
        && left != own + after
    {
        let why = match after {
            0 => other_size(promised as u64, dim, dtype, left),
            _ => format!(
                "the header says that both tensors take {} bytes, and the rest of the file is \
                 {left} bytes",
                own + after
            ),
        };
        return Err(input.wrong_byte(input.at, why));
    }
    let rows = match after {
        0 => input.read_listed(listed, dim, dtype)?,
        _ => {
            let rows = input.read_rows_of(listed, dim, dtype)?;
            if !rows.words.is_full() && !input.skip_bytes(after)? {
                let why = format!("the file ends within the tensor {OUTPUT:?}");
                return Err(input.wrong_byte(input.at, why));
            }
            rows
        }
    };
    let loaded = rows
        .finish(Some(promised as u64))
        .map_err(|why| input.wrong_byte(LENGTH_BYTES as u64, why))?;
    Ok(LoadedVectors {
        configuration,
        ..loaded
    })
}

fn read_header(input: &mut Input<'_>) -> Result<Checked<Vec<u8>>> {
    let length = match <[u8; LENGTH_BYTES]>::try_from(input.read_bytes(LENGTH_BYTES as u64)?) {
        Ok(length) => u64::from_le_bytes(length),
        Err(_) => {
            return Err(input.wrong_byte(
                0,
                "the file ends before the length of its header".to_owned(),
            ));
        }
    };
    if length > MAX_HEADER_BYTES {
        let why =
            format!("a header of {length} bytes, more than the {MAX_HEADER_BYTES} of the format");
        return Err(input.wrong_byte(0, why));
    }
    let header = input.read_bytes(length)?;
    Ok(if header.len() as u64 == length {
        Ok(header)
    } else {
        Err("the file ends within its header".to_owned())
    })
}

/// The contents of a header.
struct Contents {
    listed: Listed,
    rows: usize,
    dtype: Dtype,
    dim: usize,
    /// Bytes of the tensor after this one, 0 if there is none.
    after: u64,
    configuration: Option<String>,
}

impl Contents {
    fn new(header: &[u8], reading: Reading) -> Checked<Self> {
        // This checks that every tensor has the bytes that its shape needs, and that they are
        // contiguous.
        let header: Metadata =
            serde_json::from_slice(header).map_err(|error| format!("the header: {error}"))?;
        let (dtype, rows, dim) = tensor(&header)?;
        let own = rows * dim * dtype.bytes();
        let after = (header.data_len() - own) as u64;
        let (words, counts) = words(&header, rows)?;
        let mut listed = Listed::new(reading);
        for (id, (word, &count)) in words.iter().zip(&counts).enumerate() {
            if listed.words.is_full() {
                break;
            }
            let place = || format!("word {}", id + 1);
            listed
                .push(word, false, count, place)
                .map_err(|why| format!("{}: {why}", place()))?;
        }
        Ok(Self {
            listed,
            rows,
            dtype,
            dim,
            after,
            configuration: metadata(&header, "configuration").cloned(),
        })
    }
}

/// The type of the tensor's values, its number of rows, and their length.
fn tensor(header: &Metadata) -> Checked<(Dtype, usize, usize)> {
    let mut names = header.offset_keys();
    let is_known = matches!(&names[..], [first, rest @ ..] if first == TENSOR && (rest.is_empty() || rest == [OUTPUT]));
    let Some(tensor) = header.info(TENSOR).filter(|_| is_known) else {
        names.truncate(5);
        return Err(format!(
            "expected one tensor, {TENSOR:?}, and found {}",
            quoted(&names.join(", "))
        ));
    };
    let dtype = match tensor.dtype {
        TensorType::F32 => Dtype::F32,
        TensorType::F16 => Dtype::F16,
        other => {
            return Err(format!(
                "the tensor {TENSOR:?} is of type {other}; take F32 or F16"
            ));
        }
    };
    let (&[rows, dim], false) = (&tensor.shape[..], tensor.shape.contains(&0)) else {
        let shape = &tensor.shape;
        return Err(format!(
            "the shape of {TENSOR:?} is {shape:?}; there are two dimensions, neither of them 0"
        ));
    };
    Ok((dtype, rows, dim))
}

/// The words of the rows, and their counts, which are 0 where they are not known.
fn words(header: &Metadata, rows: usize) -> Checked<(Vec<String>, Vec<u64>)> {
    let Some(words) = metadata(header, "words") else {
        return Err("the metadata lack \"words\", a JSON array of the word of each row".to_owned());
    };
    let words: Vec<String> = array("words", words)?;
    let counts: Vec<u64> = metadata(header, "counts")
        .map_or(Ok(vec![0; words.len()]), |counts| array("counts", counts))?;
    if words.len() != rows || counts.len() != rows {
        let number = |number: usize, noun| plural(number as u64, noun);
        let (rows, words) = (number(rows, "row"), number(words.len(), "word"));
        return Err(format!(
            "the tensor has {rows}, the metadata {words} and {}",
            number(counts.len(), "count")
        ));
    }
    Ok((words, counts))
}

/// A text of the header's metadata.
fn metadata<'a>(header: &'a Metadata, key: &str) -> Option<&'a String> {
    header.metadata().as_ref()?.get(key)
}

fn array<T: DeserializeOwned>(name: &str, json: &str) -> Checked<Vec<T>> {
    serde_json::from_str(json)
        .map_err(|error| format!("the metadata's {name:?} are no such JSON array: {error}"))
}

/// The header as it is written. Unlike the one of the safetensors crate, it has a fixed order.
#[derive(Serialize)]
struct Header<'a> {
    __metadata__: Texts<'a>,
    vectors: TensorInfo,
}

/// The metadata, whose values are strings.
#[derive(Serialize)]
struct Texts<'a> {
    words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration: Option<&'a str>,
}

fn write(table: &VectorTable<'_>, out: &mut Output<'_>) -> io::Result<()> {
    let header = header(table)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    table.write_rows(out, |_, row, bytes| table.dtype.push(row, bytes))
}

/// The header, padded so that the values are aligned.
fn header(table: &VectorTable<'_>) -> io::Result<Vec<u8>> {
    let words: Vec<&str> = table.words().map(|(word, _)| word).collect();
    let counts: Vec<u64> = table.words().map(|(_, count)| count).collect();
    let counts = counts
        .iter()
        .any(|&count| count > 0)
        .then(|| serde_json::to_string(&counts))
        .transpose()?;
    let texts = Texts {
        words: serde_json::to_string(&words)?,
        counts,
        configuration: table.configuration,
    };
    let shape = vec![table.rows, table.matrix.dim()];
    let bytes = shape.iter().product::<usize>() * table.dtype.bytes();
    let dtype = match table.dtype {
        Dtype::F32 => TensorType::F32,
        Dtype::F16 => TensorType::F16,
    };
    let vectors = TensorInfo {
        dtype,
        shape,
        data_offsets: (0, bytes),
    };
    let mut header = serde_json::to_vec(&Header {
        __metadata__: texts,
        vectors,
    })?;
    header.resize(header.len().next_multiple_of(LENGTH_BYTES), b' ');
    if header.len() as u64 > MAX_HEADER_BYTES {
        let why = format!(
            "its header would hold {} MB of words, and the format allows 100",
            header.len() / 1_000_000
        );
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(header)
}
