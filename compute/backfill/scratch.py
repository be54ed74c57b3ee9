"""Where the bytes of a chunk land while it is read: memory stays bounded whatever the rows are like."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from rosetta.errors import OutageError

_TAIL_BYTES = 65_536
_YOUNG_SECONDS = 60.0
_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


class ScratchFolder:
    """A folder that only we can read, locked for as long as this process lives.

    Several pipelines, installations and users share one temporary directory, so the name is new every time.
    What processes of ours that are gone left there is removed first. Raises OutageError where there is no room.
    """

    def __init__(self, prefix: str) -> None:
        for left in Path(tempfile.gettempdir()).glob(f"{prefix}-*"):
            if _abandoned(left):
                shutil.rmtree(left, ignore_errors=True)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=f"{prefix}-"))
        except OSError as error:
            raise _no_room("making a folder for chunks", error) from None
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        """Removes the folder when nothing is left in it: writers may still read chunks. Safe to call twice."""
        with contextlib.suppress(OSError):
            self.path.rmdir()


def _no_room(doing: str, error: OSError) -> OutageError:
    """The outage that a disk is which takes nothing more: it ends when somebody makes room."""
    return OutageError(
        f"{doing}: {error.strerror}",
        code="SCRATCH_DISK",
        remedy=f"Make room in {tempfile.gettempdir()}, or give compute another TMPDIR.",
    )


def _abandoned(folder: Path) -> bool:
    """Whether the process that made this folder is gone; a young one may only not have come to its lock yet."""
    try:
        facts = folder.lstat()
        if facts.st_uid != os.geteuid() or time.time() - facts.st_ctime < _YOUNG_SECONDS:
            return False
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:  # it went away, or is no folder
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


class Scratch:
    """A file that is written again and again; what is small comes back as bytes, what is large as a file of its own.

    The server's lines go straight into the file's C buffer, no Python runs per row. Used by one thread.
    """

    def __init__(self, folder: Path, inline_bytes: int) -> None:
        self._folder = folder
        self._inline_bytes = inline_bytes
        self._path = folder
        self._file: BinaryIO | None = None

    @contextmanager
    def room(self, doing: str) -> Iterator[None]:
        """For whatever writes here: raises OutageError where the disk takes nothing more, and gives the file up."""
        try:
            yield
        except OSError as error:
            self.close()
            if error.errno in _FULL:
                raise _no_room(doing, error) from None
            raise

    def begin(self) -> BinaryIO:
        """The file, empty."""
        if self._file is None:
            descriptor, name = tempfile.mkstemp(dir=self._folder, prefix="chunk-", suffix=".copy")
            self._file, self._path = os.fdopen(descriptor, "w+b", buffering=1 << 20), Path(name)
        self._file.seek(0)
        self._file.truncate()
        return self._file

    def take(self) -> bytes | Path:
        """What was written since `begin`. A file belongs to the caller, who deletes it."""
        if self._file is None:
            return b""
        self._file.flush()
        if self._file.tell() <= self._inline_bytes:
            self._file.seek(0)
            return self._file.read()
        self._file.close()
        self._file = None
        return self._path

    def close(self) -> None:
        """Deletes the file, unless it was taken; the next `begin` makes another one."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # what could not be written is not wanted any more
                self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)


def last_line(data: bytes | Path) -> bytes:
    """The last line of COPY text, without its end. A newline within a value is escaped, so every one ends a line."""
    if isinstance(data, bytes):
        return data[data.rfind(b"\n", 0, len(data) - 1) + 1 : -1]
    with data.open("rb") as file:
        position = file.seek(0, os.SEEK_END) - 1
        end, tail, length = position, b"", _TAIL_BYTES
        while position > 0 and b"\n" not in tail:
            position = max(0, end - length)
            file.seek(position)
            tail = file.read(end - position)
            length *= 4
    return tail[tail.rfind(b"\n") + 1 :]


def values_of(line: bytes, positions: Sequence[int]) -> tuple[str, ...]:
    """The values (none of them NULL) at `positions` of a line of COPY text."""
    fields = line.split(b"\t")
    return tuple(_ESCAPE.sub(_unescaped, fields[position]).decode() for position in positions)


def _unescaped(match: re.Match[bytes]) -> bytes:
    return _ESCAPED.get(match[1], match[1])
