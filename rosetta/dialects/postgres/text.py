"""Quoting, and the session settings under which a value's text form is exact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rosetta.identifiers import TableId

# A value printed by one session and read by another is the same value only when both agree on these.
EXACT_TEXT_SETTINGS: Final[Mapping[str, str]] = {
    "client_encoding": "UTF8",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "search_path": "pg_catalog",
}


def quoted(name: str) -> str:
    """An identifier in double quotes. Raises ValueError for a name PostgreSQL cannot have."""
    if not name or "\0" in name:
        raise ValueError("an identifier may not be empty or contain NUL")
    return '"' + name.replace('"', '""') + '"'


def qualified(table: TableId) -> str:
    return f"{quoted(table.schema)}.{quoted(table.name)}"


def literal(value: str | int | None) -> str:
    """A value as an SQL literal that needs no setting to be read safely; for text that cannot be bound."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    if "\0" in value:
        raise ValueError("a text literal may not contain NUL")
    escaped = value.replace("'", "''")
    return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in value else f"'{escaped}'"


def startup_options(settings: Mapping[str, str] = EXACT_TEXT_SETTINGS) -> str:
    """`settings` as libpq's `options` connection parameter; `client_encoding` has its own and is left out."""
    return " ".join(
        f"-c {name}={value.replace(chr(92), chr(92) * 2).replace(' ', chr(92) + ' ')}"
        for name, value in settings.items()
        if name != "client_encoding"
    )
