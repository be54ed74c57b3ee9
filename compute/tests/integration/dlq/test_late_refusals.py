"""What a destination refuses after its write, of what it had put off: in the ledger like any other."""

from __future__ import annotations

import pytest

from compute.core.catching_up import catch_up
from compute.destinations.base import Refusal, Refusals, RefusedRecord
from compute.tests.contract.changes import changes
from compute.tests.support.desk import THINGS, Bench, row
from rosetta.errors import DataError


def test_a_change_that_is_refused_late_is_parked_and_what_follows_it_waits(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = bench.serve()
    bench.write(100, row(90, 2), row(91, 3))
    late = changes(THINGS, [row(95, 2, "late", op="u")])
    record = RefusedRecord(target, late, DataError("a value does not fit", code="VALUE_UNFIT"))

    def put_off(refused: Refusals, /, *, wholly: bool = False) -> None:
        refused(Refusal(records=(record,)))

    monkeypatch.setattr(bench.desk.destination, "catch_up", put_off)
    catch_up(bench.desk)
    assert bench.states() == [("RECORD", "PARKED", 0)]
    bench.write(200, row(110, 2, "second", "fine", "u"), row(111, 4))
    assert [(key, name) for key, name, _ in bench.rows()] == [(2, "n"), (3, "n"), (4, "n")]
    assert bench.states() == [("RECORD", "PARKED", 0)] * 2
