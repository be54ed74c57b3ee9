"""What a target that is away costs the other one, and what becomes of it beyond its bound, with real servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.tests.chaos import isolation
from compute.tests.chaos.arena import Arena
from compute.tests.chaos.matrix import TARGETS
from compute.tests.chaos.servers import Servers
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(400)]

ALERTS = "SELECT count(*) FROM notifications WHERE kind = 'DESTINATION_DETACHED' AND resolved_at IS NULL"


@pytest.fixture
def arena(chaos_servers: Servers, tmp_path: Path) -> Iterator[Arena]:
    with Arena(chaos_servers, tmp_path, TARGETS, EngineKind.PGOUTPUT) as made:
        made.new_case(1, 4000)
        yield made


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
    assert arena.config.one(ALERTS) == 1
    arena.config.run("UPDATE table_syncs SET desired_state = 'RESYNC' WHERE mode = 'current'")
    arena.until_status("RUNNING", timeout_seconds=120)
    with arena.recovery():
        pass
    assert arena.config.one("SELECT count(*) FROM pipeline_destinations WHERE detached_at IS NOT NULL") == 0
    left = "SELECT error_code FROM table_syncs WHERE state = 'ERROR'"
    assert arena.config.one(left) == "DESTINATION_DETACHED"  # nobody asked for that table, and it has a gap
    assert service.pipeline(arena.pipeline)["pid"] == pid


@pytest.mark.slow
@pytest.mark.alone  # others would delay it
def test_a_dead_target_does_not_delay_the_other(arena: Arena) -> None:
    """The published figure is measured over 60 s by `make chaos`."""
    found = isolation.measure(arena, 20.0)
    assert found.ratio <= 2.0, found
    verdict = arena.judge()
    assert (verdict.lost, verdict.different, verdict.duplicated, verdict.gone_back) == (0, 0, 0, 0), verdict.notes
