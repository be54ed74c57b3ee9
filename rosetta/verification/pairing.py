"""Puts the columns of a source table and of its target side by side."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from rosetta.dialects.postgres.checksum import ORDERED_TYPES, ComparedColumn, ComparedTable
from rosetta.dialects.postgres.table_facts import TableFacts
from rosetta.dialects.postgres.text import quoted
from rosetta.types.schema import TableSchema
from rosetta.verification.request import TablePair

# The mark of a row that was deleted softly: it no longer stands for a row of the source.
_SOFT_DELETED: Final = "_rosetta_deleted"


@dataclass(frozen=True, slots=True)
class PairedTables:
    """Two tables ready to be compared.

    Attributes:
        columns: the source's names of the compared columns, in the order of both sides.
        key: the source's names of the key columns; empty when rows are told apart by their hash.
        ranged: both sides can read ranges of the key in the same order through an index.
        missing_columns: the source's names of columns that the target lacks.
        uncompared_columns: the source's names of columns of which only is compared whether they have a value.
    """

    pair: TablePair
    source: ComparedTable
    target: ComparedTable
    columns: tuple[str, ...]
    key: tuple[str, ...]
    ranged: bool
    missing_columns: tuple[str, ...]
    uncompared_columns: tuple[str, ...] = ()

    @property
    def sides(self) -> tuple[ComparedTable, ComparedTable]:
        return self.source, self.target

    @property
    def comparable(self) -> bool:
        """Whether rows can be compared at all: no key column is missing, and some column is there."""
        return bool(self.columns) and not set(self.key) & set(self.missing_columns)


@dataclass(frozen=True, slots=True)
class MatchedColumns:
    """Which columns of a source are compared, by name.

    Attributes:
        names: the target's name by the source's, of those that both have.
        key: the source's names of the key columns.
        usable_key: the same; empty when one of them is not compared, so that rows cannot be told apart by it.
        missing: the source's names of columns that the target lacks.
        absent_key: of key columns that are not replicated.
    """

    names: Mapping[str, str]
    key: tuple[str, ...]
    usable_key: tuple[str, ...]
    missing: tuple[str, ...]
    absent_key: tuple[str, ...]


def match_columns(
    pair: TablePair, schema: TableSchema, source: Collection[str], target: Callable[[str], bool]
) -> MatchedColumns:
    """Matches columns by name; `target` tells whether the target has one. Columns that only it has are left out."""
    names = pair.columns if pair.columns is not None else {name: name for name in schema.column_names}
    missing = tuple(name for name, renamed in names.items() if name not in source or not target(renamed))
    found = {name: renamed for name, renamed in names.items() if name not in missing}
    key = schema.key or schema.primary_key
    absent = tuple(name for name in key if name not in names)
    return MatchedColumns(found, key, () if absent or set(key) & set(missing) else key, missing, absent)


def pair_tables(pair: TablePair, schema: TableSchema, source: TableFacts, target: TableFacts) -> PairedTables:
    """Two tables of PostgreSQL. Columns that only the target has (`_rosetta_*` and others) are left out."""
    matched = match_columns(pair, schema, source.types, target.types.__contains__)
    usable, columns = matched.usable_key, tuple(matched.names)
    target_key = tuple(matched.names[name] for name in usable)
    typed = all(
        source.types[mine] == target.types[theirs] and source.types[mine] in ORDERED_TYPES and mine not in pair.masked
        for mine, theirs in zip(usable, target_key, strict=True)
    )
    same_order = typed and all(
        source.collations[mine] == target.collations[theirs] for mine, theirs in zip(usable, target_key, strict=True)
    )
    return PairedTables(
        pair=pair,
        source=ComparedTable(
            schema.table,
            _columns(columns, source, pair.masked),
            _columns(usable, source, pair.masked),
            typed,
            source.partitioned,
            source_condition(pair),
        ),
        target=ComparedTable(
            pair.target,
            _columns(tuple(matched.names.values()), target),
            _columns(target_key, target),
            typed,
            target.partitioned,
            f"t.{quoted(_SOFT_DELETED)} IS NOT TRUE" if _SOFT_DELETED in target.types else None,
        ),
        columns=columns,
        key=matched.key,
        ranged=bool(matched.key) and same_order and source.has_index_on(usable) and target.has_index_on(target_key),
        missing_columns=matched.missing + matched.absent_key,
    )


def source_condition(pair: TablePair) -> str | None:
    return f"({pair.condition})" if pair.condition else None


def _columns(
    names: tuple[str, ...], facts: TableFacts, masked: Mapping[str, str] | None = None
) -> tuple[ComparedColumn, ...]:
    return tuple(ComparedColumn(name, facts.types[name], (masked or {}).get(name)) for name in names)
