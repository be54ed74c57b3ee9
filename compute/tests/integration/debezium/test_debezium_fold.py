"""Folding: every sequence of changes gives the source's rows, on a reference destination that applies whole batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compute.core.batch import TableSpec
from compute.tests.integration.debezium.conftest import Source, Stream, spec
from compute.tests.integration.debezium.replica import lines_of
from rosetta.identifiers import TableId

pytestmark = pytest.mark.integration

BIG = "repeat(md5(random()::text), 200)"  # 6.4 kB, stored apart from its row and not compressed
TABLES = """
    CREATE TABLE one (id int PRIMARY KEY, note text, big text);
    CREATE TABLE two (a int, b text, note text, big text, PRIMARY KEY (a, b));
    CREATE TABLE whole (id int PRIMARY KEY, note text, big text);
    ALTER TABLE whole REPLICA IDENTITY FULL;
    CREATE TABLE bag (id int, note text, big text);
    ALTER TABLE bag REPLICA IDENTITY FULL;
    CREATE TABLE indexed (id int NOT NULL, note text, big text);
    CREATE UNIQUE INDEX indexed_id ON indexed (id);
    ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_id;
    ALTER TABLE one ALTER big SET STORAGE EXTERNAL;
    ALTER TABLE two ALTER big SET STORAGE EXTERNAL;
    ALTER TABLE whole ALTER big SET STORAGE EXTERNAL;
    ALTER TABLE bag ALTER big SET STORAGE EXTERNAL;
    ALTER TABLE indexed ALTER big SET STORAGE EXTERNAL;
"""
KEYS: dict[str, tuple[str, ...]] = {"one": ("id",), "two": ("a", "b"), "whole": ("id",), "bag": (), "indexed": ("id",)}


def where(table: str, key: int) -> str:
    # A comma, a quote and a backslash in a key must survive `_from`.
    return f"a = {key} AND b = E'k\"{key},\\\\\\\\'" if table == "two" else f"id = {key}"


def assigned(table: str, key: int) -> str:
    return f"a = {key}, b = E'k\"{key},\\\\\\\\'" if table == "two" else f"id = {key}"


def inserted(table: str, key: int) -> str:
    return f"{key}, E'k\"{key},\\\\\\\\'" if table == "two" else str(key)


Step = tuple[str, str, int, int]
steps = st.tuples(
    st.sampled_from(["insert", "update", "touch", "delete", "move", "truncate"]),
    st.sampled_from(sorted(KEYS)),
    st.integers(1, 3),
    st.integers(1, 3),
)


def statement(step: Step) -> str:
    operation, table, key, other = step
    if operation == "insert":
        # Never over a row that is there: `bag` may hold equal rows, the others may not.
        guard = "" if table == "bag" else f" WHERE NOT EXISTS (SELECT FROM {table} WHERE {where(table, key)})"
        return f"INSERT INTO {table} SELECT {inserted(table, key)}, 'i' || random(), {BIG}{guard}"
    if operation == "update":
        return f"UPDATE {table} SET note = 'u' || random(), big = {BIG} WHERE {where(table, key)}"
    if operation == "touch":  # leaves the big value where it is, and it is not sent
        return f"UPDATE {table} SET note = 't' || random() WHERE {where(table, key)}"
    if operation == "delete":
        return f"DELETE FROM {table} WHERE {where(table, key)}"
    if operation == "truncate":
        return f"TRUNCATE {table}" if key == other == 1 else "SELECT 1"
    free = "" if table == "bag" else f" AND NOT EXISTS (SELECT FROM {table} WHERE {where(table, other)})"
    return f"UPDATE {table} SET {assigned(table, other)} WHERE {where(table, key)}{free}"


class Followed:
    def __init__(self, source: Source, fold: bool) -> None:
        self.source = source
        specs: list[TableSpec] = [spec(name, *key, fold=fold) for name, key in KEYS.items()]
        self.stream: Stream = source.stream(*specs)

    def check(self) -> None:
        self.stream.follow(self.source.watermark())
        for name, key in KEYS.items():
            table = TableId("public", name)
            rows = self.source.sql(f"SELECT * FROM {name}")
            texts = [tuple(None if value is None else str(value) for value in row) for row in rows]
            if key:
                mine = self.stream.replica.rows.get(table, {})
                assert mine == {row[: len(key)]: row for row in texts}
            else:
                assert +self.stream.replica.bags.get(table, Counter()) == Counter(texts)


@pytest.fixture(params=[True, False], ids=["folded", "kept"])
def followed(source: Source, request: pytest.FixtureRequest) -> Followed:
    source.sql(TABLES)
    return Followed(source, request.param)


def property_of(check: Callable[[Followed, list[list[Step]]], None]) -> Callable[[Followed], None]:
    def test(followed: Followed) -> None:
        given(st.lists(st.lists(steps, min_size=1, max_size=8), min_size=1, max_size=4))(
            settings(
                max_examples=120,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )(lambda transactions: check(followed, transactions))
        )()

    return test


def _any_sequence(followed: Followed, transactions: list[list[Step]]) -> None:
    for transaction in transactions:
        followed.source.sql("BEGIN; " + "; ".join(map(statement, transaction)) + "; COMMIT")
    followed.check()


test_any_sequence_of_transactions = property_of(_any_sequence)


def _rows(followed: Followed, table: str = "one", keys: str = "1, 2, 3") -> None:
    followed.source.sql(f"INSERT INTO {table} SELECT g, 'i', {BIG} FROM unnest(ARRAY[{keys}]) g")
    followed.check()


MOVES = {
    "a swap": [(1, 9), (2, 1), (9, 2)],
    "a chain": [(1, 7), (7, 8), (8, 9)],
    "there and back": [(1, 9), (9, 1)],
    "a ring": [(1, 9), (2, 1), (3, 2), (9, 3)],
}


def test_key_changes_carry_the_values_that_were_not_sent(followed: Followed) -> None:
    for table in ("one", "whole", "indexed"):
        for moves in MOVES.values():
            followed.source.sql(f"DELETE FROM {table}")
            _rows(followed, table)
            text = "; ".join(f"UPDATE {table} SET id = {new} WHERE id = {old}" for old, new in moves)
            followed.source.sql(f"BEGIN; {text}; COMMIT")
            followed.check()
    seen = [changes for batch in followed.stream.replica.batches for changes in batch.tables]
    assert any(changes.has_moved and changes.has_unchanged for changes in seen)


def test_a_deleted_key_is_taken_by_another_row(followed: Followed) -> None:
    _rows(followed)
    followed.source.sql(
        "BEGIN; DELETE FROM one WHERE id = 1; UPDATE one SET id = 1 WHERE id = 2;"
        f"INSERT INTO one VALUES (2, 'new', {BIG}); UPDATE one SET note = 'again' WHERE id = 2; COMMIT"
    )
    followed.check()


def _only_lines(followed: Followed, watermark: str) -> list[tuple[str, str]]:
    batches = followed.stream.follow(watermark)
    return [
        (line.operation, str(line.values[0]))
        for batch in batches
        for changes in batch.tables
        for line in lines_of(changes)
    ]


def test_what_came_and_went_in_one_batch_is_a_delete(source: Source) -> None:
    source.sql(TABLES)
    followed = Followed(source, fold=True)
    source.sql("BEGIN; INSERT INTO one VALUES (1); DELETE FROM one WHERE id = 1; COMMIT")
    assert _only_lines(followed, source.watermark()) == [("d", "1")]


def test_an_insert_stays_new_through_updates_and_not_through_a_delete(source: Source) -> None:
    source.sql(TABLES)
    followed = Followed(source, fold=True)
    source.sql("BEGIN; INSERT INTO one VALUES (1, 'a'); UPDATE one SET note = 'b'; COMMIT")
    assert _only_lines(followed, source.watermark()) == [("c", "1")]
    source.sql("BEGIN; DELETE FROM one; INSERT INTO one VALUES (1, 'c'); COMMIT")
    assert _only_lines(followed, source.watermark()) == [("u", "1")]


def test_without_folding_every_change_is_there(source: Source) -> None:
    source.sql(TABLES)
    followed = Followed(source, fold=False)
    source.sql("BEGIN; INSERT INTO one VALUES (1, 'a'); UPDATE one SET note = 'b'; UPDATE one SET id = 2;"
               "DELETE FROM one; COMMIT")  # fmt: skip
    expected = [("c", "1"), ("u", "1"), ("d", "1"), ("u", "2"), ("d", "2")]
    assert _only_lines(followed, source.watermark()) == expected
