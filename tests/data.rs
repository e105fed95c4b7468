//! The bundled corpus is what its generator makes.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Dir, bundled};

#[test]
fn the_generator_makes_the_bundled_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = Dir::new();
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["run", "--quiet", "--example", "generate", "--"])
        .args([dir.path("corpus.txt"), dir.path("analogies.txt")])
        .status()
        .unwrap();
    assert!(status.success());
    for name in ["corpus.txt", "analogies.txt"] {
        let bundled = std::fs::read(bundled(name)).unwrap();
        assert!(
            dir.bytes(name) == bundled,
            "{name} differs; see data/README.md"
        );
    }
}
