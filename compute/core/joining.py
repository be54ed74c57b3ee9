"""Payloads of one shape, in stream order, as one payload: what a later one left out is taken from the earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from compute.core.batch import META_COLUMNS, TableChanges
from compute.core.lines import Line, lines, select

_META: Final = len(META_COLUMNS)
_UNCHANGED: Final = _META - 2
_FROM: Final = _META - 1
_NULL: Final = rb"\N"


def joined(parts: Sequence[TableChanges]) -> TableChanges:
    """Also where a chain of keys leads from one to the next."""
    if len(parts) == 1:
        return parts[0]
    whole = replace(
        parts[0],
        row_count=sum(part.row_count for part in parts),
        data=b"".join(part.data for part in parts),
        folded=False,
        has_deletes=any(part.has_deletes for part in parts),
        has_unchanged=any(part.has_unchanged for part in parts),
        has_moved=any(part.has_moved for part in parts),
    )
    if not parts[0].key or not any(part.has_unchanged for part in parts[1:]):
        return whole
    newest: dict[tuple[bytes, ...], Line] = {}
    made: list[Line] = []
    for part in parts:
        resolved = [_filled(line, newest) for line in lines(part)]
        newest |= {line.key: line for line in sorted(resolved, key=lambda line: line.version)}
        made += resolved
    return select(whole, made)


def _filled(line: Line, before: dict[tuple[bytes, ...], Line]) -> Line:
    """The line with what it left out taken from the row it was made from, if an earlier payload made that."""
    base = before.get(line.moved_from or line.key)
    if line.operation == "d" or base is None or base.operation == "d" or not line.has_unchanged:
        return line
    fields, theirs = line.raw[:-1].split(b"\t"), base.raw[:-1].split(b"\t")
    mask = fields[_UNCHANGED]
    left_out = theirs[_UNCHANGED] if base.has_unchanged else b"0" * len(mask)
    still = bytearray(mask)
    for position, bit in enumerate(mask):
        if bit == ord("1") and left_out[position : position + 1] != b"1":
            fields[_META + position] = theirs[_META + position]
            still[position] = ord("0")
    moved_from = base.moved_from if base.moved_from is not None else line.moved_from
    if b"1" not in still or moved_from == line.key:
        moved_from = None
    fields[_UNCHANGED] = bytes(still) if b"1" in still else _NULL
    if moved_from is None:
        fields[_FROM] = _NULL
    elif base.moved_from is not None:
        fields[_FROM] = theirs[_FROM]
    return replace(line, raw=b"\t".join(fields) + b"\n", moved_from=moved_from)
