"""A log file and the older ones it was rotated to, read from either end without loading them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from rosetta.logs import FILE_NAME

_BLOCK_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class LogPlace:
    """A byte of one file, whatever that is called by now."""

    file: int
    offset: int

    def __str__(self) -> str:
        return f"{self.file:x}-{self.offset:x}"

    @classmethod
    def parse(cls, text: str) -> LogPlace:
        file, _, offset = text.partition("-")
        return cls(int(file, 16), int(offset, 16))


class LogFolder:
    """The files, oldest first, held open: a rotation meanwhile takes none of them away.

    A file is known by its first line: its name changes with every rotation, and the number of a deleted file is soon
    another's. One without a line is left out.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        found: dict[int, BinaryIO] = {}
        # The newest first: one that is renamed meanwhile is met again under its older name, and known.
        for path in [folder / FILE_NAME, *sorted(folder.glob(f"{FILE_NAME}.*"), key=_age)]:
            try:
                opened = stack.enter_context(path.open("rb"))
            except FileNotFoundError:
                continue
            first = opened.readline()
            if first.endswith(b"\n"):
                found.setdefault(int.from_bytes(hashlib.blake2b(first, digest_size=8).digest()), opened)
        self._files = dict(reversed(found.items()))
        self._order = list(self._files)

    def end(self) -> LogPlace | None:
        """Where the next line will begin; None without any file."""
        return LogPlace(self._order[-1], _whole(self._files[self._order[-1]])) if self._order else None

    def backwards(self, before: LogPlace | None) -> Iterator[tuple[LogPlace, bytes]]:
        """Lines that end at or before `before` (None: all), newest first, each with where it begins."""
        last = len(self._order) - 1 if before is None else self._index(before)
        for index in range(last, -1, -1):
            file = self._files[self._order[index]]
            stop = before.offset if before is not None and index == last else _whole(file)
            yield from ((LogPlace(self._order[index], at), line) for at, line in _lines_back(file, stop))

    def forwards(self, after: LogPlace) -> Iterator[tuple[LogPlace, bytes]]:
        """Whole lines from `after` on, oldest first, each with where the next one begins."""
        first = self._index(after)
        # A file that is gone was the oldest: what is left of the others follows it.
        start = after.offset if first >= 0 else 0
        for index in range(max(first, 0), len(self._order)):
            file = self._files[self._order[index]]
            file.seek(start)
            for line in file:
                if line.endswith(b"\n"):
                    start += len(line)
                    yield LogPlace(self._order[index], start), line
            start = 0

    def _index(self, place: LogPlace) -> int:
        return self._order.index(place.file) if place.file in self._files else -1


def _lines_back(file: BinaryIO, stop: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines before `stop`, the last one first, with where each begins."""
    rest = b""  # the end of a line that begins further ahead
    while stop > 0:
        start = max(0, stop - _BLOCK_BYTES)
        file.seek(start)
        block = file.read(stop - start) + rest
        head = block.find(b"\n") + 1 if start > 0 else 0
        end = len(block)
        if start == 0 or head > 0:
            for line in reversed(block[head:].splitlines(keepends=True)):
                end -= len(line)
                if line.endswith(b"\n"):
                    yield start + end, line
        rest, stop = block[: head or end], start


def _whole(file: BinaryIO) -> int:
    """Where the last line that is written to its end ends."""
    size = os.fstat(file.fileno()).st_size
    return next((at + len(line) for at, line in _lines_back(file, size)), 0)


def _age(path: Path) -> int:
    number = path.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0
