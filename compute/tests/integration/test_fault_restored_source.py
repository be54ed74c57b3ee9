"""F23 and F24 for real: WAL removed under a running pipeline, a source put back to an older copy, a promotion."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from compute.tests.integration.test_fault_slots import KEEPING_WAL, mends, running, shows, slot_names
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.restorable import Restorable
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def restorable() -> Iterator[Restorable]:
    folder = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    folder.chmod(0o755)
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password", {"max_wal_size": "64MB"})
    made = Restorable(server, folder / "copy")
    made.server.start()
    made.run("CREATE DATABASE shop")
    yield made
    made.server.stop()
    shutil.rmtree(folder)


def count(stage: Stage) -> int:
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute("SELECT count(*) FROM one")
        row = cursor.fetchone()
        return int(row[0]) if row else -1


def stream_from(restorable: Restorable, stage: Stage) -> int:
    """A pipeline from the restorable source to the stage's target."""
    restorable.run("CREATE TABLE one (id int PRIMARY KEY, v text)", "shop")
    restorable.run("INSERT INTO one VALUES (1, 'a')", "shop")
    restorable.run("CREATE PUBLICATION pub FOR ALL TABLES", "shop")
    source = stage.config.add_source(restorable.server, "shop")
    pipeline = stage.config.add_pipeline(
        "p", source, stage.config.add_destination(stage.cluster, stage.target_database)
    )
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING" and count(stage) == 1, 90)
    return pipeline


def test_f23_wal_removed_under_a_running_pipeline_needs_a_resync_and_the_remedy_works(stage: Stage) -> None:
    """A transaction that stays open keeps the slot back, and the server keeps less for it than that needs."""
    pipeline = running(stage)
    holder = stage.cluster.connect(stage.source_database)
    holder.autocommit = False
    stage.source("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'")
    stage.source("SELECT pg_reload_conf()")
    try:
        with holder.cursor() as cursor:
            cursor.execute(KEEPING_WAL)
            for number in range(4):
                stage.source(
                    f"CREATE TABLE filler_{number} AS SELECT repeat(md5(n::text), 30) FROM generate_series(1, 40000) n"
                )
                stage.source("SELECT pg_switch_wal()")
                stage.source("CHECKPOINT")
            remedy = shows(stage, pipeline, "SLOT_LOST")
        assert len(slot_names(stage)) == 1, "no new slot in its place, and the old one is there to be seen"
    finally:
        holder.rollback()
        holder.close()
        stage.source("ALTER SYSTEM RESET max_slot_wal_keep_size")
        stage.source("SELECT pg_reload_conf()")
    mends(stage, pipeline, remedy)


def test_f24_a_source_put_back_to_an_older_copy_needs_a_resync(
    restorable: Restorable, stage: Stage, config: ConfigSql
) -> None:
    pipeline = stream_from(restorable, stage)
    restorable.take_copy()
    eventually(lambda: config.observed(pipeline) == "RUNNING", 60)
    restorable.run("INSERT INTO one SELECT n, 'of the future' FROM generate_series(2, 5000) n", "shop")
    eventually(lambda: count(stage) == 5000, 30)
    eventually(lambda: config.one("SELECT max(durable_lsn) = max(acknowledged_lsn) FROM pipeline_metadata, pipelines"))
    restorable.put_back()
    remedy = shows(stage, pipeline, "SOURCE_WENT_BACK")
    assert "make the pipeline anew" in remedy
    restorable.run("INSERT INTO one VALUES (2, 'another')", "shop")
    slots = "SELECT count(*) FROM pg_replication_slots WHERE active"
    eventually(lambda: restorable.run(slots) == 0, what="nothing reads on as if nothing had happened")


def test_f24_a_standby_that_holds_all_is_followed_and_one_that_lacks_the_end_is_not(
    restorable: Restorable, stage: Stage, config: ConfigSql
) -> None:
    pipeline = stream_from(restorable, stage)
    config.set_status(pipeline, "PAUSE")
    eventually(lambda: config.observed(pipeline) == "PAUSED", 40)
    restorable.take_copy()
    restorable.promote_copy()
    restorable.run("INSERT INTO one VALUES (2, 'on the new timeline')", "shop")
    config.set_status(pipeline, "START")
    eventually(lambda: count(stage) == 2, 60, "a promotion that lost nothing is followed")
    origin = "SELECT slot_origin FROM pipelines"
    eventually(lambda: str(config.one(origin)).endswith("/2"), what="the new timeline is known")

    config.set_status(pipeline, "PAUSE")
    eventually(lambda: config.observed(pipeline) == "PAUSED", 40)
    restorable.take_copy()
    config.set_status(pipeline, "START")
    restorable.run("INSERT INTO one VALUES (3, 'not on the standby')", "shop")
    eventually(lambda: count(stage) == 3, 60)
    config.set_status(pipeline, "PAUSE")
    eventually(lambda: config.observed(pipeline) == "PAUSED", 40)
    restorable.promote_copy()
    restorable.run("CREATE TABLE filler AS SELECT n FROM generate_series(1, 200000) n", "shop")  # far beyond that end
    config.set_status(pipeline, "START")
    shows(stage, pipeline, "SOURCE_WENT_BACK")
