"""Disks that are full: the target's, the source's, and the one that compute works on."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.faults.copies import job, resync, until_streaming
from compute.tests.chaos.faults.pressure import write_large_rows
from compute.tests.chaos.matrix import fault
from compute.tests.chaos.oracle import Verdict
from compute.tests.support.waiting import eventually

_SPACE_BYTES = 24_000_000


class SmallDisk:
    """A file system of its own on `path`, that can be made larger while it is in use."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def grow(self, size_bytes: int) -> None:
        _mount(f"remount,size={size_bytes}", self.path)

    def fill(self) -> None:
        """Takes whatever is left."""
        with (self.path / "filler").open("wb", buffering=0) as file:
            try:
                while file.write(b"x" * 65536):
                    pass
            except OSError:  # that was all
                return

    def empty(self) -> None:
        (self.path / "filler").unlink()


@contextmanager
def small_disk(size_bytes: int = _SPACE_BYTES) -> Iterator[SmallDisk]:
    folder = Path(tempfile.mkdtemp(prefix="rosetta-disk-"))
    folder.chmod(0o755)
    _mount(f"size={size_bytes}", folder)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)
        folder.rmdir()


def _mount(options: str, folder: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True, capture_output=True)


@functools.cache
def no_mounts() -> str | None:
    """Why no small file system can be had on this machine; None where it can."""
    try:
        with small_disk():
            return None
    except (OSError, subprocess.CalledProcessError):
        return "a disk that is full needs a file system of its own, and this account may mount none"


@fault("F11", "the target's disk is full", shares=True, missing=no_mounts)
def f11(arena: Arena) -> None:
    """An outage and no poison: nothing is parked as refused, the other target goes on, and all follows in order."""
    arena.begin()
    first = arena.keys()
    server = arena.servers["a"]
    with small_disk(arena.one("a", "SELECT pg_table_size('items')") + _SPACE_BYTES) as disk:
        space = disk.path / "space"
        space.mkdir()
        server.account.own(space)
        arena.run("a", f"CREATE TABLESPACE small LOCATION '{space}'")
        arena.run("a", "ALTER TABLE items SET TABLESPACE small")
        with arena.writer(per_second=1000):
            write_large_rows(arena, first)
            eventually(lambda: arena.error_code("a") == "PG_53100", 30, "it is said that its disk is full")
            assert arena.status("a") in {"RETRYING", "BLOCKED"}
            arena.arrives(arena.tick(), 30, ["b"])
            assert arena.open_rows("error_class = 'DATA'") == 0
            with arena.recovery():
                disk.grow(2_000_000_000)
        arena.run("source", f"DELETE FROM items WHERE id BETWEEN {first} AND {first + 9_999}")
        arena.until_running()
        arena.arrives(arena.tick())
        arena.run("a", "ALTER TABLE items SET TABLESPACE pg_default")
        arena.run("a", "DROP TABLESPACE small")
    arena.write_until_done()


@fault("F12", "the source's disk is full of WAL that a paused pipeline holds back", missing=no_mounts)
def f12(arena: Arena) -> None:
    """Somebody is told before; with room again the source recovers, and nothing of what it committed is missing."""
    arena.begin(slot_check_seconds=1)
    arena.write_until_done(arena.changes // 2)
    arena.config.run("UPDATE pipelines SET wal_budget_bytes = 60000000")
    arena.config.set_status(arena.pipeline, "PAUSE")
    arena.until_status("PAUSED")
    server = arena.servers["source"]
    log = server.data / "pg_wal"
    arena.run("source", "CHECKPOINT")
    server.stop()
    used = sum(file.stat().st_size for file in log.rglob("*") if file.is_file())
    aside = server.data.with_name("pg_wal_aside")
    with small_disk(used + 200_000_000) as disk:
        subprocess.run(["cp", "-a", str(log), str(disk.path / "wal")], check=True)
        log.rename(aside)
        log.symlink_to(disk.path / "wal")
        server.start()
        for _ in range(3):
            assert _fills(arena)
        told = "SELECT count(*) FROM notifications WHERE kind = 'WAL_BUDGET'"
        eventually(lambda: arena.config.one(told) == 1, 30, "people are told before the disk is full")
        while _fills(arena):
            arena.pause(0.1)
        server.kill()
        disk.grow(used + 2_000_000_000)
        server.start()
        with arena.recovery():
            arena.config.set_status(arena.pipeline, "START")
        arena.until_running()
        arena.write_until_done(arena.changes // 2)
        arena.arrives(arena.tick())
        server.stop()
        log.unlink()
        subprocess.run(["cp", "-a", str(disk.path / "wal"), str(log)], check=True)
    subprocess.run(["rm", "-rf", str(aside)], check=True)
    server.start()
    arena.until_running(120)


def _fills(arena: Arena) -> bool:
    """Writes 30 MB of WAL; whether the source could."""
    try:
        arena.run("source", "CREATE TABLE audit.filler AS SELECT repeat('x', 1000) FROM generate_series(1, 30000)")
        arena.run("source", "DROP TABLE audit.filler")
    except psycopg2.Error:
        return False
    return True


@fault("F13", "the disk that compute works on is full", missing=no_mounts)
def f13(arena: Arena) -> Verdict:
    """The stream goes on; a copy, which needs room, says why it waits, and is done once there is some."""
    with small_disk() as disk:
        os.chmod(disk.path, 0o777)  # noqa: PTH101 - the service may be another account's
        service = arena.begin(tmpdir=disk.path, log_folder=disk.path / "logs")
        pid = arena.streaming_pid(service)
        disk.fill()
        arena.write_until_done(arena.changes // 2)
        arena.arrives(arena.tick())
        # What a copy has to mend, unseen by the watch over rows that go back: more than it reads into memory.
        arena.run("a", "SET session_replication_role = replica; UPDATE items SET a = 'tampered'")
        resync(arena, "items")
        eventually(lambda: job(arena, "items", "status_reason"), 60, "the copy says why it does not go on")
        arena.arrives(arena.tick())
        arena.log.append(f"the copy says: {job(arena, 'items', 'status_reason')}")
        with arena.recovery():
            disk.empty()
            until_streaming(arena, "items")
        assert arena.streaming_pid(service) == pid
        arena.write_until_done(arena.changes // 2)
        return arena.judge()
