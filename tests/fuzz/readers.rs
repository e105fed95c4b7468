//! Every other file that is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::slice::from_ref;

use w2v_gpu::config::Config;
use w2v_gpu::corpus::Corpus;
use w2v_gpu::engine::cpu::CpuEngine;
use w2v_gpu::eval::{self, Sets};
use w2v_gpu::model::Matrix;
use w2v_gpu::record::log;
use w2v_gpu::record::page::{Contents, Shown, write_page};
use w2v_gpu::train::checkpoint::{Every, Fingerprint, Folder, Saver};
use w2v_gpu::train::dataset::Dataset;
use w2v_gpu::train::{TrainOptions, train};
use w2v_gpu::vectors::Vectors;
use w2v_gpu::vectors::format::{self, Dtype, Format, Reading, VectorTable};
use w2v_gpu::vocab::{Rules, Vocab, WordOptions, read_counts};

use crate::common::fasttext::FastText;
use crate::driver::{fuzz, put};

fn vectors() -> Vectors {
    let words = ["the", "é", "cat", "a\"b", "e\u{301}", "日本"];
    Vectors::new(
        Vocab::from_words(words.into_iter().zip([9, 5, 5, 2, 1, 1])).unwrap(),
        Matrix::from_values(3, (0..18).map(|i| 1.5 - i as f32 * 0.37).collect()),
    )
}

fn bits(matrix: &Matrix) -> Vec<u32> {
    matrix
        .values()
        .iter()
        .map(|value| value.to_bits())
        .collect()
}

/// The files of a folder by name.
fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

/// What a format's writer makes: its files, of 32 bits and of 16.
fn written(format: Format) -> Vec<BTreeMap<String, Vec<u8>>> {
    let Vectors { vocab, matrix, .. } = vectors();
    let dtypes = [Dtype::F32, Dtype::F16];
    let written = dtypes
        .into_iter()
        .filter(|&dtype| format.check_dtype(dtype).is_ok())
        .map(|dtype| {
            let folder = tempfile::tempdir().unwrap();
            let table = VectorTable {
                dtype,
                configuration: Some("{\"dim\":3}"),
                ..VectorTable::new(&vocab, &matrix)
            };
            format
                .write(
                    &folder
                        .path()
                        .join("v")
                        .with_extension(format.extensions()[0]),
                    &table,
                    &mut |_, _| (),
                )
                .unwrap();
            files_in(folder.path())
        });
    written.collect()
}

/// Whatever is read for a format is whole, can be written to a folder, and read again to the same
/// bits.
fn check_vectors(read: &format::LoadedVectors, format: Format, folder: Option<&Path>) {
    let Vectors { vocab, matrix, .. } = &read.vectors;
    assert_eq!(vocab.len(), matrix.rows());
    assert!(matrix.dim() > 0 && matrix.values().iter().all(|value| value.is_finite()));
    assert!(vocab.words().all(|word| format.fits(word)));
    // Disks are slow.
    let Some(folder) = folder else { return };
    let path = folder.join("again").with_extension(format.extensions()[0]);
    format
        .write(&path, &VectorTable::new(vocab, matrix), &mut |_, _| ())
        .unwrap();
    let again = format.read(&path, &mut |_, _| ()).unwrap().vectors;
    assert!(again.vocab.words().eq(vocab.words()) && bits(&again.matrix) == bits(matrix));
}

#[test]
fn vectors_of_every_format_are_whole_or_an_error() {
    for format in Format::all() {
        let extension = format.extensions()[0];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v").with_extension(extension);
        let seeds = written(format);
        let all: Vec<Vec<u8>> = seeds
            .iter()
            .flat_map(|files| files.values().cloned())
            .collect();
        let mut damaged = String::new();
        fuzz(
            extension,
            |draw| {
                let files = draw.pick(&seeds).clone();
                files
                    .iter()
                    .for_each(|(name, bytes)| put(&folder.path().join(name), bytes));
                // The file itself, or that of its words.
                let names: Vec<_> = files.keys().cloned().collect();
                damaged.clone_from(draw.pick(&names));
                let bytes = draw.damaged_one(&files[&damaged], &all);
                put(&folder.path().join(&damaged), &bytes);
                bytes
            },
            |_, draw| match (Reading {
                fit: Some(format),
                strict: draw.one_in(4),
                ..Reading::default()
            })
            .read(&path, &mut |_, _| ())
            {
                Ok(read) => check_vectors(&read, format, draw.one_in(16).then_some(folder.path())),
                Err(error) => {
                    let error = error.to_string();
                    assert!(
                        error.contains(&*path.file_name().unwrap().to_string_lossy())
                            || error.contains("v."),
                        "{error}"
                    );
                }
            },
        );
    }
}

#[test]
fn models_of_fasttext_are_whole_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.bin");
    let seeds = [
        FastText::plain().bytes(),
        FastText::with_subwords([3, 6], 9).bytes(),
        FastText::with_subwords([1, 2], 2).bytes(),
    ];
    fuzz(
        "fasttext",
        |draw| draw.damaged(&seeds),
        |bytes, draw| {
            put(&path, bytes);
            let reading = Reading {
                fit: Format::from_extension("safetensors"),
                strict: draw.one_in(4),
                compose: draw.one_in(2),
                ..Reading::default()
            };
            match reading.read(&path, &mut |_, _| ()) {
                Ok(read) => check_vectors(&read, reading.fit.unwrap(), None),
                Err(error) => assert!(error.to_string().contains("v.bin"), "{error}"),
            }
        },
    );
}

/// The length of the header and the checksum keep damage out, so most inputs get the right ones.
fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(header) = bytes.get(16..) {
        let mut header =
            serde_json::Deserializer::from_slice(header).into_iter::<serde_json::Value>();
        if let Some(Ok(_)) = header.next() {
            let length = header.byte_offset() as u32;
            bytes[12..16].copy_from_slice(&length.to_le_bytes());
        }
    }
    if let Some(end) = bytes.len().checked_sub(8) {
        let checksum = xxhash_rust::xxh3::xxh3_64(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

#[test]
fn checkpoints_fit_their_run_or_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text");
    fs::write(&text, "a b c a b c d e\n".repeat(50)).unwrap();
    let config = Config::with(|config| {
        config.model.dim = 3;
        config.schedule.epochs = 2;
        config.validation.validation = Some(0.2);
        config.validation.patience = Some(1);
        config.objective.sample = Some(0.0);
    });
    let data = Dataset::prepare(&Corpus::open(&[text]).unwrap(), &config, |_| ()).unwrap();
    let run = folder.path().join("run");
    let mut engine =
        CpuEngine::new(&data.model(), data.objective(), config.schedule.clip, 1).unwrap();
    let saved = Folder::open(&run, "--checkpoint").unwrap();
    let mut saver = Saver::new(saved, Fingerprint::new(&data, &engine), Every::Batches(1));
    let options = TrainOptions {
        saver: Some(&mut saver),
        ..TrainOptions::default()
    };
    train(&data, &mut engine, options, |_| ()).unwrap();
    drop(saver);
    let mut seeds: Vec<Vec<u8>> = files_in(&run)
        .into_values()
        .filter(|bytes| !bytes.is_empty())
        .collect();
    seeds.truncate(2);

    let path = tempfile::tempdir().unwrap();
    let folder = Folder::open(path.path(), "--resume").unwrap();
    fuzz(
        "checkpoint",
        |draw| {
            let bytes = draw.damaged(&seeds);
            if draw.one_in(4) { bytes } else { mended(bytes) }
        },
        |bytes, _| {
            put(&path.path().join("000000000001.checkpoint"), bytes);
            if let Ok(Some(loaded)) = folder.load() {
                let _ = loaded.checkpoint.complete(&config);
                if loaded.checkpoint.check(&data).is_ok() {
                    let model = &loaded.checkpoint.snapshot.model;
                    assert_eq!(
                        (model.input.rows(), model.input.dim()),
                        (data.vocab.len(), 3)
                    );
                }
            }
        },
    );
}

#[test]
fn vocabularies_and_lists_of_words_are_words_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words");
    let seeds = [
        "the 900\né 12\na\t3\r\n\nb 1\n".as_bytes().to_vec(),
        b"the\nand\r\n\nof".to_vec(),
        b"3\nthe 900 word\n</s> 12 word\na 3 word\n".to_vec(),
        b"9\n0\tthe\t900\n1\tnew york\t12\n".to_vec(),
    ];
    fuzz(
        "vocabulary",
        |draw| draw.damaged(&seeds),
        |bytes, draw| {
            put(&path, bytes);
            let options = WordOptions {
                lowercase: draw.one_in(2),
                stop_words: Some(path.clone()),
                ..WordOptions::default()
            };
            let _ = Rules::read(&options);
            if let Ok(counts) = read_counts(&path, &Rules::default(), draw.one_in(2), |_| ()) {
                let vocab = Vocab::from_counts(&counts, 1, None).unwrap();
                assert!(vocab.counts().iter().all(|&count| count > 0));
                assert!(
                    vocab
                        .words()
                        .all(|word| !word.contains(|c: char| c.is_whitespace() || c.is_control()))
                );
            }
        },
    );
}

#[test]
fn evaluation_files_give_scores_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("set.txt");
    let bats = folder.path().join("bats");
    fs::create_dir(&bats).unwrap();
    let seeds = [
        "word1,word2,score\nthe,cat,7.5\né,the,1\ncat,é,3\n"
            .as_bytes()
            .to_vec(),
        "the\té\tA\t2.5\ncat\tthe\tN\t-1\n".as_bytes().to_vec(),
        ": capitals\nthe é cat 日本\n: gram1-x\ncat the é the\n"
            .as_bytes()
            .to_vec(),
        "the\té/cat\ncat\t日本\n".as_bytes().to_vec(),
    ];
    let vectors = vectors();
    fuzz(
        "evaluation",
        |draw| draw.damaged(&seeds),
        |bytes, draw| {
            put(&path, bytes);
            put(&bats.join("set.txt"), bytes);
            let options = eval::EvalOptions::of(
                *draw.pick(&[eval::Protocol::Gensim, eval::Protocol::Hyperwords]),
            );
            let (pairs, analogies): (&[PathBuf], &[PathBuf]) = match draw.below(3) {
                0 => (from_ref(&path), &[]),
                1 => (&[], from_ref(&path)),
                _ => (&[], from_ref(&bats)),
            };
            if let Ok(sets) = Sets::read(pairs, analogies, options) {
                let scores = sets
                    .evaluate(&vectors.vocab, &vectors.matrix, None)
                    .scores();
                let within = |score: f64| (-1.000_001..=1.000_001).contains(&score);
                assert!(
                    scores
                        .iter()
                        .all(|score| score.found <= score.total && score.score.is_none_or(within))
                );
            }
        },
    );
}

#[test]
fn records_of_runs_make_a_page_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let seed = br#"{"record":"start","version":1,"program":"w2v-gpu 0","started":"2026-01-01T00:00:00Z","engine":"cpu","hardware":{"cores":2,"threads":1,"system":"linux"},"corpus":["a"],"output":"/v.bin","config":{"epochs":2},"prepared":{"tokens":9}}
{"record":"progress","epoch":0,"step":3,"words":4,"total_words":8,"pairs":5,"loss":2.5,"lr":0.05,"elapsed":1.5,"waited":0.25,"words_per_second":2.5}
{"record":"epoch","epoch":0,"pairs":7,"loss":2.5,"validation":3.5}
{"record":"evaluated","epoch":0,"scores":[{"name":"a","measure":"Spearman","score":0.5,"found":1,"total":2}]}
{"record":"end","training":{"words":8},"words_per_second":1.0,"seconds":{"train":2.0}}
"#
    .to_vec();
    let seeds = [seed];
    fuzz(
        "run",
        |draw| draw.damaged(&seeds),
        |bytes, _| {
            put(&path, bytes);
            if let Ok(log) = log::read(&path) {
                let mut page = Vec::new();
                let runs = [Shown {
                    name: "run".to_owned(),
                    log,
                    command: String::new(),
                }];
                let contents = Contents {
                    runs: &runs,
                    map: None,
                    map_of: None,
                    reload: None,
                };
                write_page(&contents, &mut page).unwrap();
                // One script more than the page has would be the data's.
                let scripts = |page: &[u8]| {
                    page.windows(7)
                        .filter(|part| part.eq_ignore_ascii_case(b"<script"))
                        .count()
                };
                static SCRIPTS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
                assert_eq!(scripts(&page), *SCRIPTS.get_or_init(|| scripts(&page)));
            }
        },
    );
}

/// Through the binary, where the file is read: whatever it says, the run is refused, as there is no
/// folder for its output.
#[test]
fn files_of_options_are_refused_without_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.toml");
    let seed = "size = 6\nlr = 0.1\nfixed-window = true\npreset = \"fasttext\"\nengine = \
                \"cpu\"\nlog-every = 1\neval-pairs = [\"a\", \"b\"]\n# comment\nseed = 12 # \
                more\n[table]\nloss = 'ns'\n";
    let seeds = [
        seed.as_bytes().to_vec(),
        seed.replace("[table]\n", "").into_bytes(),
    ];
    fuzz(
        "options",
        |draw| draw.damaged(&seeds),
        |bytes, _| {
            put(&path, bytes);
            let mut command = Command::new(env!("CARGO_BIN_EXE_w2v-gpu"));
            command.current_dir(&folder).args([
                "train",
                "--config",
                "run.toml",
                "none.txt",
                "-o",
                "none/v.bin",
            ]);
            let output = command.stdin(Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                matches!(output.status.code(), Some(1 | 2)),
                "{:?} {said}",
                output.status
            );
            let raw = said.find(|c: char| c.is_control() && c != '\n');
            assert_eq!(raw.map(|at| &said[at..]), None, "{said}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        },
    );
}
