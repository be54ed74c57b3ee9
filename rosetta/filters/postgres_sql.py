"""A filter as PostgreSQL's SQL, over a table's own columns."""

from __future__ import annotations

from typing import Final

from rosetta.dialects.postgres import literal, quoted
from rosetta.filters.condition import LISTS, ORDERED, PATTERNS, Operator
from rosetta.filters.kinds import TEXTS, Kind
from rosetta.filters.row_filter import RowFilter, TypedCondition

_C: Final = ' COLLATE "C"'


def postgres_condition(row_filter: RowFilter, alias: str | None = None) -> str:
    """The filter with its values as literals, for statements that cannot bind any (COPY); `true` without a condition.

    Each condition is in parentheses, joined by AND. NULL where a condition is NULL of a row: embed it behind WHERE.

    Args:
        row_filter: what to write.
        alias: what the statement calls the table.
    """
    start = f"{quoted(alias)}." if alias else ""
    parts = [_condition(one, start + quoted(one.column)) for one in row_filter.conditions]
    return " AND ".join(f"({part})" for part in parts) or "true"


def _condition(condition: TypedCondition, column: str) -> str:
    operator, kind = condition.operator, condition.kind
    if operator is Operator.IS_NULL:  # a composite of NULLs IS NULL, and yet is not NULL
        return f"{column} IS NULL" if kind is not Kind.OTHER else f"{column} IS NOT DISTINCT FROM NULL"
    if operator is Operator.IS_NOT_NULL:
        return f"{column} IS NOT NULL" if kind is not Kind.OTHER else f"{column} IS DISTINCT FROM NULL"
    known = condition.known
    type_ = "text" if kind in TEXTS else known.type
    if known.domain or (kind in TEXTS and known.type not in {"text", "character varying"}):
        column = f"CAST({column} AS {type_})"
    values = [f"CAST({literal(value)} AS {type_})" for value in condition.values]
    if kind in TEXTS:
        column, values = _text(condition, column, values)
    if operator in LISTS:
        return f"{column} {operator} ({', '.join(values)})"
    written = "<>" if operator is Operator.NOT_EQUAL else operator.value
    return f"{column} {written} {' AND '.join(values)}"


def _text(condition: TypedCondition, column: str, values: list[str]) -> tuple[str, list[str]]:
    """Text has the order of its UTF-8, whatever the database's encoding, and folds as "C" does.

    Where equality is that of the bytes anyway the column stays as it is, so that its index serves.
    """
    if condition.operator in ORDERED:
        return f"convert_to({column}, 'UTF8')", [f"convert_to({value}, 'UTF8')" for value in values]
    if condition.nondeterministic or condition.operator in PATTERNS:
        return column + _C, values
    return column, values
