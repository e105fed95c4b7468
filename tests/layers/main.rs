//! Who may use whom within `src/`. Its entries are rooms, in the order of [`ROOMS`]: a room uses
//! those below it only. Within a room no files use each other in a circle. Unit tests are exempt.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use source::uses;

/// The rooms from the lowest, and why each stands above those before it.
const ROOMS: [(&str, &str); 22] = [
    ("quantity", "how numbers are shown; knows nothing else"),
    ("error", "what can go wrong; shows quantities"),
    (
        "setting",
        "how settings are read and checked; fails with errors",
    ),
    ("system", "files, locks and disks; fails with errors"),
    ("text", "bytes to words; reads files"),
    (
        "subwords",
        "the n-grams of a word; know nothing but its bytes",
    ),
    ("sampling", "the generator and what is drawn with it"),
    ("model", "the two matrices; their start is drawn"),
    ("vocab", "which words there are; words come from text"),
    (
        "event",
        "what a run tells on the way; names words and texts",
    ),
    ("corpus", "texts to word ids; needs a vocabulary"),
    ("batch", "word ids to minibatches; reads a corpus"),
    ("engine", "what a step computes; takes batches"),
    ("vectors", "files of vectors; a vocabulary and a matrix"),
    ("eval", "how good vectors are"),
    ("config", "the settings of all of the above"),
    ("train", "the loop over all batches; joins everything below"),
    ("record", "what a run leaves to read; tells of training"),
    ("bench", "engines side by side; trains with each"),
    ("cli", "the command line; calls everything"),
    ("lib", "names the rooms"),
    ("main", "starts the command line"),
];

/// Entries of `src/` that a newcomer can still take in.
const MOST_ENTRIES: usize = 22;

/// Uses upwards that are still there, as (file, room above it, reason). Delete what is mended; an
/// entry that is no longer needed fails the test.
const UPWARD: &[(&str, &str, &str)] = &[];

/// Circles that are still there, as (their files, reason). Delete what is mended; an entry without
/// a circle, or with a file outside of it, fails the test.
const CIRCLES: &[(&[&str], &str)] = &[];

/// The files of a folder like `src/`, by their path within it, and their text.
type Files = BTreeMap<String, String>;

/// The module of a file: `engine/gpu/mod.rs` is `engine::gpu`.
fn module(path: &str) -> Vec<&str> {
    let mut names: Vec<&str> = path.strip_suffix(".rs").unwrap().split('/').collect();
    if names.last() == Some(&"mod") {
        names.pop();
    }
    names
}

/// The files that each file uses.
fn edges(files: &Files) -> BTreeSet<(&str, &str)> {
    let modules: BTreeMap<Vec<&str>, &str> =
        files.keys().map(|path| (module(path), &**path)).collect();
    // What `lib.rs` hands on has its home in another room: `crate::Error` is `error::Error`.
    let lib = files.get("lib.rs").map_or("", |text| text);
    let handed_on: BTreeMap<String, Vec<String>> = source::handed_on(lib)
        .into_iter()
        .map(|path| (path.last().unwrap().clone(), path))
        .collect();
    let mut edges = BTreeSet::new();
    for (path, text) in files {
        for mut used in uses(text, &module(path)) {
            if let Some(home) = used.first().and_then(|name| handed_on.get(name)) {
                used = home.clone();
            }
            // The longest beginning of the path that is a file; the rest are items.
            let names: Vec<&str> = used.iter().map(String::as_str).collect();
            let found = (1..=names.len())
                .rev()
                .find_map(|end| modules.get(&names[..end]));
            edges.extend(
                found
                    .filter(|&&other| other != path)
                    .map(|&other| (&**path, other)),
            );
        }
    }
    edges
}

/// Uses of rooms that are not below, as (file, used room).
fn upward<'a>(
    edges: &BTreeSet<(&'a str, &'a str)>,
    rooms: &[&str],
) -> BTreeSet<(&'a str, &'a str)> {
    let height = |room: &str| rooms.iter().position(|&name| name == room);
    let rooms = edges
        .iter()
        .map(|&(user, used)| (user, module(user)[0], module(used)[0]));
    rooms
        .filter(|(_, from, to)| from != to && height(from) <= height(to))
        .map(|(user, _, to)| (user, to))
        .collect()
}

/// Groups of files of one room that use each other in a circle. A `mod.rs` and what lies below its
/// folder may use each other.
fn circles<'a>(edges: &BTreeSet<(&'a str, &'a str)>) -> Vec<BTreeSet<&'a str>> {
    let mut next: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    for &(user, used) in edges {
        let (from, to) = (module(user), module(used));
        if from[0] == to[0] && !from.starts_with(&to) && !to.starts_with(&from) {
            next.entry(user).or_default().push(used);
        }
    }
    let reached = |start: &str| {
        let mut reached = BTreeSet::new();
        let mut left: Vec<&'a str> = next.get(start).into_iter().flatten().copied().collect();
        while let Some(file) = left.pop() {
            if reached.insert(file) {
                left.extend(next.get(file).into_iter().flatten());
            }
        }
        reached
    };
    let reached: BTreeMap<&str, BTreeSet<&'a str>> =
        next.keys().map(|&file| (file, reached(file))).collect();
    let mut circles: Vec<BTreeSet<&'a str>> = Vec::new();
    for (file, others) in reached
        .iter()
        .filter(|(file, others)| others.contains(*file))
    {
        let back = |other: &&&str| reached.get(**other).is_some_and(|all| all.contains(file));
        let circle: BTreeSet<&'a str> = others.iter().filter(back).copied().collect();
        if !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn src() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let paths = walkdir::WalkDir::new(&root).into_iter();
    let paths = paths.map(|entry| entry.unwrap().into_path());
    let sources = paths.filter(|path| path.extension().is_some_and(|found| found == "rs"));
    let mut files: Files = sources
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            (
                name.replace('\\', "/"),
                std::fs::read_to_string(&path).unwrap(),
            )
        })
        .collect();
    let tests: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            let tests = source::files_of_tests(text).into_iter();
            tests.map(|name| format!("{}/{name}.rs", module(path).join("/")))
        })
        .collect();
    for path in tests {
        assert!(files.remove(&path).is_some(), "no file {path}");
    }
    files
}

#[test]
fn every_entry_of_src_is_a_room() {
    let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let entries: BTreeSet<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .collect();
    let rooms: BTreeSet<String> = ROOMS.map(|(room, _)| room.to_owned()).into();
    assert_eq!(entries, rooms, "ROOMS names what is in src/");
    assert!(entries.len() <= MOST_ENTRIES, "{}", entries.len());
}

#[test]
fn rooms_use_those_below_them_only() {
    let files = src();
    let found = upward(&edges(&files), &ROOMS.map(|(room, _)| room));
    let known: BTreeSet<(&str, &str)> =
        UPWARD.iter().map(|&(file, room, _)| (file, room)).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let mended: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty(), "use a room that is not below: {new:#?}");
    assert!(mended.is_empty(), "delete from UPWARD: {mended:#?}");
}

#[test]
fn no_files_of_a_room_use_each_other_in_a_circle() {
    let files = src();
    let found = circles(&edges(&files));
    let known: Vec<BTreeSet<&str>> = CIRCLES
        .iter()
        .map(|(files, _)| files.iter().copied().collect())
        .collect();
    let new: Vec<_> = found
        .iter()
        .filter(|circle| !known.contains(circle))
        .collect();
    let mended: Vec<_> = known
        .iter()
        .filter(|circle| !found.contains(circle))
        .collect();
    assert!(
        new.is_empty() && mended.is_empty(),
        "circles: {new:#?}; delete from CIRCLES: {mended:#?}"
    );
}

fn planted(files: &[(&str, &str)]) -> Files {
    let owned = files
        .iter()
        .map(|&(path, text)| (path.to_owned(), text.to_owned()));
    owned.collect()
}

#[test]
fn a_planted_use_upwards_is_found() {
    let files = planted(&[
        ("lib.rs", "pub mod error;\npub use error::{Error, Result};"),
        (
            "error.rs",
            "// use crate::train;\npub struct Error(&'static str);",
        ),
        (
            "text/mod.rs",
            "mod list;\nuse crate::{Result, error::Error};",
        ),
        (
            "text/list.rs",
            "use std::{fs, path::{Path}};\nuse crate::{error, train::{self as loop_, run}};",
        ),
        (
            "train/mod.rs",
            "fn f() -> usize { crate::text::list::len() }",
        ),
        (
            "train/run.rs",
            "#[cfg(test)]\nmod tests { use crate::cli::main; }",
        ),
        (
            "cli.rs",
            "fn f() { let s = \"crate::main\"; crate::train::run::run() }",
        ),
    ]);
    let rooms = ["error", "text", "train", "cli", "lib"];
    let found = upward(&edges(&files), &rooms);
    assert_eq!(found, BTreeSet::from([("text/list.rs", "train")]));
    let turned = ["text", "error", "cli", "train", "lib"];
    let expected = [
        ("cli.rs", "train"),
        ("text/list.rs", "error"),
        ("text/list.rs", "train"),
        ("text/mod.rs", "error"),
    ];
    assert_eq!(upward(&edges(&files), &turned), BTreeSet::from(expected));
}

#[test]
fn a_planted_circle_is_found() {
    let files = planted(&[
        (
            "gpu/mod.rs",
            "mod a; mod b; mod c; mod deep; use a::A; use self::b::B;",
        ),
        ("gpu/a.rs", "use super::{A, b::{B}};"),
        ("gpu/b.rs", "fn f() { super::c::f(); }"),
        ("gpu/c.rs", "use crate::gpu::a;\nuse super::deep;"),
        ("gpu/deep/mod.rs", "mod low; use low::L;"),
        ("gpu/deep/low.rs", "use super::super::A; use super::D;"),
        ("cpu.rs", "use crate::gpu;"),
    ]);
    let expected = BTreeSet::from(["gpu/a.rs", "gpu/b.rs", "gpu/c.rs"]);
    assert_eq!(circles(&edges(&files)), [expected]);
}
