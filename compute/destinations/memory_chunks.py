"""A chunk written to the tables in memory: whole where that is possible, else row by row."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from pathlib import Path

from compute.destinations.base import Refusal, RowChunk, TableWrite, WriteBatch
from compute.destinations.chunk_rows import ChunkRow, as_changes, refused_rows, rows_of
from compute.destinations.memory_batch import BatchWriter, Rule
from compute.destinations.memory_tables import (
    Change,
    Key,
    Row,
    Table,
    Values,
    apply_net,
    check_types,
    delete,
    find,
    key_of,
    parse,
)
from rosetta.dialects.postgres.copy_text import parse_lines
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

_ANYWHERE = StreamPosition(Lsn(0))


class ChunkWriter:
    """Applies a chunk to a copy of the tables.

    Attributes:
        tables: the copy.
        rows, refusal: as in `WriteResult`.
    """

    def __init__(self, tables: Mapping[TableId, Table], rules: list[Rule], chunk: RowChunk) -> None:
        self.tables = copy.deepcopy(dict(tables))
        self.rows = 0
        self.refusal = Refusal()
        self._rules = rules
        self._chunk = chunk
        self._target = chunk.target

    def merge(self) -> None:
        """Merges the whole chunk. Raises DataError where a constraint or a type is in its way."""
        chunk, target, table = self._chunk, self._target, find(self.tables, self._target)
        data = chunk.data.read_bytes() if isinstance(chunk.data, Path) else chunk.data
        rows = [dict(zip(chunk.columns, fields, strict=True)) for fields in parse_lines(data)]
        check_types(target, rows)
        if target.mode is SyncMode.APPEND:
            self.rows = _append_rows(table, chunk, rows)
        elif target.schema.key:
            self.rows = _merge_rows(table, chunk, rows)
        else:
            self.rows = _replace_rows(table, chunk, rows)
        for rule in self._rules:
            rule(self.tables)

    def rescue(self) -> None:
        """Merges what can be merged, row by row."""
        chunk, target, table = self._chunk, self._target, find(self.tables, self._target)
        found = rows_of(chunk)
        given = {key_of(target, change.values): change.values for change in parse(as_changes(chunk, found))}
        keys = dict(zip(given, found, strict=True))
        _delete_absent(table, chunk, given.keys())
        free = {key: row for key, row in keys.items() if self._is_free(table, key)}
        for key in given.keys() - free.keys():
            _fill(table, key, given[key], chunk.snapshot)
        rows = [ChunkRow(row.raw, row.key, _version(table, key)) for key, row in free.items()]
        changes = as_changes(chunk, rows)
        written = BatchWriter(self.tables, self._rules, WriteBatch(_ANYWHERE, writes=(TableWrite(target, changes),)))
        written.write()
        left = find(written.tables, target)
        for key in free:
            if key in left.rows:
                left.rows[key].unfilled = frozenset()
        self.tables, self.rows = written.tables, written.rows
        self.refusal = Refusal(records=tuple(refused_rows(chunk, rows, written.refusal.records)))

    def _is_free(self, table: Table, key: Key) -> bool:
        present = table.rows.get(key)
        seen = present is None or _visible(present.xid, self._chunk.snapshot)
        return seen and _visible(table.tombstones.get(key, 0), self._chunk.snapshot)


def _version(table: Table, key: Key) -> tuple[int, int]:
    present = table.rows.get(key)
    return max(present.version if present is not None else (0, 0), table.graves.get(key, (0, 0)))


def _visible(xid: int, snapshot: str) -> bool:
    low, high, running = snapshot.split(":")
    return xid < int(low) or (xid < int(high) and str(xid) not in running.split(","))


def _merge_rows(table: Table, chunk: RowChunk, rows: list[Values]) -> int:
    target, written = chunk.target, 0
    given = {key_of(target, values): values for values in rows}
    _delete_absent(table, chunk, given.keys())
    for key, values in given.items():
        present = table.rows.get(key)
        if present is None:
            if _visible(table.tombstones.get(key, 0), chunk.snapshot):
                table.rows[key] = Row(values)
                written += 1
        elif _visible(present.xid, chunk.snapshot):
            present.values, present.deleted, present.unfilled, present.confirmed = values, False, frozenset(), True
            written += 1
        else:
            _fill(table, key, values, chunk.snapshot)
    return written


def _delete_absent(table: Table, chunk: RowChunk, given: Collection[Key]) -> None:
    if not chunk.complete:
        return
    for key in list(table.rows):
        if key not in given and _visible(table.rows[key].xid, chunk.snapshot) and _in_range(key, chunk):
            delete(table, chunk.target, key, None)


def _fill(table: Table, key: Key, values: Values, snapshot: str) -> None:
    """Gives a row that the chunk did not see what its change left out."""
    present = table.rows.get(key)
    if present is not None and _visible(present.moved, snapshot):
        present.values |= {name: values[name] for name in present.unfilled}
        present.unfilled = frozenset()


def _in_range(key: Key, chunk: RowChunk) -> bool:
    if chunk.keys is not None:
        return key in chunk.keys
    above = chunk.lower is None or order(key) > order(chunk.lower)
    return above and (chunk.upper is None or order(key) <= order(chunk.upper))


def order(key: Key) -> list[tuple[int, str]]:
    """Numbers by value, text by code point."""
    return [(int(part), "") if part and part.lstrip("-").isdigit() else (0, part or "") for part in key]


def _replace_rows(table: Table, chunk: RowChunk, rows: list[Values]) -> int:
    table.loose = [Row(values) for values in rows]
    apply_net(table, chunk.target, [change for change in table.held if not _visible(change.xid, chunk.snapshot)])
    table.held = []
    return len(rows)


def _append_rows(table: Table, chunk: RowChunk, rows: list[Values]) -> int:
    key = chunk.target.schema.key
    again = {tuple(values[name] for name in key) for values in rows}
    for version, (op, change) in list(table.history.items()):
        if key:
            former = tuple(change.values[name] for name in key) in again
        else:
            former = chunk.complete and version[1] > chunk.numbered_behind
        if op == "r" and former:
            del table.history[version]
    start = max((chunk.numbered_behind, *(seq for lsn, seq in table.history if lsn == 0)))
    for number, values in enumerate(rows, start + 1):
        table.history[(0, number)] = ("r", Change("r", (0, number), 0, values, frozenset(), None))
    return len(rows)
