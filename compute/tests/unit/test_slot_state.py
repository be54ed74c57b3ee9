"""Which logs and slots a pipeline can go on from: a table, and PostgreSQL's own history files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.core.slot_state import KnownSlot, check_log, usable
from compute.sources.postgres import Origin, SlotInfo, Survey
from compute.sources.postgres.timelines import find_branch
from rosetta.errors import OutageError, ResyncRequiredError
from rosetta.lsn import Lsn

HOME = Origin("7000000000000000001", 2)
KNOWN = KnownSlot(4, "rosetta_1_4", HOME, Lsn(1000))
SLOT = SlotInfo("rosetta_1_4", "pgoutput", "db", None, Lsn(900), "reserved", 200)
HISTORY = "1\t0/64\tno recovery target specified\n\n2\t0/3E8\tbefore 2026-01-01 00:00:00+00\n"


def branch(timeline: int, current: int) -> Lsn | None:
    assert current == 3
    return find_branch(HISTORY, timeline)


@pytest.mark.parametrize(
    ("known", "survey", "code"),
    [
        (KNOWN, Survey(HOME, Lsn(1000), {}), None),
        (KNOWN, Survey(HOME, Lsn(999), {}), "SOURCE_WENT_BACK"),
        (KNOWN, Survey(Origin("7000000000000000002", 2), Lsn(5000), {}), "OTHER_CLUSTER"),
        (KNOWN, Survey(replace(HOME, timeline=3), Lsn(5000), {}), None),  # branched off at 0x3E8 = 1000: all is there
        (replace(KNOWN, reached=Lsn(1001)), Survey(replace(HOME, timeline=3), Lsn(5000), {}), "SOURCE_WENT_BACK"),
        (replace(KNOWN, origin=replace(HOME, timeline=5)), Survey(replace(HOME, timeline=3), Lsn(5000), {}),
         "SOURCE_WENT_BACK"),
        (replace(KNOWN, origin=None), Survey(HOME, Lsn(1), {}), None),
        (replace(KNOWN, reached=None), Survey(replace(HOME, timeline=3), Lsn(1), {}), None),
    ],
)  # fmt: skip
def test_log(known: KnownSlot, survey: Survey, code: str | None) -> None:
    if code is None:
        check_log(survey, known, branch)
        return
    with pytest.raises(ResyncRequiredError) as refused:
        check_log(survey, known, branch)
    assert refused.value.code == code
    assert refused.value.remedy
    assert "WHERE id = 4" in refused.value.remedy


def test_a_standby_that_has_not_replayed_as_much_is_waited_for() -> None:
    """As after its own restart; nothing is lost by it."""
    behind = Survey(HOME, Lsn(999), {}, on_standby=True)
    with pytest.raises(OutageError) as waits:
        check_log(behind, KNOWN, branch)
    assert waits.value.code == "STANDBY_BEHIND"
    check_log(replace(behind, current=Lsn(1000)), KNOWN, branch)
    with pytest.raises(ResyncRequiredError):
        check_log(replace(behind, origin=Origin("7000000000000000002", 2)), KNOWN, branch)


def test_slot() -> None:
    assert usable(SLOT, KNOWN) == Lsn(900)
    for slot, known, code in (
        (None, KNOWN, "SLOT_MISSING"),
        (None, replace(KNOWN, dropped_for="its budget"), "SLOT_DROPPED"),
        (replace(SLOT, wal_status="lost"), KNOWN, "SLOT_LOST"),
        (replace(SLOT, invalidation="wal_removed"), KNOWN, "SLOT_LOST"),
    ):
        with pytest.raises(ResyncRequiredError) as refused:
            usable(slot, known)
        assert refused.value.code == code
        assert refused.value.remedy
        assert refused.value.remedy.startswith("UPDATE pipelines SET acknowledged_lsn = NULL, status = 'REFRESH'")


def test_an_origin_is_read_as_it_is_written() -> None:
    assert Origin.parse(str(HOME)) == HOME
