"""Finds the compiled library beside its source, or in the cache, or has the machine's compiler make it there."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Final

import platformdirs

from rosetta.logs import get_logger

_SOURCE: Final = Path(__file__).with_name("swift.c")
_COMPILER_SECONDS: Final = 60.0
_log = get_logger("compute.engine")


class PlaceFields(ctypes.Structure):
    """The fields of `compute.engine.pgoutput.swift.Place`, as C has them."""

    base: int
    lsn: int
    ordinal: int
    in_transaction: bool
    xid: int
    micros: int
    newest: int
    grown: int
    taken: int
    seen: int

    _fields_ = [
        (name, ctypes.c_int64)
        for name in ("base", "lsn", "ordinal", "in_transaction", "xid", "micros", "newest", "grown", "taken", "seen")
    ]


class Image(ctypes.Structure):
    """What has become of a key."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("lsn", "ordinal", "xid", "micros")),
        ("hash", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("key", "row", "origin")),
        *((name, ctypes.c_uint32) for name in ("key_size", "row_size", "row_room", "origin_size")),
        ("operation", ctypes.c_uint8),
    ]


class Text(ctypes.Structure):
    """The lines of a table, and how many of them are what."""

    _fields_ = [
        ("text", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("size", "rows", "deletes", "unchanged", "moved")),
    ]


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL | None:
    """The library, or None, with a line in the log that says why, where this machine cannot have it."""
    if sys.platform == "win32":
        return None
    try:
        return declared(ctypes.CDLL(str(_found())))
    except (OSError, subprocess.SubprocessError) as error:
        _log.info("accelerator_missing", reason=f"{type(error).__name__}: {error}")
        return None


def _found() -> Path:
    """Raises OSError or SubprocessError when there is none and none can be made."""
    packaged = _SOURCE.with_suffix(".so")
    if packaged.exists():
        return packaged
    digest = hashlib.sha256(_SOURCE.read_bytes() + os.uname().machine.encode()).hexdigest()[:16]
    folder = platformdirs.user_cache_path("rosetta")
    made = folder / f"pgoutput-{digest}.so"
    if not made.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        compile_to(made)
    if made.stat().st_uid != os.geteuid():
        raise PermissionError(f"{made} belongs to somebody else")
    return made


def compile_to(made: Path) -> None:
    """Has this machine's compiler make the library.

    Raises:
        OSError: there is no compiler, or no room.
        subprocess.SubprocessError: the compiler failed, or takes too long.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    with tempfile.TemporaryDirectory(dir=made.parent) as folder:
        built = Path(folder) / made.name
        command = [compiler, "-std=c99", "-O2", "-shared", "-fPIC", "-o", str(built), str(_SOURCE)]
        subprocess.run(command, check=True, capture_output=True, timeout=_COMPILER_SECONDS)
        built.replace(made)  # whole or not at all, whoever else does the same


def declared(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the types of its functions; AttributeError where it is another one."""
    pointer, text, size, count = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_int64
    signatures = {
        "table_new": (pointer, [size, ctypes.c_uint64]),
        "table_free": (None, [pointer]),
        "table_find": (ctypes.POINTER(Image), [pointer, text, size]),
        "table_put": (count, [pointer, text, size, ctypes.c_uint8, text, size, text, size, pointer, pointer]),
        "table_text": (count, [pointer, pointer]),
        "text_free": (None, [pointer]),
        "run": (count, [pointer, pointer, pointer, size, text, *[count] * 6]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library
