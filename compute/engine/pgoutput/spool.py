"""What has come of one transaction that is still in progress, in a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Final, cast

from rosetta.errors import OutageError

_PIECE_BYTES: Final = 128 * 1024


class Spool:
    """Frames in the order in which they came; in a file without a name, which goes with the process.

    Memory: one piece, whatever the transaction's size. Raises OutageError where the disk takes nothing more.
    """

    def __init__(self) -> None:
        self._written: list[int] = []  # ends of pieces, each of which is of whole frames
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._starts: dict[int, int] = {}  # by transaction and subtransaction, in the order of their places
        self._relations: list[tuple[int, int, bytes]] = []
        self._file: BinaryIO | None = None
        self._opened = ExitStack()

    @property
    def _end(self) -> int:
        return (self._written[-1] if self._written else 0) + self._waiting_bytes

    def add(self, xid: int, frame: bytes) -> None:
        """Adds what came of `xid`, the transaction or one within it."""
        if xid not in self._starts:
            self._starts[xid] = self._end
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._waiting_bytes >= _PIECE_BYTES:
            self._write()

    def describe(self, number: int, relation: bytes) -> None:
        """Remembers a relation's message, which is about to be added; `number` grows from one to the next."""
        self._relations.append((self._end, number, relation))

    @property
    def relations(self) -> list[tuple[int, bytes]]:
        """The last message of each relation that is here, with its number."""
        return list({relation[1:5]: (number, relation) for _, number, relation in self._relations}.values())

    def drop(self, xid: int) -> None:
        """Drops what came of `xid` and everything behind, for that was done within it; nothing where nothing came."""
        start = self._starts.get(xid)
        if start is None:
            return
        self._write()
        kept = [end for end in self._written if end < start]
        self._written = [*kept, start] if start else []
        self._starts = {one: at for one, at in self._starts.items() if at < start}
        self._relations = [one for one in self._relations if one[0] < start]
        if self._file is not None:
            self._file.seek(start)  # what lies behind is written over

    def pieces(self) -> Iterator[bytes]:
        """Everything, in pieces of whole frames."""
        self._write()
        at = 0
        for end in self._written:
            if end > at:
                yield self._read(at, end - at)
            at = end

    def close(self) -> None:
        self._opened.close()

    def _write(self) -> None:
        if not self._waiting:
            return
        end = self._end
        try:
            if self._file is None:
                self._file = self._opened.enter_context(_file_without_a_name())
            rest = memoryview(b"".join(self._waiting))
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise _no_room("keeping a transaction in progress", error) from None
        self._written.append(end)
        self._waiting, self._waiting_bytes = [], 0

    def _read(self, at: int, size: int) -> bytes:
        descriptor = cast("BinaryIO", self._file).fileno()
        parts: list[bytes] = []
        while size > 0:
            try:
                part = os.pread(descriptor, size, at)
            except OSError as error:
                raise _no_room("reading a transaction in progress", error) from None
            if not part:
                raise OutageError("the file of a transaction in progress is shorter than what was written")
            parts.append(part)
            at, size = at + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def _file_without_a_name() -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile(prefix="rosetta-spool-", buffering=0) as file:
        yield file


def _no_room(doing: str, error: OSError) -> OutageError:
    return OutageError(
        f"{doing}: {error.strerror}",
        code="SCRATCH_DISK",
        remedy=f"Make room in {tempfile.gettempdir()}, or give compute another TMPDIR.",
    )
