"""Servers and lines that are away: the targets, the source, Redis, the config database."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually

FOUND_SECONDS = 30.0
_ALERTS = "SELECT count(*) FROM notifications WHERE kind = 'PARKING_BLOCKED' AND resolved_at IS NULL"


@fault("F4", "a target's PostgreSQL is killed, and the pipeline's process meanwhile", shares=True)
def f4(arena: Arena) -> None:
    """The slot and the other target go on; this one's changes are parked once, and follow in order."""
    service = arena.begin()
    with arena.writer(per_second=3000):
        with arena.dead("a"):
            eventually(lambda: arena.open_rows() > 0, 30, "its changes are parked")
            arena.until_status("RETRYING")
            arena.until_slot_moves()
            arena.arrives(arena.tick(), 10, ["b"])
            pid = arena.streaming_pid(service)
            os.kill(pid, signal.SIGKILL)
            arena.streaming_pid(service, other_than=pid)
            arena.arrives(arena.tick(), 20, ["b"])
            arena.until_slot_moves()
        with arena.recovery():
            pass
    arena.write_until_done()


@fault("F5", "the source's PostgreSQL is killed", shares=True)
def f5(arena: Arena) -> None:
    arena.begin()
    with arena.writer(per_second=3000):
        arena.pause(1.0)
        with arena.dead("source"):
            arena.pause(3.0)
        with arena.recovery():
            pass
    arena.write_until_done()


@fault("F6", "Redis killed, and FLUSHALL while changes are parked", shares=True)
def f6(arena: Arena) -> None:
    """The stream goes on without Redis, and what was parked is found again without its entries."""
    arena.begin()
    valkey = arena.servers.valkey
    with arena.writer(per_second=3000):
        valkey.kill()
        try:
            arena.arrives(arena.tick(), 15)  # no target needs Redis while nothing is to be parked
        finally:
            valkey.start()
        arena.lines["a"].refuse()
        eventually(lambda: arena.open_rows() > 0, 30, "changes of the target that is away are parked")
        valkey.client(0).flushall()
        arena.pause(1.0)
        valkey.client(0).flushall()
        with arena.recovery():
            arena.lines["a"].heal()
    arena.write_until_done()


@fault("F7", "Redis and a target away together, and the pipeline's process killed", shares=True)
def f7(arena: Arena) -> None:
    """Nothing is durable or parked for that target, so the slot stays and people are told; the other one goes on."""
    service = arena.begin()
    pid = arena.streaming_pid(service)
    arena.servers.valkey.kill()
    try:
        arena.lines["a"].refuse()
        with arena.writer(per_second=500):
            eventually(lambda: not arena.sessions("a"), 40, "the target has lost its sessions")
            arena.tick()
            floor = arena.source_lsn()
            arena.until_status("BLOCKED")
            assert arena.error_code("a") == "DLQ_DISPATCH_AWAY"
            eventually(lambda: arena.config.one(_ALERTS) == 1, 40, "people are told")
            for _ in range(3):
                arena.arrives(arena.tick(), 10, ["b"])
            assert arena.confirmed() <= floor, "the slot moved beyond what the target that is away holds"
            assert arena.open_rows() == 0
            os.kill(pid, signal.SIGKILL)
            arena.streaming_pid(service, other_than=pid)
            arena.arrives(arena.tick(), 20, ["b"])
            assert arena.confirmed() <= floor, "the slot moved at the restart"
    finally:
        arena.servers.valkey.start()
    arena.until_status("RETRYING")
    eventually(lambda: arena.confirmed() > floor, 30, "what can be parked again moves the slot")
    eventually(lambda: arena.config.one(_ALERTS) == 0, 40, "that it goes on is noted")
    with arena.recovery():
        arena.lines["a"].heal()
    arena.write_until_done()


@fault("F8", "the config database is away, then a target, too", shares=True)
def f8(arena: Arena) -> None:
    """Whatever runs goes on, nothing is started or stopped because a poll failed, and nothing counts as parked."""
    service = arena.begin()
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=3000):
        arena.lines["config"].refuse()
        eventually(lambda: service.config_database().get("unreachable_since"), 40, "it is noticed")
        arena.pause(60.0 if arena.changes >= 100_000 else 8.0)  # longer than the lease and several polls
        arena.arrives(arena.tick(), 15)
        arena.lines["a"].refuse()
        eventually(lambda: not arena.sessions("a"), 40, "the target has lost its sessions")
        arena.tick()
        floor = arena.source_lsn()
        arena.arrives(arena.tick(), 15, ["b"])
        arena.pause(2.0)
        assert arena.confirmed() <= floor, "the slot moved although nothing can be parked"
        with arena.recovery():
            arena.lines["config"].heal()
            arena.lines["a"].heal()
            eventually(lambda: service.config_database().get("reachable"), 40, "it is back")
    assert arena.streaming_pid(service) == pid
    arena.write_until_done()


@fault("F9", "lines refused, black-holed, and reset after COMMIT was sent", shares=True)
def f9(arena: Arena) -> None:
    """Each is found within 30 s, and what became of a COMMIT without an answer is read from the progress row."""
    arena.begin()
    line = arena.lines["a"]
    with arena.writer(per_second=3000):
        for _ in range(5):
            cuts = line.cuts
            line.cut_on(b"COMMIT")
            eventually(lambda before=cuts: line.cuts > before, 30, "a COMMIT is left without an answer")  # type: ignore[misc]
            arena.arrives(arena.tick(), 30)
        line.cut_after(300_000)
        line.refuse()
        arena.until_status("RETRYING", timeout_seconds=FOUND_SECONDS)
        with arena.recovery():
            line.heal()
        arena.until_running()
        line.black_hole()
        arena.until_unwell("a", FOUND_SECONDS)
        arena.arrives(arena.tick(), 15, ["b"])
        with arena.recovery():
            line.heal()
        arena.lines["source"].black_hole()
        arena.until_unwell("b", FOUND_SECONDS)
        with arena.recovery():
            arena.lines["source"].heal()
    arena.write_until_done()
