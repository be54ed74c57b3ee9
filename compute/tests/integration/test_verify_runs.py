"""Verifications that are asked for by a row in the config database."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration]

CANARY = "canary-value-77c2"
TABLES = """
CREATE TABLE {name} (id int PRIMARY KEY, note text);
INSERT INTO {name} SELECT n, 'note ' || n FROM generate_series(1, 500) n;
"""
# As a pipeline leaves it that has delivered all: what differs then is not on its way, and need not be waited for.
PROGRESS = """
CREATE SCHEMA _rosetta;
CREATE TABLE _rosetta.progress (pipeline_id bigint, destination_id bigint, commit_lsn pg_lsn);
INSERT INTO _rosetta.progress VALUES (%s, %s, 'FFFFFFFF/0');
"""


@pytest.fixture
def pipeline(stage: Stage) -> int:
    """A paused pipeline whose `orders` differ in three rows and whose `items` are equal."""
    pipeline = stage.start_pipeline(status="PAUSE")
    for database in (stage.source_database, stage.target_database):
        with stage.session(database).cursor() as cursor:
            cursor.execute(TABLES.format(name="orders") + TABLES.format(name="items"))
    destination = stage.config.one("SELECT destination_id FROM pipeline_destinations")
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute(PROGRESS, (pipeline, destination))
        cursor.execute(f"UPDATE orders SET note = '{CANARY}' WHERE id = 7; DELETE FROM orders WHERE id = 9")
        cursor.execute(f"INSERT INTO orders VALUES (501, '{CANARY}')")
    stage.config.run(
        "INSERT INTO table_syncs (pipeline_destination_id, table_name, state) SELECT id, t, 'STREAMING'"
        " FROM pipeline_destinations, unnest(ARRAY['orders', 'items']) AS t"
    )
    stage.service.start()
    return pipeline


def verify(stage: Stage, pipeline: int, *, repair: bool = False) -> int:
    number: int = stage.config.one(
        "INSERT INTO verify_runs (pipeline_id, repair) VALUES (%s, %s) RETURNING id", pipeline, repair
    )
    return number


def ended(stage: Stage, run: int) -> tuple[str, dict[str, Any] | None, str | None]:
    query = "SELECT status, report, error_message FROM verify_runs WHERE id = %s AND completed_at IS NOT NULL"
    found = eventually(lambda: stage.config.row(query, run), 60)
    assert found is not None
    return found[0], found[1], found[2]


def wishes(stage: Stage) -> dict[str, str]:
    with stage.config.connection.cursor() as cursor:
        cursor.execute("SELECT table_name, desired_state FROM table_syncs")
        return dict(cursor.fetchall())


def test_differences_are_counted_per_table_without_a_key_or_a_value(stage: Stage, pipeline: int) -> None:
    status, report, _ = ended(stage, verify(stage, pipeline))
    assert (status, report is not None and report["outcome"]) == ("COMPLETED", "DIFFERENT")
    assert report is not None
    (destination,) = report["destinations"]
    tables = {table["source"]: table for table in destination["tables"]}
    assert {name: tables["public.orders"][name] for name in ("difference_count", "missing", "extra", "changed")} == {
        "difference_count": 3,
        "missing": 1,
        "extra": 1,
        "changed": 1,
    }
    assert (tables["public.items"]["outcome"], tables["public.items"]["source_rows"]) == ("EQUAL", 500)
    assert CANARY not in str(report)
    assert wishes(stage) == {"orders": "ACTIVE", "items": "ACTIVE"}


def test_a_repair_asks_for_a_resync_of_what_differs(stage: Stage, pipeline: int) -> None:
    _, report, _ = ended(stage, verify(stage, pipeline, repair=True))
    assert report is not None
    asked = {table["source"]: table["resync_asked"] for table in report["destinations"][0]["tables"]}
    assert asked == {"public.orders": True, "public.items": False}
    assert wishes(stage) == {"orders": "RESYNC", "items": "ACTIVE"}


def test_a_target_that_is_away_is_a_reason_and_not_an_end_of_the_service(stage: Stage, pipeline: int) -> None:
    with stage.target_away():
        status, report, _ = ended(stage, verify(stage, pipeline))
    assert report is not None
    assert (status, report["outcome"]) == ("COMPLETED", "NOT_COMPARED")
    assert report["destinations"][0]["reason"]
    assert ended(stage, verify(stage, pipeline))[1] is not None


def test_a_run_that_is_cancelled_or_whose_service_stops_is_broken_off(stage: Stage, pipeline: int) -> None:
    with stage.session(stage.target_database).cursor() as cursor, stage.session("postgres").cursor() as watcher:

        def waiting() -> int:
            watcher.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE application_name = 'rosetta verify' AND wait_event_type = 'Lock'"
            )
            row = watcher.fetchone()
            return int(row[0]) if row else 0

        cursor.execute("BEGIN; LOCK TABLE orders")  # the comparison waits
        cancelled = verify(stage, pipeline)
        eventually(waiting, 60, "the comparison waits for the lock")
        stage.config.run(
            "UPDATE verify_runs SET status = 'FAILED', error_message = 'cancelled', completed_at = now() WHERE id = %s",
            cancelled,
        )
        run = verify(stage, pipeline)
        executing = "SELECT status = 'EXECUTING' FROM verify_runs WHERE id = %s"
        eventually(lambda: stage.config.one(executing, run) and waiting(), 60, "the next one has begun")
        assert ended(stage, cancelled)[2] == "cancelled"
        os.kill(stage.service.pid, signal.SIGTERM)
        eventually(lambda: not process_exists(stage.service.pid), 40, "the service has stopped")
        cursor.execute("ROLLBACK")
    status, report, message = ended(stage, run)
    assert (status, report) == ("FAILED", None)
    assert message is not None
    assert "start it again" in message


def test_a_run_of_an_instance_that_died_does_not_stay_open(stage: Stage, pipeline: int) -> None:
    run: int = stage.config.one(
        "INSERT INTO verify_runs (pipeline_id, status, instance_id, started_at)"
        " VALUES (%s, 'EXECUTING', 'gone', now() - interval '1 hour') RETURNING id",
        pipeline,
    )
    status, _, message = ended(stage, run)
    assert (status, message is not None and "broken off" in message) == ("FAILED", True)
