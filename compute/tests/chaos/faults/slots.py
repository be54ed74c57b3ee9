"""Slots that are dropped or lose their WAL, and pipelines that pause for long or are deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.faults.copies import job, resync, until_streaming
from compute.tests.chaos.matrix import fault
from compute.tests.chaos.oracle import Verdict
from compute.tests.support.restorable import Restorable
from compute.tests.support.waiting import eventually, process_exists

FOUND_SECONDS = 30.0
_SLOTS = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"


@fault("F22", "the slot is dropped behind our back", shares=True)
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


@fault("F23", "the source removed WAL that the slot needs", shares=True)
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


@fault("F24", "the source is put back to an older copy of itself")
def f24(arena: Arena) -> Verdict:
    """Within 30 s it is said that the target holds more than the source has; nothing goes on as if it were well."""
    arena.begin()
    arena.write_until_done(arena.changes // 2)
    arena.arrives(arena.tick())
    source = Restorable(arena.servers["source"], arena.servers.folder / "source-copy")
    source.take_copy()
    arena.until_running(120)
    arena.write_until_done(arena.changes // 2)
    arena.arrives(arena.tick())
    arena.until_slot_moves()
    holds = arena.one("a", "SELECT count(*) FROM items")
    source.put_back()
    arena.until_status("RESYNC_REQUIRED", timeout_seconds=FOUND_SECONDS)
    assert arena.error_code("a") == "SOURCE_WENT_BACK"
    arena.write_until_done(1000)  # other changes under the same positions
    assert arena.status("a") == "RESYNC_REQUIRED"
    assert arena.one("source", "SELECT count(*) FROM pg_replication_slots WHERE active") == 0
    assert arena.one("a", "SELECT count(*) FROM items") == holds, "something of the other past was written"
    verdict = Verdict()
    arena.end(verdict, slots=1)
    return verdict


@fault("F25", "a transaction that stays open at the source")
def f25(arena: Arena) -> None:
    """What waits for it says so and names it; everything else goes on, and what it commits in the end arrives."""
    first = arena.keys()
    row = "INSERT INTO items VALUES ({}, nextval('audit.rev'), 'held', 1, NULL)"
    with closing(arena.servers["source"].connect(arena.databases["source"])) as held, held.cursor() as cursor:
        cursor.execute("BEGIN; " + row.format(first))
        arena.service().start()
        arena.add_pipeline()
        eventually(lambda: arena.error_code("a") == "OPEN_TRANSACTIONS", 60, "the slot waits, and says so")
        with arena.recovery(120):
            cursor.execute("COMMIT")
        arena.until_running(120)
        arena.count_from_here()
        cursor.execute("BEGIN; " + row.format(first + 1))
        resync(arena, "items")
        eventually(lambda: "transactions that wrote" in (job(arena, "items", "status_reason") or ""), 60, "it waits")
        arena.write_until_done()
        arena.arrives(arena.tick())
        with arena.recovery():
            cursor.execute("COMMIT")
        until_streaming(arena, "items")
    assert arena.one("a", f"SELECT count(*) FROM items WHERE id IN ({first}, {first + 1})") == 2


@fault("F39", "an idle database beside a busy one", shares=True)
def f39(arena: Arena) -> None:
    """Its slot follows although none of its changes comes, and its lag goes to next to nothing."""
    arena.begin()
    before = arena.confirmed()
    with closing(arena.servers["source"].connect()) as busy, busy.cursor() as cursor:
        for _ in range(5):
            cursor.execute("CREATE TABLE filler AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n")
            cursor.execute("DROP TABLE filler")
        cursor.execute("SELECT pg_log_standby_snapshot(), pg_switch_wal()")
    eventually(lambda: int(arena.confirmed()) - int(before) > 90_000_000, 40, "the slot has followed")
    lag = "SELECT max(lag_bytes) FROM pipeline_metadata WHERE pipeline_id = %s"
    eventually(lambda: arena.config.one(lag, arena.pipeline) < 100_000, 30, "the lag goes to next to nothing")
    with arena.recovery():
        pass


@fault("F34", "a long pause", shares=True)
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
        eventually(lambda: not process_exists(pid), 40, "its process has ended")
        arena.pause(2.0)
        assert arena.one("source", _SLOTS) == 1
        arena.lines["source"].heal()
        eventually(lambda: arena.one("source", _SLOTS) == 0, 60, "its slot is dropped")
    eventually(lambda: arena.config.one("SELECT count(*) FROM cleanup_tasks") == 0, 30, "nothing is left to undo")
    verdict = Verdict()
    arena.end(verdict, slots=0)
    return verdict
