"""Connections to the config database: a small pool, and the one translation of its errors.

People steer by SQL, and what they write locks a pipeline first and then, by cascades and triggers, what belongs to it.
So that none of them is ever in a deadlock with compute, each transaction of compute

- holds the pipeline first, before anything that belongs to it (`OWNED_EPOCH` does where there is a lease), or
- locks a single row, or
- passes over what somebody else has locked, and comes back to it.

Several rows of one table are never waited for in one transaction: others lock them in an order that nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg2

from compute.core.catalog.pool import Connection, Pool
from compute.core.catalog.session import Session
from rosetta.errors import FencedError
from rosetta.postgres import translate_error

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 20
# A process that stops in mid-transaction must not keep the lease's row from its next owner.
_IDLE_SECONDS = 5
_ALIVE = "SELECT 1"
# Locked in this order: the pipeline, so that nobody deletes it meanwhile, then its lease, which keeps a next owner out
# until this transaction has ended; others of the same owner share both. No row: the pipeline is gone.
OWNED_EPOCH: Final = """
    SELECT l.epoch FROM pipelines p JOIN pipeline_leases l ON l.pipeline_id = p.id
    WHERE p.id = %(pipeline_id)s FOR KEY SHARE OF p FOR SHARE OF l"""


@dataclass(frozen=True, slots=True)
class Fence:
    """The lease under which a pipeline's process acts."""

    pipeline_id: int
    epoch: int


class ConfigDatabase:
    """A pool of at most `connections` sessions; safe to share between threads.

    With a `fence` nothing is read or written once the pipeline has another owner, whatever time has passed
    since this process last looked.
    """

    def __init__(self, url: str, *, application: str, connections: int = 2, fence: Fence | None = None) -> None:
        """`url` as libpq reads it (`rosetta.database.libpq_url`)."""
        self.url = url
        self.application = application
        self._fence = fence
        self._pool = Pool(self.connect, connections, _STATEMENT_SECONDS)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction, committed at the end of the block.

        Raises OutageError, DataError where the database refuses what was asked, or FencedError, before anything
        was done, when the pipeline has another owner; never the driver's own.
        """
        try:
            with self._pool.transaction(self._begin) as connection:
                yield Session(connection)
        except psycopg2.Error as error:
            raise translate_error(error, "using the config database") from None

    def connect(self) -> Connection:
        """A session beside the pool, its user's to close. Raises the driver's errors."""
        return psycopg2.connect(
            self.url,
            application_name=self.application,
            connect_timeout=_CONNECT_SECONDS,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
            options=f"-c statement_timeout={_STATEMENT_SECONDS * 1000} -c lock_timeout=10000"
            f" -c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000} -c TimeZone=UTC",
        )

    def close(self) -> None:
        self._pool.close()

    def _begin(self, connection: Connection) -> None:
        session, fence = Session(connection), self._fence
        if fence is None:
            session.execute(_ALIVE)
        elif session.execute(OWNED_EPOCH, {"pipeline_id": fence.pipeline_id}).scalar() != fence.epoch:
            raise FencedError(f"pipeline {fence.pipeline_id} has another owner since epoch {fence.epoch}")
