//! `--storage f16`, through the real binary.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use assert_cmd::assert::Assert;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;
use w2v_gpu::vectors::format;

fn train(folder: &TempDir, out: &str, more: &[&str]) -> Assert {
    let text: String = (0..600)
        .map(|i| format!("the cat {} sat on the mat {}\n", i % 7, i % 5))
        .collect();
    fs::write(folder.path().join("text.txt"), text).unwrap();
    let mut command = Command::cargo_bin("w2v-gpu").unwrap();
    command.current_dir(folder).args([
        "train", "text.txt", "-o", out, "--dim", "10", "--epochs", "1", "--sample", "0",
    ]);
    command.args(more).assert()
}

/// The vectors are 16-bit floats, the same on every run, and other draws give others.
#[test]
fn every_objective_trains_in_halves() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    for loss in ["ns", "hs", "softmax"] {
        let halves = ["--engine", "gpu", "--storage", "f16", "--loss", loss];
        train(&folder, "a.bin", &halves)
            .success()
            .stderr(contains("--storage f16"));
        train(&folder, "b.bin", &halves).success();
        assert!(read("a.bin") == read("b.bin"));
        let vectors = format::read(Path::new(&folder.path().join("a.bin"))).unwrap();
        let mut values = vectors.matrix.values().iter();
        // Ten bits of the fraction, or fewer where they are subnormal.
        assert!(values.all(|v| v.to_bits() & 0x1fff == 0 || (v * 2f32.powi(24)).fract() == 0.0));
        train(&folder, "c.bin", &["--engine", "gpu", "--loss", loss]).success();
        assert!(read("a.bin") != read("c.bin"));
    }
}

#[test]
fn the_cpu_has_no_halves() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |more: &[&str]| train(&folder, "a.bin", more).code(2);
    refused(&["--storage", "f16", "--engine", "cpu"])
        .stderr(contains("--storage f16: is for the GPU"));
    refused(&["--storage", "f8"]).stderr(contains("f32").and(contains("f16")));
    assert!(!folder.path().join("a.bin").exists());
}
