"""Training: the same vectors as the program, from every kind of text, whole after any stop."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v_gpu
from w2v_gpu import KeyedVectors, Word2Vec, _progress

Sentences = list[list[str]]


def program(*arguments: str) -> None:
    """Runs the program w2v-gpu of this package."""
    subprocess.run([sys.executable, "-m", "w2v_gpu", *arguments], check=True)


def assert_same(one: Word2Vec, other: Word2Vec) -> None:
    """Both have the same words and matrices, bit for bit."""
    assert one.wv.index_to_key == other.wv.index_to_key
    assert one.wv.vectors.tobytes() == other.wv.vectors.tobytes()
    assert one._output is not None and other._output is not None
    assert one._output.tobytes() == other._output.tobytes()


@pytest.mark.smoke
@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({}, ""),
        (
            {"vector_size": 20, "sg": 0, "window": 3, "seed": 7},
            "--dim 20 --model cbow --window 3 --seed 7",
        ),
        ({"hs": 1, "arity": 4, "alpha": 0.03}, "--loss hs --arity 4 --lr 0.03"),
        (
            {"preset": "gensim", "negative": 3, "shrink_windows": False, "min_count": 8},
            "--preset gensim --negative 3 --fixed-window --min-count 8",
        ),
        (
            {"lowercase": True, "validation": 0.1, "shuffle": False},
            "--lowercase --validation 0.1 --no-shuffle",
        ),
    ],
)
def test_the_vectors_are_those_of_the_program(
    short: str, tmp_path: Path, arguments: dict[str, Any], options: str
) -> None:
    model = Word2Vec(corpus_file=short, engine="cpu", epochs=1, **arguments)
    files = {name: str(tmp_path / f"{name}.npy") for name in ("vectors", "output")}
    program(
        "train", short, "-o", files["vectors"], "--save-output", files["output"], "--quiet",
        "--engine", "cpu", "--epochs", "1", *options.split(),
    )  # fmt: skip
    assert model.wv.vectors.tobytes() == np.load(files["vectors"]).tobytes()
    assert model._output is not None
    assert model._output.tobytes() == np.load(files["output"]).tobytes()
    assert model.wv.index_to_key == w2v_gpu.load(files["vectors"]).index_to_key


@pytest.mark.skipif(not w2v_gpu.devices(), reason="there is no adapter")
def test_the_gpu_gives_the_vectors_of_the_program(sentences: Sentences, tmp_path: Path) -> None:
    text, vectors = tmp_path / "text.txt", tmp_path / "v.npy"
    text.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences[:300]))
    arguments = "--dim 8 --epochs 1 --engine gpu --adapter 0 --quiet".split()
    program("train", str(text), "-o", str(vectors), *arguments)
    model = Word2Vec(corpus_file=text, vector_size=8, epochs=1, engine="gpu", adapter=0)
    assert model.report["engine"].startswith("gpu")
    assert model.wv.vectors.tobytes() == np.load(vectors).tobytes()


def test_every_kind_of_text_gives_the_same_vectors(sentences: Sentences, tmp_path: Path) -> None:
    class Column:
        """What pandas and Hugging Face offer: a length, and items by index."""

        def __len__(self) -> int:
            return len(sentences)

        def __getitem__(self, index: int) -> list[str]:
            return sentences[index]

    path = tmp_path / "text.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    lists = Word2Vec(sentences, epochs=1)
    for other in (
        Word2Vec((tuple(sentence) for sentence in sentences), epochs=1),
        Word2Vec((iter(sentence) for sentence in sentences), epochs=1),
        Word2Vec(Column(), epochs=1),  # type: ignore[arg-type]
        Word2Vec(np.array([*map(np.array, sentences), None], dtype=object)[:-1], epochs=1),
        Word2Vec(corpus_file=path, epochs=1),
        Word2Vec(corpus_file=[str(path)], epochs=1),
        Word2Vec(w2v_gpu.Sentences(path), epochs=1),
    ):
        assert_same(lists, other)


def test_an_iterable_is_read_once(sentences: Sentences) -> None:
    class Counted:
        passes = 0

        def __iter__(self) -> Any:
            self.passes += 1
            return iter(sentences)

    counted = Counted()
    Word2Vec(counted, epochs=2)
    assert counted.passes == 1


def test_the_number_of_workers_changes_nothing(sentences: Sentences) -> None:
    assert_same(Word2Vec(sentences, workers=1, epochs=1), Word2Vec(sentences, workers=3, epochs=1))


def test_a_vocabulary_built_first_gives_the_same_vectors(sentences: Sentences) -> None:
    model = Word2Vec(epochs=2)
    model.build_vocab(sentences)
    assert model.syn1neg.shape == (len(model.wv), 100)
    kept, read = model.train(sentences, total_examples=model.corpus_count, epochs=model.epochs)
    assert read == 2 * model.corpus_total_words == 2 * sum(map(len, sentences))
    assert 0 < kept < read
    assert_same(model, Word2Vec(sentences, epochs=2))


def test_two_trainings_in_two_threads_do_not_disturb_each_other(sentences: Sentences) -> None:
    models: list[Word2Vec] = []
    train = lambda: models.append(Word2Vec(sentences, epochs=2))  # noqa: E731
    threads = [threading.Thread(target=train) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert_same(*models)


def test_other_threads_go_on_while_a_model_trains(corpus: str) -> None:
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.wait(0.005):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    model = Word2Vec(corpus_file=corpus, epochs=3)
    done.set()
    thread.join()
    # A tenth of the ticks would be there if the GIL were held for nine tenths of the time.
    assert ticks > model.total_train_time / 0.005 / 10


class Watcher:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.first: list[float] = []

    def on_train_begin(self, model: Word2Vec) -> None:
        self.told.append("train begins")

    def on_epoch_begin(self, model: Word2Vec) -> None:
        self.told.append("epoch begins")

    def on_epoch_end(self, model: Word2Vec) -> None:
        self.told.append("epoch ends")
        self.first.append(float(model.wv.vectors[0, 0]))

    def on_train_end(self, model: Word2Vec) -> None:
        self.told.append("train ends")


def test_callbacks_see_the_vectors_of_every_epoch(sentences: Sentences) -> None:
    watcher = Watcher()
    model = Word2Vec(sentences, epochs=2, callbacks=[watcher])
    epoch = ["epoch begins", "epoch ends"]
    assert watcher.told == ["train begins", *epoch, *epoch, "train ends"]
    assert watcher.first[0] != watcher.first[1] == model.wv.vectors[0, 0]
    assert_same(model, Word2Vec(sentences, epochs=2))


def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(short: str, tmp_path: Path) -> None:
    class Stopper:
        def on_epoch_end(self, model: Word2Vec) -> None:
            model.stop()

    def make(**others: Any) -> Word2Vec:
        return Word2Vec(corpus_file=short, epochs=3, vector_size=10, engine="cpu", **others)

    folder = tmp_path / "run"
    stopped = make(checkpoint=folder, checkpoint_every="1000", callbacks=[Stopper()])
    assert stopped.report["summary"]["epochs"] < 3
    with pytest.raises(ValueError, match=r"checkpoint .*run: .*resume='.*run'"):
        make(checkpoint=folder)
    with pytest.raises(ValueError, match="seed"):
        make(resume=folder, seed=2)
    # Another name of the same folder is no other folder.
    resumed = make(resume=folder, checkpoint=tmp_path / "." / ".." / tmp_path.name / "run")
    assert_same(resumed, make())
    assert [epoch.epoch for epoch in resumed.history] == [1, 2]


def test_stop_ends_the_run_and_keeps_what_was_trained(sentences: Sentences) -> None:
    class Stopper:
        def on_epoch_end(self, model: Word2Vec) -> None:
            if len(model.history) == 2:
                model.stop()

    model = Word2Vec(sentences, epochs=50, callbacks=[Stopper()])
    assert len(model.history) == 2
    assert model.report["summary"]["ending"] == "interrupted"


def test_an_exception_in_the_constructor_brings_the_model(sentences: Sentences) -> None:
    class Failing:
        def on_epoch_end(self, model: Word2Vec) -> None:
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine") as raised:
        Word2Vec(sentences, epochs=50, callbacks=[Failing()])
    model = raised.value.model  # type: ignore[attr-defined]
    assert len(model.history) == 1
    assert model.wv.most_similar(model.wv.index_to_key[0])


def test_a_model_can_be_saved_in_a_callback(sentences: Sentences, tmp_path: Path) -> None:
    copies: list[Word2Vec] = []

    class Saver:
        def on_epoch_end(self, model: Word2Vec) -> None:
            model.save(tmp_path / "model")
            copies.extend([Word2Vec.load(tmp_path / "model"), copy.deepcopy(model)])

    model = Word2Vec(sentences, epochs=2, callbacks=[Saver()])
    assert copies[0].wv.vectors.tobytes() != model.wv.vectors.tobytes()
    assert_same(copies[0], copies[1])
    assert_same(copies[2], model)


def test_an_exception_of_a_callback_keeps_what_was_trained(sentences: Sentences) -> None:
    class Failing:
        def on_epoch_end(self, model: Word2Vec) -> None:
            raise LookupError("mine")

    model = Word2Vec(epochs=50)
    model.build_vocab(sentences)
    before = model.wv.vectors.copy()
    with pytest.raises(LookupError, match="mine"):
        model.train(sentences, total_examples=1, epochs=50, callbacks=[Failing()])
    assert not np.array_equal(model.wv.vectors, before)
    assert len(model.history) == 1
    model.train(sentences, total_examples=1, epochs=1)
    assert len(model.history) == 2


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_keeps_what_was_trained(corpus: str) -> None:
    model = Word2Vec(epochs=500, workers=1)
    model.build_vocab(corpus_file=corpus)
    before = model.wv.vectors.copy()

    class Interrupter:
        def on_epoch_end(self, model: Word2Vec) -> None:
            if len(model.history) == 1:
                os.kill(os.getpid(), signal.SIGINT)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        model.train(corpus_file=corpus, total_words=1, epochs=500, callbacks=[Interrupter()])
    assert time.monotonic() - began < 60
    assert not np.array_equal(model.wv.vectors, before)
    assert model.wv.most_similar(model.wv.index_to_key[0])


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
def test_ctrl_c_ends_the_counting(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    path.write_text("some words of a text that is long\n" * 2_000_000)
    timer = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in range(50):
            Word2Vec().build_vocab(corpus_file=path)


def test_the_loss_falls_and_is_told(sentences: Sentences, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "w2v_gpu"):
        model = Word2Vec(sentences, epochs=4, progress=False)
    assert model.history[0].loss > model.history[-1].loss
    total = sum(epoch.loss * epoch.pairs for epoch in model.history)
    assert model.get_latest_training_loss() == pytest.approx(total)
    assert "epoch 4 of 4: loss" in caplog.text
    assert model.report["engine"] in caplog.text or "engine: " in caplog.text


def test_progress_is_a_bar_or_lines_or_nothing(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    report = {"words": 50, "total_words": 100, "elapsed": 2.0, "epoch": 0, "loss": 1.5, "lr": 0.01}
    with caplog.at_level(logging.INFO, "w2v_gpu"):
        _progress.Silence().show(report)
        assert not caplog.text
        _progress.Lines().show(report)
    assert "50.0% of the run, epoch 1, 25 words/s, loss 1.5000" in caplog.text
    pytest.importorskip("tqdm")
    bar = _progress.display(True)
    bar.show(report)
    bar.end()
    shown = capsys.readouterr().err
    assert "training:  50%" in shown and "loss=1.5000" in shown


def test_new_words_are_added_and_trained_ones_stay(sentences: Sentences) -> None:
    model = Word2Vec(sentences, epochs=1, min_count=5)
    old = model.wv.vectors.copy()
    words = list(model.wv.index_to_key)
    count = model.wv.get_vecattr(words[0], "count")
    model.build_vocab([["quark", words[0]]] * 6, update=True)
    assert model.wv.index_to_key == [*words, "quark"]
    assert model.wv.vectors[:-1].tobytes() == old.tobytes()
    assert model.wv.get_vecattr(words[0], "count") == count + 6
    model.train([["quark", words[0]]] * 6, total_examples=6, epochs=5)
    assert model.wv.vectors.shape == (len(words) + 1, 100)


def test_trim_rules_choose_words(sentences: Sentences) -> None:
    seen = {}

    def rule(word: str, count: int, min_count: int) -> int:
        seen[word] = (count, min_count)
        if word == "the":
            return w2v_gpu.RULE_DISCARD
        return w2v_gpu.RULE_KEEP if count == 1 else w2v_gpu.RULE_DEFAULT

    model = Word2Vec(sentences, trim_rule=rule, min_count=10, epochs=1)
    assert "the" not in model.wv
    counts = model.wv.expandos["count"]
    assert ((counts == 1) | (counts >= 10)).all()
    assert seen["the"][1] == 10
    assert len(model.wv) == sum(
        (count == 1 or count >= 10) and word != "the" for word, (count, _) in seen.items()
    )


def test_a_model_is_saved_whole(sentences: Sentences, tmp_path: Path) -> None:
    model = Word2Vec(sentences, epochs=1, vector_size=20, min_count=3)
    path = tmp_path / "model.safetensors"
    model.save(path)
    read, mapped = Word2Vec.load(path), Word2Vec.load(path, mmap="r")
    for other in (read, mapped, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert_same(model, other)
        assert other.history == model.history
        assert (other.min_count, other.report) == (3, model.report)
    assert isinstance(mapped.wv.vectors, np.memmap) and not mapped.wv.vectors.flags.writeable
    for each in (model, read, mapped):
        each.train(sentences, total_examples=1, epochs=1)
    assert_same(model, read)
    assert_same(model, mapped)


def test_the_program_reads_a_saved_model(trained: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    trained.save(path)
    program("convert", str(path), str(tmp_path / "v.npy"))
    assert np.load(tmp_path / "v.npy").tobytes() == trained.wv.vectors.tobytes()
    assert KeyedVectors.load(path).get_vecattr("the", "count") > 0


def test_a_model_becomes_one_of_gensim(trained: Word2Vec) -> None:
    pytest.importorskip("gensim")
    theirs = trained.to_gensim()
    assert theirs.wv.index_to_key == trained.wv.index_to_key
    assert np.array_equal(theirs.syn1neg, trained.syn1neg)
    ours = trained.wv.most_similar("guitar", topn=5)
    for our, their in zip(ours, theirs.wv.most_similar("guitar", topn=5)):
        assert our == (their[0], pytest.approx(their[1], abs=1e-6))


def test_phrases_are_trained_on(tmp_path: Path) -> None:
    text = [["in", "new", "york"], ["in", "rome"], ["a", "new", "car"]] * 20
    joined = w2v_gpu.phrases(text, threshold=2)
    assert [*joined][:2] == [["in", "new_york"], ["in_rome"]]
    path = joined.path
    assert "new_york" in Word2Vec(joined, vector_size=5).wv
    del joined
    assert not os.path.exists(path)


def test_the_page_about_a_run_has_its_curve_and_words(trained: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    trained.report_html(path, words=50)
    page = path.read_text(encoding="utf-8")
    assert "Word2Vec(text, vector_size=50)" in page
    assert f'"{trained.wv.index_to_key[0]}"' in page
    assert f'"loss":{trained.history[-1].loss!r}' in page
    with pytest.raises(RuntimeError, match="train first"):
        Word2Vec().report_html(path)


def test_a_notebook_shows_the_curve_of_the_loss(trained: Word2Vec) -> None:
    shown = trained._repr_html_()
    assert "<svg" in shown and "cpu" in shown
    assert f"{trained.report['summary']['loss']:.4f}" in shown
    assert "<svg" not in Word2Vec()._repr_html_()


def test_a_plan_tells_memory_and_disk(corpus: str, trained: Word2Vec) -> None:
    plan = trained.plan(corpus_file=corpus)
    assert plan["vocabulary"] == len(trained.wv)
    assert plan["host"]["needed"] > trained.wv.vectors.nbytes


def test_devices_are_listed() -> None:
    for number, adapter in enumerate(w2v_gpu.devices()):
        assert adapter.index == number and adapter.name
