"""The private module in Rust. The classes of this package check and explain; this does the work."""

from collections.abc import Callable, Sequence
from typing import Final, final

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float32]
_Counts = npt.NDArray[np.uint64]

__all__ = [
    "Corpus",
    "Stop",
    "VERSION",
    "W2vError",
    "alike",
    "buckets_of",
    "check",
    "cli",
    "compose_words",
    "defaults",
    "devices",
    "evaluate_analogies",
    "evaluate_pairs",
    "first_model",
    "ngram_buckets",
    "plan",
    "read_vectors",
    "train",
    "tree_codes",
    "write_model",
    "write_report",
    "write_vectors",
]
VERSION: Final[str]

class W2vError(RuntimeError): ...

@final
class Stop:
    def __new__(cls) -> Stop: ...
    def set(self) -> None: ...

@final
class Corpus:
    @staticmethod
    def open(paths: Sequence[str]) -> Corpus: ...
    @staticmethod
    def from_sentences(sentences: object) -> Corpus: ...
    def count(
        self, settings: str, least: int, workers: int | None
    ) -> tuple[list[str], _Counts, int, int, int]: ...
    def write_phrases(
        self,
        path: str,
        *,
        threshold: float,
        delta: float | None,
        min_count: int,
        passes: int,
        separator: str,
        workers: int | None,
    ) -> None: ...

def cli(typed: Sequence[str]) -> int: ...
def devices() -> str: ...
def defaults(model: str, preset: str | None) -> str: ...
def check(settings: str) -> None: ...
def first_model(
    settings: str, words: Sequence[str], counts: _Counts
) -> tuple[_Floats, _Floats]: ...
def ngram_buckets(
    settings: str, words: Sequence[str], counts: _Counts
) -> npt.NDArray[np.uint32]: ...
def compose_words(
    settings: str, words: Sequence[str], counts: _Counts, input: _Floats
) -> tuple[_Floats, npt.NDArray[np.uint32]]: ...
def buckets_of(word: str, shortest: int, longest: int, buckets: int) -> npt.NDArray[np.uint32]: ...
def write_model(
    path: str,
    settings: str,
    words: Sequence[str],
    counts: _Counts,
    input: _Floats,
    output: _Floats,
) -> None: ...
def tree_codes(counts: _Counts) -> list[bytes]: ...
def train(
    corpus: Corpus,
    settings: str,
    words: Sequence[str],
    counts: _Counts,
    start: tuple[_Floats, _Floats] | None,
    *,
    engine: str,
    adapter: str | None,
    workers: int | None,
    checkpoint: str | None,
    every: str | None,
    resume: str | None,
    interval: float,
    is_watched: bool,
    stop: Stop,
    listener: Callable[[str, str, tuple[_Floats, _Floats] | None], object],
) -> tuple[_Floats, _Floats, str, BaseException | None]: ...
def plan(
    corpus: Corpus,
    settings: str,
    words: Sequence[str],
    counts: _Counts,
    *,
    engine: str,
    adapter: str | None,
    workers: int | None,
) -> str: ...
def read_vectors(
    path: str, *, extension: str | None, limit: int | None
) -> tuple[
    list[str],
    _Counts,
    _Floats,
    tuple[tuple[int, int, int], _Floats] | None,
    tuple[int, int] | None,
    str | None,
]: ...
def write_vectors(
    path: str, words: Sequence[str], counts: _Counts, vectors: _Floats, *, extension: str | None
) -> None: ...
def evaluate_pairs(
    path: str, words: Sequence[str], vectors: _Floats
) -> tuple[float | None, float | None, int, int]: ...
def evaluate_analogies(
    path: str, words: Sequence[str], vectors: _Floats, *, multiplies: bool
) -> list[tuple[str, int, list[tuple[list[str], bool]]]]: ...
def write_report(
    path: str,
    record: str,
    command: str,
    words: Sequence[str],
    counts: _Counts,
    vectors: _Floats,
    mapped: int,
) -> None: ...
def alike(words: Sequence[str], word: str, top: int) -> list[str]: ...
