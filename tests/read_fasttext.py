"""Compares the vectors of models with those that fastText itself has of them: `BINARY MODEL...`.

Beside each MODEL lies MODEL.txt, into which the binary has converted it.
"""

import json
import subprocess
import sys

import fasttext
import numpy as np


def check_words(path, model):
    """The vectors of the vocabulary, to the last bit."""
    with open(f"{path}.txt", encoding="utf-8") as file:
        next(file)
        rows = [line.rstrip("\n").split(" ") for line in file]
    assert [row[0] for row in rows] == model.get_words(), "the words differ"
    for word, *values in rows:
        different = np.array(values, dtype="<f4") != model.get_word_vector(word)
        assert not different.any(), f"{path}: the vector of {word} differs"
    print(f"fastText, {path.rsplit('/', 1)[-1]}: {len(rows)} vectors are equal")


def check_unknown(binary, path, model):
    """The cosines of words that no model of the proof has."""
    for word in ["наказанием", "punishments", "日本人"]:
        vector = model.get_word_vector(word)
        command = [binary, "neighbors", path, word, "--json", "-n", "5"]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        for neighbor in answer["neighbors"]:
            other = model.get_word_vector(neighbor["word"])
            cosine = vector @ other / np.linalg.norm(vector) / np.linalg.norm(other)
            assert abs(cosine - neighbor["cosine"]) < 1e-5, (word, neighbor, cosine)
    print(f"fastText, {path.rsplit('/', 1)[-1]}: unknown words have the same cosines")


def main():
    binary, *models = sys.argv[1:]
    fasttext.FastText.eprint = lambda _: None
    for path in models:
        model = fasttext.load_model(path)
        check_words(path, model)
        if model.f.getArgs().maxn > 0:
            check_unknown(binary, path, model)


if __name__ == "__main__":
    main()
