"""Whole pipelines with real parts: PostgreSQL, config database, the compute service as a process, Debezium."""

from __future__ import annotations

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("engine", list(EngineKind), ids=str)
def test_rows_flow_from_a_pipeline_made_by_plain_sql(stage: Stage, engine: EngineKind) -> None:
    stage.source("CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL, note text)")
    stage.source("INSERT INTO users SELECT n, 'user ' || n, repeat('x', 100) FROM generate_series(1, 5000) n")
    pipeline = stage.start_pipeline()
    stage.config.run("UPDATE pipelines SET engine = %s", engine.value)
    stage.service.start()

    eventually(lambda: stage.same("users"), 60)
    stage.source("INSERT INTO users VALUES (100001, 'new', NULL)")
    stage.source("UPDATE users SET name = 'changed' WHERE id % 7 = 0")
    stage.source("DELETE FROM users WHERE id % 11 = 0")
    eventually(lambda: stage.same("users"), 30)

    eventually(lambda: stage.config.observed(pipeline) == "RUNNING")
    observed = (
        "SELECT health_status, wal_size IS NOT NULL, last_success_time IS NOT NULL, last_error FROM pipeline_metadata"
        " WHERE pipeline_id = %s"
    )
    eventually(lambda: stage.config.row(observed, pipeline) == ("HEALTHY", True, True, None))
    eventually(lambda: stage.config.one("SELECT rows_applied FROM table_syncs"))
    assert stage.config.row("SELECT state, rows_copied FROM table_syncs") == ("STREAMING", 5000)
    assert stage.config.one("SELECT status FROM queue_backfill_data") == "COMPLETED"
