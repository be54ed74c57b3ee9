"""What cannot be compared is never called equal, and says why."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace

import pytest

from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.local.ports import free_port
from rosetta.postgres import PostgresEndpoint
from rosetta.verification import Outcome, TablePair, Target, VerificationReport, verify_tables

from .conftest import AT_ONCE, Pair

pytestmark = pytest.mark.integration

T = TableId("public", "t")


def verify(pair: Pair, *pairs: TablePair, target: PostgresEndpoint | None = None) -> VerificationReport:
    return verify_tables(pair.source.endpoint, Target("x", target or pair.target.endpoint), pairs, AT_ONCE)


def test_a_missing_target_table_is_a_difference(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY)")
    report = pair.verify_one()
    assert (report.outcome, report.reason) == (Outcome.DIFFERENT, "the target has no such table")


def test_a_missing_source_table_is_not_compared(pair: Pair) -> None:
    pair.target.run("CREATE TABLE t (id int PRIMARY KEY)")
    report = pair.verify_one()
    assert (report.outcome, report.reason) == (Outcome.NOT_COMPARED, "the source has no such table")


def test_missing_columns_are_a_difference_and_the_others_are_compared(pair: Pair) -> None:
    pair.source.run(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, 'x', 'y'), (2, 'x', 'y')"
    )
    pair.target.run("CREATE TABLE t (id int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'y'), (2, 'z')")
    report = pair.verify_one()
    assert report.outcome is Outcome.DIFFERENT
    assert report.missing_columns == ("a",)
    assert report.reason == "the target lacks column a"
    assert [(d.key, d.columns) for d in report.differences] == [(("2",), ("b",))]


def test_a_missing_key_column_leaves_nothing_to_match_rows_by(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')")
    pair.target.run("CREATE TABLE t (a text); INSERT INTO t VALUES ('x')")
    report = pair.verify_one()
    assert (report.outcome, report.missing_columns, report.source_rows) == (Outcome.DIFFERENT, ("id",), 0)


def test_append_mode_is_not_compared(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY)")
    report = verify(pair, TablePair(T, T, mode=SyncMode.APPEND))
    assert report.outcome is Outcome.NOT_COMPARED
    assert "append mode" in str(report.tables[0].reason)


def test_nothing_to_compare_is_not_equal(pair: Pair) -> None:
    assert verify(pair).outcome is Outcome.NOT_COMPARED


def test_one_table_that_cannot_be_read_does_not_hide_the_others(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    pair.source.run("ALTER TABLE t ADD COLUMN a text; INSERT INTO t VALUES (1, 'x')")
    # IS NOT TRUE of a text fails, as anything may while a table is read
    pair.target.run("ALTER TABLE t ADD COLUMN a text, ADD COLUMN _rosetta_deleted text")
    refused, read = pair.verify("t", "u").tables
    assert refused.outcome is Outcome.NOT_COMPARED
    assert refused.reason
    assert read.outcome is Outcome.EQUAL


def test_a_statement_timeout_is_not_a_difference(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    with closing(pair.target.cluster.connect(pair.target.name)) as holder:
        holder.autocommit = False
        holder.cursor().execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        locked, free = pair.verify("t", "u", bounds=replace(AT_ONCE, statement_timeout_seconds=1)).tables
    assert (locked.outcome, free.outcome) == (Outcome.NOT_COMPARED, Outcome.EQUAL)
    assert "statement timeout" in str(locked.reason)


def test_what_is_not_compared_when_the_time_is_over_is_not_equal(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)")
    with closing(pair.target.cluster.connect(pair.target.name)) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE t")
        began = time.monotonic()
        locked, late = pair.verify("t", "u", bounds=replace(AT_ONCE, jobs=1, ends_at=began + 1)).tables
        assert time.monotonic() - began < 20
    assert (locked.outcome, late.outcome) == (Outcome.NOT_COMPARED, Outcome.NOT_COMPARED)
    assert "time for the whole verification" in str(locked.reason)
    assert "time for the whole verification" in str(late.reason)
    (report,) = pair.verify("u", bounds=replace(AT_ONCE, ends_at=time.monotonic() + 60)).tables
    assert report.outcome is Outcome.EQUAL


def test_a_target_that_is_away_is_the_reports_reason(pair: Pair) -> None:
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY)")
    away = PostgresEndpoint("127.0.0.1", free_port(), "x", "x", "x", "disable")
    report = verify(pair, TablePair(T, T), target=away)
    assert (report.outcome, report.tables) == (Outcome.NOT_COMPARED, ())
    assert "refused" in str(report.reason)


def test_row_security_that_hides_rows_is_not_compared(pair: Pair) -> None:
    pair.run_both("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
    pair.source.run("""
        CREATE ROLE verifier LOGIN PASSWORD 'verifier-password'; GRANT USAGE ON SCHEMA public TO verifier;
        GRANT SELECT ON t TO verifier;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY half ON t USING (id = 1)""")
    try:
        limited = replace(pair.source.endpoint, user="verifier", password="verifier-password")
        report = verify_tables(limited, Target("x", pair.target.endpoint), [TablePair(T, T)], AT_ONCE)
        assert report.tables[0].outcome is Outcome.NOT_COMPARED
        assert "row-level security" in str(report.tables[0].reason)
    finally:
        pair.source.run("DROP TABLE t; DROP OWNED BY verifier; DROP ROLE verifier")


def test_nothing_is_written_and_no_value_is_in_a_reason(pair: Pair) -> None:
    """A value that cannot be read as the key's type stays out of the message."""
    pair.run_both("CREATE TABLE t (id text PRIMARY KEY, a int)")
    pair.source.run("INSERT INTO t VALUES ('canary-value', 1)")
    pair.target.run(
        "ALTER TABLE t ADD COLUMN _rosetta_deleted text; INSERT INTO t VALUES ('canary-value', 2, 'canary')"
    )
    report = pair.verify_one()
    assert report.outcome is Outcome.NOT_COMPARED
    assert "canary" not in str(report.reason)
