"""Waiting, and what tests ask of processes meanwhile."""

from __future__ import annotations

from pathlib import Path

from rosetta.tests.waiting import eventually

__all__ = ["eventually", "peak_bytes", "process_exists"]


def process_exists(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not waited for counts as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def peak_bytes(pid: int) -> int:
    """The most that a process ever had resident, by the kernel's own mark; 0 for one that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
