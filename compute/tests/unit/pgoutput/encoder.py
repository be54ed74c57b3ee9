"""Writes messages of pgoutput as the manual lays them out; knows nothing of the code that reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import pack

TOAST = object()
Field = bytes | None | object

_EPOCH_MICROS = 946_684_800 * 1_000_000


def begin(final_lsn: int, micros: int, xid: int) -> bytes:
    return b"B" + pack(">QqI", final_lsn, micros - _EPOCH_MICROS, xid)


def commit(commit_lsn: int, end_lsn: int, micros: int) -> bytes:
    return b"C" + pack(">BQQq", 0, commit_lsn, end_lsn, micros - _EPOCH_MICROS)


def relation(oid: int, schema: str, name: str, identity: str, columns: Sequence[tuple[str, bool, int, int]]) -> bytes:
    parts = [b"R", pack(">I", oid), _text(schema), _text(name), identity.encode(), pack(">H", len(columns))]
    for column, in_identity, oid_, modifier in columns:
        parts += [pack(">B", in_identity), _text(column), pack(">Ii", oid_, modifier)]
    return b"".join(parts)


def row(fields: Iterable[Field]) -> bytes:
    parts = []
    for field in fields:
        if field is None:
            parts.append(b"n")
        elif isinstance(field, bytes):
            parts.append(b"t" + pack(">I", len(field)) + field)
        else:
            parts.append(b"u")
    return pack(">H", len(parts)) + b"".join(parts)


def insert(oid: int, new: Sequence[Field]) -> bytes:
    return b"I" + pack(">I", oid) + b"N" + row(new)


def update(oid: int, new: Sequence[Field], old: Sequence[Field] | None = None, kind: bytes = b"K") -> bytes:
    before = b"" if old is None else kind + row(old)
    return b"U" + pack(">I", oid) + before + b"N" + row(new)


def delete(oid: int, old: Sequence[Field], kind: bytes = b"K") -> bytes:
    return b"D" + pack(">I", oid) + kind + row(old)


def truncate(oids: Sequence[int], options: int = 0) -> bytes:
    return b"T" + pack(">IB", len(oids), options) + b"".join(pack(">I", oid) for oid in oids)


def message(transactional: bool, lsn: int, prefix: str, content: bytes) -> bytes:
    return b"M" + pack(">BQ", transactional, lsn) + _text(prefix) + pack(">I", len(content)) + content


def stream_start(xid: int, is_first: bool) -> bytes:
    return b"S" + pack(">IB", xid, is_first)


def stream_stop() -> bytes:
    return b"E"


def stream_commit(xid: int, commit_lsn: int, end_lsn: int, micros: int) -> bytes:
    return b"c" + pack(">IBQQq", xid, 0, commit_lsn, end_lsn, micros - _EPOCH_MICROS)


def stream_abort(xid: int, subxid: int) -> bytes:
    return b"A" + pack(">II", xid, subxid)


def owned(xid: int, payload: bytes) -> bytes:
    """What changes something, in a piece of a transaction in progress."""
    return payload[:1] + pack(">I", xid) + payload[1:]


def copy_data(payload: bytes, lsn: int) -> bytes:
    return _frame(b"d", b"w" + pack(">QQq", lsn, lsn, 0) + payload)


def keepalive(end: int, asks: bool) -> bytes:
    return _frame(b"d", b"k" + pack(">QqB", end, 0, asks))


def error(state: str, text: str, detail: str) -> bytes:
    fields = (("S", "ERROR"), ("C", state), ("M", text), ("D", detail))
    return _frame(b"E", b"".join(f"{name}{value}\0".encode() for name, value in fields) + b"\0")


def _frame(kind: bytes, body: bytes) -> bytes:
    return kind + pack(">I", len(body) + 4) + body


def _text(value: str) -> bytes:
    return value.encode() + b"\0"
