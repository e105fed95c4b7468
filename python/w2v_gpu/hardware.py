"""The adapters of this machine."""

from __future__ import annotations

import json
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
    names = [field.name for field in fields(Adapter)]
    adapters = json.loads(_core.devices())
    return [Adapter(**{name: adapter[name] for name in names}) for adapter in adapters]
