"""Compiles HLSL to DXIL with DXC, as wgpu does on Windows: backends.py LIBDXCOMPILER FOLDER

FOLDER holds files NAME.hlsl whose entry point is `main`. Prints each file that is refused with the compiler's message, and how
many passed; exits with 1 where one was refused. Needs no package.
"""

import concurrent.futures
import ctypes
import os
import pathlib
import sys
import uuid

COMPILER_CLASS = uuid.UUID("73e22d93-e6ce-47f3-b5bf-f0664f39c1b0")
COMPILER = uuid.UUID("228b4687-5a6a-4730-900c-9702b2203f54")
RESULT = uuid.UUID("58346cda-dde7-4497-9461-6f87af5e0659")
UTF8 = 65001
# Places of methods in the tables of their interfaces. The first three are those of IUnknown; behind them this library, unlike
# those of Windows, has two of a destructor.
RELEASE, COMPILE = 2, 5
GET_STATUS, GET_RESULT, GET_ERRORS = 5, 6, 7
GET_POINTER, GET_SIZE = 5, 6
# The arguments of wgpu.
ARGUMENTS = ["-E", "main", "-HV", "2018", "-no-warnings", "-Ges", "-T", "cs_6_0"]
# DXC signs with a library of Windows alone, and says so where it is not there.
UNSIGNED = "warning: DXIL.dll not found.  Resulting DXIL will not be signed for use in release environments."


class Buffer(ctypes.Structure):
    """DxcBuffer: a text, its length in bytes and its encoding."""

    _fields_ = [("text", ctypes.c_char_p), ("bytes", ctypes.c_size_t), ("encoding", ctypes.c_uint32)]


def call(thing, place, result, *arguments):
    """Calls the method in a place of an object's table; `arguments` are pairs of a type and a value."""
    table = ctypes.cast(thing, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    types = [kind for kind, _ in arguments]
    method = ctypes.CFUNCTYPE(result, ctypes.c_void_p, *types)(table[place])
    return method(thing, *(value for _, value in arguments))


def made(status, thing, what):
    """An object that a call has made, or the end where it has not."""
    if status != 0 or not thing:
        sys.exit(f"error: {what} failed with code {status & 0xFFFFFFFF:#x}")
    return thing


def content(blob):
    """The bytes of a blob, which is given back; none where there is no blob."""
    if not blob:
        return b""
    pointer = call(blob, GET_POINTER, ctypes.c_void_p)
    size = call(blob, GET_SIZE, ctypes.c_size_t)
    text = ctypes.string_at(pointer, size) if size else b""
    call(blob, RELEASE, ctypes.c_uint32)
    return text


def output(result, place):
    """A blob of a result."""
    blob = ctypes.c_void_p()
    call(result, place, ctypes.c_int32, (ctypes.c_void_p, ctypes.byref(blob)))
    return content(blob)


def compiler(library):
    """A compiler of the library."""
    thing = ctypes.c_void_p()
    status = library.DxcCreateInstance(COMPILER_CLASS.bytes_le, COMPILER.bytes_le, ctypes.byref(thing))
    return made(status, thing, "DxcCreateInstance")


def refusal(own, path):
    """The reason why a file is refused; empty where it is compiled."""
    text = path.read_bytes()
    buffer = Buffer(text, len(text), UTF8)
    result = ctypes.c_void_p()
    status = call(
        own, COMPILE, ctypes.c_int32,
        (ctypes.c_void_p, ctypes.byref(buffer)),
        (ctypes.c_void_p, (ctypes.c_wchar_p * len(ARGUMENTS))(*ARGUMENTS)),
        (ctypes.c_uint32, len(ARGUMENTS)),
        (ctypes.c_void_p, None),
        (ctypes.c_char_p, RESULT.bytes_le),
        (ctypes.c_void_p, ctypes.byref(result)),
    )  # fmt: skip
    made(status, result, f"compiling {path}")
    succeeded = ctypes.c_int32(-1)
    call(result, GET_STATUS, ctypes.c_int32, (ctypes.c_void_p, ctypes.byref(succeeded)))
    errors = output(result, GET_ERRORS).rstrip(b"\0").decode().replace(UNSIGNED, "").strip()
    code = output(result, GET_RESULT)
    call(result, RELEASE, ctypes.c_uint32)
    # wgpu takes any message for a failure.
    if succeeded.value == 0 and not errors and code.startswith(b"DXBC"):
        return ""
    return errors or f"no code, status {succeeded.value & 0xFFFFFFFF:#x}"


def refused(job):
    """The files of a share that are refused, with the reason."""
    library, paths = job
    own = compiler(ctypes.CDLL(library))
    return [(path, why) for path in paths if (why := refusal(own, path))]


def main():
    library, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    paths = sorted(folder.glob("*.hlsl"))
    if not paths:
        sys.exit(f"error: there is no .hlsl file in {folder}")
    shares = os.cpu_count() or 1
    with concurrent.futures.ProcessPoolExecutor(shares) as pool:
        jobs = [(library, paths[share::shares]) for share in range(shares)]
        failures = [failure for failed in pool.map(refused, jobs) for failure in failed]
    for path, why in failures:
        print(f"{path}:\n{why}", file=sys.stderr)
    print(f"DXC: {len(paths) - len(failures)} of {len(paths)} variants compiled")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
