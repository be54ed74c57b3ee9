"""One transaction of the config database: plain SQL in, named tuples out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.extensions
from psycopg2.extras import NamedTupleCursor, execute_batch, execute_values

from rosetta.errors import DataError

Row = Any  # a named tuple of the statement's columns
Values = Mapping[str, object]


class Rows(list[Row]):
    """What a statement returned; empty where it returns nothing."""

    def one(self) -> Row:
        """The only row. Raises DataError unless there is exactly one."""
        if len(self) != 1:
            raise DataError(f"the config database answered with {len(self)} rows, not one", code="CONFIG_ROWS")
        return self[0]

    def one_or_none(self) -> Row | None:
        """The only row, or None. Raises DataError when there are more."""
        return self.one() if self else None

    def scalar(self) -> Any:
        """The first column of the first row; None when there is none."""
        return self[0][0] if self else None

    def scalars(self) -> list[Any]:
        """The first column of every row."""
        return [row[0] for row in self]


class Session:
    """Runs statements, whose values are bound by name (`%(name)s`), in the transaction that is open.

    Raises the driver's errors, which `ConfigDatabase.transaction` translates.
    """

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Values | None = None) -> Rows:
        """Runs one statement."""
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return Rows(cursor.fetchall() if cursor.description else ())

    def execute_each(self, statement: str, rows: Sequence[Values]) -> None:
        """Runs one statement for every row, in few round trips."""
        with self._cursor() as cursor:
            execute_batch(cursor, statement, rows)

    def insert(self, statement: str, template: str, rows: Sequence[Values]) -> Rows:
        """Runs `INSERT ... VALUES %s ...` with every row as `template` binds it; returns what that returns."""
        with self._cursor() as cursor:
            return Rows(execute_values(cursor, statement, rows, template, fetch=True))

    def _cursor(self) -> psycopg2.extensions.cursor:
        return self._connection.cursor(cursor_factory=NamedTupleCursor)
