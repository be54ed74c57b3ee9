"""The matrix has every fault, and its report says what was run over which engine, what failed, and what is not here."""

from __future__ import annotations

from compute.tests.chaos import matrix
from compute.tests.chaos.matrix import Case
from compute.tests.chaos.oracle import Verdict
from compute.tests.chaos.report import Run
from rosetta.enums import EngineKind

FIRST, LAST = 1, 41


def run(*cases: Case) -> Run:
    return Run(seed=1, changes=10, versions={}, cases=list(cases))


def lines(of: Run) -> list[list[str]]:
    return [line.split() for line in of.table(matrix.load()).splitlines()]


def test_every_fault_is_in_the_matrix() -> None:
    assert list(matrix.load()) == [f"F{number}" for number in range(FIRST, LAST + 1)]


def test_each_engine_has_a_line_with_sums_and_percentiles() -> None:
    well = Case("F10", EngineKind.PGOUTPUT, 1, recoveries=[1.0, 3.0], peak_bytes=80_000_000)
    again = Case("F10", EngineKind.PGOUTPUT, 2, recoveries=[2.0], peak_bytes=90_000_000)
    bad = Case("F2", EngineKind.DEBEZIUM, 1, Verdict(lost=3, orphans=1))
    shown = run(well, again, bad)
    assert not shown.passed
    assert lines(shown)[1][:12] == ["F2", "debezium", "1", "0", "3", "0", "0", "0", "1", "-", "-", "-"]
    assert lines(shown)[2][:13] == ["F10", "pgoutput", "2", "2", *["0"] * 5, "2.0", "3.0", "3.0", "90"]
    assert shown.as_json()["engines"]["debezium"]["faults"]["F2"]["lost"] == 3


def test_what_cannot_be_injected_here_has_a_line_with_its_reason() -> None:
    shown = run(Case("F1", EngineKind.PGOUTPUT, 1))
    shown.not_here["F11"] = "no room"
    assert shown.passed
    assert lines(shown)[-1][:3] == ["F11", "-", "0"]
    assert lines(shown)[-1][-4:] == ["not", "here:", "no", "room"]


def test_a_planted_bug_that_is_not_caught_and_a_target_that_is_delayed_fail_the_run() -> None:
    shown = run(Case("F1", EngineKind.PGOUTPUT, 1))
    shown.planted[EngineKind.PGOUTPUT] = {"one": True, "other": False}
    assert not shown.passed
    assert shown.as_json()["engines"]["pgoutput"]["planted_bugs"] == {"caught": 1, "of": 2}
    shown.planted.clear()
    shown.isolation[EngineKind.PGOUTPUT] = 2.1
    assert not shown.passed
