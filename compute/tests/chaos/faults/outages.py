"""Servers and lines that are away: the targets, the source, Redis, the config database."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually
from rosetta.lsn import Lsn

FOUND_SECONDS = 30.0
_OPEN = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"


@fault("F4", "a target's PostgreSQL is killed", targets=("a", "b"))
def f4(arena: Arena) -> None:
    """The other target goes on as if nothing were, and this one catches up in order."""
    arena.begin()
    with arena.writer(per_second=3000):
        arena.pause(1.0)
        with arena.dead("a"):
            arena.pause(3.0)
            arena.arrives(arena.tick(), 10, ["b"])
            arena.pause(1.0)
        with arena.recovery():
            pass
    arena.write_until_done()


@fault("F5", "the source's PostgreSQL is killed", targets=("a", "b"))
def f5(arena: Arena) -> None:
    arena.begin()
    with arena.writer(per_second=3000):
        arena.pause(1.0)
        with arena.dead("source"):
            arena.pause(3.0)
        with arena.recovery():
            pass
    arena.write_until_done()


@fault("F6", "Redis killed, and FLUSHALL while changes are parked", targets=("a", "b"))
def f6(arena: Arena) -> None:
    """The stream goes on without Redis, and what was parked is found again without its entries."""
    arena.begin()
    valkey = arena.servers.valkey
    with arena.writer(per_second=3000):
        valkey.kill()
        try:
            arena.pause(1.0)
            arena.arrives(arena.tick(), 15)  # no target needs Redis while nothing is to be parked
        finally:
            valkey.start()
        arena.lines["a"].refuse()
        eventually(lambda: arena.config.one(_OPEN) > 0, 30, "changes of the target that is away are parked")
        valkey.client(0).flushall()
        arena.pause(1.0)
        valkey.client(0).flushall()
        with arena.recovery():
            arena.lines["a"].heal()
    arena.write_until_done()


@fault("F7", "Redis and a target away together", targets=("a", "b"))
def f7(arena: Arena) -> None:
    """Nothing is durable or parked for that target, so the slot stays; a kill at the worst moment loses nothing."""
    service = arena.begin()
    arena.write_until_done(arena.changes // 2)
    arena.arrives(arena.tick())
    pid = arena.streaming_pid(service)
    arena.servers.valkey.kill()
    try:
        arena.lines["a"].refuse()
        arena.pause(1.0)
        arena.tick()
        floor = arena.source_lsn()
        arena.write_until_done(arena.changes // 2)
        arena.pause(4.0)
        assert arena.confirmed() <= floor, "the slot moved beyond what the target that is away holds"
        os.kill(pid, signal.SIGKILL)
        arena.streaming_pid(service, other_than=pid)
        arena.pause(2.0)
        assert arena.confirmed() <= floor, "the slot moved at the restart"
    finally:
        arena.servers.valkey.start()
    with arena.recovery():
        arena.lines["a"].heal()


@fault("F8", "the config database is away")
def f8(arena: Arena) -> None:
    """Whatever runs goes on, and nothing is started or stopped because a poll failed."""
    service = arena.begin()
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=3000):
        arena.lines["config"].refuse()
        eventually(lambda: service.health()["config_database"]["unreachable_since"], 30, "it is noticed")
        arena.pause(60.0 if arena.changes >= 100_000 else 8.0)  # longer than the lease and several polls
        arena.arrives(arena.tick(), 15)
        assert service.pipeline(arena.pipeline)["pid"] == pid
        with arena.recovery():
            arena.lines["config"].heal()
            eventually(lambda: service.health()["config_database"]["reachable"], 30, "it is back")
        assert service.pipeline(arena.pipeline)["pid"] == pid
    arena.write_until_done()


@fault("F9", "lines refused, black-holed, and reset after COMMIT was sent", targets=("a", "b"))
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
        arena.until_status("RUNNING")
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


def position(arena: Arena, role: str) -> Lsn:
    """How far a target is by its own progress row."""
    return Lsn.parse(arena.one(role, "SELECT commit_lsn::text FROM _rosetta.progress"))
