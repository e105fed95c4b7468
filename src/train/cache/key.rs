//! The key of a cached corpus: the files that it was read from, and the settings of that reading.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::config::Config;
use crate::corpus::{Corpus, Stamp};
use crate::error::shown;
use crate::system::{OsText, STDIN};
use crate::vocab::Rules;

/// Number of samples of a file whose hash identifies it, beside its path, length and times. They
/// are spread evenly from its first byte to its last.
const SAMPLES: u64 = 8;

/// Bytes of a sample. A file of no more than all samples together is hashed whole.
const SAMPLE_BYTES: u64 = 1 << 13;

/// Everything that decides the result of reading a corpus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Key {
    /// The files, in the order in which they are read.
    files: Vec<TextFile>,
    /// The settings by name. For a list of words, the value is a hash of its content.
    settings: Map<String, Value>,
}

/// A file's state when the corpus was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct TextFile {
    path: OsText,
    bytes: u64,
    /// The time of the last write, in nanoseconds since 1970.
    modified: Option<i64>,
    /// The time of the last change of content, name or permissions, in nanoseconds since 1970. No
    /// program can set it. `None` on systems that do not record it.
    changed: Option<i64>,
    /// A hash of the samples.
    samples: u64,
}

impl Key {
    /// The key of a corpus read under `config`. `rules` are read from the lists that `config`
    /// names.
    ///
    /// # Errors
    /// The reason why the corpus cannot be recognized later.
    pub(super) fn new(corpus: &Corpus, config: &Config, rules: &Rules) -> Result<Self, String> {
        let files = corpus.stamps().map(|(path, stamp)| match stamp {
            Some(stamp) => TextFile::new(path, stamp).map_err(unreadable(path)),
            None => Err(unknown(path)),
        });
        let files = files.collect::<Result<_, _>>()?;
        let mut settings = reading_settings(config);
        let mut describe = |name: &str, hash: u64| settings.insert(name.to_owned(), hash.into());
        describe("keep_words", rules.keep.digest());
        describe("stop_words", rules.stop.digest());
        if let Some(path) = &config.vocabulary.vocab {
            describe("vocab", digest_of_file(path)?);
        }
        Ok(Self { files, settings })
    }

    /// The name of the cache file. Other files or settings give another name; files that have
    /// changed keep theirs.
    pub(super) fn file_name(&self) -> String {
        let paths: Vec<&str> = self.files.iter().map(|file| file.path.as_str()).collect();
        let named = Value::from_iter([Value::from(paths), Value::Object(self.settings.clone())]);
        format!("{:016x}.corpus", xxh3_64(named.to_string().as_bytes()))
    }

    /// The reason why a corpus cached under the key `then` is of no use under this one; `None` if
    /// the keys are equal.
    pub(super) fn difference(&self, then: &Self) -> Option<String> {
        let changed = |(now, then): (&TextFile, &TextFile)| {
            (now.path == then.path && now != then)
                .then(|| format!("{} has changed", shown(&now.path.to_path())))
        };
        let changed = self.files.iter().zip(&then.files).find_map(changed);
        (self != then).then(|| {
            changed.unwrap_or_else(|| "it is of another corpus or other options".to_owned())
        })
    }
}

impl TextFile {
    fn new(path: &Path, Stamp { bytes, modified }: Stamp) -> io::Result<Self> {
        let place = fs::canonicalize(path)?;
        let mut hash = Xxh3::new();
        let file = File::open(path)?;
        for_each_sample(&file, bytes, |sample| hash.update(sample))?;
        Ok(Self {
            path: OsText::from(&*place),
            bytes,
            modified: modified.and_then(nanoseconds),
            changed: changed(&file.metadata()?),
            samples: hash.digest(),
        })
    }
}

/// Hands out samples of a file of `bytes` bytes, or all of a small file.
fn for_each_sample(mut file: &File, bytes: u64, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let mut sample = Vec::new();
    let mut read = |start, bytes| {
        sample.clear();
        file.seek(SeekFrom::Start(start))?;
        file.take(bytes).read_to_end(&mut sample)?;
        visit(&sample);
        Ok(())
    };
    if bytes <= SAMPLES * SAMPLE_BYTES {
        return read(0, bytes);
    }
    // The last sample ends with the file. Every product fits into 64 bits for files up to 2^61 bytes.
    let last = bytes - SAMPLE_BYTES;
    (0..SAMPLES).try_for_each(|index| read(last * index / (SAMPLES - 1), SAMPLE_BYTES))
}

#[cfg(unix)]
fn changed(file: &Metadata) -> Option<i64> {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = file.ctime().checked_mul(1_000_000_000)?;
    nanoseconds.checked_add(file.ctime_nsec())
}

#[cfg(not(unix))]
fn changed(_: &Metadata) -> Option<i64> {
    None
}

/// The settings that decide the result of reading a text: the settings of the vocabulary, and which
/// sentences are held out. Their order is part of the cache file's name.
fn reading_settings(config: &Config) -> Map<String, Value> {
    let share = config.validation.validation;
    let first = match share {
        // The seed decides which sentences are held out.
        Some(_) => ("seed".to_owned(), config.model.seed.into()),
        None => ("validation".to_owned(), Value::Null),
    };
    let mut settings = Map::from_iter([first]);
    if let Ok(Value::Object(vocabulary)) = serde_json::to_value(&config.vocabulary) {
        settings.extend(vocabulary);
    }
    settings.extend(share.map(|share| ("validation".to_owned(), share.into())));
    settings
}

fn nanoseconds(time: SystemTime) -> Option<i64> {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_nanos()).ok(),
        Err(before) => i64::try_from(before.duration().as_nanos())
            .ok()
            .map(|nanoseconds| -nanoseconds),
    }
}

fn digest_of_file(path: &Path) -> Result<u64, String> {
    if !path.is_file() {
        return Err(unknown(path));
    }
    let digest = || {
        let (mut file, mut hash, mut piece) = (File::open(path)?, Xxh3::new(), vec![0; 1 << 16]);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hash.digest()),
                read => hash.update(&piece[..read]),
            }
        }
    };
    digest().map_err(unreadable(path))
}

fn unknown(path: &Path) -> String {
    let name = if path.as_os_str() == STDIN {
        "standard input".to_owned()
    } else {
        shown(path)
    };
    format!(
        "{name} is no file, and cannot be known again when it comes once more; write it to a file \
         to have it cached"
    )
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> String {
    move |error| format!("cannot read {}: {error}", shown(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Loss;
    use crate::vocab::{Counting, WordOptions};

    fn key(corpus: &Corpus, config: &Config) -> Key {
        Key::new(
            corpus,
            config,
            &Rules::read(&config.vocabulary.words).unwrap(),
        )
        .unwrap()
    }

    fn open(files: &[&Path]) -> Corpus {
        Corpus::open(
            &files
                .iter()
                .map(|&path| path.to_owned())
                .collect::<Vec<_>>(),
        )
        .unwrap()
    }

    /// Settings that concern neither the vocabulary nor the sentences held out leave the key
    /// unchanged.
    #[test]
    fn settings_of_training_share_a_key() {
        let names: Vec<String> = reading_settings(&Config::default())
            .keys()
            .cloned()
            .collect();
        let expected = [
            "validation",
            "min_count",
            "max_vocab",
            "vocab",
            "lowercase",
            "nfc",
            "keep_words",
            "stop_words",
            "vocab_memory",
        ];
        assert_eq!(names, expected);
        let held_out = Config::with(|config| config.validation.validation = Some(0.1));
        let names: Vec<String> = reading_settings(&held_out).keys().cloned().collect();
        assert_eq!(
            (&*names[0], &*names[9], names.len()),
            ("seed", "validation", 10)
        );
    }

    #[test]
    fn whatever_shapes_the_text_makes_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let list = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).unwrap();
            Some(folder.path().join(name))
        };
        let [text, list_of_words, other_list] =
            ["text", "list", "other"].map(|name| list(name, name).unwrap());
        let corpus = open(&[&text]);
        let base = key(&corpus, &Config::default());
        let words = |words| Config::with(|config| config.vocabulary.words = words);
        let keep = |list: &Path| {
            words(WordOptions {
                keep_words: Some(list.to_owned()),
                ..WordOptions::default()
            })
        };
        let others = [
            Config::with(|config| config.vocabulary.min_count = 6),
            Config::with(|config| config.vocabulary.max_vocab = Some(9)),
            Config::with(|config| config.vocabulary.vocab = Some(list_of_words.clone())),
            Config::with(|config| config.vocabulary.vocab = Some(other_list.clone())),
            Config::with(|config| config.validation.validation = Some(0.1)),
            Config::with(|config| {
                config.validation.validation = Some(0.1);
                config.model.seed = 2;
            }),
            words(WordOptions {
                lowercase: true,
                ..WordOptions::default()
            }),
            words(WordOptions {
                nfc: true,
                ..WordOptions::default()
            }),
            words(WordOptions {
                counting: Counting {
                    vocab_memory: Some(1 << 30),
                },
                ..WordOptions::default()
            }),
            words(WordOptions {
                stop_words: Some(list_of_words.clone()),
                ..WordOptions::default()
            }),
            keep(&list_of_words),
            keep(&other_list),
        ];
        let mut names: Vec<String> = others
            .iter()
            .map(|config| key(&corpus, config).file_name())
            .collect();
        names.push(base.file_name());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), others.len() + 1);
        // All other settings leave the key as it is; so do the name of a list and the order within
        // it.
        let training = Config::with(|config| {
            config.model.seed = 2;
            config.model.dim = 9;
            config.objective.loss = Loss::Hs;
            config.objective.sample = Some(0.0);
            config.schedule.epochs = 1;
        });
        assert_eq!(key(&corpus, &training), base);
        let (one, two) = (
            list("one", "a\nb\n").unwrap(),
            list("two", "b\n\na").unwrap(),
        );
        assert_eq!(key(&corpus, &keep(&one)), key(&corpus, &keep(&two)));
        // The list keeps its name and gets other content.
        let before = key(&corpus, &keep(&one));
        list("one", "c");
        assert_ne!(key(&corpus, &keep(&one)).file_name(), before.file_name());
    }

    #[test]
    fn files_are_known_by_path_length_times_and_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let written = UNIX_EPOCH + std::time::Duration::from_nanos(1_700_000_000_123_456_789);
        let write = |name: &str, text: &str, time: SystemTime| {
            fs::write(path(name), text).unwrap();
            File::options()
                .write(true)
                .open(path(name))
                .unwrap()
                .set_modified(time)
                .unwrap();
            key(&open(&[&path(name)]), &Config::default())
        };
        let base = write("a", "a b", written);
        assert_eq!(key(&open(&[&path("a")]), &Config::default()), base);
        let second = std::time::Duration::from_secs(1);
        for other in [
            write("a", "a c", written),
            write("a", "a b c", written),
            write("a", "a b", written + second),
            write("a", "a b", UNIX_EPOCH - second),
        ] {
            assert_eq!(other.file_name(), base.file_name());
            assert_eq!(
                other.difference(&base).unwrap(),
                format!("{} has changed", shown(&base.files[0].path.to_path()))
            );
        }
        let base = write("a", "a b", written);
        let other = write("b", "a b", written);
        assert_ne!(other.file_name(), base.file_name());
        let (ab, ba) = ([path("a"), path("b")], [path("b"), path("a")]);
        let of = |files: &[std::path::PathBuf; 2]| {
            key(&open(&[&files[0], &files[1]]), &Config::default())
        };
        assert_ne!(of(&ab).file_name(), of(&ba).file_name());
        assert!(
            base.difference(&of(&ab))
                .unwrap()
                .contains("another corpus")
        );
        assert!(base.difference(&other).unwrap().contains("another corpus"));
        assert_eq!(base.difference(&base), None);
    }

    /// A byte changes, while length and time stay as they are.
    #[test]
    fn a_text_with_another_byte_is_noticed_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let written = UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
        let bytes = (3 * SAMPLES * SAMPLE_BYTES) as usize;
        let write = |changed: Option<usize>| {
            let mut text = vec![b'a'; bytes];
            changed.into_iter().for_each(|byte| text[byte] = b'b');
            // The clock of a file system may tick as seldom as once in 10 ms.
            std::thread::sleep(std::time::Duration::from_millis(30));
            fs::write(&path, text).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(written).unwrap();
            let Key { files, .. } = key(&open(&[&path]), &Config::default());
            files.into_iter().next().unwrap()
        };
        let base = write(None);
        for byte in [0, bytes - 1] {
            let other = write(Some(byte));
            assert_eq!((other.bytes, other.modified), (base.bytes, base.modified));
            assert_ne!(other.samples, base.samples, "byte {byte}");
        }
        // This byte is in no sample, so the time of the last change is what tells of it.
        let other = write(Some(2 * SAMPLE_BYTES as usize));
        assert_eq!(other.samples, base.samples);
        if cfg!(unix) {
            assert_ne!(other, base);
        }
    }
}
