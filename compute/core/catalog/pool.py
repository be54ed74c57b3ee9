"""A small pool of psycopg2 connections whose users wait for their turn, and of which none is dead.

psycopg2's own pools raise where ours waits, and hand out connections that the server has closed long ago.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg2
import psycopg2.extensions

from rosetta.errors import OutageError

Connection = psycopg2.extensions.connection


class Pool:
    """At most `size` connections, the last used first; safe to share between threads."""

    def __init__(self, connect: Callable[[], Connection], size: int, wait_seconds: float) -> None:
        self._connect = connect
        self._wait_seconds = wait_seconds
        self._turns = threading.BoundedSemaphore(size)
        self._idle: list[Connection] = []  # append and pop are atomic

    @contextmanager
    def transaction(self, begin: Callable[[Connection], None]) -> Iterator[Connection]:
        """A connection on which `begin` was done; commits at the end of the block, rolls back when it raises.

        `begin` is the transaction's first statement. Where it finds that a pooled connection is dead it is done
        again on another one. Raises OutageError when no connection becomes free in time, and the driver's errors.
        """
        if not self._turns.acquire(timeout=self._wait_seconds):
            raise OutageError("the config database does not answer in time", code="CONFIG_DB_BUSY")
        try:
            connection = self._begun(begin)
            try:
                yield connection
                connection.commit()
            finally:
                self._give_back(connection)
        finally:
            self._turns.release()

    def close(self) -> None:
        """Closes what is idle; what is in use is closed with its process."""
        while self._idle:
            self._idle.pop().close()

    def _begun(self, begin: Callable[[Connection], None]) -> Connection:
        while True:
            pooled = bool(self._idle)
            connection = self._idle.pop() if pooled else self._connect()
            try:
                begin(connection)
            except BaseException as error:
                dead = pooled and isinstance(error, psycopg2.Error) and connection.closed
                self._give_back(connection)
                if not dead:
                    raise
            else:
                return connection

    def _give_back(self, connection: Connection) -> None:
        with suppress(psycopg2.Error):  # a connection that cannot roll back is closed by that
            connection.rollback()
        if connection.closed:
            connection.close()
        else:
            self._idle.append(connection)
