"""Compute's log file and the older ones it was rotated to, read from either end without loading them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson

from app.core.exceptions import ServiceUnavailableError
from app.domain.ports import LogExcerpt, LogLine, LogQuestion
from rosetta.logs import FILE_NAME

_BLOCK_BYTES: Final = 256 * 1024
# So much is searched for one answer; the next question goes on from there.
_SEARCHED_BYTES: Final = 32 * 1024 * 1024
_LEVELS: Final = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class _Place:
    """A byte of one file, whatever that is called by now."""

    file: int
    offset: int

    def __str__(self) -> str:
        return f"{self.file:x}-{self.offset:x}"

    @classmethod
    def parse(cls, text: str) -> _Place:
        file, _, offset = text.partition("-")
        return cls(int(file, 16), int(offset, 16))


class _Files:
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

    def end(self) -> _Place | None:
        """Where the next line will begin; None without any file."""
        return _Place(self._order[-1], _whole(self._files[self._order[-1]])) if self._order else None

    def backwards(self, before: _Place | None) -> Iterator[tuple[_Place, bytes]]:
        """Lines that end at or before `before` (None: all), newest first, each with where it begins."""
        last = len(self._order) - 1 if before is None else self._index(before)
        for index in range(last, -1, -1):
            file = self._files[self._order[index]]
            stop = before.offset if before is not None and index == last else _whole(file)
            yield from ((_Place(self._order[index], at), line) for at, line in _lines_back(file, stop))

    def forwards(self, after: _Place) -> Iterator[tuple[_Place, bytes]]:
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
                    yield _Place(self._order[index], start), line
            start = 0

    def _index(self, place: _Place) -> int:
        return self._order.index(place.file) if place.file in self._files else -1


class LogFiles:
    """Reads the folder that compute logs into; safe to share, each question opens the files anew."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def read(self, question: LogQuestion) -> LogExcerpt:
        """See `PipelineLogs.read`."""
        return await asyncio.to_thread(self._read, question)

    def _read(self, question: LogQuestion) -> LogExcerpt:
        if self._folder is None or not self._folder.is_dir():
            raise ServiceUnavailableError(
                "Compute's logs are not on this machine, or nobody said where.",
                code="LOGS_NOT_HERE",
                remedy="Set COMPUTE_LOG_FOLDER of the backend to the folder that compute's LOG_FOLDER names.",
            )
        with ExitStack() as stack:
            files = _Files(self._folder, stack)
            if question.after is not None:
                return _newer(files, _Place.parse(question.after), question)
            return _older(files, None if question.before is None else _Place.parse(question.before), question)


def _older(files: _Files, before: _Place | None, question: LogQuestion) -> LogExcerpt:
    newer = before or files.end()
    found: list[LogLine] = []
    older, searched = None, 0
    for place, line in files.backwards(before):
        searched += len(line)
        if (entry := _matching(line, question)) is not None:
            found.append(entry)
        if len(found) == question.limit or searched > _SEARCHED_BYTES:
            older = place
            break
    return LogExcerpt(tuple(reversed(found)), None if older is None else str(older), str(newer) if newer else None)


def _newer(files: _Files, after: _Place, question: LogQuestion) -> LogExcerpt:
    found: list[LogLine] = []
    place, searched = after, 0
    for reached, line in files.forwards(after):
        place = reached
        searched += len(line)
        if (entry := _matching(line, question)) is not None:
            found.append(entry)
        if len(found) == question.limit or searched > _SEARCHED_BYTES:
            break
    return LogExcerpt(tuple(found), str(after), str(place))


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


def _matching(line: bytes, question: LogQuestion) -> LogLine | None:
    """The line if it is of this pipeline and fits; most are refused before they are parsed."""
    mark = b'"pipeline_id":%d' % question.pipeline_id
    if mark + b"," not in line and mark + b"}" not in line:
        return None
    if question.search and question.search.casefold() not in line.decode(errors="replace").casefold():
        return None
    try:
        fields: dict[str, Any] = orjson.loads(line)
        if fields.pop("pipeline_id") != question.pipeline_id:
            return None
        level = str(fields.pop("level"))
        if _rank(level) < _rank(question.level):
            return None
        return LogLine(
            timestamp=datetime.fromisoformat(fields.pop("timestamp")),
            level=level,
            event=str(fields.pop("event")),
            logger=str(fields.pop("logger", "")),
            fields=fields,
        )
    except (ValueError, KeyError):  # cut off in the middle, or of another hand
        return None


def _rank(level: str) -> int:
    return _LEVELS.index(level) if level in _LEVELS else len(_LEVELS)


def _age(path: Path) -> int:
    number = path.suffix.removeprefix(".")
    return int(number) if number.isdecimal() else 0
