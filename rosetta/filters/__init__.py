"""Row filters: parsed once, and evaluated alike in PostgreSQL, Arrow and Python (and in DuckDB, by the tests).

`parse_filters` reads what a person wrote, without knowing the table; `check_filters` fits it to the table and refuses
what could not be compared exactly. A `RowFilter` is evaluated by SQL (`postgres_condition`), by `RowFilter.passes` on
one row, and by a `Matcher` on columns.

Outside of PostgreSQL a value is the text that its type's output function prints under `EXACT_TEXT_SETTINGS` (which is
what COPY writes, unescaped): booleans are `t` and `f`, timestamps with time zone end with `+00`.

LIKE and ILIKE match characters; a backslash escapes. ILIKE holds the letters of ASCII for equal, as the collation "C"
does, and text is ordered by its UTF-8, so that neither depends on a server's locale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosetta.filters.checking import check_filters
from rosetta.filters.condition import MAX_CONDITIONS, Condition, Operator
from rosetta.filters.parsing import parse_condition, parse_filters
from rosetta.filters.postgres_sql import postgres_condition
from rosetta.filters.row_filter import RowFilter
from rosetta.types import TableSchema

if TYPE_CHECKING:
    from rosetta.filters.columnar import Matcher

__all__ = [
    "MAX_CONDITIONS",
    "Condition",
    "Operator",
    "RowFilter",
    "check_filters",
    "matcher",
    "parse_condition",
    "parse_filters",
    "postgres_condition",
]


def matcher(schema: TableSchema, conditions: Sequence[Condition]) -> Matcher:
    """What tells of columns of a table which rows pass. Raises as `check_filters`; loads pyarrow when it is called."""
    from rosetta.filters.columnar import Matcher

    return Matcher(check_filters(schema, conditions))
