"""Texts: what may be trained on, and phrases."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from w2v_gpu import _core

Path: TypeAlias = "str | os.PathLike[str]"
"""The path of a file or a folder."""

TrimRule: TypeAlias = Callable[[str, int, int], int]
"""Called with a word, its count and ``min_count``; returns one of the rules below."""

RULE_DEFAULT = 0
"""A trim rule leaves the word to ``min_count``."""
RULE_DISCARD = 1
"""A trim rule leaves the word out."""
RULE_KEEP = 2
"""A trim rule keeps the word, however rare."""


class Sentences:
    """A text file, one sentence a line, its words separated by whitespace.

    It can be iterated over several times, as lists of words, and trained on.

    >>> text = phrases([["new", "york", "is", "large"]] * 9, min_count=1, threshold=1)
    >>> next(iter(text))
    ['new_york', 'is_large']
    """

    def __init__(self, path: Path) -> None:
        self.path = os.fspath(path)
        """The file."""

    def __iter__(self) -> Iterator[list[str]]:
        # A carriage return may be part of a text; lines end with \n alone.
        with open(self.path, encoding="utf-8", errors="replace", newline="\n") as file:
            for line in file:
                yield line.split()

    def __repr__(self) -> str:
        return f"Sentences({self.path!r})"


class _TemporarySentences(Sentences):
    """Sentences in a file that is removed with the object."""

    def __init__(self) -> None:
        handle, path = tempfile.mkstemp(prefix="w2v-gpu-", suffix=".txt")
        os.close(handle)
        super().__init__(path)
        weakref.finalize(self, os.unlink, path)


def phrases(
    sentences: Iterable[Iterable[str]] | None = None,
    corpus_file: Path | Sequence[Path] | None = None,
    *,
    threshold: float = 100.0,
    min_count: int = 5,
    delta: float | None = None,
    passes: int = 1,
    separator: str = "_",
    workers: int | None = None,
) -> Sentences:
    """Joins words that often come together, as in ``new_york``.

    Two neighbours a and b are joined where ``(count(a b) - delta) / (count(a) * count(b)) * words``
    is above ``threshold``. Each of the ``passes`` joins what those before it made. The text goes to
    a temporary file, which is removed with the object that is returned.

    Raises ``TypeError`` and ``ValueError`` as :class:`Word2Vec` does.

    >>> text = phrases([["in", "new", "york"], ["in", "rome"]] * 20, threshold=2)
    >>> list(text)[:2]
    [['in', 'new_york'], ['in', 'rome']]
    """
    corpus = open_corpus(sentences, corpus_file)
    joined = _TemporarySentences()
    corpus.write_phrases(
        joined.path,
        threshold=threshold,
        delta=delta,
        min_count=min_count,
        passes=passes,
        separator=separator,
        workers=workers,
    )
    return joined


def open_corpus(
    sentences: Iterable[Iterable[str]] | None,
    corpus_file: Path | Sequence[Path] | None,
) -> _core.Corpus:
    """Opens files, or reads sentences once. Exactly one of the two is given."""
    if (sentences is None) == (corpus_file is None):
        raise TypeError("give either sentences (an iterable of lists of words) or corpus_file=")
    if isinstance(sentences, Sentences):
        corpus_file = sentences.path
    if corpus_file is not None:
        paths = [corpus_file] if isinstance(corpus_file, (str, os.PathLike)) else corpus_file
        return _core.Corpus.open([os.fspath(path) for path in paths])
    if isinstance(sentences, (str, bytes, os.PathLike)):
        raise TypeError(
            "sentences is a text or path: pass a file's path as corpus_file=, and a text as lists "
            "of words"
        )
    return _core.Corpus.from_sentences(sentences)
