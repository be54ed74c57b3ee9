"""Batches take one exchange or two with the server, and lose nothing by it."""

from __future__ import annotations

import pytest

from compute.destinations.base import TableTarget, WriteBatch
from compute.destinations.postgres import PostgresDestination
from compute.destinations.postgres.session import Session
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, schema, target
from compute.tests.contract.conftest import PostgresLane
from rosetta.errors import FencedError

pytestmark = pytest.mark.integration
THINGS = schema("things", (("id", "bigint"), ("n", "integer")))
OTHERS = schema("others", (("id", "bigint"), ("n", "integer")))
TARGETS = {"things": target(THINGS), "others": target(OTHERS, sync_id=2)}
WORDY = target(schema("wordy"), sync_id=3)
MANY = 400
TEXT = "tab\t, \\N and \n " + "x" * 400  # so that many rows are no small batch


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
def writer(writer: PostgresDestination) -> PostgresDestination:
    """With the tables made."""
    for one in (*TARGETS.values(), WORDY):
        writer.ensure_table(one)
    return writer


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


def wordy(lsn: int, *items: Change, of: TableTarget = WORDY) -> WriteBatch:
    """As an engine folds: rows that are new with the batch come first."""
    ordered = sorted(items, key=lambda item: item.op != "c")
    return batch(lsn + 1, (of, changes(of.schema, ordered, folded=True)))


def rows(op: str, keys: range, lsn: int, name: str | None = "n") -> list[Change]:
    values: list[list[str | None]] = [[str(key), name, TEXT] for key in keys]
    return [Change(op, lsn, value if op != "d" else [value[0], None, None], xid=lsn) for value in values]


def seen(postgres_lane: PostgresLane) -> dict[int, tuple[str | None, int]]:
    """Names and versions by key; all other values are as they were written."""
    found = postgres_lane.query(
        "SELECT id, name, _rosetta_lsn, body, _rosetta_synced_at > now() - interval '1 h' FROM copy.wordy"
    )
    assert all(row[3] == TEXT and row[4] for row in found)
    return {int(str(row[0])): (row[1], int(str(row[2]))) for row in found}


def test_a_large_batch_is_one_exchange_and_another_for_new_rows(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str]
) -> None:
    writer.write_changes(of(10, "things"))
    writer.write_changes(wordy(20, *rows("c", range(1, 2), 20)))  # its staging table is made
    exchanges.clear()
    writer.write_changes(wordy(30, *rows("c", range(10, MANY), 30)))
    assert len(exchanges) == 1
    assert 'COPY "copy"."wordy"' in exchanges[0]
    exchanges.clear()
    kinds = [*rows("d", range(10, 20), 40), *rows("u", range(20, MANY), 40, None), *rows("c", range(500, 900), 40)]
    result = writer.write_changes(wordy(40, *kinds))
    assert result.rows == len(kinds)
    assert len(exchanges) == 2
    assert seen(postgres_lane) == {
        1: ("n", 20),
        **dict.fromkeys(range(20, MANY), (None, 40)),
        **dict.fromkeys(range(500, 900), ("n", 40)),
    }
    assert writer.durable_position() == wordy(40).end


@pytest.mark.parametrize("surprise", ["a new row is there", "a row is not there", "a row is newer"])
def test_a_target_that_is_not_as_the_stream_left_it_gets_the_batch_all_the_same(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str], surprise: str
) -> None:
    writer.write_changes(of(10, "things"))
    writer.write_changes(wordy(20, *rows("c", range(MANY), 20)))
    values = f"(-1, 'old', '{TEXT}', 5)" if surprise == "a new row is there" else None
    if values is not None:
        postgres_lane.query(f"INSERT INTO copy.wordy (id, name, body, _rosetta_lsn) VALUES {values}")
    elif surprise == "a row is not there":
        postgres_lane.query("DELETE FROM copy.wordy WHERE id = 7")
    else:
        postgres_lane.query("UPDATE copy.wordy SET name = 'newer', _rosetta_lsn = 90 WHERE id = 7")
    exchanges.clear()
    writer.write_changes(wordy(30, *rows("u", range(MANY), 30, "m"), *rows("c", range(-200, 0), 30, "m")))
    expected: dict[int, tuple[str | None, int]] = dict.fromkeys(range(-200, MANY), ("m", 30))
    if surprise == "a row is newer":
        expected[7] = ("newer", 90)
    assert seen(postgres_lane) == expected
    exchanges.clear()
    writer.write_changes(wordy(100, *rows("u", range(MANY), 100, "p")))
    assert any("ON CONFLICT" in sql for sql in exchanges)  # what surprised once may do so again
    assert {name for key, (name, _) in seen(postgres_lane).items() if key >= 0} == {"p"}


def test_values_that_were_left_out_cost_no_exchange(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str]
) -> None:
    writer.write_changes(of(10, "things"))
    writer.write_changes(wordy(20, *rows("c", range(MANY), 20)))
    exchanges.clear()
    lean = [Change("u", 30, [str(key), "w" * 400, UNCHANGED]) for key in range(MANY)]
    writer.write_changes(wordy(30, *lean))
    assert len(exchanges) == 1
    assert seen(postgres_lane) == dict.fromkeys(range(MANY), ("w" * 400, 30))
    result = writer.write_changes(wordy(40, Change("u", 40, ["-1", "nobody", UNCHANGED])))
    assert {record.error.code for record in result.refusal.records} == {"ROW_MISSING"}


@pytest.mark.parametrize("obstacle", ["rule", "row security", "no default"])
def test_new_rows_are_inserted_where_a_copy_would_not_do_the_same(
    postgres_lane: PostgresLane, writer: PostgresDestination, exchanges: list[str], obstacle: str
) -> None:
    postgres_lane.query(
        {
            "rule": "CREATE RULE r AS ON INSERT TO copy.wordy WHERE new.id < 0 DO INSTEAD NOTHING",
            "row security": "ALTER TABLE copy.wordy ENABLE ROW LEVEL SECURITY",
            "no default": "ALTER TABLE copy.wordy ALTER _rosetta_synced_at DROP DEFAULT",
        }[obstacle]
    )
    writer.write_changes(of(10, "things"))
    writer.write_changes(wordy(20, *rows("c", range(1), 20)))
    writer.write_changes(wordy(30, *rows("c", range(10, MANY), 30)))
    assert not any('COPY "copy"."wordy"' in sql for sql in exchanges)
    assert seen(postgres_lane) == {0: ("n", 20), **dict.fromkeys(range(10, MANY), ("n", 30))}
