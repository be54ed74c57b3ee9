"""How fast a stream comes."""

from __future__ import annotations

import time
from typing import Final

_WINDOW_SECONDS: Final = 0.005
FAST_BYTES_PER_SECOND: Final = 4_000_000


class Pace:
    """Looks at a counter of bytes now and then."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._bytes = 0
        self._fast = False

    def is_fast(self, received_bytes: int) -> bool:
        """Whether it grew by `FAST_BYTES_PER_SECOND` in the last while, which is some milliseconds at least."""
        now = time.monotonic()
        passed = now - self._at
        if passed >= _WINDOW_SECONDS:
            self._fast = received_bytes - self._bytes >= FAST_BYTES_PER_SECOND * passed
            self._at, self._bytes = now, received_bytes
        return self._fast
