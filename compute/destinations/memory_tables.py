"""The tables of the destination in memory, and what one change does to them, row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from compute.core.batch import META_COLUMNS, TableChanges
from compute.destinations.base import TableTarget
from rosetta.dialects.postgres.copy_text import parse_array, parse_lines
from rosetta.enums import DeleteMode, SyncMode
from rosetta.errors import DataError
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
    graves: dict[Key, tuple[int, int]] = field(default_factory=dict)  # versions of the tombstones
    held: list[Change] = field(default_factory=list)
    replayed: set[tuple[int, int]] = field(default_factory=set)


def find(tables: dict[TableId, Table], target: TableTarget) -> Table:
    """The table of a target. Raises DataError when it was never made."""
    try:
        return tables[target.target]
    except KeyError:
        raise DataError(f"{target.target} does not exist", code="TARGET_MISSING") from None


def parse(changes: TableChanges) -> Iterator[Change]:
    """The changes of a payload."""
    meta = len(META_COLUMNS)
    for fields in parse_lines(bytes(changes.data)):
        op, lsn, seq, xid, _, mask, former = fields[:meta]
        unchanged = frozenset(name for name, bit in zip(changes.columns, mask or "", strict=False) if bit == "1")
        values = dict(zip(changes.columns, fields[meta:], strict=True))
        key = None if former is None else tuple(parse_array(former))
        yield Change(str(op), (int(lsn or 0), int(seq or 0)), int(xid or 0), values, unchanged, key)


def write(table: Table, target: TableTarget, changes: list[Change], before: dict[Key, Row]) -> None:
    """Applies changes, or raises DataError somewhere in between; `before`: the rows of before the batch."""
    check_types(target, (change.values for change in changes))
    if target.mode is SyncMode.APPEND:
        for change in changes:
            table.history.setdefault(change.version, (change.op, change))
    elif target.schema.key:
        for change in changes:  # what a change left out is in the target's row of before the batch
            _apply(table, target, change, before)
    elif target.copying:
        known = {change.version for change in table.held}
        table.held += [change for change in _paired(changes) if change.version not in known]
    else:
        apply_net(table, target, list(_paired(changes)))


_WHOLE = {"smallint": 15, "integer": 31, "bigint": 63}


def check_types(target: TableTarget, rows: Iterable[Values]) -> None:
    """Raises DataError for a value that its column cannot hold."""
    types = {column.name: column.type for column in target.schema.columns}
    for values in rows:
        for name, value in values.items():
            if value is not None and (code := _misfit(types.get(name, "text"), value)):
                raise DataError(f"{target.target}.{name} cannot hold a value", code=code)


def _misfit(type_name: str, value: str) -> str | None:
    if bits := _WHOLE.get(type_name):
        if not value.lstrip("-").isdigit():
            return "PG_22P02"
        return None if -(1 << bits) <= int(value) < 1 << bits else "PG_22003"
    if type_name.startswith("character varying("):
        return "PG_22001" if len(value.rstrip(" ")) > int(type_name[18:-1]) else None
    return "PG_22P05" if type_name == "jsonb" and "\\u0000" in value else None


def key_of(target: TableTarget, values: Values) -> Key:
    """A row's key."""
    return tuple(values[name] for name in target.schema.key)


def _apply(table: Table, target: TableTarget, change: Change, before: dict[Key, Row]) -> None:
    key = key_of(target, change.values)
    present = table.rows.get(key)
    if change.op == "d":
        if target.copying:
            table.tombstones[key] = max(table.tombstones.get(key, 0), change.xid)
            table.graves[key] = max(table.graves.get(key, (0, 0)), change.version)
        if present is not None and present.version <= change.version:
            delete(table, target, key, change)
        return
    if present is not None and present.version > change.version:
        return
    row = Row(dict(change.values), change.version, change.xid)
    if change.unchanged:
        base = before.get(change.former or key)
        if base is None and present is not None and present.version == change.version:
            return  # it came before, and the row it was made from is gone with it
        _fill(row, change, base, target)
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


def delete(table: Table, target: TableTarget, key: Key, change: Change | None) -> None:
    """Deletes a row, or marks it as deleted; by no change when a chunk lacks it."""
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


def apply_net(table: Table, target: TableTarget, changes: list[Change]) -> None:
    """Applies changes of a table without a key: on balance, per distinct row."""
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


def truncate(table: Table, target: TableTarget, end: StreamPosition, *, replayed: bool = False) -> None:
    """Empties a table, or notes that it was; replayed, it leaves what is newer than `end`."""
    lsn = int(end.commit_lsn if end.at_boundary else end.change_lsn)
    if target.mode is SyncMode.APPEND:
        empty: Values = dict.fromkeys(target.schema.column_names)
        table.history[(lsn, -1)] = ("t", Change("t", (lsn, -1), 0, empty, frozenset(), None))
        return
    older = [row for row in table.loose if not replayed or row.version[0] <= lsn]
    for key in [key for key, row in table.rows.items() if not replayed or row.version[0] <= lsn]:
        delete(table, target, key, None)
    for row in older:
        row.deleted = True
    if target.delete_mode is DeleteMode.HARD:
        table.loose = [row for row in table.loose if not row.deleted]
    if not replayed:
        table.held = []
