"""Faults of slots under real pipelines: F22-F24 and what mends them, failover slots, F39 idle databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from compute.tests.support.running_transactions import log_them
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(240)]

# By a transaction that stays open. The stream must meet a change of it: one that has only its number keeps nothing.
KEEPING_WAL = "INSERT INTO one VALUES (0, 'not for good')"
_SHOWN = "SELECT status, last_error_code, last_error_remedy FROM pipeline_metadata WHERE pipeline_id = %s"


def ask(stage: Stage, query: str) -> Any:
    """One value of the source."""
    with stage.session(stage.source_database).cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
        return row[0] if row else None


def slot_names(stage: Stage) -> list[str]:
    return (
        ask(
            stage,
            "SELECT COALESCE(array_agg(slot_name::text ORDER BY slot_name), '{}') FROM pg_replication_slots"
            " WHERE database = current_database()",
        )
        or []
    )


def running(stage: Stage, table: str = "one") -> int:
    """A pipeline with one small table, copied and streaming."""
    stage.source(f"CREATE TABLE {table} (id int PRIMARY KEY, v text); INSERT INTO {table} VALUES (1, 'a')")
    pipeline = stage.start_pipeline()
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING" and stage.same(table), 90, "the pipeline runs")
    return pipeline


def shows(stage: Stage, pipeline: int, code: str) -> str:
    """Waits for RESYNC_REQUIRED with `code`; the remedy."""

    def probe() -> bool:
        row = stage.config.row(_SHOWN, pipeline)
        return row is not None and row[:2] == ("RESYNC_REQUIRED", code)

    eventually(probe, 30, f"RESYNC_REQUIRED {code} within 30 s")
    row = stage.config.row(_SHOWN, pipeline)
    assert row is not None
    return str(row[2])


def at_rest(stage: Stage, pipeline: int) -> None:
    """Waits until the pipeline is paused, and its source's server has seen that, too."""
    eventually(lambda: stage.config.observed(pipeline) == "PAUSED", 40)
    active = "SELECT count(*) FROM pg_replication_slots WHERE database = current_database() AND active"
    eventually(lambda: ask(stage, active) == 0, what="nobody uses the slot")


def pause(stage: Stage, pipeline: int) -> None:
    stage.config.set_status(pipeline, "PAUSE")
    at_rest(stage, pipeline)


def mends(stage: Stage, pipeline: int, remedy: str) -> None:
    """The remedy begins with the statement that mends it: everything is copied again."""
    stage.source("INSERT INTO one VALUES (99, 'before the new slot'); DELETE FROM one WHERE id = 1")
    stage.config.run(remedy.split("; then", maxsplit=1)[0])
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60)
    stage.source("INSERT INTO one VALUES (100, 'after it')")
    eventually(lambda: stage.same("one"), 30)
    assert stage.differences("one") == (0, 0)


def test_f22_a_slot_dropped_while_paused_is_shown_at_rest_and_the_remedy_works(stage: Stage) -> None:
    stage.service.environment["SLOT_CHECK_SECONDS"] = "2"
    pipeline = running(stage)
    pause(stage, pipeline)
    stage.source("INSERT INTO one VALUES (2, 'lost with the slot')")
    stage.source(f"SELECT pg_drop_replication_slot('{slot_names(stage)[0]}')")
    remedy = shows(stage, pipeline, "SLOT_MISSING")
    assert slot_names(stage) == []
    mends(stage, pipeline, remedy)


def test_f24_a_slot_that_somebody_else_advanced_needs_a_resync_and_the_remedy_works(stage: Stage) -> None:
    pipeline = running(stage)
    pause(stage, pipeline)
    stage.source("INSERT INTO one VALUES (2, 'stepped over')")
    name = slot_names(stage)[0]
    stage.source(f"SELECT pg_replication_slot_advance('{name}', pg_current_wal_lsn())")
    stage.config.set_status(pipeline, "START")
    remedy = shows(stage, pipeline, "DESTINATION_BEHIND_SLOT")
    assert slot_names(stage) == [name]
    assert not stage.same("one")
    assert "RESYNC" in remedy
    stage.config.run("UPDATE table_syncs SET desired_state = 'RESYNC'")
    eventually(lambda: stage.same("one"), 60, "copied again")
    assert stage.differences("one") == (0, 0)


def test_f24_a_target_that_holds_more_than_the_source_has_needs_a_resync(stage: Stage) -> None:
    """The source was restored from an older copy, and only the target knows how far things were."""
    pipeline = running(stage)
    pause(stage, pipeline)
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("UPDATE _rosetta.progress SET commit_lsn = 'FFFF/0', change_lsn = 'FFFF/0'")
    stage.config.set_status(pipeline, "START")
    remedy = shows(stage, pipeline, "SOURCE_WENT_BACK")
    assert "make the pipeline anew" in remedy
    stage.source("INSERT INTO one VALUES (2, 'not silently passed over')")
    threading.Event().wait(3)
    assert stage.config.observed(pipeline) == "RESYNC_REQUIRED"


def test_f24_a_pipeline_made_anew_takes_over_the_address_of_another_cluster(stage: Stage) -> None:
    pipeline = running(stage)
    pause(stage, pipeline)
    stage.config.run("UPDATE pipelines SET slot_origin = '7000000000000000001/1'")
    stage.config.set_status(pipeline, "START")
    remedy = shows(stage, pipeline, "OTHER_CLUSTER")
    assert f"DELETE FROM pipelines WHERE id = {pipeline};" in remedy
    source, destination = stage.config.row("SELECT p.source_id, d.id FROM pipelines p, destinations d") or (0, 0)
    stage.config.run(f"DELETE FROM pipelines WHERE id = {pipeline}")
    eventually(lambda: stage.config.one("SELECT count(*) FROM cleanup_tasks") == 0, 40, "the old one is cleaned up")
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("DROP TABLE one")
    anew = stage.config.add_pipeline("anew", source, destination)
    eventually(lambda: stage.config.observed(anew) == "RUNNING", 60)
    stage.source("INSERT INTO one VALUES (3, 'c')")
    eventually(lambda: stage.same("one"), 30)


def test_a_budget_drops_the_slot_of_a_running_pipeline_and_the_reason_is_shown(stage: Stage) -> None:
    """A transaction that stays open keeps the WAL of a pipeline that runs well."""
    stage.service.environment["SLOT_CHECK_SECONDS"] = "1"
    pipeline = running(stage)
    holder = stage.cluster.connect(stage.source_database)
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute(KEEPING_WAL)
        stage.config.run(
            "UPDATE pipelines SET wal_budget_bytes = 30000000, wal_budget_policy = 'drop_slot' WHERE id = %s", pipeline
        )
        stage.source("CREATE TABLE filler AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 45000) n")
        remedy = shows(stage, pipeline, "SLOT_DROPPED")
    holder.rollback()
    holder.close()
    assert slot_names(stage) == []
    told = "SELECT message FROM notifications WHERE kind = 'WAL_BUDGET' AND resolved_at IS NULL"
    # The process says so as soon as it sees it, people are told right behind the drop.
    eventually(lambda: "Its slot was dropped" in (stage.config.one(told) or ""), what="people are told")
    stage.config.run("UPDATE pipelines SET wal_budget_bytes = NULL")
    mends(stage, pipeline, remedy)


@pytest.mark.since(17)
def test_a_new_slot_is_a_failover_slot(stage: Stage) -> None:
    pipeline = running(stage)
    assert ask(stage, "SELECT failover FROM pg_replication_slots WHERE database = current_database()") is True
    stage.config.run("UPDATE sources SET slot_failover = false")
    stage.config.run("UPDATE pipelines SET acknowledged_lsn = NULL, status = 'PAUSE' WHERE id = %s", pipeline)
    at_rest(stage, pipeline)
    stage.source(f"SELECT pg_drop_replication_slot('{slot_names(stage)[0]}')")
    stage.config.set_status(pipeline, "START")
    failover = "SELECT failover FROM pg_replication_slots WHERE database = current_database()"
    eventually(lambda: ask(stage, failover) is False, 60, "a new slot that is none")


@pytest.mark.parametrize("quiet", ["no table of the publication changes", "only tables that are not published change"])
def test_f39_an_idle_database_beside_a_busy_one_lets_its_slot_go(stage: Stage, quiet: str) -> None:
    stage.source("CREATE TABLE unpublished (v text)")
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text); INSERT INTO one VALUES (1, 'a')")
    stage.source("CREATE PUBLICATION few FOR TABLE one")
    source = stage.config.add_source(stage.cluster, stage.source_database, "few")
    pipeline = stage.config.add_pipeline(
        "idle", source, stage.config.add_destination(stage.cluster, stage.target_database)
    )
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING" and stage.same("one"), 90)
    flushed = "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE database = current_database()"
    before = ask(stage, flushed)
    log_running = log_them(stage.cluster)
    busy = stage.config.database if quiet.startswith("no table") else stage.source_database
    with stage.session(busy).cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS unpublished (v text)")
        for _ in range(5):
            cursor.execute("INSERT INTO unpublished SELECT repeat(md5(n::text), 30) FROM generate_series(1, 20000) n")
        cursor.execute(log_running)
        cursor.execute("SELECT pg_switch_wal()")
    eventually(lambda: ask(stage, flushed) - before > 90_000_000, 40, "the slot has followed")

    def little() -> bool:
        stage.source(log_running)
        retained = ask(
            stage,
            "SELECT pg_current_wal_lsn() - restart_lsn FROM pg_replication_slots WHERE database = current_database()",
        )
        return bool(retained < 20_000_000)

    eventually(little, 60, "and what it retains is little again")
    lag = "SELECT lag_bytes FROM pipeline_metadata WHERE pipeline_id = %s"
    eventually(lambda: stage.config.one(lag, pipeline) < 100_000, 30, "the lag goes to next to nothing")
