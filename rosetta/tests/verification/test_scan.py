"""Descending finds exactly the rows that differ, and reads little more than they take."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rosetta.verification import DifferenceKind, Outcome, TableReport

from .conftest import AT_ONCE, Database, Pair

pytestmark = pytest.mark.integration

ROWS = 200_000


def test_three_differences_among_many_rows(pair: Pair) -> None:
    pair.run_both(f"""
        CREATE TABLE t (id bigint PRIMARY KEY, a text);
        INSERT INTO t SELECT g, md5(g::text) FROM generate_series(1, {ROWS}) g""")
    pair.target.run(
        f"UPDATE t SET a = '' WHERE id = 5; DELETE FROM t WHERE id = 100001; INSERT INTO t VALUES ({ROWS + 1})"
    )
    bounds = replace(AT_ONCE, window_rows=10_000, leaf_rows=1_000)
    report = pair.verify_one(bounds=bounds)
    assert [(d.kind.value, d.key) for d in report.differences] == [
        ("MISSING", ("100001",)),
        ("EXTRA", (str(ROWS + 1),)),
        ("CHANGED", ("5",)),
    ]
    assert (report.source_rows, report.target_rows) == (ROWS, ROWS)
    # One pass, and one more over each of at most three ranges; then only rows of the buckets that differ.
    assert ROWS <= report.rows_hashed <= ROWS + 3 * bounds.window_rows
    assert report.rows_fetched <= 3 * 2 * 2 * bounds.leaf_rows


def test_an_equal_table_is_read_once_and_nothing_is_fetched(pair: Pair) -> None:
    pair.run_both(
        "CREATE TABLE t (id bigint PRIMARY KEY, a text); INSERT INTO t SELECT g FROM generate_series(1, 5000) g"
    )
    report = pair.verify_one(bounds=replace(AT_ONCE, window_rows=500))
    assert (report.outcome, report.rows_hashed, report.rows_fetched) == (Outcome.EQUAL, 5000, 0)


VALUES = st.sampled_from([None, "", "NULL", "a", "A", "a ", "á", "0", "-0", "{}", '"', "\\", ","])
ROW_LISTS = st.lists(
    st.tuples(st.integers(1, 25), VALUES, VALUES, st.sampled_from([None, 0.0, -0.0, 1e308])), max_size=25
)
REMARKABLE = replace(AT_ONCE, window_rows=4, leaf_rows=3)


def fill(database: Database, rows: list[tuple[int, str | None, str | None, float | None]], *, keyed: bool) -> None:
    with closing(database.cluster.connect(database.name)) as connection, connection.cursor() as cursor:
        cursor.execute("TRUNCATE t")
        kept = list({row[0]: row for row in rows}.values()) if keyed else rows
        cursor.executemany("INSERT INTO t VALUES (%s, %s, %s, %s)", kept)


def everything(database: Database) -> list[tuple[str | None, ...]]:
    """All rows as exact text, by a way that shares nothing with the code under test."""
    with closing(database.cluster.connect(database.name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id::text, a, b, f::text FROM t")
        return cursor.fetchall()


def except_all(left: list[tuple[str | None, ...]], right: list[tuple[str | None, ...]]) -> list[tuple[str | None, ...]]:
    rest = list(left)
    for row in right:
        if row in rest:
            rest.remove(row)
    return rest


@pytest.mark.parametrize("keyed", [True, False])
def test_agrees_with_except_all_both_ways(pair: Pair, keyed: bool) -> None:
    pair.run_both(f"CREATE TABLE t (id int {'PRIMARY KEY' if keyed else ''}, a text, b text, f float8)")

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(common=ROW_LISTS, only_source=ROW_LISTS, only_target=ROW_LISTS)
    def check(common: list, only_source: list, only_target: list) -> None:  # type: ignore[type-arg]
        fill(pair.source, common + only_source[:3], keyed=keyed)
        fill(pair.target, common + only_target[:3], keyed=keyed)
        source, target = everything(pair.source), everything(pair.target)
        lacking, surplus = except_all(source, target), except_all(target, source)
        report = pair.verify_one(bounds=REMARKABLE)
        assert (report.outcome is Outcome.EQUAL) == (not lacking and not surplus)
        if keyed:
            check_keys(report, {row[0] for row in lacking}, {row[0] for row in surplus})
        else:
            assert sum(max(0, d.source_copies - d.target_copies) for d in report.differences) == len(lacking)
            assert sum(max(0, d.target_copies - d.source_copies) for d in report.differences) == len(surplus)

    check()


def check_keys(report: TableReport, lacking: set[str | None], surplus: set[str | None]) -> None:
    found = {kind: {d.key[0] for d in report.differences if d.kind is kind} for kind in DifferenceKind}
    assert found[DifferenceKind.CHANGED] == lacking & surplus
    assert found[DifferenceKind.MISSING] == lacking - surplus
    assert found[DifferenceKind.EXTRA] == surplus - lacking
