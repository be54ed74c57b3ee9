"""no_loss with refused changes: whatever is refused, and whatever waits behind it, arrives when it is replayed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.core.batch import TableChanges
from compute.core.lines import groups, lines, select
from compute.destinations.base import TableWrite, WriteBatch
from compute.tests.contract import constraints
from compute.tests.contract.changes import changes as encoded
from compute.tests.contract.conftest import Lane, many_histories
from compute.tests.contract.source_model import Item, SourceModel, fold, resolved
from compute.tests.contract.test_properties import Delivery, act, bounded, finish

pytestmark = [pytest.mark.integration, many_histories]
FORBIDDEN = ("3", "6", "9")


class ParkingDelivery(Delivery):
    """Parks what is refused, and what comes later for its keys; names with a forbidden end are refused."""

    def __init__(self, lane: Lane, data: st.DataObject) -> None:
        super().__init__(lane, data, {})
        self.parked: list[TableChanges] = []
        self.keys: set[tuple[bytes, ...]] = set()
        self.forbids = True

        def allowed(row: dict[str, str | None]) -> bool:
            return not self.forbids or not str(row["name"]).endswith(FORBIDDEN)

        lane.constrain(constraints.check(self.target, "name !~ '[369]$'", allowed))

    def hand_over(self, items: list[Item]) -> None:
        """One batch of changes, without those of parked keys."""
        its = [item.change for item in items if item.change is not None]
        folded = self.data.draw(st.booleans(), label="folded")
        payload = encoded(self.target.schema, fold(its) if folded else resolved(its), folded=folded)
        free = []
        for group in groups(lines(payload)):
            touched = {key for line in group for key in (line.key, line.moved_from) if key is not None}
            if touched & self.keys:
                self.park(select(payload, group))
            else:
                free += group
        write = TableWrite(self.target, select(payload, sorted(free, key=lambda line: line.version)))
        result = self.destination.write_changes(WriteBatch(items[-1].position, (), (write,)))
        assert result.refusal.tables == {}
        for record in result.refusal.records:
            self.park(record.changes)

    def park(self, payload: TableChanges) -> None:
        self.parked.append(payload)
        self.keys |= {key for line in lines(payload) for key in (line.key, line.moved_from) if key is not None}

    def allow(self, lane: Lane) -> None:
        self.forbids = False
        name = self.target.target.name
        lane.constrain(
            constraints.Constraint(f"ALTER TABLE copy.{name} DROP CONSTRAINT {name}_name_check", lambda _tables: None)
        )

    def replay(self) -> Iterator[TableChanges]:
        """Everything that is parked, oldest first, some of it twice; yields what is refused even now."""
        for payload in self.parked:
            for _ in range(self.data.draw(st.integers(1, 2), label="times")):
                result = self.destination.write_changes(WriteBatch(None, (), (TableWrite(self.target, payload),)))
                yield from (record.changes for record in result.refusal.records)


@bounded
@given(data=st.data())
def test_no_loss_of_refused_changes(lane: Lane, data: st.DataObject) -> None:
    model = SourceModel({})
    for _ in range(data.draw(st.integers(1, 30), label="steps")):
        act(model, data, moves=True, truncates=False)
    finish(model)
    delivery = ParkingDelivery(lane, data)
    with closing(delivery.destination):
        for begin, end in delivery.pieces(model.stream):
            delivery.hand_over(model.stream[begin:end])
        assert not any(name.endswith(FORBIDDEN) for name, _ in delivery.rows().values())
        delivery.allow(lane)
        assert list(delivery.replay()) == []
        assert delivery.rows() == model.rows


@bounded
@given(data=st.data())
def test_exactly_what_is_refused_is_left_out(lane: Lane, data: st.DataObject) -> None:
    """Of rows that nothing links, each forbidden one is refused and each other one is there."""
    delivery = ParkingDelivery(lane, data)
    names = data.draw(st.lists(st.integers(0, 40), max_size=25, unique=True), label="names")
    model = SourceModel({})
    by = model.begin()
    for number in names:
        model._log(by, "c", f"k{number}", (f"n{number}", None))
    if names:
        model.commit(by)
    with closing(delivery.destination):
        if names:
            delivery.hand_over(model.stream)
        assert delivery.rows() == {key: row for key, row in model.rows.items() if not row[0].endswith(FORBIDDEN)}
        assert len(delivery.parked) == len(model.rows) - len(delivery.rows())
