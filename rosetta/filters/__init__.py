"""Row filters: parsed once, and evaluated alike in PostgreSQL, DuckDB, Arrow and Python.

`parse_filters` reads what a person wrote, without knowing the table; `check_filters` fits it to the table and refuses
what could not be compared exactly. A `RowFilter` is evaluated by SQL (`postgres_condition` and `postgres_bound` over
the table itself, `duckdb_bound` over columns of text), by `RowFilter.passes` on one row, and by a `Matcher` on columns.

Outside of PostgreSQL a value is the text that its type's output function prints under `EXACT_TEXT_SETTINGS` (which is
what COPY writes, unescaped): booleans are `t` and `f`, timestamps with time zone end with `+00`.

LIKE and ILIKE match characters; a backslash escapes. ILIKE holds the letters of ASCII for equal, as the collation "C"
does, and text is ordered by its UTF-8, so that neither depends on a server's locale.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rosetta.filters.bound import BoundSql
from rosetta.filters.checking import check_filters
from rosetta.filters.condition import MAX_CONDITIONS, Condition, Operator
from rosetta.filters.duckdb_sql import duckdb_bound
from rosetta.filters.parsing import parse_condition, parse_filters
from rosetta.filters.postgres_sql import postgres_bound, postgres_condition
from rosetta.filters.row_filter import RowFilter
from rosetta.types import TableSchema

if TYPE_CHECKING:
    from rosetta.filters.columnar import Matcher

__all__ = [
    "MAX_CONDITIONS",
    "BoundSql",
    "Condition",
    "Operator",
    "RowFilter",
    "check_filters",
    "duckdb_bound",
    "matcher",
    "parse_condition",
    "parse_filters",
    "postgres_bound",
    "postgres_condition",
]


def matcher(schema: TableSchema, conditions: Sequence[Condition]) -> Matcher:
    """What tells of columns of a table which rows pass. Raises as `check_filters`; loads pyarrow when it is called."""
    from rosetta.filters.columnar import Matcher

    return Matcher(check_filters(schema, conditions))
