//! Runs that are killed, stopped and resumed, through the real binary.

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::assert::{Assert, OutputAssertExt};
use predicates::prelude::*;
use predicates::str::contains;
use rand::Rng;
use w2v_gpu::sampling::{Key, Stream};

use common::{Dir, bundled};

/// For runs to which something happens on the way: long enough that it is not over before.
const LONGER: [&str; 2] = ["--epochs", "20"];

/// A folder for one run: its vectors are `v.bin`, its checkpoints are in `run`.
struct Place {
    dir: Dir,
    engine: &'static str,
}

impl Place {
    fn new(engine: &'static str) -> Self {
        Self {
            dir: Dir::new(),
            engine,
        }
    }

    /// `train` on the bundled corpus, then `more`.
    fn train(&self, more: &[&str]) -> Command {
        let corpus = bundled("corpus.txt");
        let args = ["train", corpus.to_str().unwrap(), "-o", "v.bin"];
        let mut command = self.dir.process(&args);
        command
            .args(["--dim", "20", "--epochs", "3", "--batch", "512"])
            .args(["--engine", self.engine])
            .args(more);
        command
    }

    /// The same, saved after every batch, as far as the disk can follow.
    fn saved(&self, more: &[&str]) -> Command {
        self.train(&[&["--checkpoint", "run", "--checkpoint-every", "1"], more].concat())
    }

    fn assert(&self, more: &[&str]) -> Assert {
        self.train(more).assert()
    }

    fn checkpoints(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.dir.path("run")) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "checkpoint")
        });
        paths.sort();
        paths
    }

    /// The vectors and their settings.
    fn output(&self) -> (Vec<u8>, Vec<u8>) {
        (self.dir.bytes("v.bin"), self.dir.bytes("v.bin.json"))
    }

    fn is_clean(&self) -> bool {
        !has_temporary_file(self.dir.root()) && !has_temporary_file(&self.dir.path("run"))
    }
}

fn has_temporary_file(folder: &Path) -> bool {
    let mut files = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path());
    files.any(|path| path.extension().is_some_and(|extension| extension == "tmp"))
}

/// An uninterrupted run's output and how long it took.
fn reference(engine: &'static str) -> ((Vec<u8>, Vec<u8>), Duration) {
    let place = Place::new(engine);
    let started = Instant::now();
    place.assert(&[]).success();
    (place.output(), started.elapsed())
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "waited in vain until {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Kills a run for each seed at a moment drawn by it, some of them twice, and lets it go on. Says
/// how many of them had a checkpoint to go on from.
fn kill_and_resume(engine: &'static str, seeds: Range<u64>) -> usize {
    let (expected, duration) = reference(engine);
    let mut resumed = 0;
    for seed in seeds {
        let mut rng = Key::new(seed, 0, Stream::Windows).at(0);
        let place = Place::new(engine);
        for _ in 0..1 + seed % 3 / 2 {
            let resume: &[&str] = if place.checkpoints().is_empty() {
                &[]
            } else {
                &["--resume", "run"]
            };
            let mut run = place.saved(resume).stderr(Stdio::null()).spawn().unwrap();
            // From a tenth of the time an uninterrupted run takes to the whole of it.
            let share = 0.1 + 0.9 * f64::from(rng.next_u32()) / 2f64.powi(32);
            std::thread::sleep(duration.mul_f64(share));
            run.kill().unwrap();
            run.wait().unwrap();
        }
        if place.checkpoints().is_empty() {
            place
                .saved(&["--resume", "run"])
                .assert()
                .code(2)
                .stderr(contains("--resume run: "));
            place.saved(&[]).assert().success();
        } else {
            resumed += 1;
            place
                .saved(&["--resume", "run"])
                .assert()
                .success()
                .stderr(contains("goes on after batch"));
        }
        assert!(place.output() == expected, "other vectors with seed {seed}");
        // A half-written checkpoint has been taken away. That of the vectors nobody but who killed
        // the run knows of.
        assert!(place.checkpoints().len() <= 2 && !has_temporary_file(&place.dir.path("run")));
    }
    resumed
}

#[test]
fn resumed_runs_give_the_same_vectors_after_sigkill() {
    let resumed = kill_and_resume("cpu", 0..6);
    assert!(resumed > 0, "all were killed before their first checkpoint");
}

#[test]
#[ignore = "takes minutes: 50 kills"]
fn fifty_killed_runs_go_on_to_the_same_file() {
    let (on_cpu, on_gpu) = (
        kill_and_resume("cpu", 100..140),
        kill_and_resume("gpu", 200..210),
    );
    println!(
        "went on from a checkpoint: {on_cpu} of 40 on the CPU, {on_gpu} of 10 on the GPU; the \
         others began anew"
    );
    assert!(on_cpu >= 20 && on_gpu >= 5);
}

#[test]
fn finished_run_is_written_again_or_continued() {
    let place = Place::new("cpu");
    place.saved(&[]).assert().success();
    let expected = place.output();
    fs::remove_file(place.dir.path("v.bin")).unwrap();
    place.assert(&["--resume", "run"]).success();
    assert!(place.output() == expected);
    // Threads do not matter, nor does which engine `auto` would take.
    place
        .assert(&["--resume", "run", "--threads", "1", "--engine", "auto"])
        .success()
        .stderr(contains("engine: cpu"));
    assert!(place.output().0 == expected.0);
    place
        .assert(&["--resume", "run", "--epochs", "4"])
        .success()
        .stderr(
            contains("3 epochs done")
                .and(contains("epoch 4 done"))
                .and(contains("epoch 3 done").not()),
        );
    assert!(place.output().0 != expected.0);
    place
        .assert(&["--resume", "run"])
        .code(2)
        .stderr(contains("--epochs 4, and this one --epochs 3"));
}

#[test]
fn checkpoint_of_another_run_is_refused() {
    let place = Place::new("cpu");
    place.saved(&[]).assert().success();
    let checkpoints = || {
        place
            .checkpoints()
            .into_iter()
            .map(fs::read)
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    let before = checkpoints();
    let refused = |more: &[&str], why: &str| {
        place.assert(more).code(2).stderr(contains(why));
    };
    refused(
        &["--resume", "run", "--lr", "0.1"],
        "has --lr 0.05, and this one --lr 0.1",
    );
    refused(
        &["--resume", "run", "--fixed-window"],
        "no --fixed-window, and this one --fixed-window",
    );
    refused(
        &["--resume", "run", "--loss", "hs"],
        "--loss ns, and this one --loss hs",
    );
    refused(
        &["--checkpoint", "run"],
        "go on from them with --resume run",
    );
    refused(&["--checkpoint-every", "5"], "add --checkpoint DIR");
    refused(&["--checkpoint", "new", "--checkpoint-every", "5x"], "10m");
    refused(&["--checkpoint", "v.bin"], "--checkpoint v.bin");
    refused(&["--resume", "none"], "there is no such folder");
    assert!(!place.dir.has("none"));
    fs::create_dir(place.dir.path("empty")).unwrap();
    refused(&["--resume", "empty"], "holds no checkpoint");

    // The same words in another order, and another number of them.
    let text = fs::read_to_string(bundled("corpus.txt")).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    for (text, why) in [
        (
            format!("{rest}{first}\n"),
            "in another order or other lines",
        ),
        (text.clone() + "the\n", "another vocabulary"),
    ] {
        place.dir.file("other.txt", text);
        let mut command = place.train(&["--resume", "run"]);
        let arguments: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
        let corpus = bundled("corpus.txt");
        let arguments = arguments.into_iter().map(|arg| {
            if *arg == *corpus {
                "other.txt".into()
            } else {
                arg
            }
        });
        command = Command::new(command.get_program());
        command
            .current_dir(place.dir.root())
            .args(arguments)
            .assert()
            .code(2)
            .stderr(contains(why));
    }
    assert!(checkpoints() == before);
}

#[test]
fn damaged_checkpoint_falls_back_to_the_previous_one() {
    let (expected, _) = reference("cpu");
    let place = Place::new("cpu");
    place.saved(&[]).assert().success();
    let checkpoints = place.checkpoints();
    let [before, newest] = &checkpoints[..] else {
        panic!("{checkpoints:?}")
    };
    let bytes = fs::read(newest).unwrap();
    fs::write(newest, &bytes[..bytes.len() - 1]).unwrap();
    fs::remove_file(place.dir.path("v.bin")).unwrap();
    place.assert(&["--resume", "run"]).success().stderr(
        contains("warning: ")
            .and(contains("damaged"))
            .and(contains(before.file_name().unwrap().to_str().unwrap())),
    );
    assert!(place.output() == expected);
    for path in place.checkpoints() {
        fs::write(path, "w2v-ckpt").unwrap();
    }
    place
        .assert(&["--resume", "run"])
        .code(1)
        .stderr(contains("no other checkpoint there is whole"));
}

/// How 16-bit floats are rounded depends on nothing that a resumed run does not have.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn resumed_f16_run_gives_the_same_vectors_after_sigkill() {
    let place = Place::new("gpu");
    let more = ["--storage", "f16", "--max-vocab", "200"];
    place.assert(&more).success();
    let expected = place.output();
    fs::remove_file(place.dir.path("v.bin")).unwrap();
    let mut run = place.saved(&more).stderr(Stdio::null()).spawn().unwrap();
    wait_until("there is a checkpoint", || !place.checkpoints().is_empty());
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(
        !place.dir.has("v.bin"),
        "the run was over before it could be killed"
    );
    place
        .assert(&["--max-vocab", "200", "--resume", "run"])
        .code(2)
        .stderr(contains("--storage f16"));
    place
        .assert(&[&more[..], &["--resume", "run"]].concat())
        .success()
        .stderr(contains("goes on after batch"));
    assert!(place.output() == expected);
}

/// Another engine rounds differently: it has to be asked for, and is warned about.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn resume_on_another_engine_warns() {
    let place = Place::new("gpu");
    place
        .assert(&["--checkpoint", "run", "--max-vocab", "100", "--epochs", "1"])
        .success();
    let goes_on = |engine: &str| {
        place
            .assert(&[
                "--resume",
                "run",
                "--max-vocab",
                "100",
                "--epochs",
                "1",
                "--engine",
                engine,
            ])
            .success()
    };
    goes_on("auto").stderr(contains("engine: gpu").and(contains("warning").not()));
    goes_on("cpu").stderr(contains("engine: cpu").and(contains("warning: the run was on gpu ")));
}

/// The folder of the vectors is gone when they are to be written: they can be had from the
/// checkpoint.
#[test]
fn unwritable_vectors_are_kept_in_the_checkpoint() {
    let place = Place::new("cpu");
    place.assert(&LONGER).success();
    let expected = place.output();
    fs::remove_file(place.dir.path("v.bin")).unwrap();
    fs::create_dir(place.dir.path("out")).unwrap();
    let mut run = place
        .saved(&[&LONGER[..], &["-o", "out/v.bin"]].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("there is a checkpoint", || !place.checkpoints().is_empty());
    fs::remove_dir_all(place.dir.path("out")).unwrap();
    let stderr = std::io::read_to_string(run.stderr.take().unwrap()).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(1));
    assert!(
        stderr.contains("error: cannot write out/v.bin") && stderr.contains("--resume run"),
        "{stderr}"
    );
    place
        .assert(&[&LONGER[..], &["--resume", "run"]].concat())
        .success();
    assert!(place.output() == expected);
}

/// Killed, and resumed: every line of the record once, as far as the last checkpoint and from there
/// on.
#[test]
fn record_of_a_killed_run_is_continued() {
    let place = Place::new("cpu");
    let more = [&LONGER[..], &["--metrics", "run.jsonl"]].concat();
    let mut run = place.saved(&more).stderr(Stdio::null()).spawn().unwrap();
    let epochs = || {
        let text = fs::read_to_string(place.dir.path("run.jsonl")).unwrap_or_default();
        text.matches(r#""record":"epoch""#).count()
    };
    wait_until("an epoch is recorded and saved", || {
        epochs() > 1 && !place.checkpoints().is_empty()
    });
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(
        !place.dir.has("v.bin"),
        "the run was over before it could be killed"
    );
    place
        .saved(&[&more[..], &["--resume", "run"]].concat())
        .assert()
        .success();
    let log = w2v_gpu::record::log::read(&place.dir.path("run.jsonl")).unwrap();
    assert!(log.end.is_some());
    assert_eq!(
        log.epochs
            .iter()
            .map(|epoch| epoch.epoch)
            .collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
    assert!(log.progress.is_sorted_by(|a, b| a.step < b.step));
    assert_eq!(log.progress.len(), 200);
}

/// A process that was killed has the folder until all of it is gone.
#[test]
fn resume_waits_for_the_lock() {
    let place = Place::new("cpu");
    place.saved(&[]).assert().success();
    let lock = fs::File::open(place.dir.path("run/lock")).unwrap();
    lock.lock().unwrap();
    let mut run = place
        .train(&["--resume", "run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    said.find(|line| {
        line.contains("run: another process has these checkpoints; waiting up to 5 s")
    })
    .unwrap();
    drop(lock);
    assert!(said.any(|line| line.contains("goes on after batch")));
    said.for_each(drop);
    assert!(run.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
mod signals {
    use super::common::let_children_be_interrupted;
    use super::*;

    fn send(signal: &str, run: &Child) {
        Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(run.id().to_string())
            .assert()
            .success();
    }

    /// Starts a run that signals stop, as at a terminal.
    fn start(mut command: Command) -> Child {
        let_children_be_interrupted();
        command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until the process handles SIGTERM itself, which it does from the first batch on.
    fn wait_for_training(run: &Child) {
        let handles = || {
            let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap();
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (15 - 1) != 0
        };
        wait_until("it trains", handles);
    }

    /// The exit code and what was said.
    fn end(mut run: Child) -> (Option<i32>, String) {
        let lines = BufReader::new(run.stderr.take().unwrap()).lines();
        let said = lines.map(|line| line.unwrap() + "\n").collect();
        (run.wait().unwrap().code(), said)
    }

    #[test]
    fn first_signal_saves_a_checkpoint() {
        let place = Place::new("cpu");
        place.assert(&LONGER).success();
        let expected = place.output();
        fs::remove_file(place.dir.path("v.bin")).unwrap();
        let with = |option| [&LONGER[..], &[option, "run"]].concat();
        let mut option = "--checkpoint";
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let run = start(place.train(&with(option)));
            wait_for_training(&run);
            send(signal, &run);
            let (ended, said) = end(run);
            assert_eq!(ended, Some(code), "{said}");
            assert!(
                said.contains("stopped after batch") && said.contains("--resume run goes on"),
                "{said}"
            );
            assert!(!place.dir.has("v.bin") && place.is_clean());
            option = "--resume";
        }
        place.assert(&with(option)).success();
        assert!(place.output() == expected);
    }

    /// An output beside the vectors.
    const CONTEXTS: [&str; 2] = ["--save-output", "c.npy"];

    /// Starts a run that takes long, and sends it a signal when it has trained a while.
    fn interrupted(place: &Place, signal: &str, more: &[&str]) -> (Option<i32>, String) {
        let more = [
            &[
                "--epochs",
                "1000",
                "--log-every",
                "0.01",
                "--metrics",
                "run.jsonl",
            ],
            more,
        ]
        .concat();
        let mut run = start(place.train(&more));
        let mut lines = BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap);
        lines.find(|line| line.starts_with("training:")).unwrap();
        send(signal, &run);
        let said = lines.map(|line| line + "\n").collect();
        (run.wait().unwrap().code(), said)
    }

    fn settings(place: &Place, name: &str) -> serde_json::Value {
        serde_json::from_slice(&place.dir.bytes(name)).unwrap()
    }

    #[test]
    fn signal_without_checkpoints_writes_the_vectors_so_far() {
        let place = Place::new("cpu");
        for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
            let (ended, said) = interrupted(&place, signal, &CONTEXTS);
            assert_eq!(ended, Some(code), "{said}");
            assert!(
                said.contains("the vectors so far are in v.bin, and v.bin.json says"),
                "{said}"
            );
            let vectors = w2v_gpu::vectors::format::read(&place.dir.path("v.bin")).unwrap();
            assert!(
                vectors.vocab.len() > 1000
                    && vectors
                        .matrix
                        .values()
                        .iter()
                        .all(|value| value.is_finite())
            );
            let settings = settings(&place, "v.bin.json");
            assert_eq!(settings["interrupted"], true);
            assert!(
                (0.0..0.9).contains(&settings["trained_share"].as_f64().unwrap()),
                "{settings}"
            );
            assert!(place.dir.has("c.npy") && place.is_clean());
        }
        // A run that is finished says nothing of the kind.
        place.assert(&[]).success();
        assert!(settings(&place, "v.bin.json").get("interrupted").is_none());
    }

    #[test]
    fn interrupted_run_does_not_replace_finished_vectors() {
        let place = Place::new("cpu");
        let more = [&CONTEXTS[..], &["--save-vocab", "words"]].concat();
        place
            .train(&more)
            .args(["--metrics", "run.jsonl"])
            .assert()
            .success();
        let names = [
            "v.bin",
            "v.bin.json",
            "c.npy",
            "c.vocab",
            "words",
            "run.jsonl",
        ];
        let read = || names.map(|name| place.dir.bytes(name));
        let before = read();
        for _ in 0..2 {
            let (_, said) = interrupted(&place, "TERM", &more);
            assert!(
                said.contains("are in v.interrupted.bin, as v.bin is there and not of an"),
                "{said}"
            );
            assert!(
                said.contains("the record of this run, which did not end, stays in run.jsonl."),
                "{said}"
            );
            assert!(read() == before);
            assert_eq!(
                settings(&place, "v.interrupted.bin.json")["interrupted"],
                true
            );
        }
        assert!(
            [
                "c.interrupted.npy",
                "c.interrupted.vocab",
                "words.interrupted"
            ]
            .map(|name| place.dir.has(name))
                == [true; 3]
        );
        assert!(!place.dir.has("v.interrupted2.bin"));
    }

    #[test]
    fn interrupted_run_keeps_finished_vectors_without_extension() {
        let place = Place::new("cpu");
        let more = ["-o", "v", "--to", "bin"];
        place.assert(&more).success();
        let before = place.dir.bytes("v");
        let (code, said) = interrupted(&place, "TERM", &more);
        assert!(
            code == Some(143) && said.contains("are in v.interrupted, as v is there"),
            "{said}"
        );
        assert!(place.dir.bytes("v") == before && place.dir.has("v.interrupted"));
    }

    /// The vectors are those of an interrupted run, and may go; what lies beside them is another's.
    #[test]
    fn interrupted_run_replaces_only_interrupted_files() {
        let place = Place::new("cpu");
        interrupted(&place, "TERM", &[]);
        for name in ["c.npy", "c.vocab"] {
            place.dir.file(name, "precious");
            let (_, said) = interrupted(&place, "TERM", &CONTEXTS);
            assert!(
                said.contains(&format!("are in v.interrupted.bin, as {name} is there")),
                "{said}"
            );
            assert_eq!(place.dir.bytes(name), b"precious");
            fs::remove_file(place.dir.path(name)).unwrap();
        }
        let (_, said) = interrupted(&place, "TERM", &[]);
        assert!(said.contains("are in v.bin, and v.bin.json says"), "{said}");
    }

    #[test]
    fn ignored_signals_stay_ignored() {
        let place = Place::new("cpu");
        let train = place.train(&["--epochs", "1000"]);
        let mut ignoring = Command::new("bash");
        ignoring
            .current_dir(place.dir.root())
            .args(["-c", "trap '' INT HUP; exec \"$@\"", "bash"]);
        let run = ignoring
            .arg(train.get_program())
            .args(train.get_args())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_training(&run);
        ["INT", "INT", "HUP", "HUP", "TERM"]
            .into_iter()
            .for_each(|signal| send(signal, &run));
        let (code, said) = end(run);
        assert_eq!(code, Some(143));
        assert!(
            !said.contains("SIGINT") && !said.contains("SIGHUP"),
            "{said}"
        );
    }

    /// A batch that takes many seconds: the second signal does not wait for it.
    #[test]
    fn second_signal_stops_at_once() {
        let place = Place::new("cpu");
        let words: String = (0..60_000u64)
            .map(|i| format!("w{} ", i * i % 29_989))
            .collect();
        place.dir.file("text.txt", words);
        let args = ["text.txt", "-o", "v.bin", "--engine", "cpu"];
        let mut run = place.dir.process(&[&["train"], &args[..]].concat());
        run.args(["--loss", "softmax", "--dim", "500", "--min-count", "1"])
            .args(["--sample", "0", "--batch", "65536", "--threads", "1"])
            .args(["--checkpoint", "run"]);
        let mut run = start(run);
        wait_for_training(&run);
        // Until the batch has begun.
        std::thread::sleep(Duration::from_millis(200));
        send("TERM", &run);
        let mut said = BufReader::new(run.stderr.take().unwrap())
            .lines()
            .map(Result::unwrap);
        said.find(|line| line.contains("a second one stops at once"))
            .unwrap();
        let started = Instant::now();
        send("INT", &run);
        assert!(!said.any(|line| line.contains("stopped after batch")));
        assert_eq!(run.wait().unwrap().code(), Some(130));
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "{:?}",
            started.elapsed()
        );
        assert!(place.is_clean() && place.checkpoints().is_empty());
    }

    /// A limit on the size of files stands for a full disk: the token store and the vectors fit
    /// below it, checkpoints of both matrices do not.
    #[test]
    fn full_disk_skips_the_checkpoint_and_training_goes_on() {
        let place = Place::new("cpu");
        place.assert(&["--dim", "300"]).success();
        let expected = place.output();
        let train = place.saved(&["--dim", "300"]);
        let mut limited = place.dir.limited(2500, train.get_args());
        let warning = "warning: no checkpoint this time: cannot write run/";
        limited
            .assert()
            .success()
            .stderr(contains(warning).and(contains(" could not be written; the last")));
        assert!(place.output() == expected);
        assert!(place.checkpoints().is_empty() && place.is_clean());
    }
}
