//! `train --cache`: the same vectors as without, whatever becomes of the files there.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use assert_cmd::assert::{Assert, OutputAssertExt};
use predicates::prelude::*;
use predicates::str::contains;
use rand::Rng;
use w2v_gpu::sampling::{Key, Stream};

use common::{Dir, quick_train};

/// Said when the corpus was taken from the cache, when it was read and kept, and when what was
/// there was of no use.
const TAKEN: &str = "cache: the corpus is taken from cache";
const KEPT: &str = "cache: the corpus is kept in cache";
const ANEW: &str = "is made anew, as ";

/// A folder with `text.txt`, which has something of everything that is told of a text.
struct Place {
    dir: Dir,
}

impl Place {
    fn new() -> Self {
        let place = Self { dir: Dir::new() };
        let mut text: Vec<u8> = (0..4000u32)
            .flat_map(|i| format!("the w{} w{} é{i}\n", i * i % 97, i % 31).into_bytes())
            .collect();
        text.extend("long ".repeat(20_000).bytes());
        text.extend(b"\n\xff\xfe the ");
        text.extend([b'x'; 2000]);
        place.dir.file("text.txt", text);
        place
    }

    /// `train ARGS`, quick, to `v.bin`.
    fn command(&self, args: &[&str]) -> Command {
        let options = ["-o", "v.bin", "--threads", "2"];
        self.dir
            .process(&quick_train("cpu", &[&options, args].concat()))
    }

    fn train(&self, args: &[&str]) -> Assert {
        self.command(args).assert()
    }

    /// `train text.txt --cache cache ARGS`.
    fn cached(&self, args: &[&str]) -> Assert {
        self.train(&[&["text.txt", "--cache", "cache"], args].concat())
    }

    /// The vectors, which are taken away.
    fn vectors(&self) -> Vec<u8> {
        let vectors = self.dir.bytes("v.bin");
        fs::remove_file(self.dir.path("v.bin")).unwrap();
        vectors
    }

    /// The vectors of a run without a cache.
    fn expected(&self, args: &[&str]) -> Vec<u8> {
        self.train(&[&["text.txt"], args].concat())
            .success()
            .stderr(contains("cache").not());
        self.vectors()
    }

    /// The cached corpora.
    fn entries(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(self.dir.path("cache"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "corpus")
        });
        files
    }

    fn entry(&self) -> PathBuf {
        let entries = self.entries();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].clone()
    }
}

fn stderr(assert: &Assert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

/// The lines about the corpus, and the report without times.
fn told(assert: &Assert) -> (Vec<String>, serde_json::Value) {
    let of_corpus = |line: &&str| line.starts_with("corpus: ") || line.starts_with("  ");
    let lines = stderr(assert)
        .lines()
        .filter(of_corpus)
        .map(str::to_owned)
        .collect();
    let report: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    (lines, report["corpus"].clone())
}

#[test]
fn cached_runs_give_the_same_vectors_and_reports() {
    let place = Place::new();
    place.dir.file("stop.txt", "w1\nw2\n");
    place.dir.file("keep.txt", "é7\nnever\n");
    for options in [
        &[][..],
        &["--validation", "0.1"],
        &[
            "--stop-words",
            "stop.txt",
            "--keep-words",
            "keep.txt",
            "--lowercase",
            "--max-vocab",
            "60",
        ],
        &["--vocab-memory", "1M", "--min-count", "1"],
    ] {
        let options = [options, &["--json"]].concat();
        let plain = place
            .train(&[&["text.txt"], &options[..]].concat())
            .success();
        let expected = place.vectors();
        assert!(told(&plain).0.len() > 3, "{:?}", told(&plain));
        for line in [KEPT, TAKEN, TAKEN] {
            let run = place
                .cached(&options)
                .success()
                .stderr(contains(line).and(contains(ANEW).not()));
            assert_eq!(told(&run), told(&plain));
            assert!(place.vectors() == expected, "{options:?}");
        }
    }
    assert_eq!(place.entries().len(), 4);
}

#[test]
fn corpus_counted_by_a_vocabulary_file_is_cached() {
    let place = Place::new();
    place.dir.file("words", "the 9\nw1 5\nw2 5\n");
    let expected = place.expected(&["--vocab", "words"]);
    for line in [KEPT, TAKEN] {
        place
            .cached(&["--vocab", "words"])
            .success()
            .stderr(contains(line));
        assert!(place.vectors() == expected);
    }
    place.dir.file("words", "the 9\nw1 5\nw3 5\n");
    let expected = place.expected(&["--vocab", "words"]);
    place
        .cached(&["--vocab", "words"])
        .success()
        .stderr(contains(KEPT));
    assert!(place.vectors() == expected);
}

#[test]
fn training_options_share_a_cache_file_and_corpus_options_do_not() {
    let place = Place::new();
    place.cached(&[]).success().stderr(contains(KEPT));
    for options in [
        &["--seed", "2", "--window", "3"][..],
        &["--loss", "hs", "--sample", "1e-3"],
        &["--threads", "1"],
    ] {
        place.vectors();
        place.cached(options).success().stderr(contains(TAKEN));
        let vectors = place.vectors();
        assert!(place.expected(options) == vectors);
        place.cached(&[]).success();
    }
    assert_eq!(place.entries().len(), 1);
    place
        .cached(&["--min-count", "6"])
        .success()
        .stderr(contains(KEPT));
    place
        .cached(&["--validation", "0.1"])
        .success()
        .stderr(contains(KEPT));
    place
        .cached(&["--validation", "0.1", "--seed", "2"])
        .success()
        .stderr(contains(KEPT));
    assert_eq!(place.entries().len(), 4);
    // The words and counts themselves come out of the cache.
    place
        .train(&["text.txt", "--save-vocab", "plain"])
        .success();
    place
        .cached(&["--save-vocab", "cached"])
        .success()
        .stderr(contains(TAKEN));
    assert_eq!(place.dir.bytes("cached"), place.dir.bytes("plain"));
}

/// Bits flipped and ends cut off at drawn places, near the start as often as anywhere.
#[test]
fn damaged_cache_file_is_rebuilt() {
    let place = Place::new();
    let expected = place.expected(&[]);
    place.cached(&[]).success();
    let whole = fs::read(place.entry()).unwrap();
    let mut rng = Key::new(1, 0, Stream::Windows).at(0);
    for round in 0..40 {
        let most = if round % 2 == 0 { whole.len() } else { 4000 };
        let at = rng.next_u64() as usize % most;
        let mut damaged = whole.clone();
        if round % 4 < 2 {
            damaged[at] ^= 1 << (rng.next_u32() % 8);
        } else {
            damaged.truncate(at);
        }
        fs::write(place.entry(), damaged).unwrap();
        place
            .cached(&[])
            .success()
            .stderr(contains(ANEW).count(1).and(contains(KEPT)));
        assert!(place.vectors() == expected, "byte {at}");
        assert!(fs::read(place.entry()).unwrap() == whole, "byte {at}");
    }
    for foreign in [&b"nothing"[..], &[0; 100], b""] {
        fs::write(place.entry(), foreign).unwrap();
        place.cached(&[]).success().stderr(contains(ANEW).count(1));
        assert!(place.vectors() == expected);
    }
    place.cached(&[]).success().stderr(contains(TAKEN));
}

/// A file that has taken the place of the one the run was going to take, but for another key.
#[test]
fn cache_file_of_another_corpus_is_rebuilt() {
    let place = Place::new();
    place.cached(&[]).success();
    let entry = place.entry();
    let of_text = fs::read(&entry).unwrap();
    place.cached(&["--min-count", "9"]).success();
    let expected = place.vectors();
    let other = place
        .entries()
        .into_iter()
        .find(|path| *path != entry)
        .unwrap();
    fs::write(other, of_text).unwrap();
    place
        .cached(&["--min-count", "9"])
        .success()
        .stderr(contains("made anew, as it is of another corpus or other"));
    assert!(place.vectors() == expected);
}

#[test]
fn changed_corpus_replaces_its_cache_file() {
    let place = Place::new();
    place.cached(&[]).success().stderr(contains(KEPT));
    let text = place.dir.bytes("text.txt");
    let swapped = [&b"w1 the"[..], &text[6..]].concat();
    let later = SystemTime::now() + Duration::from_secs(9);
    let touch = |path: &Path| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(later)
            .unwrap()
    };
    let changes: [(&[u8], bool); 4] = [
        (&text[..50_000], false),
        (&swapped, false),
        (&swapped, true),
        (&text, false),
    ];
    for (text, is_touched) in changes {
        place.dir.file("text.txt", text);
        if is_touched {
            touch(&place.dir.path("text.txt"));
        }
        place.cached(&[]).success().stderr(
            contains(ANEW)
                .and(contains("text.txt has changed"))
                .and(contains(KEPT)),
        );
        let vectors = place.vectors();
        assert!(vectors == place.expected(&[]));
        place.cached(&[]).success().stderr(contains(TAKEN));
        assert!(vectors == place.vectors());
        place.entry();
    }
}

/// The file changes after it was opened: neither vectors nor a cached corpus are written.
#[cfg(unix)]
#[test]
fn corpus_that_changes_while_it_is_read_is_not_cached() {
    use w2v_gpu::config::Config;
    use w2v_gpu::corpus::Corpus;
    use w2v_gpu::event::{Event, Pass};
    use w2v_gpu::train::cache::Cache;
    use w2v_gpu::train::dataset::Dataset;

    for changed_in in [Pass::Count, Pass::Encode] {
        let place = Place::new();
        let path = place.dir.path("text.txt");
        let corpus = Corpus::open(std::slice::from_ref(&path)).unwrap();
        let cache = Cache::open(&place.dir.path("cache"), "--cache").unwrap();
        let prepared =
            Dataset::prepare_cached(&corpus, &Config::default(), Some(&cache), |event| {
                if matches!(event, Event::Reading { pass, .. } if pass == changed_in) {
                    fs::write(&path, "the end").unwrap();
                }
            });
        let error = prepared.unwrap_err().to_string();
        assert!(
            error.contains("text.txt: changed while it was read: it had"),
            "{error}"
        );
        assert!(place.entries().is_empty());
    }
}

#[test]
fn run_is_resumed_with_and_without_the_cache() {
    let place = Place::new();
    fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["--batch", "512"], more].concat()
    }
    place
        .cached(&with(&["--checkpoint", "run"]))
        .success()
        .stderr(contains(KEPT));
    for copy in ["plain", "damaged"] {
        fs::create_dir(place.dir.path(copy)).unwrap();
        for entry in fs::read_dir(place.dir.path("run"))
            .unwrap()
            .map(Result::unwrap)
        {
            fs::copy(entry.path(), place.dir.path(copy).join(entry.file_name())).unwrap();
        }
    }
    let expected = place.expected(&with(&["--resume", "plain", "--epochs", "2"]));
    place
        .cached(&with(&["--resume", "run", "--epochs", "2"]))
        .success()
        .stderr(contains(TAKEN));
    assert!(place.vectors() == expected);
    let mut damaged = fs::read(place.entry()).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(place.entry(), damaged).unwrap();
    place
        .cached(&with(&["--resume", "damaged", "--epochs", "2"]))
        .success()
        .stderr(contains(ANEW));
    assert!(place.vectors() == expected);
    // And the cached corpus of another run is refused like the text itself.
    place
        .cached(&with(&[
            "--resume",
            "run",
            "--epochs",
            "2",
            "--min-count",
            "9",
        ]))
        .code(2)
        .stderr(contains("--min-count 5"));
}

#[test]
fn standard_input_is_not_cached() {
    let place = Place::new();
    let expected = place.expected(&[]);
    let mut command = place.command(&["-", "--cache", "cache"]);
    command.stdin(fs::File::open(place.dir.path("text.txt")).unwrap());
    command.assert().success().stderr(contains(
        "cache: the corpus is not kept: standard input is no file",
    ));
    assert!(place.vectors() == expected);
    assert!(place.entries().is_empty());
    // A list of files may come from anywhere.
    let mut command = place.command(&["--files-from", "-", "--cache", "cache"]);
    place.dir.file("list", "text.txt\n");
    command.stdin(fs::File::open(place.dir.path("list")).unwrap());
    command.assert().success().stderr(contains(KEPT));
    place.cached(&[]).success().stderr(contains(TAKEN));
    assert!(place.vectors() == expected);
}

#[cfg(unix)]
#[test]
fn named_pipes_are_not_cached() {
    let place = Place::new();
    let expected = place.expected(&[]);
    let text = place.dir.bytes("text.txt");
    for name in ["text", "words"] {
        Command::new("mkfifo")
            .arg(place.dir.path(name))
            .assert()
            .success();
    }
    let write = |name: &str, bytes: Vec<u8>| {
        let pipe = place.dir.path(name);
        std::thread::spawn(move || fs::write(pipe, bytes).unwrap())
    };
    let writer = write("text", text);
    place
        .train(&["text", "--cache", "cache"])
        .success()
        .stderr(contains("not kept: text is no file"));
    writer.join().unwrap();
    assert!(place.vectors() == expected);
    let writer = write("words", b"the 9\nw1 5\n".to_vec());
    place
        .cached(&["--vocab", "words"])
        .success()
        .stderr(contains("not kept: words is no file"));
    writer.join().unwrap();
    assert!(place.entries().is_empty());
}

#[test]
fn concurrent_runs_share_a_cache_folder() {
    let place = Place::new();
    let expected = place.expected(&[]);
    let runs: Vec<_> = (0..6)
        .map(|run| {
            let output = format!("{run}.bin");
            let mut command = place.command(&["text.txt", "--cache", "cache", "-o", &output]);
            (output, command.stderr(Stdio::piped()).spawn().unwrap())
        })
        .collect();
    for (output, run) in runs {
        let ended = run.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(
            ended.status.success() && !said.contains("warning") && !said.contains(ANEW),
            "{said}"
        );
        assert!(place.dir.bytes(&output) == expected);
    }
    place.cached(&[]).success().stderr(contains(TAKEN));
    assert_eq!(fs::read_dir(place.dir.path("cache")).unwrap().count(), 2);
}

/// What a run that was killed left behind is taken away by the next one that writes, but not under
/// a run that writes.
#[test]
fn leftovers_of_killed_runs_are_removed_from_the_cache() {
    let place = Place::new();
    fs::create_dir(place.dir.path("cache")).unwrap();
    let left = place.dir.path("cache/.w2v-gpu-abc.tmp");
    fs::write(&left, "half").unwrap();
    let lock = fs::File::create(place.dir.path("cache/cache.lock")).unwrap();
    lock.lock_shared().unwrap();
    place.cached(&[]).success().stderr(contains(KEPT));
    assert!(left.exists());
    lock.unlock().unwrap();
    fs::remove_file(place.entry()).unwrap();
    place.cached(&[]).success().stderr(contains(KEPT));
    assert!(!left.exists());
}

#[test]
fn unusable_cache_folder_is_refused() {
    let place = Place::new();
    let refused = |args: &[&str], why: &str| {
        place.train(args).code(2).stderr(contains(why));
        assert!(!place.dir.has("v.bin"));
    };
    refused(
        &["text.txt", "--cache", "text.txt"],
        "--cache text.txt: cannot be made a folder",
    );
    refused(
        &["text.txt", "--cache", "run", "--checkpoint", "./run"],
        "is the folder of the checkpoints",
    );
    fs::create_dir(place.dir.path("texts")).unwrap();
    fs::copy(place.dir.path("text.txt"), place.dir.path("texts/a.txt")).unwrap();
    refused(
        &["texts", "--cache", "texts/cache"],
        "lies in a folder of CORPUS",
    );
    refused(&["texts", "--cache", "texts"], "lies in a folder of CORPUS");
    place.train(&["texts", "--cache", "texts/.cache"]).success();
    place
        .train(&["texts", "--cache", "texts/.cache"])
        .success()
        .stderr(contains("is taken from"));
}

/// A limit on the size of files stands for a full disk: the token store fits below it, the same
/// with its words does not.
#[cfg(target_os = "linux")]
#[test]
fn full_disk_skips_the_cache_and_training_goes_on() {
    let place = Place::new();
    let expected = place.expected(&["--min-count", "1"]);
    place.cached(&["--min-count", "1"]).success();
    let kilobytes = fs::metadata(place.entry()).unwrap().len() / 1024 - 1;
    fs::remove_dir_all(place.dir.path("cache")).unwrap();
    place.vectors();
    let train = place.command(&["text.txt", "--cache", "cache", "--min-count", "1"]);
    let mut limited = place.dir.limited(kilobytes, train.get_args());
    limited.assert().success().stderr(contains(
        "warning: the corpus is not cached: cannot write cache/",
    ));
    assert!(place.vectors() == expected);
    assert!(place.entries().is_empty());
    assert_eq!(fs::read_dir(place.dir.path("cache")).unwrap().count(), 1);
}
