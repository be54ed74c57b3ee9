"""Rows of a chunk as changes: what is refused of them is parked and tried again as a change is."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.core.batch import META_COLUMNS, TableChanges
from compute.core.lines import lines
from compute.destinations.base import RefusedRecord, RowChunk, TableTarget
from rosetta.errors import RosettaError

_SPREAD_BITS: Final = 56
_LARGEST: Final = 2**63 - 1

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """One row of a chunk, as COPY text without its newline.

    `key` is the text of its key columns, `present` the version of what the target has under that key: a row, or the
    tombstone of one; (0, 0) for nothing.
    """

    raw: bytes
    key: tuple[bytes, ...]
    present: Version = (0, 0)


def rows_of(chunk: RowChunk) -> list[ChunkRow]:
    """The chunk taken apart; for the rare path."""
    data = chunk.data.read_bytes() if isinstance(chunk.data, Path) else chunk.data
    positions = [chunk.columns.index(name) for name in chunk.target.schema.key]
    found: list[ChunkRow] = []
    for raw in data.removesuffix(b"\n").split(b"\n") if data else ():
        fields = raw.split(b"\t")
        found.append(ChunkRow(raw, tuple(fields[position] for position in positions)))
    return found


def as_changes(chunk: RowChunk, rows: Iterable[ChunkRow]) -> TableChanges:
    """The rows as changes in the version that the target has: one that is applied leaves it as it is."""
    return _changes(chunk.target, chunk.columns, [(row, row.present) for row in rows])


def refused_row(chunk: RowChunk, row: ChunkRow, error: RosettaError) -> RefusedRecord:
    """A row that is refused, in a version of its own.

    It is newer than what the target has, and older than every change that the chunk did not see: the changes of one
    key differ in their LSN. It is the same however often the chunk comes, and another for each key, because it is the
    record's identity in the ledger, too.
    """
    lsn, seq = row.present
    digest = hashlib.blake2b(b"\t".join(row.key), digest_size=8).digest()
    version = lsn, min(_LARGEST, seq + 1 + (int.from_bytes(digest, "big") >> (64 - _SPREAD_BITS)))
    return RefusedRecord(chunk.target, _changes(chunk.target, chunk.columns, [(row, version)]), error)


def refused_rows(chunk: RowChunk, rows: Sequence[ChunkRow], refused: Iterable[RefusedRecord]) -> list[RefusedRecord]:
    """What was refused of `as_changes(chunk, rows)`, row by row."""
    known = {row.raw: row for row in rows}
    return [
        refused_row(chunk, known[line.raw.removesuffix(b"\n").split(b"\t", len(META_COLUMNS))[-1]], record.error)
        for record in refused
        for line in lines(record.changes)
    ]


def _changes(target: TableTarget, columns: tuple[str, ...], rows: list[tuple[ChunkRow, Version]]) -> TableChanges:
    now = time.time_ns() // 1_000  # when it was committed is not known
    data = b"".join(b"c\t%d\t%d\t0\t%d\t\\N\t\\N\t%b\n" % (*version, now, row.raw) for row, version in rows)
    return TableChanges(target.source, columns, target.schema.key, len(rows), data, True, False, False, False)
