"""Finds processes, by their ancestor or by a mark in their environment."""

from __future__ import annotations

from pathlib import Path


def marked(mark: str) -> dict[int, str]:
    """Living processes whose environment contains `mark`: pid and command line."""
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() not in (folder / "environ").read_bytes():
                continue
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        found[int(folder.name)] = command
    return found


def family(ancestor: int) -> set[tuple[int, int]]:
    """The process and everything below it, each as pid and time of start, so that no other can be taken for it.

    PostgreSQL's processes write their titles over their environment, so a mark does not find them.
    """
    table = {pid: facts for pid, facts in ((int(each.name), _facts(each)) for each in _folders()) if facts}
    found = {ancestor}
    grown = True
    while grown:
        below = {pid for pid, (parent, _) in table.items() if parent in found}
        grown = not below <= found
        found |= below
    return {(pid, table[pid][1]) for pid in found if pid in table}


def alive(processes: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of them that still run."""
    now = {(int(each.name), facts[1]) for each in _folders() if (facts := _facts(each))}
    return processes & now


def _folders() -> list[Path]:
    return list(Path("/proc").glob("[0-9]*"))


def _facts(folder: Path) -> tuple[int, int] | None:
    """Parent and time of start; None for a process that ended."""
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), int(fields[19]))
