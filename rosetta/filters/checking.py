"""Conditions fitted to a table: what `parse_filters` could not know."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from rosetta.errors import UnsupportedError
from rosetta.filters.condition import MAX_CONDITIONS, NULL_TESTS, ORDERED, PATTERNS, Condition
from rosetta.filters.kinds import TEXTS, ColumnKind, Kind, kind_of
from rosetta.filters.literals import FORMS, literal_of
from rosetta.filters.row_filter import RowFilter, TypedCondition
from rosetta.filters.scanning import refusal
from rosetta.types import Column, TableSchema

_MOST_LABELS: Final = 20
_MOST_PATTERN: Final = 1_000


def check_filters(schema: TableSchema, conditions: Sequence[Condition]) -> RowFilter:
    """The filter of a table. None of its evaluations can fail for a reason that could have been told here.

    Raises ConfigurationError (`FILTER_INVALID`) for a column that the table does not have, an operator that does not
    fit its type or a value that is none of it; UnsupportedError (`FILTER_UNSUPPORTED`) for a type that the stream and
    SQL would not compare alike. Both begin with the filter's number.
    """
    if len(conditions) > MAX_CONDITIONS:
        raise refusal(
            f"{len(conditions)} filters are given, at most {MAX_CONDITIONS} can be", "Leave some of them out."
        )
    return RowFilter(tuple(_checked(schema, number, condition) for number, condition in enumerate(conditions, 1)))


def _checked(schema: TableSchema, number: int, condition: Condition) -> TypedCondition:
    try:
        column = schema.column(condition.column)
    except KeyError:
        raise refusal(
            f"filter {number}: {schema.table} has no column {condition.column}", _near(schema, condition)
        ) from None
    known = kind_of(column)
    if condition.operator not in NULL_TESTS:
        _refuse_operator(f"filter {number}: {column.name} is {column.type}", condition, known)
    return TypedCondition(condition, known, _values(number, column, known, condition), column.nondeterministic)


def _near(schema: TableSchema, condition: Condition) -> str:
    folded = [name for name in schema.column_names if name.lower() == condition.column.lower()]
    if folded:
        return f'In a string, put the name in double quotes: "{folded[0]}".'
    near = get_close_matches(condition.column, schema.column_names, 1)
    return f"Did you mean {near[0]}?" if near else "Name a column that the publication sends."


def _refuse_operator(place: str, condition: Condition, known: ColumnKind) -> None:
    operator = condition.operator
    if known.kind is Kind.OTHER:
        raise UnsupportedError(
            f"{place}, which a filter cannot compare: {known.reason}",
            remedy="IS NULL and IS NOT NULL work on every column.",
            code="FILTER_UNSUPPORTED",
        )
    if known.kind is Kind.ENUM and operator in ORDERED:
        raise UnsupportedError(
            f"{place}, an enum, and {operator} goes by the order of its labels, which can change",
            remedy="List the labels with IN.",
            code="FILTER_UNSUPPORTED",
        )
    if operator in PATTERNS and known.kind not in TEXTS:
        raise refusal(f"{place}, and {operator} is for text", "Use a comparison, IN or BETWEEN.")


def _values(number: int, column: Column, known: ColumnKind, condition: Condition) -> tuple[str, ...]:
    if condition.operator in PATTERNS:
        (pattern,) = condition.values
        _refuse_pattern(f"filter {number}: {column.name}", pattern)
        return condition.values
    made = []
    for place, text in enumerate(condition.values, 1):
        value = literal_of(known, text)
        if value is None:
            which = f"value {place}" if len(condition.values) > 1 else "the value"
            raise refusal(f"filter {number}: {column.name}: {which} is not {FORMS[known.kind]}", _written(known))
        made.append(value)
    return tuple(made)


def _written(known: ColumnKind) -> str:
    if known.kind is Kind.ENUM and len(known.labels) <= _MOST_LABELS:
        return f"The labels are {', '.join(known.labels)}."
    return f"Write {FORMS[known.kind]}."


def _refuse_pattern(place: str, pattern: str) -> None:
    if len(pattern) > _MOST_PATTERN:
        raise refusal(f"{place}: the pattern is too long", f"Keep it under {_MOST_PATTERN} characters.")
    if (len(pattern) - len(pattern.rstrip("\\"))) % 2:
        raise refusal(rf"{place}: the pattern ends with a \ that escapes nothing", r"Write \\ for one that is meant.")
