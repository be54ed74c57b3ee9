"""Tables that change their shape under a running pipeline: followed where that is exact, else held with the SQL."""

from __future__ import annotations

import pytest

from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind, SchemaPolicy

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
_TABLES = ("items", "dropped", "renamed", "narrowed", "paused")
_POLICIES = {"paused": SchemaPolicy.PAUSE, "ignored": SchemaPolicy.IGNORE}
_STATE = "SELECT state, error_code FROM table_syncs WHERE table_name = %s"
_COPIED = """
    SELECT count(*) FROM queue_backfill_data WHERE table_name = %s AND kind = 'RESYNC' AND status = 'COMPLETED'"""


class Scene:
    """One pipeline over tables that differ only in what becomes of them."""

    def __init__(self, stage: Stage, engine: EngineKind) -> None:
        self.stage = stage
        for table in (*_TABLES, "ignored"):
            stage.source(
                f"CREATE TABLE {table} (id int PRIMARY KEY, v varchar(5), n bigint, p numeric(6,1));"
                f" INSERT INTO {table} SELECT i, i, i, i / 10.0 FROM generate_series(1, 200) i"
            )
        self.pipeline = stage.start_pipeline()
        stage.config.run("UPDATE pipelines SET engine = %s", engine.value)
        stage.config.run("UPDATE pipeline_destinations SET sync_all_tables = false")
        for table in (*_TABLES, "ignored"):
            stage.config.run(
                "INSERT INTO table_syncs (pipeline_destination_id, table_name, schema_policy)"
                " SELECT id, %s, %s FROM pipeline_destinations",
                table,
                _POLICIES.get(table, SchemaPolicy.EVOLVE),
            )
        stage.service.start()
        self.pid = stage.service.streaming_pid(self.pipeline)
        for table in (*_TABLES, "ignored"):
            self.streams(table)

    def reshape(self, table: str, statement: str, key: int, values: str, columns: str = "id") -> None:
        """The statement in the middle of a transaction with data, some of which only the new shape has room for."""
        self.stage.source(
            f"BEGIN; INSERT INTO {table} (id) VALUES ({key}); UPDATE {table} SET n = n + 1 WHERE id % 10 = 0;"
            f" ALTER TABLE {table} {statement}; INSERT INTO {table} ({columns}) VALUES ({values});"
            f" UPDATE {table} SET n = n - 2 WHERE id % 7 = 0; DELETE FROM {table} WHERE id % 50 = {key % 50}; COMMIT"
        )

    def streams(self, table: str) -> None:
        eventually(lambda: self.stage.config.row(_STATE, table) == ("STREAMING", None), 60, f"{table} streams")
        eventually(lambda: self.stage.same(table), 60, f"{table} is the same")

    def copied_again(self, table: str, times: int) -> None:
        eventually(lambda: self.stage.config.one(_COPIED, table) >= times, 60, f"{table} was copied again")
        self.streams(table)

    def waits(self, table: str) -> str:
        """Until the table is held; returns what mends it."""
        eventually(lambda: self.stage.config.row(_STATE, table) == ("ERROR", "SCHEMA_CHANGED"), 60, f"{table} waits")
        remedy: str = self.stage.config.one("SELECT error_remedy FROM table_syncs WHERE table_name = %s", table)
        return remedy

    def mend(self, remedy: str) -> None:
        with self.stage.session(self.stage.target_database).cursor() as cursor:
            cursor.execute(remedy)
        self.stage.config.run("UPDATE pipeline_destinations SET recover_requested_at = now()")


@pytest.mark.parametrize("engine", list(EngineKind))
def test_tables_change_their_shape_under_a_running_pipeline(stage: Stage, engine: EngineKind) -> None:
    scene = Scene(stage, engine)
    scene.reshape("items", "ADD a int DEFAULT 5, ADD b text DEFAULT now()::text", 1001, "1002, 'x', NULL", "id, v, a")
    scene.streams("items")
    assert stage.config.one(_COPIED, "items") == 0, "a default that does not vary needs no copy"
    scene.reshape("items", "ALTER v TYPE text", 1003, "1004, 'longer than five'", "id, v")
    scene.streams("items")
    assert stage.config.one(_COPIED, "items") == 0, "bytes that serve as well need no copy"
    scene.reshape(
        "items", "ALTER id TYPE bigint, ALTER p TYPE numeric(9,4) USING p * 1.0001", 1005, "5000000000, 1.2345", "id, p"
    )
    scene.copied_again("items", 1)
    scene.reshape("items", "ADD u uuid DEFAULT gen_random_uuid()", 1007, "1008")
    scene.copied_again("items", 2)

    scene.reshape("dropped", "DROP COLUMN v", 1001, "1002")
    scene.reshape("renamed", "RENAME COLUMN v TO w", 1001, "1002, 'w'", "id, w")
    scene.reshape("narrowed", "ALTER n TYPE int", 1001, "1002, 7", "id, n")
    scene.reshape("paused", "ADD a int", 1001, "1002, 7", "id, a")
    scene.reshape("ignored", "ADD a int DEFAULT 5, ALTER v TYPE text", 1001, "1002, 'longer than five'", "id, v")
    held = {table: scene.waits(table) for table in _TABLES[1:]}
    for table in held:
        stage.source(f"UPDATE {table} SET n = 0 WHERE id < 20")
    stage.source("INSERT INTO items (id) VALUES (1010)")
    scene.streams("items")
    assert stage.config.one("SELECT count(*) FROM dlq_records WHERE table_name = 'items'") == 0
    stage.source("CREATE VIEW as_it_was AS SELECT id, v, n, p FROM ignored")
    eventually(
        lambda: stage.rows(stage.source_database, "as_it_was") == stage.rows(stage.target_database, "ignored"), 60
    )
    for remedy in held.values():
        scene.mend(remedy)
    for table in held:
        scene.streams(table)
    scene.copied_again("narrowed", 1)
    assert stage.service.streaming_pid(scene.pipeline) == scene.pid, "a change of shape restarted the pipeline"

    newest = "SELECT table_name, max(version) AS version FROM schema_versions GROUP BY 1"
    versions = stage.config.one(f"SELECT jsonb_object_agg(table_name, version) FROM ({newest}) AS v")
    assert versions == dict.fromkeys((*_TABLES, "ignored"), 2) | {"items": 5}
    assert stage.config.one("SELECT count(*) FROM notifications WHERE kind = 'SCHEMA_CHANGED'") == 6
