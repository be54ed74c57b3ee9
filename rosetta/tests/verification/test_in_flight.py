"""A difference that is only on its way is not reported; one that stays is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from rosetta.dialects.postgres.checksum import Key
from rosetta.identifiers import TableId
from rosetta.verification import Bounds, DifferenceKind, Outcome, TablePair, Target, VerificationReport, verify_tables
from rosetta.verification.settling import Settlement, Settling

from .conftest import AT_ONCE, Pair

pytestmark = pytest.mark.integration

PROGRESS = """
    CREATE SCHEMA _rosetta;
    CREATE TABLE _rosetta.progress (pipeline_id bigint, destination_id bigint, commit_lsn pg_lsn);
"""
PATIENT = Bounds(deadline_seconds=20.0, jobs=1)


@pytest.fixture
def filled(pair: Pair) -> Pair:
    pair.run_both(
        "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'a' FROM generate_series(1, 50) g"
    )
    return pair


@contextmanager
def after_look(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> Iterator[None]:
    """Runs `act` between two looks at the keys, where a pipeline would write."""
    looks = 0
    look = Settling._look

    def counted(self: Settling, keys: list[Key]) -> object:
        nonlocal looks
        found = look(self, keys)
        looks += 1
        if looks == number:
            act()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Settling, "_look", counted)
        yield


def test_a_difference_that_heals_is_not_reported(filled: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.target.run("DELETE FROM t WHERE id = 3; UPDATE t SET a = 'old' WHERE id = 4")
    heal = "INSERT INTO t VALUES (3, 'a'); UPDATE t SET a = 'a' WHERE id = 4"
    with after_look(monkeypatch, 2, lambda: filled.target.run(heal)):
        report = filled.verify_one(bounds=PATIENT)
    assert (report.outcome, report.differences) == (Outcome.EQUAL, ())


def test_one_that_does_not_heal_is_reported_at_the_deadline(filled: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.target.run("DELETE FROM t WHERE id = 3; UPDATE t SET a = 'old' WHERE id = 4")
    with after_look(monkeypatch, 1, lambda: filled.target.run("INSERT INTO t VALUES (3, 'a')")):
        report = filled.verify_one(bounds=replace(PATIENT, deadline_seconds=0.5))
    assert [(d.kind, d.key, d.in_position) for d in report.differences] == [(DifferenceKind.CHANGED, ("4",), False)]


def verify(pair: Pair, bounds: Bounds = PATIENT) -> VerificationReport:
    table = TableId("public", "t")
    target = Target("target", pair.target.endpoint, pipeline=(7, 8))
    return verify_tables(pair.source.endpoint, target, [TablePair(table, table)], bounds)


def test_the_targets_position_settles_it_before_the_deadline(filled: Pair) -> None:
    filled.target.run(PROGRESS + "INSERT INTO _rosetta.progress VALUES (7, 8, 'FFFFFFFF/0'), (1, 8, '0/1')")
    filled.target.run("DELETE FROM t WHERE id = 3")
    report = verify(filled, replace(PATIENT, deadline_seconds=600.0))
    assert [(d.key, d.in_position) for d in report.tables[0].differences] == [(("3",), True)]
    assert report.seconds < 30


def test_a_position_that_is_not_reached_waits_for_the_deadline(filled: Pair) -> None:
    filled.target.run(PROGRESS + "INSERT INTO _rosetta.progress VALUES (7, 8, '0/1'), (1, 8, 'FFFFFFFF/0')")
    filled.target.run("DELETE FROM t WHERE id = 3")
    report = verify(filled, replace(PATIENT, deadline_seconds=0.3))
    assert [(d.key, d.in_position) for d in report.tables[0].differences] == [(("3",), False)]
    assert report.seconds >= 0.3


def test_a_row_that_the_source_keeps_changing_is_judged_only_when_it_rests(
    filled: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position passed, but the source's row is not the one that was there when the position was taken."""
    filled.target.run(PROGRESS + "INSERT INTO _rosetta.progress VALUES (7, 8, 'FFFFFFFF/0')")
    filled.target.run("UPDATE t SET a = 'behind' WHERE id = 3")
    states = Settling._states
    changes = iter("bcd")

    def restless(self: Settling, session: object, table: object, keys: list[Key]) -> object:
        if session is self._sides.source and (value := next(changes, None)):
            filled.source.run("UPDATE t SET a = %s WHERE id = 3", value)
            if value == "d":
                filled.target.run("UPDATE t SET a = 'd' WHERE id = 3")
        return states(self, session, table, keys)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Settling, "_states", restless)
        report = verify(filled)
    assert report.outcome is Outcome.EQUAL


def test_a_row_that_never_rests_is_neither_equal_nor_different(filled: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    filled.target.run("UPDATE t SET a = 'behind' WHERE id = 3")
    look = Settling._look

    def restless(self: Settling, keys: list[Key]) -> object:
        filled.source.run("UPDATE t SET a = a || 'x' WHERE id = 3")
        return look(self, keys)

    monkeypatch.setattr(Settling, "_look", restless)
    report = filled.verify_one(bounds=replace(PATIENT, deadline_seconds=0.3))
    assert (report.outcome, report.unsettled, report.differences) == (Outcome.NOT_COMPARED, 1, ())
    assert report.outcome.exit_code == 2


def test_more_keys_in_flight_than_the_limit_are_settled_in_portions(
    filled: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What heals makes room again, so a lagging target is not reported as truncated."""
    filled.target.run("TRUNCATE t; INSERT INTO t VALUES (50, 'wrong')")
    settled: list[int] = []
    settle = Settling.settle

    def counted(self: Settling, keys: set[Key]) -> Settlement:
        if not settled:
            filled.target.run("INSERT INTO t SELECT g, 'a' FROM generate_series(1, 49) g")
        settled.append(len(keys))
        return settle(self, keys)

    monkeypatch.setattr(Settling, "settle", counted)
    report = filled.verify_one(bounds=replace(AT_ONCE, window_rows=10, leaf_rows=10, max_differences=20))
    assert [d.key for d in report.differences] == [("50",)]
    assert not report.truncated
    assert max(settled) <= 30


def test_under_concurrent_writes_to_both_sides(filled: Pair) -> None:
    """A naive replica follows the source while it is verified: it is equal once a change has come through."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def write() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                sql = f"UPDATE t SET a = '{number}' WHERE id = {number % 50 + 1}"
                filled.source.run(sql)
                filled.target.run(sql)
        except BaseException as error:
            failures.append(error)
            raise

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(5):
            report = filled.verify_one(bounds=PATIENT)
            assert (report.outcome, report.differences) == (Outcome.EQUAL, ())
    finally:
        stop.set()
        writer.join()
    assert not failures
