"""Slots that are dropped or lose their WAL, and pipelines that pause for long or are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.chaos.oracle import Verdict
from compute.tests.support.waiting import eventually

FOUND_SECONDS = 30.0
_SLOTS = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"


@fault("F22", "the slot is dropped behind our back")
def f22(arena: Arena) -> None:
    """The pipeline says so and makes no new one by itself; with a person's word it copies anew and goes on."""
    arena.begin()
    arena.write_until_done(arena.changes // 2)

    def dropped() -> bool:
        try:
            arena.run(
                "source",
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database();"
                " SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                " WHERE database = current_database()",
            )
        except psycopg2.Error:  # taken again in between
            return False
        return True

    eventually(dropped, 30, "the slot is dropped")
    arena.until_status("RESYNC_REQUIRED", timeout_seconds=FOUND_SECONDS)
    arena.write_until_done(arena.changes // 2)  # changes that no slot kept
    assert arena.one("source", _SLOTS) == 0, "a new slot was made over the gap"
    _resync(arena)


@fault("F23", "the source removed WAL that the slot needs")
def f23(arena: Arena) -> None:
    """The same for a slot that is still there but lost."""
    arena.begin()
    arena.write_until_done(arena.changes // 2)
    arena.config.set_status(arena.pipeline, "PAUSE")
    arena.until_status("PAUSED")
    with _little_wal(arena):
        for _ in range(4):
            arena.run("source", "CREATE TABLE audit.filler AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
            arena.run("source", "DROP TABLE audit.filler; SELECT pg_switch_wal()")
            arena.run("source", "CHECKPOINT")
        lost = "SELECT wal_status FROM pg_replication_slots WHERE database = current_database()"
        eventually(lambda: arena.one("source", lost) == "lost", 30, "the slot is lost")
        arena.config.set_status(arena.pipeline, "START")
        arena.until_status("RESYNC_REQUIRED", timeout_seconds=FOUND_SECONDS)
        arena.write_until_done(arena.changes // 2)
        assert arena.one("source", lost) == "lost", "the slot was replaced over the gap"
    _resync(arena)


@contextmanager
def _little_wal(arena: Arena) -> Iterator[None]:
    arena.run("source", "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    arena.run("source", "SELECT pg_reload_conf()")
    try:
        yield
    finally:
        arena.run("source", "ALTER SYSTEM RESET max_slot_wal_keep_size")
        arena.run("source", "SELECT pg_reload_conf()")


def _resync(arena: Arena) -> None:
    """What the remedy tells a person to do. The history of an appended table begins again with it."""
    with arena.recovery(120):
        arena.config.run(
            "UPDATE pipelines SET acknowledged_lsn = NULL, status = 'REFRESH' WHERE id = %s", arena.pipeline
        )
    arena.until_running()
    arena.arrives(arena.tick())
    arena.count_from_here()
    arena.write_until_done(1000)


@fault("F34", "a long pause", minimum=False)
def f34(arena: Arena) -> None:
    """Everything that was committed meanwhile is delivered."""
    arena.begin()
    arena.write_until_done(1000)
    arena.config.set_status(arena.pipeline, "PAUSE")
    arena.until_status("PAUSED")
    arena.write_until_done()
    with arena.recovery(300):
        arena.config.set_status(arena.pipeline, "START")


@fault("F35", "a pipeline deleted while it runs and its source cannot be reached")
def f35(arena: Arena) -> Verdict:
    """Its process ends at once; its slot goes as soon as the source is back. Nothing of it stays."""
    service = arena.begin()
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=3000):
        arena.pause(1.0)
        arena.lines["source"].refuse()
        arena.config.run("DELETE FROM pipelines WHERE id = %s", arena.pipeline)
        eventually(lambda: pid not in service.children(), 20, "its process has ended")
        arena.pause(2.0)
        assert arena.one("source", _SLOTS) == 1
        arena.lines["source"].heal()
        eventually(lambda: arena.one("source", _SLOTS) == 0, 60, "its slot is dropped")
    eventually(lambda: arena.config.one("SELECT count(*) FROM cleanup_tasks") == 0, 30, "nothing is left to undo")
    verdict = Verdict()
    arena.end(verdict, slots=0)
    return verdict
