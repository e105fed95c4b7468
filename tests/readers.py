"""Loads what tests/readers.sh made with the tools people use, and compares every value with the word2vec text file."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import gensim
import numpy as np
import safetensors
import safetensors.numpy
import spacy
from gensim.models import KeyedVectors
from gensim.models.fasttext import load_facebook_model, load_facebook_vectors


def read_text(path):
    """The words and the matrix of a word2vec text file, read without any of the tools."""
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    words = [row.split(" ")[0] for row in rows]
    matrix = np.array([row.split(" ")[1:] for row in rows], dtype="<f4")
    assert matrix.shape == tuple(int(size) for size in header.split()), (header, matrix.shape)
    assert np.isfinite(matrix).all() and matrix.std() > 0.01, "nothing was learned"
    assert len(words) > 1000 and "東京" in words, words[:5]
    return words, matrix


def compare(name, words, matrix, expected_words, expected):
    assert list(words) == list(expected_words), f"{name}: the words differ"
    assert matrix.dtype == expected.dtype, f"{name}: {matrix.dtype} instead of {expected.dtype}"
    assert matrix.shape == expected.shape, f"{name}: {matrix.shape} instead of {expected.shape}"
    different = int((matrix.view(f"u{matrix.itemsize}") != expected.view(f"u{matrix.itemsize}")).sum())
    assert different == 0, f"{name}: {different} of {matrix.size} values differ"
    print(f"{name}: {matrix.shape[0]} x {matrix.shape[1]} {matrix.dtype} values are equal")


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def load_all(folder, words, matrix):
    """Everything the binary wrote, through its usual reader."""
    half = matrix.astype("<f2")
    for name, options in [("v.txt", {}), ("v.bin", {"binary": True}), ("v.glove", {"no_header": True})]:
        vectors = KeyedVectors.load_word2vec_format(str(folder / name), **options)
        compare(f"gensim, {name}", vectors.index_to_key, vectors.vectors, words, matrix)
    for stem, expected in [("v", matrix), ("half", half)]:
        loaded = np.load(folder / f"{stem}.npy", allow_pickle=False)
        compare(f"NumPy, {stem}.npy", lines(folder / f"{stem}.vocab"), loaded, words, expected)
        path = folder / f"{stem}.safetensors"
        loaded = safetensors.numpy.load_file(path)
        assert list(loaded) == ["vectors"], list(loaded)
        with safetensors.safe_open(path, framework="numpy") as file:
            found = json.loads(file.metadata()["words"])
        compare(f"safetensors, {path.name}", found, loaded["vectors"], words, expected)
    table = np.loadtxt(folder / "v.tsv", delimiter="\t", dtype="<f4", comments=None)
    compare("NumPy, v.tsv", lines(folder / "v.metadata.tsv"), table, words, matrix)

    vocab = spacy.load(folder / "spacy").vocab
    assert len(vocab.vectors) == len(words), len(vocab.vectors)
    compare("spaCy, v.txt", words, np.stack([vocab.get_vector(word) for word in words]), words, matrix)


def write_all(folder, words, matrix):
    """The same vectors written by the usual tools: the names of the files."""
    vectors = KeyedVectors(matrix.shape[1], dtype=np.float32)
    vectors.add_vectors(words, matrix)
    vectors.save_word2vec_format(str(folder / "gensim.bin"), binary=True)
    vectors.save_word2vec_format(str(folder / "gensim.txt"))
    vectors.save_word2vec_format(str(folder / "gensim.glove"), write_header=False)
    # gensim packs what is named so.
    vectors.save_word2vec_format(str(folder / "packed.bin.gz"), binary=True)
    vectors.save_word2vec_format(str(folder / "packed.txt.bz2"))
    np.save(folder / "numpy.npy", matrix)
    (folder / "numpy.vocab").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    np.savetxt(folder / "numpy.tsv", matrix, delimiter="\t", fmt="%.9g")
    (folder / "numpy.metadata.tsv").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    safetensors.numpy.save_file({"vectors": matrix}, folder / "st.safetensors", {"words": json.dumps(words)})
    packed = ["packed.bin.gz", "packed.txt.bz2"]
    return ["gensim.bin", "gensim.txt", "gensim.glove", *packed, "numpy.npy", "numpy.tsv", "st.safetensors"]


def load_odd(binary, folder):
    """Rows as published vectors have them: what is written of them is read by gensim to the same words."""
    words = ["river", "\u00a0", "big\u2009bang", "new york", "\t", "stone"]
    matrix = np.arange(12, dtype="<f4").reshape(6, 2) / 7
    rows = [" ".join([word, *map(str, row)]) for word, row in zip(words, matrix.tolist())]
    (folder / "odd.vec").write_text("\n".join(["7 2", *rows, "river 9 9", ""]), encoding="utf-8")
    kept = [0, 1, 2, 5]
    for name, options in [("odd.txt", {}), ("odd.bin", {"binary": True}), ("odd.glove", {"no_header": True})]:
        subprocess.run([binary, "convert", folder / "odd.vec", folder / name], check=True, stderr=subprocess.DEVNULL)
        vectors = KeyedVectors.load_word2vec_format(str(folder / name), **options)
        compare(f"gensim, {name}", vectors.index_to_key, vectors.vectors, [words[row] for row in kept], matrix[kept])


def convert(binary, source, target):
    subprocess.run([binary, "convert", source, target], check=True, stderr=subprocess.DEVNULL)


def load_saved_model(folder):
    """The model that the binary wrote: gensim has its words, counts and vectors, and can train on."""
    words, matrix = lines(folder / "saved.vocab"), np.load(folder / "saved.npy")
    words, counts = zip(*(line.rsplit(" ", 1) for line in words))
    vectors = load_facebook_vectors(str(folder / "saved.bin"))
    compare("gensim, saved.bin", vectors.index_to_key, np.stack([vectors[word] for word in words]), words, matrix)
    model = load_facebook_model(str(folder / "saved.bin"))
    assert [model.wv.get_vecattr(word, "count") for word in words] == [int(count) for count in counts]
    assert (model.sg, model.cbow_mean, model.window, model.negative, model.epochs) == (0, 1, 5, 5, 1), vars(model)
    before = model.wv.vectors_vocab.copy()
    model.train([["japan", "tokyo", "storm"]] * 20, total_examples=20, epochs=1)
    assert (model.wv.vectors_vocab != before).any(), "gensim could not train on"


def load_crime_and_punishment(binary, folder):
    """A model that fastText trained: the vectors of its words, and of words that it never saw."""
    data = Path(gensim.__file__).parent / "test" / "test_data"
    # The copy has a name that does not tell the format.
    shutil.copy(data / "crime-and-punishment.bin", folder / "crime.bin")
    convert(binary, folder / "crime.bin", folder / "crime.npy")
    found = np.load(folder / "crime.npy")
    header, *rows = (data / "crime-and-punishment.vec").read_text(encoding="utf-8").splitlines()
    rows = [row.rstrip().split(" ") for row in rows]
    words = [row[0] for row in rows]
    assert header == f"{len(words)} {found.shape[1]}" and not "".join(words).isascii(), header
    written = np.array([row[1:] for row in rows], dtype="<f4")
    listed = [line.rsplit(" ", 1)[0] for line in lines(folder / "crime.vocab")]
    assert listed == words, "the words differ"
    assert np.abs(found - written).max() < 5e-6, np.abs(found - written).max()
    print(f"crime-and-punishment.bin: {len(words)} vectors are those of fastText's .vec")

    model = load_facebook_vectors(str(data / "crime-and-punishment.bin"))
    unknown = ["преступник", "наказания", "Петербурге", "punishment", "日本人", "x"]
    assert not set(unknown) & set(words)
    for word in unknown:
        expected = model.most_similar(positive=[model.get_vector(word)], topn=len(words))
        command = [binary, "neighbors", folder / "crime.bin", word, "--json", "-n", str(len(words))]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        assert answer["composed"] is True, answer
        cosines = {neighbor["word"]: neighbor["cosine"] for neighbor in answer["neighbors"]}
        assert cosines.keys() == set(words)
        # gensim adds n-grams to the line end, to which fastText gives none.
        others = [(other, cosine) for other, cosine in expected if other != "</s>"]
        assert max(abs(cosines[other] - cosine) for other, cosine in others) < 1e-5, word
    print(f"crime-and-punishment.bin: {len(unknown)} unknown words have gensim's cosines with all words")


def main():
    binary, folder = sys.argv[1], Path(sys.argv[2])
    words, matrix = read_text(folder / "v.txt")
    load_all(folder, words, matrix)
    load_odd(binary, folder)
    load_saved_model(folder)
    load_crime_and_punishment(binary, folder)
    for name in write_all(folder, words, matrix):
        subprocess.run([binary, "convert", folder / name, folder / "back.txt"], check=True, stderr=subprocess.DEVNULL)
        compare(f"written elsewhere, {name}", *read_text(folder / "back.txt"), words, matrix)


if __name__ == "__main__":
    main()
