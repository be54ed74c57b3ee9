"""The tables of a case, and a seeded writer that changes them while something is broken."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from typing import Final

import psycopg2
import psycopg2.extensions

from compute.tests.support.side_load import SideLoad
from rosetta.local.postgres import PostgresCluster

PUBLICATION: Final = "chaos"
START_ROWS: Final = 1000

# `rev` rises with every change of the whole source, so a row of a target whose `rev` falls has gone back.
# `audit.log` is what the table `events` really committed, change by change, written by the same transactions.
SCHEMA: Final = f"""
CREATE SCHEMA audit;
CREATE SEQUENCE audit.rev;
CREATE TABLE audit.log (id bigint NOT NULL, rev bigint NOT NULL, deleted boolean NOT NULL, n bigserial);
CREATE TABLE items (id bigint PRIMARY KEY, rev bigint NOT NULL, a text, n numeric, big text);
CREATE TABLE pairs (k1 bigint, k2 int, rev bigint NOT NULL, note text, PRIMARY KEY (k1, k2));
CREATE TABLE loose (rev bigint NOT NULL, v text);
ALTER TABLE loose REPLICA IDENTITY FULL;
CREATE TABLE events (id bigint PRIMARY KEY, rev bigint NOT NULL, body text);
CREATE TABLE scratch (id bigint PRIMARY KEY, rev bigint NOT NULL);
CREATE TABLE ticks (id bigint PRIMARY KEY);
ALTER TABLE items ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
    INSERT INTO audit.log VALUES (OLD.id, OLD.rev, true);
  END IF;
  IF TG_OP <> 'DELETE' THEN INSERT INTO audit.log VALUES (NEW.id, NEW.rev, false); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION audit.note();
INSERT INTO items SELECT i, nextval('audit.rev'), md5(i::text), i / 7.0,
  CASE WHEN i % 5 = 0 THEN repeat(md5(i::text), 150) END FROM generate_series(1, {START_ROWS}) i;
INSERT INTO pairs SELECT i / 3, i % 3, nextval('audit.rev'), 'pair' FROM generate_series(1, {START_ROWS}) i;
INSERT INTO loose SELECT nextval('audit.rev'), 'row ' || i % 50 FROM generate_series(1, 200) i;
INSERT INTO events SELECT i, nextval('audit.rev'), 'start' FROM generate_series(1, 200) i;
CREATE PUBLICATION {PUBLICATION} FOR TABLES IN SCHEMA public WITH (publish_via_partition_root = true);
"""
TABLES: Final = ("items", "pairs", "loose", "events", "scratch", "ticks")
APPENDED: Final = "events"

_REV: Final = "nextval('audit.rev')"
# {new} is a key nobody had, {old} one that somebody may have, {many} how many rows.
_TRANSACTIONS: Final = {
    "insert": f"INSERT INTO items SELECT i, {_REV}, 'new', i, NULL FROM generate_series({{new}}, {{new}} + {{many}}) i",
    "toast": f"INSERT INTO items SELECT i, {_REV}, 'big', i, repeat(md5(i::text), 120)"
    " FROM generate_series({new}, {new} + {many} / 20) i",
    "update": f"UPDATE items SET n = n + 1, rev = {_REV} WHERE id BETWEEN {{old}} AND {{old}} + {{many}}",
    "rewrite": f"UPDATE items SET big = repeat(md5(id::text || '{{new}}'), 100), rev = {_REV}"
    " WHERE id BETWEEN {old} AND {old} + {many} / 10",
    "delete": "DELETE FROM items WHERE id BETWEEN {old} AND {old} + {many} / 8",
    "key": f"UPDATE items SET id = -({{new}}::bigint * 10000 + id), rev = {_REV}"
    " WHERE id BETWEEN {old} AND {old} + 3",
    "pairs": f"INSERT INTO pairs SELECT {{new}}, i, {_REV}, 'p' FROM generate_series(0, {{many}} / 4) i;"
    f" UPDATE pairs SET note = 'seen {{new}}', rev = {_REV}"
    " WHERE k1 BETWEEN {old} / 3 AND {old} / 3 + {many} / 4;"
    " DELETE FROM pairs WHERE k1 = {old} / 3 AND k2 = 1",
    "loose": f"INSERT INTO loose SELECT {_REV}, 'row ' || i FROM generate_series(1, {{many}} / 4) i;"
    " DELETE FROM loose WHERE ctid IN (SELECT ctid FROM loose WHERE v = 'row ' || {old} % 50 LIMIT 3)",
    "events": f"INSERT INTO events SELECT i, {_REV}, 'e' FROM generate_series({{new}}, {{new}} + {{many}} / 3) i;"
    f" UPDATE events SET body = 'u {{new}}', rev = {_REV} WHERE id BETWEEN {{old}} AND {{old}} + 9;"
    f" UPDATE events SET id = -({{new}}::bigint * 10000 + id), rev = {_REV} WHERE id = {{old}};"
    " DELETE FROM events WHERE id = {old} + 1",
    "scratch": f"TRUNCATE scratch; INSERT INTO scratch SELECT i, {_REV} FROM generate_series(1, {{many}}) i",
    "hot": f"UPDATE items SET a = 'hot {{new}}', rev = {_REV} WHERE id <= 5;"
    f" UPDATE items SET a = 'hotter', rev = {_REV} WHERE id <= 5",
    "back": f"DELETE FROM items WHERE id = {{old}}; INSERT INTO items VALUES ({{old}}, {_REV}, 'back', 1, NULL)"
    f" ON CONFLICT (id) DO UPDATE SET rev = {_REV}",
    "rollback": "BEGIN; DELETE FROM items WHERE id BETWEEN {old} AND {old} + 500; ROLLBACK",
}


# No two writers of a run make the same new key.
_bases = itertools.count(10_000_000, 10_000_000)


class Writer(SideLoad):
    """Runs seeded transactions until `changes` are committed or the block ends.

    A source that goes away is waited for: what was not known to be committed is not repeated, the source itself
    says what is there. Any other failure fails the test. `committed` counts transactions by kind.
    """

    def __init__(
        self, cluster: PostgresCluster, database: str, seed: int, changes: int | None = None, per_second: int = 2000
    ) -> None:
        super().__init__()
        self._cluster, self._database = cluster, database
        self._random = random.Random(seed)
        self._wanted = changes
        self._per_second = per_second
        self._new = next(_bases)
        self.committed: Counter[str] = Counter()
        self.changes = 0

    @property
    def done(self) -> bool:
        """Whether everything that was wanted is committed."""
        return self._has_enough or (self._wanted is not None and not self.working)

    @property
    def _has_enough(self) -> bool:
        return self._wanted is not None and self.changes >= self._wanted

    def work(self, number: int) -> None:
        del number
        while not self.ended.is_set() and not self._has_enough:
            try:
                self._write()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.ended.wait(0.1)  # the source is away

    def _write(self) -> None:
        connection = self._cluster.connect(self._database)
        try:
            while not self.ended.is_set() and not self._has_enough:
                started = time.monotonic()
                written = self._transaction(connection)
                self.changes += written
                self.ended.wait(max(0.0, written / self._per_second - (time.monotonic() - started)))
        finally:
            connection.close()

    def _transaction(self, connection: psycopg2.extensions.connection) -> int:
        pick = self._random
        many = pick.choice((4, 20, 60, 120))
        self._new += 1000
        kind = pick.choice(list(_TRANSACTIONS))
        statements = _TRANSACTIONS[kind].format(new=self._new, old=pick.randint(1, START_ROWS), many=many)
        written = 0
        with connection.cursor() as cursor:
            if "ROLLBACK" in statements:
                cursor.execute(statements)
                return 1
            cursor.execute("BEGIN")
            for statement in statements.split(";"):
                cursor.execute(statement)
                written += max(0, cursor.rowcount)
            cursor.execute("COMMIT")
        self.committed[kind] += 1
        self.transactions += 1
        return max(1, written)
