"""Training: the class ``Word2Vec``."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MethodType
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from w2v_gpu import _core, _files, _progress, _report
from w2v_gpu.corpus import RULE_DISCARD, RULE_KEEP, Path, TrimRule, open_corpus
from w2v_gpu.hardware import name_runtime_folder
from w2v_gpu.keyedvectors import Floats, Key, KeyedVectors, _counts, _floats, _highest

logger = _progress.logger

# Arguments of gensim's class that change nothing here.
_WITHOUT_EFFECT = frozenset(
    "batch_words comment hashfxn max_vocab_size null_word sorted_vocab".split()
)

# The settings of the library by the names of the arguments.
_SETTINGS = {
    "vector_size": "dim",
    "window": "window",
    "min_count": "min_count",
    "epochs": "epochs",
    "alpha": "lr",
    "min_alpha": "min_lr",
    "negative": "negative",
    "ns_exponent": "ns_exponent",
    "sample": "sample",
    "seed": "seed",
    "storage": "storage",
    "batch": "batch",
    "clip": "clip",
    "negatives_per": "negatives_per",
    "cbow_gradient": "cbow_gradient",
    "arity": "arity",
    "validation": "validation",
    "patience": "patience",
    "lowercase": "lowercase",
    "nfc": "nfc",
}


class Epoch(NamedTuple):
    """An epoch of a run."""

    epoch: int
    """Its number in the run, from 0."""
    loss: float
    """Mean loss of an example: a (center, context) pair, or a window of CBOW."""
    pairs: int
    """Number of examples."""
    validation: float | None
    """Mean loss of the sentences held out, after the epoch; None if none are."""


class _Saving(NamedTuple):
    """Where a run is saved, how often, and where it goes on from."""

    checkpoint: str | None = None
    every: str | None = None
    resume: str | None = None

    @classmethod
    def of(cls, checkpoint: Path | None, every: str | None, resume: Path | None) -> _Saving:
        folders = [None if folder is None else os.fspath(folder) for folder in (checkpoint, resume)]
        return cls(folders[0], None if every is None else str(every), folders[1])


class _OnClass:
    """A method of the class that its objects refuse, as they would be forgotten."""

    def __init__(self, function: Callable[..., Word2Vec]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = "load"

    def __get__(self, instance: object, owner: type[Word2Vec]) -> Callable[..., Word2Vec]:
        if instance is not None:
            raise AttributeError("load is a method of the class: model = Word2Vec.load(path)")
        return MethodType(self.function, owner)


class Word2Vec:
    """Trains word vectors, with the names that gensim's class of this name has.

    >>> model = Word2Vec([["the", "cat", "sat"], ["a", "dog", "ran"]] * 30, vector_size=10)
    >>> len(model.wv), model.wv["cat"].dtype.name
    (6, 'float32')

    The examples of the methods ask such a model, which ``_example()`` makes.

    It holds NumPy arrays, lists and settings alone, so ``pickle``, ``copy.deepcopy`` and ``joblib``
    take it. While it trains, other threads of Python go on.
    """

    # What the files of this class hold.
    _FILES = "Word2Vec"

    wv: KeyedVectors
    """The words and their vectors."""
    history: list[Epoch]
    """Every epoch that was trained."""
    report: dict[str, Any]
    """The latest run in numbers: ``summary``, ``engine``, ``settings``, ``prepared``."""

    def __init__(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
        vector_size: int = 100,
        alpha: float | None = None,
        window: int = 5,
        min_count: int = 5,
        *,
        sample: float | None = None,
        seed: int = 1,
        workers: int | None = None,
        min_alpha: float | None = None,
        sg: int = 1,
        hs: int = 0,
        negative: int | None = None,
        ns_exponent: float | None = None,
        cbow_mean: int = 1,
        epochs: int = 5,
        trim_rule: TrimRule | None = None,
        compute_loss: bool = True,
        callbacks: Iterable[Any] = (),
        max_final_vocab: int | None = None,
        shrink_windows: bool = True,
        loss: str | None = None,
        arity: int | None = None,
        cbow_gradient: str | None = None,
        negatives_per: str | None = None,
        skip_equal: bool = True,
        shuffle: bool = True,
        batch: int | None = None,
        clip: float | None = None,
        validation: float | None = None,
        patience: int | None = None,
        lowercase: bool = False,
        nfc: bool = False,
        preset: str | None = None,
        engine: str = "auto",
        adapter: str | int | None = None,
        storage: str = "f32",
        checkpoint: Path | None = None,
        checkpoint_every: str | None = None,
        resume: Path | None = None,
        progress: bool | None = None,
        **gensim_only: object,
    ) -> None:
        """Makes a model, and trains it if there are ``sentences`` or a ``corpus_file``.

        Parameters
        ----------
        sentences
            An iterable of sentences, each an iterable of words (str): a list of lists, a generator,
            a column of pandas or Hugging Face. It is read once and written to a temporary file.
        corpus_file
            A path, or a list of paths: of texts with a sentence a line, plain or packed (gzip,
            zstd, bzip2, xz), or of folders of them. This is the fastest way.
        vector_size
            Dimensions of a vector, 1 to 4096.
        alpha, min_alpha
            The learning rate at the start, and below which it does not fall. None is 0.05 (0.15 for
            CBOW), and a ten-thousandth of that.
        window, shrink_windows
            Largest distance of two words of a pair, and whether a width from 1 to that is drawn for
            each position.
        min_count, max_final_vocab
            Words that occur less often are left out; so are the rarest, until at most
            ``max_final_vocab`` are left. Words of one count stay or go together.
        sample
            Words with a larger share of the text are thinned out. None is 1e-4, or one over the
            number of words where they are fewer than 10,000.
        seed
            The same seed gives the same vectors.
        workers
            Threads; None takes every core. Their number never changes the vectors.
        sg, cbow_mean
            1 trains skip-gram, the default; 0 trains CBOW, by the mean of a window.
        hs, negative, loss
            ``hs=1`` is ``loss="hs"``, hierarchical softmax; otherwise negative sampling ("ns") with
            so many negatives, 5 if None; ``loss="softmax"`` is the softmax over all words.
        ns_exponent
            Negatives are drawn in proportion to their count to this power; None is 0.75.
        epochs
            Passes over the text.
        trim_rule
            Called with word, count and ``min_count``; returns one of ``RULE_DEFAULT``,
            ``RULE_DISCARD`` and ``RULE_KEEP``.
        compute_loss
            Without effect: the loss costs nothing and is in :attr:`history`.
        callbacks
            Objects with any of the methods ``on_train_begin``, ``on_epoch_begin``,
            ``on_epoch_end``, ``on_train_end``, each called with this model.
        arity, cbow_gradient, negatives_per, skip_equal, shuffle, batch, clip, validation, patience
            As the options of ``w2v-gpu train``; ``skip_equal=False`` is ``--no-skip-equal`` and
            ``shuffle=False`` is ``--no-shuffle``.
        lowercase, nfc
            The form in which words are taken.
        preset
            Takes the defaults of "gensim", "word2vec" or "fasttext" for what is None.
        engine, adapter, storage
            "auto", "cpu" or "gpu"; a GPU by its index or a part of its name (:func:`devices`); in
            what the GPU keeps the matrices, "f32" or "f16".
        checkpoint, checkpoint_every
            Saves the run that the constructor begins to this folder every "10m" (None), "30s",
            "2h" or number of batches ("5000"), and when it is stopped.
        resume
            Goes on with the run in this folder, by the same text and arguments, and gives the
            vectors of a run without a break. It is saved there too.
        progress
            False shows nothing. None shows a bar of tqdm where it is installed and stderr is a
            terminal or a notebook; otherwise lines go to the logger ``w2v_gpu``.
        gensim_only
            ``batch_words``, ``comment``, ``hashfxn``, ``max_vocab_size``, ``null_word`` and
            ``sorted_vocab`` are accepted with a ``UserWarning``, as they change nothing here.

        Raises ``TypeError`` for unknown arguments and for sentences that are no lists of str;
        ``ValueError`` for values out of their range and words that no text can hold;
        :class:`W2vError`, a ``RuntimeError``, where no words are left; ``KeyboardInterrupt`` after
        Ctrl-C, with what was trained by then as its attribute ``model``.
        """
        self._accept(gensim_only)
        self._check_objective(hs, negative, loss, cbow_mean)
        loss = loss or ("hs" if hs else "ns")
        model = "skip-gram" if sg else "cbow"
        self._defaults: dict[str, Any] = json.loads(_core.defaults(model, preset))
        given = {name: value for name, value in locals().items() if name in _SETTINGS}
        for name, setting in _SETTINGS.items():
            value = given[name]
            setattr(self, name, self._defaults[setting] if value is None else value)
        self.sg, self.cbow_mean, self.loss = int(sg), 1, loss
        self.hs = int(loss == "hs")
        if loss != "ns":
            self.negative = 0
        self.shrink_windows, self.skip_equal, self.shuffle = shrink_windows, skip_equal, shuffle
        self.max_final_vocab = max_final_vocab
        self.effective_min_count = self.min_count
        self.workers, self.engine, self.progress = workers, engine, progress
        self.adapter = None if adapter is None else str(adapter)
        _core.check(self._settings())

        self.wv = self._new_vectors()
        self.history, self.report = [], {}
        self.raw_vocab: dict[str, int] | None = None
        self.corpus_count = self.corpus_total_words = self.train_count = 0
        self.total_train_time = 0.0
        self.min_alpha_yet_reached = self.alpha
        self._output: Floats | None = None
        self._latest: list[Epoch] = []
        self._points: list[dict[str, Any]] = []
        self._stop: _core.Stop | None = None
        saving = _Saving.of(checkpoint, checkpoint_every, resume)
        if sentences is not None or corpus_file is not None:
            corpus = open_corpus(sentences, corpus_file)
            self._count(corpus, trim_rule)
            # The matrices are made where they are trained.
            self._run(corpus, self.epochs, self.alpha, self.min_alpha, callbacks, saving)
        elif saving != _Saving():
            raise ValueError(
                "checkpoint and resume are for the run that begins here: give sentences or "
                "corpus_file too"
            )

    # The arguments that are settings; __init__ sets them by their names.
    vector_size: int
    window: int
    min_count: int
    epochs: int
    alpha: float
    min_alpha: float | None
    negative: int
    ns_exponent: float
    sample: float | None
    seed: int
    storage: str
    batch: int | None
    clip: float
    negatives_per: str
    cbow_gradient: str
    arity: int
    validation: float | None
    patience: int | None
    lowercase: bool
    nfc: bool

    def _new_vectors(self) -> KeyedVectors:
        return KeyedVectors(self.vector_size)

    def _accept(self, gensim_only: Mapping[str, object]) -> None:
        unknown = sorted(gensim_only.keys() - _WITHOUT_EFFECT)
        if unknown:
            raise TypeError(f"{type(self).__name__}() has no argument {unknown[0]!r}")
        if gensim_only:
            names = ", ".join(sorted(gensim_only))
            warnings.warn(f"these arguments have no effect here: {names}", stacklevel=3)

    @staticmethod
    def _check_objective(hs: int, negative: int | None, loss: str | None, cbow_mean: int) -> None:
        if not cbow_mean:
            raise NotImplementedError("cbow_mean=0: CBOW is trained by the mean of a window alone")
        if loss is not None and hs and loss != "hs":
            raise ValueError(f"hs=1 and loss={loss!r} contradict each other: leave one out")
        if (hs or loss in ("hs", "softmax")) and negative:
            raise ValueError(
                f"negative={negative} belongs to negative sampling: leave it out, or leave out "
                "hs=1 and loss="
            )
        if loss not in (None, "ns", "hs", "softmax"):
            raise ValueError(f"loss is {loss!r}: use 'ns', 'hs' or 'softmax'")

    def _settings(self, **others: object) -> str:
        """The settings of the library, as JSON; ``others`` replace those of this model."""
        settings = dict(self._defaults)
        for name, setting in _SETTINGS.items():
            settings[setting] = others.get(name, getattr(self, name))
        if self.loss != "ns":
            settings["negative"] = self._defaults["negative"]
        settings["loss"] = self.loss
        settings["fixed_window"] = not self.shrink_windows
        settings["no_skip_equal"] = not self.skip_equal
        settings["no_shuffle"] = not self.shuffle
        return json.dumps(settings, default=_plain)

    # Vocabulary

    def build_vocab(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
        update: bool = False,
        progress_per: int = 10_000,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
    ) -> None:
        """Counts words and makes their first vectors.

        With ``update``, frequent words of this text are added to those that are there; what was
        trained stays. ``keep_raw_vocab`` keeps the counts of all words in :attr:`raw_vocab`.

        >>> model = Word2Vec(vector_size=10, min_count=1)
        >>> model.build_vocab([["a", "cat"], ["a", "dog"]])
        >>> model.wv.index_to_key, model.wv.vectors.shape
        (['a', 'cat', 'dog'], (3, 10))
        """
        corpus = open_corpus(corpus_iterable, corpus_file)
        self._count(corpus, trim_rule, update, keep_raw_vocab)
        self._make_matrices(update)

    def build_vocab_from_freq(
        self,
        word_freq: Mapping[str, int],
        keep_raw_vocab: bool = False,
        corpus_count: int | None = None,
        trim_rule: TrimRule | None = None,
        update: bool = False,
    ) -> None:
        """Takes words with their counts instead of counting.

        >>> model = Word2Vec(min_count=2)
        >>> model.build_vocab_from_freq({"cat": 2, "dog": 5, "axolotl": 1})
        >>> model.wv.index_to_key
        ['dog', 'cat']
        """
        self.corpus_count = corpus_count or 0
        self.raw_vocab = dict(word_freq)
        self.prepare_vocab(update=update, keep_raw_vocab=keep_raw_vocab, trim_rule=trim_rule)
        self._make_matrices(update)

    def scan_vocab(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
        progress_per: int = 10_000,
        workers: int | None = None,
        trim_rule: TrimRule | None = None,
    ) -> tuple[int, int]:
        """Counts all words to :attr:`raw_vocab`; returns the numbers of words and of sentences.

        >>> Word2Vec().scan_vocab([["a", "cat"], ["a", "dog"]])
        (4, 2)
        """
        corpus = open_corpus(corpus_iterable, corpus_file)
        words, counts, total, _, sentences = corpus.count(self._settings(), 1, self.workers)
        self.raw_vocab = dict(zip(words, counts.tolist()))
        return total, sentences

    def prepare_vocab(
        self,
        update: bool = False,
        keep_raw_vocab: bool = False,
        trim_rule: TrimRule | None = None,
        min_count: int | None = None,
    ) -> dict[str, int]:
        """Chooses the vocabulary from :attr:`raw_vocab`; returns how much was kept and dropped."""
        if self.raw_vocab is None:
            raise RuntimeError("nothing was counted: call scan_vocab or build_vocab first")
        if min_count is not None:
            self.min_count = min_count
        items = sorted(self.raw_vocab.items(), key=lambda item: (-item[1], item[0].encode()))
        words, counts = [word for word, _ in items], np.array([count for _, count in items], int)
        kept = self._choose(words, counts, trim_rule, update)
        report = {
            "drop_unique": len(words) - len(kept),
            "retain_total": int(counts[kept].sum()),
            "num_retained_words": len(kept),
        }
        if not keep_raw_vocab:
            self.raw_vocab = None
        return report

    def _count(
        self,
        corpus: _core.Corpus,
        trim_rule: TrimRule | None,
        update: bool = False,
        keep_raw_vocab: bool = False,
    ) -> None:
        """Counts the words of a text and chooses the vocabulary."""
        needs_all = trim_rule is not None or self.max_final_vocab is not None or keep_raw_vocab
        least = 1 if needs_all else self.min_count
        counted = corpus.count(self._settings(), least, self.workers)
        words, counts, self.corpus_total_words, _, self.corpus_count = counted
        if keep_raw_vocab:
            self.raw_vocab = dict(zip(words, counts.tolist()))
        self._choose(words, counts.astype(np.int64), trim_rule, update)

    def _choose(
        self,
        words: list[str],
        counts: npt.NDArray[np.int64],
        trim_rule: TrimRule | None,
        update: bool,
    ) -> npt.NDArray[np.intp]:
        """Chooses the vocabulary from words by falling count; returns the indices of those kept."""
        least = self.min_count
        most = self.max_final_vocab
        if most is not None and most < len(counts):
            least = max(least, int(counts[most]) + 1)
        self.effective_min_count = least
        is_kept = counts >= least
        if trim_rule is not None:
            for index, word in enumerate(words):
                verdict = trim_rule(word, int(counts[index]), least)
                if verdict in (RULE_DISCARD, RULE_KEEP):
                    is_kept[index] = verdict == RULE_KEEP
        kept = np.flatnonzero(is_kept)
        if not len(kept) and not update:
            raise _core.W2vError(
                f"the vocabulary is empty: none of {len(words)} different words is kept; lower "
                "min_count, raise max_final_vocab, or check trim_rule"
            )
        chosen = [words[index] for index in kept]
        if update:
            self._add_words(chosen, counts[kept])
        else:
            self.wv._set_words(chosen, counts[kept])
            self.wv.vectors = np.zeros((0, self.vector_size), np.float32)
            self._output = None
        return kept

    def _add_words(self, words: list[str], counts: npt.NDArray[np.int64]) -> None:
        """Adds words, and the counts of words that are there, to the vocabulary."""
        wv = self.wv
        index = {**wv.key_to_index}
        for word in words:
            index.setdefault(word, len(index))
        merged = np.zeros(len(index), np.int64)
        merged[: len(wv)] = wv.expandos["count"]
        merged[[index[word] for word in words]] += counts
        wv._set_words(list(index), merged)

    def _make_matrices(self, keeps_trained: bool) -> None:
        """Makes the first vectors; those that were trained stay if ``keeps_trained``."""
        settings, counts = self._settings(), _counts(self.wv.expandos["count"])
        rows, output = _core.first_model(settings, self.wv.index_to_key, counts)
        if keeps_trained:
            self._keep(rows)
            if self._output is not None:
                kept = min(len(output), len(self._output))
                output[:kept] = self._output[:kept]
        self._take(rows, output)
        self.wv._has_tree = self.hs == 1 and self.arity == 2

    # The rows of W are the vectors here, and the parts of words in FastText.

    def _keep(self, rows: Floats) -> None:
        """Writes the rows that were trained over first ones."""
        rows[: len(self.wv.vectors)] = self.wv.vectors

    def _rows(self) -> Floats:
        """W, as training takes it."""
        return _floats(self.wv.vectors)

    def _take(self, rows: Floats, output: Floats) -> None:
        """Takes W and W' from training."""
        self.wv.vectors, self.wv.norms, self._output = rows, None, output

    def reset_from(self, other_model: Word2Vec) -> None:
        """Takes the vocabulary of another model, and makes first vectors."""
        wv = other_model.wv
        self.wv._set_words(list(wv.index_to_key), wv.expandos["count"].copy())
        self.corpus_count = other_model.corpus_count
        self._make_matrices(keeps_trained=False)

    def estimate_memory(self, vocab_size: int | None = None) -> dict[str, int]:
        """Bytes that the two matrices take, and their sum."""
        matrix = 4 * (vocab_size or len(self.wv)) * self.vector_size
        return {"vectors": matrix, "output": matrix, "total": 2 * matrix}

    # Training

    def train(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
        total_examples: int | None = None,
        total_words: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        word_count: int = 0,
        queue_factor: int = 2,
        report_delay: float = 1.0,
        compute_loss: bool = True,
        callbacks: Iterable[Any] = (),
    ) -> tuple[int, int]:
        """Trains on, from the vectors that are there.

        As in gensim, ``epochs`` and one of ``total_examples`` and ``total_words`` must be given;
        the text itself is counted all the same. The learning rate falls from ``start_alpha`` to
        ``end_alpha``, which are :attr:`alpha` and :attr:`min_alpha` if None. Other arguments have
        no effect.

        Returns how many words subsampling kept, about, and how many were read, over all epochs.

        Raises ``RuntimeError`` before a vocabulary was built, or for a model whose vectors alone
        were read; ``KeyboardInterrupt`` after Ctrl-C. What was trained by then is kept, and is the
        attribute ``model`` of that exception.

        >>> model = Word2Vec(min_count=1, epochs=2, seed=7)
        >>> sentences = [["a", "cat"], ["a", "dog"]] * 20
        >>> model.build_vocab(sentences)
        >>> kept, read = model.train(sentences, total_examples=model.corpus_count, epochs=2)
        >>> read, len(model.history)
        (160, 2)
        """
        if epochs is None or (total_examples is None and total_words is None):
            raise ValueError(
                "give epochs, and total_examples or total_words, such as "
                "train(sentences, total_examples=model.corpus_count, epochs=model.epochs)"
            )
        if not len(self.wv):
            raise RuntimeError("there is no vocabulary: call build_vocab first")
        if self._output is None or not len(self.wv.vectors):
            raise RuntimeError(
                "this model has vectors alone and cannot be trained on: Word2Vec.save keeps all"
            )
        alpha = self.alpha if start_alpha is None else start_alpha
        end = self.min_alpha if end_alpha is None else end_alpha
        corpus = open_corpus(corpus_iterable, corpus_file)
        return self._run(corpus, epochs, alpha, end, callbacks)

    def _run(
        self,
        corpus: _core.Corpus,
        epochs: int,
        alpha: float,
        min_alpha: float | None,
        callbacks: Iterable[Any],
        saving: _Saving | None = None,
    ) -> tuple[int, int]:
        if alpha > self.min_alpha_yet_reached:
            # In gensim's words, by which its users may filter it.
            logger.warning("Effective 'alpha' higher than previous training cycles")
        name_runtime_folder()
        run = _Run(self, epochs, list(callbacks))
        started = _report.now()
        start = None
        if self._output is not None:
            start = (self._rows(), _floats(self._output))
        self._stop, self._latest, self._points = _core.Stop(), [], []
        try:
            run.notify("on_train_begin")
            run.notify("on_epoch_begin")
            rows, output, report, raised = _core.train(
                corpus,
                self._settings(epochs=epochs, alpha=alpha, min_alpha=min_alpha),
                self.wv.index_to_key,
                _counts(self.wv.expandos["count"]),
                start,
                engine=self.engine,
                adapter=self.adapter,
                workers=self.workers,
                **(saving or _Saving())._asdict(),
                interval=run.display.interval,
                is_watched=run.is_watched,
                stop=self._stop,
                listener=run.hear,
            )
        finally:
            self._stop = None
            run.display.end()
        self._take(rows, output)
        self.wv._has_tree = self.hs == 1 and self.arity == 2
        self.report = {**json.loads(report), "started": started}
        summary, prepared = self.report["summary"], self.report["prepared"]
        self.train_count += 1
        self.total_train_time += summary["elapsed"]
        self.min_alpha_yet_reached = self.report["settings"]["min_lr"]
        if raised is not None:
            # The caller of the constructor has no other way to what was trained.
            with contextlib.suppress(AttributeError):
                raised.model = self  # type: ignore[attr-defined]
            raise raised
        run.notify("on_train_end")
        words = summary["words"]
        kept = round(prepared["kept"] * words / max(prepared["tokens"], 1))
        return kept, prepared["text"]["words"] * summary["epochs"]

    def stop(self) -> None:
        """Ends the run at hand after its batch; what was trained is kept.

        Call it from a callback or from another thread. It has no effect where nothing is trained.

        >>> class Watch:
        ...     def on_epoch_end(self, model):
        ...         if len(model.history) == 3:
        ...             model.stop()
        >>> len(Word2Vec([["a", "cat"], ["a", "dog"]] * 20, epochs=90, callbacks=[Watch()]).history)
        3
        """
        if self._stop is not None:
            self._stop.set()

    def plan(
        self,
        corpus_iterable: Iterable[Iterable[str]] | None = None,
        corpus_file: Path | Sequence[Path] | None = None,
    ) -> dict[str, Any]:
        """What a run on a text would need of memory and disk, as ``w2v-gpu train --dry-run`` tells.

        Raises ``RuntimeError`` before a vocabulary was built.

        >>> text = [["a", "cat"], ["a", "dog"]] * 20
        >>> model = Word2Vec(vector_size=10)
        >>> model.build_vocab(text)
        >>> model.plan(text)["host"]["needed"] > 0
        True
        """
        if not len(self.wv):
            raise RuntimeError("there is no vocabulary: call build_vocab first")
        name_runtime_folder()
        plan = _core.plan(
            open_corpus(corpus_iterable, corpus_file),
            self._settings(),
            self.wv.index_to_key,
            _counts(self.wv.expandos["count"]),
            engine=self.engine,
            adapter=self.adapter,
            workers=self.workers,
        )
        return cast("dict[str, Any]", json.loads(plan))

    def get_latest_training_loss(self) -> float:
        """The loss of the latest run: the sum over its examples. :attr:`history` has the means.

        >>> model = _example()
        >>> total = sum(epoch.loss * epoch.pairs for epoch in model.history)
        >>> model.get_latest_training_loss() == total
        True
        """
        return sum(epoch.loss * epoch.pairs for epoch in self._latest)

    @property
    def running_training_loss(self) -> float:
        """The same as :meth:`get_latest_training_loss`."""
        return self.get_latest_training_loss()

    @property
    def syn1neg(self) -> Floats:
        """W', the vectors of the words as contexts: a row of ``vector_size`` float32 for each word.

        Raises ``AttributeError`` for hierarchical softmax, and before a vocabulary was built.
        """
        if self.hs or self._output is None:
            raise AttributeError("syn1neg is there once a vocabulary was built, unless hs=1")
        return self._output

    @property
    def syn1(self) -> Floats:
        """W' of hierarchical softmax: the vectors of the tree's inner nodes.

        There is one node fewer than words; a row of zeros stands last, as gensim has it. This is a
        copy. Raises ``AttributeError`` without ``hs=1``, and before a vocabulary was built.
        """
        if not self.hs or self._output is None:
            raise AttributeError("syn1 is there once a vocabulary was built with hs=1")
        missing = max(len(self.wv) - len(self._output), 0)
        return np.concatenate([self._output, np.zeros((missing, self.vector_size), np.float32)])

    def predict_output_word(
        self, context_words_list: Iterable[Key], topn: int | None = 10
    ) -> list[tuple[str, float]] | None:
        """The most probable words between context words, by a softmax over ``syn1neg``.

        Returns None, with a warning of ``logging``, where no context word is known.

        Raises ``RuntimeError`` for a model without negative sampling or without ``syn1neg``.

        >>> model = _example()
        >>> model.predict_output_word(["cat"], topn=1)[0][0]
        'a'
        """
        if self.hs or self._output is None or not len(self.wv.vectors):
            raise RuntimeError("this needs a model that was trained with negative sampling")
        known = [self.wv.get_index(word) for word in context_words_list if word in self.wv]
        if not known:
            logger.warning("no word of the context is in the vocabulary")
            return None
        scores = self._output @ self.wv.vectors[known].mean(axis=0)
        odds = np.exp(scores - scores.max())
        shares = odds / odds.sum()
        best = _highest(shares, len(shares) if topn is None else topn)
        return [(self.wv.index_to_key[index], float(shares[index])) for index in best]

    # Files and other forms

    def save(self, path: Path, **gensim_only: object) -> None:
        """Writes the whole model to a safetensors file, whatever its name, to train on later.

        It holds ``vectors``, ``output`` (W'), the words, their counts and the settings, and no
        code. The program ``w2v-gpu`` reads its vectors if the name ends in ``.safetensors``.

        Raises ``RuntimeError`` before a vocabulary was built.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.safetensors")
        ...     _example().save(path)
        ...     Word2Vec.load(path)
        Word2Vec<vocab=3, vector_size=10, alpha=0.05>
        """
        if self._output is None:
            raise RuntimeError("there is nothing to save: call build_vocab first")
        arrays = self._arrays() | {"output": _floats(self._output)}
        state = {name: value for name, value in self.__dict__.items() if name in _STATE}
        texts = self.wv._texts() | {"model": json.dumps(state, default=_plain)}
        if self.report:
            texts["configuration"] = json.dumps(self.report["settings"])
        _files.write(path, arrays, texts)

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What a file holds beside W'."""
        return self.wv._arrays()

    def save_model(self, path: Path) -> None:
        """Writes a model that fastText and gensim's ``load_facebook_model`` read.

        Raises ``RuntimeError`` before a vocabulary was built, ``ValueError`` for a model of
        hierarchical softmax, whose tree fastText would not know.

        >>> import tempfile
        >>> from w2v_gpu import load
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "model.bin")
        ...     _example().save_model(path)
        ...     load(path).index_to_key
        ['a', 'cat', 'dog']
        """
        if self._output is None:
            raise RuntimeError("there is nothing to save: call build_vocab first")
        # Those of the latest run have values where these leave the choice to the program.
        settings = self.report.get("settings")
        _core.write_model(
            os.fspath(path),
            json.dumps(settings) if settings else self._settings(),
            self.wv.index_to_key,
            _counts(self.wv.expandos["count"]),
            self._rows(),
            _floats(self._output),
        )

    @_OnClass
    def load(cls: type[Word2Vec], path: Path, mmap: str | None = None) -> Word2Vec:
        """Reads what :meth:`save` has written.

        With ``mmap="r"`` the matrices stay in the file until the model is trained on.

        Raises ``AttributeError`` for a file of vectors alone, otherwise as
        :meth:`KeyedVectors.load`.
        """
        contents = _files.read(path, mmap)
        if "model" not in contents.texts or "output" not in contents.arrays:
            raise AttributeError(f"{os.fspath(path)} holds vectors alone: use KeyedVectors.load")
        kind = "FastText" if "subwords" in contents.texts else "Word2Vec"
        if kind != cls._FILES:
            raise AttributeError(f"{os.fspath(path)} holds another model: use {kind}.load")
        model = cls.__new__(cls)
        state = json.loads(contents.texts["model"])
        model.__dict__.update(state)
        model.history = [Epoch(*epoch) for epoch in model.history]
        model._latest = [Epoch(*epoch) for epoch in model._latest]
        model.raw_vocab, model._stop = None, None
        model._take_contents(path, contents)
        model.wv._has_tree = model.hs == 1 and model.arity == 2
        model._output = contents.arrays["output"]
        return model

    def _take_contents(self, path: Path, contents: _files.Contents) -> None:
        """Takes the words and vectors of a file."""
        self.wv = KeyedVectors._from_contents(path, contents)

    def __getstate__(self) -> dict[str, Any]:
        """What ``pickle`` and ``copy`` take, in a callback too: all but the run at hand."""
        return {**self.__dict__, "_stop": None}

    def to_gensim(self) -> Any:
        """The same model as gensim's ``Word2Vec``, with its vectors and W'.

        Raises ``ImportError`` without gensim.
        """
        from gensim.models import Word2Vec as Gensim

        made = Gensim(
            vector_size=self.vector_size,
            alpha=self.alpha,
            window=self.window,
            min_count=1,
            seed=self.seed,
            sg=self.sg,
            hs=self.hs,
            negative=self.negative if self.loss == "ns" else 0 if self.hs else 5,
            epochs=self.epochs,
            sorted_vocab=0,
        )
        counts = self.wv.expandos["count"].tolist()
        made.build_vocab_from_freq(dict(zip(self.wv.index_to_key, counts)))
        made.wv.vectors = _floats(self.wv.vectors).copy()
        if not self.hs and self._output is not None:
            made.syn1neg = _floats(self._output).copy()
        return made

    def report_html(self, path: Path, words: int = 2000) -> None:
        """Writes a page about the latest run, one file that needs no network.

        It shows the curves of the run, its settings, and a map of the first ``words``, 2 to 10,000.

        Raises ``RuntimeError`` before a training.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "run.html")
        ...     _example().report_html(path, words=3)
        ...     os.path.getsize(path) > 100_000
        True
        """
        if not self.report:
            raise RuntimeError("there is no run to report: train first")
        if not 2 <= words <= 10_000:
            raise ValueError(f"words {words}: a map shows 2 to 10000 words")
        _core.write_report(
            os.fspath(path),
            _report.record(self.report, self._points, [each._asdict() for each in self._latest]),
            self._expression(),
            self.wv.index_to_key,
            _counts(self.wv.expandos["count"]),
            _floats(self.wv.vectors),
            words,
        )

    def _expression(self) -> str:
        """The call that trains this model again, with the arguments that are no defaults."""
        given = []
        for name, setting in _SETTINGS.items():
            value = getattr(self, name)
            if value != self._defaults[setting] and not (name == "negative" and self.loss != "ns"):
                given.append(f"{name}={value!r}")
        flags = {"sg": 1, "shrink_windows": True, "skip_equal": True, "shuffle": True}
        flagged = [name for name, default in flags.items() if getattr(self, name) != default]
        given += [f"{name}={getattr(self, name)!r}" for name in flagged]
        given += [] if self.loss == "ns" else [f"loss={self.loss!r}"]
        given += self._own_arguments()
        return f"{type(self).__name__}({', '.join(['text', *given])})"

    def _own_arguments(self) -> list[str]:
        """The arguments of a subclass that are no defaults, as they are written."""
        return []

    def _repr_html_(self) -> str:
        return _report.notebook(str(self), self.report, self._points)

    def __str__(self) -> str:
        name, words = type(self).__name__, len(self.wv)
        return f"{name}<vocab={words}, vector_size={self.vector_size}, alpha={self.alpha}>"

    __repr__ = __str__


# The attributes that a file keeps beside the words and arrays.
_STATE = frozenset(
    "sg cbow_mean loss hs shrink_windows skip_equal shuffle max_final_vocab effective_min_count "
    "workers engine adapter progress history report corpus_count corpus_total_words train_count "
    "total_train_time min_alpha_yet_reached _defaults _latest _points".split()
) | set(_SETTINGS)


def _example() -> Word2Vec:
    """The model of the examples."""
    return Word2Vec([["a", "cat"], ["a", "dog"]] * 20, vector_size=10)


class _Run:
    """Hears a run, and hands on what it tells."""

    def __init__(self, model: Word2Vec, epochs: int, callbacks: list[Any]) -> None:
        self.model, self.epochs, self.callbacks = model, epochs, callbacks
        self.display = _progress.display(model.progress)
        names = ("on_epoch_begin", "on_epoch_end")
        self.is_watched = any(hasattr(each, name) for each in callbacks for name in names)

    def notify(self, name: str) -> None:
        """Calls the callbacks that have a method of this name."""
        for callback in self.callbacks:
            method = getattr(callback, name, None)
            if method is not None:
                method(self.model)

    def hear(self, kind: str, text: str, matrices: tuple[Floats, Floats] | None) -> None:
        """Takes a message of the run."""
        if kind == "info":
            logger.info(text)
        elif kind == "warning":
            logger.warning(text)
        elif kind == "progress":
            self.display.show(json.loads(text))
        elif kind == "point":
            self.model._points.append(json.loads(text))
        elif kind == "epoch":
            self._end_epoch(Epoch(**json.loads(text)))
        elif kind == "model" and matrices is not None:
            self._show_epoch(matrices)

    def _end_epoch(self, epoch: Epoch) -> None:
        self.model.history.append(epoch)
        self.model._latest.append(epoch)
        logger.info("epoch %d of %d: loss %.4f", epoch.epoch + 1, self.epochs, epoch.loss)

    def _show_epoch(self, matrices: tuple[Floats, Floats]) -> None:
        self.model._take(*matrices)
        self.notify("on_epoch_end")
        if len(self.model._latest) < self.epochs:
            self.notify("on_epoch_begin")


def _plain(value: object) -> object:
    """A number of NumPy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{value!r} is of type {type(value).__name__}, which is no setting")
