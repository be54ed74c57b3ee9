"""What keeps a process small that passes many megabytes through."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# Of malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

# A buffer of this size or more is given back to the system as soon as it is free.
RETURNED_BYTES: Final = 128 * 1024


def limit_malloc() -> None:
    """Keeps glibc from holding on to memory; elsewhere there is nothing to limit.

    Without it each thread may have a heap of its own, and the text of a batch comes from a heap that never shrinks
    again.
    """
    if sys.platform == "linux" and hasattr(library := ctypes.CDLL(None), "mallopt"):
        library.mallopt(_M_ARENA_MAX, 2)
        library.mallopt(_M_MMAP_THRESHOLD, RETURNED_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * RETURNED_BYTES)
