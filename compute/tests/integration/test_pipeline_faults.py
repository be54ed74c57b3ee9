"""Processes that are killed under load: nothing lost, nothing different, back in seconds, no orphan."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from functools import partial

import pytest

from compute.tests.support.load import TABLES, Load, create_tables
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind

pytestmark = pytest.mark.integration
behind_the_engine = pytest.mark.engine(EngineKind.PGOUTPUT)


def converges(stage: Stage, timeout_seconds: float = 60.0) -> None:
    """Source and target are equal at rest: the fingerprints meet, and EXCEPT ALL finds nothing either way."""
    for table in TABLES:
        eventually(partial(stage.same, table), timeout_seconds, f"{table} is equal")
        assert stage.differences(table) == (0, 0)


def kill_under_load(stage: Stage, kills: int, seed: int) -> None:
    """Kills the pipeline's process at random moments and waits each time until it streams again."""
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    moments = random.Random(seed)
    with Load(stage, seed) as load:
        for _ in range(kills):
            pid = stage.service.streaming_pid(pipeline)
            threading.Event().wait(moments.uniform(0.0, 1.5))  # the moment is the point, not a condition
            os.kill(pid, signal.SIGKILL)
            stage.service.streaming_pid(pipeline, other_than=pid)
        assert load.transactions > 100
    converges(stage)


@behind_the_engine
def test_a_killed_pipeline_process_loses_nothing(stage: Stage) -> None:
    """With the other engine, and how long the restarts take: under pgbench (`test_pgbench.py`)."""
    kill_under_load(stage, kills=3, seed=11)


def test_a_killed_service_leaves_no_orphan_and_the_next_one_goes_on(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    with Load(stage, 3):
        pid = stage.service.streaming_pid(pipeline)
        stage.service.kill()
        eventually(lambda: not process_exists(pid), 20, "the child has died with its parent")
        stage.service.start()
        stage.service.streaming_pid(pipeline)
    converges(stage)


def test_sigterm_drains_and_ends_everything_within_ten_seconds(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    with Load(stage, 4):
        pid = stage.service.streaming_pid(pipeline)
        asked_at = time.monotonic()
        assert stage.service.terminate() == 0
        assert time.monotonic() - asked_at <= 10
    assert not process_exists(pid)
    assert stage.config.one("SELECT instance_id FROM pipeline_leases") is None
    assert stage.config.one("SELECT health_status FROM pipeline_metadata") == "UNKNOWN"
    stage.service.start()
    converges(stage)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "point",
    [
        "after_read:kill:@30",
        "before_flush:kill:@30",
        *(
            pytest.param(point, marks=behind_the_engine)
            for point in (
                "before_commit:kill:@30",
                "after_commit:kill:@30",
                "after_chunk_read:kill:@2",
                "after_watermark:kill:@3",
                "before_cursor:kill:@2",
            )
        ),
    ],
)
def test_a_kill_at_each_failpoint_loses_nothing(stage: Stage, point: str) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.environment["ROSETTA_FAILPOINT"] = point
    stage.service.environment["BACKFILL_BATCH_SIZE"] = "500"
    stage.service.start()
    with Load(stage, 5):
        restarts = "SELECT restart_count FROM pipeline_metadata WHERE pipeline_id = %s"
        eventually(lambda: stage.config.one(restarts, pipeline) >= 2, 120, f"{point} was hit twice")
        stage.service.terminate()
        del stage.service.environment["ROSETTA_FAILPOINT"]
        stage.service.start()
        stage.service.streaming_pid(pipeline)
    converges(stage)


def test_the_stream_goes_on_while_the_config_database_is_away(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60)
    pid = stage.service.streaming_pid(pipeline)
    with stage.config_database_away():
        eventually(lambda: stage.service.config_database().get("unreachable_since"))
        stage.source("INSERT INTO orders VALUES (777777, 'while it was away', 1, NULL)")
        converges(stage)
        assert stage.service.streaming_pid(pipeline) == pid
    eventually(lambda: stage.service.config_database().get("reachable"), 40)
    assert stage.service.streaming_pid(pipeline) == pid
