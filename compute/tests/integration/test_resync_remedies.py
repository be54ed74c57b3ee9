"""What the product says to do about a lost stretch of the stream really brings the destination back."""

from __future__ import annotations

from functools import partial

import pytest

from compute.tests.support.load import TABLES, Load, create_tables
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(300)]
RESYNC = "UPDATE table_syncs SET desired_state = 'RESYNC'"


def runs(stage: Stage, pipeline: int) -> None:
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 90, "the pipeline runs")


def at_target(stage: Stage, statement: str) -> None:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute(statement)


def converges(stage: Stage) -> None:
    for table in TABLES:
        eventually(partial(stage.same, table), 60, f"{table} is equal")
        assert stage.differences(table) == (0, 0)


def test_a_destination_restored_from_an_old_copy_comes_back(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    with Load(stage, 21):
        runs(stage, pipeline)
        at_target(
            stage, "CREATE TABLE old_progress AS TABLE _rosetta.progress; CREATE TABLE old_orders AS TABLE orders"
        )
        moved = "SELECT acknowledged_lsn FROM pipelines"
        reached = stage.config.one(moved)
        eventually(lambda: stage.config.one(moved) != reached, 30, "the slot moves on")
        stage.config.set_status(pipeline, "PAUSE")
        eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 30)
        at_target(
            stage,
            "UPDATE _rosetta.progress p SET commit_lsn = o.commit_lsn, change_lsn = o.change_lsn, ordinal = o.ordinal"
            " FROM old_progress o; TRUNCATE orders; INSERT INTO orders SELECT * FROM old_orders;"
            " DROP TABLE old_orders, old_progress",
        )
        stage.config.set_status(pipeline, "START")
        eventually(lambda: stage.config.observed(pipeline) == "RESYNC_REQUIRED", 60)
        code, remedy = stage.config.row("SELECT last_error_code, last_error_remedy FROM pipeline_metadata") or ("", "")
        assert (code, "desired_state = 'RESYNC'" in remedy) == ("DESTINATION_BEHIND_SLOT", True)
        stage.config.run(RESYNC)
        runs(stage, pipeline)
        eventually(lambda: stage.config.one("SELECT bool_and(state = 'STREAMING') FROM table_syncs"), 90)
    converges(stage)
    assert stage.config.one("SELECT bool_and(last_error_code IS NULL) FROM pipeline_metadata")
    # and the next start finds nothing wrong either
    stage.config.set_status(pipeline, "REFRESH")
    stage.source("INSERT INTO orders VALUES (5, 'after', 1, NULL) ON CONFLICT (id) DO UPDATE SET customer = 'after'")
    runs(stage, pipeline)
    converges(stage)


def test_a_detached_destination_comes_back(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    with Load(stage, 22) as load:
        runs(stage, pipeline)
        pid = stage.service.streaming_pid(pipeline)
        stage.config.run("UPDATE pipeline_destinations SET detached_at = now()")
        eventually(lambda: stage.config.observed(pipeline) == "RESYNC_REQUIRED", 60)
        reached = load.transactions
        eventually(lambda: load.transactions > reached + 100, 30, "it misses changes")
        stage.config.run(RESYNC)
        runs(stage, pipeline)
        eventually(lambda: stage.config.one("SELECT bool_and(state = 'STREAMING') FROM table_syncs"), 90)
        assert stage.service.streaming_pid(pipeline) == pid
    converges(stage)
    assert stage.config.one("SELECT bool_and(detached_at IS NULL) FROM pipeline_destinations")


def test_a_kill_while_a_resync_begins_asks_for_no_other(stage: Stage) -> None:
    """A destination that is copied anew is not behind the slot, whatever it held before."""
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    runs(stage, pipeline)
    stage.config.set_status(pipeline, "PAUSE")
    eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 30)
    at_target(stage, "UPDATE _rosetta.progress SET commit_lsn = '0/1', change_lsn = '0/1'")
    at_target(stage, "DELETE FROM orders WHERE id < 5")
    stage.config.run(RESYNC)
    stage.service.terminate()
    stage.service.environment["ROSETTA_FAILPOINT"] = "after_chunk_read:kill"
    stage.service.start()
    stage.config.set_status(pipeline, "START")
    restarts = "SELECT restart_count FROM pipeline_metadata WHERE pipeline_id = %s"
    eventually(lambda: stage.config.one(restarts, pipeline) >= 1, 60, "it was killed")
    stage.service.terminate()
    del stage.service.environment["ROSETTA_FAILPOINT"]
    stage.service.start()
    runs(stage, pipeline)
    converges(stage)
