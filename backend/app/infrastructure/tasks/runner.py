"""Runs each task at its interval while this worker leads; a task that fails is logged and comes again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.logging import get_logger
from app.infrastructure.tasks.leadership import Leadership
from rosetta.errors import RosettaError

_STANDBY_SECONDS: Final = 10.0
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """`run` does one pass; the next comes `interval_seconds` after its end."""

    name: str
    interval_seconds: float
    run: Callable[[], Awaitable[None]]


class BackgroundTasks:
    """Starts and ends with the application; a second worker stands by."""

    def __init__(self, leadership: Leadership, tasks: Sequence[Task]) -> None:
        self._leadership = leadership
        self._tasks = tasks
        self._running: list[asyncio.Task[None]] = []
        self._asking = asyncio.Lock()  # the tasks share one session, which answers one question at a time

    def start(self) -> None:
        self._running = [asyncio.create_task(self._repeat(task), name=task.name) for task in self._tasks]

    async def stop(self) -> None:
        """Ends every task where it stands; each pass is a transaction, so nothing is left half done."""
        for running in self._running:
            running.cancel()
        for running in self._running:
            with contextlib.suppress(asyncio.CancelledError):
                await running
        self._leadership.release()

    async def _repeat(self, task: Task) -> None:
        failing = False
        while True:
            if not await self._leads():
                await asyncio.sleep(min(task.interval_seconds, _STANDBY_SECONDS))
                continue
            try:
                await task.run()
                failing = False
            except RosettaError as error:
                if not failing:
                    _log.warning("background_task_failed", task=task.name, code=error.code, error=error.message)
                failing = True
            except Exception as error:  # noqa: BLE001 - a bug in one pass must not end the task for ever
                _log.error("background_task_broken", task=task.name, error_class=type(error).__name__, exc_info=error)
            await asyncio.sleep(task.interval_seconds)

    async def _leads(self) -> bool:
        async with self._asking:
            return await self._leadership.held()
