//! Matrices that are larger than a binding of the adapter, through the real binary.

mod common;

use predicates::prelude::*;
use predicates::str::contains;
use w2v_gpu::vectors::format;

use common::Dir;

/// 200,000 words x 300 dimensions: matrices of 240 MB each. Software adapters bind 128 MB; others
/// may take these whole. The vectors are those of the CPU engine.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn matrices_of_240_megabytes_agree_with_the_cpu() {
    let dir = Dir::new();
    // All words differ. One in twenty stands in a sentence, the others alone, so that there is
    // little to train.
    let text: String = (0..200_000)
        .map(|word| {
            format!(
                "w{word}{}",
                if word / 10 % 20 == 0 && word % 10 < 9 {
                    " "
                } else {
                    "\n"
                }
            )
        })
        .collect();
    dir.file("text.txt", text);
    let train = |engine: &str, more: &[&str]| {
        let out = format!("{engine}.bin");
        dir.w2v(&["train", "text.txt", "-o", &out, "--engine", engine])
            .args(["--dim", "300", "--min-count", "1", "--sample", "0"])
            .args(["--epochs", "1", "--lr", "2"])
            .args(["--window", "2", "--negative", "2"])
            .args(["--save-output", &format!("{engine}-output.bin")])
            .args(more)
            .assert()
            .success()
    };
    train("cpu", &[]).stderr(contains(
        "matrices of 200,000 and 200,000 rows x 300 (480 MB)",
    ));
    train("gpu", &["--shader-checks", "false", "-v"])
        .stderr(contains("Shards { count: 2").or(contains("software").not()));
    for what in ["", "-output"] {
        let read = |engine: &str| format::read(&dir.path(&format!("{engine}{what}.bin"))).unwrap();
        let (own, expected) = (read("gpu"), read("cpu"));
        assert!(own.vocab.words().eq(expected.vocab.words()));
        let mut moved = 0;
        for (at, (own, expected)) in own
            .matrix
            .values()
            .iter()
            .zip(expected.matrix.values())
            .enumerate()
        {
            // As in `engine::tests`.
            assert!(
                (own - expected).abs() < 2e-4,
                "row {}, element {}: {own} {expected}",
                at / 300,
                at % 300
            );
            moved += usize::from(expected.abs() > 1e-3);
        }
        assert!(moved > 500_000, "little was trained: {moved} elements");
    }
}
