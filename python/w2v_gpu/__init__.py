"""Word vectors by word2vec, trained in Rust on any GPU and on the CPU, with gensim's interface.

>>> import w2v_gpu
>>> sentences = [["the", "cat", "sat"], ["the", "dog", "sat"]] * 50
>>> model = w2v_gpu.Word2Vec(sentences, vector_size=20)
>>> model.wv["cat"].shape
(20,)

The same seed gives the same vectors for any number of ``workers``, bit for bit, and the same ones
as the program ``w2v-gpu``, which is installed with this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2v_gpu._core import VERSION as __version__
from w2v_gpu._core import W2vError

if TYPE_CHECKING:
    from w2v_gpu.corpus import RULE_DEFAULT, RULE_DISCARD, RULE_KEEP, Sentences, phrases
    from w2v_gpu.fasttext import FastText
    from w2v_gpu.hardware import Adapter, devices
    from w2v_gpu.keyedvectors import FastTextKeyedVectors, KeyedVectors, load
    from w2v_gpu.word2vec import Epoch, Word2Vec

# The module of each name. It is imported when the name is first used, so that the program w2v-gpu,
# which is started through this package, never waits for NumPy.
_MODULES = {
    "RULE_DEFAULT": "corpus",
    "RULE_DISCARD": "corpus",
    "RULE_KEEP": "corpus",
    "Sentences": "corpus",
    "phrases": "corpus",
    "Adapter": "hardware",
    "devices": "hardware",
    "FastText": "fasttext",
    "FastTextKeyedVectors": "keyedvectors",
    "KeyedVectors": "keyedvectors",
    "load": "keyedvectors",
    "Epoch": "word2vec",
    "Word2Vec": "word2vec",
}

__all__ = [
    "RULE_DEFAULT",
    "RULE_DISCARD",
    "RULE_KEEP",
    "Adapter",
    "Epoch",
    "FastText",
    "FastTextKeyedVectors",
    "KeyedVectors",
    "Sentences",
    "W2vError",
    "Word2Vec",
    "__version__",
    "devices",
    "load",
    "phrases",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
