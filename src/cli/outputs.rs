//! The files that `train` writes: vectors, W', the vocabulary, the settings.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use super::metrics;
use crate::Error;
use crate::batch::{HuffmanTree, Targets};
use crate::config::{Config, Loss};
use crate::model::{Embedding, Matrix, Model};
use crate::system::{self, STDOUT, is_same_file};
use crate::train::dataset::Dataset;
use crate::train::{Ending, Summary};
use crate::vectors::format::{FastTextModel, Format, VectorTable, format_parser, write_fasttext};
use crate::vocab::{self, Vocab};

/// The options about the files that a run writes.
#[derive(Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Where the vectors go: .txt or .vec (word2vec text), .bin (word2vec binary), .glove, .npy,
    /// .safetensors or .tsv; - for standard output, beside which no settings are written
    #[arg(short, long, value_name = "OUT")]
    pub(super) output: PathBuf,
    /// The format of OUT, whatever its name
    #[arg(long, value_name = "FORMAT", value_parser = format_parser())]
    to: Option<Format>,
    /// Which vectors are written: of the words as centers, as contexts, or the mean of both
    #[arg(long, value_enum, default_value_t, value_name = "WHICH")]
    pub(super) embedding: Embedding,
    /// Also write the context vectors (W') to FILE; with --loss hs those of the tree's nodes
    #[arg(long, value_name = "FILE")]
    pub(super) save_output: Option<PathBuf>,
    /// Also write a model in fastText's format (.bin) to FILE, with W and W', for gensim and
    /// fastText; with --subwords it makes vectors for words that were never seen. Not with --loss
    /// hs
    #[arg(long, value_name = "FILE")]
    pub(super) save_model: Option<PathBuf>,
    /// Also write the words and their counts to FILE, for --vocab
    #[arg(long, value_name = "FILE", help_heading = "Vocabulary")]
    pub(super) save_vocab: Option<PathBuf>,
}

/// The settings of a run, written beside its vectors.
#[derive(Serialize)]
struct Settings<'a> {
    program: &'static str,
    corpus: &'a [PathBuf],
    engine: &'a str,
    embedding: Embedding,
    config: &'a Config,
    /// True for a run that was stopped before its end; otherwise left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    interrupted: Option<bool>,
    /// The share of a stopped run that was trained, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    trained_share: Option<f64>,
    /// The absolute paths of the files of a stopped run. The next run may replace them.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<String>>,
}

/// A run that has ended, and whose files are to be written.
pub(super) struct Trained<'a> {
    pub(super) data: &'a Dataset,
    pub(super) corpus: &'a [PathBuf],
    pub(super) engine: &'a str,
    pub(super) summary: Summary,
    /// The share of the run that was trained, 0 to 1.
    pub(super) share: f64,
}

impl OutputArgs {
    /// All files that will be written, each with the setting that names it.
    pub(super) fn files(&self) -> Result<Vec<(&'static str, PathBuf)>, Error> {
        self.tagged_files("")
    }

    /// All files that will be written, with `tag` in their names.
    fn tagged_files(&self, tag: &str) -> Result<Vec<(&'static str, PathBuf)>, Error> {
        let output = tagged(&self.output, tag);
        let mut files: Vec<_> = settings_path(&output)
            .map(|path| ("output", path))
            .into_iter()
            .collect();
        files.extend(
            self.save_vocab
                .as_deref()
                .map(|path| ("save_vocab", tagged(path, tag))),
        );
        files.extend(
            self.format()?
                .files(&output)?
                .into_iter()
                .map(|file| ("output", file)),
        );
        files.extend(
            self.save_model
                .as_deref()
                .map(|path| ("save_model", tagged(path, tag))),
        );
        if let Some(path) = &self.save_output {
            let path = tagged(path, tag);
            files.extend(
                Format::from_path(&path)?
                    .files(&path)?
                    .into_iter()
                    .map(|file| ("save_output", file)),
            );
        }
        Ok(files)
    }

    /// The format of OUT.
    pub(super) fn format(&self) -> Result<Format, Error> {
        self.to.map_or_else(|| Format::from_path(&self.output), Ok)
    }

    /// Finds, before any work, mistakes that would otherwise be found only after it.
    pub(super) fn check(&self) -> Result<(), Error> {
        let files = self.files()?;
        for (at, (setting, file)) in files.iter().enumerate() {
            system::check_writable(file, setting)?;
            let mend = |why: &str| Error::setting(setting, file.display(), why);
            if files[..at]
                .iter()
                .any(|(_, other)| other == file || is_same_file(other, file))
            {
                return Err(mend("is also where another output goes; name another file"));
            }
        }
        Ok(())
    }

    /// Refuses to write rows of W' as words' vectors in hierarchical softmax, where W' has no such
    /// rows.
    pub(super) fn check_loss(&self, loss: Loss) -> Result<(), Error> {
        if self.save_model.is_some() {
            FastTextModel::check(loss)?;
        }
        let Some(which) = self.embedding.to_possible_value() else {
            return Ok(());
        };
        if loss == Loss::Hs && self.embedding != Embedding::Input {
            let why = "with --loss hs only the input embedding has a row for each word: W' has \
                       those of the tree's nodes, which --save-output writes";
            let value = which.get_name().to_owned();
            return Err(Error::setting("embedding", value, why));
        }
        Ok(())
    }

    /// Writes all files of a run; returns the path of the vectors.
    pub(super) fn write(&self, trained: &Trained<'_>, model: Model) -> Result<PathBuf> {
        let Trained {
            data,
            corpus,
            engine,
            summary,
            share,
        } = *trained;
        let is_interrupted = summary.ending == Ending::Interrupted;
        let tag = if is_interrupted {
            self.unfinished_tag()?
        } else {
            String::new()
        };
        let files = is_interrupted.then(|| self.full_names(&tag)).transpose()?;
        let settings = serde_json::to_string_pretty(&Settings {
            program: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
            corpus,
            engine,
            embedding: self.embedding,
            config: &data.config,
            interrupted: is_interrupted.then_some(true),
            trained_share: is_interrupted.then_some(share),
            files,
        })?;
        let output = tagged(&self.output, &tag);
        if let Some(path) = &self.save_vocab {
            system::write_atomically(&tagged(path, &tag), |out| vocab::write(&data.vocab, out))?;
        }
        if let Some(path) = &self.save_output {
            let nodes;
            let rows = if let Targets::Path(tree) = &*data.batcher.targets {
                nodes = tree_rows(tree, &data.vocab);
                &nodes
            } else {
                &data.vocab
            };
            write_vectors(
                (&tagged(path, &tag), Format::from_path(path)?),
                rows,
                &model.output,
                &settings,
            )?;
        }
        if let Some(path) = &self.save_model {
            let subwords = data.batcher.subwords.as_deref();
            let written = data.config.fasttext_model(&data.vocab, subwords, &model);
            write_fasttext(&tagged(path, &tag), &written)?;
        }
        write_vectors(
            (&output, self.format()?),
            &data.vocab,
            &data.embedding(model, self.embedding),
            &settings,
        )?;
        if let Some(path) = settings_path(&output) {
            system::write_atomically(&path, |out| writeln!(out, "{settings}"))?;
        }
        Ok(output)
    }

    /// The tag in the names of the files of an interrupted run. It is empty, unless the files would
    /// then replace one that no interrupted run with this OUT has written.
    fn unfinished_tag(&self) -> Result<String> {
        let tags = std::iter::once(String::new()).chain(std::iter::once(".interrupted".to_owned()));
        let mut tags = tags.chain((2..).map(|number| format!(".interrupted{number}")));
        let free = tags.find_map(|tag| match self.file_in_the_way(&tag) {
            Ok(None) => Some(Ok(tag)),
            Ok(Some(_)) => None,
            Err(error) => Some(Err(error)),
        });
        free.unwrap_or_else(|| Ok(String::new()))
    }

    /// The first existing file with `tag` in its name that was not written by an interrupted run
    /// with this OUT.
    pub(super) fn file_in_the_way(&self, tag: &str) -> Result<Option<PathBuf>> {
        let output = tagged(&self.output, tag);
        let replaceable = files_of_interrupted(&output);
        for file in
            std::iter::once(output).chain(self.tagged_files(tag)?.into_iter().map(|(_, file)| file))
        {
            if file.is_file()
                && !is_stdout(&file)
                && !replaceable.contains(&metrics::full_name(&file)?)
            {
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The absolute paths of all files that a run writes, with `tag` in their names.
    fn full_names(&self, tag: &str) -> Result<Vec<String>> {
        let files = self.tagged_files(tag)?;
        Ok(files
            .iter()
            .map(|(_, file)| metrics::full_name(file))
            .collect::<io::Result<_>>()?)
    }
}

/// Whether a name stands for standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == STDOUT
}

/// The path of a run's settings, beside its vectors; `None` if these go to standard output.
pub(super) fn settings_path(output: &Path) -> Option<PathBuf> {
    let mut path = output.as_os_str().to_owned();
    path.push(".json");
    (!is_stdout(output)).then(|| path.into())
}

/// The files that the settings beside `vectors` name, if they say that their run was interrupted.
fn files_of_interrupted(vectors: &Path) -> Vec<String> {
    let settings = settings_path(vectors)
        .and_then(|path| std::fs::read(path).ok())
        .unwrap_or_default();
    let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap_or_default();
    let files = settings
        .get("files")
        .filter(|_| settings.get("interrupted").is_some_and(|it| it == true));
    files
        .and_then(|files| serde_json::from_value(files.clone()).ok())
        .unwrap_or_default()
}

/// The name of a file with `tag` in front of its extension, if it has one. A device, a pipe and
/// standard output keep their names.
fn tagged(path: &Path, tag: &str) -> PathBuf {
    if tag.is_empty() || is_stdout(path) || path.exists() && !path.is_file() {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(tag);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Writes vectors, with the settings if the format has a place for them.
fn write_vectors(
    (path, format): (&Path, Format),
    vocab: &Vocab,
    matrix: &Matrix,
    settings: &str,
) -> Result<(), Error> {
    let table = VectorTable {
        configuration: Some(settings),
        ..VectorTable::new(vocab, matrix)
    };
    format.write(path, &table, &mut |_, _| ())
}

/// Names for the rows of W' in hierarchical softmax. A row that leads to a word has the word's name;
/// those of inner nodes cannot be mistaken for words.
fn tree_rows(tree: &HuffmanTree, vocab: &Vocab) -> Vocab {
    let mut names = Vocab::default();
    let mut nodes = tree.rows();
    if tree.rows() > tree.nodes() {
        for (word, &count) in vocab.words().zip(vocab.counts()) {
            names.push(word, count);
        }
        nodes -= tree.words();
    }
    for node in 0..nodes {
        names.push(&format!("<inner-node-{node}>"), 0);
    }
    names
}
