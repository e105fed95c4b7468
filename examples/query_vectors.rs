//! Asks vectors for neighbours and analogies: `cargo run --release --example query_vectors FILE`.

use std::path::PathBuf;

use w2v_gpu::vectors::format::Reading;
use w2v_gpu::vectors::similarity::{analogy, nearest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path: PathBuf = std::env::args_os()
        .nth(1)
        .ok_or("name a file of vectors")?
        .into();
    let loaded = Reading::default().read(&path, &mut |_, _| ())?;
    if let Some(line) = loaded.odd.line(&path) {
        eprintln!("{line}");
    }
    let vectors = loaded.vectors;
    let word = vectors.vocab.word(0);
    println!("{} words; nearest to {word:?}:", vectors.vocab.len());
    for (id, cosine) in nearest(&vectors, word, 5)? {
        println!("  {} {cosine:.2}", vectors.vocab.word(id));
    }
    let [a, b, c] = [0, 1, 2].map(|id| vectors.vocab.word(id));
    println!("{b} is to {a} as ? to {c}:");
    for (id, score) in analogy(&vectors, [a, b, c], 3)? {
        println!("  {} {score:.2}", vectors.vocab.word(id));
    }
    Ok(())
}
