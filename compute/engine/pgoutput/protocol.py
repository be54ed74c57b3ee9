"""Messages of pgoutput, protocol version 1 (PostgreSQL's manual, "Logical Replication Message Formats").

The few messages per transaction become objects. Rows stay the bytes that came: `values` takes one apart where
somebody wants its columns, and most rows of a folded batch are never looked at beyond their key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct, error
from typing import Final

from compute.engine.pgoutput.errors import StreamError
from rosetta.identifiers import TableId

BEGIN, COMMIT, ORIGIN, RELATION, TYPE = b"BCORY"
INSERT, UPDATE, DELETE, TRUNCATE, MESSAGE = b"IUDTM"
ROWS: Final = bytes((INSERT, UPDATE, DELETE))
NEW, OLD_KEY, OLD_ROW = b"NKO"
TEXT, NULL, TOAST = b"tnu"

# A row that stands alone in a message: kind, relation's id, "N", and then the row.
ROW_AT: Final = 6
# Stands for a TOAST value that an update did not send. Text has no NUL, so no value equals it.
UNCHANGED: Final = b"\0unchanged"

Value = bytes | None

_BEGIN: Final = Struct(">cqqI")
_COMMIT: Final = Struct(">cBqqq")
_MESSAGE: Final = Struct(">cBq")
_COLUMN: Final = Struct(">Ii")
_u16: Final = Struct(">H").unpack_from
_u32: Final = Struct(">I").unpack_from
EPOCH_MICROS: Final = 946_684_800_000_000  # PostgreSQL's time begins in 2000


@dataclass(frozen=True, slots=True)
class Begin:
    """`final_lsn` is that of the transaction's commit; `micros` counts from 1970."""

    final_lsn: int
    micros: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    commit_lsn: int
    end_lsn: int
    micros: int


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    in_identity: bool
    type_oid: int
    modifier: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the rows behind this message are made; it comes again when the table changed."""

    oid: int
    table: TableId
    identity: str
    columns: tuple[Column, ...]

    @property
    def shape(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the columns, and of each the type as `rosetta.types.Column.type_id` has it."""
        names = tuple(column.name for column in self.columns)
        return names, tuple(f"{column.type_oid}:{column.modifier}" for column in self.columns)


@dataclass(frozen=True, slots=True)
class Message:
    """What `pg_logical_emit_message` wrote; without a transaction it stands between two of them."""

    transactional: bool
    lsn: int
    prefix: str
    content: bytes


def begin(payload: bytes) -> Begin:
    _, final_lsn, micros, xid = _unpack(_BEGIN, payload)
    return Begin(final_lsn, micros + EPOCH_MICROS, xid)


def commit(payload: bytes) -> Commit:
    _, _, commit_lsn, end_lsn, micros = _unpack(_COMMIT, payload)
    return Commit(commit_lsn, end_lsn, micros + EPOCH_MICROS)


def relation(payload: bytes) -> Relation:
    try:
        schema, at = _string(payload, 5)
        name, at = _string(payload, at)
        identity = chr(payload[at])
        (count,) = _u16(payload, at + 1)
        at += 3
        columns = []
        for _ in range(count):
            in_identity = bool(payload[at] & 1)
            column, at = _string(payload, at + 1)
            columns.append(Column(column, in_identity, *_COLUMN.unpack_from(payload, at)))
            at += _COLUMN.size
    except (IndexError, error):
        raise _malformed(payload) from None
    return Relation(_u32(payload, 1)[0], TableId(schema or "pg_catalog", name), identity, tuple(columns))


def truncate(payload: bytes) -> tuple[int, ...]:
    """The relations that were emptied: whatever else was, by CASCADE, is among them."""
    try:
        (count,) = _u32(payload, 1)
        return Struct(f">{count}I").unpack_from(payload, 6)
    except error:
        raise _malformed(payload) from None


def message(payload: bytes) -> Message:
    _, flags, lsn = _unpack(_MESSAGE, payload)
    prefix, at = _string(payload, _MESSAGE.size)
    try:
        (size,) = _u32(payload, at)
    except error:
        raise _malformed(payload) from None
    content = payload[at + 4 : at + 4 + size]
    if len(content) != size:
        raise _malformed(payload)
    return Message(bool(flags & 1), lsn, prefix, content)


def values(payload: bytes, at: int = ROW_AT, limit: int | None = None) -> tuple[list[Value], int]:
    """The first `limit` columns (all, without one) of the row at `at`, and where it goes on.

    None is NULL, and `UNCHANGED` a value that was not sent. Raises StreamError for what is no row in text format.
    """
    row: list[Value] = []
    append = row.append
    try:
        (count,) = _u16(payload, at)
        at += 2
        for _ in range(count if limit is None else min(limit, count)):
            kind = payload[at]
            if kind == TEXT:
                start = at + 5
                at = start + _u32(payload, at + 1)[0]
                append(payload[start:at])
            elif kind == NULL:
                append(None)
                at += 1
            elif kind == TOAST:
                append(UNCHANGED)
                at += 1
            else:
                raise _malformed(payload)
    except (IndexError, error):
        raise _malformed(payload) from None
    if at > len(payload):
        raise _malformed(payload)
    return row, at


def insert_of(row: Sequence[Value], head: bytes) -> bytes:
    """A message with `row` at `ROW_AT`, led by the first five bytes of `head`."""
    return b"".join((head[:5], b"N", len(row).to_bytes(2, "big"), *_fields(row)))


def _fields(row: Iterable[Value]) -> Iterable[bytes]:
    for value in row:
        if value is None:
            yield b"n"
        elif value is UNCHANGED:
            yield b"u"
        else:
            yield b"t%b%b" % (len(value).to_bytes(4, "big"), value)


def _string(payload: bytes, at: int) -> tuple[str, int]:
    end = payload.find(b"\0", at)
    if end < 0:
        raise _malformed(payload)
    return payload[at:end].decode(), end + 1


def _unpack(layout: Struct, payload: bytes) -> tuple[int, ...]:
    try:
        return layout.unpack_from(payload)
    except error:
        raise _malformed(payload) from None


def _malformed(payload: bytes) -> StreamError:
    kind = chr(payload[0]) if payload else "empty"
    return StreamError(f"a message of kind {kind!r} with {len(payload)} bytes is not what pgoutput sends")
