"""Watermarks that stand in no log; see `ChangeEngine.mark`."""

from __future__ import annotations

from collections import deque


class Marks:
    """What is wanted, and from which position on. Any thread may add; another one takes."""

    def __init__(self) -> None:
        self._wanted: deque[tuple[int, str]] = deque()

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def add(self, content: str, lsn: int) -> None:
        self._wanted.append((lsn, content))

    def any_beyond(self, lsn: int) -> bool:
        """Whether the stream must come beyond `lsn` for one of them."""
        return any(wanted > lsn for wanted, _ in tuple(self._wanted))

    def any_up_to(self, lsn: int) -> bool:
        return any(wanted <= lsn for wanted, _ in tuple(self._wanted))

    def take(self, lsn: int) -> list[str]:
        """Those that are wanted up to `lsn`, by their positions, and where these are the same as they were added."""
        due = [one for one in tuple(self._wanted) if one[0] <= lsn]
        for one in due:
            self._wanted.remove(one)
        return [content for _, content in sorted(due, key=lambda one: one[0])]
