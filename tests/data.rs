//! The bundled corpus is what its generator makes.

use std::path::Path;
use std::process::Command;

#[test]
fn the_generator_makes_the_bundled_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| folder.path().join(name);
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["run", "--quiet", "--example", "generate", "--"])
        .args([made("corpus.txt"), made("analogies.txt")])
        .status()
        .unwrap();
    assert!(status.success());
    for name in ["corpus.txt", "analogies.txt"] {
        let bundled = std::fs::read(root.join("data").join(name)).unwrap();
        assert!(
            std::fs::read(made(name)).unwrap() == bundled,
            "{name} differs; see data/README.md"
        );
    }
}
