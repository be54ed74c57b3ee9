"""Nothing is left behind: F35 deletes while running or with an end unreachable; F38 edits under load."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from compute.tests.support.load import TABLES, Load, create_tables
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(240)]


def running(stage: Stage) -> int:
    create_tables(stage)
    pipeline = stage.start_pipeline()
    stage.config.run("UPDATE sources SET publication_owned = true")
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 90, "the pipeline runs")
    return pipeline


def rows(stage: Stage, database: str, query: str) -> list[Any]:
    with stage.session(database).cursor() as cursor:
        cursor.execute(query)
        return [row[0] for row in cursor.fetchall()]


def left_at_source(stage: Stage) -> list[str]:
    slots = "SELECT slot_name::text FROM pg_replication_slots WHERE database = current_database()"
    return rows(stage, stage.source_database, f"{slots} UNION ALL SELECT pubname::text FROM pg_publication")


def left_at_target(stage: Stage) -> list[str]:
    return rows(
        stage,
        stage.target_database,
        "SELECT 'position of ' || destination_id FROM _rosetta.progress"
        " UNION ALL SELECT 'claim of ' || target_name FROM _rosetta.tables"
        " UNION ALL SELECT relname::text FROM pg_class WHERE relnamespace = '_rosetta'::regnamespace"
        " AND relname ~ '_[0-9]+_[0-9]+_[0-9]+$' AND relkind = 'r'",
    )


def clean(stage: Stage, timeout_seconds: float = 60) -> None:
    tasks = "SELECT count(*) FROM cleanup_tasks"
    eventually(lambda: stage.config.one(tasks) == 0, timeout_seconds, "nothing is left to clean up")
    assert left_at_source(stage) == []
    assert left_at_target(stage) == []


def test_f35_deleting_a_running_pipeline_leaves_nothing(stage: Stage) -> None:
    pipeline = running(stage)
    pid = stage.service.streaming_pid(pipeline)
    assert left_at_target(stage)
    with Load(stage, 35):
        stage.config.run("DELETE FROM pipelines WHERE id = %s", pipeline)
        eventually(lambda: not process_exists(pid), 40)
        clean(stage)
    for table in TABLES:
        assert rows(stage, stage.target_database, f"SELECT count(*) FROM {table}")[0] > 0, "the data stays"


def test_f35_deleting_in_the_middle_of_a_copy_leaves_no_side_table(stage: Stage) -> None:
    create_tables(stage, 60_000)
    stage.service.environment |= {"BACKFILL_BATCH_SIZE": "500"}
    pipeline = stage.start_pipeline()
    stage.config.run("UPDATE sources SET publication_owned = true")
    stage.service.start()
    sides = "SELECT count(*) FROM pg_class WHERE relname ~ '^tombstones_[0-9]+_[0-9]+_[0-9]+$'"
    eventually(lambda: rows(stage, stage.target_database, sides)[0] > 0, 60, "a copy is under way")
    stage.config.run("DELETE FROM pipelines WHERE id = %s", pipeline)
    clean(stage)


@pytest.mark.parametrize("end", ["source", "target"])
def test_f35_deleting_with_an_end_unreachable_is_done_when_it_is_back(stage: Stage, end: str) -> None:
    pipeline = running(stage)
    pid = stage.service.streaming_pid(pipeline)
    with stage.source_away() if end == "source" else stage.target_away():
        stage.config.run("DELETE FROM pipelines WHERE id = %s", pipeline)
        eventually(lambda: not process_exists(pid), 40)
        failing = "SELECT max(attempts) FROM cleanup_tasks WHERE last_error IS NOT NULL"
        eventually(lambda: (stage.config.one(failing) or 0) >= 3, 60, "it is tried again and again")
    clean(stage)


def test_f35_a_destination_that_leaves_is_cleaned_and_the_other_does_not_notice(stage: Stage) -> None:
    pipeline = running(stage)
    pid = stage.service.streaming_pid(pipeline)
    second = stage.config.add_destination(stage.cluster, stage.target_database, pg_schema="copy")
    stage.config.run(
        "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, second
    )
    with Load(stage, 36):
        eventually(lambda: stage.same("lines", "copy.lines") or stage.rows(stage.target_database, "copy.lines"), 60)
        eventually(lambda: f"position of {second}" in left_at_target(stage), 60)
        stage.config.run("DELETE FROM pipeline_destinations WHERE destination_id = %s", second)
        eventually(lambda: f"position of {second}" not in left_at_target(stage), 40, "its position is gone")
        tasks = "SELECT count(*) FROM cleanup_tasks"
        eventually(lambda: stage.config.one(tasks) == 0, 40, "before the minute of grace")
        assert stage.service.streaming_pid(pipeline) == pid
    for table in TABLES:
        eventually(partial(stage.same, table), 60)
    assert [left for left in left_at_target(stage) if str(second) in left.split()] == []
    stage.config.run("DELETE FROM destinations WHERE id = %s", second)


def test_f38_a_pipeline_edited_under_load_skips_nothing(stage: Stage) -> None:
    pipeline = running(stage)
    second = stage.config.add_destination(stage.cluster, stage.target_database, pg_schema="copy")
    streams = "SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'"
    with Load(stage, 38) as load:
        stage.config.run(
            "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, second
        )
        eventually(lambda: stage.config.one(streams) == 4, 60, "a destination joined")
        stage.config.run("UPDATE pipelines SET max_batch_rows = 500, max_queue_rows = 2000 WHERE id = %s", pipeline)
        eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60, "rebuilt with other limits")
        stage.config.run("UPDATE destinations SET name = name || ' renamed'")
        stage.config.run("UPDATE pipelines SET profile = 'fast', name = 'renamed' WHERE id = %s", pipeline)
        stage.config.run(
            "UPDATE table_syncs SET desired_state = 'RESYNC' WHERE table_name = 'lines'"
            " AND pipeline_destination_id = (SELECT id FROM pipeline_destinations WHERE destination_id = %s)",
            second,
        )
        stage.source("ALTER TABLE orders ADD COLUMN extra int")
        done = load.transactions + 400
        eventually(lambda: load.transactions > done, 60)
    for table in TABLES:
        for target in (table, f"copy.{table}"):
            eventually(partial(stage.same, table, target), 90, f"{target} is equal")
