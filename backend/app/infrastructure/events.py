"""Hints that something changed, from the config database's notifications to everybody who watches."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Final

import asyncpg

from app.core.logging import get_logger
from rosetta.database import libpq_url

CHANNELS: Final = ("rosetta_config", "rosetta_events")
_QUEUED: Final = 256
_MOST_WATCHERS: Final = 1000
_CONNECT_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 2.0
_ALIVE_SECONDS: Final = 10.0
_log = get_logger(__name__)


class EventFeed:
    """Listens in one session for all watchers of this process. A hint may be lost; whoever needs the truth asks."""

    def __init__(self, database_url: str) -> None:
        self._dsn = libpq_url(database_url)
        self._watchers: set[asyncio.Queue[str]] = set()
        self._listening: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._listening = asyncio.create_task(self._listen(), name="event feed")

    async def stop(self) -> None:
        """Ends the session and every watch."""
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening

    @property
    def crowded(self) -> bool:
        """Whether another watcher would be one too many for this process."""
        return len(self._watchers) >= _MOST_WATCHERS

    async def watch(self, idle_seconds: float) -> AsyncGenerator[str | None]:
        """Hints as JSON texts, from now on; None after `idle_seconds` without one."""
        hints: asyncio.Queue[str] = asyncio.Queue(_QUEUED)
        self._watchers.add(hints)
        try:
            while True:
                try:
                    yield await asyncio.wait_for(hints.get(), idle_seconds)
                except TimeoutError:
                    yield None
        finally:
            self._watchers.discard(hints)

    def _tell(self, hint: str) -> None:
        for hints in self._watchers:
            # One who does not keep up has a full queue of hints to look again: another would say nothing more.
            with contextlib.suppress(asyncio.QueueFull):
                hints.put_nowait(hint)

    async def _listen(self) -> None:
        while True:
            try:
                await self._one_session()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.warning("event_feed_interrupted", error_class=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _one_session(self) -> None:
        session = await asyncpg.connect(
            self._dsn, timeout=_CONNECT_SECONDS, server_settings={"application_name": "rosetta-backend events"}
        )
        ended = asyncio.Event()
        session.add_termination_listener(lambda _: ended.set())
        try:
            for channel in CHANNELS:
                await session.add_listener(channel, lambda *heard: self._tell(str(heard[3])))
            self._tell('{"table": null}')  # whatever changed before was not heard
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), _ALIVE_SECONDS)
                    return
                # A connection that was cut without a word shows only when it is used.
                await session.fetchval("SELECT 1", timeout=_CONNECT_SECONDS)
        finally:
            session.terminate()
