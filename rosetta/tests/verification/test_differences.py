"""Every kind of difference is found, named by key and column, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rosetta.verification import DifferenceKind, Outcome

from .conftest import AT_ONCE, Pair

pytestmark = pytest.mark.integration

TABLE = """
    CREATE TABLE t (id int PRIMARY KEY, a text, b text, padded char(5), n numeric, f float8, j json, at timestamptz,
                    list int[], flag boolean, blob bytea);
    INSERT INTO t SELECT g, 'a' || g, 'b' || g, 'p', 1.0, 0.0, '{"k": 1}', '2026-01-01 00:00+02', '{1,NULL,3}', true,
                         '\\x00ff'
    FROM generate_series(1, 30) g;
"""


def test_equal_tables_are_equal(pair: Pair) -> None:
    pair.run_both(TABLE)
    report = pair.verify_one()
    assert (report.outcome, report.source_rows, report.target_rows) == (Outcome.EQUAL, 30, 30)
    assert report.differences == ()
    assert report.rows_fetched == 0


def test_missing_and_extra_rows(pair: Pair) -> None:
    pair.run_both(TABLE)
    pair.target.run("DELETE FROM t WHERE id = 7; INSERT INTO t (id) VALUES (99)")
    report = pair.verify_one()
    assert report.outcome is Outcome.DIFFERENT
    assert {(d.kind, d.key) for d in report.differences} == {
        (DifferenceKind.MISSING, ("7",)),
        (DifferenceKind.EXTRA, ("99",)),
    }


PLANTED = [
    ("a = NULL", {"a"}),
    ("a = ''", {"a"}),
    ("a = 'NULL'", {"a"}),
    ("a = a || ' '", {"a"}),
    ("a = upper(a)", {"a"}),
    ("a = 'á'", {"a"}),
    ("a = b, b = a", {"a", "b"}),
    ("padded = 'p    ' || ''", set()),
    ("padded = NULL", {"padded"}),
    ("n = 1.00", {"n"}),
    ("n = 'NaN'", {"n"}),
    ("f = '-0'", {"f"}),
    ("f = 5e-324", {"f"}),
    ("""j = '{"k":1}'""", {"j"}),
    ("j = 'null'", {"j"}),
    ("at = '2026-01-01 00:00+00'", {"at"}),
    ("at = '2025-12-31 22:00+00'", set()),
    ("at = 'infinity'", {"at"}),
    ("list = '{1,0,3}'", {"list"}),
    ("list = '[0:2]={1,NULL,3}'", {"list"}),
    ("list = '{}'", {"list"}),
    ("flag = NULL", {"flag"}),
    ("blob = '\\x00'", {"blob"}),
]


def test_a_changed_value_is_named_by_its_column(pair: Pair) -> None:
    pair.run_both(TABLE)
    for row, (planted, _) in enumerate(PLANTED, start=1):
        pair.target.run(f"UPDATE t SET {planted} WHERE id = {row}")
    found = {difference.key: difference for difference in pair.verify_one().differences}
    assert {difference.kind for difference in found.values()} == {DifferenceKind.CHANGED}
    assert {key: set(difference.columns) for key, difference in found.items()} == {
        (str(row),): columns for row, (_, columns) in enumerate(PLANTED, start=1) if columns
    }
    assert all(difference.values is None for difference in found.values())


def test_null_empty_and_the_text_null_all_differ(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.source.run("INSERT INTO t VALUES (1, NULL), (2, NULL), (3, ''), (4, NULL), (5, '')")
    pair.target.run("INSERT INTO t VALUES (1, ''), (2, 'NULL'), (3, 'NULL'), (4, NULL), (5, '')")
    assert [d.key for d in pair.verify_one().differences] == [("1",), ("2",), ("3",)]


def test_values_do_not_run_into_their_neighbours(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY, a text, b text, c text[])")
    pair.source.run(
        """INSERT INTO t VALUES (1, 'x,y', 'z'), (2, '"', ''), (3, 'a\\', 'b'), (4, '{', '}'), (5, 'ab', 'c')"""
    )
    pair.target.run(
        """INSERT INTO t VALUES (1, 'x', 'y,z'), (2, '', '"'), (3, 'a', '\\b'), (4, '', '{}'), (5, 'a', 'bc')"""
    )
    assert [d.key[0] for d in pair.verify_one().differences] == ["1", "2", "3", "4", "5"]


def test_a_composite_of_nulls_is_not_null(pair: Pair) -> None:
    pair.run_both("CREATE TYPE pt AS (x int, y int); CREATE TABLE t (id int PRIMARY KEY, p pt)")
    pair.source.run("INSERT INTO t VALUES (1, NULL), (2, ROW(NULL, NULL)), (3, ROW(1, NULL))")
    pair.target.run("INSERT INTO t VALUES (1, ROW(NULL, NULL)), (2, ROW(NULL, NULL)), (3, ROW(1, NULL))")
    assert [(d.key, d.columns) for d in pair.verify_one().differences] == [(("1",), ("p",))]


def test_char_padding_counts_where_the_target_is_text(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, c char(4)); INSERT INTO t VALUES (1, 'a'), (2, 'a')")
    pair.target.run("CREATE TABLE t (id int PRIMARY KEY, c text); INSERT INTO t VALUES (1, 'a   '), (2, 'a')")
    assert [d.key for d in pair.verify_one().differences] == [("2",)]


def test_values_are_shown_only_when_asked_for(pair: Pair) -> None:
    pair.run_both(TABLE)
    pair.target.run("UPDATE t SET a = 'secret', b = NULL WHERE id = 3")
    (difference,) = pair.verify_one(bounds=replace(AT_ONCE, reveal_values=True)).differences
    assert difference.values == {"a": ("a3", "secret"), "b": ("b3", None)}
    assert "values" not in pair.verify_one().differences[0].as_json()


def test_own_columns_and_softly_deleted_rows_are_left_out(pair: Pair) -> None:
    pair.run_both(TABLE)
    pair.target.run("""
        ALTER TABLE t ADD _rosetta_lsn bigint, ADD _rosetta_deleted boolean, ADD of_the_user text;
        UPDATE t SET _rosetta_lsn = id, of_the_user = 'x';
        INSERT INTO t (id, _rosetta_deleted) VALUES (100, true);
        UPDATE t SET _rosetta_deleted = false WHERE id < 5""")
    assert pair.verify_one().outcome is Outcome.EQUAL
    pair.target.run("UPDATE t SET _rosetta_deleted = true WHERE id = 4")
    assert [(d.kind, d.key) for d in pair.verify_one().differences] == [(DifferenceKind.MISSING, ("4",))]


def test_generated_columns_are_not_compared(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED)")
    pair.target.run("CREATE TABLE t (id int PRIMARY KEY)")
    pair.run_both("INSERT INTO t (id) VALUES (1)")
    assert pair.verify_one().outcome is Outcome.EQUAL


def test_partitioned_source_and_inheritance(pair: Pair) -> None:
    pair.source.run("""
        CREATE TABLE t (id int PRIMARY KEY, a text) PARTITION BY RANGE (id);
        CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (50);
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (50) TO (100)""")
    pair.target.run("CREATE TABLE t (id int PRIMARY KEY, a text)")
    pair.run_both("INSERT INTO t SELECT g, g FROM generate_series(0, 99) g")
    assert pair.verify_one().outcome is Outcome.EQUAL
    pair.target.run("UPDATE t SET a = NULL WHERE id = 60")
    assert [d.key for d in pair.verify_one().differences] == [("60",)]


def test_keyless_tables_are_compared_as_multisets(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (a text, n int)")
    pair.source.run("INSERT INTO t VALUES ('x', 1), ('x', 1), ('x', 1), ('y', 2), (NULL, NULL), (NULL, NULL)")
    pair.target.run("INSERT INTO t VALUES (NULL, NULL), (NULL, NULL), ('x', 1), ('x', 1), ('y', 2), ('z', 3)")
    report = pair.verify_one()
    found = {(d.kind, d.source_copies, d.target_copies) for d in report.differences}
    assert found == {(DifferenceKind.MISSING, 3, 2), (DifferenceKind.EXTRA, 0, 1)}
    assert all(d.key == () and d.row_hash for d in report.differences)
    repair = report.repair()
    assert repair is not None
    assert repair.keys is None


def test_a_key_that_stands_twice_in_the_target_is_extra(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    pair.target.run("CREATE TABLE t (id int, a text); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (2, 'y')")
    (difference,) = pair.verify_one().differences
    assert (difference.kind, difference.key, difference.target_copies) == (DifferenceKind.EXTRA, ("2",), 2)


def test_empty_tables(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY, a text); CREATE TABLE bare (a text); CREATE TABLE nothing ()")
    report = pair.verify("t", "bare")
    assert report.outcome is Outcome.EQUAL
    pair.target.run("INSERT INTO t VALUES (1, NULL); INSERT INTO bare VALUES (NULL)")
    assert [table.outcome for table in pair.verify("t", "bare").tables] == [Outcome.DIFFERENT] * 2


def test_the_repair_plan_names_the_keys_to_read_again(pair: Pair) -> None:
    pair.run_both(TABLE)
    pair.target.run(
        "DELETE FROM t WHERE id IN (3, 4); UPDATE t SET a = NULL WHERE id = 11; INSERT INTO t (id) VALUES (50)"
    )
    (repair,) = pair.verify("t").repair_plan().tables
    assert repair.key_columns == ("id",)
    assert set(repair.keys or ()) == {("3",), ("4",), ("11",), ("50",)}
