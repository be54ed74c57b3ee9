"""Records transactions in progress: `python record_streamed.py HOST PORT USER PASSWORD FILE`.

The same statements are read twice, in progress (protocol version 2, lines that begin with S) and whole at their commits
(version 1, W); each line goes on with an LSN and a message, in hex. The file is compressed, because the rows are wide.
The servers were those of `record`.
"""

from __future__ import annotations

import gzip
import sys
import time
from pathlib import Path

import psycopg2
import psycopg2.extensions

from compute.engine.base import EngineSource
from compute.engine.pgoutput.session import ReplicationSession
from compute.tests.support.collector import Collector
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint

_QUIET_SECONDS = 0.8
WIDE = "repeat(md5(n::text), 400) FROM generate_series({}, {}) n"
TABLES = [
    "CREATE TYPE mood AS ENUM ('fine', 'so so')",
    "CREATE TABLE wide (id int PRIMARY KEY, m mood, v text)",
    "ALTER TABLE wide ALTER v SET STORAGE EXTERNAL",
    "CREATE TABLE small (id int PRIMARY KEY, v text)",
]
# Whose session runs what: two at a time are in progress.
STEPS = [
    ("a", f"BEGIN; INSERT INTO wide SELECT n, 'fine', {WIDE.format(1, 6)}"),
    ("b", "INSERT INTO small VALUES (1, 'whole, while another is in progress')"),
    ("a", f"SAVEPOINT given_up; INSERT INTO wide SELECT n, 'so so', {WIDE.format(11, 16)}; SAVEPOINT inner_one"),
    ("a", f"INSERT INTO wide SELECT n, NULL, {WIDE.format(21, 26)}; RELEASE inner_one"),
    (
        "a",
        f"ROLLBACK TO given_up; SAVEPOINT kept; INSERT INTO wide SELECT n, NULL, {WIDE.format(31, 36)}; RELEASE kept",
    ),
    ("b", f"BEGIN; INSERT INTO wide SELECT n, NULL, {WIDE.format(101, 106)}"),
    (
        "a",
        "SELECT pg_logical_emit_message(true, 'rosetta', 'within'); TRUNCATE small; INSERT INTO small VALUES (2, 'x')",
    ),
    (
        "a",
        "UPDATE wide SET m = 'so so' WHERE id < 3; UPDATE wide SET id = -3 WHERE id = 3; DELETE FROM wide WHERE id = 4",
    ),
    ("a", f"INSERT INTO wide SELECT n, NULL, {WIDE.format(41, 46)}"),
    ("a", "COMMIT"),
    ("b", "ROLLBACK"),
    ("a", "SELECT pg_logical_emit_message(false, 'rosetta', 'alone')"),
    ("b", f"BEGIN; INSERT INTO wide SELECT n, NULL, {WIDE.format(201, 206)}; ALTER TABLE wide ADD later int"),
    ("b", f"INSERT INTO wide (id, later, v) SELECT n, 7, {WIDE.format(211, 216)}; COMMIT"),
    ("a", "SELECT pg_logical_emit_message(true, 'rosetta', 'end')"),
]


def main(host: str, port: str, user: str, password: str, file: str) -> None:
    def session(database: str) -> psycopg2.extensions.connection:
        made = psycopg2.connect(host=host, port=port, user=user, password=password, dbname=database)
        made.autocommit = True
        return made

    with session("postgres").cursor() as cursor:
        cursor.execute("CREATE DATABASE in_progress")
        cursor.execute("ALTER DATABASE in_progress SET logical_decoding_work_mem = '64kB'")
    sessions = {name: session("in_progress").cursor() for name in "ab"}
    for statement in TABLES:
        sessions["a"].execute(statement)
    sessions["a"].execute("CREATE PUBLICATION p FOR ALL TABLES")
    starts = {}
    for name in ("streamed", "whole"):
        sessions["a"].execute("SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
        starts[name] = Lsn.parse(sessions["a"].fetchall()[0][0])
    endpoint = PostgresEndpoint(host, int(port), "in_progress", user, password, "disable")

    def stream(name: str) -> ReplicationSession:
        made = ReplicationSession(EngineSource(endpoint, "p", name))
        made.stream(starts[name], in_progress=name == "streamed")
        return made

    streamed, collector = stream("streamed"), Collector()
    for name, statement in STEPS:
        sessions[name].execute(statement)
        _read(streamed, collector)  # what is in progress is sent before the next statement
    lines = [f"S {lsn:x} {payload.hex()}\n" for payload, lsn in collector.got]
    streamed.end()
    whole, collector = stream("whole"), Collector()
    _read(whole, collector)
    lines += [f"W {lsn:x} {payload.hex()}\n" for payload, lsn in collector.got]
    whole.end()
    Path(file).write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def _read(stream: ReplicationSession, collector: Collector) -> None:
    """Reads until nothing has come for a while: the server writes its log down by itself, five times a second."""
    until = time.monotonic() + _QUIET_SECONDS
    while (now := time.monotonic()) < until:
        before = len(collector.got)
        stream.wait(0.05)
        stream.read(collector)
        if len(collector.got) > before:
            until = now + _QUIET_SECONDS


if __name__ == "__main__":
    main(*sys.argv[1:])
