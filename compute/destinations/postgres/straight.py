"""A chunk copied into the table itself, where the target knows of few of its rows: those alone are merged.

That is how most chunks come while a table is copied beside its stream, and several times as fast as merging all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from compute.destinations.base import RowChunk
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.writers import writer_for
from rosetta.dialects.postgres import chunk_merge
from rosetta.dialects.postgres.merge_table import MergeTable, copy_rows_sql
from rosetta.enums import SyncMode
from rosetta.errors import DataError

_FEW_KEYS: Final = 500
# Types of keys whose order this process knows as well: that of their COPY text, read so.
_READ: Final[Mapping[str, Callable[[bytes], Any]]] = {"smallint": int, "integer": int, "bigint": int, "uuid": bytes}


class Straight:
    """Used within the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def copy(self, table: MergeTable, chunk: RowChunk, doing: str) -> int | None:
        """Returns the rows written; None where the chunk is to be merged whole, and nothing was done.

        What refuses a row here is met again by the merge, whose refusals are taken apart.
        """
        keyed = chunk.target.mode is SyncMode.CURRENT and table.key and chunk.keys is None
        if not keyed or not chunk.row_count:
            return None
        self._session.run("SET LOCAL enable_seqscan = off", doing)
        sql = chunk_merge.touched_keys_sql(table, chunk.lower, chunk.upper, _FEW_KEYS + 1)
        touched = {tuple(row) for row in self._session.rows(sql, doing)}
        self._session.run("RESET enable_seqscan; SAVEPOINT straight", doing)
        apart = _apart(table, chunk, touched) if touched else (chunk.data, b"", set())
        if apart is None:
            return None
        try:
            return self._write(table, chunk, *apart, doing)
        except DataError:
            self._session.run("ROLLBACK TO SAVEPOINT straight", doing)
            return None

    def _write(
        self,
        table: MergeTable,
        chunk: RowChunk,
        fresh: bytes | Path,
        known: bytes,
        missing: set[tuple[str, ...]],
        doing: str,
    ) -> int:
        written = 0
        if known:
            self._session.copy(copy_rows_sql(table), known, doing)
            written = writer_for(chunk.target).rows(self._session, table, replace(chunk, complete=False))
        if missing and chunk.complete:
            in_range = chunk_merge.key_range(table, chunk.lower, chunk.upper)
            scope = f"{in_range} AND {chunk_merge.one_of(table, sorted(missing))}"
            self._session.run(chunk_merge.delete_absent_sql(table, scope, chunk.snapshot), doing)
        return written + self._session.copy(chunk_merge.copy_straight_sql(table), fresh, doing)


def _apart(
    table: MergeTable, chunk: RowChunk, touched: set[tuple[str, ...]]
) -> tuple[bytes, bytes, set[tuple[str, ...]]] | None:
    """The chunk's rows without those of `touched` keys, those, and the keys that it does not have.

    None where there are too many, or the order of the keys is not known here.
    """
    kinds = [_READ.get(table.columns[position].base_type) for position in table.key]
    reads = [kind for kind in kinds if kind is not None]
    few = len(touched) <= min(_FEW_KEYS, chunk.row_count // 4)
    if not few or len(reads) < len(kinds) or isinstance(chunk.data, Path):
        return None
    lines = chunk.data.split(b"\n")
    lines.pop()  # behind the last newline
    found, missing = _found(lines, table.key, reads, touched)
    known = [lines.pop(number) for number in sorted(found, reverse=True)]
    return _text(lines), _text(known), missing


def _found(
    lines: Sequence[bytes],
    places: Sequence[int],
    reads: Sequence[Callable[[bytes], Any]],
    keys: Iterable[tuple[str, ...]],
) -> tuple[set[int], set[tuple[str, ...]]]:
    """Which lines, in the order of their keys, have one of `keys`, and those that none has."""
    width = max(places) + 1

    def key_of(line: bytes) -> tuple[Any, ...]:
        fields = line.split(b"\t", width)
        return tuple(read(fields[place]) for read, place in zip(reads, places, strict=True))

    found, missing = set[int](), set[tuple[str, ...]]()
    for key in keys:
        wanted = tuple(read(part.encode()) for read, part in zip(reads, key, strict=True))
        number = bisect_left(lines, wanted, key=key_of)
        if number < len(lines) and key_of(lines[number]) == wanted:
            found.add(number)
        else:
            missing.add(key)
    return found, missing


def _text(lines: Sequence[bytes]) -> bytes:
    return b"\n".join([*lines, b""])
