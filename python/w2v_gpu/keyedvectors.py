"""Word vectors by word: similarity, evaluation, files."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from w2v_gpu import _core, _files
from w2v_gpu._statistics import p_value
from w2v_gpu.corpus import Path

Floats: TypeAlias = npt.NDArray[np.float32]
Key: TypeAlias = "str | int | np.integer[Any] | Floats"
"""A word, its index, or a vector."""
Weighted: TypeAlias = "Key | tuple[Key, float]"
"""The same, or a pair of it and a weight."""
Keys: TypeAlias = "Weighted | Sequence[Weighted] | None"
Scores: TypeAlias = "list[tuple[str, float]]"
"""Words with their scores, the highest first."""

# Words among which those of similar spelling are looked for.
_SPELLING_WORDS = 100_000
# Questions that are answered by one product of matrices.
_BLOCK = 256


class KeyedVectors:
    """Words and their vectors, with the names that gensim's class of this name has.

    It holds NumPy arrays and lists alone, so ``pickle``, ``copy.deepcopy`` and ``joblib`` take it.

    >>> vectors = KeyedVectors(2)
    >>> vectors.add_vectors(["cat", "dog", "car"], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> [(word, round(cosine, 2)) for word, cosine in vectors.most_similar("cat")]
    [('dog', 0.8), ('car', 0.0)]

    The examples of the methods ask these vectors, which ``_example()`` makes.
    """

    vectors: npt.NDArray[Any]
    """The vectors: a row of ``vector_size`` float32 for each word, the most frequent word first."""
    index_to_key: list[str]
    """The words, in the order of the rows."""
    key_to_index: dict[str, int]
    """The row of each word."""
    expandos: dict[str, npt.NDArray[Any]]
    """Attributes of the words by name, one value a row: ``expandos["count"]`` has the occurrences
    in the text, 0 where they are not known."""

    def __init__(self, vector_size: int, count: int = 0, dtype: npt.DTypeLike = np.float32) -> None:
        """An object without words. ``count`` is there for gensim's callers and reserves nothing."""
        self.vector_size = int(vector_size)
        self.vectors = np.zeros((0, self.vector_size), dtype=dtype)
        self.index_to_key = []
        self.key_to_index = {}
        self.expandos = {"count": np.zeros(0, dtype=np.int64)}
        self.norms: Floats | None = None
        # Whether the words have codes, by the tree of hierarchical softmax.
        self._has_tree = False

    @classmethod
    def _of(
        cls,
        words: list[str],
        counts: npt.ArrayLike,
        vectors: npt.NDArray[Any],
    ) -> KeyedVectors:
        """Vectors of words that are all different."""
        made = cls(vectors.shape[1])
        made._set_words(words, counts)
        made.vectors = vectors
        return made

    def _set_words(self, words: list[str], counts: npt.ArrayLike) -> None:
        self.index_to_key = words
        self.key_to_index = {word: index for index, word in enumerate(words)}
        self.expandos = {"count": np.asarray(counts, dtype=np.int64)}
        self.norms = None

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key)

    def __str__(self) -> str:
        return f"KeyedVectors<vector_size={self.vector_size}, {len(self)} keys>"

    __repr__ = __str__

    # Words and their rows

    def has_index_for(self, key: object) -> bool:
        """Whether a word, or the index of one, is there."""
        return self._index(key) is not None

    def _index(self, key: object) -> int | None:
        if isinstance(key, str):
            return self.key_to_index.get(key)
        if isinstance(key, Integral) and 0 <= int(key) < len(self):
            return int(key)
        return None

    def get_index(self, key: object, default: int | None = None) -> int:
        """The row of a word. An index stands for itself.

        Raises ``KeyError`` for an unknown word, unless there is a ``default``.

        >>> _example().get_index("dog")
        1
        """
        index = self._index(key)
        if index is None:
            index = default
        if index is None:
            raise KeyError(self._unknown(key))
        return index

    def _unknown(self, key: object) -> str:
        if not isinstance(key, str):
            return f"{key!r} is neither a word nor the index of one of the {len(self)} words"
        alike = _core.alike(self.index_to_key[:_SPELLING_WORDS], key, 3)
        hint = f"; spelt alike are {', '.join(map(repr, alike))}" if alike else ""
        return f"the word {key!r} is not among the {len(self)} of the vectors{hint}"

    def __getitem__(self, keys: Key | Sequence[Key]) -> npt.NDArray[Any]:
        """The vector of a word, or a matrix with the vectors of a list of words.

        >>> _example()[["cat", "dog"]].shape
        (2, 2)
        """
        if isinstance(keys, (str, Integral)):
            return self.get_vector(keys)
        return self._rows_of(cast("Sequence[Key]", keys))

    def _rows_of(self, keys: Sequence[Key]) -> npt.NDArray[Any]:
        rows = [self.get_index(key) for key in keys]
        return self.vectors[np.array(rows, dtype=np.intp)]

    def get_vector(self, key: object, norm: bool = False) -> npt.NDArray[Any]:
        """The vector of a word, which cannot be written to; with ``norm`` it has length 1.

        Raises ``KeyError`` for an unknown word.

        >>> _example().get_vector("dog").tolist()
        [0.800000011920929, 0.6000000238418579]
        """
        index = self.get_index(key)
        vector = self.vectors[index]
        if norm:
            vector = vector / self._norms()[index]
        vector.flags.writeable = False
        return cast("npt.NDArray[Any]", vector)

    def fill_norms(self, force: bool = False) -> None:
        """Computes the lengths of all vectors, which queries need, once.

        Call it with ``force`` after you have written to :attr:`vectors` yourself.
        """
        if self.norms is None or force or len(self.norms) != len(self.vectors):
            norms = np.linalg.norm(self.vectors.astype(np.float32, copy=False), axis=1)
            # A vector of zeros has the cosine 0 to all others.
            norms[norms == 0] = 1
            self.norms = norms.astype(np.float32, copy=False)

    def _norms(self) -> Floats:
        self.fill_norms()
        assert self.norms is not None
        return self.norms

    def get_normed_vectors(self) -> Floats:
        """A matrix of all vectors, each of length 1.

        >>> _example().get_normed_vectors().shape
        (3, 2)
        """
        return cast("Floats", self.vectors / self._norms()[:, None])

    def unit_normalize_all(self) -> None:
        """Makes the length of every vector 1."""
        self.vectors = self.get_normed_vectors()
        self.norms = None

    def get_mean_vector(
        self,
        keys: Iterable[Key],
        weights: Iterable[float] | None = None,
        pre_normalize: bool = True,
        post_normalize: bool = False,
        ignore_missing: bool = True,
    ) -> Floats:
        """The weighted mean of vectors. A vector among the keys is taken as it is.

        Raises ``ValueError`` for no keys, and for another number of weights; ``KeyError`` for an
        unknown word, unless unknown words are ignored, which is the default.

        >>> _example().get_mean_vector(["cat", "car"], weights=[3, 1]).tolist()
        [0.75, 0.25]
        """
        keys = list(keys)
        factors = [1.0] * len(keys) if weights is None else [float(weight) for weight in weights]
        if not keys:
            raise ValueError("there are no keys to take the mean of")
        if len(keys) != len(factors):
            raise ValueError(f"{len(keys)} keys have {len(factors)} weights")
        mean = np.zeros(self.vector_size, dtype=np.float32)
        total = 0.0
        for key, factor in zip(keys, factors):
            if isinstance(key, np.ndarray):
                mean += np.float32(factor) * key
            elif key in self:
                mean += np.float32(factor) * self.get_vector(key, norm=pre_normalize)
            elif ignore_missing:
                continue
            else:
                raise KeyError(self._unknown(key))
            total += abs(factor)
        if total > 0:
            mean /= np.float32(total)
        if post_normalize:
            mean /= np.linalg.norm(mean) or np.float32(1)
        return mean

    # Attributes and new words

    def set_vecattr(self, key: object, attr: str, val: object) -> None:
        """Sets an attribute of a word; other words have 0 or None until theirs is set.

        >>> vectors = _example()
        >>> vectors.set_vecattr("cat", "legs", 4)
        >>> int(vectors.get_vecattr("cat", "legs")), int(vectors.get_vecattr("car", "legs"))
        (4, 0)
        """
        index = self.get_index(key)
        if attr not in self.expandos:
            kind = np.result_type(type(val)) if isinstance(val, (int, float)) else np.dtype(object)
            self.expandos[attr] = np.zeros(len(self), dtype=kind)
        self.expandos[attr][index] = val

    def get_vecattr(self, key: object, attr: str) -> Any:
        """An attribute of a word, such as its ``"count"``.

        After a training with ``hs=1``, ``"code"`` is the word's code in the tree, an array of 0
        and 1.

        Raises ``KeyError`` for an unknown word and for an attribute that no word has.
        """
        index = self.get_index(key)
        if attr == "code" and attr not in self.expandos and self._has_tree:
            codes = _core.tree_codes(_counts(self.expandos["count"]))
            return np.frombuffer(codes[index], dtype=np.uint8)
        return self.expandos[attr][index]

    def add_vector(self, key: str, vector: npt.ArrayLike) -> int:
        """Adds a word with its vector; returns its index."""
        self.add_vectors([key], [vector])
        return self.get_index(key)

    def add_vectors(
        self,
        keys: str | Sequence[str],
        weights: npt.ArrayLike | Sequence[npt.ArrayLike],
        extras: Mapping[str, npt.ArrayLike] | None = None,
        replace: bool = False,
    ) -> None:
        """Adds words with their vectors, one a row.

        ``extras`` are attributes of these words, by name. Words that are there keep their vectors,
        unless ``replace`` is true.

        Raises ``ValueError`` for vectors of another size or number.

        >>> vectors = _example()
        >>> vectors.add_vectors(["boat"], [[0.5, 0.5]], extras={"count": [7]})
        >>> len(vectors), int(vectors.get_vecattr("boat", "count"))
        (4, 7)
        """
        if isinstance(keys, str):
            keys = [keys]
        rows = np.asarray(weights, dtype=self.vectors.dtype).reshape(len(keys), -1)
        if len(keys) and rows.shape[1] != self.vector_size:
            needed = self.vector_size
            raise ValueError(f"vectors of {rows.shape[1]} values, and {needed} are needed")
        own = len(self)
        for key in keys:
            if key not in self.key_to_index:
                self.key_to_index[key] = len(self.index_to_key)
                self.index_to_key.append(key)
        places = np.array([self.key_to_index[key] for key in keys], dtype=np.intp)
        written = np.ones(len(keys), dtype=bool) if replace else places >= own
        self.vectors = _longer(self.vectors, len(self))
        self.vectors[places[written]] = rows[written]
        self.norms = None
        self._extend_attributes(extras or {}, places[written], written)

    def _extend_attributes(
        self,
        extras: Mapping[str, npt.ArrayLike],
        places: npt.NDArray[np.intp],
        written: npt.NDArray[np.bool_],
    ) -> None:
        for name in {*self.expandos, *extras}:
            given = np.asarray(extras[name]) if name in extras else None
            empty = np.zeros(0, dtype=None if given is None else given.dtype)
            self.expandos[name] = _longer(self.expandos.get(name, empty), len(self))
            if given is not None:
                self.expandos[name][places] = given[written]

    def __setitem__(self, keys: str | Sequence[str], weights: npt.ArrayLike) -> None:
        """Sets the vector of a word, or those of a list of words."""
        self.add_vectors(keys, weights, replace=True)

    def vectors_for_all(
        self, keys: Iterable[str], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> KeyedVectors:
        """Vectors of those of the words that have one. ``allow_inference`` has no effect here.

        >>> _example().vectors_for_all(["car", "boat", "cat"]).index_to_key
        ['car', 'cat']
        """
        known = [key for key in dict.fromkeys(keys) if key in self]
        rows = [self.get_index(key) for key in known]
        made = self._of(known, np.zeros(len(known)), self.vectors[rows])
        if copy_vecattrs:
            made.expandos = {name: values[rows] for name, values in self.expandos.items()}
        return made

    def sort_by_descending_frequency(self) -> None:
        """Puts the words in the order of their counts, the most frequent first."""
        order = np.argsort(self.expandos["count"], kind="stable")[::-1]
        attributes = {name: values[order] for name, values in self.expandos.items()}
        self._set_words([self.index_to_key[index] for index in order], attributes["count"])
        self.expandos, self.vectors = attributes, self.vectors[order]

    # Similarity

    def most_similar(
        self,
        positive: Keys = None,
        negative: Keys = None,
        topn: int | None = 10,
        clip_start: int = 0,
        clip_end: int | None = None,
        restrict_vocab: int | None = None,
        indexer: Any = None,
    ) -> Any:
        """The words whose vectors have the highest cosine with a mean of vectors.

        The mean is that of the unit vectors of the positive words less those of the negative ones:
        ``most_similar(["paris", "japan"], ["france"])`` asks what is to japan as paris is to
        france. A key may be a word, its index, a vector, or a pair of one of these and a weight.

        Parameters
        ----------
        topn
            The number of words; None returns an array of all cosines instead.
        clip_start, clip_end, restrict_vocab
            Only the words from index ``clip_start`` up to ``clip_end``, or the first
            ``restrict_vocab``, are answers.
        indexer
            An object whose ``most_similar(vector, topn)`` answers instead.

        Raises ``KeyError`` for an unknown word, ``ValueError`` where there is no key.

        >>> [word for word, _ in _example().most_similar(["cat", "car"], topn=1)]
        ['dog']
        """
        if topn is not None and topn < 1:
            return []
        weighted = _weighted(positive, 1.0) + _weighted(negative, -1.0)
        keys, factors = [key for key, _ in weighted], [factor for _, factor in weighted]
        mean = self.get_mean_vector(
            keys, factors, pre_normalize=True, post_normalize=True, ignore_missing=False
        )
        own = {self._index(key) for key in keys if not isinstance(key, np.ndarray)}
        if indexer is not None and topn is not None:
            return indexer.most_similar(mean, topn)
        end = restrict_vocab or clip_end or len(self)
        rows = slice(clip_start, end)
        cosines = self.vectors[rows] @ mean / self._norms()[rows]
        if topn is None:
            return cosines
        excluded = {index - clip_start for index in own if index is not None}
        return self._ranked(cosines, topn, excluded, clip_start)

    def _ranked(
        self, scores: Floats, topn: int, excluded: set[int], start: int = 0
    ) -> list[tuple[str, float]]:
        best = _highest(scores, topn + len(excluded))
        found = [index for index in best if index not in excluded][:topn]
        return [(self.index_to_key[start + index], float(scores[index])) for index in found]

    def most_similar_of_each(self, keys: Iterable[Key], topn: int = 10) -> list[Scores]:
        """The most similar words of each of many words, itself left out: a list for each.

        The cosines are products of whole matrices, which takes a fraction of the time of as many
        calls of :meth:`most_similar`.

        >>> [found[0][0] for found in _example().most_similar_of_each(["cat", "car"], topn=1)]
        ['dog', 'dog']
        """
        indices = [self.get_index(key) for key in keys]
        units = self.get_normed_vectors()
        found = []
        for first in range(0, len(indices), _BLOCK):
            block = indices[first : first + _BLOCK]
            for index, cosines in zip(block, units[block] @ units.T):
                found.append(self._ranked(cosines, topn, {index}))
        return found

    def similar_by_word(
        self, word: Key, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The most similar words of a word; see :meth:`most_similar`.

        >>> _example().similar_by_word("cat", topn=1)[0][0]
        'dog'
        """
        return self.most_similar(positive=[word], topn=topn, restrict_vocab=restrict_vocab)

    similar_by_key = similar_by_word

    def similar_by_vector(
        self, vector: npt.ArrayLike, topn: int | None = 10, restrict_vocab: int | None = None
    ) -> Any:
        """The words most similar to a vector; see :meth:`most_similar`.

        >>> _example().similar_by_vector([1.0, 0.1], topn=1)[0][0]
        'cat'
        """
        query = np.asarray(vector, dtype=np.float32)
        return self.most_similar(positive=[query], topn=topn, restrict_vocab=restrict_vocab)

    def most_similar_cosmul(
        self,
        positive: Keys = None,
        negative: Keys = None,
        topn: int | None = 10,
        restrict_vocab: int | None = None,
    ) -> Any:
        """As :meth:`most_similar`, by the product of the cosines (3CosMul, Levy and Goldberg 2014).

        Each cosine is shifted to be from 0 to 1. Weights have no effect.

        >>> _example().most_similar_cosmul(["cat", "car"], topn=1)[0][0]
        'dog'
        """
        if topn is not None and topn < 1:
            return []
        halves = [_weighted(positive, 1.0), _weighted(negative, 1.0)]
        if not halves[0] + halves[1]:
            raise ValueError("there are no keys to compare with")
        own: set[Any] = set()
        products = []
        units = self.get_normed_vectors()[:restrict_vocab]
        for half in halves:
            product = np.ones(len(units), dtype=np.float32)
            for key, _ in half:
                if not isinstance(key, np.ndarray):
                    own.update({self._index(key)} - {None})
                    key = self.get_vector(key, norm=True)
                product *= (1 + units @ np.asarray(key, dtype=np.float32)) / 2
            products.append(product)
        scores = products[0] / (products[1] + np.float32(1e-6))
        return scores if topn is None else self._ranked(scores, topn, own)

    def similarity(self, w1: object, w2: object) -> float:
        """The cosine of two words, from -1 to 1.

        >>> round(_example().similarity("cat", "dog"), 6)
        0.8
        """
        return _cosine(self.get_vector(w1), self.get_vector(w2))

    def distance(self, w1: object, w2: object) -> float:
        """1 less the cosine of two words.

        >>> _example().distance("cat", "car")
        1.0
        """
        return 1 - self.similarity(w1, w2)

    def distances(self, word_or_vector: Key, other_words: Iterable[Key] = ()) -> Floats:
        """1 less the cosine of a word or vector and each other word, which are all if not given.

        >>> [round(float(distance), 2) for distance in _example().distances("cat")]
        [0.0, 0.2, 1.0]
        """
        other_words = list(other_words)
        if isinstance(word_or_vector, np.ndarray):
            vector = word_or_vector
        else:
            vector = self.get_vector(word_or_vector)
        rows = [self.get_index(word) for word in other_words] if other_words else slice(None)
        length = np.linalg.norm(vector) or np.float32(1)
        return cast("Floats", 1 - self.vectors[rows] @ vector / (self._norms()[rows] * length))

    def n_similarity(self, ws1: Sequence[Key], ws2: Sequence[Key]) -> float:
        """The cosine of the means of two lists of words.

        Raises ``ZeroDivisionError`` for an empty list.

        >>> round(_example().n_similarity(["cat", "dog"], ["dog"]), 2)
        0.95
        """
        if not (len(ws1) and len(ws2)):
            raise ZeroDivisionError("a mean of no words is asked for")
        return _cosine(self[ws1].mean(axis=0), self[ws2].mean(axis=0))

    @staticmethod
    def cosine_similarities(vector_1: npt.ArrayLike, vectors_all: npt.ArrayLike) -> Floats:
        """The cosines of a vector with each row of a matrix."""
        vector, rows = np.asarray(vector_1), np.asarray(vectors_all)
        lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
        return cast("Floats", rows @ vector / np.where(lengths == 0, 1, lengths))

    def doesnt_match(self, words: Iterable[str]) -> str:
        """The word whose vector is farthest from the mean of all. Unknown words are left out.

        Raises ``ValueError`` where no word is known.

        >>> _example().doesnt_match(["cat", "dog", "car"])
        'car'
        """
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(
        self, words: Iterable[str], use_norm: bool = True
    ) -> list[tuple[float, str]]:
        """Words by falling cosine with the mean of their unit vectors, with that cosine."""
        known = [word for word in words if word in self]
        if not known:
            raise ValueError("none of the words has a vector")
        vectors = np.array([self.get_vector(word, norm=use_norm) for word in known])
        mean = self.get_mean_vector(list(vectors), post_normalize=True)
        return sorted(zip((vectors @ mean).tolist(), known), reverse=True)

    def most_similar_to_given(self, key1: Key, keys_list: Sequence[str]) -> str:
        """The word of a list that is most similar to a word.

        >>> _example().most_similar_to_given("cat", ["car", "dog"])
        'dog'
        """
        return keys_list[int(np.argmax([self.similarity(key1, key) for key in keys_list]))]

    def closer_than(self, key1: object, key2: object) -> list[str]:
        """The words that are more similar to the first word than the second is.

        >>> _example().closer_than("cat", "car")
        ['dog']
        """
        index = self.get_index(key1)
        distances = self.distances(index)
        bound = distances[self.get_index(key2)]
        closer = np.flatnonzero(distances < bound)
        return [self.index_to_key[i] for i in closer if i != index]

    words_closer_than = closer_than

    def rank(self, key1: object, key2: object) -> int:
        """The place of the second word among those most similar to the first, from 1.

        >>> _example().rank("cat", "car")
        2
        """
        return len(self.closer_than(key1, key2)) + 1

    def relative_cosine_similarity(self, wa: Key, wb: Key, topn: int = 10) -> float:
        """The cosine of two words over the sum of the ``topn`` highest cosines of the first."""
        highest: Scores = self.similar_by_word(wa, topn)
        return self.similarity(wa, wb) / sum(cosine for _, cosine in highest)

    # Evaluation

    def evaluate_word_pairs(
        self,
        pairs: Path,
        delimiter: str = "\t",
        encoding: str = "utf8",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[tuple[float, float], tuple[float, float], float]:
        """The correlation of cosines with people's judgement of similarity.

        The file has lines ``word word score``; the delimiter is found by itself. Case is ignored,
        and pairs with unknown words are left out. Returns Pearson's and Spearman's correlation,
        each with its p-value, and the percentage of pairs left out.

        Raises ``ValueError`` with the line for a file of another form.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "pairs.tsv")
        ...     with open(path, "w") as file:
        ...         _ = file.write("cat\\tdog\\t9\\ncat\\tcar\\t1\\ndog\\tcar\\t3\\n")
        ...     pearson, spearman, left_out = _example().evaluate_word_pairs(path)
        >>> round(spearman[0], 2), left_out
        (1.0, 0.0)
        """
        _only_case_insensitive(case_insensitive)
        if dummy4unknown:
            raise NotImplementedError("dummy4unknown: pairs with unknown words are left out")
        words, vectors = self._first(restrict_vocab)
        pearson, spearman, found, total = _core.evaluate_pairs(os.fspath(pairs), words, vectors)
        p, s = (math.nan if value is None else value for value in (pearson, spearman))
        share = 100 * (total - found) / total
        return (p, p_value(p, found)), (s, p_value(s, found)), share

    def evaluate_word_analogies(
        self,
        analogies: Path,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
        similarity_function: str = "most_similar",
    ) -> tuple[float, list[dict[str, Any]]]:
        """The share of analogies that are answered correctly.

        The file has lines of four words, and ``: name`` before each section. Case is ignored.
        Questions with unknown words are left out, or count as wrong with ``dummy4unknown``. Returns
        the share, 0 to 1, and a dict for each section, whose ``"correct"`` and ``"incorrect"`` are
        lists of four words in upper case; the last section, "Total accuracy", has all.

        ``similarity_function`` is ``"most_similar"`` (3CosAdd) or ``"most_similar_cosmul"``.

        Raises ``ValueError`` with the line for a file of another form.
        """
        _only_case_insensitive(case_insensitive)
        if similarity_function not in ("most_similar", "most_similar_cosmul"):
            raise ValueError(f"similarity_function {similarity_function!r} is unknown")
        words, vectors = self._first(restrict_vocab)
        multiplies = similarity_function == "most_similar_cosmul"
        answered = _core.evaluate_analogies(
            os.fspath(analogies), words, vectors, multiplies=multiplies
        )
        sections: list[dict[str, Any]] = []
        for name, _, outcomes in answered:
            right = [tuple(question) for question, is_right in outcomes if is_right]
            wrong = [tuple(question) for question, is_right in outcomes if not is_right]
            sections.append({"section": name, "correct": right, "incorrect": wrong})
        total: dict[str, Any] = {"section": "Total accuracy"}
        for kind in ("correct", "incorrect"):
            total[kind] = [question for section in sections for question in section[kind]]
        counted = len(total["correct"]) + len(total["incorrect"])
        if dummy4unknown:
            counted = sum(questions for _, questions, _ in answered)
        share = len(total["correct"]) / counted if counted else 0.0
        return share, [*sections, total]

    def _first(self, words: int | None) -> tuple[list[str], Floats]:
        return self.index_to_key[:words], _floats(self.vectors[:words])

    # Files

    def save(self, path: Path, **gensim_only: object) -> None:
        """Writes words, counts and vectors to a safetensors file, whatever its name.

        Other attributes of words are not saved, which a warning tells. The file holds no code, and
        the program ``w2v-gpu`` reads it if its name ends in ``.safetensors``.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "vectors.safetensors")
        ...     _example().save(path)
        ...     KeyedVectors.load(path)["cat"].tolist()
        [1.0, 0.0]
        """
        _files.write(path, self._arrays(), self._texts())

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        return {"vectors": self._storable()}

    def _storable(self) -> npt.NDArray[Any]:
        return self.vectors if self.vectors.dtype == np.float16 else _floats(self.vectors)

    def _texts(self) -> dict[str, str]:
        lost = sorted(self.expandos.keys() - {"count"})
        if lost:
            warnings.warn(f"these attributes of words are not saved: {lost}", stacklevel=3)
        counts = self.expandos["count"].tolist()
        return {
            "words": json.dumps(self.index_to_key, ensure_ascii=False),
            "counts": json.dumps(counts, separators=(",", ":")),
        }

    @classmethod
    def load(cls, path: Path, mmap: str | None = None) -> KeyedVectors:
        """Reads what :meth:`save` has written, or the vectors of what :meth:`Word2Vec.save` has.

        With ``mmap="r"`` the vectors stay in the file, are read as they are needed, and cannot be
        written to. :func:`load` reads other formats.

        Raises ``EOFError`` for a file that was cut short, ``ValueError`` for one of another kind.
        """
        return cls._from_contents(path, _files.read(path, mmap))

    @classmethod
    def _from_contents(cls, path: Path, contents: _files.Contents) -> KeyedVectors:
        try:
            words: list[str] = json.loads(contents.texts["words"])
            counts = json.loads(contents.texts.get("counts", "null")) or [0] * len(words)
            vectors = contents.arrays["vectors"]
        except (KeyError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: lacks words or vectors: {error}") from error
        if not len(words) == len(counts) == len(vectors):
            raise ValueError(f"{os.fspath(path)}: words, counts and vectors differ in number")
        return cls._of(words, counts, vectors)

    def save_word2vec_format(
        self,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool = False,
        write_header: bool = True,
        prefix: str = "",
    ) -> None:
        """Writes a file of word2vec's text or binary format.

        Parameters
        ----------
        fvocab
            A second file, with lines ``word count``.
        write_header
            Whether the first line of a text tells the numbers of words and dimensions.
        prefix
            What is put in front of every word.

        Raises ``OSError`` when a file cannot be written, or its format cannot hold a word.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "vectors.txt")
        ...     _example().save_word2vec_format(path)
        ...     with open(path) as file:
        ...         print(file.read(), end="")
        3 2
        cat 1 0
        dog 0.8 0.6
        car 0 1
        """
        if binary and not write_header:
            raise ValueError("write_header=False is for texts: a binary file has a header")
        extension = "bin" if binary else "txt" if write_header else "glove"
        words = [prefix + word for word in self.index_to_key]
        counts = self.expandos["count"]
        _core.write_vectors(
            os.fspath(fname), words, _counts(counts), _floats(self.vectors), extension=extension
        )
        if fvocab is not None:
            with open(fvocab, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{word} {count}\n" for word, count in zip(words, counts))

    @classmethod
    def load_word2vec_format(
        cls,
        fname: Path,
        fvocab: Path | None = None,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
        limit: int | None = None,
        datatype: npt.DTypeLike = np.float32,
        no_header: bool = False,
    ) -> KeyedVectors:
        """Reads a file of word2vec's text or binary format, which may be compressed.

        Parameters
        ----------
        fvocab
            A file with lines ``word count``.
        unicode_errors
            ``"strict"`` raises ``UnicodeDecodeError`` for words that are not UTF-8; ``"replace"``
            reads them with U+FFFD in place of each broken sequence, ``"ignore"`` without it.
        limit
            Reads the first words only.
        datatype
            The type of :attr:`vectors`, such as ``numpy.float16``.
        no_header
            Whether a text has no first line with the numbers of words and dimensions, as GloVe's.

        Raises ``EOFError`` for a file with fewer words than its header promises.
        """
        if encoding.lower().replace("-", "") != "utf8":
            raise ValueError(f"encoding {encoding!r}: files are UTF-8; convert it by iconv")
        extension = "bin" if binary else "glove" if no_header else "txt"
        made, promised = _read(fname, limit, extension)
        if promised is not None and promised[1] < promised[0]:
            raise EOFError(
                f"{os.fspath(fname)}: the header promises {promised[0]} words, and there are "
                f"{promised[1]}; w2v_gpu.load takes them all the same"
            )
        made._mend(os.fspath(fname), unicode_errors)
        made.vectors = made.vectors.astype(datatype, copy=False)
        if fvocab is not None:
            made._read_counts(fvocab, unicode_errors)
        return made

    def _read_counts(self, path: Path, unicode_errors: str) -> None:
        """Takes the counts of a file with lines ``word count``."""
        with open(path, encoding="utf-8", errors=unicode_errors, newline="\n") as file:
            for number, line in enumerate(file, 1):
                fields = line.split()
                if len(fields) != 2 or not fields[1].isdecimal():
                    place = f"{os.fspath(path)}: line {number}"
                    raise ValueError(f"{place}: {line!r:.60} is no word and its count")
                if fields[0] in self:
                    self.set_vecattr(fields[0], "count", int(fields[1]))

    def intersect_word2vec_format(
        self,
        fname: Path,
        lockf: float = 1.0,
        binary: bool = False,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
    ) -> None:
        """Takes the vectors of a file for the words that are here too, to train on from them.

        gensim keeps such vectors from being trained, unless ``lockf`` is 1.0. Here all vectors are
        trained, and another value is a ``NotImplementedError``.

        Raises ``ValueError`` for vectors of another size, otherwise as
        :meth:`load_word2vec_format`.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "vectors.txt")
        ...     with open(path, "w") as file:
        ...         _ = file.write("2 2\\ncat 7 7\\nboat 1 2\\n")
        ...     vectors = _example()
        ...     vectors.intersect_word2vec_format(path)
        >>> vectors[["cat", "car"]].tolist()
        [[7.0, 7.0], [0.0, 1.0]]
        """
        if lockf != 1.0:
            raise NotImplementedError(f"lockf={lockf}: vectors are always trained; take 1.0")
        given = self.load_word2vec_format(
            fname, binary=binary, encoding=encoding, unicode_errors=unicode_errors
        )
        if given.vector_size != self.vector_size:
            raise ValueError(
                f"{os.fspath(fname)} has vectors of {given.vector_size} values, and "
                f"{self.vector_size} are needed"
            )
        shared = [word for word in given.index_to_key if word in self]
        self.add_vectors(shared, given[shared], replace=True)

    def _mend(self, path: str, unicode_errors: str) -> None:
        """Treats words that were not UTF-8, which were read with U+FFFD, as one asks for."""
        broken = [word for word in self.index_to_key if "\ufffd" in word]
        if not broken or unicode_errors == "replace":
            return
        if unicode_errors == "strict":
            reason = f"{path}: the word {broken[0]!r} is not UTF-8; take unicode_errors='replace'"
            raise UnicodeDecodeError("utf-8", broken[0].encode(), 0, 1, reason)
        words = [word.replace("\ufffd", "") for word in self.index_to_key]
        self._set_words(words, self.expandos["count"])

    def to_gensim(self) -> Any:
        """The same vectors as gensim's ``KeyedVectors``. Raises ``ImportError`` without gensim."""
        from gensim.models import KeyedVectors as Gensim

        made = Gensim(self.vector_size)
        made.add_vectors(self.index_to_key, _floats(self.vectors))
        for name, values in self.expandos.items():
            made.expandos[name] = values.copy()
        return made


class FastTextKeyedVectors(KeyedVectors):
    """Vectors of words that are composed of n-grams, so that unknown words have vectors too.

    A word is ``in`` it if it has a vector, known or not; :attr:`key_to_index` has the known ones.

    >>> vectors = _example_of_subwords()
    >>> "catdog" in vectors, "catdog" in vectors.key_to_index
    (True, False)
    >>> vectors["catdog"].shape
    (10,)
    """

    min_n: int
    """Characters of the shortest n-gram."""
    max_n: int
    """Characters of the longest n-gram."""
    bucket: int
    """Number of buckets, each the n-grams of one hash."""
    buckets: npt.NDArray[np.uint32]
    """The buckets that have a row of :attr:`vectors_ngrams`, ascending. Others count as zeros."""
    vectors_ngrams: npt.NDArray[Any]
    """The rows of n-grams: ``vector_size`` float32 for each of :attr:`buckets`."""

    def __init__(
        self,
        vector_size: int,
        count: int = 0,
        dtype: npt.DTypeLike = np.float32,
        min_n: int = 3,
        max_n: int = 6,
        bucket: int = 2_000_000,
    ) -> None:
        """An object without words, whose n-grams have ``min_n`` to ``max_n`` characters."""
        super().__init__(vector_size, count, dtype)
        self.min_n, self.max_n, self.bucket = min_n, max_n, bucket
        self._set_ngrams(np.zeros(0, np.uint32), np.zeros((0, self.vector_size), dtype))

    def _set_ngrams(self, buckets: npt.NDArray[np.uint32], rows: npt.NDArray[Any]) -> None:
        order = np.argsort(buckets)
        self.buckets, self.vectors_ngrams = buckets[order], rows[order]

    def _set_buckets(self, lengths: tuple[int, int, int], rows: Floats) -> None:
        """Takes the rows of all buckets; those of zeros say nothing, and are not kept."""
        self.min_n, self.max_n, self.bucket = lengths
        kept = np.flatnonzero(rows.any(axis=1))
        self._set_ngrams(kept.astype(np.uint32), rows[kept])

    def __contains__(self, key: object) -> bool:
        return self.has_index_for(key) or (isinstance(key, str) and len(self._buckets_of(key)) > 0)

    def _buckets_of(self, word: str) -> npt.NDArray[np.uint32]:
        return _core.buckets_of(word, self.min_n, self.max_n, self.bucket)

    def _places(self, buckets: npt.NDArray[np.uint32]) -> npt.NDArray[np.intp]:
        """The row of each bucket, -1 for one without."""
        places = np.searchsorted(self.buckets, buckets)
        places[places == len(self.buckets)] = -1
        if len(self.buckets):
            places[self.buckets[places] != buckets] = -1
        return places

    def _compose(self, word: str) -> Floats | None:
        """The mean of a word's n-grams, or None if it has none."""
        places = self._places(self._buckets_of(word))
        if not len(places):
            return None
        total = self.vectors_ngrams[places[places >= 0]].sum(axis=0, dtype=np.float32)
        return cast("Floats", total * np.float32(1 / len(places)))

    def get_vector(self, key: object, norm: bool = False) -> npt.NDArray[Any]:
        """The vector of a word, which cannot be written to; with ``norm`` it has length 1.

        Raises ``KeyError`` for an unknown word without n-grams, as it is shorter than ``min_n``
        with a mark at either end.

        >>> _example_of_subwords().get_vector("dogs").shape
        (10,)
        """
        composed = None
        if isinstance(key, str) and key not in self.key_to_index:
            composed = self._compose(key)
        if composed is None:
            return super().get_vector(key, norm)
        if norm:
            composed /= np.linalg.norm(composed) or np.float32(1)
        composed.flags.writeable = False
        return composed

    def _rows_of(self, keys: Sequence[Key]) -> npt.NDArray[Any]:
        rows = [self.get_vector(key) for key in keys]
        return np.stack(rows) if rows else self.vectors[:0]

    def vectors_for_all(
        self, keys: Iterable[str], allow_inference: bool = True, copy_vecattrs: bool = False
    ) -> KeyedVectors:
        """Vectors of words; with ``allow_inference`` of unknown ones too.

        >>> _example_of_subwords().vectors_for_all(["dogs", "dog"]).index_to_key
        ['dogs', 'dog']
        """
        known = self if allow_inference else self.key_to_index
        found = [key for key in dict.fromkeys(keys) if key in known]
        made = KeyedVectors._of(found, np.zeros(len(found)), self._rows_of(found))
        if copy_vecattrs:
            rows = np.array([self.key_to_index.get(key, -1) for key in found], dtype=np.intp)
            for name, values in self.expandos.items():
                made.expandos[name] = np.where(rows >= 0, values[rows], 0)
        return made

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        ngrams = {"ngrams": _floats(self.vectors_ngrams), "buckets": self.buckets}
        return super()._arrays() | ngrams

    def _texts(self) -> dict[str, str]:
        lengths = [self.min_n, self.max_n, self.bucket]
        return super()._texts() | {"subwords": json.dumps(lengths)}

    @classmethod
    def _from_contents(cls, path: Path, contents: _files.Contents) -> FastTextKeyedVectors:
        made = cast("FastTextKeyedVectors", super()._from_contents(path, contents))
        try:
            made.min_n, made.max_n, made.bucket = json.loads(contents.texts["subwords"])
            made._set_ngrams(contents.arrays["buckets"], contents.arrays["ngrams"])
        except (KeyError, ValueError) as error:
            raise ValueError(f"{os.fspath(path)}: lacks n-grams: {error}") from error
        return made


def load(path: Path, *, limit: int | None = None, extension: str | None = None) -> KeyedVectors:
    """Reads a file of word vectors of any format that the program ``w2v-gpu`` reads.

    These are word2vec's text (``.txt``, ``.vec``) and binary (``.bin``), GloVe's text (``.glove``),
    NumPy (``.npy`` and words beside it), safetensors, the Embedding Projector's (``.tsv``) and
    models of fastText, each plain or compressed. What is odd in a file is a ``UserWarning``.
    A model of fastText with subwords is read as :class:`FastTextKeyedVectors`.

    Parameters
    ----------
    limit
        Reads the first words only.
    extension
        The format, by one of these extensions without the dot; None tells it by the name.

    Raises ``EOFError`` for a file that was cut short, ``ValueError`` with the line or byte for one
    that does not follow its format, ``OSError`` for one that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "vectors.glove")
    ...     with open(path, "w") as file:
    ...         _ = file.write("cat 1 0\\ndog 0.8 0.6\\n")
    ...     len(load(path)), load(path, limit=1).index_to_key
    (2, ['cat'])
    """
    return _read(path, limit, extension)[0]


def _read(
    path: Path, limit: int | None, extension: str | None
) -> tuple[KeyedVectors, tuple[int, int] | None]:
    """Reads a file; also returns the numbers of words promised and found, if they differ."""
    words, counts, vectors, ngrams, promised, odd = _core.read_vectors(
        os.fspath(path), extension=extension, limit=limit
    )
    if odd is not None:
        warnings.warn(f"{os.fspath(path)}: {odd}", stacklevel=3)
    if ngrams is None:
        return KeyedVectors._of(words, counts, vectors), promised
    made = cast("FastTextKeyedVectors", FastTextKeyedVectors._of(words, counts, vectors))
    made._set_buckets(*ngrams)
    return made, promised


def _example() -> KeyedVectors:
    """The vectors of the examples."""
    made = KeyedVectors(2)
    made.add_vectors(["cat", "dog", "car"], [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    return made


def _example_of_subwords() -> FastTextKeyedVectors:
    """The vectors of the examples with subwords."""
    from w2v_gpu.fasttext import FastText

    return FastText([["a", "cat"], ["a", "dog"]] * 20, vector_size=10).wv


def _weighted(keys: Keys, weight: float) -> list[tuple[Any, float]]:
    """The keys with their weights, of which one key alone may be given without a list."""
    if keys is None:
        return []
    if isinstance(keys, (str, Integral)) or (isinstance(keys, np.ndarray) and keys.ndim == 1):
        keys = [keys]
    items: Iterable[Any] = cast("Iterable[Any]", keys)
    return [
        (item[0], weight * float(item[1])) if isinstance(item, tuple) else (item, weight)
        for item in items
    ]


def _cosine(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = float(a @ a) * float(b @ b)
    return float(a @ b) / lengths**0.5 if lengths > 0 else 0.0


def _highest(scores: npt.NDArray[Any], count: int) -> list[int]:
    """The indices of the highest scores, the highest first; among equals the lower index."""
    if count < len(scores):
        bound = np.partition(scores, -count)[-count]
        found = np.flatnonzero(scores >= bound)
    else:
        found = np.arange(len(scores))
    order = np.argsort(-scores[found], kind="stable")[:count]
    return [int(index) for index in found[order]]


def _longer(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    """The array with rows of zeros behind its own, as an array that can be written to."""
    if len(array) == rows and array.flags.writeable:
        return array
    made = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    made[: len(array)] = array
    return made


def _floats(array: npt.NDArray[Any]) -> Floats:
    return np.ascontiguousarray(array, dtype=np.float32)


def _counts(array: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    return np.ascontiguousarray(array, dtype=np.uint64)


def _only_case_insensitive(case_insensitive: bool) -> None:
    if not case_insensitive:
        raise NotImplementedError("case_insensitive=False: words are compared without their case")
