//! `Trainer`, as programs use the library.

mod common;

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use common::bundled;
use w2v_gpu::engine::choice::{EngineKind, EngineRequest};
use w2v_gpu::model::Model;
use w2v_gpu::train::{AfterEpoch, Ending, StartedTrainer, TrainOptions};
use w2v_gpu::{Config, Corpus, Event, Trainer};

fn config(dim: usize) -> Config {
    Config::with(|config| {
        config.model.dim = dim;
        config.objective.sample = Some(1e-3);
        config.schedule.epochs = 2;
    })
}

fn started(corpus: &Corpus, config: Config, threads: usize) -> StartedTrainer {
    let request = EngineRequest {
        kind: Some(EngineKind::Cpu),
        threads: Some(threads),
        ..EngineRequest::default()
    };
    let trainer = Trainer::open(config, request, None).unwrap();
    trainer.prepare(corpus, |_| ()).unwrap().start().unwrap()
}

fn trained(corpus: &Corpus, config: Config, threads: usize) -> Model {
    let mut trainer = started(corpus, config, threads);
    trainer.train(TrainOptions::default(), |_| ()).unwrap().0
}

fn corpus() -> Corpus {
    Corpus::open(&[bundled("corpus.txt")]).unwrap()
}

#[test]
fn two_trainers_at_once_give_what_each_gives_alone() {
    let corpus = corpus();
    let alone = [20, 30].map(|dim| trained(&corpus, config(dim), 2));
    let at_once = std::thread::scope(|scope| {
        let train = |dim, threads| {
            let corpus = &corpus;
            scope.spawn(move || trained(corpus, config(dim), threads))
        };
        [train(20, 1), train(30, 3)].map(|thread| thread.join().unwrap())
    });
    assert!(alone == at_once);
}

#[test]
fn sentences_in_memory_train_like_the_same_text_in_a_file() {
    let text = std::fs::read_to_string(bundled("corpus.txt")).unwrap();
    let sentences = text.lines().map(|line| line.split_whitespace());
    let in_memory = Corpus::from_sentences(sentences).unwrap();
    let [file, memory] = [&corpus(), &in_memory].map(|corpus| trained(corpus, config(20), 2));
    assert!(file == memory);
}

/// A vocabulary that was chosen before, and the first model as the caller's own, change nothing.
#[test]
fn a_given_vocabulary_and_model_train_like_those_that_are_made() {
    let corpus = corpus();
    let made = started(&corpus, config(20), 2).data().vocab.clone();
    let given = || {
        let trainer = Trainer::new(config(20)).unwrap();
        trainer.prepare_with(&corpus, made.clone(), |_| ()).unwrap()
    };
    let (first, ..) = given().first_model().unwrap();
    let mut trainer = given().start_from(&first).unwrap();
    let (model, _) = trainer.train(TrainOptions::default(), |_| ()).unwrap();
    assert!(model == trained(&corpus, config(20), 2));
}

#[test]
fn the_model_is_shown_after_each_epoch() {
    let shown = RefCell::new(Vec::new());
    let mut trainer = started(&corpus(), config(20), 2);
    let options = TrainOptions {
        after_epoch: Some(AfterEpoch(Box::new(|epoch, model| {
            shown.borrow_mut().push((epoch.epoch, model));
        }))),
        ..TrainOptions::default()
    };
    let (last, _) = trainer.train(options, |_| ()).unwrap();
    let shown = shown.into_inner();
    let [(0, first), (1, second)] = &shown[..] else {
        panic!("two epochs were trained");
    };
    assert!(*second == last && *first != last);
}

#[test]
fn a_stop_flag_ends_a_run_before_its_next_batch() {
    let stop = AtomicBool::new(false);
    let mut trainer = started(&corpus(), config(20), 1);
    let options = TrainOptions {
        points: 100,
        stop: Some(&stop),
        ..TrainOptions::default()
    };
    let mut points = 0;
    let (_, summary) = trainer
        .train(options, |event| {
            if let Event::Point(_) = event {
                points += 1;
                stop.store(true, Ordering::Relaxed);
            }
        })
        .unwrap();
    assert_eq!((summary.ending, points), (Ending::Interrupted, 1));
    assert!(summary.words < trainer.data().total_words());
}
