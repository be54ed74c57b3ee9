"""Sessions of the config database: no dead one is handed out, nothing half done stays, nobody waits for ever."""

from __future__ import annotations

from collections.abc import Callable

import psycopg2
import pytest

from compute.core.catalog.database import ConfigDatabase, Fence
from compute.core.catalog.pool import Connection, Pool
from compute.core.catalog.session import Session
from compute.tests.support.config_database import ConfigSql
from rosetta.errors import DataError, FencedError, OutageError

_PID = "SELECT pg_backend_pid()"
_NOTE = (
    "INSERT INTO notifications (kind, severity, dedup_key, title, message)"
    " VALUES ('TEST', 'INFO', %(title)s, %(title)s, '')"
)


def notes(config: ConfigSql) -> int:
    return int(config.one("SELECT count(*) FROM notifications WHERE kind = 'TEST'"))


def fail(database: ConfigDatabase, cause: Callable[[Session], object]) -> None:
    with database.transaction() as session:
        session.execute(_NOTE, {"title": "lost"})
        cause(session)


def test_a_dead_connection_is_replaced_and_a_failed_transaction_leaves_nothing(config: ConfigSql) -> None:
    database = ConfigDatabase(config.url, application="test", connections=2)
    with database.transaction() as session, database.transaction() as other:
        pids = {session.execute(_PID).scalar(), other.execute(_PID).scalar()}
    with database.transaction() as session:
        assert session.execute(_PID).scalar() in pids, "sessions are kept"
    for pid in pids:
        config.run("SELECT pg_terminate_backend(%s, 5000)", pid)
    with database.transaction() as session:
        fresh = session.execute(_PID).scalar()
        session.execute(_NOTE, {"title": "kept"})
    assert fresh not in pids
    assert notes(config) == 1
    causes: list[tuple[type[Exception], Callable[[Session], object]]] = [
        (DataError, lambda session: session.execute("SELECT no_such_column")),
        (ZeroDivisionError, lambda _: 1 // 0),
        (
            OutageError,
            lambda session: config.run("SELECT pg_terminate_backend(%s, 5000)", session.execute(_PID).scalar()),
        ),
    ]
    for error, cause in causes:
        with pytest.raises(error):
            fail(database, cause)
    with database.transaction() as session:
        rows = session.execute("SELECT n, t FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, t) ORDER BY n")
        assert ([row.t for row in rows], rows.scalars(), rows.scalar()) == (["a", "b"], [1, 2], 1)
        with pytest.raises(DataError):
            rows.one()
        session.execute_each(_NOTE, [{"title": "one"}, {"title": "two"}])
    assert notes(config) == 3
    database.close()


def test_nothing_is_done_once_the_lease_is_anothers(config: ConfigSql) -> None:
    source = config.one(
        "INSERT INTO sources (name, pg_host, pg_database, pg_username, publication_name)"
        " VALUES ('s', 'h', 'd', 'u', 'p') RETURNING id"
    )
    pipeline = config.one("INSERT INTO pipelines (name, source_id) VALUES ('p', %s) RETURNING id", source)
    config.run("INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch) VALUES (%s, 'me', 7)", pipeline)
    database = ConfigDatabase(config.url, application="test", connections=1, fence=Fence(pipeline, 7))
    with database.transaction() as session:
        session.execute(_NOTE, {"title": "ours"})
    config.run("UPDATE pipeline_leases SET epoch = 8 WHERE pipeline_id = %s", pipeline)
    with pytest.raises(FencedError):
        fail(database, lambda _: None)
    assert notes(config) == 1
    database.close()


def test_who_gets_no_turn_is_told_so(config: ConfigSql) -> None:
    def begin(connection: Connection) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    pool = Pool(lambda: psycopg2.connect(config.url), 1, wait_seconds=0.05)
    with pool.transaction(begin), pytest.raises(OutageError, match="in time"), pool.transaction(begin):
        pass
    with pool.transaction(begin) as connection:
        assert not connection.closed
    pool.close()


def test_a_server_that_cannot_be_reached_is_an_outage() -> None:
    database = ConfigDatabase("postgresql://nobody@127.0.0.1:1/none", application="test")
    with pytest.raises(OutageError), database.transaction():
        pass
    database.close()
