"""Direct SQL is a public interface: the statements of the documents work as typed, and act like the API."""

from __future__ import annotations

import json
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from rosetta.dialects.postgres import startup_options
from rosetta.local.postgres import PostgresCluster
from rosetta.tests.config.conftest import SEED_FILE

pytestmark = pytest.mark.integration

Connection = psycopg2.extensions.connection

SOURCE = """
INSERT INTO sources (name, pg_host, pg_port, pg_database, pg_username, pg_password, publication_name, replication_id)
VALUES ('my_postgres', 'localhost', 5432, 'mydb', 'user', 'pass', 'my_pub', 1);
"""
DESTINATION = """
INSERT INTO destinations (name, snowflake_account, snowflake_user, snowflake_db, snowflake_schema, snowflake_role,
  snowflake_private_key_path, snowflake_private_key_passphrase)
VALUES ('snow', 'acme', 'U', 'DB', 'S', 'R', '/keys/rsa_key.p8', 'phrase');
"""
PIPELINE = "INSERT INTO pipelines (name, source_id, destination_id, status) VALUES ('LANDING_USERS', 1, 1, 'START');"
STATUS = "UPDATE pipelines SET status = '{}' WHERE name = 'LANDING_USERS';"


@pytest.fixture
def database(cluster: PostgresCluster, psql_database: str) -> Iterator[Connection]:
    with closing(cluster.connect(psql_database)) as connection:
        yield connection


def rows(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def test_statements_of_the_documents_work_as_typed(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE):
        rows(database, statement)
    assert rows(database, "SELECT status FROM pipelines") == [("START",)]
    assert len(rows(database, "SELECT * FROM pipeline_metadata")) == 1
    for wish, shown in (("PAUSE", "PAUSING"), ("START", "STARTING"), ("REFRESH", "RESTARTING")):
        rows(database, STATUS.format(wish))
        assert rows(database, "SELECT status FROM pipelines") == [(wish,)]
        assert rows(database, "SELECT status FROM pipeline_metadata") == [(shown,)]
    joined = rows(
        database,
        "SELECT p.name, pm.health_status, pm.wal_size, pm.last_success_time"
        " FROM pipelines p JOIN pipeline_metadata pm ON p.id = pm.pipeline_id;",
    )
    assert joined == [("LANDING_USERS", "UNKNOWN", None, None)]


def test_compute_ending_a_refresh_is_no_new_wish(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE, STATUS.format("REFRESH")):
        rows(database, statement)
    rows(database, "UPDATE pipeline_metadata SET status = 'RUNNING'")
    rows(database, STATUS.format("START"))
    assert rows(database, "SELECT status FROM pipeline_metadata") == [("RUNNING",)]


def test_flat_snowflake_columns_fold_into_config(database: Connection) -> None:
    rows(database, DESTINATION)
    ((kind, config, left),) = rows(
        database,
        "SELECT type, config, num_nonnulls(snowflake_account, snowflake_user, snowflake_db, snowflake_schema,"
        " snowflake_role, snowflake_private_key_path, snowflake_private_key_passphrase) FROM destinations",
    )
    assert kind == "SNOWFLAKE"
    assert left == 0
    assert config == {
        "snowflake_account": "acme",
        "snowflake_user": "U",
        "snowflake_database": "DB",
        "snowflake_schema": "S",
        "snowflake_role": "R",
        "snowflake_private_key_path": "/keys/rsa_key.p8",
        "snowflake_private_key_passphrase": "phrase",
    }
    rows(database, "UPDATE destinations SET snowflake_role = 'R2', snowflake_warehouse = 'W'")
    ((updated,),) = rows(database, "SELECT config FROM destinations")
    assert updated == config | {"snowflake_role": "R2", "snowflake_warehouse": "W"}


def test_destination_id_becomes_a_join_row(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE):
        rows(database, statement)
    rows(database, "INSERT INTO destinations (name, type) VALUES ('pg', 'POSTGRESQL')")
    rows(database, "UPDATE pipelines SET destination_id = 2")
    rows(database, "UPDATE pipelines SET destination_id = 2")
    assert rows(database, "SELECT destination_id FROM pipelines") == [(None,)]
    joined = [(1, 1), (1, 2)]
    for table in ("pipeline_destinations", "pipeline_metadata"):
        assert rows(database, f"SELECT pipeline_id, destination_id FROM {table} ORDER BY 2") == joined


def test_several_pipelines_in_one_statement_keep_their_own_destinations(database: Connection) -> None:
    rows(database, SOURCE)
    rows(database, "INSERT INTO destinations (name, type) SELECT 'd' || n, 'POSTGRESQL' FROM generate_series(1, 3) n")
    rows(
        database,
        "INSERT INTO pipelines (name, source_id, destination_id) SELECT 'p' || n, 1, n FROM generate_series(1, 3) n",
    )
    pairs = rows(
        database,
        "SELECT p.name, d.name FROM pipelines p JOIN pipeline_destinations pd ON pd.pipeline_id = p.id"
        " JOIN destinations d ON d.id = pd.destination_id ORDER BY 1",
    )
    assert pairs == [("p1", "d1"), ("p2", "d2"), ("p3", "d3")]


def test_a_destination_that_does_not_exist_is_refused(database: Connection) -> None:
    rows(database, SOURCE)
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        rows(database, PIPELINE)
    assert rows(database, "SELECT 1 FROM pipelines") == []


def test_replication_id_left_out_is_the_sources_id(database: Connection) -> None:
    rows(
        database,
        "INSERT INTO sources (id, name, pg_host, pg_database, pg_username, publication_name)"
        " VALUES (41, 's', 'h', 'd', 'u', 'p')",
    )
    assert rows(database, "SELECT replication_id, pg_port, sslmode FROM sources") == [(41, 5432, "prefer")]


def test_deleting_a_pipeline_queues_what_must_be_undone_and_leaves_nothing(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE):
        rows(database, statement)
    rows(database, "INSERT INTO pipelines (name, source_id, destination_id) VALUES ('second', 1, 1)")
    rows(database, "UPDATE sources SET publication_owned = true")
    rows(database, "UPDATE pipelines SET slot_name = 'rosetta_1_' || id")
    rows(
        database,
        "INSERT INTO table_syncs (pipeline_destination_id, table_name) SELECT id, 't' FROM pipeline_destinations",
    )
    rows(database, "DELETE FROM pipelines WHERE name = 'second'")
    queued = "SELECT kind, source_id, object_name FROM cleanup_tasks WHERE kind <> 'DROP_STAGING' ORDER BY id"
    staging = "SELECT destination_id, object_name FROM cleanup_tasks WHERE kind = 'DROP_STAGING' ORDER BY id"
    assert rows(database, queued) == [("DROP_SLOT", 1, "rosetta_1_2")]
    assert rows(database, staging) == [(1, "2")]
    rows(database, "DELETE FROM pipelines")
    assert rows(database, staging) == [(1, "2"), (1, "1")]
    assert rows(database, queued)[1:] == [("DROP_SLOT", 1, "rosetta_1_1"), ("DROP_PUBLICATION", 1, "my_pub")]
    for table in ("pipeline_destinations", "pipeline_metadata", "table_syncs"):
        assert rows(database, f"SELECT 1 FROM {table}") == []
    # 23001 since PostgreSQL 18, 23503 before.
    with pytest.raises((psycopg2.errors.RestrictViolation, psycopg2.errors.ForeignKeyViolation)):
        rows(database, "DELETE FROM sources")


def test_several_pipelines_deleted_at_once_drop_the_publication_once(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE):
        rows(database, statement)
    rows(database, "INSERT INTO pipelines (name, source_id) VALUES ('second', 1)")
    rows(database, "UPDATE sources SET publication_owned = true")
    rows(database, "DELETE FROM pipelines")
    assert rows(database, "SELECT kind FROM cleanup_tasks") == [("DROP_PUBLICATION",)]


def test_two_sessions_that_delete_the_last_two_pipelines_drop_the_publication(
    cluster: PostgresCluster, psql_database: str, database: Connection
) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE):
        rows(database, statement)
    rows(database, "INSERT INTO pipelines (name, source_id) VALUES ('second', 1)")
    rows(database, "UPDATE sources SET publication_owned = true")
    with closing(cluster.connect(psql_database)) as one, closing(cluster.connect(psql_database)) as two:
        one.autocommit = False
        rows(one, "DELETE FROM pipelines WHERE name = 'second'")
        delete = "DELETE FROM pipelines WHERE name = 'LANDING_USERS'"
        other = threading.Thread(target=rows, args=(two, delete), daemon=True)
        other.start()
        waiting = f"SELECT 1 FROM pg_stat_activity WHERE pid = {two.info.backend_pid} AND wait_event_type = 'Lock'"
        deadline = time.monotonic() + 20
        while not rows(database, waiting):
            assert other.is_alive(), "the second DELETE did not wait for the first"
            assert time.monotonic() < deadline
        one.commit()
        other.join(10)
    assert rows(database, "SELECT kind FROM cleanup_tasks") == [("DROP_PUBLICATION",)]


def test_removing_a_destination_forgets_what_was_observed(database: Connection) -> None:
    for statement in (SOURCE, DESTINATION, PIPELINE, "DELETE FROM pipeline_destinations"):
        rows(database, statement)
    assert rows(database, "SELECT 1 FROM pipeline_metadata") == []


def test_triggers_work_in_a_session_with_another_search_path(cluster: PostgresCluster, psql_database: str) -> None:
    with closing(psycopg2.connect(cluster.dsn(psql_database), options=startup_options())) as connection:
        for statement in (SOURCE, DESTINATION, PIPELINE, STATUS.format("PAUSE"), "DELETE FROM pipelines"):
            for table in ("sources", "destinations", "pipelines"):
                statement = statement.replace(f"INTO {table} ", f"INTO public.{table} ")  # noqa: PLW2901
            rows(
                connection,
                statement.replace("UPDATE ", "UPDATE public.").replace("DELETE FROM ", "DELETE FROM public."),
            )
        assert rows(connection, "SELECT 1 FROM public.pipeline_metadata") == []


@pytest.mark.parametrize(
    ("statement", "heard"),
    [
        (PIPELINE, {("pipelines", "INSERT"), ("pipeline_destinations", "INSERT")}),
        (STATUS.format("PAUSE"), {("pipelines", "UPDATE")}),
        ("UPDATE pipelines SET acknowledged_lsn = '0/1'", set()),
        ("UPDATE pipeline_metadata SET heartbeat_at = now()", set()),
        ("UPDATE table_syncs SET state = 'COPYING', rows_copied = 5", set()),
        ("UPDATE table_syncs SET desired_state = 'RESYNC'", {("table_syncs", "UPDATE")}),
        ("UPDATE sources SET pg_password = 'new-canary'", {("sources", "UPDATE")}),
        (
            "DELETE FROM pipelines",
            {("pipelines", "DELETE"), ("pipeline_destinations", "DELETE"), ("table_syncs", "DELETE")},
        ),
    ],
)  # fmt: skip
def test_wishes_wake_the_services_and_progress_does_not(
    cluster: PostgresCluster, psql_database: str, database: Connection, statement: str, heard: set[tuple[str, str]]
) -> None:
    before = [SOURCE, DESTINATION]
    if statement != PIPELINE:
        before += [PIPELINE, "INSERT INTO table_syncs (pipeline_destination_id, table_name) VALUES (1, 't')"]
    for each in before:
        rows(database, each)
    with closing(cluster.connect(psql_database)) as listener:
        rows(listener, "LISTEN rosetta_config")
        rows(database, statement)
        rows(database, "SELECT pg_notify('rosetta_config', 'end')")
        payloads: list[str] = []
        while "end" not in payloads:
            assert select.select([listener], [], [], 10)[0]
            listener.poll()
            payloads += [notify.payload for notify in listener.notifies]
            listener.notifies.clear()
    assert not any("canary" in payload for payload in payloads)
    assert {(found["table"], found["op"]) for found in map(json.loads, payloads[:-1])} == heard


def test_updated_at_moves(database: Connection) -> None:
    for statement in (SOURCE, "UPDATE sources SET pg_host = 'other'"):
        rows(database, statement)
    assert rows(database, "SELECT updated_at > created_at FROM sources") == [(True,)]


def test_worked_example_loads_twice(
    psql_database: str, psql: Callable[[str, Path], None], database: Connection
) -> None:
    for _ in range(2):
        psql(psql_database, SEED_FILE)
    assert rows(database, "SELECT name, status FROM pipelines") == [("LANDING_SHOP", "PAUSE")]
    assert rows(database, "SELECT name, type FROM destinations ORDER BY id") == [
        ("warehouse", "POSTGRESQL"),
        ("analytics", "SNOWFLAKE"),
    ]
    assert rows(database, "SELECT status, health_status FROM pipeline_metadata") == [("PAUSED", "UNKNOWN")]
    for table in ("sources", "pipeline_destinations", "table_syncs", "presets", "tags", "table_sync_tags"):
        assert len(rows(database, f"SELECT 1 FROM {table}")) == 1, table
