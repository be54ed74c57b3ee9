"""What a target's refusal is about: a row, or the table as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rosetta.errors import DataError

# Errors that every row of the table would meet. All other data errors are about some row until shown otherwise:
# classes 22 (values), 23 (constraints), 44 (check options), 54 (limits: an index row too large), P0 (user triggers).
TABLE_CODES: Final[Mapping[str, str]] = {
    "TARGET_MISSING": "no such table",
    "SCHEMA_MISMATCH": "a column or an index is missing",
    "PERMISSION_MISSING": "a right is missing",
    "PG_0A000": "the statement is not supported here: TRUNCATE of a referenced table, writing to such a view",
    "PG_3F000": "no such schema",
    "PG_42501": "a right is missing, or row security forbids",
    "PG_42601": "syntax",
    "PG_42602": "invalid name",
    "PG_42622": "name too long",
    "PG_42701": "a column is named twice",
    "PG_42702": "an ambiguous column",
    "PG_42703": "no such column",
    "PG_42704": "no such object: type, operator class, role",
    "PG_42725": "an ambiguous function",
    "PG_42803": "grouping",
    "PG_42804": "a column has another type",
    "PG_42809": "not a table",
    "PG_42846": "types that cannot be cast",
    "PG_42883": "no such function or operator",
    "PG_42P01": "no such table",
    "PG_42P02": "no such parameter",
    "PG_42P10": "no unique index for the key",
    "PG_42P17": "an invalid definition",
    "PG_42P18": "a type that cannot be told",
    "PG_42P21": "collations differ",
    "PG_42P22": "a collation that cannot be told",
    "PG_428C9": "a generated column",
}

# A row may be refused because another one, still to be written, holds its value, or is its parent or its child.
_UNIQUENESS: Final = frozenset({"PG_23505", "PG_23P01"})
_PASSING: Final = _UNIQUENESS | {"PG_23503"}


def is_about_table(error: DataError) -> bool:
    """Whether no row of the table can be written while this error's cause lasts."""
    return error.code in TABLE_CODES


def may_pass(error: DataError) -> bool:
    """Whether the same row may be taken once others are written."""
    return error.code in _PASSING


def is_about_uniqueness(error: DataError) -> bool:
    """Whether another row holds what the refused one is to have: a unique value, an excluded range."""
    return error.code in _UNIQUENESS
