"""Faults of whole compute services: killed, ended, stopped and continued, with a wrong clock. F2, F3, F27, F28."""

from __future__ import annotations

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from compute.tests.support.clock import skewed
from compute.tests.support.load import TABLES, Load, create_tables
from compute.tests.support.service import ComputeService
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(300)]

RESTARTS = int(os.environ.get("ROSETTA_RESTARTS", "4"))  # 20 in a longer run
LEASE_SECONDS = 3.0  # of the services that the stage makes
_OWNER = "SELECT instance_id FROM pipeline_leases WHERE pipeline_id = %s AND expires_at > now()"
_EPOCH = "SELECT epoch FROM pipeline_leases WHERE pipeline_id = %s"


@pytest.fixture
def other(stage: Stage, tmp_path: Path) -> Iterator[ComputeService]:
    """A second instance on the same config database, not started."""
    folder = tmp_path / "other"
    folder.mkdir()
    service = ComputeService(stage.config.url, folder)
    yield service
    service.close()


def owned_by(stage: Stage, pipeline: int, service: ComputeService) -> bool:
    owner = stage.config.one(_OWNER, pipeline)
    return owner is not None and f":{service.pid}:" in owner


def start_under(stage: Stage, service: ComputeService, seed: int) -> tuple[int, int]:
    """A pipeline that runs in `service`, and the pid of its process."""
    create_tables(stage)
    pipeline = stage.start_pipeline()
    service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 90, f"it runs (seed {seed})")
    return pipeline, service.streaming_pid(pipeline)


def converges(stage: Stage) -> None:
    for table in TABLES:
        eventually(partial(stage.same, table), 90, f"{table} is equal")
        assert stage.differences(table) == (0, 0)


def fence_of_target(stage: Stage) -> int:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("SELECT epoch FROM _rosetta.progress")
        row = cursor.fetchone()
        return int(row[0]) if row else -1


def test_f2_a_killed_service_leaves_no_orphan_and_another_takes_over_within_two_leases(
    stage: Stage, other: ComputeService
) -> None:
    pipeline, pid = start_under(stage, stage.service, 21)
    other.start()
    eventually(lambda: other.health().get("status") == "ok", 60)
    with Load(stage, 21):
        killed_at = time.monotonic()
        stage.service.kill()
        eventually(lambda: not process_exists(pid), 20, "the child has died with its parent")
        eventually(lambda: owned_by(stage, pipeline, other), 2 * LEASE_SECONDS, "taken over")
        assert time.monotonic() - killed_at <= 2 * LEASE_SECONDS
        other.streaming_pid(pipeline)
    converges(stage)
    assert stage.config.one(_EPOCH, pipeline) == fence_of_target(stage)


def test_f3_a_service_that_is_ended_drains_and_another_goes_on_at_once(stage: Stage, other: ComputeService) -> None:
    pipeline, pid = start_under(stage, stage.service, 22)
    other.start()
    eventually(lambda: other.health().get("status") == "ok", 60)
    with Load(stage, 22):
        asked_at = time.monotonic()
        assert stage.service.terminate() == 0
        assert time.monotonic() - asked_at <= 10
        assert not process_exists(pid)
        eventually(lambda: owned_by(stage, pipeline, other), LEASE_SECONDS, "it did not wait for the lease to run out")
        other.streaming_pid(pipeline)
    converges(stage)


@pytest.mark.parametrize("which", ["service and child", "child"])
def test_f28_an_owner_that_was_stopped_cannot_write_when_it_wakes(
    stage: Stage, other: ComputeService, which: str
) -> None:
    pipeline, pid = start_under(stage, stage.service, 28)
    other.start()
    eventually(lambda: other.health().get("status") == "ok", 60)
    stopped = [stage.service.pid, pid] if which == "service and child" else [pid]
    epoch = stage.config.one(_EPOCH, pipeline)
    with Load(stage, 28):
        for one in stopped:
            os.kill(one, signal.SIGSTOP)
        try:
            eventually(lambda: owned_by(stage, pipeline, other), 2 * LEASE_SECONDS + 1, "taken over")
            if len(stopped) > 1:  # else its own service ends it before long
                eventually(lambda: fence_of_target(stage) > epoch, 30, "the next owner has opened the target")
        finally:
            for one in stopped:
                os.kill(one, signal.SIGCONT)
        eventually(lambda: not process_exists(pid), 40, "the former owner's process has ended")
        other.streaming_pid(pipeline)
        eventually(lambda: fence_of_target(stage) == epoch + 1, 60)
        assert fence_of_target(stage) == stage.config.one(_EPOCH, pipeline) == epoch + 1
    converges(stage)
    if which == "service and child":
        log = stage.service.log.read_text()
        assert re.search(r"pipeline_process_(failed|stopped).*exit_code\W+77|exit_code\W+77.*pipeline_process", log)
    stage.config.run("UPDATE pipelines SET status = 'PAUSE'")
    eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 40)
    both = (stage.service, other)
    eventually(lambda: {service.pipeline(pipeline).get("state") for service in both} == {"NOT_RUNNING"})


def test_f27_a_clock_that_is_an_hour_wrong_changes_nothing(stage: Stage, other: ComputeService, tmp_path: Path) -> None:
    """One service is an hour ahead, the other an hour behind; leases live on the config database's clock."""
    for service, skew in ((stage.service, 3600), (other, -3600)):
        service.environment |= skewed(tmp_path, skew)
    pipeline, pid = start_under(stage, stage.service, 27)
    other.start()
    eventually(lambda: other.health().get("status") == "ok", 60)
    epoch = stage.config.one(_EPOCH, pipeline)
    with Load(stage, 27) as load:
        eventually(lambda: load.transactions > 800, 60, "several leases long")
        assert stage.config.one(_EPOCH, pipeline) == epoch, "nobody took it away"
        assert stage.service.streaming_pid(pipeline) == pid
        stage.service.kill()
        eventually(lambda: owned_by(stage, pipeline, other), 2 * LEASE_SECONDS, "taken over")
        other.streaming_pid(pipeline)
    converges(stage)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_f28_restarts_of_two_services_lose_and_double_nothing(stage: Stage, other: ComputeService) -> None:
    seed = 2028
    pipeline, _ = start_under(stage, stage.service, seed)
    other.start()
    moments, epochs = random.Random(seed), [stage.config.one(_EPOCH, pipeline)]
    services = [stage.service, other]
    with Load(stage, seed):
        for _ in range(RESTARTS):
            service = next((one for one in services if owned_by(stage, pipeline, one)), services[0])
            how = moments.choice(["kill", "terminate", "stop"])
            if how == "stop":
                stopped = [service.pid, *service.children()]
                for one in stopped:
                    os.kill(one, signal.SIGSTOP)
                eventually(lambda: stage.config.one(_EPOCH, pipeline) > epochs[-1], 30, "taken over")
                for one in stopped:
                    os.kill(one, signal.SIGCONT)
            else:
                service.kill() if how == "kill" else service.terminate()
                service.start()
            eventually(lambda: stage.config.one(_EPOCH, pipeline) > epochs[-1], 30, f"taken over after {how}")
            epochs.append(stage.config.one(_EPOCH, pipeline))
            eventually(lambda: any(one.pipeline(pipeline).get("state") == "STREAMING" for one in services), 60)
    assert epochs == sorted(set(epochs)), "epochs only grow"
    converges(stage)
