r"""Payloads taken apart into lines: for the rare path, where single changes are parked or refused.

A key is compared by its COPY text. It is brought to one spelling first: a payload may spell a control character
raw or as an escape, and `_from` spells its items as those of an array.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from compute.core.batch import META_COLUMNS, TableChanges

_META: Final = len(META_COLUMNS)
_FROM: Final = _META - 1
_UNCHANGED: Final = _META - 2
_NULL: Final = rb"\N"
_SPECIAL: Final = re.compile(rb"[\\\x08\x09\x0a\x0b\x0c\x0d]")
_ESCAPE: Final = re.compile(rb"\\(.)", re.DOTALL)
_NAMED: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_ESCAPED: Final = {raw: b"\\" + name for name, raw in _NAMED.items()} | {b"\\": rb"\\"}
_ITEM: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^,{}"]+)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """One change of a payload.

    Attributes:
        operation: 'c', 'u' or 'd', see `META_COLUMNS`.
        lsn, seq: the change's id.
        key: COPY text of the key columns in the key's order; without a key one item, the row after META_COLUMNS.
        moved_from: the key in `_from`, spelled like `key`.
        raw: the line itself, with its newline.
    """

    operation: str
    lsn: int
    seq: int
    key: tuple[bytes, ...]
    moved_from: tuple[bytes, ...] | None
    raw: bytes

    @property
    def version(self) -> tuple[int, int]:
        return self.lsn, self.seq

    @property
    def has_unchanged(self) -> bool:
        return self.raw.split(b"\t", _META)[_UNCHANGED] != _NULL


def lines(changes: TableChanges) -> list[Line]:
    """The changes one by one, in the payload's order. Raises ValueError when the payload is not what it should be."""
    positions = tuple(changes.columns.index(name) for name in changes.key)
    width = _META + len(changes.columns)
    parts = bytes(changes.data).split(b"\n")
    if not parts[-1]:
        parts.pop()
    return [_line(part, positions, width) for part in parts]


def select(changes: TableChanges, chosen: Iterable[Line]) -> TableChanges:
    """The payload with only the lines `chosen`, in their order; what it says of itself is counted anew."""
    kept = list(chosen)
    return replace(
        changes,
        row_count=len(kept),
        data=b"".join(line.raw for line in kept),
        has_deletes=any(line.operation == "d" for line in kept),
        has_unchanged=changes.has_unchanged and any(line.has_unchanged for line in kept),
        has_moved=any(line.moved_from is not None for line in kept),
    )


def from_field(key: Iterable[bytes]) -> bytes:
    """A key's values as `_from` spells them."""
    items = (b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') for value in key)
    return copy_field(b"{%b}" % b",".join(items))


def groups(of: Iterable[Line]) -> list[list[Line]]:
    """Lines that can only be applied or left out together, each group in the given order.

    Together are the changes of one key, the two keys of a `_from`, and both halves of a key's change: the deletion of
    the old row and, next in the same source record, the row under its new key (or, without a key, the new row).
    """
    members = list(of)
    parents = list(range(len(members)))
    owners: dict[tuple[bytes, ...], int] = {}
    halves: dict[tuple[int, int], int] = {}
    for number, line in enumerate(members):
        for key in (line.key, line.moved_from):
            if key is not None:
                _join(parents, owners.setdefault(key, number), number)
        if line.operation == "d":
            halves[line.version] = number
    for number, line in enumerate(members):
        deleted = halves.get((line.lsn, line.seq - 1)) if line.operation != "d" else None
        if deleted is not None:
            _join(parents, deleted, number)
    gathered: dict[int, list[Line]] = {}
    for number, line in enumerate(members):
        gathered.setdefault(_root(parents, number), []).append(line)
    return list(gathered.values())


def _line(raw: bytes, positions: tuple[int, ...], width: int) -> Line:
    fields = raw.split(b"\t", width if positions else _META)
    if len(fields) != (width if positions else _META + 1):
        raise ValueError("a line of a payload has another number of fields than its columns")
    key = tuple(_spelled(fields[_META + position]) for position in positions) or (fields[_META],)
    former = fields[_FROM]
    moved_from = None if former == _NULL else _array(former)
    return Line(fields[0].decode("ascii"), int(fields[1]), int(fields[2]), key, moved_from, raw + b"\n")


def _spelled(field: bytes) -> bytes:
    """A COPY field in the one spelling that is compared."""
    if field == _NULL or _SPECIAL.search(field) is None:
        return field
    return copy_field(_ESCAPE.sub(lambda match: _NAMED.get(match[1], match[1]), field))


def copy_field(value: bytes) -> bytes:
    """A value as a field of COPY text."""
    return _SPECIAL.sub(lambda match: _ESCAPED[match[0]], value)


def _array(field: bytes) -> tuple[bytes, ...]:
    """The items of a one-dimensional array without NULLs, each as a COPY field."""
    literal = _ESCAPE.sub(lambda match: _NAMED.get(match[1], match[1]), field)
    body = literal.removeprefix(b"{").removesuffix(b"}")
    return tuple(
        copy_field(_ESCAPE.sub(rb"\1", match[1]) if match[1] is not None else match[2])
        for match in _ITEM.finditer(body)
    )


def _root(parents: list[int], number: int) -> int:
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def _join(parents: list[int], left: int, right: int) -> None:
    """Makes two groups one, known by its first member."""
    first, second = sorted((_root(parents, left), _root(parents, right)))
    parents[second] = first
