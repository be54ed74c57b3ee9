"""One session of a target account; statements of a transaction are sent one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from compute.destinations.target_session import TargetSession
from rosetta.errors import OutageError, RosettaError
from rosetta.snowflake import SnowflakeEndpoint, connect, translate_error
from rosetta.undoing import undone_on_error

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

# Texts are read alike whatever the account's defaults are; a lock that somebody holds is an outage.
_PARAMETERS: Final = {
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "BINARY_INPUT_FORMAT": "HEX",
    "TRANSACTION_ABORT_ON_ERROR": False,
    "LOCK_TIMEOUT": 60,
}


class Session(TargetSession):
    """A session that autocommits unless it is inside `begin` and `commit`. Used by one thread.

    After an error that lost the connection `connected` is False, and only `connect` helps. No error repeats what
    Snowflake said: it quotes values.
    """

    def __init__(self, endpoint: SnowflakeEndpoint, application: str) -> None:
        self.endpoint = endpoint
        self._application = application
        self._connection: SnowflakeConnection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def connect(self) -> None:
        """Signs in afresh. Raises OutageError."""
        self.close()
        self._connection = connect(
            self.endpoint,
            application="Rosetta",
            session={**_PARAMETERS, "QUERY_TAG": self._application},
        )

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # raises nothing; what is open in one that is lost, Snowflake undoes

    def check(self) -> None:
        """Raises OutageError when the session is known to be lost; asks nobody, so that idling costs nothing."""
        if self._connection is None or self._connection.is_closed():
            raise OutageError("the session is closed", code="NOT_CONNECTED")

    def run(self, sql: str, doing: str, /) -> int:
        """Runs a statement; returns the rows that it touched."""
        with self._cursor(doing) as cursor:
            cursor.execute(sql)
            return cursor.rowcount or 0

    def rows(self, sql: str, doing: str, /) -> list[tuple[Any, ...]]:
        """Runs a query; returns all of its rows."""
        with self._cursor(doing) as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]

    def rollback(self) -> None:
        if self._connection is None:
            return
        with suppress(RosettaError), undone_on_error(self.close):
            self.run("ROLLBACK", "undoing")

    @contextmanager
    def _cursor(self, doing: str) -> Iterator[SnowflakeCursor]:
        import snowflake.connector

        if self._connection is None:
            raise OutageError(f"{doing}: not connected", code="NOT_CONNECTED")
        try:
            with self._connection.cursor() as cursor:
                yield cursor
        except snowflake.connector.errors.Error as error:
            translated = translate_error(error, doing)
            if isinstance(translated, OutageError):
                self.close()
            raise translated from None
