"""Slowness and size: a slow target, a lock, and a transaction that is larger than everything."""

from __future__ import annotations

import os
import signal
from contextlib import closing

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually, peak_bytes

MEMORY_BYTES = 900_000_000


def within_memory(arena: Arena, pid: int) -> None:
    """The most that a pipeline's process had resident since it started."""
    peak = peak_bytes(pid)
    assert 0 < peak < MEMORY_BYTES, f"{peak} bytes at the most"
    arena.peak_bytes = max(arena.peak_bytes, peak)


def write_large_rows(arena: Arena, first: int, many: int = 10_000) -> None:
    """Rows of 3.2 kB that no compression makes smaller, in one transaction."""
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), 'large', i,"
        " (SELECT string_agg(md5(random()::text || k), '') FROM generate_series(1, 100) k WHERE i > 0)"
        f" FROM generate_series({first}, {first + many - 1}) i",
    )


def undelayed(arena: Arena, times: int) -> None:
    """Once a second, so many times: what is committed now is at the target that is well within 5 s."""
    for _ in range(times):
        arena.pause(1.0)
        arena.arrives(arena.tick(), 5, ["b"])


@fault("F14", "a slow target", shares=True)
def f14(arena: Arena) -> None:
    """Memory stays bounded, what the target cannot take in time is parked, and the other one does not notice."""
    service, first = arena.begin(), arena.keys()
    pid = arena.streaming_pid(service)
    slow = "SELECT count(*) FROM dlq_records WHERE error_code IN ('DESTINATION_SLOW', 'DESTINATION_STUCK')"
    before = arena.config.one(slow)
    with arena.writer(per_second=4000) as writer:
        arena.lines["a"].throttle(300_000)
        undelayed(arena, 6)
        write_large_rows(arena, first)  # more than a lane holds in memory
        eventually(lambda: arena.config.one(slow) > before, 60, "its changes are parked")
        arena.arrives(arena.tick(), 60, ["b"])  # the large rows and all
        arena.until_slot_moves()
        eventually(lambda: writer.changes >= arena.changes, 600, "all changes are committed")
        arena.arrives(arena.tick(), 10, ["b"])
        with arena.recovery():
            arena.lines["a"].heal()
    within_memory(arena, pid)
    arena.run("source", f"DELETE FROM items WHERE id BETWEEN {first} AND {first + 9_999}")


@fault("F15", "a lock is held on a target's table", shares=True)
def f15(arena: Arena) -> None:
    """A lock that nobody gives back delays this target alone."""
    arena.begin()
    with arena.writer(per_second=3000), closing(arena.servers["a"].connect(arena.databases["a"])) as holder:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        undelayed(arena, 8)
        eventually(lambda: arena.open_rows() > 0, 60, "its changes are parked")
        arena.arrives(arena.tick(), 10, ["b"])
        arena.until_slot_moves()
        with arena.recovery():
            holder.cursor().execute("ROLLBACK")
    arena.write_until_done()


@fault("F26", "one huge transaction, and a crash in the middle of it")
def f26(arena: Arena) -> None:
    """No row is lost or doubled, and memory stays bounded: it is spooled and split, never gathered."""
    rows = 1_000_000 if arena.changes >= 100_000 else max(60_000, arena.changes * 10)
    service = arena.begin()
    pid, first = arena.streaming_pid(service), arena.keys()
    arena.run(
        "source",
        "INSERT INTO items SELECT i, nextval('audit.rev'), md5(i::text), i, NULL"
        f" FROM generate_series({first}, {first + rows - 1}) i",
    )
    arrived = f"SELECT count(*) FROM items WHERE id BETWEEN {first} AND {first + rows}"
    eventually(lambda: arena.one("a", arrived) > 0, 120, "some of it has arrived")
    within_memory(arena, pid)
    os.kill(pid, signal.SIGKILL)
    with arena.recovery(300):
        pid = arena.streaming_pid(service, other_than=pid)
    arena.write_until_done(2000)
    assert arena.one("a", arrived) == rows
    within_memory(arena, pid)
    arena.log.append(f"{rows} rows in one transaction")
