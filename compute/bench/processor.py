"""Processor time of a process and all it started: what other work on the machine does not change."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PARENT: Final = 1  # of the fields behind a process's name, which is in brackets
_TIMES: Final = slice(11, 15)  # its own as user and in the kernel, and that of the children it has waited for
_OWN: Final = slice(11, 13)


def seconds_of(pid: int) -> float | None:
    """Of the process, of those children that are over and of those that are not; None where the system does not tell.

    Grandchildren that live are left out: neither a server of PostgreSQL nor a contender has any.
    """
    if sys.platform != "linux":
        return None
    ticks = sum(map(int, _fields(Path(f"/proc/{pid}/stat"))[_TIMES]))
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = _fields(stat)
        except (FileNotFoundError, ProcessLookupError):  # it has ended since the folder was listed
            continue
        if int(fields[_PARENT]) == pid:
            ticks += sum(map(int, fields[_OWN]))
    return ticks / os.sysconf("SC_CLK_TCK")


def seconds_of_threads(prefix: str) -> float | None:
    """Of those threads of this process whose names begin so, and that are not over; None as above."""
    if sys.platform != "linux":
        return None
    stats = [
        Path(f"/proc/self/task/{one.native_id}/stat") for one in threading.enumerate() if one.name.startswith(prefix)
    ]
    return sum(int(ticks) for stat in stats for ticks in _fields(stat)[_OWN]) / os.sysconf("SC_CLK_TCK")


def _fields(stat: Path) -> list[str]:
    return stat.read_text().rpartition(")")[2].split()


class Stopwatch:
    """Processor time of several processes since it was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._begun = {name: seconds_of(pid) for name, pid in pids.items()}

    def seconds(self) -> dict[str, float]:
        """By name; what the system does not tell is absent."""
        passed = {}
        for name, pid in self._pids.items():
            begun, now = self._begun[name], seconds_of(pid)
            if begun is not None and now is not None:
                passed[name] = round(now - begun, 2)
        return passed
