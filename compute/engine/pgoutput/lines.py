"""Lines of `compute.core.batch`: META_COLUMNS and then the table's columns, as COPY text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from compute.core.batch import TableChanges
from compute.engine.pgoutput.protocol import UNCHANGED, Relation, Value
from rosetta.identifiers import TableId

CREATE: Final = b"c"
UPDATE: Final = b"u"
DELETE: Final = b"d"

# One column's text is the key itself, so that a row of such a table costs no tuple.
Key = bytes | tuple[bytes, ...]

_NULL: Final = b"\\N"
_SPECIAL: Final = b"\\\t\n\r\b\f\v"
_ESCAPES: Final = (
    (b"\\", b"\\\\"),
    (b"\t", b"\\t"),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
    (b"\b", b"\\b"),
    (b"\f", b"\\f"),
    (b"\v", b"\\v"),
)


class LineWriter:
    """Gathers the lines of one table in one batch."""

    def __init__(self, relation: Relation, key: tuple[str, ...]) -> None:
        self.table: TableId = relation.table
        self.columns = tuple(column.name for column in relation.columns)
        self.key = key
        self.has_deletes = self.has_unchanged = self.has_moved = False
        self._lines: list[bytes] = []

    def row(self, operation: bytes, stamp: tuple[int, int, bytes], values: Sequence[Value], origin: Key | None) -> int:
        """Adds a line and returns its bytes; `stamp` is LSN, ordinal, and the text of xid and time.

        `origin` is the key that the row had before the batch; None: the same, or there was no such row.
        """
        mask = moved = _NULL
        if UNCHANGED in values:
            self.has_unchanged = True
            mask = b"".join([b"1" if value is UNCHANGED else b"0" for value in values])
            values = [None if value is UNCHANGED else value for value in values]
        if origin is not None:
            self.has_moved = True
            moved = _escaped(_array(origin))
        text = _columns(values)
        line = b"%b\t%d\t%d\t%b\t%b\t%b\t%b\n" % (operation, *stamp, mask, moved, text)
        self._lines.append(line)
        return len(line)

    def deleted(self, stamp: tuple[int, int, bytes], values: Sequence[Value]) -> int:
        self.has_deletes = True
        return self.row(DELETE, stamp, values, None)

    def finish(self, *, folded: bool) -> TableChanges:
        return TableChanges(
            table=self.table,
            columns=self.columns,
            key=self.key,
            row_count=len(self._lines),
            data=b"".join(self._lines),
            folded=folded,
            has_deletes=self.has_deletes,
            has_unchanged=self.has_unchanged,
            has_moved=self.has_moved,
        )


def _columns(values: Sequence[Value]) -> bytes:
    nulls = values.count(None)
    text = b"\t".join([_NULL if value is None else value for value in values] if nulls else values)  # type: ignore[arg-type]
    # Most rows hold nothing that COPY wants escaped: then only what was put in between would be deleted here.
    if len(text) - len(text.translate(None, _SPECIAL)) == len(values) - 1 + nulls:
        return text
    return b"\t".join([_NULL if value is None else _escaped(value) for value in values])


def _escaped(value: bytes) -> bytes:
    for character, escape in _ESCAPES:
        value = value.replace(character, escape)
    return value


def _array(key: Key) -> bytes:
    """A text[] literal of values that are never NULL."""
    parts = (key,) if isinstance(key, bytes) else key
    return b"{%b}" % b",".join(b'"%b"' % part.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for part in parts)
