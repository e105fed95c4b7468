"""What the tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from w2v_gpu import Word2Vec

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """Ctrl-C is heard, also where the tests were started in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def corpus() -> str:
    """The path of the text that comes with the repository."""
    return str(ROOT / "data" / "corpus.txt")


@pytest.fixture(scope="session")
def analogies() -> str:
    """The path of the analogies that come with the repository."""
    return str(ROOT / "data" / "analogies.txt")


@pytest.fixture(scope="session")
def sentences(corpus: str) -> list[list[str]]:
    """The first sentences of the text."""
    with open(corpus, encoding="utf-8") as file:
        return [line.split() for line, _ in zip(file, range(2000))]


@pytest.fixture(scope="session")
def short(sentences: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a text of these sentences, which is trained on sooner."""
    path = tmp_path_factory.mktemp("text") / "short.txt"
    path.write_text("".join(" ".join(sentence) + "\n" for sentence in sentences))
    return str(path)


@pytest.fixture(scope="session")
def trained(corpus: str) -> Word2Vec:
    """A model; tests must not change it."""
    return Word2Vec(corpus_file=corpus, engine="cpu", vector_size=50)
