"""Mistakes: an exception of the right type, which names the argument and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v_gpu
from w2v_gpu import KeyedVectors, W2vError, Word2Vec

TEXT = [["a", "b", "c"]] * 10


@pytest.mark.parametrize(
    ("sentences", "kind", "why"),
    [
        ("a text", TypeError, "pass a file's path as corpus_file="),
        (Path("text.txt"), TypeError, "pass a file's path as corpus_file="),
        (["a text"], TypeError, "sentence 1 is of type str: .* split it"),
        ([b"a text"], TypeError, "sentence 1 is of type bytes"),
        ([["a"], {"tokens": ["a"]}], TypeError, "sentence 2 is of type dict: .* take a column"),
        ([["a"], None], TypeError, "sentence 2 is of type NoneType"),
        ([["a", 1]], TypeError, r"sentence 1 has a word of type int: .* str\(number\)"),
        ([["a"], ["new york"]], ValueError, 'sentence 2 has the word "new york"'),
        ([["a\x00"]], ValueError, "control characters"),
        ([["a", ""]], ValueError, "a word is not empty"),
        ([["a\ud800"]], UnicodeEncodeError, "surrogates"),
        (7, TypeError, "not iterable"),
        ([], W2vError, "no word in the text; an iterator that was read once is empty"),
        ([[], []], W2vError, "no word in the text"),
        ([["a", "b"]], W2vError, "no word occurs 5 times .* lower min_count"),
        ([["a"]] * 9, W2vError, "only one word is in the vocabulary"),
        ([["a"], ["b"]] * 9, W2vError, "no line of the corpus holds two words"),
    ],
)
def test_sentences_that_cannot_be_trained_on(
    sentences: Any, kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why):
        Word2Vec(sentences)


@pytest.mark.parametrize(
    ("arguments", "kind", "why"),
    [
        ({"vector_size": 0}, ValueError, "vector_size 0: a vector has 1 to 4096"),
        ({"vector_size": -1}, ValueError, "invalid value: integer `?-1"),
        ({"alpha": "high"}, ValueError, 'invalid type: string "high"'),
        ({"alpha": 0.1, "min_alpha": 0.2}, ValueError, r"min_alpha 0.2: .*\(alpha\)"),
        ({"window": 0}, ValueError, "window 0: a window reaches"),
        ({"sg": 0, "window": 14}, ValueError, "window 14: with sg=0"),
        ({"sg": 0, "cbow_mean": 0}, NotImplementedError, "cbow_mean=0"),
        ({"sg": 0, "loss": "softmax"}, ValueError, "loss='softmax'"),
        ({"negative": 0}, ValueError, "negative 0: positive pairs alone"),
        ({"hs": 1, "negative": 5}, ValueError, "leave it out, or leave out hs=1"),
        ({"hs": 1, "loss": "ns"}, ValueError, "hs=1 and loss='ns' contradict"),
        ({"loss": "l2"}, ValueError, "use 'ns', 'hs' or 'softmax'"),
        ({"loss": "hs", "arity": 1}, ValueError, "arity 1: "),
        ({"patience": 2}, ValueError, "patience 2: .* add validation"),
        ({"preset": "glove"}, ValueError, "use 'gensim', 'word2vec' or 'fasttext'"),
        ({"checkpoint_every": "10m"}, ValueError, "name a folder"),
        ({"resume": "nowhere"}, ValueError, "resume nowhere: there is no such folder"),
        ({"workers": 0}, ValueError, "workers 0: "),
        ({"engine": "tpu"}, ValueError, "use 'auto', 'cpu' or 'gpu'"),
        ({"engine": "cpu", "adapter": 0}, ValueError, "engine='cpu' was asked for"),
        ({"engine": "cpu", "storage": "f16"}, ValueError, "add engine='gpu'"),
        ({"adapter": "no such card"}, W2vError, "no such card"),
        ({"sizes": 3}, TypeError, "no argument 'sizes'"),
    ],
)
def test_arguments_out_of_their_range(
    arguments: dict[str, Any], kind: type[Exception], why: str
) -> None:
    with pytest.raises(kind, match=why):
        Word2Vec(TEXT, **arguments)


def test_arguments_of_gensim_without_effect_are_told_once() -> None:
    with pytest.warns(UserWarning, match="no effect here: batch_words, sorted_vocab") as warned:
        Word2Vec(TEXT, batch_words=1000, sorted_vocab=1)
    assert len(warned) == 1


def test_a_generator_that_raises_gives_its_own_exception() -> None:
    def broken() -> Iterator[list[str]]:
        yield ["a", "b"]
        raise LookupError("mine")

    model = Word2Vec()
    with pytest.raises(LookupError, match="mine"):
        model.build_vocab(broken())
    # The model still works.
    model.build_vocab(TEXT)
    model.train(TEXT, total_examples=10, epochs=1)


def test_both_texts_or_none_are_refused() -> None:
    with pytest.raises(TypeError, match="either sentences .* or corpus_file="):
        Word2Vec(TEXT, corpus_file="text.txt")
    with pytest.raises(TypeError, match="either sentences"):
        Word2Vec().build_vocab()


def test_files_that_are_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing.txt"):
        Word2Vec(corpus_file=tmp_path / "missing.txt")
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ValueError, match="archive.zip"):
        Word2Vec(corpus_file=archive)


def test_training_too_early() -> None:
    model = Word2Vec()
    with pytest.raises(ValueError, match="give epochs, and total_examples"):
        model.train(TEXT)
    with pytest.raises(RuntimeError, match="call build_vocab first"):
        model.train(TEXT, total_examples=10, epochs=1)
    with pytest.raises(RuntimeError, match="call build_vocab first"):
        model.plan(TEXT)
    with pytest.raises(RuntimeError, match="call build_vocab first"):
        model.save("nowhere")


def test_a_vocabulary_that_empties() -> None:
    with pytest.raises(W2vError, match="the vocabulary is empty"):
        Word2Vec(TEXT, trim_rule=lambda *_: w2v_gpu.RULE_DISCARD)
    model = Word2Vec(TEXT)
    with pytest.raises(W2vError, match="no word of the vocabulary occurs in the corpus"):
        model.train([["x", "y"]], total_examples=1, epochs=1)
    assert len(model.wv) == 3


def test_matrices_of_another_shape_are_refused() -> None:
    model = Word2Vec(TEXT)
    model.wv.vectors = np.zeros((2, 100), np.float32)
    with pytest.raises(ValueError, match=r"\[2, 3\] rows of 100 and 100 values"):
        model.train(TEXT, total_examples=10, epochs=1)


def test_arrays_that_cannot_be_written_to_are_trained_from(tmp_path: Path) -> None:
    model = Word2Vec(TEXT)
    model.wv.vectors.flags.writeable = False
    model.train(TEXT, total_examples=10, epochs=1)
    assert model.wv.vectors.flags.writeable


@pytest.mark.skipif(bool(w2v_gpu.devices()), reason="there is an adapter here")
def test_a_model_of_a_machine_with_a_gpu_says_what_is_missing(tmp_path: Path) -> None:
    model = Word2Vec(TEXT)
    model.engine = "gpu"
    model.save(tmp_path / "model")
    with pytest.raises(W2vError, match="engine='cpu'"):
        Word2Vec.load(tmp_path / "model").train(TEXT, total_examples=10, epochs=1)


def test_loading_on_an_object_is_refused() -> None:
    with pytest.raises(AttributeError, match="method of the class"):
        Word2Vec().load("model")


def test_files_cut_short_anywhere_are_refused(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut.safetensors"
    Word2Vec(TEXT, vector_size=4).save(whole)
    content = whole.read_bytes()
    for length in range(0, len(content), 7):
        cut.write_bytes(content[:length])
        with pytest.raises((EOFError, ValueError), match="cut.safetensors"):
            Word2Vec.load(cut)
        with pytest.raises((EOFError, ValueError), match="cut.safetensors"):
            w2v_gpu.load(cut)
    for name in ("v.bin", "v.txt", "v.npy", "v.tsv"):
        path = tmp_path / name
        w2v_gpu.load(_written(path))
        path.write_bytes(path.read_bytes()[:-12])
        with pytest.raises((EOFError, ValueError), match=name):
            w2v_gpu.load(path)


def _written(path: Path) -> Path:
    from w2v_gpu import _core

    counts = np.array([2, 1], np.uint64)
    vectors = np.arange(6, dtype=np.float32).reshape(2, 3)
    _core.write_vectors(str(path), ["a", "b"], counts, vectors, extension=None)
    return path


def test_files_of_counts_and_vectors_that_do_not_fit(tmp_path: Path) -> None:
    vectors = KeyedVectors(3)
    vectors.add_vectors(["a"], [[1.0, 2.0, 3.0]])
    path, counts = _written(tmp_path / "v.txt"), tmp_path / "counts"
    counts.write_text("a 3\nb many\n")
    with pytest.raises(ValueError, match=r"counts: line 2: 'b many\\n' is no word and its count"):
        KeyedVectors.load_word2vec_format(path, counts)
    with pytest.raises(ValueError, match="values, and 2 are needed"):
        KeyedVectors(2).intersect_word2vec_format(path)
    with pytest.raises(NotImplementedError, match="take 1.0"):
        vectors.intersect_word2vec_format(path, lockf=0.0)
    vectors.intersect_word2vec_format(path)
    assert vectors["a"].tolist() == [0.0, 1.0, 2.0]


def test_unknown_words_come_with_those_of_similar_spelling() -> None:
    vectors = KeyedVectors(1)
    vectors.add_vectors(["guitar", "piano"], [[1.0], [2.0]])
    with pytest.raises(KeyError, match="'guitarr' is not among the 2 .* alike are 'guitar'"):
        vectors["guitarr"]
    with pytest.raises(KeyError, match="neither a word nor the index"):
        vectors.most_similar(7)
    with pytest.raises(ValueError, match="no keys"):
        vectors.most_similar()
