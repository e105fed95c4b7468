//! Small corpora: few words, few lines, and what is said where there is next to nothing to train
//! on.

mod common;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use w2v_gpu::vectors::{Vectors, format};

use common::Dir;

fn dir(text: &str) -> Dir {
    Dir::with_files(&[("text.txt", text.as_bytes())])
}

/// `train text.txt -o v.vec` in the folder on the CPU, then `more`.
fn train(dir: &Dir, more: &[&str]) -> Command {
    let args = ["train", "text.txt", "-o", "v.vec", "--engine", "cpu"];
    dir.w2v(&[&args, more].concat())
}

/// Nodes of a community, of which the graph has several, one after the other on a ring.
const COMMUNITY: u64 = 20;

/// Random walks on a graph: ten of 40 steps from each node. Nodes are joined to the five behind
/// them in their own community, and one node of each community to one of the next.
fn walks(communities: u64) -> String {
    let mut rng = SplitMix64::seed_from_u64(7);
    let nodes = communities * COMMUNITY;
    let mut neighbors = vec![Vec::new(); nodes as usize];
    let mut join = |a: u64, b: u64| {
        neighbors[a as usize].push(b);
        neighbors[b as usize].push(a);
    };
    for node in 0..nodes {
        let first = node / COMMUNITY * COMMUNITY;
        (1..=5).for_each(|step| join(node, first + (node - first + step) % COMMUNITY));
    }
    (0..communities).for_each(|c| join(c * COMMUNITY, ((c + 1) % communities) * COMMUNITY + 10));
    let mut text = String::new();
    for start in (0..10).flat_map(|_| 0..nodes) {
        let mut node = start;
        for _ in 0..40 {
            text += &format!("{node} ");
            let next = &neighbors[node as usize];
            node = next[(rng.next_u64() % next.len() as u64) as usize];
        }
        text += "\n";
    }
    text
}

/// The share of each node's five nearest that are of its own community.
fn purity(vectors: &Vectors) -> f64 {
    let words: Vec<u64> = vectors
        .vocab
        .words()
        .map(|word| word.parse().unwrap())
        .collect();
    let row = |id: usize| vectors.matrix.row(id);
    let cosine = |a: usize, b: usize| {
        let product =
            |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(x * y)).sum::<f64>();
        product(row(a), row(b)) / (product(row(a), row(a)) * product(row(b), row(b))).sqrt()
    };
    let own = |id: usize| {
        let mut others: Vec<usize> = (0..words.len()).filter(|&other| other != id).collect();
        others.sort_by(|&a, &b| cosine(id, b).total_cmp(&cosine(id, a)));
        others[..5]
            .iter()
            .filter(|&&other| words[other] / COMMUNITY == words[id] / COMMUNITY)
            .count()
    };
    (0..words.len()).map(own).sum::<usize>() as f64 / (5 * words.len()) as f64
}

/// With the defaults, one epoch over walks on 40 and on 400 nodes tells their communities apart. A
/// subsampling of 1e-4 would throw away nine of ten steps, and batches of 256 windows leave too few
/// steps to learn from.
#[test]
fn defaults_learn_from_a_small_vocabulary() {
    for communities in [2, 20] {
        let dir = dir(&walks(communities));
        train(
            &dir,
            &["--min-count", "0", "--epochs", "1", "--window", "10"],
        )
        .assert()
        .success();
        let purity = purity(&format::read(&dir.path("v.vec")).unwrap());
        assert!(purity > 0.95, "{purity} of {communities} communities");
    }
}

#[test]
fn forty_short_lines_are_trained_on() {
    let dir = dir(&"copper wire carries current\ncopper coin carries value\n".repeat(20));
    train(&dir, &[]).assert().success().stderr(
        contains("over 0 pairs")
            .not()
            .and(contains("warning").not()),
    );
}

#[test]
fn excessive_subsampling_is_warned_about() {
    let dir = dir(&walks(2));
    let assert = train(&dir, &["--sample", "1e-5", "--epochs", "1"])
        .assert()
        .success();
    assert.stderr(contains("warning: --sample 0.00001 keeps").and(contains("auto is 0.025")));
    // The warning is all that a quiet run says.
    let quiet = train(&dir, &["--sample", "1e-5", "--epochs", "1", "-q"])
        .output()
        .unwrap();
    let said = String::from_utf8(quiet.stderr).unwrap();
    assert!(
        said.contains("warning: --sample")
            && said.lines().all(|line| line.starts_with("warning: ")),
        "{said}"
    );
}

#[test]
fn vocabulary_that_leaves_little_text_is_warned_about() {
    let rare: String = (0..2000).map(|i| format!("word{i} ")).collect();
    let dir = dir(&format!("{rare}\n{}", "the cat sat on the mat\n".repeat(6)));
    train(&dir, &[])
        .assert()
        .success()
        .stderr(contains("only 36 of the text's 2,036 words").and(contains("--min-count")));
}

/// The true cause of there being no pair, and not an empty vocabulary.
#[test]
fn corpus_without_pairs_is_an_error() {
    let nothing = || contains("nothing to train on").and(contains("vocabulary is empty").not());
    let toy = dir(&"copper wire\n".repeat(20));
    train(&toy, &["--sample", "1e-12"])
        .assert()
        .code(1)
        .stderr(nothing().and(contains("--sample 0.000000000001")));
    let single_words = dir(&"copper\nwire\n".repeat(20));
    train(&single_words, &[])
        .assert()
        .code(1)
        .stderr(nothing().and(contains("a line is a sentence")));
    let one_word = dir(&"copper copper\n".repeat(20));
    train(&one_word, &[])
        .assert()
        .code(1)
        .stderr(nothing().and(contains("only one word")));
}

/// Batches are stretches of whole runs: a size that cannot be is refused, and not replaced in
/// silence.
#[test]
fn batch_below_one_span_is_refused() {
    let dir = dir(&walks(2));
    train(&dir, &["--batch", "15"])
        .assert()
        .failure()
        .stderr(contains("--batch 15").and(contains("16 to 1048576")));
    train(&dir, &["--batch", "16", "--epochs", "1"])
        .assert()
        .success();
    train(&dir, &["--batch", "1048576", "--epochs", "1"])
        .assert()
        .success();
    train(
        &dir,
        &["--batch", "auto", "--sample", "auto", "--epochs", "1"],
    )
    .assert()
    .success();
    train(&dir, &["--batch", "some"])
        .assert()
        .code(2)
        .stderr(contains("nor is it auto"));
}
