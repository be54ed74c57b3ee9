"""Types on the way in and out of DuckDB. What has no exact counterpart goes in as the text that PostgreSQL prints."""

from __future__ import annotations

import re
from typing import Final

_SAME: Final = {
    "boolean": "BOOLEAN",
    "smallint": "SMALLINT",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "real": "FLOAT",
    "double precision": "DOUBLE",
    "date": "DATE",
    "uuid": "UUID",
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
    "time without time zone": "TIME",
    "json": "JSON",
    "jsonb": "JSON",
}
_FRACTIONAL: Final = re.compile(r"(timestamp|time)\(\d\) (with(?:out)? time zone)")
_NUMERIC: Final = re.compile(r"numeric\((\d+),(\d+)\)")
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_WIDEST_DECIMAL: Final = 38
_DATED: Final = frozenset({"DATE", "TIMESTAMP", "TIMESTAMPTZ"})

_OUT: Final = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "UTINYINT": "smallint",
    "SMALLINT": "smallint",
    "USMALLINT": "integer",
    "INTEGER": "integer",
    "UINTEGER": "bigint",
    "BIGINT": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(39,0)",
    "UHUGEINT": "numeric(39,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "VARCHAR": "text",
    "JSON": "jsonb",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "UUID": "uuid",
    "BLOB": "bytea",
}


def duckdb_type(postgres: str) -> str:
    """What a column of a PostgreSQL type is to the statement; VARCHAR where no type of DuckDB holds every value."""
    name = _FRACTIONAL.sub(r"\1 \2", postgres)
    numeric = _NUMERIC.fullmatch(name)
    if numeric is not None and int(numeric[1]) <= _WIDEST_DECIMAL:
        return f"DECIMAL({numeric[1]},{numeric[2]})"
    return _SAME.get(name, "VARCHAR")


def postgres_type(duckdb: str) -> str | None:
    """The type of a computed column at the target; None when the column cannot be written."""
    decimal = _DECIMAL.fullmatch(duckdb)
    return f"numeric({decimal[1]},{decimal[2]})" if decimal else _OUT.get(duckdb)


def read(column: str, duckdb: str) -> str:
    """An expression for a column's value, from PostgreSQL's text of it; fails where the type cannot hold it."""
    if duckdb == "VARCHAR":
        return column
    text = f"replace({column}, ' BC', ' (BC)')" if duckdb in _DATED else column
    return f"CAST({text} AS {duckdb})"


def written(column: str, duckdb: str) -> str:
    """An expression for the text that PostgreSQL reads, of a computed column."""
    if duckdb == "BLOB":
        return f"'\\x' || lower(hex({column}))"
    if duckdb in _DATED or duckdb == "TIMESTAMP WITH TIME ZONE":
        return f"replace(CAST({column} AS VARCHAR), ' (BC)', ' BC')"
    return f"CAST({column} AS VARCHAR)"
