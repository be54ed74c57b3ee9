"""A pipeline changes its engine by one UPDATE, as often as anybody likes, while its source is written to."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import partial

import pytest

from compute.tests.support.side_load import SourceLoad
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = pytest.mark.integration

# What each engine calls its session at the source.
SESSIONS = {EngineKind.DEBEZIUM: "Debezium Streaming", EngineKind.PGOUTPUT: "rosetta engine"}
LOAD = [
    "INSERT INTO notes VALUES (%(n)s, repeat(md5(%(n)s::text), 100), 0)",
    "UPDATE notes SET n = n + 1 WHERE id = %(n)s - 3",
    "UPDATE notes SET id = -id WHERE id = %(n)s - 7",
    "DELETE FROM notes WHERE id = 20 - 3 * %(n)s",
    "INSERT INTO log SELECT 'same' FROM generate_series(1, 2)",
    "INSERT INTO log VALUES ('number ' || %(n)s)",
]


class _Load(SourceLoad):
    """Writes to the source."""

    def transaction(self, _chance: random.Random, _number: int) -> Iterable[str]:
        return (statement % {"n": self.transactions + 1} for statement in LOAD)


def _is_read_by(stage: Stage, engine: EngineKind) -> bool:
    with stage.session(stage.source_database).cursor() as cursor:
        cursor.execute("SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'")
        return SESSIONS[engine] in [name for (name,) in cursor.fetchall()]


def test_switching_engines_five_times_under_load_loses_and_repeats_nothing(stage: Stage) -> None:
    stage.source("CREATE TABLE notes (id bigint PRIMARY KEY, big text, n int)")
    stage.source("ALTER TABLE notes ALTER big SET STORAGE EXTERNAL")
    stage.source("CREATE TABLE log (entry text); ALTER TABLE log REPLICA IDENTITY FULL")
    pipeline = stage.start_pipeline()
    stage.service.start()
    eventually(lambda: stage.config.observed(pipeline) == "RUNNING", 60)
    eventually(lambda: stage.config.one("SELECT count(*) FROM table_syncs WHERE state = 'STREAMING'") == 2, 60)
    with _Load(stage, 0.002):
        for turn in range(5):
            engine = (EngineKind.PGOUTPUT, EngineKind.DEBEZIUM)[turn % 2]
            stage.config.run("UPDATE pipelines SET engine = %s", engine.value)
            eventually(partial(_is_read_by, stage, engine), 60)
    eventually(lambda: stage.same("notes") and stage.same("log"), 60)
    assert stage.differences("notes") == (0, 0)
    assert stage.config.one("SELECT count(*) FROM queue_backfill_data") == 2  # nothing was copied again
    assert stage.config.one("SELECT sum(rows_copied) FROM table_syncs") == 0
