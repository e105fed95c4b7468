//! `convert`: converts vectors from one format to another.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use crate::Error;
use crate::error::shown;
use crate::model::Matrix;
use crate::quantity::{count, plural};
use crate::system::{self, STDOUT};
use crate::vectors::format::{Dtype, Format, Reading, VectorTable, format_parser};
use anyhow::Result;

use super::bar::{Bar, time_left};
use super::vectors::tell;
use crate::system::is_same_file;

/// Converts word vectors from one format to another
///
/// The extensions of IN and OUT choose the formats. IN may be packed by gzip, zstd, bzip2 or xz.
/// Values arrive exactly as they were, unless --dtype or --normalize asks for something else.
#[derive(Debug, clap::Args)]
#[command(
    args_override_self = true,
    after_help = formats_help(),
)]
pub(crate) struct Args {
    /// The vectors to read; - for standard input
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where the vectors go; - for standard output
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// How values are stored
    #[arg(long, value_enum, default_value_t, value_name = "DTYPE")]
    dtype: Dtype,
    /// Scale every vector to length 1
    #[arg(long)]
    normalize: bool,
    /// Take the first N words only, which are the most frequent in most files; nothing beyond them
    /// is read
    #[arg(long, value_name = "N")]
    top: Option<NonZeroUsize>,
    /// The .txt or .vec file is GloVe's: it has no header
    #[arg(long)]
    no_header: bool,
    #[command(flatten)]
    reading: Reading,
    /// The format of OUT, whatever its name
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    to: Option<Format>,
}

fn formats_help() -> String {
    let formats: String = Format::all()
        .map(|format| format!("\n  {format}"))
        .chain(["\n  a model of fastText (.bin, told by its first bytes), read only".to_owned()])
        .collect();
    format!(
        "Formats:{formats}\n\nExamples:\n  w2v-gpu convert vectors.bin vectors.npy --dtype f16 \
         --normalize\n  w2v-gpu convert wiki.vec.gz - --to bin --top 100000 > wiki.bin"
    )
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let (from, to) = formats(args)?;
    to.check_dtype(args.dtype)?;
    let reading = Reading {
        from: Some(from),
        top: args.top,
        fit: Some(to),
        ..args.reading
    };
    check_files(args, reading, to)?;

    let loaded = with_bar("reading", |on_progress| {
        reading.read(&args.input, on_progress)
    })?;
    let mut vectors = loaded.vectors;
    let mut lines: Vec<String> = loaded.odd.line(&args.input).into_iter().collect();
    if args.normalize {
        lines.extend(normalize(&mut vectors.matrix));
    }
    let configuration = loaded.configuration.as_deref();
    let table = VectorTable {
        dtype: args.dtype,
        configuration,
        ..VectorTable::new(&vectors.vocab, &vectors.matrix)
    };
    with_bar("writing", |on_progress| {
        to.write(&args.output, &table, on_progress)
    })?;

    lines.extend(left_out(&table, to));
    lines.extend(loaded.has_subwords.then(|| {
        "left out: the n-grams of the model, of which vectors of other words are composed"
            .to_owned()
    }));
    lines.push(summary(&table, loaded.rows, &to.files(&args.output)?));
    tell(lines);
    Ok(())
}

/// The formats of IN and OUT.
fn formats(args: &Args) -> Result<(Format, Format), Error> {
    let from = args
        .reading
        .format(&args.input)
        .map_err(|error| wrong_name("IN", &args.input, error, ""))?;
    let to = args.to.map_or_else(|| Format::from_path(&args.output), Ok);
    let to = to.map_err(|error| wrong_name("OUT", &args.output, error, "; or give --to FORMAT"))?;
    if !args.no_header {
        return Ok((from, to));
    }
    let is_text = |asked: Option<Format>, format| asked.is_none() && format == Format::TEXT;
    let why = match (is_text(args.reading.from, from), is_text(args.to, to)) {
        (true, false) => return Ok((Format::GLOVE, to)),
        (false, true) => return Ok((from, Format::GLOVE)),
        (true, true) => "both files are text; say which has none by --from glove or --to glove",
        (false, false) => {
            "neither file is a .txt or .vec whose format is not given by --from or --to"
        }
    };
    let value = format!("{} {}", shown(&args.input), shown(&args.output));
    Err(Error::setting("no_header", value, why))
}

/// Wrong usage: the name of a file tells no format.
fn wrong_name(setting: &'static str, path: &Path, error: Error, hint: &str) -> Error {
    let why = match error {
        // Standard input and output have no name.
        Error::FileName { why, .. } if path.as_os_str() == STDOUT => why,
        Error::FileName { why, .. } => format!("the file name {why}{hint}"),
        other => other.to_string(),
    };
    Error::setting(setting, shown(path), why)
}

/// Finds, before any work, mistakes that would otherwise be found only after it.
fn check_files(args: &Args, reading: Reading, to: Format) -> Result<(), Error> {
    let inputs = reading.files(&args.input)?;
    for output in to.files(&args.output)? {
        system::check_writable(&output, "OUT")?;
        if output.as_os_str() != STDOUT && inputs.iter().any(|input| is_same_file(input, &output)) {
            let why = "is also read, and would be replaced; name another file".to_owned();
            return Err(Error::setting("OUT", shown(&output), why));
        }
    }
    Ok(())
}

/// Shows the progress of `work` on a terminal.
fn with_bar<T>(name: &'static str, work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> T) -> T {
    let mut bar = Bar::new();
    let result = work(&mut |done, total| {
        let share = done as f64 / total.max(1) as f64;
        bar.draw(
            name,
            (total > 0).then_some(share),
            time_left(share, bar.elapsed(name)).as_slice(),
            "",
        );
    });
    bar.clear();
    result
}

/// Scales every row to length 1. It computes in f64, where no square overflows or vanishes. Rows of
/// zeros have no direction: they stay as they are, and the returned line tells how many there are.
fn normalize(matrix: &mut Matrix) -> Option<String> {
    let mut zeros = 0;
    for id in 0..matrix.rows() {
        let row = matrix.row_mut(id);
        let length = row
            .iter()
            .map(|&value| f64::from(value).powi(2))
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            row.iter_mut()
                .for_each(|value| *value = (f64::from(*value) / length) as f32);
        } else {
            zeros += 1;
        }
    }
    (zeros > 0).then(|| {
        format!(
            "zero vectors, which have no direction and stay: {}",
            count(zeros)
        )
    })
}

/// A line about the counts and settings that the format of OUT has no place for.
fn left_out(table: &VectorTable<'_>, to: Format) -> Option<String> {
    let counts = !to.holds().counts && table.vocab.counts().iter().any(|&count| count > 0);
    let configuration = !to.holds().configuration && table.configuration.is_some();
    let what = match (counts, configuration) {
        (false, false) => return None,
        (true, false) => "the counts of the words",
        (false, true) => "the configuration of the training",
        (true, true) => "the counts of the words and the configuration of the training",
    };
    Some(format!(
        "left out: {what}, for which .{} has no place",
        to.extensions()[0]
    ))
}

/// The summary of the written vectors; `all` is the number of rows in the input.
fn summary(table: &VectorTable<'_>, all: u64, files: &[PathBuf]) -> String {
    let rows = table.rows as u64;
    let rows = if rows < all {
        format!("{} of {}", count(rows), plural(all, "word"))
    } else {
        plural(rows, "word")
    };
    let files: Vec<String> = files.iter().map(|file| shown(file)).collect();
    format!(
        "{rows} x {} to {}",
        plural(table.matrix.dim() as u64, "dimension"),
        files.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_get_length_1_however_large_or_small() {
        let (max, tiny) = (f32::MAX, f32::from_bits(1));
        let mut matrix = Matrix::from_values(2, vec![3.0, -4.0, 0.0, -0.0, max, max, tiny, -tiny]);
        let line = normalize(&mut matrix).unwrap();
        assert!(line.ends_with("stay: 1"), "{line}");
        let half = 0.5f32.sqrt();
        assert_eq!(
            matrix.values(),
            [0.6, -0.8, 0.0, -0.0, half, half, half, -half]
        );
        assert_eq!(normalize(&mut Matrix::from_values(1, vec![2.0])), None);
    }
}
