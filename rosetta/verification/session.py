"""One read-only session on one side of a comparison, and the two sides at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import psycopg2

from rosetta.dialects.postgres.checksum import ComparedTable
from rosetta.errors import OutageError
from rosetta.postgres import PostgresEndpoint, connect, translate_error
from rosetta.verification.request import Bounds

Rows = list[tuple[Any, ...]]

_SETTINGS: Final = (
    "SET default_transaction_read_only = on",
    "SET row_security = off",  # a policy that hides rows must fail, not pass for a difference
    "SET jit = off",  # compiling the hash of a wide table costs more than computing it
)


class Session:
    """Runs one statement per transaction, within `bounds`. For one thread at a time.

    Raises only errors of `rosetta.errors`; OutageError (VERIFY_TIME_OVER) once the time for everything is over.
    """

    def __init__(self, endpoint: PostgresEndpoint, bounds: Bounds) -> None:
        self._endpoint = endpoint
        self._bounds = bounds
        self._timeout_seconds = 0.0
        self._check_time()
        self._connection = connect(endpoint, application="rosetta verify", autocommit=True)
        try:
            for setting in _SETTINGS:
                self._run(setting)
        except BaseException:
            self._connection.close()
            raise

    def rows(self, sql: str) -> Rows:
        """All rows of a query whose result the caller knows to be small."""
        return self._run(sql)

    def value(self, sql: str) -> Any:
        """The first column of the only row; None when there is no row."""
        found = self._run(sql)
        return found[0][0] if found else None

    def cancel(self) -> None:
        """Ends the running statement, from any thread."""
        self._connection.cancel()

    def close(self) -> None:
        self._connection.close()

    def _run(self, sql: str) -> Rows:
        left_seconds = self._check_time()
        try:
            with self._connection.cursor() as cursor:
                timeout_seconds = min(self._bounds.statement_timeout_seconds, left_seconds)
                if timeout_seconds != self._timeout_seconds:
                    cursor.execute(f"SET statement_timeout = {max(1, round(timeout_seconds * 1000))}")
                    self._timeout_seconds = timeout_seconds
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self._check_time()
            raise translate_error(error, f"verifying on {self._endpoint}") from None

    def _check_time(self) -> float:
        """The seconds that are left."""
        left_seconds = self._bounds.ends_at - time.monotonic()
        if left_seconds <= 0:
            raise OutageError(
                "the time for the whole verification is over",
                code="VERIFY_TIME_OVER",
                remedy="Verify fewer tables at once, or give it more time.",
            )
        return left_seconds


class Sides:
    """The source's and the target's session; what is asked of both runs at the same time.

    `source` and `target` may be used one after the other between calls of `both`.
    """

    def __init__(self, source: PostgresEndpoint, target: PostgresEndpoint, bounds: Bounds) -> None:
        self.source = Session(source, bounds)
        try:
            self.target = Session(target, bounds)
        except BaseException:
            self.source.close()
            raise
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="verify-target")

    def both(
        self, tables: tuple[ComparedTable, ComparedTable], sql: Callable[[ComparedTable], str]
    ) -> tuple[Rows, Rows]:
        """The rows of `sql` for the source's and for the target's table."""
        source, target = tables
        pending = self._threads.submit(self.target.rows, sql(target))
        try:
            found = self.source.rows(sql(source))
        except BaseException:
            self.target.cancel()
            raise
        return found, pending.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        self.source.close()
        self.target.close()
