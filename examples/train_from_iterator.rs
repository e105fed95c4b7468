//! Trains on sentences in memory: `cargo run --release --example train_from_iterator`.

use w2v_gpu::vectors::similarity::nearest;
use w2v_gpu::{Config, Corpus, Trainer};

fn main() -> w2v_gpu::Result<()> {
    let animals = ["cat", "dog", "horse", "cow"];
    let places = ["house", "garden", "field", "barn"];
    let sentences = (0..4000).map(|n| {
        let (group, other) = if n % 2 == 0 {
            (animals, places)
        } else {
            (places, animals)
        };
        [
            group[n % 3],
            group[n % 4],
            "and",
            group[(n + 1) % 4],
            other[n % 4 / 3],
        ]
    });
    let corpus = Corpus::from_sentences(sentences)?;
    let config = Config::with(|config| {
        config.model.dim = 20;
        config.objective.window = 2;
    });
    let vectors = Trainer::new(config)?
        .prepare(&corpus, |_| ())?
        .start()?
        .vectors()?;
    for (id, cosine) in nearest(&vectors, "cat", 3)? {
        println!("{} {cosine:.2}", vectors.vocab.word(id));
    }
    Ok(())
}
