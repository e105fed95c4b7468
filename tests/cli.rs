//! The command line, through the real binary.

mod common;

use std::fs;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

use common::{Dir, QUICK, w2v};

/// `train text.txt -o OUT`, quick, on the engine that `auto` takes.
fn train_on_auto(dir: &Dir, out: &str) -> Command {
    let mut command = dir.w2v(&["train", "text.txt", "-o", out]);
    command.args(QUICK);
    command
}

#[test]
fn trained_vectors_have_neighbors() {
    let dir = Dir::with_text();
    dir.train(&["text.txt", "-o", "v.txt"])
        .assert()
        .success()
        .stdout("")
        .stderr(
            contains("engine: cpu, as asked")
                .and(contains("epoch 1 done: loss"))
                .and(contains(" words/s, loss")),
        );
    let text = String::from_utf8(dir.bytes("v.txt")).unwrap();
    assert_eq!(text.lines().next(), Some("12 8"));
    assert!(
        text.lines().nth(1).unwrap().starts_with("the "),
        "the most frequent word comes first"
    );
    dir.w2v(&["neighbors", "v.txt", "cat", "-n", "3"])
        .assert()
        .success()
        .stdout(predicate::function(|out: &str| out.lines().count() >= 4));
    dir.w2v(&["neighbors", "v.txt", "cat", "unheard-of"])
        .assert()
        .code(1)
        .stdout(contains("cat"))
        .stderr(contains("unheard-of"));
}

#[test]
fn text_and_binary_output_hold_the_same_vectors() {
    let dir = Dir::with_text();
    dir.train(&["text.txt", "-o", "v.txt"]).assert().success();
    dir.train(&["text.txt", "-o", "v.bin"]).assert().success();
    let ask = |name: &str| {
        let args = ["neighbors", name, "cat", "the", "--json"];
        let output = dir.w2v(&args).output().unwrap();
        assert!(output.status.success());
        output.stdout
    };
    assert_eq!(ask("v.txt"), ask("v.bin"));
}

#[test]
fn vectors_depend_on_the_seed_and_not_on_threads() {
    let dir = Dir::with_text();
    dir.train(&["text.txt", "-o", "one.bin", "--threads", "1"])
        .assert()
        .success();
    dir.train(&["text.txt", "-o", "four.bin", "--threads", "4"])
        .assert()
        .success();
    dir.train(&["text.txt", "-o", "seed.bin", "--seed", "2"])
        .assert()
        .success();
    assert_eq!(dir.bytes("one.bin"), dir.bytes("four.bin"));
    assert_ne!(dir.bytes("one.bin"), dir.bytes("seed.bin"));
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn gpu_repeats_itself_and_agrees_with_the_cpu() {
    let dir = Dir::with_text();
    for name in ["a.txt", "b.txt"] {
        dir.train_on("gpu", &["text.txt", "-o", name])
            .assert()
            .success()
            .stderr(contains("engine: gpu, "));
    }
    dir.train(&["text.txt", "-o", "c.txt"]).assert().success();
    assert_eq!(dir.bytes("a.txt"), dir.bytes("b.txt"));
    let numbers = |name: &str| -> Vec<f64> {
        let text = String::from_utf8(dir.bytes(name)).unwrap();
        text.lines()
            .skip(1)
            .flat_map(|line| line.split(' ').skip(1))
            .map(|n| n.parse().unwrap())
            .collect()
    };
    for (gpu, cpu) in numbers("a.txt").into_iter().zip(numbers("c.txt")) {
        // Fixed point hides most differences in rounding; what is left stays far below an element
        // of the start, 0.06.
        assert!((gpu - cpu).abs() < 1e-4, "{gpu} {cpu}");
    }
}

#[test]
fn embedding_option_chooses_input_output_or_average() {
    let dir = Dir::with_text();
    dir.train(&[
        "text.txt",
        "-o",
        "in.txt",
        "--save-output",
        dir.path("ctx.txt").to_str().unwrap(),
    ])
    .assert()
    .success();
    dir.train(&["text.txt", "-o", "out.txt", "--embedding", "output"])
        .assert()
        .success();
    dir.train(&["text.txt", "-o", "avg.txt", "--embedding", "average"])
        .assert()
        .success();
    assert_eq!(dir.bytes("ctx.txt"), dir.bytes("out.txt"));
    let second = |name: &str| -> f32 {
        let text = String::from_utf8(dir.bytes(name)).unwrap();
        text.lines()
            .nth(1)
            .unwrap()
            .split(' ')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap()
    };
    assert_eq!(
        (second("in.txt") + second("out.txt")) / 2.0,
        second("avg.txt")
    );
}

#[test]
fn json_report_and_quiet_stderr() {
    let dir = Dir::with_text();
    let output = dir
        .train(&["text.txt", "-o", "v.txt", "--json", "-q"])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["config"]["dim"], 8);
    assert_eq!(report["training"]["words"], 4800);
    assert!(report["training"]["loss"].as_f64().unwrap() > 0.0);
    assert!(report["seconds"]["train"].as_f64().unwrap() > 0.0);
}

#[test]
fn left_out_and_replaced_words_are_reported() {
    let dir = Dir::with_text();
    let mut text = dir.bytes("text.txt");
    text.extend(b"once rare b\xffd\n");
    text.extend(vec![b'x'; 3000]);
    text.extend(b" the cat ".repeat(20_000));
    dir.file("text.txt", text);
    dir.train(&["text.txt", "-o", "v.txt"])
        .assert()
        .success()
        .stderr(
            contains("3 words left out: not in the vocabulary")
                .and(contains("1 word with bytes that are not UTF-8"))
                .and(contains("1 word left out: longer than 1024 bytes"))
                .and(contains("2 cuts in lines too long")),
        );
}

/// What is refused: exit code, and words that tell what to change. The file that was there stays as
/// it was.
#[test]
fn wrong_options_are_refused_and_the_output_file_stays() {
    let dir = Dir::with_text();
    dir.file("v.txt", "precious");
    let settings: [(&[&str], i32, &str); 22] = [
        (&["--dim", "0"], 2, "--dim 0"),
        (&["--window", "0"], 2, "--window 0"),
        (&["--negative", "0"], 2, "every label would be 1"),
        (&["--lr", "nan"], 2, "--lr NaN"),
        (&["--lr", "-1"], 2, "--lr -1"),
        (&["--sample", "-1"], 2, "--sample"),
        (&["--epochs", "0"], 2, "--epochs"),
        (&["--clip", "0"], 2, "--clip"),
        (&["--batch", "0"], 2, "--batch"),
        (&["--threads", "0"], 2, "--threads"),
        (&["--log-every", "0"], 2, "--log-every"),
        (&["--adapter", "0"], 2, "--engine cpu was asked for"),
        (&["--min-count", "100000"], 1, "lower --min-count"),
        (&["--max-vocab", "1"], 1, "--max-vocab"),
        (&["--max-vocab", "0"], 2, "--max-vocab"),
        (&["--no-such-flag"], 2, "--no-such-flag"),
        (&["--hs", "1"], 2, "--loss hs"),
        (&["--cbow", "0"], 2, "the model is --model cbow"),
        (
            &["-size", "9"],
            2,
            "names take two dashes here: the option is --dim",
        ),
        (&["-output", "v.bin"], 2, "the option is --output"),
        (
            &["--negative", "-1"],
            2,
            "no number below 0 has a meaning here",
        ),
        (
            &["--lr", "1e30", "--clip", "1e30"],
            1,
            "lower --lr or --clip",
        ),
    ];
    for (more, code, message) in settings {
        dir.train(&[&["text.txt", "-o", "v.txt"], more].concat())
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
        assert_eq!(dir.bytes("v.txt"), b"precious", "{more:?}");
    }
}

#[test]
fn unusable_files_are_named_in_the_error() {
    let dir = Dir::with_text();
    dir.file("empty.txt", "");
    dir.file("blank.txt", "\n \n\t\n");
    dir.file("packed.txt", [0x1f, 0x8b, 8, 0, 0]);
    dir.file("alone.txt", "a\nb\n".repeat(50));
    dir.file("texts/packed.txt", dir.bytes("packed.txt"));
    for (corpus, out, message) in [
        ("alone.txt", "alone.txt", "is a file of the corpus"),
        ("missing.txt", "v.txt", "missing.txt"),
        ("texts", "v.txt", "packed.txt"),
        (".", "v.txt", "lies in a folder of CORPUS"),
        ("empty.txt", "v.txt", "holds no words"),
        ("blank.txt", "v.txt", "holds no words"),
        ("packed.txt", "v.txt", "is cut short"),
        (
            "alone.txt",
            "v.txt",
            "no line of the corpus holds two words",
        ),
        ("text.txt", "v.docx", ".bin"),
        ("text.txt", "no/such/folder/v.txt", "--output"),
        ("text.txt", "/proc/v.txt", "--output"),
    ] {
        dir.w2v(&["train", corpus, "-o", out])
            .args(["--engine", "cpu", "--min-count", "1"])
            .assert()
            .failure()
            .stdout("")
            .stderr(contains(message).and(contains("panicked").not()));
        assert!(!dir.has("v.txt"));
    }
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn unknown_adapter_lists_the_available_ones() {
    train_on_auto(&Dir::with_text(), "v.txt")
        .args(["--adapter", "no such thing"])
        .assert()
        .code(1)
        .stderr(
            contains("--adapter no such thing")
                .and(contains("the adapters are:"))
                .and(contains("0: ")),
        );
}

/// A driver list that is empty stands for a machine without any driver.
#[test]
fn without_adapter_auto_takes_the_cpu_and_gpu_says_what_to_install() {
    let dir = Dir::with_text();
    let hide = |command: &mut Command| {
        command
            .env("VK_DRIVER_FILES", "/nonexistent.json")
            .env("VK_ICD_FILENAMES", "/nonexistent.json");
    };
    let mut command = train_on_auto(&dir, "v.txt");
    hide(&mut command);
    if cfg!(target_os = "linux") {
        command
            .assert()
            .success()
            .stderr(contains("there is no hardware GPU"));
        let mut command = dir.train_on("gpu", &["text.txt", "-o", "w.txt"]);
        hide(&mut command);
        command
            .assert()
            .code(1)
            .stderr(contains("mesa-vulkan-drivers").and(contains("--engine cpu")));
    }
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn devices_lists_adapters() {
    w2v(&["devices"])
        .assert()
        .success()
        .stdout(contains("0: ").and(contains("--engine auto takes")));
    let output = w2v(&["devices", "--json"]).output().unwrap();
    let adapters: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        adapters[0]["max_binding"].as_u64().unwrap() >= 1 << 27,
        "{adapters}"
    );
}

#[test]
fn help_names_every_option() {
    let output = w2v(&["train", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for option in [
        "--dim",
        "--negative",
        "--clip",
        "--engine",
        "--adapter",
        "--save-output",
        "--shader-checks",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn flags_win_over_environment_variables() {
    let dir = Dir::with_text();
    let dim = |command: &mut Command| {
        let output = command.args(["--json", "-q"]).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (
            report["config"]["dim"].clone(),
            report["config"]["window"].clone(),
        )
    };
    let mut command = dir.train(&["text.txt", "-o", "v.txt"]);
    command.env("W2V_GPU_DIM", "4").env("W2V_GPU_WINDOW", "3");
    assert_eq!(dim(&mut command), (8.into(), 3.into()));
    dir.train(&["text.txt", "-o", "v.txt"])
        .env("W2V_GPU_NEGATIVE", "many")
        .assert()
        .code(2)
        .stderr(contains("--negative"));
}

/// The settings written beside the vectors.
fn settings(dir: &Dir, out: &str) -> serde_json::Value {
    serde_json::from_slice(&dir.bytes(&format!("{out}.json"))).unwrap()
}

fn every_objective_trains(engine: &str) {
    let dir = Dir::with_text();
    for (options, first_row) in [
        (&["--loss", "ns"][..], ("12 8", "the")),
        // Inner nodes, one less than words, and no words.
        (&["--loss", "hs"], ("11 8", "<inner-node-0>")),
        // With five branches, the 12 words below 3 nodes, and the 2 of them that are not the root.
        (&["--loss", "hs", "--arity", "5"], ("14 8", "the")),
        (&["--loss", "softmax"], ("12 8", "the")),
        (&["--model", "cbow"], ("12 8", "the")),
        (
            &["--model", "cbow", "--cbow-gradient", "share"],
            ("12 8", "the"),
        ),
        (
            &["--model", "cbow", "--negatives-per", "pair"],
            ("12 8", "the"),
        ),
        (
            &["--loss", "hs", "--model", "cbow"],
            ("11 8", "<inner-node-0>"),
        ),
        (
            &["--loss", "hs", "--model", "cbow", "--arity", "12"],
            ("12 8", "the"),
        ),
        (&["--subwords", "3-6"], ("12 8", "the")),
        (&["--subwords", "3-6", "--model", "cbow"], ("12 8", "the")),
        (
            &["--subwords", "2-3", "--loss", "hs"],
            ("11 8", "<inner-node-0>"),
        ),
    ] {
        // The default is not shown.
        let shown = if options == ["--loss", "ns"] {
            "settings: --dim 8 --sample".to_owned()
        } else {
            options.join(" ")
        };
        let shown = shown.split(" --").last().unwrap();
        let args = [&["text.txt", "-o", "v.txt"], options].concat();
        dir.train_on(engine, &[&args[..], &["--save-output", "o.txt"]].concat())
            .assert()
            .success()
            .stderr(contains(shown));
        let output = String::from_utf8(dir.bytes("o.txt")).unwrap();
        let mut lines = output.lines();
        assert_eq!(
            (
                lines.next().unwrap(),
                lines.next().unwrap().split(' ').next().unwrap()
            ),
            first_row
        );
        let config = &settings(&dir, "v.txt")["config"];
        for option in options.chunks(2) {
            let value = &config[option[0].trim_start_matches('-').replace('-', "_")];
            assert_eq!(value.to_string().trim_matches('"'), option[1], "{option:?}");
        }
    }
}

#[test]
fn every_objective_trains_on_the_cpu() {
    every_objective_trains("cpu");
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn every_objective_trains_on_the_gpu() {
    every_objective_trains("gpu");
}

#[test]
fn options_override_the_preset() {
    let dir = Dir::with_text();
    let config = |more: &[&str]| {
        // Without the options of `Dir::train`.
        dir.w2v(&["train", "text.txt", "-o", "v.txt", "--engine", "cpu"])
            .args(more)
            .assert()
            .success();
        settings(&dir, "v.txt")["config"].clone()
    };
    let gensim = config(&["--preset", "gensim"]);
    assert_eq!(
        (&gensim["lr"], &gensim["min_lr"], &gensim["sample"]),
        (&0.025.into(), &0.0001.into(), &0.001.into())
    );
    assert_eq!(
        (&gensim["negatives_per"], &gensim["dim"]),
        (&"pair".into(), &100.into())
    );
    let fasttext = config(&[
        "--lr",
        "0.1",
        "--preset",
        "fasttext",
        "--negatives-per",
        "window",
    ]);
    assert_eq!(
        (&fasttext["lr"], &fasttext["ns_exponent"]),
        (&0.1.into(), &0.5.into())
    );
    assert_eq!(fasttext["negatives_per"], "window");
    // A preset and the defaults know the model, from wherever it comes.
    dir.file("cbow.toml", "model = \"cbow\"");
    for (options, lr) in [
        (&["--model", "cbow"][..], 0.15),
        (&["--config", "cbow.toml"], 0.15),
        (&["--config", "cbow.toml", "--model", "skip-gram"], 0.05),
        (&["--config", "cbow.toml", "--lr", "0.03"], 0.03),
        (&["--model", "cbow", "--preset", "word2vec"], 0.05),
        (&["--model", "cbow", "--preset", "gensim"], 0.025),
        (&["--model", "cbow", "--preset", "fasttext"], 0.05),
    ] {
        assert_eq!(config(options)["lr"], lr, "{options:?}");
    }
    let ours = config(&[]);
    // Filled in, and not left to be guessed.
    assert_eq!(
        (&ours["lr"], &ours["batch"], &ours["min_lr"]),
        (&0.05.into(), &16.into(), &5e-6.into())
    );
}

#[test]
fn options_of_another_objective_are_refused() {
    let dir = Dir::with_text();
    for (more, why) in [
        (
            &["--loss", "hs", "--negative", "5"][..],
            "--negative belongs to --loss ns",
        ),
        (
            &["--loss", "softmax", "--negatives-per", "pair"],
            "--negatives-per belongs to --loss ns",
        ),
        (
            &["--loss", "hs", "--no-skip-equal"],
            "--no-skip-equal belongs",
        ),
        (&["--loss", "hs", "--embedding", "average"], "tree's nodes"),
        (&["--arity", "3"], "--arity belongs to --loss hs"),
        (
            &["--loss", "hs", "--arity", "1"],
            "--arity 1: a node of the tree has 2 to 64",
        ),
        (&["--loss", "hs", "--arity", "65"], "--arity 65: a node"),
        (
            &["--cbow-gradient", "share"],
            "--cbow-gradient belongs to --model cbow",
        ),
        (
            &["--model", "cbow", "--loss", "softmax"],
            "--model cbow: cannot be trained with --loss softmax",
        ),
        (
            &["--model", "cbow", "--window", "14"],
            "--window 14: with --model cbow a window reaches at most 13 words",
        ),
        (&["--loss", "ns", "--negative", "0"], "positive pairs alone"),
        (&["--validation", "0.000000001"], "--validation"),
        (&["--validation", "1.5"], "--validation"),
        (&["--patience", "3"], "--validation"),
        (&["--preset", "glove"], "--preset"),
        (&["--lr", "0"], "0.05 to 0.15 with --model cbow"),
    ] {
        dir.train(&[&["text.txt", "-o", "v.txt"], more].concat())
            .assert()
            .code(2)
            .stderr(contains(why));
        assert!(!dir.has("v.txt"));
    }
    // A default is no contradiction, from wherever it comes.
    dir.train(&["text.txt", "-o", "v.txt", "--loss", "hs"])
        .env("W2V_GPU_NEGATIVE", "7")
        .assert()
        .success();
    dir.train(&[
        "text.txt", "-o", "v.txt", "--loss", "hs", "--preset", "fasttext",
    ])
    .assert()
    .success();
}

#[test]
fn validation_loss_is_shown() {
    let dir = Dir::with_text();
    dir.train(&[
        "text.txt",
        "-o",
        "v.txt",
        "--validation",
        "0.2",
        "--patience",
        "1",
        "--epochs",
        "3",
    ])
    .assert()
    .success()
    .stderr(contains("of those held out").and(contains("words in sentences held out")));
}

#[test]
fn vocabulary_of_one_word_is_refused() {
    let dir = Dir::with_text();
    for loss in ["ns", "hs", "softmax"] {
        dir.train(&[
            "text.txt",
            "-o",
            "v.txt",
            "--loss",
            loss,
            "--max-vocab",
            "1",
        ])
        .assert()
        .code(1)
        .stderr(contains("only one word is in the vocabulary"));
    }
}

#[test]
fn diverged_run_leaves_the_output_file() {
    let dir = Dir::with_text();
    dir.file("v.txt", "what was there");
    for loss in ["ns", "hs", "softmax"] {
        dir.train(&[
            "text.txt", "-o", "v.txt", "--loss", loss, "--lr", "1000", "--clip", "1000",
            "--epochs", "9",
        ])
        .assert()
        .code(1)
        .stderr(contains("diverged").and(contains("lower --lr or --clip")));
        assert_eq!(dir.bytes("v.txt"), b"what was there");
    }
}

#[test]
fn config_file_gives_defaults() {
    let dir = Dir::with_text();
    let written = |text: &str| dir.file("run.toml", text);
    let run = |more: &[&str]| dir.w2v(&[&["train", "--config", "run.toml"], more].concat());
    written(
        "corpus = [\"text.txt\"]\noutput = \"v.txt\"\nengine = \"cpu\"\nsize = 6\nlr = \
         0.1\nfixed-window = true\npreset = \"fasttext\"\nquiet = true\n",
    );
    // What is required may stand in the file, too. A quiet run warns, here of the subsampling that
    // the preset brings.
    let one_warning = contains("warning: --sample 0.0001 keeps").and(contains("\n").count(1));
    run(&[]).assert().success().stderr(one_warning);
    let config = settings(&dir, "v.txt")["config"].clone();
    assert_eq!(
        (&config["dim"], &config["lr"], &config["ns_exponent"]),
        (&6.into(), &0.1.into(), &0.5.into())
    );
    assert_eq!(config["fixed_window"], true);
    // The environment wins over the file, and what is typed over both.
    run(&["--lr", "0.2"])
        .env("W2V_GPU_SEED", "9")
        .assert()
        .success();
    let config = settings(&dir, "v.txt")["config"].clone();
    assert_eq!(
        (&config["lr"], &config["seed"], &config["dim"]),
        (&0.2.into(), &9.into(), &6.into())
    );
    for (text, why) in [
        ("dimm = 3", "\"dimm\" is no option"),
        ("dim = \"many\"", "invalid value"),
        ("dim = { a = 1 }", "dim must be a number"),
        ("dim 3", "is no TOML file"),
        ("config = \"other.toml\"", "is no option"),
    ] {
        written(text);
        run(&["text.txt", "-o", "v.txt"])
            .assert()
            .code(2)
            .stderr(contains(why));
    }
    // Both spellings of a name are one, and the file gives it once.
    written("min_count = 1\nmin-count = 2\n");
    run(&["text.txt", "-o", "v.txt"])
        .assert()
        .code(2)
        .stderr(contains("under another name"));
    written("\u{feff}min_count = 100000\n");
    run(&["text.txt", "-o", "v.txt"])
        .assert()
        .code(1)
        .stderr(contains("no word occurs 100,000 times"));
    fs::remove_file(dir.path("run.toml")).unwrap();
    run(&["text.txt", "-o", "v.txt"])
        .assert()
        .code(1)
        .stderr(contains("cannot read run.toml"));
}

/// The settings that a run has written give the same vectors once more, and what is typed beside
/// them wins.
#[test]
fn written_settings_repeat_the_run() {
    let dir = Dir::with_text();
    dir.train(&[
        "text.txt",
        "-o",
        "v.txt",
        "--embedding",
        "average",
        "--lr",
        "0.1",
        "--negative",
        "3",
    ])
    .assert()
    .success();
    let again = |out: &str, more: &[&str]| {
        dir.w2v(&["train", "text.txt", "-o", out, "--engine", "cpu"])
            .args(["--config", "v.txt.json"])
            .args(more)
            .assert()
            .success();
    };
    again("w.txt", &[]);
    assert_eq!(dir.bytes("v.txt"), dir.bytes("w.txt"));
    assert_eq!(
        settings(&dir, "v.txt")["config"],
        settings(&dir, "w.txt")["config"]
    );
    again("w.txt", &["--dim", "5"]);
    assert_eq!(settings(&dir, "w.txt")["config"]["dim"], 5);
    dir.file("bad.json", "{\"dim\": 5, \"dimm\": 6}");
    dir.train(&["text.txt", "-o", "x.txt", "--config"])
        .arg("bad.json")
        .assert()
        .code(2)
        .stderr(contains("dimm"));
}

/// One mistake, in every command that can be made to make it: wrong usage is 2, a file that is not
/// there 1.
#[test]
fn exit_codes_are_the_same_in_every_command() {
    let dir = Dir::with_text();
    dir.train(&["text.txt", "-o", "v.bin"]).assert().success();
    let fails = |code: i32, what: &str, args: &str| {
        dir.w2v(&args.split(' ').collect::<Vec<_>>())
            .timeout(std::time::Duration::from_secs(100))
            .assert()
            .code(code)
            .stdout("")
            .stderr(contains(what).and(contains("panicked").not()));
    };
    let name = "the file name";
    for args in [
        "train text.txt -o a.xyz",
        "train text.txt -o a.bin --save-output a.xyz",
        "train text.txt -o a.bin --init a.xyz --engine cpu",
        "convert v.bin a.xyz",
        "convert a.xyz v.txt",
        "neighbors a.xyz cat",
        "analogy a.xyz a b c",
    ] {
        fails(2, name, args);
    }
    for args in [
        "train missing -o a.bin",
        "vocab missing -o a",
        "phrases missing -o a",
        "bench missing --engine cpu",
    ] {
        fails(1, "missing", args);
    }
    for args in [
        "train text.txt -o a.bin --config missing",
        "train text.txt -o a.bin --vocab missing --engine cpu",
        "train text.txt -o a.bin --eval-pairs missing",
        "train --files-from missing -o a.bin",
        "vocab text.txt -o a --stop-words missing",
        "neighbors missing.bin cat",
        "convert missing.bin a.txt",
        "eval v.bin --pairs missing",
        "report missing -o a.html",
    ] {
        fails(1, "missing", args);
    }
    for command in [
        "train text.txt -o",
        "vocab text.txt -o",
        "phrases text.txt -o",
        "convert v.bin",
    ] {
        fails(2, "no folder no", &format!("{command} no/a.bin"));
    }
    for command in [
        "train text.txt -o a.bin",
        "vocab text.txt -o a",
        "phrases text.txt -o a",
        "eval v.bin --pairs a",
    ] {
        fails(2, "--threads", &format!("{command} --threads 0"));
        fails(2, "--no-such", &format!("{command} --no-such"));
        fails(2, "below 0", &format!("{command} --threads -1"));
    }
    fails(2, "the option is --top", "neighbors v.bin cat --topn 5");
    fails(2, "w2v-gpu neighbors", "nn v.bin");
    fails(
        2,
        "behind a command such as train",
        "-train text.txt -output a.bin",
    );
}

#[test]
fn unknown_environment_variables_are_warned_about() {
    let dir = Dir::with_text();
    let mut command = dir.train(&["text.txt", "-o", "v.txt", "-q"]);
    command.env("W2V_GPU_ITER", "2").env("W2V_GPU_WINDOWS", "3").assert().success().stderr(
        "warning: the environment variable W2V_GPU_WINDOWS belongs to no option of train and is \
         ignored; is it W2V_GPU_WINDOW that is meant?\n",
    );
    let mut command = dir.w2v(&["train", "text.txt", "-o", "w.txt", "--engine", "cpu", "-q"]);
    let ignored = contains("W2V_GPU_SIZE is ignored, as W2V_GPU_DIM is set too");
    command
        .env("W2V_GPU_SIZE", "5")
        .assert()
        .success()
        .stderr("");
    assert_eq!(settings(&dir, "w.txt")["config"]["dim"], 5);
    command
        .env("W2V_GPU_DIM", "6")
        .assert()
        .success()
        .stderr(ignored);
    assert_eq!(settings(&dir, "w.txt")["config"]["dim"], 6);
}

/// With a driver or without one, and where no desktop is, as on servers.
fn quiet_run_prints_nothing(engine: &str) {
    let dir = Dir::with_text();
    for runtime_folder in [None, Some(""), Some("relative")] {
        let mut command = dir.train_on(engine, &["text.txt", "-o", "v.txt", "-q"]);
        for desktop in ["XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY"] {
            command.env_remove(desktop);
        }
        command.envs(runtime_folder.map(|folder| ("XDG_RUNTIME_DIR", folder)));
        command.assert().success().stdout("").stderr("");
    }
}

#[test]
fn quiet_run_prints_nothing_on_the_cpu() {
    ["auto", "cpu"]
        .into_iter()
        .for_each(quiet_run_prints_nothing);
}

#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn quiet_run_prints_nothing_on_the_gpu() {
    quiet_run_prints_nothing("gpu");
}

/// The words that bash is to propose for a line whose last word is not whole yet.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_commands_options_and_values() {
    let dir = Dir::with_text();
    let script = w2v(&["completions", "bash"]).output().unwrap();
    dir.file("completions.bash", script.stdout);
    let proposed = |line: &[&str]| {
        let ask = r#"source completions.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); compopt() { :; }
            function=$(complete -p w2v-gpu | sed 's/.*-F \([^ ]*\).*/\1/')
            "$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"; echo "${COMPREPLY[@]}""#;
        let output = std::process::Command::new("bash")
            .current_dir(dir.root())
            .args(["-c", ask, "bash", "w2v-gpu"])
            .args(line)
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    };
    for (line, expected) in [
        (&["ev"][..], "eval"),
        (&["train", "--di"], "--dim"),
        (&["train", "text.txt", "--min-c"], "--min-count"),
        (
            &["train", "text.txt", "-o", "v.bin", "--loss", "s"],
            "softmax",
        ),
        (&["bench", "text.txt", "--engine", ""], "all gpu cpu"),
        (&["train", "text.txt", "--vocab", "te"], "text.txt"),
        (&["neighbors", "v.bin", "cat", "--to"], "--top"),
    ] {
        assert_eq!(proposed(line), expected, "{line:?}");
    }
}
