"""The adapters of this machine."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, fields

from w2v_gpu import _core


@dataclass(frozen=True)
class Adapter:
    """A GPU, or a program that stands for one.

    >>> Adapter(0, "llvmpipe", "Vulkan", "software", "Mesa", 2**27, 2**30, 2**31, (8, 8)).name
    'llvmpipe'
    """

    index: int
    """The number by which ``adapter=`` takes it; so does a part of its name."""
    name: str
    backend: str
    """Vulkan, Metal or DX12."""
    kind: str
    """What it is, such as ``discrete`` or ``software``."""
    driver: str
    max_binding: int
    """Bytes of the largest piece of a matrix."""
    max_matrix: int
    """Bytes of the largest matrix."""
    max_buffer: int
    """Bytes of the largest buffer."""
    subgroup: tuple[int, int] | None
    """The smallest and largest width of its subgroups; None if it has none."""


def devices() -> list[Adapter]:
    """Returns every adapter of this machine; an empty list where there is none.

    >>> all(isinstance(adapter, Adapter) for adapter in devices())
    True
    """
    name_runtime_folder()
    names = [field.name for field in fields(Adapter)]
    adapters = json.loads(_core.devices())
    return [Adapter(**{name: adapter[name] for name in names}) for adapter in adapters]


def name_runtime_folder() -> None:
    """Names the user's runtime folder to drivers where nobody has, as in containers and notebooks.

    Without that name, a layer of Mesa prints an error while adapters are listed, though it needs
    nothing from there. The program does the same.
    """
    is_named = os.environ.get("XDG_RUNTIME_DIR", "").startswith("/")
    if sys.platform == "linux" and not is_named:
        os.environ["XDG_RUNTIME_DIR"] = f"/run/user/{os.getuid()}"
