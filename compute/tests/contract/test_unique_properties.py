"""Unique values that rows hand around in a batch: whatever the source could do, the target takes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.destinations.base import Destination, TableTarget, TableWrite, WriteBatch
from compute.tests.contract import constraints
from compute.tests.contract.changes import UNCHANGED, Change, position, schema, target
from compute.tests.contract.changes import changes as encoded
from compute.tests.contract.conftest import Lane, many_histories
from compute.tests.contract.test_properties import bounded
from rosetta.identifiers import TableId

pytestmark = [pytest.mark.integration, many_histories]
State = Mapping[str, str]  # the unique code of each row
KEYS, CODES = "123456", "abcdefgh"
STATES = st.permutations(CODES).flatmap(
    lambda codes: st.sets(st.sampled_from(KEYS)).map(lambda keys: dict(zip(sorted(keys), codes, strict=False)))
)
_numbers = itertools.count(1)


def prepared(lane: Lane) -> tuple[Destination, TableTarget]:
    number = next(_numbers)
    of = target(schema(f"u{number}", (("id", "text"), ("code", "text"), ("n", "integer"))), sync_id=1)
    of = replace(of, target=TableId("copy", f"u{number}"))
    destination = lane.writer(pipeline_id=1000 + number)
    destination.open(1)
    destination.ensure_table(of)
    return destination, of


def steps(before: State, after: State, data: st.DataObject, start: int, poisoned: frozenset[str]) -> list[Change]:
    """What a folded batch says of the way from one state to another, in the order in which rows changed last."""
    touched = [key for key in KEYS if before.get(key) != after.get(key) or key in poisoned]
    made = []
    for lsn, key in enumerate(data.draw(st.permutations(touched), label="order"), start):
        xid = data.draw(st.integers(100, 101), label="xid")
        if key not in after:
            made.append(Change("d", lsn, (key, None, None), xid=xid))
            continue
        n = "-1" if key in poisoned else UNCHANGED if key in before and data.draw(st.booleans()) else "1"
        made.append(Change("u" if key in before else "c", lsn, (key, after[key], n), xid=xid))
    return made


def send(destination: Destination, of: TableTarget, end: int, its: list[Change]) -> set[str]:
    """Writes a batch; returns the keys of refused rows."""
    write = TableWrite(of, encoded(of.schema, its, folded=True))
    result = destination.write_changes(WriteBatch(position(end), (), (write,)))
    assert result.refusal.tables == {}
    return {bytes(record.changes.data).split(b"\t")[7].decode() for record in result.refusal.records}


def rows(lane: Lane, of: TableTarget) -> State:
    return {str(key): str(code) for key, code in lane.rows(of, "id", "code")}


@bounded
@given(states=st.lists(STATES, min_size=1, max_size=4), data=st.data())
def test_what_the_source_could_do_is_no_error(lane: Lane, states: list[State], data: st.DataObject) -> None:
    destination, of = prepared(lane)
    lane.constrain(constraints.unique(of, "code"))
    with closing(destination):
        before: State = {}
        for number, after in enumerate(states, 1):
            assert (
                send(destination, of, number * 100, steps(before, after, data, number * 100 - 50, frozenset())) == set()
            )
            assert rows(lane, of) == after
            before = after


@bounded
@given(before=STATES, after=STATES, data=st.data())
def test_only_what_a_refused_row_blocks_is_refused_with_it(
    lane: Lane, before: State, after: State, data: st.DataObject
) -> None:
    destination, of = prepared(lane)
    with closing(destination):
        assert send(destination, of, 100, steps({}, before, data, 50, frozenset())) == set()
        lane.constrain(constraints.unique(of, "code"))
        lane.constrain(constraints.check(of, "n > 0", lambda row: row["n"] != "-1"))
        bad = data.draw(st.sets(st.sampled_from(sorted(after))) if after else st.just(set()), label="bad")
        expected = closure(before, after, set(bad))
        found = send(destination, of, 200, steps(before, after, data, 150, frozenset(bad)))
        assert found == expected
        assert rows(lane, of) == {
            key: state[key] for key in KEYS for state in ((before if key in expected else after),) if key in state
        }


def closure(before: State, after: State, refused: set[str]) -> set[str]:
    """Refused rows, and those whose code a row holds that was to give it away and cannot."""
    while True:
        held = {before[key] for key in refused if key in before}
        blocked = {key for key, code in after.items() if code in held and before.get(key) != code} | refused
        if blocked == refused:
            return refused
        refused = blocked
