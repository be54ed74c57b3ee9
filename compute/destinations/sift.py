"""Finding the few that are refused among many that must be tried together: as few tries as the refusals allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rosetta.errors import DataError


class Attempt(Protocol):
    def __call__(self, first: int, end: int, /) -> DataError | None:
        """Applies the items from `first` up to `end` in one piece, or not at all with the reason."""


def sift(
    count: int, attempt: Attempt, give_up: Callable[[int, DataError], bool] = lambda _tried, _error: False
) -> dict[int, DataError]:
    """Applies all of `count` items that can be, in order; returns the others with their reasons.

    A block that is refused is halved. After a refused item the next block is as long as refusals were apart so far,
    and grows as long as blocks are taken. One bad item costs about 2 log2(count) tries; where every item is bad
    there is about one try each. `give_up(tried, error)` is asked while all items so far were refused, and ends the
    sifting: the rest is neither tried nor named.
    """
    refused: dict[int, DataError] = {}
    at, size, doomed = 0, count, 0  # a block up to `doomed` was refused, so that what is left of it will be, too
    while at < count:
        end = min(count, at + size)
        error = attempt(at, end)
        if error is None:
            at = end
            size = max(1, (doomed - at) // 2) if at < doomed else size * 2
        elif end - at > 1:
            doomed, size = end, (end - at) // 2
        else:
            refused[at] = error
            at, doomed = end, 0
            if len(refused) == at and give_up(at, error):
                break
            size = max(1, at // len(refused))
    return refused
