"""Rows of the source, read again because a change did not bring all of theirs."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import psycopg2.extensions

from compute.sources.postgres.session import SourceSession
from compute.transforms.row_rules import Key
from rosetta.dialects.postgres.chunk_read import ReadPlan, key_columns_sql, parse_key_columns, read_keys_sql
from rosetta.dialects.postgres.copy_text import unescape
from rosetta.errors import OutageError, SchemaMismatchError
from rosetta.postgres import PostgresEndpoint
from rosetta.types import TableSchema

_KEYS_AT_ONCE: Final = 500
_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '60s'"
_VISIBLE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.02


class SourceLookup:
    """Implements `SourceRows` with one session, opened when it is needed; callers take turns."""

    def __init__(self, endpoint: PostgresEndpoint) -> None:
        self._lock = threading.Lock()
        self._session = SourceSession(endpoint, "rosetta lookup")

    def read(
        self, schema: TableSchema, columns: Sequence[str], keys: Sequence[Key], transactions: Collection[int]
    ) -> Mapping[Key, Sequence[str]]:
        """See `SourceRows.read`."""
        doing = f"looking up rows of {schema.table}"
        places = [columns.index(name) for name in schema.key]
        found: dict[Key, Sequence[str]] = {}
        with self._lock, self._session.cursor(doing) as cursor:
            self._begin(cursor, transactions, doing)
            plan = _plan(cursor, schema, columns)
            for line in _lines(cursor, plan, keys):
                fields = line.split("\t")
                found[tuple(unescape(fields[place]) for place in places)] = fields
            cursor.execute("COMMIT")
        return found

    def _begin(self, cursor: psycopg2.extensions.cursor, transactions: Collection[int], doing: str) -> None:
        """Begins a transaction whose snapshot sees `transactions`.

        A transaction may be in the log before it is visible, while it waits for a synchronous standby.
        """
        seen = " AND ".join(f"pg_visible_in_snapshot('{xid}'::xid8, s)" for xid in transactions) or "true"
        deadline = time.monotonic() + _VISIBLE_SECONDS
        while True:
            cursor.execute(f"{_BEGIN}; SELECT {seen} FROM pg_current_snapshot() AS s")
            row = cursor.fetchone()
            if row is not None and row[0]:
                return
            cursor.execute("ROLLBACK")
            if time.monotonic() >= deadline:
                raise OutageError(f"{doing}: the source does not show a transaction yet that it has streamed")
            time.sleep(_PAUSE_SECONDS)


def _plan(cursor: psycopg2.extensions.cursor, schema: TableSchema, columns: Sequence[str]) -> ReadPlan:
    cursor.execute(key_columns_sql(schema))
    row = cursor.fetchone()
    key = parse_key_columns(row[0] if row else [])
    if tuple(column.name for column in key) != schema.key:
        raise SchemaMismatchError(f"the key of {schema.table} has changed", remedy="Resync the table.")
    return ReadPlan(schema.table, tuple(columns), key, schema.partitioned)


def _lines(cursor: psycopg2.extensions.cursor, plan: ReadPlan, keys: Sequence[Key]) -> Iterator[str]:
    for first in range(0, len(keys), _KEYS_AT_ONCE):
        sink = io.BytesIO()
        cursor.copy_expert(read_keys_sql(plan, keys[first : first + _KEYS_AT_ONCE]), sink)
        yield from sink.getvalue().decode().split("\n")[:-1]
