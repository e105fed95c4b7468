//! Every other file that is read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
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

use super::{Target, put};
use crate::common::fasttext::FastText;

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

/// A target for the vectors of a format. The choice is the file that the input takes the place of,
/// the vectors or their words, whether reading is strict, and whether what is read is written again.
pub fn vectors_named(extension: &'static str) -> Target {
    let format = Format::from_extension(extension).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut seeds = Vec::new();
    let mut places = Vec::new();
    for files in written(format) {
        for (name, bytes) in &files {
            places.push((files.clone(), name.clone()));
            seeds.push(bytes.clone());
        }
    }
    let check = move |bytes: &[u8], choice: u8| {
        let (files, name) = &places[usize::from(choice & 7) % places.len()];
        for (other, content) in files {
            put(
                &folder.path().join(other),
                if other == name { bytes } else { content },
            );
        }
        let reading = Reading {
            fit: Some(format),
            strict: choice & 0x18 == 0x18,
            ..Reading::default()
        };
        let path = folder.path().join("v").with_extension(extension);
        let again = (choice & 0xe0 == 0xe0).then_some(folder.path());
        match reading.read(&path, &mut |_, _| ()) {
            Ok(read) => check_vectors(&read, format, again),
            Err(error) => assert!(error.to_string().contains("v."), "{error}"),
        }
    };
    Target::new(extension, seeds, check)
}

/// A model of fastText is whole or an error.
pub fn fasttext() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let seeds = vec![
        FastText::plain().bytes(),
        FastText::with_subwords([3, 6], 9).bytes(),
        FastText::with_subwords([1, 2], 2).bytes(),
    ];
    let check = move |bytes: &[u8], choice: u8| {
        let path = folder.path().join("v.bin");
        put(&path, bytes);
        let reading = Reading {
            fit: Format::from_extension("safetensors"),
            strict: choice & 0x18 == 0x18,
            compose: choice & 1 == 0,
            ..Reading::default()
        };
        match reading.read(&path, &mut |_, _| ()) {
            Ok(read) => check_vectors(&read, reading.fit.unwrap(), None),
            Err(error) => assert!(error.to_string().contains("v.bin"), "{error}"),
        }
    };
    Target::new("fasttext", seeds, check)
}

/// The length of the header and the checksum keep damage out, so most inputs get the right ones.
pub fn mended(mut bytes: Vec<u8>) -> Vec<u8> {
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

/// A checkpoint fits its run, or is an error. Most inputs get the right length and checksum.
pub fn checkpoint() -> Target {
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
    let folder = Folder::open(path.path(), "resume").unwrap();
    let check = move |bytes: &[u8], choice: u8| {
        let bytes = match choice & 3 {
            3 => bytes.to_vec(),
            _ => mended(bytes.to_vec()),
        };
        put(&path.path().join("000000000001.checkpoint"), &bytes);
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
    };
    Target::new("checkpoint", seeds, check)
}

/// A vocabulary or a list of words is words or an error.
pub fn vocabulary() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let seeds = vec![
        "the 900\né 12\na\t3\r\n\nb 1\n".as_bytes().to_vec(),
        b"the\nand\r\n\nof".to_vec(),
        b"3\nthe 900 word\n</s> 12 word\na 3 word\n".to_vec(),
        b"9\n0\tthe\t900\n1\tnew york\t12\n".to_vec(),
    ];
    let check = move |bytes: &[u8], choice: u8| {
        let path = folder.path().join("words");
        put(&path, bytes);
        let options = WordOptions {
            lowercase: choice & 1 == 0,
            stop_words: Some(path.clone()),
            ..WordOptions::default()
        };
        let _ = Rules::read(&options);
        let strict = choice & 2 == 0;
        if let Ok(counts) = read_counts(&path, &Rules::default(), strict, |_| ()) {
            let vocab = Vocab::from_counts(&counts, 1, None).unwrap();
            assert!(vocab.counts().iter().all(|&count| count > 0));
            let is_odd = |c: char| c.is_whitespace() || c.is_control();
            assert!(!vocab.words().any(|word| word.contains(is_odd)));
        }
    };
    Target::new("vocabulary", seeds, check)
}

/// An evaluation file gives scores or an error.
pub fn evaluation() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let bats = folder.path().join("bats");
    fs::create_dir(&bats).unwrap();
    let seeds = [
        "word1,word2,score\nthe,cat,7.5\né,the,1\ncat,é,3\n",
        "the\té\tA\t2.5\ncat\tthe\tN\t-1\n",
        ": capitals\nthe é cat 日本\n: gram1-x\ncat the é the\n",
        "the\té/cat\ncat\t日本\n",
    ];
    let seeds = seeds.map(|seed| seed.as_bytes().to_vec()).to_vec();
    let vectors = vectors();
    let check = move |bytes: &[u8], choice: u8| {
        let path = folder.path().join("set.txt");
        put(&path, bytes);
        put(&bats.join("set.txt"), bytes);
        let protocols = [eval::Protocol::Gensim, eval::Protocol::Hyperwords];
        let options = eval::EvalOptions::of(protocols[usize::from(choice >> 7)]);
        let (pairs, analogies): (&[PathBuf], &[PathBuf]) = match choice & 3 {
            0 | 1 => (from_ref(&path), &[]),
            2 => (&[], from_ref(&path)),
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
    };
    Target::new("evaluation", seeds, check)
}

/// The record of a run makes a page, in which no data becomes markup, or is an error.
pub fn record() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let seed = br#"{"record":"start","version":1,"program":"w2v-gpu 0","started":"2026-01-01T00:00:00Z","engine":"cpu","hardware":{"cores":2,"threads":1,"system":"linux"},"corpus":["a"],"output":"/v.bin","config":{"epochs":2},"prepared":{"tokens":9}}
{"record":"progress","epoch":0,"step":3,"words":4,"total_words":8,"pairs":5,"loss":2.5,"lr":0.05,"elapsed":1.5,"waited":0.25,"words_per_second":2.5}
{"record":"epoch","epoch":0,"pairs":7,"loss":2.5,"validation":3.5}
{"record":"evaluated","epoch":0,"scores":[{"name":"a","measure":"Spearman","score":0.5,"found":1,"total":2}]}
{"record":"end","training":{"words":8},"words_per_second":1.0,"seconds":{"train":2.0}}
"#
    .to_vec();
    let mut scripts = None;
    let check = move |bytes: &[u8], _: u8| {
        let path = folder.path().join("run.jsonl");
        put(&path, bytes);
        let Ok(log) = log::read(&path) else { return };
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
        let mut page = Vec::new();
        write_page(&contents, &mut page).unwrap();
        // One script more than the page has would be the data's.
        let is_script = |part: &&[u8]| part.eq_ignore_ascii_case(b"<script");
        let found = page.windows(7).filter(is_script).count();
        assert_eq!(found, *scripts.get_or_insert(found));
    };
    Target::new("record", vec![seed], check)
}

/// Settings that are read as JSON stay the same when they are written and read again.
pub fn settings() -> Target {
    let seeds = vec![
        serde_json::to_vec(&Config::default()).unwrap(),
        br#"{"dim":300,"loss":"hs","vocab":"t\u0000e9","seed":18446744073709551615,"sync":"exact","lr":1e-3}"#.to_vec(),
    ];
    let check = |bytes: &[u8], _: u8| {
        let Ok(config) = serde_json::from_slice::<Config>(bytes) else {
            return;
        };
        let _ = config.validate();
        let again = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&again).unwrap(), config);
    };
    Target::new("settings", seeds, check)
}
