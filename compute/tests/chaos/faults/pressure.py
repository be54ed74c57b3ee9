"""Slowness and size: a slow target, a lock, and a transaction that is larger than everything."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually

MEMORY_BYTES = 900_000_000


class Memory:
    """The largest resident size that a pipeline's processes ever had (the kernel's own high-water mark)."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._pid = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            self.look()

    def look(self) -> None:
        try:
            status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii")
        except OSError:
            return
        peak = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)
        self.peak_bytes = max(self.peak_bytes, peak)

    @contextmanager
    def of(self, pid: int) -> Iterator[None]:
        """Watches one process for the length of the block."""
        self._pid = pid
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            self.look()


@fault("F14", "a slow target", targets=("a", "b"))
def f14(arena: Arena) -> None:
    """Memory stays bounded, and the other target does not notice."""
    service = arena.begin()
    memory = Memory()
    with arena.writer(per_second=4000) as writer, memory.of(arena.streaming_pid(service)):
        arena.lines["a"].throttle(40_000)
        for _ in range(6):
            arena.pause(1.0)
            arena.arrives(arena.tick(), 5, ["b"])
        eventually(lambda: writer.changes >= arena.changes, 600, "all changes are committed")
        with arena.recovery():
            arena.lines["a"].heal()
    assert 0 < memory.peak_bytes < MEMORY_BYTES, f"{memory.peak_bytes} bytes at the most"
    arena.log.append(f"peak {memory.peak_bytes / 1e6:.0f} MB")


@fault("F15", "a lock is held on a target's table", targets=("a", "b"), minimum=False)
def f15(arena: Arena) -> None:
    """A lock that nobody gives back delays this target alone."""
    arena.begin()
    with arena.writer(per_second=3000), closing(arena.servers["a"].connect(arena.databases["a"])) as holder:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        for _ in range(8):
            arena.pause(1.0)
            arena.arrives(arena.tick(), 5, ["b"])
        with arena.recovery():
            holder.cursor().execute("ROLLBACK")
    arena.write_until_done()


@fault("F26", "one huge transaction, and a crash in the middle of it")
def f26(arena: Arena) -> None:
    """No row is lost or doubled, and memory stays bounded: it is spooled and split, never gathered."""
    rows = 1_000_000 if arena.changes >= 100_000 else max(60_000, arena.changes * 10)
    service = arena.begin()
    pid = arena.streaming_pid(service)
    first, second = Memory(), Memory()
    with first.of(pid):
        arena.run(
            "source",
            "INSERT INTO items SELECT i, nextval('audit.rev'), md5(i::text), i, NULL"
            f" FROM generate_series(1000000, {1_000_000 + rows - 1}) i",
        )
        arrived = "SELECT count(*) FROM items WHERE id BETWEEN 1000000 AND 9000000"
        eventually(lambda: arena.one("a", arrived) > 0, 120, "some of it has arrived")
        os.kill(pid, signal.SIGKILL)
    with arena.recovery(300):
        pid = arena.streaming_pid(service, other_than=pid)
    with second.of(pid):
        arena.write_until_done(2000)
    assert arena.one("a", arrived) == rows
    peak = max(first.peak_bytes, second.peak_bytes)
    assert 0 < peak < MEMORY_BYTES, f"{peak} bytes at the most"
    arena.log.append(f"{rows} rows, peak {peak / 1e6:.0f} MB")
