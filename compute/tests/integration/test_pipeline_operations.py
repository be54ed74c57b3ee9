"""What people do to pipelines, by plain SQL on the config database and by DDL at the source."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from psycopg2.errors import ObjectInUse

from compute.tests.support.load import TABLES, Load, create_tables
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind
from rosetta.sealed import source_binding
from rosetta.secrets import Keyring

pytestmark = pytest.mark.integration


def slot(stage: Stage) -> tuple[str, bool] | None:
    with stage.session(stage.source_database).cursor() as cursor:
        cursor.execute("SELECT slot_name, active FROM pg_replication_slots WHERE database = current_database()")
        return cursor.fetchone()


def drop_slot(stage: Stage) -> bool:
    """Ends the slot's stream and drops it in between; False when the stream was back already."""
    stage.source(
        "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
        " WHERE database = current_database() AND active_pid IS NOT NULL"
    )
    with suppress(ObjectInUse):
        stage.source(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = current_database() AND active_pid IS NULL"
        )
    return slot(stage) is None


def running(stage: Stage, pipeline: int) -> int:
    """Waits until all is copied and streams; the pid of the process."""
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 90, "the pipeline runs")
    return stage.service.streaming_pid(pipeline)


def test_pause_start_and_refresh_lose_nothing_under_load(stage: Stage) -> None:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.service.start()
    with Load(stage, 6):
        first = running(stage, pipeline)
        stage.config.set_status(pipeline, "PAUSE")
        eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 40)
        assert not process_exists(first)
        eventually(lambda: slot(stage) == (f"rosetta_1_{pipeline}", False), what="its slot is left, and at rest")

        stage.config.set_status(pipeline, "START")
        second = running(stage, pipeline)
        stage.config.set_status(pipeline, "REFRESH")
        third = stage.service.streaming_pid(pipeline, other_than=second)
        assert not process_exists(second)
        assert third != second
        assert stage.config.one("SELECT status FROM pipelines") == "START"
    for table in TABLES:
        eventually(partial(stage.same, table), 60)
        assert stage.differences(table) == (0, 0)

    stage.config.run("DELETE FROM pipelines WHERE id = %s", pipeline)
    eventually(lambda: slot(stage) is None, 30, "the slot is dropped with the pipeline")
    eventually(lambda: not process_exists(third))
    eventually(lambda: stage.config.one("SELECT count(*) FROM cleanup_tasks") == 0, 30, "nothing is left to clean up")


def test_tables_and_columns_join_a_running_pipeline(stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'a')")
    pipeline = stage.start_pipeline()
    stage.service.start()
    pid = running(stage, pipeline)

    stage.source(
        "CREATE TABLE two (id int PRIMARY KEY, v text); INSERT INTO two SELECT n, 'x' FROM generate_series(1, 999) n"
    )
    stage.source("CREATE TABLE keyless (v text); INSERT INTO keyless VALUES ('a')")
    eventually(lambda: stage.same("two"), 30, "the new table is copied")
    stage.source("UPDATE two SET v = 'y' WHERE id < 5; INSERT INTO two VALUES (1000, 'z')")
    stage.source("ALTER TABLE one ADD COLUMN extra numeric; INSERT INTO one VALUES (2, 'b', 1.50)")
    eventually(lambda: stage.same("two") and stage.same("one"), 30, "the new column arrives")

    state = "SELECT state, error_code, error_remedy FROM table_syncs WHERE table_name = 'keyless'"
    row = eventually(lambda: (found := stage.config.row(state)) and found[0] == "ERROR" and found)
    assert row
    assert row[1] == "NO_REPLICA_IDENTITY"
    assert "REPLICA IDENTITY FULL" in row[2]
    health = "SELECT health_status FROM pipeline_metadata"
    eventually(lambda: stage.config.one(health) == "DEGRADED", what="one table in error shows in the health")
    stage.source("ALTER TABLE keyless REPLICA IDENTITY FULL")
    eventually(lambda: stage.same("keyless"), 30, "the table joins once it can")
    assert stage.service.streaming_pid(pipeline) == pid


def test_f22_a_lost_slot_is_never_made_again_in_silence(stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'a')")
    pipeline = stage.start_pipeline()
    stage.service.start()
    running(stage, pipeline)
    stage.config.set_status(pipeline, "PAUSE")
    eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 40)
    stage.source("INSERT INTO one VALUES (2, 'lost')")
    eventually(lambda: drop_slot(stage))
    stage.config.set_status(pipeline, "START")
    eventually(lambda: stage.config.observed(pipeline) == "RESYNC_REQUIRED", 30)
    health, code, remedy = stage.config.row(
        "SELECT health_status, last_error_code, last_error_remedy FROM pipeline_metadata"
    ) or ("", "", "")
    assert (health, code) == ("ERROR", "SLOT_MISSING")
    assert slot(stage) is None
    assert not stage.same("one")

    stage.config.run(remedy.split("; then")[0])  # the remedy begins with the statement that mends it
    running(stage, pipeline)
    eventually(lambda: stage.same("one"), 30)


def test_f22_a_slot_dropped_under_a_running_pipeline_is_noticed(stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text)")
    pipeline = stage.start_pipeline()
    stage.service.start()
    running(stage, pipeline)
    eventually(lambda: drop_slot(stage))
    eventually(lambda: stage.config.observed(pipeline) == "RESYNC_REQUIRED", 30)
    assert slot(stage) is None


def test_destinations_join_leave_and_fail_without_a_restart(stage: Stage) -> None:
    stage.source(
        "CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one SELECT n, 'a' FROM generate_series(1, 500) n"
    )
    pipeline = stage.start_pipeline()
    stage.service.start()
    pid = running(stage, pipeline)

    second = stage.config.add_destination(stage.cluster, stage.target_database, pg_schema="copy")
    stage.config.run(
        "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, second
    )
    eventually(lambda: stage.same("one", "copy.one"), 30, "the new destination is copied")
    stage.source("INSERT INTO one VALUES (501, 'both')")
    eventually(lambda: stage.same("one") and stage.same("one", "copy.one"), 30)

    with stage.target_away():
        eventually(lambda: stage.config.observed(pipeline) == "RETRYING", 30)
        failing = "SELECT bool_and(health_status = 'ERROR') FROM pipeline_metadata"
        eventually(lambda: stage.config.one(failing), 30, "both destinations show it")
        stage.source("INSERT INTO one VALUES (502, 'while it was away')")
    eventually(lambda: stage.same("one") and stage.same("one", "copy.one"), 30)

    stage.config.run("DELETE FROM pipeline_destinations WHERE destination_id = %s", second)
    stage.source("INSERT INTO one VALUES (503, 'first only')")
    eventually(lambda: stage.same("one"), 30)
    eventually(lambda: stage.config.one("SELECT bool_and(status = 'RUNNING') FROM pipeline_metadata"))
    assert stage.service.streaming_pid(pipeline) == pid


BAD_SOURCES: dict[str, tuple[dict[str, Any], str, str]] = {
    "publication": ({"publication_name": "nowhere"}, "FAILED", "PUBLICATION_MISSING"),
    "password": ({"pg_password": "wrong"}, "RETRYING", "AUTHENTICATION_FAILED"),
    "host": ({"pg_port": 1}, "RETRYING", "CONNECTION_REFUSED"),
    "database": ({"pg_database": "nowhere"}, "RETRYING", "DATABASE_NOT_FOUND"),
}


@pytest.mark.engine(EngineKind.PGOUTPUT)  # what is wrong lies before it or behind it
def test_every_bad_source_and_target_says_what_is_wrong(stage: Stage) -> None:
    """All at once, beside a good pipeline that does not notice."""
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'a')")
    good = stage.start_pipeline()
    target = stage.config.add_destination(stage.cluster, stage.target_database, pg_schema="other")
    expected: dict[int, tuple[str, str]] = {}
    for name, (changed, status, code) in BAD_SOURCES.items():
        source = stage.config.add_source(stage.cluster, stage.source_database, **(changed | {"name": name}))
        expected[stage.config.add_pipeline(name, source, target)] = (status, code)
    unreadable = stage.config.add_source(stage.cluster, stage.source_database, name="sealed")
    other = Keyring.from_secret_key("another secret key").seal("x", source_binding(unreadable))
    stage.config.run("UPDATE sources SET pg_password = %s WHERE id = %s", other, unreadable)
    expected[stage.config.add_pipeline("sealed", unreadable, target)] = ("FAILED", "SECRET_KEY_UNKNOWN")
    source = stage.config.one("SELECT source_id FROM pipelines WHERE id = %s", good)
    for name, config, code in (
        ("no-host", {"pg_schema": "x"}, "CONFIGURATION_ERROR"),
        ("odd", {"pg_host": ["a"], "pg_port": "x", "pg_database": 1, "pg_username": 2}, "CONFIGURATION_ERROR"),
    ):
        destination = stage.config.one(
            "INSERT INTO destinations (name, type, config) VALUES (%s, 'POSTGRESQL', %s) RETURNING id",
            name,
            json.dumps(config),
        )
        expected[stage.config.add_pipeline(name, source, destination)] = ("FAILED", code)
    stage.service.start()

    query = "SELECT status, last_error_code FROM pipeline_metadata WHERE pipeline_id = %s"
    for pipeline, (status, code) in expected.items():
        eventually(lambda p=pipeline, s=(status, code): stage.config.row(query, p) == s, 60, f"{pipeline}: {code}")  # type: ignore[misc]
    assert stage.config.one("SELECT count(*) FROM pipeline_metadata WHERE health_status = 'HEALTHY'") <= 1
    pid = running(stage, good)
    eventually(lambda: stage.same("one"), 30)
    for pipeline, (_, code) in expected.items():
        assert (
            stage.config.one("SELECT health_status FROM pipeline_metadata WHERE pipeline_id = %s", pipeline) == "ERROR"
        )
        if code != "CONFIGURATION_ERROR":
            assert stage.config.one("SELECT last_error_remedy FROM pipeline_metadata WHERE pipeline_id = %s", pipeline)
    log = stage.service.log.read_text()
    assert stage.cluster.password not in log
    assert "Traceback" not in log

    stage.config.run("UPDATE sources SET pg_password = %s WHERE name = 'password'", stage.cluster.password)
    mended = next(key for key, value in expected.items() if value[1] == "AUTHENTICATION_FAILED")
    running(stage, mended)
    assert stage.service.streaming_pid(good) == pid
