"""gensim's own tests of Word2Vec and KeyedVectors, run on the classes of this package.

gensim's wheel brings the tests and their data; nothing of them is copied here. Tests of what this
package does not offer are listed with the reason. They must fail: one that passes though it is
listed fails the run, and so does a name in the list that gensim has no more.

    python gensim_suite.py [ARGUMENTS OF PYTEST]
"""

from __future__ import annotations

import sys
import warnings

import gensim
import pytest
from gensim.models import keyedvectors, word2vec

import w2v_gpu

WITHOUT = "this package has no such thing: "
PICKLE = WITHOUT + "files that are pickles, which may hold code"
CORPORA = WITHOUT + "gensim's own iterators over texts, which are tested here, are not its classes"

LISTED = {
    "TestWord2VecModel": {
        "test_prune_vocab": WITHOUT + "max_vocab_size, which forgets words in gensim's way",
        "test_persistence_backwards_compatible": PICKLE,
        "test_load_old_model": PICKLE,
        "test_load_old_model_separates": PICKLE,
        "test_load_old_models_1_x": PICKLE,
        "test_load_old_models_2_x": PICKLE,
        "test_load_old_models_3_x": PICKLE,
        "test_scoring": WITHOUT + "score",
        "test_locking": WITHOUT + "vectors_lockf; nor are hs and negatives trained at once",
        "test_build_vocab_warning": "a str as a sentence is a TypeError here, not a warning",
        "test_train_hs_and_neg": "hs=1 beside negative=5 is a ValueError here, not a warning",
        "test_compute_training_loss": "it trains hs and negatives at once",
    },
    "TestKeyedVectors": {
        "test_vectors_for_all_without_copy_vecattrs": "it counts on counts that gensim makes up "
        "where a file has none; here they are 0",
    },
    "Gensim320Test": {"test": PICKLE},
}


def load_word2vec_format(
    cls: type[w2v_gpu.KeyedVectors],
    fname: str,
    binary: bool,
    limit: int | None,
    binary_chunk_size: int,
) -> w2v_gpu.KeyedVectors:
    """What the tests call by a private name of gensim."""
    with warnings.catch_warnings():
        # Words that begin with line ends are odd, and read.
        warnings.simplefilter("ignore")
        return cls.load_word2vec_format(fname, binary=binary, limit=limit)


class Suite:
    """Marks the tests that are listed."""

    def __init__(self) -> None:
        self.found: set[tuple[str, str]] = set()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            name = item.name
            owner = getattr(item, "cls", None)
            reason = LISTED.get(owner.__name__ if owner else "", {}).get(name)
            if owner and reason:
                self.found.add((owner.__name__, name))
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))

    def missing(self) -> set[tuple[str, str]]:
        """Names in the list that gensim's tests do not have."""
        listed = {(owner, name) for owner, names in LISTED.items() for name in names}
        return listed - self.found


def main() -> int:
    word2vec.Word2Vec = gensim.models.Word2Vec = w2v_gpu.Word2Vec
    keyedvectors.KeyedVectors = gensim.models.KeyedVectors = w2v_gpu.KeyedVectors
    keyedvectors._load_word2vec_format = load_word2vec_format
    suite = Suite()
    modules = ["gensim.test.test_word2vec", "gensim.test.test_keyedvectors"]
    # gensim's own folder has no settings of pytest; those of this package are not for its tests.
    arguments = ["-q", "-rxXs", "-p", "no:cacheprovider", "--override-ini=filterwarnings="]
    status = pytest.main([*arguments, "--pyargs", *modules, *sys.argv[1:]], plugins=[suite])
    if len(sys.argv) == 1 and suite.missing():
        print(f"listed, but not among gensim's tests: {sorted(suite.missing())}")
        return 1
    return int(status)


if __name__ == "__main__":
    raise SystemExit(main())
