"""One read-only session on one side of a comparison, and the two sides at once."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import psycopg2

from rosetta.dialects.postgres import checksum
from rosetta.dialects.postgres.checksum import ComparedTable
from rosetta.dialects.postgres.table_facts import TableFacts, parse_table_facts, table_facts_sql
from rosetta.errors import OutageError
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint, connect, translate_error
from rosetta.types.schema import TableSchema
from rosetta.undoing import undone_on_error
from rosetta.verification.dialect import Dialect
from rosetta.verification.pairing import PairedTables, pair_tables
from rosetta.verification.request import Bounds, TablePair, Target

Rows = list[tuple[Any, ...]]

_SETTINGS: Final = (
    "SET default_transaction_read_only = on",
    "SET row_security = off",  # a policy that hides rows must fail, not pass for a difference
    "SET jit = off",  # compiling the hash of a wide table costs more than computing it
)


class Session(ABC):
    """Runs one statement per transaction, within `bounds`. For one thread at a time.

    Raises only errors of `rosetta.errors`; OutageError (VERIFY_TIME_OVER) once the time for everything is over.
    """

    dialect: Dialect

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.check_time()

    @abstractmethod
    def rows(self, sql: str) -> Rows:
        """All rows of a query whose result the caller knows to be small."""

    def value(self, sql: str) -> Any:
        """The first column of the only row; None when there is no row."""
        found = self.rows(sql)
        return found[0][0] if found else None

    @abstractmethod
    def paired(self, pair: TablePair, schema: TableSchema, source: TableFacts) -> PairedTables | None:
        """The pair as this side, the target, has it; None: it has no such table."""

    @abstractmethod
    def cancel(self) -> None:
        """Ends the running statement, from any thread."""

    @abstractmethod
    def close(self) -> None: ...

    def check_time(self) -> float:
        """The seconds that a statement may take from now on."""
        left_seconds = self._bounds.ends_at - time.monotonic()
        if left_seconds <= 0:
            raise OutageError(
                "the time for the whole verification is over",
                code="VERIFY_TIME_OVER",
                remedy="Verify fewer tables at once, or give it more time.",
            )
        return min(self._bounds.statement_timeout_seconds, left_seconds)


class PostgresSession(Session):
    """A side that is a PostgreSQL database."""

    dialect: Dialect = checksum

    def __init__(self, endpoint: PostgresEndpoint, bounds: Bounds) -> None:
        super().__init__(bounds)
        self._endpoint = endpoint
        self._timeout_seconds = 0.0
        self._connection = connect(endpoint, application="rosetta verify", autocommit=True)
        with undone_on_error(self.close):
            for setting in _SETTINGS:
                self.rows(setting)

    def rows(self, sql: str) -> Rows:
        timeout_seconds = self.check_time()
        try:
            with self._connection.cursor() as cursor:
                if timeout_seconds != self._timeout_seconds:
                    cursor.execute(f"SET statement_timeout = {max(1, round(timeout_seconds * 1000))}")
                    self._timeout_seconds = timeout_seconds
                cursor.execute(sql)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            self.check_time()
            raise translate_error(error, f"verifying on {self._endpoint}") from None

    def facts(self, table: TableId) -> TableFacts | None:
        """None when there is no such table."""
        value = self.value(table_facts_sql(table))
        return None if value is None else parse_table_facts(value)

    def paired(self, pair: TablePair, schema: TableSchema, source: TableFacts) -> PairedTables | None:
        facts = self.facts(pair.target)
        return None if facts is None else pair_tables(pair, schema, source, facts)

    def cancel(self) -> None:
        self._connection.cancel()

    def close(self) -> None:
        self._connection.close()


def target_session(target: Target, bounds: Bounds) -> Session:
    """Opens a session on a target, whatever it is; drivers are imported when they are needed."""
    if isinstance(target.endpoint, PostgresEndpoint):
        return PostgresSession(target.endpoint, bounds)
    from rosetta.verification.snowflake import SnowflakeSession

    return SnowflakeSession(target.endpoint, target.naming, bounds)


class Sides:
    """The source's and the target's session; what is asked of both runs at the same time.

    `source` and `target` may be used one after the other between calls of `both`.
    """

    def __init__(self, source: PostgresEndpoint, target: Target, bounds: Bounds) -> None:
        self.source = PostgresSession(source, bounds)
        with undone_on_error(self.source.close):
            self.target = target_session(target, bounds)
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="verify-target")

    def both(
        self, tables: tuple[ComparedTable, ComparedTable], sql: Callable[[Dialect, ComparedTable], str]
    ) -> tuple[Rows, Rows]:
        """The rows of `sql` for the source's and for the target's table."""
        source, target = tables
        pending = self._threads.submit(self.target.rows, sql(self.target.dialect, target))
        with undone_on_error(self.target.cancel):
            found = self.source.rows(sql(self.source.dialect, source))
        return found, pending.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown()
        self.source.close()
        self.target.close()
