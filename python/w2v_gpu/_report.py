"""A run as a page, and as a few lines of a notebook."""

from __future__ import annotations

import datetime
import html
import json
import os
import platform
from collections.abc import Mapping, Sequence
from typing import Any

# The size of the curve, in pixels.
_WIDTH, _HEIGHT = 360, 120


def now() -> str:
    """This moment, as records have it: RFC 3339 in UTC."""
    moment = datetime.datetime.now(datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(
    report: Mapping[str, Any],
    points: Sequence[Mapping[str, Any]],
    epochs: Sequence[Mapping[str, Any]],
) -> str:
    """The record of a run, as the program writes it with ``--metrics``."""
    start = {
        "version": report["version"],
        "program": report["program"],
        "started": report["started"],
        "engine": report["engine"],
        "hardware": {
            "cores": os.cpu_count() or 1,
            "threads": report["threads"],
            "system": f"{platform.system().lower()} {platform.machine()}",
        },
        "corpus": report["corpus"],
        "output": "",
        "config": report["settings"],
        "automatic": report["automatic"],
        "prepared": report["prepared"],
    }
    summary = report["summary"]
    seconds = summary["elapsed"]
    end = {
        "training": summary,
        "words_per_second": summary["words"] / max(seconds, 1e-9),
        "seconds": {"train": seconds},
    }
    progress = _with_speed(points)
    return json.dumps({"start": start, "progress": progress, "epochs": epochs, "end": end})


def _with_speed(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The points of a run, each with the words per second since the one before."""
    words, elapsed = 0, 0.0
    found = []
    for point in points:
        speed = (point["words"] - words) / max(point["elapsed"] - elapsed, 1e-9)
        words, elapsed = point["words"], point["elapsed"]
        found.append({**point, "words_per_second": speed})
    return found


def notebook(title: str, report: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> str:
    """HTML with the curve of a run's loss and what it came to."""
    parts = [f"<p><b>{html.escape(title)}</b></p>"]
    if report:
        summary = report["summary"]
        speed = summary["words"] / max(summary["elapsed"], 1e-9)
        rows = {
            "engine": report["engine"],
            "epochs": f"{summary['epochs']} ({summary['ending']})",
            "loss": f"{summary['loss']:.4f}, and {summary['blank_loss']:.4f} untrained",
            "words": f"{summary['words']:,} in {summary['elapsed']:.1f} s, {speed:,.0f}/s",
        }
        cells = (
            f"<tr><th>{name}</th><td>{html.escape(row)}</td></tr>" for name, row in rows.items()
        )
        parts.append(f"<table>{''.join(cells)}</table>")
    if len(points) > 1:
        parts.append(_curve([point["words"] for point in points], [p["loss"] for p in points]))
    return "".join(parts)


def _curve(words: Sequence[float], losses: Sequence[float]) -> str:
    low, high = min(losses), max(losses)
    span = (high - low) or 1.0
    places = (
        f"{_WIDTH * at / words[-1]:.1f},{_HEIGHT - _HEIGHT * (loss - low) / span:.1f}"
        for at, loss in zip(words, losses)
    )
    return (
        f'<svg width="{_WIDTH}" height="{_HEIGHT + 4}" viewBox="0 -2 {_WIDTH} {_HEIGHT + 4}" '
        f'role="img" aria-label="loss from {losses[0]:.4f} to {losses[-1]:.4f}">'
        '<polyline fill="none" stroke="currentColor" stroke-width="1.5" '
        f'points="{" ".join(places)}"/></svg>'
    )
