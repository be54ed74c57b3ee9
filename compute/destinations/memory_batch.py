"""A batch written to the tables in memory: whole where that is possible, else by what can be applied of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, islice

from compute.core.batch import TableChanges
from compute.core.lines import groups, lines, select
from compute.destinations.base import Refusal, RefusedRecord, TableTarget, TableWrite, WriteBatch
from compute.destinations.memory_tables import Change, Key, Row, Table, find, key_of, parse, truncate, write
from rosetta.enums import SyncMode
from rosetta.errors import DataError, RosettaError
from rosetta.identifiers import TableId

# A constraint: raises DataError when the tables may not be as they are.
Rule = Callable[[Mapping[TableId, Table]], None]

# Every subset of six units that wait, most of those of a few more: this is a model.
_MANY = 200


@dataclass(eq=False)
class _Unit:
    """Changes that are applied or refused together."""

    target: TableTarget
    payload: TableChanges
    changes: list[Change]
    before: dict[Key, Row]
    error: DataError | None = None


class BatchWriter:
    """Applies a batch to a copy of the tables: each constraint holds after each piece that is applied.

    Attributes:
        tables: the copy.
        rows, refusal, stale: as in `WriteResult`.
    """

    def __init__(self, tables: Mapping[TableId, Table], rules: list[Rule], batch: WriteBatch) -> None:
        self.tables = copy.deepcopy(dict(tables))
        self.rows = 0
        self.stale: set[tuple[int, int, int]] = set()
        self._rules = rules
        self._batch = batch
        self._unfit: dict[int, RosettaError] = {}
        self._waiting: list[_Unit] = []

    @property
    def refusal(self) -> Refusal:
        records = [RefusedRecord(unit.target, unit.payload, unit.error) for unit in self._waiting if unit.error]
        return Refusal(dict(self._unfit), tuple(records))

    def write(self) -> None:
        for target in self._batch.truncated:
            self._truncate(target)
        for one in self._batch.writes:
            self._write(one)
        backward = False
        while self._waiting and (self._try_each(backward=backward) or self._try_together()):
            backward = not backward

    def _truncate(self, target: TableTarget) -> None:
        try:
            table = find(self.tables, target)
        except DataError as error:
            self._unfit[target.sync_id] = error
            return
        truncate(table, target, self._batch.truncation, replayed=self._batch.end is None)

    def _write(self, one: TableWrite) -> None:
        target = one.target
        if target.sync_id in self._unfit:
            return
        try:
            table = find(self.tables, target)
        except DataError as error:
            self._unfit[target.sync_id] = error
            return
        if self._batch.end is None:
            self._find_stale(table, one)
        before = copy.deepcopy(table.rows)
        units = [_Unit(target, payload, _counted(target, payload), before) for payload in _payloads(one)]
        if not self._try(units):
            self._waiting += units
            self._try_each(backward=False, among=units)

    def _find_stale(self, table: Table, one: TableWrite) -> None:
        if one.target.mode is SyncMode.APPEND or not one.target.schema.key:
            return
        for change in parse(one.changes):
            present = table.rows.get(key_of(one.target, change.values))
            versions = (present.version if present else (0, 0), self._grave(table, one.target, change))
            if max(versions) > change.version:
                self.stale.add((one.target.sync_id, *change.version))

    @staticmethod
    def _grave(table: Table, target: TableTarget, change: Change) -> tuple[int, int]:
        return table.graves.get(key_of(target, change.values), (0, 0)) if target.copying else (0, 0)

    def _try_each(self, *, backward: bool, among: list[_Unit] | None = None) -> bool:
        """Tries single units in order; whether any was applied."""
        units = [unit for unit in self._waiting if among is None or unit in among]
        return sum(self._try([unit]) for unit in (units[::-1] if backward else units)) > 0

    def _try_together(self) -> bool:
        """Tries as many at once as can be; whether any were applied."""
        sizes = range(len(self._waiting), 1, -1)
        subsets = chain.from_iterable(combinations(self._waiting, size) for size in sizes)
        return any(self._try(list(subset), blame=False) for subset in islice(subsets, _MANY))

    def _try(self, units: list[_Unit], *, blame: bool = True) -> bool:
        """Applies units in one piece, or nothing."""
        before = self.tables
        self.tables = copy.deepcopy(before)
        try:
            for unit in units:
                self._apply(unit)
            for rule in self._rules:
                rule(self.tables)
        except DataError as error:
            self.tables = before
            for unit in units if blame else []:
                unit.error = error
            return False
        self.rows += sum(unit.payload.row_count for unit in units)
        self._waiting = [unit for unit in self._waiting if unit not in units]
        return True

    def _apply(self, unit: _Unit) -> None:
        table, target, changes = find(self.tables, unit.target), unit.target, unit.changes
        if self._batch.end is None:
            changes = self._left_to_replay(table, target, changes)
        write(table, target, changes, unit.before)

    def _left_to_replay(self, table: Table, target: TableTarget, changes: list[Change]) -> list[Change]:
        """Without what an earlier replay applied, and without what something newer has deleted."""
        if target.mode is SyncMode.APPEND or (target.copying and not target.schema.key):
            return changes
        if not target.schema.key:
            left = [change for change in changes if change.version not in table.replayed]
            table.replayed |= {change.version for change in left}
            return left
        return [
            change
            for change in changes
            if self._grave(table, target, change) <= change.version
            and (change.op == "d" or _version(table, target, change) != change.version)
        ]


def _version(table: Table, target: TableTarget, change: Change) -> tuple[int, int] | None:
    present = table.rows.get(key_of(target, change.values))
    return None if present is None else present.version


def _payloads(one: TableWrite) -> list[TableChanges]:
    """The pieces of a payload that are applied or refused by themselves, in commit order."""
    ordered = sorted(lines(one.changes), key=lambda line: line.version)
    parts = [[line] for line in ordered] if one.target.mode is SyncMode.APPEND else groups(ordered)
    return [select(one.changes, part) for part in parts]


def _counted(target: TableTarget, payload: TableChanges) -> list[Change]:
    """The changes that decide, in commit order: of a row with a key only the newest."""
    ordered = sorted(parse(payload), key=lambda change: change.version)
    if target.mode is SyncMode.APPEND or not target.schema.key:
        return ordered
    newest = {key_of(target, change.values): change for change in ordered}
    return [change for change in ordered if newest[key_of(target, change.values)] is change]
