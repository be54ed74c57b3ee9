"""Processes that are killed, stopped, frozen and cut off from the lease they hold."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from compute.tests.chaos.arena import LEASE_SECONDS, Arena
from compute.tests.chaos.matrix import fault
from compute.tests.support.clock import skewed
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind

_OWNER = "SELECT instance_id FROM pipeline_leases WHERE pipeline_id = %s AND expires_at > now()"
_EPOCH = "SELECT epoch FROM pipeline_leases WHERE pipeline_id = %s"
_COPYING = ("after_chunk_read:kill:@2", "after_watermark:kill:@3", "before_cursor:kill:@2")
_STREAMING = ("after_read:kill:@8", "before_commit:kill:@8", "after_commit:kill:@8", "before_flush:kill:@8")
_PARKING = ("before_ledger_commit:kill:@1", "after_ledger_commit:kill:@1", "before_mark:kill:@1")


@fault("F1", "kill -9 of the pipeline process at each failpoint")
def f1(arena: Arena) -> None:
    """While it copies, while it streams, and while it parks and catches up; each point kills once."""
    points = {setting: arena.folder / setting.partition(":")[0] for setting in (*_COPYING, *_STREAMING, *_PARKING)}
    service = arena.begin(
        copied=False,
        backfill_batch_size=300,
        rosetta_failpoint=",".join(f"{setting}:{marker}" for setting, marker in points.items()),
    )
    with arena.writer(per_second=3000) as writer:
        _killed_at_each(arena, service, [points[setting] for setting in (*_COPYING, *_STREAMING)])
        parking = [points[setting] for setting in _PARKING]
        for _ in parking:
            if not all(marker.exists() for marker in parking):
                arena.lines["a"].refuse()
                eventually(lambda: arena.open_rows() > 0, 30, "changes are parked")
                with arena.recovery():
                    arena.lines["a"].heal()
        unreached = [setting for setting, marker in points.items() if not marker.exists()]
        assert not unreached, f"no process came by {unreached}"
        eventually(lambda: writer.changes >= arena.changes, 600, "all changes are committed")
    with arena.recovery():
        pass


def _killed_at_each(arena: Arena, service: ComputeService, markers: list[Path]) -> None:
    """Waits for each kill, and keeps how long it took from there until the pipeline streamed again."""
    seen: set[Path] = set()
    deadline = time.monotonic() + 60 + 40 * len(markers)  # as slow as a machine is that does all else at once
    while len(seen) < len(markers):
        if any(marker.exists() for marker in markers if marker not in seen):
            arena.pids.add(eventually(lambda: _living(service, arena.pipeline), 60, "it streams again"))
            # Killed again before it streamed: it counts from the last one.
            killed = {marker for marker in markers if marker not in seen and marker.exists()}
            arena.recoveries.append(time.time() - max(marker.stat().st_mtime for marker in killed))
            seen |= killed
        assert time.monotonic() < deadline, f"reached in time: {[one.name for one in markers if one not in seen]}"
        arena.pause(0.02)


def _living(service: ComputeService, pipeline: int) -> int:
    one = service.pipeline(pipeline)
    pid = one.get("pid")
    return int(pid) if one.get("state") == "STREAMING" and pid and process_exists(pid) else 0


@fault("F2", "kill -9 of the compute service", shares=True)
def f2(arena: Arena) -> None:
    """No child outlives it, and the other instance owns the lease within twice its length."""
    owner, other = arena.begin_pair()
    with arena.writer(per_second=3000):
        child = arena.streaming_pid(owner)
        before = arena.config.one(_OWNER, arena.pipeline)
        arena.pause(1.0)
        killed_at = time.monotonic()
        with arena.recovery():
            owner.kill()
            eventually(lambda: not process_exists(child), 20, "its child has died with it")
            eventually(lambda: arena.config.one(_OWNER, arena.pipeline) not in {None, before}, 20, "a new owner")
            taken = time.monotonic() - killed_at
        arena.streaming_pid(other)
    assert taken <= 2 * LEASE_SECONDS, f"the lease was taken over after {taken:.1f} s"


@fault("F3", "SIGTERM to the compute service", shares=True)
def f3(arena: Arena) -> None:
    """It drains within 10 s, gives its lease back, and the other instance goes on."""
    owner, other = arena.begin_pair()
    with arena.writer(per_second=3000):
        child = arena.streaming_pid(owner)
        arena.pause(1.0)
        asked_at = time.monotonic()
        with arena.recovery():
            assert owner.terminate() == 0
            assert time.monotonic() - asked_at <= 10
            assert not process_exists(child)
            arena.streaming_pid(other)


@fault("F10", "split brain: the owner is cut off from the config database and goes on writing", shares=True)
def f10(arena: Arena) -> None:
    """The next owner fences it at the target; from then on only one of them writes."""
    owner, other = arena.begin_pair()
    old = arena.streaming_pid(owner)
    with arena.writer(per_second=3000):
        with arena.recovery():
            arena.own_lines[owner].refuse()
            arena.streaming_pid(other, other_than=old, timeout_seconds=60)
            eventually(lambda: not process_exists(old), 30, "the fenced process has ended")
        arena.own_lines[owner].heal()
    epoch = arena.config.one(_EPOCH, arena.pipeline)
    assert arena.one("a", "SELECT epoch FROM _rosetta.progress") == epoch


@fault("F28", "two instances, the owner frozen (SIGSTOP) and woken again", shares=True)
def f28(arena: Arena) -> None:
    """The woken one writes nothing: its lease is gone and its fence is passed. Then the other is frozen, and so on."""
    owner, other = arena.begin_pair()
    with arena.writer(per_second=3000):
        for _ in range(max(2, min(20, arena.changes // 5_000))):
            child = arena.streaming_pid(owner)
            frozen = (owner.pid, child)
            for pid in frozen:
                os.kill(pid, signal.SIGSTOP)
            try:
                arena.streaming_pid(other, other_than=child, timeout_seconds=60)
            finally:
                for pid in frozen:
                    os.kill(pid, signal.SIGCONT)
            with arena.recovery():
                eventually(lambda pid=child: not process_exists(pid), 30, "the woken process has ended")  # type: ignore[misc]
            owner, other = other, owner


@fault("F27", "clocks that are an hour wrong, one each way")
def f27(arena: Arena) -> None:
    """Leases live on the config database's clock: nobody takes one that is held, and everybody one that is not."""
    clocks = [arena.folder / name for name in ("ahead", "behind")]
    for clock in clocks:
        clock.mkdir()
    owner = arena.begin(copied=True, **skewed(clocks[0], 3600))
    other = arena.service(**skewed(clocks[1], -3600))
    other.start()
    pid, epoch = arena.streaming_pid(owner), arena.config.one(_EPOCH, arena.pipeline)
    with arena.writer(per_second=2000):
        eventually(lambda: other.health().get("status") == "ok", 30, "the other one is there")
        arena.pause(2.5 * LEASE_SECONDS)
        assert arena.config.one(_EPOCH, arena.pipeline) == epoch, "somebody took it away"
        assert arena.streaming_pid(owner) == pid
        with arena.recovery():
            owner.kill()
            arena.streaming_pid(other)
    assert arena.config.one(_EPOCH, arena.pipeline) == epoch + 1
    arena.write_until_done()


@fault("F40", "the pipeline's process hangs; over Debezium its heap is full, too")
def f40(arena: Arena) -> None:
    """It is found to be silent, ended, and started again; with a larger heap where that was short."""
    service = arena.begin(stuck_seconds=4)
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=2000):
        os.kill(pid, signal.SIGSTOP)
        with arena.recovery():
            again = arena.streaming_pid(service, other_than=pid)
            assert not process_exists(pid)
    if arena.engine is EngineKind.DEBEZIUM:
        first = arena.keys()
        with arena.recovery(240):
            arena.run(
                "source",
                f"INSERT INTO items VALUES ({first}, nextval('audit.rev'), repeat('0123456789', 8000000), 1, NULL)",
            )
        assert arena.streaming_pid(service) != again, "the heap was never full"
        assert "OUT_OF_MEMORY" in service.log.read_text()
    arena.write_until_done()
