"""Rows of the source, read again because a change did not bring all of theirs."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import psycopg2
import psycopg2.extensions

from compute.transforms.row_rules import Key
from rosetta.dialects.postgres.chunk_read import ReadPlan, key_columns_sql, parse_key_columns, read_keys_sql
from rosetta.dialects.postgres.copy_text import unescape
from rosetta.errors import OutageError, SchemaMismatchError
from rosetta.postgres import PostgresEndpoint, connect, translate_error
from rosetta.types import TableSchema

_KEYS_AT_ONCE: Final = 500
_STATEMENT_SECONDS: Final = 60
_VISIBLE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.02


class SourceLookup:
    """Implements `SourceRows` with one session, opened when it is needed; callers take turns."""

    def __init__(self, endpoint: PostgresEndpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._connection: psycopg2.extensions.connection | None = None

    def read(
        self, schema: TableSchema, columns: Sequence[str], keys: Sequence[Key], transactions: Collection[int]
    ) -> Mapping[Key, Sequence[str]]:
        """See `SourceRows.read`."""
        doing = f"looking up rows of {schema.table}"
        places = [columns.index(name) for name in schema.key]
        found: dict[Key, Sequence[str]] = {}
        with self._lock:
            try:
                with self._session().cursor() as cursor:
                    self._begin(cursor, transactions, doing)
                    plan = _plan(cursor, schema, columns)
                    for line in _lines(cursor, plan, keys):
                        fields = line.split("\t")
                        found[tuple(unescape(fields[place]) for place in places)] = fields
                    cursor.execute("COMMIT")
            except psycopg2.Error as error:
                self._close()
                raise translate_error(error, doing) from None
            except BaseException:
                self._close()
                raise
        return found

    def _begin(self, cursor: psycopg2.extensions.cursor, transactions: Collection[int], doing: str) -> None:
        """Begins a transaction whose snapshot sees `transactions`.

        A transaction may be in the log before it is visible, while it waits for a synchronous standby.
        """
        seen = " AND ".join(f"pg_visible_in_snapshot('{xid}'::xid8, s)" for xid in transactions) or "true"
        deadline = time.monotonic() + _VISIBLE_SECONDS
        while True:
            cursor.execute(
                f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT {seen} FROM pg_current_snapshot() AS s"
            )
            row = cursor.fetchone()
            if row is not None and row[0]:
                return
            cursor.execute("ROLLBACK")
            if time.monotonic() >= deadline:
                raise OutageError(f"{doing}: the source does not show a transaction yet that it has streamed")
            time.sleep(_PAUSE_SECONDS)

    def _session(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._endpoint, application="rosetta lookup", autocommit=True)
            with self._connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


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
