"""The contract in memory: what a destination must do, row by row and without a server; tests inject faults.

It is the reference that the property tests hold the set-based destinations to, so it is written to be
read, not to be fast. Keys and rows are compared by their text.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from compute.core.batch import META_COLUMNS, TableChanges
from compute.destinations.base import (
    Capabilities,
    Durability,
    Refusal,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from rosetta.dialects.postgres.copy_text import parse_array, parse_lines
from rosetta.enums import DeleteMode, SyncMode
from rosetta.errors import ConfigurationError, DataError, FencedError, OutageError, RosettaError, SchemaMismatchError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

Key = tuple[str | None, ...]
Values = dict[str, str | None]


@dataclass
class Row:
    """A target row.

    `unfilled` are columns that no one has brought yet, `moved` the transaction that moved it; not `confirmed`:
    it was there before the copy, and may have missed changes since.
    """

    values: Values
    version: tuple[int, int] = (0, 0)
    xid: int = 0
    deleted: bool = False
    unfilled: frozenset[str] = frozenset()
    moved: int = 0
    confirmed: bool = True


@dataclass(frozen=True)
class Change:
    """One parsed line."""

    op: str
    version: tuple[int, int]
    xid: int
    values: Values
    unchanged: frozenset[str]
    former: Key | None


@dataclass
class Table:
    """One target table with all that belongs to its copy."""

    source: TableId
    rows: dict[Key, Row] = field(default_factory=dict)
    loose: list[Row] = field(default_factory=list)
    history: dict[tuple[int, int], tuple[str, Change]] = field(default_factory=dict)
    copying: bool = False
    tombstones: dict[Key, int] = field(default_factory=dict)
    held: list[Change] = field(default_factory=list)


@dataclass
class MemoryStore:
    """What outlives a writer: the database of this destination."""

    tables: dict[TableId, Table] = field(default_factory=dict)
    epoch: int = -1
    position: StreamPosition | None = None


Fault = Callable[[str], None]


class MemoryDestination:
    """Writes to a `MemoryStore`.

    `fault(step)` runs before each step (`open`, `write`, `commit`, `committed`, `rows`) and may raise: before
    `committed` nothing has happened, at `committed` everything has.
    """

    capabilities = Capabilities(transactional=True, truncate=True, current_state=True, append=True, soft_delete=True)

    def __init__(self, store: MemoryStore, fault: Fault | None = None) -> None:
        self.store = store
        self.fault: Fault = fault or (lambda _step: None)
        self._epoch: int | None = None

    def open(self, epoch: int) -> None:
        self.fault("open")
        if epoch < self.store.epoch:
            raise FencedError(f"epoch {epoch} is fenced by {self.store.epoch}")
        self.store.epoch = self._epoch = epoch

    def close(self) -> None:
        self._epoch = None

    def ping(self) -> None:
        if self._epoch is None:
            raise OutageError("not open", code="NOT_CONNECTED")

    def durable_position(self) -> StreamPosition | None:
        self.ping()
        return self.store.position

    def ensure_table(self, target: TableTarget) -> None:
        self.ping()
        table = self.store.tables.setdefault(target.target, Table(target.source))
        if table.source != target.source:
            raise SchemaMismatchError(f"{target.target} is already written from {table.source}", code="TARGET_TAKEN")

    def start_copy(self, target: TableTarget) -> None:
        table = self._table(target)
        table.copying = True
        for row in table.rows.values():
            row.confirmed = False

    def finish_copy(self, target: TableTarget) -> None:
        table = self._table(target)
        if table.copying and self.unfilled_keys(target):
            raise DataError(f"{target.target} has unfilled rows", code="COPY_INCOMPLETE")
        _apply_net(table, target, table.held)
        table.copying, table.tombstones, table.held = False, {}, []

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        unfilled = [key for key, row in self._table(target).rows.items() if row.unfilled and not row.deleted]
        return [tuple(value for value in key if value is not None) for key in unfilled]

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        self._begin("write")
        store = self.store
        if store.position is not None and batch.end <= store.position:
            return WriteResult(0, Durability.DURABLE, store.position)
        rows, failures, changed = 0, dict[int, RosettaError](), copy.deepcopy(store.tables)
        for sync_id in dict.fromkeys(t.sync_id for t in (*batch.truncated, *(write.target for write in batch.writes))):
            before = {write.target.target: copy.deepcopy(changed.get(write.target.target)) for write in batch.writes}
            try:
                rows += _write_sync(changed, batch, sync_id)
            except DataError as error:
                failures[sync_id] = error
                changed.update({name: table for name, table in before.items() if table is not None})
        if failures:
            refused(Refusal(failures))
        self.fault("commit")
        store.tables, store.position = changed, batch.end
        self.fault("committed")
        return WriteResult(rows, Durability.DURABLE, batch.end, Refusal(failures))

    def write_rows(self, chunk: RowChunk) -> int:
        self._begin("rows")
        table, target = self._table(chunk.target), chunk.target
        if target.mode is SyncMode.CURRENT and not table.copying:
            raise ConfigurationError(f"no copy of {target.target} was started", code="COPY_NOT_STARTED")
        data = chunk.data.read_bytes() if isinstance(chunk.data, Path) else chunk.data
        rows = [dict(zip(chunk.columns, fields, strict=True)) for fields in parse_lines(data)]
        if target.mode is SyncMode.APPEND:
            return _append_rows(table, target, rows)
        return _merge_rows(table, chunk, rows) if target.schema.key else _replace_rows(table, chunk, rows)

    def _begin(self, step: str) -> None:
        self.ping()
        self.fault(step)
        if self.store.epoch != self._epoch:
            raise FencedError(f"epoch {self._epoch} is fenced by {self.store.epoch}")

    def _table(self, target: TableTarget) -> Table:
        return _find(self.store.tables, target)


def _find(tables: dict[TableId, Table], target: TableTarget) -> Table:
    try:
        return tables[target.target]
    except KeyError:
        raise DataError(f"{target.target} does not exist", code="TARGET_MISSING") from None


def _write_sync(tables: dict[TableId, Table], batch: WriteBatch, sync_id: int) -> int:
    rows = 0
    for target in batch.truncated:
        if target.sync_id == sync_id:
            _truncate(_find(tables, target), target, batch.end)
    for write in batch.writes:
        if write.target.sync_id == sync_id:
            changes = sorted(_parse(write.changes), key=lambda change: change.version)
            _write(_find(tables, write.target), write.target, changes)
            rows += len(changes)
    return rows


def _parse(changes: TableChanges) -> Iterator[Change]:
    meta = len(META_COLUMNS)
    for fields in parse_lines(bytes(changes.data)):
        op, lsn, seq, xid, _, mask, former = fields[:meta]
        unchanged = frozenset(name for name, bit in zip(changes.columns, mask or "", strict=False) if bit == "1")
        values = dict(zip(changes.columns, fields[meta:], strict=True))
        key = None if former is None else tuple(parse_array(former))
        yield Change(str(op), (int(lsn or 0), int(seq or 0)), int(xid or 0), values, unchanged, key)


def _write(table: Table, target: TableTarget, changes: list[Change]) -> None:
    _check_types(target, changes)
    if target.mode is SyncMode.APPEND:
        for change in changes:
            table.history.setdefault(change.version, (change.op, change))
    elif target.schema.key:
        before = copy.deepcopy(table.rows)  # what a change left out is in the target's row of before the batch
        for change in changes:
            _apply(table, target, change, before)
    elif target.copying:
        known = {change.version for change in table.held}
        table.held += [change for change in _paired(changes) if change.version not in known]
    else:
        _apply_net(table, target, list(_paired(changes)))


def _check_types(target: TableTarget, changes: list[Change]) -> None:
    whole = {column.name for column in target.schema.columns if column.type in {"smallint", "integer", "bigint"}}
    for change in changes:
        for name, value in change.values.items():
            if name in whole and value is not None and not value.lstrip("-").isdigit():
                raise DataError(f"{target.target}.{name} is a whole number", code="PG_22P02")


def _key(target: TableTarget, values: Values) -> Key:
    return tuple(values[name] for name in target.schema.key)


def _apply(table: Table, target: TableTarget, change: Change, before: dict[Key, Row]) -> None:
    key = _key(target, change.values)
    present = table.rows.get(key)
    if change.op == "d":
        if target.copying:
            table.tombstones[key] = max(table.tombstones.get(key, 0), change.xid)
        if present is not None and present.version <= change.version:
            _delete(table, target, key, change)
        return
    if present is not None and present.version > change.version:
        return
    row = Row(dict(change.values), change.version, change.xid)
    if change.unchanged:
        _fill(row, change, before.get(change.former or key), target)
    table.rows[key] = row


def _fill(row: Row, change: Change, base: Row | None, target: TableTarget) -> None:
    """Takes what a change left out from the row it was made from."""
    if base is not None:
        row.values |= {name: base.values[name] for name in change.unchanged}
        trusted = base.confirmed or not target.copying
        row.unfilled, row.moved = (base.unfilled if trusted else change.unchanged) & change.unchanged, base.moved
    elif target.copying:
        row.unfilled = change.unchanged
    else:
        raise DataError(f"{target.target} lacks a row", code="ROW_MISSING")
    if change.former is not None:
        row.moved = change.xid


def _delete(table: Table, target: TableTarget, key: Key, change: Change | None) -> None:
    if target.delete_mode is DeleteMode.HARD:
        del table.rows[key]
        return
    row = table.rows[key]
    row.deleted, row.unfilled = True, frozenset()
    if change is not None:
        row.version, row.xid = change.version, change.xid


def _paired(changes: list[Change]) -> Iterator[Change]:
    """Changes of a table without a key, unchanged values taken from the deletion just before."""
    old: Change | None = None
    for change in changes:
        if change.unchanged and old is not None:
            taken = {name: old.values[name] for name in change.unchanged}
            yield Change(change.op, change.version, change.xid, change.values | taken, frozenset(), None)
        else:
            yield change
        old = change


def _apply_net(table: Table, target: TableTarget, changes: list[Change]) -> None:
    net: Counter[tuple[str | None, ...]] = Counter()
    newest: dict[tuple[str | None, ...], Change] = {}
    for change in changes:
        values = tuple(change.values.values())
        net[values] += -1 if change.op == "d" else 1
        newest[values] = change
    for values, count in net.items():
        change = newest[values]
        table.loose += [Row(dict(change.values), change.version, change.xid) for _ in range(count)]
        alike = [row for row in table.loose if not row.deleted and tuple(row.values.values()) == values]
        for row in alike[: max(0, -count)]:
            if target.delete_mode is DeleteMode.SOFT:
                row.deleted = True
            else:
                table.loose.remove(row)


def _truncate(table: Table, target: TableTarget, end: StreamPosition) -> None:
    if target.mode is SyncMode.APPEND:
        lsn = int(end.commit_lsn if end.at_boundary else end.change_lsn)
        empty: Values = dict.fromkeys(target.schema.column_names)
        table.history[(lsn, -1)] = ("t", Change("t", (lsn, -1), 0, empty, frozenset(), None))
        return
    for key in list(table.rows):
        _delete(table, target, key, None)
    for row in table.loose:
        row.deleted = True
    if target.delete_mode is DeleteMode.HARD:
        table.loose = []
    table.held = []


def _visible(xid: int, snapshot: str) -> bool:
    low, high, running = snapshot.split(":")
    return xid < int(low) or (xid < int(high) and str(xid) not in running.split(","))


def _merge_rows(table: Table, chunk: RowChunk, rows: list[Values]) -> int:
    target, written = chunk.target, 0
    given = {_key(target, values): values for values in rows}
    if chunk.complete:
        for key in list(table.rows):
            if key not in given and _visible(table.rows[key].xid, chunk.snapshot) and _in_range(key, chunk):
                _delete(table, target, key, None)
    for key, values in given.items():
        present = table.rows.get(key)
        if present is None:
            if _visible(table.tombstones.get(key, 0), chunk.snapshot):
                table.rows[key] = Row(values)
                written += 1
        elif _visible(present.xid, chunk.snapshot):
            present.values, present.deleted, present.unfilled, present.confirmed = values, False, frozenset(), True
            written += 1
        elif _visible(present.moved, chunk.snapshot):
            present.values |= {name: values[name] for name in present.unfilled}
            present.unfilled = frozenset()
    return written


def _in_range(key: Key, chunk: RowChunk) -> bool:
    above = chunk.lower is None or _order(key) > _order(chunk.lower)
    return above and (chunk.upper is None or _order(key) <= _order(chunk.upper))


def _order(key: Key) -> list[tuple[int, str]]:
    """Numbers by value, text by code point."""
    return [(int(part), "") if part and part.lstrip("-").isdigit() else (0, part or "") for part in key]


def _replace_rows(table: Table, chunk: RowChunk, rows: list[Values]) -> int:
    table.loose = [Row(values) for values in rows]
    _apply_net(table, chunk.target, [change for change in table.held if not _visible(change.xid, chunk.snapshot)])
    table.held = []
    return len(rows)


def _append_rows(table: Table, target: TableTarget, rows: list[Values]) -> int:
    key = target.schema.key
    again = {tuple(values[name] for name in key) for values in rows}
    for version, (op, change) in list(table.history.items()):
        if op == "r" and tuple(change.values[name] for name in key) in again:
            del table.history[version]
    start = max((seq for lsn, seq in table.history if lsn == 0), default=0)
    for number, values in enumerate(rows, start + 1):
        table.history[(0, number)] = ("r", Change("r", (0, number), 0, values, frozenset(), None))
    return len(rows)
