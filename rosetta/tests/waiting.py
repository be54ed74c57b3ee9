"""Waiting for a condition with a deadline, instead of for a time: the one way in which any test waits."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# For what has no promised time: long enough for a process to start on a machine that is busy with other tests.
DEFAULT_SECONDS = 40.0

_FIRST_PAUSE_SECONDS = 0.002
_LONGEST_PAUSE_SECONDS = 0.05


def eventually(probe: Callable[[], T], timeout_seconds: float = DEFAULT_SECONDS, what: str = "") -> T:
    """The first truthy answer of `probe`; AssertionError, with the last answer, at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    pause, answer = _FIRST_PAUSE_SECONDS, probe()
    while not answer and time.monotonic() < deadline:
        threading.Event().wait(pause)
        pause, answer = min(pause * 2, _LONGEST_PAUSE_SECONDS), probe()
    assert answer, f"{what or probe} within {timeout_seconds} s; last answer {answer!r}"
    return answer


async def eventually_async(
    probe: Callable[[], Awaitable[T]], timeout_seconds: float = DEFAULT_SECONDS, what: str = ""
) -> T:
    """As `eventually`, for a probe that is awaited; other tasks go on meanwhile."""
    deadline = time.monotonic() + timeout_seconds
    pause, answer = _FIRST_PAUSE_SECONDS, await probe()
    while not answer and time.monotonic() < deadline:
        await asyncio.sleep(pause)
        pause, answer = min(pause * 2, _LONGEST_PAUSE_SECONDS), await probe()
    assert answer, f"{what or probe} within {timeout_seconds} s; last answer {answer!r}"
    return answer
