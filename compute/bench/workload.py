"""Workload z: bulk inserts, one large update, single-row transactions of every kind, and a few hot keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2.extensions

from rosetta.identifiers import TableId

TABLE = TableId("public", "bench")
MARKER = TableId("public", "bench_marker")
PUBLICATION = "bench"
FULL_CHANGES = 975_295

_COLUMNS = """
    id bigint PRIMARY KEY, ref uuid NOT NULL, name text NOT NULL, note text, amount numeric(12,2), at timestamptz,
    doc jsonb, active boolean NOT NULL, day date, count integer
"""
SCHEMA = f"CREATE TABLE bench ({_COLUMNS}); CREATE TABLE bench_marker (id bigint PRIMARY KEY)"
# Cheap enough that the source is not what is measured while it commits.
_VALUES = """
    md5(random()::text)::uuid, md5(i::text),
    CASE WHEN mod(i, 3) = 0 THEN NULL ELSE repeat('note ', (random() * 12)::int) END,
    (random() * 1e6)::numeric(12,2), timestamptz '2024-01-01' + random() * interval '365 days',
    jsonb_build_object('k', i, 'v', md5(random()::text)), random() < 0.5, date '2024-01-01' + (random() * 365)::int,
    (random() * 1e6)::int
"""
_MIXED = f"""
DO $$
DECLARE step int; i bigint; kind float8;
BEGIN
  FOR step IN 1..%(mixed)s LOOP
    kind := random();
    IF kind < 0.4 THEN
      i := %(inserts)s + step;
      INSERT INTO bench SELECT i, {_VALUES};
    ELSIF kind < 0.85 THEN
      i := 1 + floor(random() * %(inserts)s);
      UPDATE bench SET note = 'mixed ' || step, amount = step, at = at + interval '1 s' WHERE id = i;
    ELSE
      i := 1 + floor(random() * %(inserts)s);
      DELETE FROM bench WHERE id = i;
    END IF;
    COMMIT;
  END LOOP;
END $$
"""
_HOT = """
DO $$
BEGIN
  FOR step IN 1..%(hot)s LOOP
    UPDATE bench SET count = step WHERE id = %(inserts)s - (mod(step, 50));
    COMMIT;
  END LOOP;
END $$
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """`changes` is what is asked for; deletes and updates that meet no row make it a little less."""

    changes: int
    seed: int

    def statements(self) -> Iterator[str]:
        scale = self.changes / FULL_CHANGES
        inserts, updated = round(300_295 * scale), round(300_000 * scale)
        counts = {"inserts": inserts, "mixed": round(195_000 * scale), "hot": round(180_000 * scale)}
        yield f"SELECT setseed({(self.seed % 1000) / 1000})"
        for first in range(1, inserts + 1, 10_000):
            last = min(inserts, first + 9_999)
            yield f"INSERT INTO bench SELECT i, {_VALUES} FROM generate_series({first}, {last}) i"
        yield f"UPDATE bench SET amount = amount + 1, count = count + 1 WHERE id <= {updated}"
        yield _MIXED % counts
        yield _HOT % counts

    def run(self, connection: psycopg2.extensions.connection) -> None:
        """Commits the workload, and a row of `MARKER` and a watermark at its end."""
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            for statement in self.statements():
                cursor.execute(statement)
            cursor.execute("INSERT INTO bench_marker VALUES (1)")
            cursor.execute("SELECT pg_logical_emit_message(true, 'rosetta', 'end')")
            # What is not flushed is not decoded: without this the WAL writer's 200 ms would be measured as ours.
            cursor.execute("RESET synchronous_commit")


# Order does not matter to a sum, and no row is left out of it.
CHECKSUM = """
    SELECT count(*), sum(('x' || left(md5(ROW(id, ref, name, note, amount, at, doc, active, day, count)::text), 15))
                         ::bit(60)::bigint::numeric) FROM bench
"""
