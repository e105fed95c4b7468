"""Words that are composed of n-grams: the same as the program's, and answers for unknown words."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import w2v_gpu
from w2v_gpu import FastText, FastTextKeyedVectors, KeyedVectors, Word2Vec

Sentences = list[list[str]]
NGRAMS: dict[str, Any] = {"min_n": 2, "max_n": 4, "bucket": 300}


@pytest.fixture(scope="module")
def model(sentences: Sentences) -> FastText:
    """A model; tests must not change it."""
    return FastText(sentences, vector_size=12, epochs=1, engine="cpu", **NGRAMS)


def assert_same(one: Word2Vec, other: Word2Vec) -> None:
    """Both have the same words and rows, bit for bit, and answer alike for unknown words."""
    assert one.wv.index_to_key == other.wv.index_to_key
    assert one.wv.vectors.tobytes() == other.wv.vectors.tobytes()
    assert one._rows().tobytes() == other._rows().tobytes()
    assert one.wv["neverseen"].tobytes() == other.wv["neverseen"].tobytes()


@pytest.mark.smoke
@pytest.mark.parametrize("sg", [0, 1])
def test_the_model_is_that_of_the_program(short: str, tmp_path: Path, sg: int) -> None:
    made = FastText(corpus_file=short, engine="cpu", vector_size=10, epochs=1, sg=sg, **NGRAMS)
    files = {name: str(tmp_path / name) for name in ("v.npy", "model.bin", "own.bin")}
    options = "--engine cpu --dim 10 --epochs 1 --subwords 2-4 --buckets 300 --quiet".split()
    kind = ["--model", "skip-gram" if sg else "cbow"]
    outputs = ["-o", files["v.npy"], "--save-model", files["model.bin"]]
    arguments = ["train", short, *outputs, *options, *kind]
    subprocess.run([sys.executable, "-m", "w2v_gpu", *arguments], check=True)
    assert made.wv.vectors.tobytes() == np.load(files["v.npy"]).tobytes()
    made.save_model(files["own.bin"])
    assert Path(files["own.bin"]).read_bytes() == Path(files["model.bin"]).read_bytes()
    loaded = w2v_gpu.load(files["model.bin"])
    assert isinstance(loaded, FastTextKeyedVectors)
    assert (loaded.min_n, loaded.max_n, loaded.bucket) == (2, 4, 300)
    assert loaded.vectors.tobytes() == made.wv.vectors.tobytes()
    for word in ("neverseen", "Zürich", "xy"):
        assert loaded[word].tobytes() == made.wv[word].tobytes()


def test_unknown_words_are_composed(model: FastText) -> None:
    wv = model.wv
    known = wv.index_to_key[0]
    assert "neverseen" in wv and "neverseen" not in wv.key_to_index and known in wv
    assert wv[["neverseen", known]].shape == (2, 12)
    assert np.linalg.norm(wv.get_vector("neverseen", norm=True)) == pytest.approx(1)
    assert len(wv.most_similar("neverseen")) == 10
    assert len(wv.most_similar_cosmul("neverseen", [known])) == 10
    assert -1 <= wv.similarity("neverseen", known) <= 1
    # With a mark at either end this word is shorter than any n-gram.
    with pytest.raises(KeyError, match="is not among"):
        FastTextKeyedVectors(2, min_n=5).get_vector("ab")
    chosen = wv.vectors_for_all(["neverseen", known], copy_vecattrs=True)
    assert chosen.index_to_key == ["neverseen", known]
    assert int(chosen.get_vecattr("neverseen", "count")) == 0
    assert chosen.get_vecattr(known, "count") == wv.get_vecattr(known, "count")
    assert wv.vectors_for_all(["neverseen", known], allow_inference=False).index_to_key == [known]


def test_a_composed_vector_is_the_mean_of_its_rows() -> None:
    wv = FastTextKeyedVectors(2, min_n=2, max_n=2, bucket=50)
    buckets = wv._buckets_of("ab")
    assert len(buckets) == 3
    rows = np.array([[3, 0], [0, 6]], np.float32)
    wv._set_ngrams(buckets[[2, 0]], rows)
    # The second n-gram has no row, which is as good as one of zeros.
    assert wv["ab"].tolist() == [1, 2]


def test_files_and_copies_keep_everything(model: FastText, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    assert_same(FastText.load(tmp_path / "model.safetensors"), model)
    assert_same(pickle.loads(pickle.dumps(model)), model)
    assert_same(copy.deepcopy(model), model)
    model.wv.save(tmp_path / "wv.safetensors")
    loaded = FastTextKeyedVectors.load(tmp_path / "wv.safetensors")
    assert loaded["neverseen"].tobytes() == model.wv["neverseen"].tobytes()
    assert "neverseen" not in KeyedVectors.load(tmp_path / "wv.safetensors")
    with pytest.raises(AttributeError, match=r"use FastText\.load"):
        Word2Vec.load(tmp_path / "model.safetensors")
    Word2Vec([["a", "b"]] * 20, vector_size=4).save(tmp_path / "words.safetensors")
    with pytest.raises(AttributeError, match=r"use Word2Vec\.load"):
        FastText.load(tmp_path / "words.safetensors")
    with pytest.raises(ValueError, match="lacks n-grams"):
        FastTextKeyedVectors.load(tmp_path / "words.safetensors")


def test_training_goes_on_with_more_words(sentences: Sentences) -> None:
    model = FastText(vector_size=12, epochs=1, engine="cpu", min_count=2, **NGRAMS)
    model.build_vocab(sentences[:300])
    model.train(sentences[:300], total_examples=model.corpus_count, epochs=1)
    words, rows, unknown = model.wv.index_to_key[:], model._rows(), model.wv["neverseen"]
    model.build_vocab(sentences[300:600], update=True)
    assert model.wv.index_to_key[: len(words)] == words
    assert len(model.wv) > len(words)
    # What was trained stays, whatever rows the new words bring.
    assert model._rows()[: len(words)].tobytes() == rows[: len(words)].tobytes()
    assert model.wv["neverseen"].shape == unknown.shape
    before = model.wv.vectors.copy()
    model.train(sentences[300:600], total_examples=model.corpus_count, epochs=1)
    assert not np.array_equal(before, model.wv.vectors)


def test_gensim_takes_the_model(model: FastText) -> None:
    made = model.to_gensim()
    for word in (model.wv.index_to_key[3], "neverseen"):
        np.testing.assert_allclose(made.wv[word], model.wv[word], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"min_n": 6, "max_n": 3}, ValueError, "the shorter length comes first"),
        ({"min_n": 0}, ValueError, "at least 1 character"),
        ({"bucket": 0}, ValueError, "bucket 0: "),
        ({"word_ngrams": 2}, NotImplementedError, "word_ngrams=2"),
        ({"loss": "softmax"}, ValueError, "softmax"),
        ({"hops": 2}, TypeError, r"FastText\(\) has no argument 'hops'"),
    ],
)
def test_what_cannot_be_is_refused(
    arguments: dict[str, Any], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        FastText(**arguments)


def test_a_tree_is_trained_but_not_saved_as_a_model(sentences: Sentences, tmp_path: Path) -> None:
    model = FastText(sentences[:200], vector_size=8, hs=1, epochs=1, engine="cpu", **NGRAMS)
    assert model.wv["neverseen"].shape == (8,)
    with pytest.raises(ValueError, match="loss"):
        model.save_model(tmp_path / "model.bin")
    assert str(model).startswith("FastText<vocab=")
    assert "FastText(text, " in model._expression() and "bucket=300" in model._expression()
