"""The config database: one pool per process, one transaction per unit of work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from app.core.config import Settings
from app.core.exceptions import ConfigDatabaseBusyError, ConfigDatabaseError
from rosetta.database import async_url

# SQLSTATE classes in which the server, or somebody else's lock, and not the statement is the trouble.
_SERVER_TROUBLE = frozenset({"08", "53", "57", "58"})
_BUSY = frozenset({"40", "55"})
STATEMENT_TIMEOUT_SECONDS = 30.0


async def _connect(*args: Any, **options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*args, **options)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise ConfigDatabaseError from error


def _translated(error: DBAPIError) -> Exception:
    """What `error` means for the request; itself when it is a mistake of ours."""
    state = (getattr(error.orig, "sqlstate", None) or "")[:2]
    if state in _BUSY:
        return ConfigDatabaseBusyError()
    return ConfigDatabaseError() if error.connection_invalidated or state in _SERVER_TROUBLE else error


class DatabaseManager:
    """Owns the engine of one process; safe to share between its tasks."""

    def __init__(self) -> None:
        self._engine: AsyncEngine | None = None
        self._sessions: async_sessionmaker[AsyncSession] | None = None

    def open(self, settings: Settings, follow: Callable[[Engine], None] | None = None) -> None:
        """Makes the pool; connections are opened when they are first needed. `follow` is shown the engine once."""
        self._engine = create_async_engine(
            async_url(settings.database_url.get_secret_value()),
            pool_size=settings.db_pool_size,
            max_overflow=settings.db_max_overflow,
            pool_timeout=settings.db_pool_timeout,
            pool_recycle=settings.db_pool_recycle,
            pool_pre_ping=True,
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={
                "async_creator_fn": _connect,
                "timeout": settings.connect_timeout_seconds,
                "command_timeout": STATEMENT_TIMEOUT_SECONDS,
                # Compiling a statement takes longer than any statement of ours may.
                "server_settings": {"application_name": "rosetta-backend", "timezone": "UTC", "jit": "off"},
            },
        )
        if follow is not None:
            follow(self._engine.sync_engine)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)

    async def close(self) -> None:
        """Closes every connection; safe to call twice."""
        if self._engine is not None:
            await self._engine.dispose()
        self._engine = self._sessions = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises.

        A connection is taken with the first statement, not before. Raises ConfigDatabaseError when the
        database is down, no connection is free in time, or it goes away in the middle, and
        ConfigDatabaseBusyError when a statement waits too long or meets a deadlock.
        """
        if self._sessions is None:
            raise RuntimeError("the database manager is not open")
        try:
            async with self._sessions() as session, session.begin():
                yield session
        except (InterfaceError, PoolTimeoutError) as error:
            raise ConfigDatabaseError from error
        except DBAPIError as error:
            raise _translated(error) from error
        except TimeoutError as error:  # asyncpg's, when a statement took longer than it may
            raise ConfigDatabaseBusyError from error
        except OSError as error:
            raise ConfigDatabaseError from error

    async def ping(self, timeout_seconds: float = 3.0) -> None:
        """Raises ConfigDatabaseError unless the database answers in time."""
        try:
            async with asyncio.timeout(timeout_seconds), self.transaction() as session:
                await session.execute(text("SELECT 1"))
        except TimeoutError as error:
            raise ConfigDatabaseError from error

    def get_pool_status(self) -> dict[str, int]:
        """Connections by what they do now: kept open, lent, idle, beyond the pool's size."""
        pool = self._engine.pool if self._engine is not None else None
        if not isinstance(pool, AsyncAdaptedQueuePool):
            return {"size": 0, "checked_out": 0, "checked_in": 0, "overflow": 0}
        return {
            "size": pool.size(),
            "checked_out": pool.checkedout(),
            "checked_in": pool.checkedin(),
            "overflow": max(pool.overflow(), 0),
        }


db_manager = DatabaseManager()
