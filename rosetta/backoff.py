"""How long to wait before trying again what has failed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_MOST_DOUBLINGS: Final = 30  # beyond them a float would overflow at last


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `first_seconds` on and never pass `longest_seconds`."""

    first_seconds: float
    longest_seconds: float

    def ceiling_seconds(self, failures: int) -> float:
        """The pause after `failures` in a row, at least one."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(failures - 1, _MOST_DOUBLINGS))

    def delay_seconds(self, failures: int) -> float:
        """Between half of that pause and all of it, at random: what failed together does not come back together."""
        return self.ceiling_seconds(failures) * random.uniform(0.5, 1.0)  # noqa: S311 - protects nothing
