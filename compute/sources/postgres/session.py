"""One session at the source, for whoever reads rows there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions

from rosetta.errors import OutageError
from rosetta.postgres import PostgresEndpoint, connect, translate_error
from rosetta.undoing import undone_on_error


class SourceSession:
    """Opened when it is needed, and anew after it was lost or something failed.

    Threads: one, except `cancel` and `close`. Every method raises OutageError when the source is away (asking again
    is right), or DataError when it refuses.
    """

    def __init__(self, endpoint: PostgresEndpoint, application: str) -> None:
        self._endpoint = endpoint
        self._application = application
        self._lock = threading.Lock()
        self._cancelled = False
        self._connection: psycopg2.extensions.connection | None = None

    @contextmanager
    def cursor(self, doing: str) -> Iterator[psycopg2.extensions.cursor]:
        """A cursor in autocommit; whatever does not come to its end closes the session, and a transaction with it."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = connect(self._endpoint, application=self._application, autocommit=True)
        with undone_on_error(connection.close):
            with self._lock:
                if self._cancelled:
                    raise OutageError("reading was stopped", code="COPY_STOPPED")
                self._connection = connection
            try:
                with connection.cursor() as cursor:
                    yield cursor
            except psycopg2.Error as error:
                raise translate_error(error, doing) from None

    def value(self, query: str, doing: str) -> Any:
        """The first value of the first row; None without a row."""
        with self.cursor(doing) as cursor:
            cursor.execute(query)
            row = cursor.fetchone()
        return row[0] if row else None

    def cancel(self) -> None:
        """Makes what is under way, and every later use, fail with OutageError; for another thread."""
        with self._lock:
            self._cancelled = True
            if self._connection is not None and not self._connection.closed:
                self._connection.cancel()

    def close(self) -> None:
        """Gives the session back."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
