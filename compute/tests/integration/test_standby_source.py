"""A source that is a standby: its primary is written to, and everything that Rosetta does is done at the standby."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from compute.tests.support.side_load import SourceLoad
from compute.tests.support.stage import Stage
from compute.tests.support.standby import Standby
from compute.tests.support.waiting import eventually
from rosetta.local.postgres import PostgresCluster

pytestmark = [pytest.mark.integration, pytest.mark.since(16), pytest.mark.timeout(300)]

WRITES = (
    "INSERT INTO one VALUES (10000 + %(n)s, 'new')",
    "UPDATE one SET v = 'changed by %(n)s' WHERE id = 1 + 37 * %(n)s %% 3000",
    "UPDATE one SET id = -id WHERE id = 1 + 13 * %(n)s %% 3000",
    "DELETE FROM one WHERE id = 10000 + %(n)s - 5",
)


@pytest.fixture
def standby(cluster: PostgresCluster) -> Iterator[Standby]:
    """To be named before `stage`, which then has stopped reading it when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-standby-"))
    folder.chmod(0o755)
    made = Standby(cluster, folder)
    yield made
    made.close()


class _Load(SourceLoad):
    """Writes at the primary, some in transactions that last a while."""

    def transaction(self, _chance: random.Random, _number: int) -> Iterable[str]:
        turn = self.transactions + 1
        if turn % 20 == 1:
            yield "BEGIN"
        yield from (statement % {"n": turn} for statement in WRITES)
        if turn % 20 == 10:
            yield "COMMIT"


def _pipeline_from(stage: Stage, standby: Standby) -> int:
    stage.source("CREATE PUBLICATION pub FOR ALL TABLES")
    source_id = stage.config.add_source(standby.server, stage.source_database)
    destination_id = stage.config.add_destination(stage.cluster, stage.target_database)
    return stage.config.add_pipeline("p", source_id, destination_id)


@pytest.mark.engine("debezium")
def test_a_standby_is_a_source(standby: Standby, stage: Stage) -> None:
    stage.source("CREATE TABLE one (id int PRIMARY KEY, v text); CREATE TABLE log (v text)")
    stage.source("ALTER TABLE log REPLICA IDENTITY FULL; INSERT INTO log VALUES ('a'), ('a')")
    stage.source("INSERT INTO one SELECT n, md5(n::text) FROM generate_series(1, 3000) n")
    pipeline = _pipeline_from(stage, standby)
    eventually(standby.has_replayed, 30)
    stage.service.environment["BACKFILL_BATCH_SIZE"] = "100"
    stage.service.start()
    # a slot can only be made once the primary has written down what is running there
    code = "SELECT last_error_code FROM pipeline_metadata"
    snapshots = stage.session(stage.source_database).cursor()

    def refused() -> bool:
        snapshots.execute("SELECT pg_log_standby_snapshot()")
        return bool(stage.config.one(code) == "STANDBY_ENGINE")

    eventually(refused, 60, "only one engine reads standbys, and the other one says so")
    remedy = str(stage.config.one("SELECT last_error_remedy FROM pipeline_metadata"))
    assert remedy.startswith("UPDATE pipelines SET engine = 'pgoutput'")
    stage.config.run("UPDATE pipelines SET engine = 'pgoutput', status = 'START' WHERE id = %s", pipeline)
    with _Load(stage, 0.002):
        eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60)
        streaming = "SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'"
        eventually(lambda: stage.config.one(streaming) == 2, 90, "both tables are copied")
        jobs = "SELECT count(*) FROM queue_backfill_data WHERE status = 'COMPLETED'"
        eventually(lambda: stage.config.one(jobs) == 2, 90, "and their jobs are at their end")
        stage.config.run("UPDATE table_syncs SET desired_state = 'RESYNC' WHERE table_name = 'one'")
        eventually(lambda: stage.config.one(jobs) == 3, 90, "and again, by comparison")
        stage.source("INSERT INTO log VALUES ('b')")
    eventually(lambda: stage.same("one") and stage.same("log"), 60, "the target is what the primary is")
    assert stage.differences("one") == (0, 0)
    _the_slot_of_a_quiet_database_moves(stage, standby)


def _the_slot_of_a_quiet_database_moves(stage: Stage, standby: Standby) -> None:
    """By what its stream says, for nothing can be written there."""
    with closing(standby.server.connect(stage.source_database)) as session, session.cursor() as cursor:

        def flushed() -> int:
            cursor.execute(
                "SELECT confirmed_flush_lsn - '0/0'::pg_lsn FROM pg_replication_slots WHERE database = %s",
                (stage.source_database,),
            )
            return int(cursor.fetchall()[0][0])

        reached = flushed()
        with stage.session("postgres").cursor() as elsewhere:
            elsewhere.execute("CREATE TABLE noise AS SELECT repeat('x', 1000) FROM generate_series(1, 30000)")
            elsewhere.execute("DROP TABLE noise; SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
            end = int(elsewhere.fetchall()[0][0])
        assert end - reached > 20_000_000
        eventually(lambda: flushed() > end - 20_000_000, 60, "the slot follows")
    stage.source("INSERT INTO one VALUES (-1000000, 'behind it')")
    eventually(lambda: stage.same("one"), 30, "and what comes then is there")
