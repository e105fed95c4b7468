"""Vectors: questions, evaluation, files."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest

import w2v_gpu
from w2v_gpu import KeyedVectors, Word2Vec
from w2v_gpu._statistics import p_value


def test_the_most_similar_words_are_those_of_all_cosines(trained: Word2Vec) -> None:
    wv = trained.wv
    units = wv.vectors / np.linalg.norm(wv.vectors, axis=1, keepdims=True)
    cosines = units @ units[wv.get_index("guitar")]
    order = [index for index in np.argsort(-cosines) if wv.index_to_key[index] != "guitar"]
    found = wv.most_similar("guitar", topn=7)
    assert [word for word, _ in found] == [wv.index_to_key[index] for index in order[:7]]
    assert np.allclose([cosine for _, cosine in found], cosines[order[:7]], atol=1e-6)
    of_each = wv.most_similar_of_each(["storm", "guitar"], topn=7)[1]
    assert [word for word, _ in of_each] == [word for word, _ in found]
    assert np.allclose([cosine for _, cosine in of_each], [cosine for _, cosine in found])


def test_weights_and_vectors_are_keys_too(trained: Word2Vec) -> None:
    wv = trained.wv
    once = wv.most_similar(["paris", "japan"], ["france"])
    assert once[0][0] == "tokyo"
    assert once == wv.most_similar([("paris", 1.0), ("japan", 1.0), ("france", -1.0)])
    assert wv.most_similar([wv["paris"]], topn=1)[0][0] == "paris"


def test_analogies_are_those_of_the_program(trained: Word2Vec, analogies: str) -> None:
    score, sections = trained.wv.evaluate_word_analogies(analogies)
    total = sections[-1]
    assert total["section"] == "Total accuracy"
    assert score == len(total["correct"]) / 3280 and score > 0.5
    # Every question is in one section, and answered as most_similar answers it.
    assert sum(len(s["correct"]) + len(s["incorrect"]) for s in sections[:-1]) == 3280
    for a, b, c, expected in total["correct"][::100]:
        words = [word.lower() for word in (a, b, c)]
        found = trained.wv.most_similar([words[1], words[2]], [words[0]], topn=1)
        assert found[0][0] == expected.lower()


def test_word_pairs_are_correlated(trained: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "pairs.tsv"
    pairs = [("guitar", "trumpet", 9), ("guitar", "storm", 1), ("storm", "drought", 8)]
    path.write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in [*pairs, ("x", "y", 5)]))
    pearson, spearman, left_out = trained.wv.evaluate_word_pairs(path)
    cosines = [trained.wv.similarity(a, b) for a, b, _ in pairs]
    expected = np.corrcoef(cosines, [score for *_, score in pairs])[0, 1]
    assert pearson[0] == pytest.approx(expected, abs=1e-6)
    assert left_out == 25
    assert spearman[0] == pytest.approx(1.0) or spearman[0] == pytest.approx(0.5)


def test_p_values_are_those_of_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for pairs in (3, 4, 17, 353, 5000):
        for correlation in (-0.999, -0.3, 0.0, 1e-6, 0.05, 0.64):
            t = stats.t(pairs - 2)
            spread = ((1 - correlation**2) / (pairs - 2)) ** 0.5
            expected = 2 * t.sf(abs(correlation) / spread)
            assert p_value(correlation, pairs) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert p_value(1.0, 9) == 0 and np.isnan(p_value(0.5, 2))


@pytest.mark.parametrize("name", ["v.txt", "v.bin", "v.glove", "v.npy", "v.safetensors", "v.tsv"])
def test_every_format_is_read_back_bit_for_bit(
    trained: Word2Vec, tmp_path: Path, name: str
) -> None:
    from w2v_gpu import _core

    wv, path = trained.wv, str(tmp_path / name)
    counts = wv.expandos["count"].astype(np.uint64)
    _core.write_vectors(path, wv.index_to_key, counts, wv.vectors, extension=None)
    read = w2v_gpu.load(path)
    assert read.index_to_key == wv.index_to_key
    assert read.vectors.tobytes() == wv.vectors.tobytes()


def test_word2vec_formats_have_gensims_options(trained: Word2Vec, tmp_path: Path) -> None:
    wv, path, vocab = trained.wv, tmp_path / "v", tmp_path / "vocab"
    wv.save_word2vec_format(path, vocab, binary=True, prefix="w_")
    read = KeyedVectors.load_word2vec_format(path, binary=True, limit=3, datatype=np.float16)
    assert read.index_to_key == [f"w_{word}" for word in wv.index_to_key[:3]]
    assert read.vectors.dtype == np.float16
    assert vocab.read_text().splitlines()[0] == f"w_the {wv.get_vecattr('the', 'count')}"
    wv.save_word2vec_format(path, vocab, write_header=False)
    read = KeyedVectors.load_word2vec_format(path, vocab, no_header=True)
    assert read.get_vecattr("the", "count") == wv.get_vecattr("the", "count")


def test_vectors_are_saved_whole(trained: Word2Vec, tmp_path: Path) -> None:
    path = tmp_path / "vectors.safetensors"
    trained.wv.save(path)
    for other in (
        KeyedVectors.load(path),
        KeyedVectors.load(path, mmap="r"),
        w2v_gpu.load(path),
        pickle.loads(pickle.dumps(trained.wv)),
        copy.deepcopy(trained.wv),
    ):
        assert other.index_to_key == trained.wv.index_to_key
        assert other.vectors.tobytes() == trained.wv.vectors.tobytes()
        assert np.array_equal(other.expandos["count"], trained.wv.expandos["count"])


def test_attributes_that_are_not_saved_are_told(tmp_path: Path) -> None:
    vectors = KeyedVectors(1)
    vectors.add_vectors(["a", "b"], [[1.0], [2.0]], extras={"count": [3, 4], "kind": ["x", "y"]})
    vectors.set_vecattr("b", "length", 2.5)
    assert vectors.get_vecattr("b", "kind") == "y"
    assert vectors.get_vecattr("a", "length") == 0
    with pytest.warns(UserWarning, match=r"not saved: \['kind', 'length'\]"):
        vectors.save(tmp_path / "v")
    assert KeyedVectors.load(tmp_path / "v").get_vecattr("b", "count") == 4


def test_words_are_added_and_replaced() -> None:
    vectors = KeyedVectors(2)
    vectors["a"] = [1.0, 0.0]
    vectors.add_vectors(["a", "b"], [[5.0, 5.0], [0.0, 1.0]])
    assert vectors["a"].tolist() == [1.0, 0.0]
    vectors[["a", "c"]] = [[0.0, 2.0], [3.0, 0.0]]
    assert vectors[["a", "b", "c"]].tolist() == [[0, 2], [0, 1], [3, 0]]
    assert vectors.most_similar("a", topn=1) == [("b", 1.0)]
    with pytest.raises(ValueError, match="vectors of 3 values"):
        vectors["d"] = [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match="read-only"):
        vectors["a"][0] = 1


def test_questions_of_gensim_have_their_answers() -> None:
    vectors = KeyedVectors(2)
    vectors.add_vectors(["east", "north", "south", "nowhere"], [[2, 0], [0, 1], [0, -1], [0, 0]])
    assert vectors.similarity("north", "south") == -1
    assert vectors.distance("east", "north") == 1
    assert vectors.similarity("east", "nowhere") == 0
    assert vectors.rank("north", "east") == 1
    assert vectors.closer_than("north", "south") == ["east", "nowhere"]
    assert vectors.most_similar_to_given("north", ["south", "east"]) == "east"
    assert vectors.doesnt_match(["east", "north", "south"]) in ("north", "south")
    assert vectors.distances("east", ["north"]).tolist() == [1]
    assert np.linalg.norm(vectors.get_vector("east", norm=True)) == 1
    assert vectors.get_normed_vectors().tolist() == [[1, 0], [0, 1], [0, -1], [0, 0]]


def test_vectors_become_those_of_gensim(trained: Word2Vec) -> None:
    pytest.importorskip("gensim")
    theirs = trained.wv.to_gensim()
    assert theirs.most_similar("storm", topn=1)[0][0] == trained.wv.most_similar("storm")[0][0]
    assert theirs.get_vecattr("the", "count") == trained.wv.get_vecattr("the", "count")
