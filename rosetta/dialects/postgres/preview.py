"""Looking at what the rules of a table sync would do to a table, before they do it. Pure SQL text."""

from __future__ import annotations

from rosetta.dialects.postgres.checksum import ComparedColumn, exact_text
from rosetta.dialects.postgres.text import EXACT_TEXT_SETTINGS, literal, qualified
from rosetta.types import TableSchema


def settings_sql(timeout_seconds: float) -> str:
    """Has the transaction print values exactly, as conditions take them, and bounds each of its statements."""
    texts = {name: value for name, value in EXACT_TEXT_SETTINGS.items() if name != "client_encoding"}
    settings = texts | {"statement_timeout": str(round(timeout_seconds * 1000))}
    return "; ".join(f"SET LOCAL {name} = {literal(value)}" for name, value in settings.items())


def counts_sql(schema: TableSchema, condition: str | None, former: str | None) -> str:
    """One row: how many rows there are, how many meet `condition`, and how many of those did not meet `former`.

    Last, how many met `former` and do not meet `condition`. Both are SQL on a row `t`; None: every row does.
    """
    now, before = (f"({one}) IS TRUE" if one else "true" for one in (condition, former))
    return (
        f"SELECT count(*), count(*) FILTER (WHERE {now}), count(*) FILTER (WHERE {now} AND NOT {before}), "
        f"count(*) FILTER (WHERE {before} AND NOT {now}) FROM {_from(schema)}"
    )


def sample_sql(schema: TableSchema, columns: tuple[ComparedColumn, ...], condition: str | None, rows: int) -> str:
    """The texts of some rows that meet `condition`, one text[] each, in whatever order they lie."""
    texts = ", ".join(exact_text(column) for column in columns)
    where = f" WHERE {condition}" if condition else ""
    return f"SELECT ARRAY[{texts}]::text[] AS row FROM {_from(schema)}{where} LIMIT {rows}"


def _from(schema: TableSchema) -> str:
    return f"{'' if schema.partitioned else 'ONLY '}{qualified(schema.table)} AS t"
