//! `--storage f16`, through the real binary.

mod common;

use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use w2v_gpu::vectors::format;

use common::Dir;

fn train(dir: &Dir, out: &str, more: &[&str]) -> Assert {
    let args = ["train", "text.txt", "-o", out];
    let quick = ["--dim", "10", "--epochs", "1", "--sample", "0"];
    dir.w2v(&[&args[..], &quick, more].concat()).assert()
}

/// The vectors are 16-bit floats, the same on every run, and other draws give others.
#[test]
#[ignore = "needs a GPU adapter: tests/run.sh runs it"]
fn every_objective_trains_in_f16() {
    let dir = Dir::with_text();
    for loss in ["ns", "hs", "softmax"] {
        let halves = ["--engine", "gpu", "--storage", "f16", "--loss", loss];
        train(&dir, "a.bin", &halves)
            .success()
            .stderr(contains("--storage f16"));
        train(&dir, "b.bin", &halves).success();
        assert!(dir.bytes("a.bin") == dir.bytes("b.bin"));
        let vectors = format::read(&dir.path("a.bin")).unwrap();
        let mut values = vectors.matrix.values().iter();
        // Ten bits of the fraction, or fewer where they are subnormal.
        assert!(values.all(|v| v.to_bits() & 0x1fff == 0 || (v * 2f32.powi(24)).fract() == 0.0));
        train(&dir, "c.bin", &["--engine", "gpu", "--loss", loss]).success();
        assert!(dir.bytes("a.bin") != dir.bytes("c.bin"));
    }
}

#[test]
fn f16_is_refused_on_the_cpu() {
    let dir = Dir::with_text();
    let refused = |more: &[&str]| train(&dir, "a.bin", more).code(2);
    refused(&["--storage", "f16", "--engine", "cpu"])
        .stderr(contains("--storage f16: is for the GPU"));
    refused(&["--storage", "f8"]).stderr(contains("f32").and(contains("f16")));
    assert!(!dir.has("a.bin"));
}
