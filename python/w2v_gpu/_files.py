"""Models in safetensors files: arrays and texts, and nothing that would be run."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
}
# The longest header that readers of the format take, in bytes.
_MAX_HEADER = 100_000_000


class Contents(NamedTuple):
    """What a file holds."""

    arrays: dict[str, Array]
    texts: dict[str, str]


def write(
    path: str | os.PathLike[str], arrays: Mapping[str, Array], texts: Mapping[str, str]
) -> None:
    """Writes a file, which appears whole or not at all."""
    header: dict[str, object] = {"__metadata__": dict(texts)}
    end = 0
    kinds = {kind: name for name, kind in _TYPES.items()}
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        kind = kinds[array.dtype.newbyteorder("<")]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    line = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    line += b" " * (-len(line) % 8)
    if len(line) > _MAX_HEADER:
        raise ValueError(
            f"the words take {len(line) // 1_000_000} MB, and safetensors has room for 100; use "
            "save_word2vec_format"
        )
    path = os.fspath(path)
    handle, temporary = tempfile.mkstemp(prefix=".w2v-gpu-", dir=os.path.dirname(path) or ".")
    try:
        with open(handle, "wb") as file:
            file.write(len(line).to_bytes(8, "little") + line)
            for array in arrays.values():
                file.write(np.ascontiguousarray(array).data)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def read(path: str | os.PathLike[str], mmap: str | None = None) -> Contents:
    """Reads a file. With ``mmap="r"`` the arrays stay in it and cannot be written to."""
    if mmap not in (None, "r"):
        raise ValueError(f"mmap is {mmap!r}: use None or 'r'")
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        line = file.read(min(length, _MAX_HEADER))
    if not line.startswith(b"{"):
        raise ValueError(
            f"{os.fspath(path)}: not a file that save() has written; w2v_gpu.load() reads others"
        )
    if len(line) < length:
        raise EOFError(f"{os.fspath(path)}: the file ends within its header; copy it again")
    try:
        header = json.loads(line)
        texts = header.pop("__metadata__", {})
        arrays = {name: _array(path, mmap, length + 8, size, info) for name, info in header.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{os.fspath(path)}: the header is damaged: {error}") from error
    return Contents(arrays, texts)


def _array(
    path: str | os.PathLike[str], mmap: str | None, base: int, size: int, info: dict[str, Any]
) -> Array:
    (start, end), shape, kind = info["data_offsets"], tuple(info["shape"]), _TYPES[info["dtype"]]
    if min(start, *shape) < 0 or end - start != kind.itemsize * int(np.prod(shape, dtype=object)):
        raise ValueError(f"{shape} values do not take {end - start} bytes")
    if base + end > size:
        raise EOFError(f"{os.fspath(path)}: the file ends before its last value; copy it again")
    if mmap:
        return np.memmap(path, kind, "r", base + start, shape)
    with open(path, "rb") as file:
        file.seek(base + start)
        return np.fromfile(file, kind, int(np.prod(shape))).reshape(shape)
