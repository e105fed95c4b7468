//! Trains on a text file and writes the vectors: `cargo run --release --example train_from_file`.

use w2v_gpu::vectors::format::{Format, VectorTable};
use w2v_gpu::{Config, Corpus, Event, Trainer};

fn main() -> w2v_gpu::Result<()> {
    let config = Config::with(|config| {
        config.model.dim = 100;
        config.objective.sample = Some(1e-3);
        config.schedule.epochs = 3;
    });
    let corpus = Corpus::open(&["data/corpus.txt".into()])?;
    let trainer = Trainer::new(config)?;
    println!("{}", trainer.choice_line());
    let prepared = trainer.prepare(&corpus, |event| {
        if let Event::Prepared(prepared) = event {
            println!("{} different words", prepared.vocabulary);
        }
    })?;
    let vectors = prepared.start()?.vectors()?;

    let path = std::env::temp_dir().join("vectors.bin");
    let table = VectorTable::new(&vectors.vocab, &vectors.matrix);
    Format::from_path(&path)?.write(&path, &table, &mut |_, _| ())?;
    println!("written to {path:?}");
    Ok(())
}
