"""Lines of `compute.core.batch`: META_COLUMNS and then the table's columns, as COPY text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from compute.core.batch import TableChanges
from compute.engine.pgoutput.protocol import ROW_AT, UNCHANGED, Relation, Value
from rosetta.identifiers import TableId

CREATE: Final = b"c"
UPDATE: Final = b"u"
DELETE: Final = b"d"

# One column's text is the key itself, so that a row of such a table costs no tuple.
Key = bytes | tuple[bytes, ...]

_NULL: Final = b"\\N"
# Begins a value of less than 256 bytes, before the last byte of its length. No text has a NUL, so nothing else is this.
_SHORT: Final = b"t\0\0\0"
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
    """Gathers the lines of one table in one batch: in stream order, or `folded`, those of new rows first."""

    def __init__(self, relation: Relation, key: tuple[str, ...], *, folded: bool = False) -> None:
        self.table: TableId = relation.table
        self.shape = self.columns, self.types = relation.shape
        self.key = key
        self.has_deletes = self.has_unchanged = self.has_moved = False
        self._folded = folded
        self._count = len(self.columns)
        self._lines: list[bytes] = []
        self._fresh: list[bytes] = [] if folded else self._lines

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
        (self._fresh if operation == CREATE else self._lines).append(line)
        return len(line)

    def plain(self, operation: bytes, lsn: int, ordinal: int, transaction: bytes, message: bytes) -> bool:
        """Does what `row` does for a message of short values that need no escapes; for any other it returns False."""
        parts, count = message.split(_SHORT), self._count
        if len(parts) == count + 1:
            del parts[0]
            fields = [part[1:] for part in parts]
            breaks = count - 1  # a tab between two columns
        elif (found := _with_nulls(parts)) is not None and len(found) == count:
            fields = found
            breaks = 2 * count - len(parts)  # and a backslash for each NULL
        else:
            return False
        text = b"\t".join(fields)
        if len(text) - len(text.translate(None, _SPECIAL)) != breaks:
            return False
        line = b"%b\t%d\t%d\t%b\t\\N\t\\N\t%b\n" % (operation, lsn, ordinal, transaction, text)
        (self._fresh if operation == CREATE else self._lines).append(line)
        return True

    def deleted(self, stamp: tuple[int, int, bytes], values: Sequence[Value]) -> int:
        self.has_deletes = True
        return self.row(DELETE, stamp, values, None)

    def finish(self) -> TableChanges:
        lines = self._fresh + self._lines if self._folded else self._lines
        return TableChanges(
            table=self.table,
            columns=self.columns,
            key=self.key,
            row_count=len(lines),
            data=b"".join(lines),
            folded=self._folded,
            has_deletes=self.has_deletes,
            has_unchanged=self.has_unchanged,
            has_moved=self.has_moved,
            types=self.types,
        )


def _with_nulls(parts: list[bytes]) -> list[bytes] | None:
    """The columns of a message that was cut at its short values; None where there is more between them than NULLs."""
    before = parts[0][ROW_AT + 2 :]
    fields = [_NULL] * len(before)
    rest = before.strip(b"n")
    for part in parts[1:]:
        size = part[0] + 1
        fields.append(part[1:size])
        if len(part) != size:
            if len(part) < size:
                return None
            after = part[size:]
            rest += after.strip(b"n")
            fields += [_NULL] * len(after)
    return None if rest else fields


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
