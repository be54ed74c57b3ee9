"""Constraints of a target's owner, each as SQL and as a rule of the destination in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from compute.destinations.base import TableTarget
from compute.destinations.memory_batch import Rule
from compute.destinations.memory_tables import Table, Values
from rosetta.dialects.postgres import qualified, quoted
from rosetta.errors import DataError
from rosetta.identifiers import TableId


@dataclass(frozen=True)
class Constraint:
    sql: str
    rule: Rule


def not_null(of: TableTarget, column: str) -> Constraint:
    sql = f"ALTER TABLE {qualified(of.target)} ALTER {quoted(column)} SET NOT NULL"
    return Constraint(sql, _each(of, lambda row: row[column] is not None, "PG_23502"))


def check(of: TableTarget, expression: str, holds: Callable[[Values], bool]) -> Constraint:
    sql = f"ALTER TABLE {qualified(of.target)} ADD CHECK ({expression})"
    return Constraint(sql, _each(of, holds, "PG_23514"))


def domain(of: TableTarget, column: str, expression: str, holds: Callable[[Values], bool]) -> Constraint:
    """The column becomes a domain over text."""
    sql = (
        f"CREATE DOMAIN public.short AS text CHECK ({expression}); "
        f"ALTER TABLE {qualified(of.target)} ALTER {quoted(column)} TYPE public.short"
    )
    return Constraint(sql, _each(of, holds, "PG_23514"))


def unique(of: TableTarget, column: str, *, deferred: bool = False) -> Constraint:
    tail = " DEFERRABLE INITIALLY DEFERRED" if deferred else ""

    def rule(tables: Mapping[TableId, Table]) -> None:
        counted = Counter(row[column] for row in _rows(tables, of) if row[column] is not None)
        if any(count > 1 for count in counted.values()):
            raise DataError("not unique", code="PG_23505")

    return Constraint(f"ALTER TABLE {qualified(of.target)} ADD UNIQUE ({quoted(column)}){tail}", rule)


def foreign_key(
    of: TableTarget, column: str, parent: TableTarget, *, deferred: bool = False, name: str = "fk"
) -> Constraint:
    """A reference to the one key column of `parent`."""
    (key,) = parent.schema.key
    tail = " DEFERRABLE INITIALLY DEFERRED" if deferred else ""

    def rule(tables: Mapping[TableId, Table]) -> None:
        known = {row[key] for row in _rows(tables, parent)}
        if any(row[column] is not None and row[column] not in known for row in _rows(tables, of)):
            raise DataError("no parent", code="PG_23503")

    sql = (
        f"ALTER TABLE {qualified(of.target)} ADD CONSTRAINT {name} FOREIGN KEY ({quoted(column)}) "
        f"REFERENCES {qualified(parent.target)}{tail}"
    )
    return Constraint(sql, rule)


def _rows(tables: Mapping[TableId, Table], of: TableTarget) -> Iterable[Values]:
    table = tables[of.target]
    history = [change.values for op, change in table.history.values() if op != "t"]
    return [*(row.values for row in (*table.rows.values(), *table.loose)), *history]


def _each(of: TableTarget, holds: Callable[[Values], bool], code: str) -> Rule:
    def rule(tables: Mapping[TableId, Table]) -> None:
        if not all(holds(row) for row in _rows(tables, of)):
            raise DataError("a row breaks a constraint", code=code)

    return rule
