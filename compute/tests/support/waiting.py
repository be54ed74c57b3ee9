"""Waiting for a condition with a deadline, instead of for a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], timeout_seconds: float = 15.0, what: str = "") -> T:
    """The first truthy answer of `probe`; AssertionError, with the last answer, at the deadline."""
    deadline = time.monotonic() + timeout_seconds
    answer = probe()
    while not answer and time.monotonic() < deadline:
        threading.Event().wait(0.05)
        answer = probe()
    assert answer, f"{what or probe} within {timeout_seconds} s; last answer {answer!r}"
    return answer


def process_exists(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
