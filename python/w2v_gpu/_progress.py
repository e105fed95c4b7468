"""What is shown of a run on its way: a bar of tqdm, or lines of ``logging``."""

from __future__ import annotations

import importlib.util
import logging
import sys
from typing import Any, Protocol

logger = logging.getLogger("w2v_gpu")


class Progress(Protocol):
    """Shows how far a run has come."""

    interval: float
    """Seconds between two reports."""

    def show(self, report: dict[str, Any]) -> None:
        """Shows a report: ``words``, ``total_words``, ``loss``, ``lr``, ``epoch``, ``elapsed``."""

    def end(self) -> None:
        """Ends the display."""


class Lines:
    """A line of logging for each report."""

    interval = 10.0

    def show(self, report: dict[str, Any]) -> None:
        done = report["words"] / max(report["total_words"], 1)
        speed = report["words"] / max(report["elapsed"], 1e-9)
        logger.info(
            "%.1f%% of the run, epoch %d, %.0f words/s, loss %.4f, learning rate %.5f",
            100 * done,
            report["epoch"] + 1,
            speed,
            report["loss"],
            report["lr"],
        )

    def end(self) -> None:
        pass


class Bar:
    """A bar of tqdm, on a terminal or in a notebook."""

    interval = 0.5

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, report: dict[str, Any]) -> None:
        from tqdm.auto import tqdm

        if self._bar is None:
            self._bar = tqdm(
                total=report["total_words"], unit="word", unit_scale=True, desc="training"
            )
        self._bar.set_postfix(loss=f"{report['loss']:.4f}", refresh=False)
        self._bar.update(report["words"] - self._bar.n)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Silence:
    """Nothing."""

    interval = 10.0

    def show(self, report: dict[str, Any]) -> None:
        pass

    def end(self) -> None:
        pass


def display(wanted: bool | None) -> Progress:
    """The display for ``progress=``: a bar where one can be seen, otherwise lines."""
    if wanted is False:
        return Silence()
    has_bar = importlib.util.find_spec("tqdm") is not None
    if has_bar and (wanted or sys.stderr.isatty() or _is_notebook()):
        return Bar()
    return Lines()


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    current = shell and shell.get_ipython()
    return type(current).__name__ == "ZMQInteractiveShell"
