"""Training of words that are composed of n-grams: the class ``FastText``."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from w2v_gpu import _core, _files
from w2v_gpu.corpus import Path
from w2v_gpu.keyedvectors import FastTextKeyedVectors, Floats, _counts, _floats
from w2v_gpu.word2vec import Word2Vec

_BUCKETS = 2_000_000


class FastText(Word2Vec):
    """Trains vectors of words and of their n-grams, so that words never seen have vectors too.

    >>> model = FastText([["a", "cat"], ["a", "dog"]] * 20, vector_size=10)
    >>> model.wv["catdog"].shape
    (10,)

    The vector of a word is the mean of its own row and of those of its n-grams, as in fastText. Its
    methods are those of :class:`Word2Vec`; the vectors of :attr:`wv` are the composed ones.
    """

    _FILES = "FastText"

    wv: FastTextKeyedVectors
    """The words and their vectors, and the rows of n-grams."""

    def __init__(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
        *,
        min_n: int = 3,
        max_n: int = 6,
        bucket: int = _BUCKETS,
        word_ngrams: int = 1,
        **options: Any,
    ) -> None:
        """Makes a model, and trains it if there are ``sentences`` or a ``corpus_file``.

        Parameters
        ----------
        min_n, max_n
            Characters of an n-gram, those that mark the ends of a word included: 1 to 64.
        bucket
            Buckets that n-grams are hashed to. Only those that the words use take memory.
        word_ngrams
            1 is all there is, as in gensim.
        options
            All arguments of :class:`Word2Vec`, by their names.

        Raises as :class:`Word2Vec` does.
        """
        if word_ngrams != 1:
            raise NotImplementedError(f"word_ngrams={word_ngrams}: take 1")
        self.min_n, self.max_n, self.bucket = min_n, max_n, bucket
        self._words: Floats = np.zeros((0, 0), np.float32)
        super().__init__(sentences, corpus_file, **options)

    def _new_vectors(self) -> FastTextKeyedVectors:
        return FastTextKeyedVectors(
            self.vector_size, min_n=self.min_n, max_n=self.max_n, bucket=self.bucket
        )

    def _settings(self, **others: object) -> str:
        settings = json.loads(super()._settings(**others))
        settings["subwords"] = f"{self.min_n}-{self.max_n}"
        settings["buckets"] = self.bucket
        return json.dumps(settings)

    def _table(self) -> tuple[str, list[str], npt.NDArray[np.uint64]]:
        """What names the n-grams of the vocabulary."""
        return self._settings(), self.wv.index_to_key, _counts(self.wv.expandos["count"])

    def _keep(self, rows: Floats) -> None:
        words = len(self.wv)
        rows[: len(self._words)] = self._words
        places = self.wv._places(_core.ngram_buckets(*self._table()))
        known = places >= 0
        rows[words:][known] = self.wv.vectors_ngrams[places[known]]

    def _rows(self) -> Floats:
        places = self.wv._places(_core.ngram_buckets(*self._table()))
        return np.concatenate([self._words, self.wv.vectors_ngrams[places]])

    def _take(self, rows: Floats, output: Floats) -> None:
        words = len(self.wv)
        vectors, buckets = _core.compose_words(*self._table(), rows)
        self._words = rows[:words].copy()
        self.wv._set_ngrams(buckets, rows[words:])
        super()._take(vectors, output)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return super()._arrays() | {"words": _floats(self._words)}

    def _take_contents(self, path: Path, contents: _files.Contents) -> None:
        self.wv = FastTextKeyedVectors._from_contents(path, contents)
        self.min_n, self.max_n, self.bucket = self.wv.min_n, self.wv.max_n, self.wv.bucket
        self._words = contents.arrays["words"]

    def estimate_memory(self, vocab_size: int | None = None) -> dict[str, int]:
        """Bytes that the two matrices take, and their sum, with the n-grams known by now."""
        needed = super().estimate_memory(vocab_size)
        ngrams = 4 * len(self.wv.buckets) * self.vector_size
        return {**needed, "vectors": needed["vectors"] + ngrams, "total": needed["total"] + ngrams}

    def to_gensim(self) -> Any:
        """The same model as gensim's ``FastText``, by way of a temporary file.

        Raises ``ImportError`` without gensim, otherwise as :meth:`save_model`.
        """
        from gensim.models.fasttext import load_facebook_model

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.bin")
            self.save_model(path)
            return load_facebook_model(path)

    def _own_arguments(self) -> list[str]:
        defaults = {"min_n": 3, "max_n": 6, "bucket": _BUCKETS}
        given = {name: getattr(self, name) for name in defaults}
        return [f"{name}={value}" for name, value in given.items() if value != defaults[name]]
