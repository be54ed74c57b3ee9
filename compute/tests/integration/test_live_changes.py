"""Destinations and tables that join, leave and come back while the stream goes on: exact, and nobody else notices."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from compute.tests.support.copy_load import SCHEMA, TABLES, Writers
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration, pytest.mark.timeout(400)]
_ARRIVES_SECONDS = 8.0  # on a machine with other things to do; what matters is that no copy is waited for


class Scene:
    """A pipeline under load, with destinations in databases of their own."""

    def __init__(self, stage: Stage, new_database: Callable[[], str]) -> None:
        self.stage = stage
        self._new_database = new_database
        self._marks = 0
        stage.source(SCHEMA)
        stage.source("CREATE TABLE marks (id int PRIMARY KEY)")
        stage.service.environment["BACKFILL_BATCH_SIZE"] = "50"
        self.pipeline = stage.start_pipeline()
        self.first = stage.config.one("SELECT id FROM destinations")
        self.databases = {self.first: stage.target_database}
        stage.service.start()
        self.pid = stage.service.streaming_pid(self.pipeline)
        self.streams(self.first)
        self.writer = self.writer_pid(self.first)

    def another(self) -> int:
        """A destination that the pipeline does not feed yet."""
        database = self._new_database()
        destination: int = self.stage.config.add_destination(self.stage.cluster, database)
        self.databases[destination] = database
        return destination

    def join(self, destination: int) -> None:
        self.stage.config.run(
            "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)",
            self.pipeline,
            destination,
        )

    def leave(self, destination: int) -> None:
        self.stage.config.run("DELETE FROM pipeline_destinations WHERE destination_id = %s", destination)

    def streams(self, destination: int) -> None:
        """Waits until every table of the destination streams."""
        query = (
            "SELECT count(*) FILTER (WHERE t.state = 'STREAMING') = count(*) AND count(*) > %s FROM table_syncs t"
            " JOIN pipeline_destinations pd ON pd.id = t.pipeline_destination_id WHERE pd.destination_id = %s"
        )
        eventually(lambda: self.stage.config.one(query, len(TABLES), destination), 200, f"{destination} streams")

    def copies(self, destination: int, chunks: int = 3) -> None:
        """Waits until a copy to the destination has begun, and is not over."""
        query = (
            "SELECT COALESCE(sum(chunks_done), 0) FROM queue_backfill_data WHERE destination_ids = ARRAY[%s]::bigint[]"
        )
        reached = self.stage.config.one(query, destination)
        eventually(lambda: self.stage.config.one(query, destination) >= reached + chunks, 60, "chunks are merged")

    def writer_pid(self, destination: int) -> int:
        """The first destination's writer, as its server knows it."""
        with self.stage.session("postgres").cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND datname = %s",
                (f"rosetta writer {self.pipeline}/{destination}", self.databases[destination]),
            )
            (row,) = cursor.fetchall()
            return int(row[0])

    def first_is_undisturbed(self) -> None:
        """What is written now arrives at the first destination soon, by the same process and the same session."""
        self._marks += 1
        self.stage.source(f"INSERT INTO marks VALUES ({self._marks})")
        eventually(lambda: self.stage.same("marks"), _ARRIVES_SECONDS, "a mark arrives")
        assert self.stage.service.streaming_pid(self.pipeline) == self.pid
        assert self.writer_pid(self.first) == self.writer

    def assert_same(self, *destinations: int) -> None:
        for destination in destinations:
            database = self.databases[destination]
            for table in (*TABLES, "marks"):
                eventually(
                    lambda t=table, d=database: self.stage.rows(self.stage.source_database, t) == self.stage.rows(d, t),  # type: ignore[misc]
                    90,
                    f"{table} is the same at {destination}",
                )


@pytest.fixture
def scene(stage: Stage, new_database: Callable[[], str]) -> Scene:
    return Scene(stage, new_database)


def test_a_destination_joins_leaves_and_comes_back_under_load(scene: Scene) -> None:
    second = scene.another()
    with Writers(scene.stage) as writers:
        scene.join(second)
        scene.copies(second)
        scene.first_is_undisturbed()
        scene.leave(second)  # while its tables are copied
        scene.first_is_undisturbed()
        scene.join(second)
        scene.streams(second)
        scene.leave(second)
        reached = writers.transactions
        eventually(lambda: writers.transactions > reached + 50, 60, "it misses changes")
        scene.join(second)  # its progress row is still there
        scene.copies(second, 1)
        scene.first_is_undisturbed()
        scene.streams(second)
        scene.first_is_undisturbed()
    scene.assert_same(scene.first, second)
    states = scene.stage.config.row("SELECT array_agg(DISTINCT state), array_agg(DISTINCT error_code) FROM table_syncs")
    assert states == (["STREAMING"], [None])


def test_tables_leave_and_come_back_and_go_to_several_targets(scene: Scene) -> None:
    config, sync = scene.stage.config, "SELECT id FROM pipeline_destinations WHERE destination_id = %s"
    joined = config.one(sync, scene.first)
    with Writers(scene.stage) as writers:
        config.run("UPDATE pipeline_destinations SET sync_all_tables = false")
        config.run("DELETE FROM table_syncs WHERE table_name IN ('words', 'numbers')")
        reached = writers.transactions
        eventually(lambda: writers.transactions > reached + 50, 60, "they miss changes")
        scene.first_is_undisturbed()
        for name in ("words", "numbers"):
            config.run("INSERT INTO table_syncs (pipeline_destination_id, table_name) VALUES (%s, %s)", joined, name)
        config.run(
            "INSERT INTO table_syncs (pipeline_destination_id, table_name, target_name, delete_mode)"
            " VALUES (%s, 'numbers', 'numbers_kept', 'soft'), (%s, 'pairs', 'pairs_again', 'hard')",
            joined,
            joined,
        )
        scene.copies(scene.first)
        scene.first_is_undisturbed()
        scene.streams(scene.first)
        scene.first_is_undisturbed()
    scene.assert_same(scene.first)
    stage = scene.stage
    live = "(SELECT * FROM numbers_kept WHERE NOT _rosetta_deleted) AS live"
    with stage.session(stage.target_database).cursor() as cursor:
        cursor.execute(f"CREATE VIEW numbers_live AS SELECT id, big, n FROM {live}")
    eventually(lambda: stage.same("numbers", "numbers_live"), 60, "the soft one is the same")
    eventually(lambda: stage.same("pairs", "pairs_again"), 60, "the second one is the same")


def test_destinations_of_unequal_progress_go_on_where_each_is(scene: Scene) -> None:
    second, third = scene.another(), scene.another()
    scene.join(second)
    scene.streams(second)
    stage = scene.stage
    with Writers(stage) as writers:
        with stage._away(scene.databases[second]):
            reached = writers.transactions
            eventually(lambda: writers.transactions > reached + 50, 60, "one falls behind")
            scene.first_is_undisturbed()
            scene.join(third)
            scene.copies(third)
            os.kill(scene.pid, signal.SIGKILL)
            scene.pid = stage.service.streaming_pid(scene.pipeline, other_than=scene.pid)
            reached = writers.transactions
            eventually(lambda: writers.transactions > reached + 50, 60, "and further")
        scene.streams(third)
        scene.streams(second)
    scene.assert_same(scene.first, second, third)


def test_a_label_that_an_enum_gets_while_the_stream_runs_arrives(stage: Stage) -> None:
    stage.source(
        "CREATE TYPE mood AS ENUM ('sad', 'happy');"
        " CREATE TABLE feelings (id int PRIMARY KEY, one mood, several mood[]);"
        " INSERT INTO feelings VALUES (1, 'sad', '{happy,sad}')"
    )
    pipeline = stage.start_pipeline()
    stage.service.start()
    pid = stage.service.streaming_pid(pipeline)
    eventually(lambda: stage.same("feelings"), 60, "the first copy is there")
    for number, label in enumerate(("fine", "so-so", "it''s"), 2):
        stage.source(f"ALTER TYPE mood ADD VALUE '{label}' BEFORE 'happy'")
        stage.source(f"INSERT INTO feelings VALUES ({number}, '{label}', '{{sad}}')")
        stage.source("UPDATE feelings SET several = several || one")
    eventually(lambda: stage.same("feelings"), 60, "rows with the new labels are there")
    streams = ("STREAMING", None)  # rows may be there before their copy has ended
    eventually(lambda: stage.config.row("SELECT state, error_code FROM table_syncs") == streams, 30, "it streams")
    assert stage.config.one("SELECT count(*) FROM dlq_records") == 0
    assert stage.service.streaming_pid(pipeline) == pid
