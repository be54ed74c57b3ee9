"""A seeded writer that keeps changing a source while a test does something to the pipeline."""

from __future__ import annotations

import random

from compute.tests.support.side_load import SourceLoad
from compute.tests.support.stage import Stage

TABLES = ("orders", "lines")
_SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, total numeric, note text);
CREATE TABLE lines (order_id bigint, number int, item text, amount numeric(12, 2), PRIMARY KEY (order_id, number));
"""


def create_tables(stage: Stage, rows: int = 2000) -> None:
    """The tables that `Load` changes, with rows and values large enough to be kept out of line."""
    stage.source(_SCHEMA)
    stage.source(
        f"INSERT INTO orders SELECT n, 'c' || n, n / 7.0, CASE WHEN n % 10 = 0 THEN repeat(md5(n::text), 200) END"
        f" FROM generate_series(1, {rows}) n"
    )
    stage.source(f"INSERT INTO lines SELECT n / 3, n % 3, 'item', n FROM generate_series(3, {rows}) n")


class Load(SourceLoad):
    """Runs mixed transactions."""

    def __init__(self, stage: Stage, seed: int = 1) -> None:
        super().__init__(stage, 0.004, (seed,))
        self._next = 1_000_000

    def transaction(self, chance: random.Random, number: int) -> list[str]:
        del number
        self._next += 5
        key, old = self._next, chance.randint(1, 2000)
        statements = {
            "insert": f"INSERT INTO orders SELECT n, 'new', n, NULL FROM generate_series({key}, {key + 4}) n",
            "update": f"UPDATE orders SET total = {key} WHERE id BETWEEN {old} AND {old + 20}",
            "delete": f"DELETE FROM orders WHERE id IN ({old}, {key - chance.randint(5, 500)})",
            "key": f"UPDATE orders SET id = -({key}::bigint * 10000 + id) WHERE id = {old}",
            "both": f"UPDATE orders SET customer = 'b' WHERE id = {old};"
            f" INSERT INTO lines VALUES ({key}, 1, 'x', 1.5), ({key}, 2, NULL, 2);"
            f" DELETE FROM lines WHERE order_id = {old}",
            "rollback": f"BEGIN; DELETE FROM orders WHERE id < {old}; ROLLBACK",
        }
        return [statements[chance.choice(list(statements))]]
