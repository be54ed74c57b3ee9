"""Connections to the config database: a small pool, and the one translation of its errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from rosetta.database import sync_url
from rosetta.errors import FencedError, OutageError
from rosetta.postgres import translate_error

_CONNECT_SECONDS = 5
_STATEMENT_SECONDS = 20
# A process that stops in mid-transaction must not keep the lease's row from its next owner.
_IDLE_SECONDS = 5
# The lock keeps a next owner out until this transaction has ended; others of the same owner share it.
_EPOCH = text("SELECT epoch FROM pipeline_leases WHERE pipeline_id = :pipeline_id FOR SHARE")


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
        self.url = sync_url(url)
        self.application = application
        self._fence = fence
        self._engine = create_engine(
            self.url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=_STATEMENT_SECONDS,
            pool_pre_ping=True,
            pool_use_lifo=True,
            connect_args={
                "application_name": application,
                "connect_timeout": _CONNECT_SECONDS,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
                "options": f"-c statement_timeout={_STATEMENT_SECONDS * 1000} -c lock_timeout=10000"
                f" -c idle_in_transaction_session_timeout={_IDLE_SECONDS * 1000} -c TimeZone=UTC",
            },
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction, committed at the end of the block.

        Raises OutageError, DataError where the database refuses what was asked, or FencedError, before anything
        was done, when the pipeline has another owner; never SQLAlchemy's own.
        """
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                if self._fence is not None:
                    self._check(session, self._fence)
                yield session
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.Error):
                raise translate_error(error.orig, "using the config database") from None
            raise
        except PoolTimeoutError:
            raise OutageError("the config database does not answer in time", code="CONFIG_DB_BUSY") from None

    def close(self) -> None:
        self._engine.dispose()

    @staticmethod
    def _check(session: Session, fence: Fence) -> None:
        epoch = session.execute(_EPOCH, {"pipeline_id": fence.pipeline_id}).scalar()
        if epoch != fence.epoch:
            raise FencedError(f"pipeline {fence.pipeline_id} has another owner since epoch {fence.epoch}")
