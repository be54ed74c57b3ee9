"""One slot, two Snowflake accounts and a PostgreSQL: emulated accounts, everything else is real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from compute.destinations.snowflake.session import Session
from compute.tests.support.snowflake_double import SnowflakeDouble, new_key
from compute.tests.support.stage import Stage
from compute.tests.support.waiting import eventually
from rosetta.errors import DataError
from rosetta.snowflake import snowflake_endpoint

pytestmark = pytest.mark.integration
_ROWS = "id, name, amount::text, at::text, doc::text"


@contextmanager
def looking(config: dict[str, object]) -> Iterator[Session]:
    session = Session(snowflake_endpoint(config), "test")
    session.connect()
    yield session
    session.close()


def rows(session: Session) -> list[tuple[object, ...]]:
    """As the source prints them; nothing while the table is not there."""
    sql = (
        'SELECT "ID", "NAME", TO_VARCHAR("AMOUNT"), TO_VARCHAR("AT"), TO_JSON("DOC") FROM "PUBLIC"."ORDERS" '
        'ORDER BY "ID"'
    )
    try:
        found = session.rows(sql, "looking")
    except DataError:
        return []
    return [(int(number), name, amount, at[:19], json.loads(doc)) for number, name, amount, at, doc in found]


def source_rows(stage: Stage) -> list[tuple[object, ...]]:
    with stage.session(stage.source_database).cursor() as cursor:
        cursor.execute(f"SELECT {_ROWS} FROM orders ORDER BY id")
        return [(*row[:3], row[3][:19], json.loads(row[4])) for row in cursor.fetchall()]


def add_snowflake(stage: Stage, pipeline: int, name: str, config: dict[str, object]) -> None:
    destination = stage.config.one(
        "INSERT INTO destinations (name, type, config) VALUES (%s, 'SNOWFLAKE', %s) RETURNING id",
        name,
        json.dumps(config),
    )
    stage.config.run(
        "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, destination
    )


def verify_and_repair(stage: Stage, pipeline: int, session: Session) -> dict[str, Any]:
    """Tampers with two rows of the first account; the report of a verification that may mend what it finds."""
    session.run("""UPDATE "PUBLIC"."ORDERS" SET "NAME" = 'tampered' WHERE "ID" = 3""", "tampering")
    session.run('DELETE FROM "PUBLIC"."ORDERS" WHERE "ID" = 5', "tampering")
    run = stage.config.one(
        "INSERT INTO verify_runs (pipeline_id, destination_id, repair) SELECT %s, id, true FROM destinations "
        "WHERE name = 'account one' RETURNING id",
        pipeline,
    )

    def report() -> Any:
        stage.source("UPDATE orders SET name = name WHERE id = 2")  # what differs is settled once the target went on
        return stage.config.one("SELECT report FROM verify_runs WHERE id = %s AND completed_at IS NOT NULL", run)

    found: dict[str, Any] = eventually(report, 60)
    return found


def test_two_accounts_and_a_postgresql_follow_one_slot(stage: Stage, snowflake: SnowflakeDouble) -> None:
    private, public = new_key()
    snowflake.control(users={"TESTING.OTHER": [public]})
    first = snowflake.config(snowflake.new_database(), snowflake_flush_seconds=0.5)
    second = snowflake.config(
        snowflake.new_database(),
        snowflake_user="OTHER",
        snowflake_private_key=private,
        snowflake_flush_seconds=0.5,
    )
    stage.source(
        "CREATE TABLE orders (id bigint PRIMARY KEY, name text, amount numeric(10,2), at timestamptz, doc jsonb)"
    )
    stage.source(
        "INSERT INTO orders SELECT n, 'name ' || n, n / 3.0, '2024-01-01T00:00:00Z'::timestamptz + n * interval '1 s', "
        "jsonb_build_object('n', n, 'text', repeat(md5(n::text), 200)) FROM generate_series(1, 300) n"
    )
    pipeline = stage.start_pipeline()
    stage.config.run("UPDATE pipelines SET engine = 'pgoutput'")
    for name, config in (("account one", first), ("account two", second)):
        add_snowflake(stage, pipeline, name, config)
    with looking(first) as one, looking(second) as two:
        stage.service.start()
        eventually(lambda: stage.same("orders"), 60)
        eventually(lambda: rows(one) == rows(two) == source_rows(stage), 60)

        stage.source("INSERT INTO orders VALUES (1001, 'new', 0.10, now(), '[]')")
        stage.source("UPDATE orders SET name = 'changed' WHERE id % 7 = 0")
        stage.source("UPDATE orders SET id = id + 5000 WHERE id % 50 = 0")
        stage.source("DELETE FROM orders WHERE id % 11 = 0")
        eventually(lambda: stage.same("orders"), 30)
        eventually(lambda: rows(one) == rows(two) == source_rows(stage), 60)

        (verified,) = verify_and_repair(stage, pipeline, one)["destinations"]
        (table,) = verified["tables"]
        assert (verified["outcome"], table["changed"], table["missing"], table["extra"]) == ("DIFFERENT", 1, 1, 0)
        assert (table["resync_asked"], table["reason"]) == (True, "of doc only whether there is a value was compared")
        eventually(lambda: rows(one) == source_rows(stage), 60)

    # One account no longer lets its user in: the others go on, and what it misses waits in its ledger.
    snowflake.control(users={"TESTING.OTHER": []}, end_sessions=True)
    stage.source("UPDATE orders SET amount = amount + 1")
    eventually(lambda: stage.same("orders"), 30)
    with looking(first) as one:
        eventually(lambda: rows(one) == source_rows(stage), 60)
    stage.source("DELETE FROM orders WHERE id % 13 = 0")
    eventually(lambda: stage.config.one("SELECT count(*) FROM dlq_records WHERE state = 'PARKED'"), 60)
    failed = (
        "SELECT last_error_code FROM pipeline_metadata m JOIN destinations d ON d.id = m.destination_id "
        "WHERE d.name = %s"
    )
    eventually(lambda: stage.config.one(failed, "account two") == "KEY_REJECTED", 30)
    snowflake.control(users={"TESTING.OTHER": [public]})
    with looking(second) as two:
        eventually(lambda: rows(two) == source_rows(stage), 90)
    eventually(lambda: stage.config.one("SELECT count(*) FROM dlq_records WHERE state = 'PARKED'") == 0, 60)
