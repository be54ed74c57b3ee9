"""Processes that are killed, stopped, frozen and cut off from the lease they hold."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import fault
from compute.tests.chaos.oracle import Verdict
from compute.tests.chaos.proxy import Proxy
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually, process_exists

LEASE_SECONDS = 3.0
_OWNER = "SELECT instance_id FROM pipeline_leases WHERE pipeline_id = %s AND expires_at > now()"
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
        for _ in range(2 * len(_PARKING)):
            arena.lines["a"].refuse()
            arena.pause(3.0)
            with arena.recovery():
                arena.lines["a"].heal()
        unreached = [setting for setting, marker in points.items() if not marker.exists()]
        assert not unreached, f"no process came by {unreached}"
        eventually(lambda: writer.changes >= arena.changes, 600, "all changes are committed")
    with arena.recovery():
        pass


def _killed_at_each(arena: Arena, service: ComputeService, markers: list[Path]) -> None:
    """Waits for each kill, and keeps how long it took until the pipeline streamed again."""
    seen: set[Path] = set()
    deadline = time.monotonic() + 60 + 40 * len(markers)  # as slow as a machine is that does all else at once
    while len(seen) < len(markers):
        new = [marker for marker in markers if marker not in seen and marker.exists()]
        for marker in new:
            killed_at = marker.stat().st_mtime
            pid = eventually(lambda: _living(service, arena.pipeline), 60, f"it streams again after {marker.name}")
            arena.pids.add(pid)
            arena.recoveries.append(time.time() - killed_at)
            seen.add(marker)
        assert time.monotonic() < deadline, f"reached in time: {[one.name for one in markers if one not in seen]}"
        arena.pause(0.02)


def _living(service: ComputeService, pipeline: int) -> int:
    one = service.pipeline(pipeline)
    pid = one.get("pid")
    return int(pid) if one.get("state") == "STREAMING" and pid and process_exists(pid) else 0


def _pair(arena: Arena) -> tuple[ComputeService, ComputeService]:
    """An instance that streams, and one that stands by."""
    owner = arena.begin(lease_seconds=LEASE_SECONDS)
    arena.streaming_pid(owner)
    other = arena.service(lease_seconds=LEASE_SECONDS)
    other.start()
    eventually(lambda: arena.config.one("SELECT count(*) FROM compute_instances") == 2, 30, "the other one is there")
    return owner, other


@fault("F2", "kill -9 of the compute service")
def f2(arena: Arena) -> None:
    """No child outlives it, and the other instance owns the lease within twice its length."""
    owner, other = _pair(arena)
    with arena.writer(per_second=3000):
        child = arena.streaming_pid(owner)
        before = arena.config.one(_OWNER, arena.pipeline)
        arena.pause(1.0)
        killed_at = time.monotonic()
        with arena.recovery():
            owner.kill()
            eventually(lambda: not process_exists(child), 3, "its child has died with it")
            eventually(lambda: arena.config.one(_OWNER, arena.pipeline) not in {None, before}, 20, "a new owner")
            taken = time.monotonic() - killed_at
        arena.streaming_pid(other)
    assert taken <= 2 * LEASE_SECONDS, f"the lease was taken over after {taken:.1f} s"


@fault("F3", "SIGTERM to the compute service")
def f3(arena: Arena) -> None:
    """It drains within 10 s, gives its lease back, and the other instance goes on."""
    owner, other = _pair(arena)
    with arena.writer(per_second=3000):
        child = arena.streaming_pid(owner)
        arena.pause(1.0)
        asked_at = time.monotonic()
        with arena.recovery():
            assert owner.terminate() == 0
            assert time.monotonic() - asked_at <= 10
            assert not process_exists(child)
            arena.streaming_pid(other)


@fault("F10", "split brain: the owner is cut off from the config database and goes on writing")
def f10(arena: Arena) -> Verdict:
    """The next owner fences it at the target; from then on only one of them writes."""
    with Proxy(arena.servers["config"].port) as line:
        owner = arena.service(line, lease_seconds=LEASE_SECONDS)
        owner.start()
        arena.add_pipeline()
        arena.until_running(200)
        arena.count_from_here()
        old = arena.streaming_pid(owner)
        other = arena.service(lease_seconds=LEASE_SECONDS)
        with arena.writer(per_second=3000):
            other.start()
            arena.pause(1.0)
            with arena.recovery():
                line.refuse()
                arena.streaming_pid(other, other_than=old, timeout_seconds=60)
                eventually(lambda: not process_exists(old), 30, "the fenced process has ended")
            line.heal()
        epoch = arena.config.one("SELECT epoch FROM pipeline_leases WHERE pipeline_id = %s", arena.pipeline)
        assert arena.one("a", "SELECT epoch FROM _rosetta.progress") == epoch
        return arena.judge()


@fault("F28", "two instances, the owner frozen (SIGSTOP) and woken again")
def f28(arena: Arena) -> None:
    """The woken one writes nothing: its lease is gone and its fence is passed. Then the other is frozen, and so on."""
    owner, other = _pair(arena)
    with arena.writer(per_second=3000):
        for _ in range(max(2, min(20, arena.changes // 10_000))):
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
