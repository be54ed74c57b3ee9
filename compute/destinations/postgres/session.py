"""One connection to a target, and the only place where the driver's errors become ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import psycopg2
import psycopg2.extensions

from compute.destinations.target_session import TargetSession
from rosetta.errors import OutageError
from rosetta.postgres import PostgresEndpoint, connect, translate_error

# Estimates over freshly filled temp tables are rough: compiling for them costs more than it saves. A lock that
# somebody holds is an outage, and a writer that was stopped in mid-transaction must not keep the fence for ever.
_SETTINGS: Final = (
    "SET jit = off; SET temp_buffers = '32MB'; SET lock_timeout = '30s'; "
    "SET idle_in_transaction_session_timeout = '60s'"
)
_COPY_BUFFER_BYTES: Final = 1 << 18


class Session(TargetSession):
    """A session that autocommits; transactions are written out in SQL, so that a batch takes few round trips.

    Used by one thread. After an error that lost the connection `connected` is False, and only `connect` helps.
    """

    def __init__(self, endpoint: PostgresEndpoint, application: str) -> None:
        self.endpoint = endpoint
        self.application = application
        self._connection: psycopg2.extensions.connection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def connect(self) -> None:
        """Signs in afresh. Raises OutageError or ConfigurationError."""
        self.close()
        self._connection = connect(self.endpoint, application=self.application, autocommit=True)
        self.run(_SETTINGS, "preparing the session")

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg2.Error):  # it may be lost already, and nothing of ours is open in it
                connection.close()

    def run(self, sql: str, doing: str, /) -> int:
        """Runs statements; returns the row count of the last."""
        with self._cursor(doing) as cursor:
            cursor.execute(sql)
            return cursor.rowcount

    def rows(self, sql: str, doing: str, /) -> list[tuple[Any, ...]]:
        """Runs statements; returns the rows of the last."""
        with self._cursor(doing) as cursor:
            cursor.execute(sql)
            return cursor.fetchall()

    def copy(self, sql: str, data: bytes | memoryview | Path | io.BufferedIOBase, doing: str) -> int:
        """Runs `COPY ... FROM STDIN`; returns the rows copied."""
        with self._cursor(doing) as cursor:
            if isinstance(data, Path):
                with data.open("rb") as file:
                    cursor.copy_expert(sql, file, _COPY_BUFFER_BYTES)
            else:
                source = io.BytesIO(data) if isinstance(data, bytes | memoryview) else data
                cursor.copy_expert(sql, source, _COPY_BUFFER_BYTES)
            return cursor.rowcount

    def rollback(self) -> None:
        if self._connection is None:
            return
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
        except psycopg2.Error:
            self.close()

    @contextmanager
    def _cursor(self, doing: str) -> Iterator[psycopg2.extensions.cursor]:
        if self._connection is None:
            raise OutageError(f"{doing}: not connected", code="NOT_CONNECTED")
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except psycopg2.Error as error:
            if self._connection.closed:
                self.close()
            raise translate_error(error, doing) from None
