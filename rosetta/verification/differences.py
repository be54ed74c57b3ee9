"""Says of keys that differ what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from rosetta.dialects.postgres.checksum import ComparedTable, Key
from rosetta.verification.dialect import Dialect
from rosetta.verification.pairing import PairedTables
from rosetta.verification.report import DifferenceKind, RowDifference
from rosetta.verification.session import Sides
from rosetta.verification.settling import RowState, Settled

_KEYS_AT_ONCE = 500

_Values = tuple[str | None, ...]


def describe(
    sides: Sides, tables: PairedTables, different: Mapping[Key, Settled], *, reveal: bool
) -> tuple[tuple[RowDifference, ...], int]:
    """The differences in the order of their keys' text, and how many rows changed again while they were described."""
    changed = [key for key, settled in different.items() if tables.key and _kind(settled) is DifferenceKind.CHANGED]
    columns = dict(_changed_columns(sides, tables, changed, reveal=reveal))
    described = []
    for key, settled in sorted(different.items()):
        values = columns.get(key, {})
        if key in columns and not values:
            continue
        described.append(_difference(tables, key, settled, values, reveal=reveal))
    return tuple(described), len(different) - len(described)


def _difference(
    tables: PairedTables,
    key: Key,
    settled: Settled,
    values: Mapping[str, tuple[str | None, str | None]],
    *,
    reveal: bool,
) -> RowDifference:
    return RowDifference(
        kind=_kind(settled),
        key=key if tables.key else (),
        row_hash=None if tables.key else key[0],
        source_copies=_copies(settled.source),
        target_copies=_copies(settled.target),
        in_position=settled.in_position,
        columns=tuple(values),
        values=values if reveal and values else None,
    )


def _changed_columns(
    sides: Sides, tables: PairedTables, keys: list[Key], *, reveal: bool
) -> Iterator[tuple[Key, dict[str, tuple[str | None, str | None]]]]:
    """Per key the columns that differ now, with both sides' values or hashes; none when the row changed again."""
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        part = keys[start : start + _KEYS_AT_ONCE]
        found = sides.both(tables.sides, partial(_values_sql, keys=part, reveal=reveal))
        source, target = (
            {side.dialect.fields_of(key): side.dialect.fields_of(values) for key, values in rows}
            for side, rows in zip((sides.source, sides.target), found, strict=True)
        )
        for key in part:
            yield key, _unequal(tables.columns, source.get(key), target.get(key))


def _values_sql(dialect: Dialect, table: ComparedTable, *, keys: Sequence[Key], reveal: bool) -> str:
    return dialect.values_sql(table, keys, reveal=reveal)


def _unequal(
    columns: tuple[str, ...], source: _Values | None, target: _Values | None
) -> dict[str, tuple[str | None, str | None]]:
    if source is None or target is None:
        return {}
    return {name: (mine, theirs) for name, mine, theirs in zip(columns, source, target, strict=True) if mine != theirs}


def _kind(settled: Settled) -> DifferenceKind:
    source, target = _copies(settled.source), _copies(settled.target)
    if source == target:
        return DifferenceKind.CHANGED
    return DifferenceKind.MISSING if source > target else DifferenceKind.EXTRA


def _copies(state: RowState) -> int:
    return sum(copies for _, copies in state)
