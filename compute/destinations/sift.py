"""Finding the few that are refused among many that must be tried together: as few tries as the refusals allow."""

from __future__ import annotations

from typing import Protocol

from rosetta.errors import DataError


class Attempt(Protocol):
    def __call__(self, first: int, end: int, /) -> DataError | None:
        """Applies the items from `first` up to `end` in one piece, or not at all with the reason."""


class GiveUp(Protocol):
    def __call__(self, taken: int, in_a_row: int, error: DataError, /) -> bool:
        """Whether to stop: so many items were taken, and the last ones refused."""


def sift(count: int, attempt: Attempt, give_up: GiveUp | None = None) -> dict[int, DataError]:
    """Applies all of `count` items that can be, in order; returns the others with their reasons.

    A block that is refused is halved. After a refused item the next block is as long as refusals were apart so far,
    and grows as long as blocks are taken. One bad item costs about 2 log2(count) tries; where every item is bad
    there is about one try each. Once `give_up` says so, the rest is neither tried nor named.
    """
    refused: dict[int, DataError] = {}
    at, size, doomed, in_a_row = 0, count, 0, 0  # what is left of a block up to `doomed` will be refused, too
    while at < count:
        end = min(count, at + size)
        error = attempt(at, end)
        if error is None:
            at, in_a_row = end, 0
            size = max(1, (doomed - at) // 2) if at < doomed else size * 2
        elif end - at > 1:
            doomed, size = end, (end - at) // 2
        else:
            refused[at] = error
            at, doomed, in_a_row = end, 0, in_a_row + 1
            if give_up is not None and give_up(at - len(refused), in_a_row, error):
                break
            size = max(1, at // len(refused))
    return refused
