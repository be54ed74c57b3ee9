"""Small batches take one exchange with the server, and lose nothing by it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compute.destinations.base import WriteBatch
from compute.destinations.postgres import PostgresDestination
from compute.destinations.postgres.session import Session
from compute.tests.contract.changes import Change, batch, changes, schema, target
from compute.tests.contract.conftest import PostgresLane
from rosetta.errors import FencedError

pytestmark = pytest.mark.integration
THINGS = schema("things", (("id", "bigint"), ("n", "integer")))
OTHERS = schema("others", (("id", "bigint"), ("n", "integer")))
TARGETS = {"things": target(THINGS), "others": target(OTHERS, sync_id=2)}


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sent to the server, text by text."""
    sent: list[str] = []
    for name in ("run", "rows", "copy"):
        real = getattr(Session, name)

        def noted(self: Session, sql: str, *rest: object, real=real) -> object:  # type: ignore[no-untyped-def]
            sent.append(sql)
            return real(self, sql, *rest)

        monkeypatch.setattr(Session, name, noted)
    return sent


@pytest.fixture
def writer(postgres_lane: PostgresLane) -> Iterator[PostgresDestination]:
    made = postgres_lane.writer()
    made.open(1)
    for one in TARGETS.values():
        made.ensure_table(one)
    yield made
    made.close()


def of(number: int, *tables: str, op: str = "u", value: str = "1") -> WriteBatch:
    line = Change(op, number, ["1", value], xid=number)
    targets = [TARGETS[name] for name in tables]
    return batch(number + 1, *((one, changes(one.schema, [line], folded=True)) for one in targets))


def test_a_small_batch_is_one_exchange_per_table(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str]
) -> None:
    writer.write_changes(of(10, "things", "others"))  # the position is not known yet, nor are the staging tables made
    exchanges.clear()
    writer.write_changes(of(20, "things", "others", value="2"))
    assert len(exchanges) == 2
    exchanges.clear()
    writer.write_changes(of(30, "things", op="d"))
    assert len(exchanges) == 1
    assert postgres_lane.rows(TARGETS["things"]) == []
    assert postgres_lane.rows(TARGETS["others"]) == [("1", "2")]
    assert writer.durable_position() == of(30, "things").end


def test_what_is_refused_is_looked_at_and_the_rest_is_applied(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str]
) -> None:
    writer.write_changes(of(10, "things", "others"))
    exchanges.clear()
    result = writer.write_changes(of(20, "things", "others", value="no number"))
    assert len(exchanges) > 2
    assert {record.target.source for record in result.refusal.records} == {THINGS.table, OTHERS.table}
    assert postgres_lane.rows(TARGETS["things"]) == [("1", "1")]
    assert writer.durable_position() == of(20, "things").end
    exchanges.clear()
    writer.write_changes(of(30, "things", value="3"))
    assert len(exchanges) == 1


def test_another_epoch_or_another_position_than_the_known_one_is_found(
    postgres_lane: PostgresLane, writer: PostgresDestination
) -> None:
    writer.write_changes(of(10, "things"))
    postgres_lane.query("UPDATE _rosetta.progress SET commit_lsn = '0/1E', change_lsn = '0/0', ordinal = 0")
    writer.write_changes(of(20, "things", value="2"))  # somebody has it already
    assert postgres_lane.rows(TARGETS["things"]) == [("1", "1")]
    writer.write_changes(of(40, "things", value="4"))
    rival = postgres_lane.writer()
    rival.open(2)
    with pytest.raises(FencedError):
        writer.write_changes(of(50, "things", value="5"))
    assert postgres_lane.rows(TARGETS["things"]) == [("1", "4")]
