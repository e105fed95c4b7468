"""The program ``w2v-gpu``, which is in the same library as the classes."""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

from w2v_gpu import _core


def main() -> NoReturn:
    """Runs the program with the arguments of this process, and ends the process."""
    # The program handles signals itself. Python would raise an exception after it has ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise SystemExit(_core.cli(["w2v-gpu", *sys.argv[1:]]))
