//! What README.md and the files beside it say, held against the program.

mod common;

use std::fs;
use std::path::Path;

use common::Dir;

/// The text of a file of the repository.
fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The commands of README's session, each with what it prints.
fn session(readme: &str) -> Vec<(Vec<&str>, &str)> {
    let (_, session) = readme.split_once("```console\n$ w2v-gpu ").unwrap();
    let (session, _) = session.split_once("```").unwrap();
    let commands = session.split("$ w2v-gpu ");
    let commands = commands.map(|command| command.split_once('\n').unwrap());
    commands
        .map(|(line, printed)| (line.split(' ').collect(), printed))
        .collect()
}

#[test]
fn the_session_in_the_readme_is_what_the_program_prints() {
    let dir = Dir::new();
    for name in ["data/corpus.txt", "data/analogies.txt"] {
        dir.file(name, read(name));
    }
    let readme = read("README.md");
    let session = session(&readme);
    assert_eq!(session.len(), 4);
    for (command, printed) in session {
        let output = dir.w2v(&command).assert().success();
        let output = String::from_utf8(output.get_output().stdout.clone()).unwrap();
        assert_eq!(output, printed, "{command:?}");
    }
}

#[test]
fn the_versions_named_are_those_of_the_package() {
    let oldest_compiler = env!("CARGO_PKG_RUST_VERSION");
    for (name, named) in [
        (
            "CITATION.cff",
            format!("\nversion: {}\n", env!("CARGO_PKG_VERSION")),
        ),
        ("README.md", format!("rust-{oldest_compiler}%2B-")),
        (
            "README.md",
            format!("[Rust](https://rustup.rs) {oldest_compiler} or later"),
        ),
        (
            "CONTRIBUTING.md",
            format!("[Rust](https://rustup.rs) {oldest_compiler} or later"),
        ),
        ("Dockerfile", format!("FROM rust:{oldest_compiler}-")),
    ] {
        assert!(read(name).contains(&named), "{name} lacks {named:?}");
    }
}
