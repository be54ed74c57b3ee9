"""Rows that are large or odd, and tables that change their shape."""

from __future__ import annotations

import os
import signal

from compute.tests.chaos.arena import Arena
from compute.tests.chaos.faults.copies import until_streaming
from compute.tests.chaos.faults.poison import retry_now
from compute.tests.chaos.matrix import fault
from compute.tests.support.waiting import eventually

_STATE = "SELECT state, error_code FROM table_syncs WHERE table_name = %s"
_COPIED_AGAIN = """
SELECT count(*) FROM queue_backfill_data WHERE table_name = 'drift' AND kind = 'RESYNC' AND status = 'COMPLETED'"""
_ODD = """
CREATE DOMAIN public.positive AS int CHECK (VALUE > 0);
CREATE TABLE odd (id bigint PRIMARY KEY, n numeric, f float8, d date, t timestamptz, v interval, j json, jb jsonb,
  arr int[][], texts text[], dom positive, r int4range, mr nummultirange, b bytea, s text, c char(5), bits bit(3),
  u uuid, a inet)"""
# By each row: infinities and NaN, years before Christ, NUL in JSON, nested arrays, and text that looks like COPY's own.
_ODD_ROWS = r"""
INSERT INTO odd SELECT {first} + i,
  (ARRAY['NaN', 'Infinity', '-Infinity', '1e-300', '12345678901234567890.000000000000000001']::numeric[])[1 + i % 5],
  (ARRAY['NaN', '-0', 'Infinity', '5e-324', '0.1']::float8[])[1 + i % 5],
  (ARRAY['infinity', '0044-03-15 BC', '-infinity', '5874897-12-31', '2000-02-29']::date[])[1 + i % 5],
  (ARRAY['-infinity', '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', 'infinity', 'epoch']
    ::timestamptz[])[1 + i % 5],
  make_interval(years => -i, secs => i / 7.0),
  '{{"nul": "\u0000", "n": 1e999}}', '{{"n": 12345678901234567890123, "s": "\\"}}',
  ARRAY[[1, NULL], [3, 4]], ARRAY[NULL, 'NULL', '', '{{"', E'\\', ','],
  1 + i, int4range(i, NULL), '{{[1,2),(3.5,)}}', '\x00ff5c0a', E'\t\n\r\\N\\.' || chr(1 + i % 31), 'a', B'101',
  gen_random_uuid(), '::ffff:1.2.3.4/128'
  FROM generate_series(1, {many}) i"""


@fault("F17", "rows of 40 MB", shares=True)
def f17(arena: Arena) -> None:
    """They arrive, or are parked by themselves with the reason; nothing else waits for them in the end."""
    service = arena.begin()
    first = arena.keys()
    with arena.writer(per_second=500):
        with arena.recovery(240):
            for number in range(2):
                arena.run(
                    "source",
                    f"INSERT INTO items VALUES ({first + number}, nextval('audit.rev'),"
                    f" repeat('0123456789', 4000000), {first}, NULL)",
                )
        arena.until_running(120)
        arena.run("source", f"UPDATE items SET n = 1, rev = nextval('audit.rev') WHERE id = {first}")
        arena.arrives(arena.tick())
    assert arena.one("a", f"SELECT length(a) FROM items WHERE id = {first}") == 40_000_000
    restarts = service.pipeline(arena.pipeline)["consecutive_failures"]
    arena.log.append(f"{restarts} restarts of the pipeline's process for a larger heap")
    arena.run("source", f"DELETE FROM items WHERE id BETWEEN {first} AND {first + 1}")
    arena.write_until_done()


@fault("F18", "odd values: infinity, NaN, BC, NUL in JSON, nested arrays, domains, ranges")
def f18(arena: Arena) -> None:
    """By copy and by stream, through a kill, each is at the target what it is at the source."""
    arena.run("source", _ODD)
    arena.run("source", _ODD_ROWS.format(first=0, many=50))
    service = arena.begin()
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=1000):
        arena.run("source", _ODD_ROWS.format(first=1000, many=200))
        os.kill(pid, signal.SIGKILL)
        arena.run("source", "UPDATE odd SET n = -n, arr = NULL, t = t WHERE id % 3 = 0")
        arena.run("source", "UPDATE odd SET id = -id WHERE id % 7 = 0; DELETE FROM odd WHERE id % 11 = 0")
        with arena.recovery():
            arena.streaming_pid(service, other_than=pid)
    assert arena.one("a", "SELECT count(*) FROM odd") == arena.one("source", "SELECT count(*) FROM odd") > 100
    arena.write_until_done()


@fault("F20", "tables change their shape in the middle of the stream")
def f20(arena: Arena) -> None:
    """Columns that join and types that grow are followed, and rows that were written anew are copied again."""
    arena.run("source", "CREATE TABLE drift (id bigint PRIMARY KEY, rev bigint, n int, t varchar(10))")
    arena.run("source", "INSERT INTO drift SELECT i, 0, i, 'start' FROM generate_series(1, 500) i")
    service = arena.begin()
    pid = arena.streaming_pid(service)
    with arena.writer(per_second=2000):
        _reshape(arena, 1, "ALTER TABLE drift ADD COLUMN extra numeric")
        _reshape(arena, 2, "ALTER TABLE items ADD COLUMN more text")
        _reshape(arena, 3, "ALTER TABLE drift ALTER COLUMN n TYPE bigint, ALTER COLUMN t TYPE text")
        wide = "SET n = 5000000000, extra = 1.5, t = repeat('t', 100)"
        arena.run("source", f"UPDATE drift {wide} WHERE id < 100; UPDATE items SET more = 'more' WHERE id < 20")
        arena.arrives(arena.tick())
        assert arena.open_rows("true") == 0, "what the source's types have room for waits"
        with arena.recovery():
            eventually(lambda: arena.config.one(_COPIED_AGAIN) >= 1, 60, "rows that were written anew are copied again")
        _reshape(arena, 4, "ALTER TABLE drift ADD COLUMN made timestamptz DEFAULT now(), ADD COLUMN k int DEFAULT 7")
        _reshape(arena, 5, "ALTER TABLE drift ADD COLUMN token uuid DEFAULT gen_random_uuid()")
        eventually(lambda: arena.config.one(_COPIED_AGAIN) >= 2, 60, "what a default that varies gave is copied")
        _reshape(arena, 6, "ALTER TABLE drift DROP COLUMN extra")
        eventually(
            lambda: arena.config.row(_STATE, "drift") == ("ERROR", "SCHEMA_CHANGED"), 60, "it waits for a person"
        )
        arena.arrives(arena.tick())
        arena.run("a", "ALTER TABLE drift DROP COLUMN extra")
        with arena.recovery():
            retry_now(arena)
            until_streaming(arena, "drift", "items")
    assert arena.streaming_pid(service) == pid, "a change of shape restarted the pipeline"
    arena.write_until_done()


def _reshape(arena: Arena, number: int, statement: str) -> None:
    """The statement in one transaction with changes before and behind it."""
    key = 1000 * number
    arena.run(
        "source",
        f"BEGIN; INSERT INTO drift (id, n) VALUES ({key}, 1); {statement};"
        f" INSERT INTO drift (id, n, t) VALUES ({key + 1}, 2, 'after'); COMMIT",
    )
    arena.run("source", f"UPDATE drift SET t = 'step {number}' WHERE id % 10 = {number}")


@fault("F21", "TRUNCATE, partitions, every replica identity, and no key")
def f21(arena: Arena) -> None:
    """What can be followed is; what cannot is refused with its reason and joins once it is mended."""
    arena.run(
        "source",
        "CREATE TABLE parts (id bigint, at int, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
        " CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);"
        " CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10) TO (20);"
        " INSERT INTO parts SELECT i, i % 20, 'start' FROM generate_series(1, 500) i;"
        " CREATE TABLE indexed (id int NOT NULL, v text); CREATE UNIQUE INDEX by_id ON indexed (id);"
        " ALTER TABLE indexed REPLICA IDENTITY USING INDEX by_id;"
        " CREATE TABLE wide (id bigint PRIMARY KEY, v text, big text); ALTER TABLE wide REPLICA IDENTITY FULL;"
        " CREATE TABLE mute (id int PRIMARY KEY, v text); ALTER TABLE mute REPLICA IDENTITY NOTHING;"
        " CREATE TABLE keyless (v text)",
    )
    for table in ("indexed", "wide", "mute"):
        arena.run("source", f"INSERT INTO {table} SELECT i, 'start' FROM generate_series(1, 300) i")
    arena.run("source", "INSERT INTO keyless SELECT 'start' FROM generate_series(1, 3)")
    arena.begin(copied=False)
    for table in ("mute", "keyless"):
        eventually(lambda one=table: arena.config.row(_STATE, one) == ("ERROR", "NO_REPLICA_IDENTITY"), 60, table)  # type: ignore[misc]
    until_streaming(arena, "parts", "indexed", "wide", "items", "events")
    with arena.writer(per_second=2000):
        arena.run("source", "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30)")
        arena.run("source", "INSERT INTO parts SELECT i, i % 30, 'later' FROM generate_series(1000, 1500) i")
        arena.run("source", "UPDATE parts SET at = (at + 10) % 30 WHERE id % 3 = 0; DELETE FROM parts WHERE id % 7 = 0")
        for table in ("indexed", "wide"):
            arena.run(
                "source", f"UPDATE {table} SET v = 'later' WHERE id % 2 = 0; DELETE FROM {table} WHERE id % 5 = 0"
            )
            arena.run("source", f"UPDATE {table} SET id = id + 1000 WHERE id % 7 = 0")
        arena.run("source", "TRUNCATE wide; INSERT INTO wide SELECT i, 'new' FROM generate_series(1, 50) i")
        arena.run(
            "source", "TRUNCATE parts; INSERT INTO parts SELECT i, i % 30, 'new' FROM generate_series(7000, 7100) i"
        )
        arena.arrives(arena.tick())
        with arena.recovery():
            arena.run("source", "ALTER TABLE mute REPLICA IDENTITY DEFAULT; ALTER TABLE keyless REPLICA IDENTITY FULL")
            until_streaming(arena, "mute", "keyless")
    arena.count_from_here()
    arena.write_until_done()
