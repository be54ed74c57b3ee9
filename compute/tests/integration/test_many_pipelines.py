"""Fifteen pipelines that start in one poll, and one among them that keeps crashing."""

from __future__ import annotations

import os
import signal

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(420)]

COUNT = 15


def test_fifteen_pipelines_start_in_one_poll_and_one_that_crashes_disturbs_none(stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text)")
    stage.source("INSERT INTO one SELECT n, 'a' FROM generate_series(1, 100) n")
    first = stage.start_pipeline("p1", "PAUSE")
    source = stage.config.one("SELECT source_id FROM pipelines WHERE id = %s", first)
    pipelines = [first]
    for number in range(2, COUNT + 1):
        target = stage.config.add_destination(stage.cluster, stage.target_database, pg_schema=f"copy{number}")
        pipelines.append(stage.config.add_pipeline(f"p{number}", source, target, "PAUSE"))
    stage.service.start()
    eventually(lambda: stage.service.health().get("status") == "ok", 60)
    stage.config.run("UPDATE pipelines SET status = 'START'")

    pids = {pipeline: stage.service.streaming_pid(pipeline, timeout_seconds=240) for pipeline in pipelines}
    crashing = pipelines.pop()
    for _ in range(3):
        os.kill(pids[crashing], signal.SIGKILL)
        pids[crashing] = stage.service.streaming_pid(crashing, other_than=pids[crashing], timeout_seconds=60)
    stage.source("INSERT INTO one VALUES (101, 'to everyone')")
    tables = ["one", *(f"copy{number}.one" for number in range(2, COUNT + 1))]
    eventually(lambda: all(stage.same("one", table) for table in tables), 120, "every pipeline streams")
    for pipeline in pipelines:
        assert stage.service.streaming_pid(pipeline) == pids[pipeline]
    restarts = stage.config.one("SELECT restart_count FROM pipeline_metadata WHERE pipeline_id = %s", crashing)
    assert restarts == 3
    assert stage.config.one("SELECT sum(restart_count) FROM pipeline_metadata") == 3
