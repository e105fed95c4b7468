//! The commands that answer questions about words, `completions`, `man` and the help, through the real
//! binary.

mod common;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use common::Dir;
use common::fasttext::FastText;

/// A folder with vectors, `v.txt`.
fn dir() -> Dir {
    let vectors = "6 3\nathens 1 1 0\ngreece 0 1 0\noslo 1 0 1\nnorway 0 0 1\nd'or -1 0.5 \
                   0\n\u{202e}evil\\ -1 0 0\n";
    Dir::with_files(&[("v.txt", vectors.as_bytes())])
}

#[test]
fn neighbors_of_several_words() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "athens", "d'or", "-n", "2"]).assert().success().stderr("").stdout(
        "athens\n  greece  0.7071\n  oslo    0.5000\nd'or\n  \\u{202e}evil\\\\  0.8944\n  greece          0.4472\n",
    );
    dir.w2v(&["neighbors", "v.txt", "oslo", "--top", "1", "--json"])
        .assert()
        .success()
        .stdout(
            "{\"word\":\"oslo\",\"neighbors\":[{\"word\":\"norway\",\"cosine\":0.70710677}]}\n",
        );
}

/// The JSON objects that a command prints, one for each answer.
fn objects(dir: &Dir, args: &[&str]) -> Vec<Value> {
    let command = [&args[..1], &["--json"], &args[1..]].concat();
    let output = dir.w2v(&command).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let lines = output.stdout.split(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn an_expression_is_one_question() {
    let dir = dir();
    // The analogy of another test, in the words of a shell and as one argument.
    for words in [
        &["athens", "-", "greece", "+", "norway"][..],
        &["athens - greece + norway"],
    ] {
        dir.w2v(&[&["neighbors", "v.txt", "-n1"], words].concat())
            .assert()
            .success()
            .stderr("")
            .stdout("athens - greece + norway\n  oslo  0.9586\n");
    }
    // A word without a sign before it is another question. (1, 1, 0) and (1, 0, 1) have the mean
    // (2, 1, 1), which is 6^.5 long.
    dir.w2v(&["neighbors", "v.txt", "athens + oslo", "greece", "-n1"])
        .assert()
        .success()
        .stdout("athens + oslo\n  greece  0.4082\ngreece\n  athens  0.7071\n");
    dir.w2v(&["neighbors", "v.txt", "-n1"])
        .write_stdin("athens + oslo greece\n- norway + oslo\n")
        .assert()
        .success()
        .stdout(
            contains("athens + oslo\n  greece")
                .and(contains("greece\n  athens"))
                .and(contains("- norway + oslo\n  athens")),
        );
    let answers = objects(
        &dir,
        &[
            "neighbors",
            "v.txt",
            "-n1",
            "--",
            "- greece + athens",
            "oslo",
        ],
    );
    assert_eq!(answers[0]["positive"], Value::from(vec!["athens"]));
    assert_eq!(answers[0]["negative"], Value::from(vec!["greece"]));
    assert_eq!(answers[0]["neighbors"][0]["word"], "oslo");
    assert_eq!(answers[1]["word"], "oslo");
    dir.w2v(&["neighbors", "v.txt", "athens -"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("WORD athens -: - stands between two words"));
    dir.w2v(&["neighbors", "v.txt", "athens - athens"])
        .assert()
        .code(1)
        .stderr(contains("the vector of \"athens - athens\" is zero"));
}

#[test]
fn words_with_signs_and_blanks_can_be_asked() {
    let dir = Dir::with_files(&[
        ("v.tsv", b"1\t0\n0\t1\n1\t1\n3\t4\n-1\t0\n"),
        ("v.metadata.tsv", b"-\nnew york\nyork\nc++\n+\n"),
    ]);
    let titles = |words: &[&str], lines: &str| {
        let command = [&["neighbors", "v.tsv", "-n1"], words].concat();
        let output = dir.w2v(&command).write_stdin(lines).output().unwrap();
        assert!(output.status.success(), "{words:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let titles = text.lines().filter(|line| !line.starts_with(' '));
        titles.collect::<Vec<_>>().join("|")
    };
    for (words, expected) in [
        (&["-", "new york", "c++"][..], "-|new york|c++"),
        (
            &["new york", "-", "york", "+", "c++"],
            "\"new york\" - york + c++",
        ),
        (&["c++", "-"], "c++|-"),
        (
            &["\"-\" + \"new york\"", "york"],
            "\"-\" + \"new york\"|york",
        ),
    ] {
        assert_eq!(titles(words, ""), expected);
        let line = words.join(" ");
        let on_a_line = line.contains('"') || !line.contains("new york");
        assert!(!on_a_line || titles(&[], &line) == expected, "{line}");
    }
    assert_eq!(titles(&[], "new york\n-\n+\n york \n"), "new york|-|+|york");
}

#[test]
fn many_questions_are_answered_as_single_ones_in_their_order() {
    let dir = Dir::new();
    let value =
        |row: usize, column: usize| ((row * 7919 + column * 104_729) % 1000) as f64 / 500.0 - 1.0;
    let rows = (0..700).map(|row| {
        let values: Vec<String> = (0..6)
            .map(|column| value(row, column).to_string())
            .collect();
        format!("w{row} {}\n", values.join(" "))
    });
    dir.file("v.txt", format!("700 6\n{}", rows.collect::<String>()));
    let lines: String = (0..300)
        .map(|word| match word % 3 {
            0 => format!("w{word}\n"),
            1 => format!("w{word} - w{} w5\n", word + 1),
            _ => format!("nothing{word}\n"),
        })
        .collect();
    let together = dir
        .w2v(&["neighbors", "v.txt", "--restrict-vocab", "650"])
        .write_stdin(&*lines)
        .output()
        .unwrap();
    assert_eq!(together.status.code(), Some(1));
    let text = String::from_utf8(together.stdout).unwrap();
    let titles: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(titles[..4], ["w0", "w1 - w2", "w5", "w3"]);
    assert_eq!((titles.len(), text.lines().count()), (300, 300 * 11));
    for line in ["w0", "w1 - w2", "w298 - w299"] {
        let single = dir
            .w2v(&["neighbors", "v.txt", line, "--restrict-vocab", "650"])
            .output()
            .unwrap();
        let single = String::from_utf8(single.stdout).unwrap();
        assert!(text.contains(&single), "{single}");
    }
}

/// What a terminal shows in which the program runs, while lines are typed: each once the program
/// waits for it. `script` is the terminal.
#[cfg(target_os = "linux")]
fn shown_while_typing(dir: &Dir, arguments: &str, lines: &[&str]) -> String {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    let command = format!("{} {arguments}", common::PROGRAM);
    let mut terminal = Command::new("timeout")
        .args([
            "60",
            "script",
            "--quiet",
            "--return",
            "--command",
            &command,
            "/dev/null",
        ])
        .current_dir(dir.root())
        .env("TERM", "xterm")
        .env("XDG_STATE_HOME", dir.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = terminal.stdin.take().unwrap();
    let mut screen = terminal.stdout.take().unwrap();
    let (mut shown, mut typed) = (Vec::new(), 0);
    let mut bytes = [0; 4096];
    loop {
        let read = screen.read(&mut bytes).unwrap();
        if read == 0 {
            break;
        }
        shown.extend_from_slice(&bytes[..read]);
        // The prompt turns bracketed paste on when it begins to read.
        let prompts = shown
            .windows(8)
            .filter(|part| part == b"\x1b[?2004h")
            .count();
        while typed < prompts.min(lines.len()) {
            keyboard.write_all(lines[typed].as_bytes()).unwrap();
            typed += 1;
        }
    }
    let text = String::from_utf8(shown).unwrap().replace('\r', "");
    assert!(terminal.wait().unwrap().success(), "{text}");
    text
}

#[cfg(target_os = "linux")]
#[test]
fn a_prompt_completes_explains_and_remembers() {
    let dir = dir();
    let lines = [
        "ath\t\r",
        ":help\r",
        "nowhere\r",
        "oslo - norw\t\r",
        "\u{1b}[A\r",
        ":quit\r",
    ];
    let text = shown_while_typing(&dir, "neighbors v.txt -n1 --color never", &lines);
    assert!(text.contains("athens\n  greece  0.7071"), "{text}");
    assert!(
        text.contains("Each expression is answered") && text.contains("Ctrl-D"),
        "{text}"
    );
    assert!(text.contains("error: the word \"nowhere\""), "{text}");
    // The line before is asked once more.
    assert_eq!(text.matches("oslo - norway\n  athens").count(), 2, "{text}");
    // Another session, of another command, remembers the lines of this one.
    assert!(dir.read("w2v-gpu/history").contains("oslo - norway"));
    let lines = ["\u{12}nor\r", ":q\r"];
    let text = shown_while_typing(&dir, "vector v.txt --color never", &lines);
    assert!(text.contains("\n\"oslo - norway\" 0.35"), "{text}");
}

#[test]
fn answers_come_from_the_first_words_alone_if_asked() {
    let dir = dir();
    let first = |words: &str| {
        let args = [
            "neighbors",
            "v.txt",
            "oslo",
            "--restrict-vocab",
            words,
            "-n1",
        ];
        String::from_utf8(dir.w2v(&args).output().unwrap().stdout).unwrap()
    };
    assert_eq!(first("0"), "oslo\n  norway  0.7071\n");
    assert_eq!(first("4"), first("0"));
    assert_eq!(first("3"), "oslo\n  athens  0.5000\n");
    dir.w2v(&[
        "analogy",
        "v.txt",
        "greece",
        "athens",
        "norway",
        "--restrict-vocab",
        "2",
    ])
    .assert()
    .success()
    .stdout("athens - greece + norway\n");
}

#[test]
fn counts_are_shown_where_the_file_has_them_and_composed_words_are_told() {
    let dir = Dir::with_files(&[("m.bin", &FastText::with_subwords([2, 3], 50).bytes())]);
    dir.w2v(&["neighbors", "m.bin", "the", "-n4"])
        .assert()
        .success()
        .stdout(contains(" 7 times\n").and(contains(" 1 time\n")));
    let answers = objects(&dir, &["neighbors", "m.bin", "the - cats + doge", "cats"]);
    assert_eq!(answers[0]["composed"], Value::from(vec!["cats", "doge"]));
    assert_eq!(answers[1]["composed"], true);
    assert!(
        answers[1]["neighbors"]
            .as_array()
            .unwrap()
            .iter()
            .any(|word| word["count"] == 9)
    );
    dir.w2v(&["similarity", "m.bin", "the", "cats"])
        .assert()
        .success()
        .stdout(contains("the, cats (composed of n-grams: cats)  "));
    dir.w2v(&["odd", "m.bin", "the", "cats", "cat"])
        .assert()
        .success()
        .stdout(contains("the, cats, cat (composed of n-grams: cats)\n"));
    dir.w2v(&["vector", "m.bin", "the", "cats"])
        .assert()
        .success()
        .stdout(contains("\ncats "))
        .stderr("composed of n-grams: cats\n");
}

#[test]
fn similarity_is_the_cosine_of_two_words() {
    let dir = dir();
    dir.w2v(&["similarity", "v.txt", "athens", "oslo", "greece", "d'or"])
        .assert()
        .success()
        .stderr("")
        .stdout("athens, oslo  0.5000\ngreece, d'or  0.4472\n");
    let answers = objects(&dir, &["similarity", "v.txt", "athens - greece", "oslo"]);
    // (1, 1, 0) / 2^.5 - (0, 1, 0) is (.7071, -.2929, 0), .7654 long.
    let cosine = answers[0]["cosine"].as_f64().unwrap();
    assert!((cosine - 0.5 / 0.7654).abs() < 1e-3, "{cosine}");
    assert_eq!(answers[0]["a"], "athens - greece");
    dir.w2v(&["similarity", "v.txt"])
        .write_stdin("athens oslo\nathens\nathens nowhere\n")
        .assert()
        .code(1)
        .stdout("athens, oslo  0.5000\n")
        .stderr(
            contains("\"athens\": give two words for each question, not 1")
                .and(contains("\"nowhere\"")),
        );
}

#[test]
fn the_odd_word_comes_first() {
    let dir = dir();
    // Unit vectors (.7071, .7071, 0), (0, 1, 0) and (0, 0, 1) have the sum (.7071, 1.7071, 1), which
    // is 2.1010 long.
    let rows = [
        "norway  0.4760  the odd one",
        "athens  0.8125",
        "greece  0.8125",
    ];
    let expected = format!("athens, norway, greece\n  {}\n", rows.join("\n  "));
    dir.w2v(&["odd", "v.txt", "athens", "norway", "greece"])
        .assert()
        .success()
        .stdout(expected.clone());
    dir.w2v(&["odd", "v.txt"])
        .write_stdin("athens norway greece\nathens oslo\n")
        .assert()
        .code(1)
        .stdout(expected)
        .stderr(contains("give 3 words or more, not 2"));
    let answers = objects(&dir, &["odd", "v.txt", "athens", "norway", "greece"]);
    assert_eq!(answers[0]["odd"], "norway");
    assert_eq!(answers[0]["words"][2]["word"], "greece");
}

#[test]
fn the_vector_of_a_word_is_that_of_the_file() {
    let dir = dir();
    dir.w2v(&["vector", "v.txt", "d'or", "athens"])
        .assert()
        .success()
        .stdout("d'or -1 0.5 0\nathens 1 1 0\n");
    let answers = objects(&dir, &["vector", "v.txt", "greece + norway", "oslo"]);
    assert_eq!(answers[0]["vector"], Value::from(vec![0.0, 0.5, 0.5]));
    assert_eq!(answers[1]["word"], "oslo");
    dir.w2v(&["vector", "v.txt", "nowhere"])
        .assert()
        .code(1)
        .stderr(contains("\"nowhere\""));
}

#[test]
fn the_answer_to_an_analogy_is_not_among_its_words() {
    let dir = dir();
    // (1, 1, 0) / 2^.5 - (0, 1, 0) + (0, 0, 1) = (.7071, -.2929, 1) is 1.2593 long; times (1, 0, 1)
    // / 2^.5 it is 1.2071.
    dir.w2v(&[
        "analogy", "v.txt", "greece", "athens", "norway", "norway", "oslo", "greece", "-n1",
    ])
    .assert()
    .success()
    .stderr("")
    .stdout("athens - greece + norway\n  oslo  0.9586\noslo - norway + greece\n  athens  0.9586\n");
    let output = dir
        .w2v(&["analogy", "v.txt", "greece", "athens", "norway", "--json"])
        .output()
        .unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&answer["a"], &answer["b"], &answer["c"]),
        (&"greece".into(), &"athens".into(), &"norway".into())
    );
    assert_eq!(answer["answers"].as_array().unwrap().len(), 3);
    assert_eq!(answer["answers"][0]["word"], "oslo");
}

#[test]
fn unknown_words_are_answered_with_similar_spellings() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "xyzzy", "athens", "Atehns"])
        .assert()
        .code(1)
        .stdout(contains("athens\n"))
        .stderr(contains("\"xyzzy\"").and(contains(
            "\"Atehns\" is not among the 6 words of the vectors; spelt alike: athens\n",
        )));
    dir.w2v(&["analogy", "v.txt", "athens", "grece", "oslo"])
        .assert()
        .code(1)
        .stderr(contains("spelt alike: greece"));
    dir.w2v(&["neighbors", "v.txt", "xevil"])
        .assert()
        .code(1)
        .stderr(contains("\u{202e}").not());
}

#[test]
fn zero_vector_has_no_neighbors() {
    let dir = dir();
    dir.file("zero.txt", "3 2\na 1 0\nnowhere 0 -0\nb 1 1\n");
    dir.w2v(&["neighbors", "zero.txt", "nowhere", "a", "-n1"])
        .assert()
        .code(1)
        .stdout("a\n  b  0.7071\n")
        .stderr(contains(
            "the vector of \"nowhere\" is zero: it has no direction",
        ));
    dir.w2v(&["analogy", "zero.txt", "a", "b", "nowhere"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("is zero"));
}

#[test]
fn vectors_are_read_from_standard_input() {
    let dir = dir();
    let vectors = dir.bytes("v.txt");
    let ask = |args: &[&str]| dir.w2v(args).write_stdin(&*vectors).assert();
    ask(&["neighbors", "-", "oslo", "-n1", "--from", "txt"])
        .success()
        .stdout("oslo\n  norway  0.7071\n")
        .stderr("");
    ask(&[
        "analogy", "-", "greece", "athens", "norway", "-n1", "--from", "txt",
    ])
    .success()
    .stdout(contains("oslo"));
    ask(&["neighbors", "-", "oslo"]).failure().stderr(contains(
        "standard input has no name that tells the format; give --from",
    ));
    for command in ["neighbors", "analogy", "similarity", "odd", "vector"] {
        ask(&[command, "-", "--from", "txt"])
            .code(2)
            .stderr(contains("both the vectors and the questions"));
    }
    dir.file("pairs", "athens greece 3\nathens oslo 2\nathens norway 1\n");
    ask(&["eval", "-", "--from", "txt", "--pairs", "pairs"])
        .success()
        .stdout(contains("3/3"))
        .stderr("");
}

#[test]
fn questions_are_read_line_by_line_from_standard_input() {
    let dir = dir();
    dir.w2v(&["neighbors", "v.txt", "-n1"])
        .write_stdin("athens\r\n\n  oslo greece \nnorwy\nnor\u{1b}way\noslo")
        .assert()
        .code(1)
        .stdout("athens\n  greece  0.7071\noslo\n  norway  0.7071\ngreece\n  athens  0.7071\noslo\n  norway  0.7071\n")
        .stderr(contains("spelt alike: norway").and(contains("\"nor\\u{1b}way\"")).and(contains("2 \
                                                                                                 of \
                                                                                                 the \
                                                                                                 questions")));
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin(&b"\xff\xfe\n"[..])
        .assert()
        .code(1)
        .stderr(contains("not among"));
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin("")
        .assert()
        .success()
        .stdout("")
        .stderr("");
    let output = dir
        .w2v(&["analogy", "v.txt", "--json"])
        .write_stdin("greece athens norway\nathens oslo\nnorway oslo greece\n")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&output.stderr)
            .contains("give three words for each question, not 2")
    );
    let answers: Vec<Value> = output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    assert_eq!(
        answers
            .iter()
            .map(|answer| &answer["answers"][0]["word"])
            .collect::<Vec<_>>(),
        ["oslo", "athens"]
    );
}

/// As a program asks that waits for each answer before it goes on.
#[test]
fn no_line_of_standard_input_waits_for_a_later_one() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    let dir = dir();
    let mut program = Command::new(common::PROGRAM)
        .args(["neighbors", "v.txt", "-n1", "--json"])
        .current_dir(dir.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut questions = program.stdin.take().unwrap();
    let mut answers = BufReader::new(program.stdout.take().unwrap()).lines();
    for (question, answer) in [("athens", "greece"), ("oslo", "norway")] {
        writeln!(questions, "{question}").unwrap();
        let told: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(told["neighbors"][0]["word"], answer);
    }
    drop(questions);
    assert!(answers.next().is_none());
    assert!(program.wait().unwrap().success());
}

/// As PowerShell hands on what it read.
#[test]
fn questions_in_utf16_are_answered() {
    let dir = dir();
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| {
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    for mark in ["", "\u{feff}"] {
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            dir.w2v(&["neighbors", "v.txt", "-n1"])
                .write_stdin(utf16(&format!("{mark}athens\r\noslo\r\n"), bytes))
                .assert()
                .success()
                .stdout("athens\n  greece  0.7071\noslo\n  norway  0.7071\n")
                .stderr("");
        }
    }
    let utf32: Vec<u8> = "athens\n"
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    dir.w2v(&["neighbors", "v.txt"])
        .write_stdin(utf32)
        .assert()
        .code(1)
        .stderr(contains("iconv -f UTF-32"));
}

#[test]
fn wrong_usage_exits_with_2_and_wrong_files_with_1() {
    let dir = dir();
    dir.w2v(&["analogy", "v.txt", "athens", "oslo"])
        .assert()
        .code(2)
        .stderr(contains("three words"));
    dir.w2v(&["analogy", "v.txt", "athens - oslo", "greece", "norway"])
        .assert()
        .code(2)
        .stderr(contains("athens - oslo is no word"));
    dir.w2v(&["neighbors", "v.txt", "athens", "-n", "0"])
        .assert()
        .code(2)
        .stderr(contains("--top"));
    dir.w2v(&["neighbors"])
        .assert()
        .code(2)
        .stderr(contains("VECTORS"));
    for command in ["neighbors", "analogy", "similarity", "odd", "vector"] {
        dir.w2v(&[command, "none.bin", "a", "b", "c"])
            .assert()
            .code(1)
            .stderr(contains("cannot open none.bin"));
    }
    dir.file("nan.txt", "1 1\na NaN\n");
    dir.w2v(&["analogy", "nan.txt", "a", "a", "a"])
        .assert()
        .code(1)
        .stderr(contains("nan.txt: line 2"));
}

#[test]
fn completions_are_written_for_every_shell() {
    let dir = dir();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = dir
            .w2v(&["completions", shell])
            .assert()
            .success()
            .stderr("");
        script.stdout(
            contains("w2v-gpu")
                .and(contains("restrict-vocab"))
                .and(contains("hyperwords")),
        );
    }
    dir.w2v(&["completions", "csh"])
        .assert()
        .code(2)
        .stderr(contains("zsh"));
}

#[test]
fn manual_has_a_page_for_each_command() {
    let dir = dir();
    dir.w2v(&["man"])
        .assert()
        .success()
        .stdout(contains(".TH w2v-gpu 1").and(contains("w2v\\-gpu\\-eval(1)")));
    for command in [
        "train",
        "devices",
        "eval",
        "neighbors",
        "analogy",
        "odd",
        "completions",
    ] {
        let page = dir.w2v(&["man", command]).assert().success().stderr("");
        page.stdout(contains(format!(".TH w2v-gpu-{command} 1")).and(contains(".SH SYNOPSIS")));
        dir.w2v(&[command, "--help"]).assert().success();
    }
    dir.w2v(&["man", "nothing"])
        .assert()
        .code(2)
        .stderr(contains("is none of train, devices"));
    dir.w2v(&["--help"])
        .assert()
        .success()
        .stdout(contains("  man ").not());
}

#[test]
fn all_pages_of_the_manual_are_written_in_one_call() {
    let dir = Dir::new();
    dir.file("man/w2v-gpu.1", "an earlier version");
    dir.w2v(&["man", "--output", "man"])
        .assert()
        .success()
        .stdout("")
        .stderr("");
    let help = dir.w2v(&["--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().lines();
    let commands = commands.map_while(|line| line.strip_prefix("  ")?.split(' ').next());
    let pages: Vec<String> = commands
        .filter(|name| !["", "help"].contains(name))
        .map(str::to_owned)
        .collect();
    assert!(pages.len() > 10, "{pages:?}");
    for command in &pages {
        let page = dir.read(&format!("man/w2v-gpu-{command}.1"));
        assert!(page.contains(&format!(".TH w2v-gpu-{command} 1")), "{page}");
        for section in [".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".SH EXTRA"] {
            assert!(page.contains(section), "{command}: {section}");
        }
    }
    assert!(dir.read("man/w2v-gpu.1").contains("w2v\\-gpu\\-vector(1)"));
    assert_eq!(
        std::fs::read_dir(dir.path("man")).unwrap().count(),
        pages.len() + 1
    );
    dir.w2v(&["man", "--output", "none"])
        .assert()
        .code(1)
        .stderr(contains("none"));
}

#[test]
fn a_short_help_is_short_and_a_long_one_complete_in_a_hundred_columns() {
    let dir = Dir::new();
    let help = |args: &[&str]| {
        let output = dir.w2v(args).env("COLUMNS", "300").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (short, long) = (help(&["train", "-h"]), help(&["train", "--help"]));
    assert!(
        short
            .lines()
            .filter(|line| line.trim_start().starts_with('-'))
            .count()
            <= 12,
        "{short}"
    );
    assert!(
        short.contains("--dim") && !short.contains("--patience <"),
        "{short}"
    );
    for part in [
        "--patience",
        "0.15 with --model cbow",
        "Exit status:",
        "W2V_GPU_*",
        "NO_COLOR",
        "OUT.json",
    ] {
        assert!(long.contains(part), "{part}");
    }
    for text in [
        long,
        help(&["bench", "--help"]),
        help(&["neighbors", "--help"]),
    ] {
        assert!(
            text.lines().all(|line| line.chars().count() <= 100),
            "{text}"
        );
    }
}

#[test]
fn colours_are_there_if_asked_for_and_nowhere_else() {
    let dir = dir();
    let escapes = |args: &[&str], variable: Option<&str>| {
        let mut command = dir.w2v(args);
        command.envs(variable.map(|name| (name, "1")));
        let output = command.output().unwrap();
        [output.stdout, output.stderr].map(|text| text.contains(&0x1b))
    };
    let ask = ["neighbors", "v.txt", "athens", "nowhere"];
    // Neither is a terminal here.
    assert_eq!(escapes(&ask, None), [false, false]);
    let always = [&ask[..], &["--color", "always"]].concat();
    assert_eq!(escapes(&always, None), [true, true]);
    assert_eq!(escapes(&always, Some("NO_COLOR")), [true, true]);
    let never = [&["--color=never"], &ask[..]].concat();
    assert_eq!(escapes(&never, Some("CLICOLOR_FORCE")), [false, false]);
    assert_eq!(
        escapes(&["eval", "--help", "--color", "always"], None),
        [true, false]
    );
    assert_eq!(escapes(&["eval", "--color", "always"], None), [false, true]);
    assert_eq!(escapes(&["eval"], None), [false, false]);
    // What is for programs has no colours.
    let json = [&ask[..3], &["--json", "--color", "always"]].concat();
    assert_eq!(escapes(&json, None), [false, false]);
}
