"""Tables of every kind of key, and sessions that change all of them while a test copies them."""

from __future__ import annotations

import random

from compute.tests.support.side_load import SourceLoad
from compute.tests.support.stage import Stage

ROWS = 2000
TABLES = ("numbers", "words", "pairs", "loose", "parts", "fleeting")
SCHEMA = f"""
CREATE TABLE numbers (id bigint PRIMARY KEY, big text, n int);
ALTER TABLE numbers ALTER big SET STORAGE EXTERNAL;
INSERT INTO numbers SELECT n, CASE WHEN n % 3 = 0 THEN repeat(md5(n::text), 100) END, n
  FROM generate_series(1, {ROWS}) n;
CREATE TABLE words (word text PRIMARY KEY, big text, n int);
ALTER TABLE words ALTER big SET STORAGE EXTERNAL;
INSERT INTO words SELECT md5(n::text), repeat('w', 3000), n FROM generate_series(1, {ROWS}) n;
CREATE TABLE pairs (a int, b text, n int, PRIMARY KEY (b, a));
INSERT INTO pairs SELECT n % 100, 'b' || n / 100, n FROM generate_series(1, {ROWS}) n;
CREATE TABLE loose (a int, b text);
ALTER TABLE loose REPLICA IDENTITY FULL;
INSERT INTO loose SELECT n % 500, 'x' FROM generate_series(1, {ROWS}) n;
CREATE TABLE parts (id int, half int, n int, PRIMARY KEY (id, half)) PARTITION BY LIST (half);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
INSERT INTO parts SELECT n, n % 2, n FROM generate_series(1, {ROWS}) n;
CREATE TABLE fleeting (id int PRIMARY KEY, n int);
INSERT INTO fleeting SELECT n, n FROM generate_series(1, {ROWS}) n;
INSERT INTO fleeting VALUES (0, NULL);
"""


class Writers(SourceLoad):
    """Two sessions that change all tables at once."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, 0.03, seeds=(0, 1))

    def transaction(self, chance: random.Random, number: int) -> list[str]:
        # each session has its own half of the keys, so that none waits for a lock in a deadlock
        mine = f"% 2 = {number}"
        low = chance.randint(1, ROWS)
        fresh = chance.randint(1, 10**9) * 2 + number
        within = f"BETWEEN {low} AND {low + 20} AND n {mine}"
        table = chance.choice(["numbers", "words", "pairs", "parts", "fleeting"])
        fresh_row = {
            "numbers": f"INSERT INTO numbers VALUES ({-fresh}, repeat('f', 5000), {fresh})",
            "words": f"INSERT INTO words VALUES (md5('{fresh}'), repeat('f', 5000), {fresh})",
            "pairs": f"INSERT INTO pairs VALUES ({fresh % 2**31}, 'f{fresh}', {fresh % 2**30})",
            "parts": f"INSERT INTO parts VALUES ({-fresh % 2**31}, 0, {fresh % 2**30})",
            "fleeting": f"INSERT INTO fleeting VALUES ({-fresh % 2**31}, {fresh % 2**30})",
        }
        # to before all that was copied first, or behind it
        elsewhere = chance.choice([f"-{fresh}::bigint * 100000 - id", f"{fresh}::bigint * 100000 + abs(id)"])
        moved_row = {
            "numbers": f"UPDATE numbers SET id = {elsewhere} WHERE n = {low} AND n {mine}",
            "words": f"UPDATE words SET word = md5(word) WHERE n {within}",
            "pairs": f"UPDATE pairs SET b = left('m{fresh}' || b, 200), a = a + 1 WHERE n = {low} AND n {mine}",
            "parts": f"UPDATE parts SET half = 1 - half WHERE n {within}",
            "fleeting": f"UPDATE fleeting SET n = n + 2 WHERE n {within}",
        }
        loose_row = f"WHERE ctid = (SELECT ctid FROM loose WHERE a {mine} LIMIT 1 OFFSET {low % 100})"
        several = [f"UPDATE {name} SET n = n + 2 WHERE n {within}" for name in ("numbers", "pairs", "fleeting")]
        updated = f"UPDATE {table} SET n = n + 2 WHERE n {within}"
        acts = [
            [fresh_row[table] + " ON CONFLICT DO NOTHING"],
            [updated],
            [updated],
            [moved_row[table]],
            [moved_row[table]],
            [f"DELETE FROM {table} WHERE n BETWEEN {low} AND {low + 3} AND n {mine}"],
            [f"DELETE FROM loose {loose_row}"],
            [f"UPDATE loose SET b = 'y' || a {loose_row}"],
            ["BEGIN", *several, f"DELETE FROM words WHERE n = {low} AND n {mine}", "COMMIT"],
            ["BEGIN", f"DELETE FROM {table} WHERE n {within}", "ROLLBACK"],
        ]
        return chance.choice(acts)
