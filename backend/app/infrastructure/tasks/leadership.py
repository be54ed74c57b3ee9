"""One worker of the deployment leads: it holds an advisory lock of the config database in a session of its own."""

from __future__ import annotations

from typing import Final

import asyncpg

from rosetta.database import libpq_url

# Any number that nobody else uses in this database; migrations have their own.
_LOCK: Final = 0x526F736C656164  # "Roslead"
_TIMEOUT_SECONDS: Final = 5.0


class Leadership:
    """The lock ends with its session, so a worker that dies or is cut off leads no longer."""

    def __init__(self, database_url: str) -> None:
        self._dsn = libpq_url(database_url)
        self._session: asyncpg.Connection | None = None

    async def held(self) -> bool:
        """Whether this worker leads now; tries to take the lead when nobody does, or when it is not known who."""
        try:
            if self._session is not None:
                await self._session.fetchval("SELECT 1", timeout=_TIMEOUT_SECONDS)
                return True
            return await self._take()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self.release()
            return False

    async def _take(self) -> bool:
        session = await asyncpg.connect(
            self._dsn, timeout=_TIMEOUT_SECONDS, server_settings={"application_name": "rosetta-backend leader"}
        )
        if await session.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK, timeout=_TIMEOUT_SECONDS):
            self._session = session
            return True
        session.terminate()
        return False

    def release(self) -> None:
        """Lets another worker lead; safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            session.terminate()
