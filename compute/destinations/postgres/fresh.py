"""Rows that are new with their batch: where they stand in a payload, and as lines that their table takes by itself."""

from __future__ import annotations

import io
import re
from typing import Final

# A line ends with the only newline in it, and begins with one letter. Searched by expressions, which look for the
# newline first: `bytes.find` and `bytes.count` begin with the letter, and take twice as long.
_OTHERS: Final = re.compile(rb"\n[^c]")
_LATER: Final = {operation: re.compile(rb"\n" + operation) for operation in (b"c", b"d")}
_PIECE_BYTES: Final = 1 << 16
# What stands between a line's first columns and the row's own: `_unchanged` and `_from`, neither of them set.
_UNSET: Final = len(b"\\N\t\\N\t")


def fresh_end(data: bytes) -> int:
    """Where the run of new rows that a payload begins with is over; 0: it begins with another change."""
    if not data.startswith(b"c"):
        return 0
    found = _OTHERS.search(data)
    return len(data) if found is None else found.start() + 1


def count(data: bytes, operation: bytes, start: int = 0) -> int:
    """How many lines, from the one at `start` on, are new rows (`c`) or deletions (`d`)."""
    first = int(not start and data.startswith(operation))
    return first + len(_LATER[operation].findall(data, max(start - 1, 0)))


class BareLines(io.BufferedIOBase):
    """Lines without what only a merge asks for: `_lsn`, `_seq`, `_xid`, then the row's columns.

    Neither `_unchanged` nor `_from` may be set in any of them. Made while they are sent, for the server is not to wait.
    """

    def __init__(self, data: bytes, end: int) -> None:
        """The lines of `data` up to `end`."""
        self._data = data
        self._at, self._end = 0, end

    def read(self, _size: int | None = -1, /) -> bytes:
        """The next lines, a piece that is as large as a COPY likes."""
        data, start = self._data, self._at
        stop = data.rfind(b"\n", start, min(start + _PIECE_BYTES, self._end)) + 1
        self._at = stop = stop or data.find(b"\n", start, self._end) + 1 or self._end
        return _bare(data[start:stop])


def _bare(data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.pop()
    made = []
    for line in lines:
        _, lsn, seq, xid, _, rest = line.split(b"\t", 5)
        made.append(b"\t".join((lsn, seq, xid, rest[_UNSET:])))
    made.append(b"")
    return b"\n".join(made)
