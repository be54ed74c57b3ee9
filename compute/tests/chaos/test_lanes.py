"""Lanes with real servers: what is seen of a destination that is in nobody's way, and that nothing of it is lost.

Named after the faults they look into; the faults themselves, with more changes and seeds, are in the fault matrix.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.servers import Servers
from compute.tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(400)]

OPEN = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"
CODE = "SELECT last_error_code FROM pipeline_metadata WHERE pipeline_id = %s AND destination_id = %s"
ALERTS = "SELECT count(*) FROM notifications WHERE kind = %s AND resolved_at IS NULL"


@pytest.fixture
def arena(chaos_servers: Servers, tmp_path: Path) -> Iterator[Arena]:
    with Arena(chaos_servers, 1, 4000, tmp_path, ("a", "b")) as made:
        yield made
    chaos_servers.drop_databases()


def code(arena: Arena, role: str) -> str | None:
    found: str | None = arena.config.one(CODE, arena.pipeline, arena.destinations[role])
    return found


def loses_nothing(arena: Arena) -> None:
    """Rosetta's own comparison, and the chaos suite's."""
    verdict = arena.judge()
    assert (verdict.lost, verdict.different, verdict.duplicated, verdict.gone_back) == (0, 0, 0, 0), verdict.notes


def test_f4_the_slot_moves_on_while_a_target_is_dead_and_a_kill_meanwhile_parks_nothing_twice(arena: Arena) -> None:
    service = arena.begin()
    with arena.writer(per_second=1500):
        with arena.dead("a"):
            eventually(lambda: arena.config.one(OPEN) > 0, 30, "its changes are parked")
            assert arena.status("a") == "RETRYING"
            floor = arena.source_lsn()
            eventually(lambda: arena.confirmed() > floor, 30, "the slot moves on")
            pid = arena.streaming_pid(service)
            os.kill(pid, signal.SIGKILL)
            arena.streaming_pid(service, other_than=pid)
            arena.arrives(arena.tick(), 20, ["b"])
            floor = arena.source_lsn()
            eventually(lambda: arena.confirmed() > floor, 30, "the slot moves on after the restart, too")
        with arena.recovery():
            pass
    arena.until_running()
    assert arena.config.one(OPEN) == 0
    loses_nothing(arena)


def test_f7_with_redis_and_a_target_away_the_lane_is_blocked_and_the_slot_stays(arena: Arena) -> None:
    arena.begin()
    arena.servers.valkey.kill()
    try:
        arena.lines["a"].refuse()
        with arena.writer(per_second=500):
            arena.until_status("BLOCKED")
            assert code(arena, "a") == "DLQ_DISPATCH_AWAY"
            eventually(lambda: arena.config.one(ALERTS, "PARKING_BLOCKED") == 1, 15, "people are told")
            stands = arena.confirmed()
            for _ in range(3):
                arena.arrives(arena.tick(), 10, ["b"])
            assert arena.confirmed() == stands
            assert arena.config.one(OPEN) == 0
    finally:
        arena.servers.valkey.start()
    arena.until_status("RETRYING")
    eventually(lambda: arena.confirmed() > stands, 30, "what can be parked again moves the slot")
    eventually(lambda: arena.config.one(ALERTS, "PARKING_BLOCKED") == 0, 15, "that it goes on is noted")
    with arena.recovery():
        arena.lines["a"].heal()
    loses_nothing(arena)


def test_f8_without_the_config_database_the_stream_goes_on_but_nothing_counts_as_parked(arena: Arena) -> None:
    service = arena.begin()
    pid = arena.streaming_pid(service)
    arena.lines["config"].refuse()
    with arena.writer(per_second=1000):
        arena.pause(10.0)  # longer than the lease
        arena.arrives(arena.tick(), 15)
        arena.lines["a"].refuse()
        arena.pause(2.0)
        floor = arena.source_lsn()
        arena.arrives(arena.tick(), 15, ["b"])
        arena.pause(2.0)
        assert arena.confirmed() <= floor
        with arena.recovery():
            arena.lines["config"].heal()
            arena.lines["a"].heal()
    assert service.pipeline(arena.pipeline)["pid"] == pid
    loses_nothing(arena)


def test_f14_a_slow_target_is_parked_as_slow(arena: Arena) -> None:
    arena.begin()
    with arena.writer(per_second=3000):
        arena.lines["a"].throttle(30_000)
        slow = "SELECT count(*) FROM dlq_records WHERE error_code = 'DESTINATION_SLOW'"
        eventually(lambda: arena.config.one(slow) > 0, 60, "its changes are parked")
        arena.arrives(arena.tick(), 10, ["b"])
        with arena.recovery():
            arena.lines["a"].heal()
    loses_nothing(arena)


def test_f15_a_lock_on_a_table_of_the_target_delays_nobody_else(arena: Arena) -> None:
    arena.begin()
    with (
        arena.writer(per_second=500),
        closing(arena.servers["a"].connect(arena.databases["a"])) as holder,
        holder.cursor() as cursor,
    ):
        cursor.execute("BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
        eventually(lambda: arena.config.one(OPEN) > 0, 60, "its changes are parked")
        arena.arrives(arena.tick(), 10, ["b"])
        floor = arena.source_lsn()
        eventually(lambda: arena.confirmed() > floor, 30, "the slot moves on")
        with arena.recovery():
            cursor.execute("ROLLBACK")
    loses_nothing(arena)


def test_beyond_its_bound_a_target_is_detached_and_a_resync_brings_it_back(arena: Arena) -> None:
    service = arena.service(park_max_bytes=200_000)
    service.start()
    arena.add_pipeline()
    arena.config.run("UPDATE pipeline_destinations SET park_policy = 'detach'")
    arena.until_running(120)
    pid = arena.streaming_pid(service)
    with arena.dead("a"), arena.writer(per_second=3000):
        arena.until_status("RESYNC_REQUIRED", timeout_seconds=60)
        stands = arena.source_lsn()
        eventually(lambda: arena.confirmed() > stands, 30, "it holds nothing back")
        arena.arrives(arena.tick(), 10, ["b"])
    assert arena.config.one(ALERTS, "DESTINATION_DETACHED") == 1
    arena.config.run("UPDATE table_syncs SET desired_state = 'RESYNC' WHERE mode = 'current'")
    arena.until_status("RUNNING", timeout_seconds=120)
    with arena.recovery():
        pass
    assert arena.config.one("SELECT count(*) FROM pipeline_destinations WHERE detached_at IS NOT NULL") == 0
    left = "SELECT error_code FROM table_syncs WHERE state = 'ERROR'"
    assert arena.config.one(left) == "DESTINATION_DETACHED"  # nobody asked for that table, and it has a gap
    assert service.pipeline(arena.pipeline)["pid"] == pid
