"""A table that streams takes chunks from the begin of a backfill to its end; a copy of all of it goes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.backfill.ports import ROWS_LACK_VALUES
from compute.core.backfill_work import BeginBackfillWork, EndCopyWork
from compute.core.work import Desk, PrepareWork, ReleaseWork
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.tests.support.lanes import TABLE, TARGET, Scene
from rosetta.errors import DataError, RosettaError

Answers = list[RosettaError | None]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def desk(store: MemoryStore) -> Desk:
    """Serves one table, which streams."""
    destination = MemoryDestination(store)
    destination.open(1)
    made = Desk(1, destination, Scene(), 0)
    PrepareWork(TARGET, lambda _: None).run(made)
    return made


def begin(desk: Desk, owner: str) -> Answers:
    answers: Answers = []
    BeginBackfillWork(1, owner, answers.append).run(desk)
    return answers


def end(desk: Desk, owner: str | None) -> Answers:
    answers: Answers = []
    EndCopyWork(1, owner, answers.append).run(desk)
    return answers


def test_a_backfill_has_its_begin_and_its_end(desk: Desk, store: MemoryStore) -> None:
    assert begin(desk, "a") == [None]
    assert (desk.targets[1].copying, store.tables[TABLE].copying) == (True, True)
    assert end(desk, "another") == [None]
    assert store.tables[TABLE].copying
    assert end(desk, "a") == [None]
    assert (desk.targets[1].copying, store.tables[TABLE].copying, desk.backfills) == (False, False, {})
    assert end(desk, "a") == [None]


def test_a_new_process_takes_over_what_an_earlier_one_left(desk: Desk, store: MemoryStore) -> None:
    begin(desk, "a")
    PrepareWork(TARGET, lambda _: None).run(desk)
    assert (desk.targets[1].copying, store.tables[TABLE].copying) == (False, True)
    assert begin(desk, "b") == [None]
    end(desk, "a")
    assert store.tables[TABLE].copying
    end(desk, "b")
    assert not store.tables[TABLE].copying


def test_a_copy_of_the_whole_table_is_not_ended_by_a_backfill(desk: Desk, store: MemoryStore) -> None:
    begin(desk, "a")
    PrepareWork(replace(TARGET, copying=True), lambda _: None).run(desk)
    end(desk, "a")
    assert (desk.targets[1].copying, store.tables[TABLE].copying) == (True, True)
    (refused,) = begin(desk, "b")
    assert refused is not None
    assert refused.code == "TABLE_NOT_STREAMING"
    assert end(desk, None) == [None]
    assert begin(desk, "b") == [None]


def test_a_table_that_is_not_served_has_nothing_to_begin_or_end(desk: Desk) -> None:
    begin(desk, "a")
    ReleaseWork(1).run(desk)
    assert desk.backfills == {}
    assert end(desk, "a") == [None]
    assert [error and error.code for error in begin(desk, "b")] == ["TABLE_NOT_STREAMING"]


@pytest.mark.parametrize("owner", ["a", None])
def test_rows_that_lack_values_keep_a_copy_from_ending_unless_that_is_final(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, owner: str | None
) -> None:
    if owner is None:
        PrepareWork(replace(TARGET, copying=True), lambda _: None).run(desk)
    else:
        begin(desk, owner)
    backfills = dict(desk.backfills)
    lacking = [("1",)]
    monkeypatch.setattr(desk.destination, "unfilled_keys", lambda _: lacking)
    answers: Answers = []
    EndCopyWork(1, owner, answers.append, final=False).run(desk)
    assert answers == [ROWS_LACK_VALUES]
    assert (desk.targets[1].copying, desk.backfills) == (True, backfills)
    lacking.clear()
    EndCopyWork(1, owner, answers.append, final=False).run(desk)
    assert answers == [ROWS_LACK_VALUES, None]
    assert (desk.targets[1].copying, desk.backfills) == (False, {})


def test_rows_that_lack_values_at_the_end_fail_the_table(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(desk, "a")

    def lacking(_: object) -> None:
        raise DataError("rows lack values", code="COPY_INCOMPLETE")

    monkeypatch.setattr(desk.destination, "finish_copy", lacking)
    assert [error and error.code for error in end(desk, "a")] == ["COPY_INCOMPLETE"]
    assert (desk.targets, desk.backfills) == ({}, {})
    assert isinstance(desk.events, Scene)
    assert [failed[:2] for failed in desk.events.failed] == [(1, "COPY_INCOMPLETE")]
