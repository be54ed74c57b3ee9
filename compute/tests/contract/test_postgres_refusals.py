"""Refusals that need a server: odd values, constraints of its own kinds, rights, sizes, and what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.destinations.base import WriteResult
from compute.destinations.postgres import PostgresDestination
from compute.destinations.postgres.part import HOPELESS_AFTER
from compute.destinations.postgres.session import Session
from compute.tests.contract import constraints
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, schema, target
from compute.tests.contract.conftest import PostgresLane
from rosetta.enums import SyncMode

pytestmark = pytest.mark.integration
THINGS = schema("things", (("id", "bigint"), ("n", "integer"), ("body", "text")))


def codes(result: WriteResult) -> list[str]:
    assert result.refusal.tables == {}
    return [record.error.code for record in result.refusal.records]


ODD = {
    "numeric": (["NaN", "Infinity", "1e-400", "-0"], ["1e", "0x"]),
    "double precision": (["Infinity", "-Infinity", "NaN", "-0"], ["1e999"]),
    "timestamp with time zone": (
        ["infinity", "-infinity", "0044-03-15 00:00:00+00 BC"],
        ["2024-02-30", "294277-01-01"],
    ),
    "date": (["4713-01-01 BC", "infinity"], ["2023-02-29"]),
    "integer[]": (["{{1,2},{3,NULL}}", "[2:3]={1,2}", "{}"], ["{{1,2},{3}}"]),
    "int4range": (["empty", "(,5)", "[1,1]"], ["[5,1]"]),
    "jsonb": (['{"a": 1e400}', '"\\u00e4"'], ['{"a": "\\u0000"}', '"\\ud800"']),
    "bytea": (["\\x00ff", "\\x"], ["\\x0"]),
    "bit(3)": (["101"], ["1011"]),
    "character varying(3)": (["abc", "ab   "], ["abcd"]),
    "inet": (["::1/128"], ["300.1.1.1"]),
    "text": (["\x01\x7f", "", "\\N", "é" * 100], []),
}


@pytest.mark.parametrize("of_type", ODD)
def test_f18_odd_values_are_kept_and_impossible_ones_refused(
    postgres_lane: PostgresLane, writer: PostgresDestination, of_type: str
) -> None:
    kept, impossible = ODD[of_type]
    of = target(schema("odd", (("id", "bigint"), ("v", of_type))))
    writer.ensure_table(of)
    values = [*impossible[:1], *kept, *impossible[1:]]
    its = [Change("c", number, (str(number), value)) for number, value in enumerate(values, 1)]
    result = writer.write_changes(batch(99, (of, changes(of.schema, its))))
    assert [record.changes for record in result.refusal.records] == [
        changes(of.schema, [change]) for change in its if change.values[1] in impossible
    ]
    assert len(postgres_lane.rows(of)) == len(kept)
    assert all(value not in record.error.message for record in result.refusal.records for value in impossible)


def test_f17_a_row_of_40_mb_beside_a_refused_one(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    large = "x" * (40 << 20)
    its = [Change("c", 1, ("1", "1", large)), Change("c", 2, ("2", "none", "x")), Change("c", 3, ("3", "3", "x"))]
    assert codes(writer.write_changes(batch(10, (of, changes(THINGS, its))))) == ["PG_22P02"]
    its = [Change("u", 11, ("1", "none", UNCHANGED)), Change("u", 12, ("3", "33", UNCHANGED))]
    assert codes(writer.write_changes(batch(20, (of, changes(THINGS, its))))) == ["PG_22P02"]
    found = postgres_lane.query('SELECT id, n, length(body) FROM "copy".things ORDER BY id')
    assert found == [(1, 1, 40 << 20), (3, 33, 1)]


def test_f17_a_refused_row_of_40_mb(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    postgres_lane.query('ALTER TABLE "copy".things ADD CHECK (length(body) < 1000)')
    its = [Change("c", number, (str(number), "1", "x" * (40 << 20) if number == 2 else "y")) for number in range(1, 5)]
    result = writer.write_changes(batch(10, (of, changes(THINGS, its))))
    assert codes(result) == ["PG_23514"]
    assert len(result.refusal.records[0].changes.data) > 40 << 20
    assert len(postgres_lane.rows(of)) == 3


def test_an_index_row_that_is_too_large_is_the_rows_fault(
    postgres_lane: PostgresLane, writer: PostgresDestination
) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    postgres_lane.query('CREATE INDEX ON "copy".things (body)')
    noise = "".join(chr(0x4E00 + number * 7919 % 20000) for number in range(9000))
    its = [Change("c", 1, ("1", "1", noise)), Change("c", 2, ("2", "2", "x"))]
    assert codes(writer.write_changes(batch(10, (of, changes(THINGS, its))))) == ["PG_54000"]


def test_an_exclusion_constraint_hands_its_ranges_on(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(schema("spans", (("id", "bigint"), ("span", "int4range"))))
    writer.ensure_table(of)
    postgres_lane.query('ALTER TABLE "copy".spans ADD EXCLUDE USING gist (span WITH &&)')
    first = [Change("c", 1, ("1", "[1,5)")), Change("c", 2, ("2", "[5,9)")), Change("c", 3, ("3", "[8,12)"))]
    assert codes(writer.write_changes(batch(10, (of, changes(of.schema, first))))) == ["PG_23P01"]
    swap = [Change("u", 11, ("1", "[5,9)")), Change("u", 12, ("2", "[1,5)"))]
    assert codes(writer.write_changes(batch(20, (of, changes(of.schema, swap))))) == []
    assert postgres_lane.rows(of) == [("1", "[5,9)"), ("2", "[1,5)")]


def test_a_swap_keeps_columns_that_are_not_ours(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    postgres_lane.query(
        "ALTER TABLE \"copy\".things ADD UNIQUE (n), ADD COLUMN mine text DEFAULT 'new', "
        "ADD COLUMN twice integer GENERATED ALWAYS AS (n * 2) STORED, "
        'ADD COLUMN "no" bigint GENERATED ALWAYS AS IDENTITY'
    )
    first = [Change("c", 1, ("1", "1", "a")), Change("c", 2, ("2", "2", "b"))]
    writer.write_changes(batch(10, (of, changes(THINGS, first))))
    postgres_lane.query('UPDATE "copy".things SET mine = body')
    its = [Change("u", 11, ("1", "2", "x")), Change("u", 12, ("2", "3", "x")), Change("c", 13, ("3", "1", "x"))]
    its.append(Change("c", 14, ("4", "none", "x")))
    assert codes(writer.write_changes(batch(20, (of, changes(THINGS, its))))) == ["PG_22P02"]
    assert postgres_lane.rows(of, "id", "n", "mine", "twice") == [
        ("1", "2", "a", "4"),
        ("2", "3", "b", "6"),
        ("3", "1", "new", "2"),
    ]
    numbers = postgres_lane.query('SELECT "no" FROM "copy".things ORDER BY id')
    assert numbers[:2] == [(1,), (2,)]


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_rows_that_others_hang_on_are_never_replaced(
    postgres_lane: PostgresLane, writer: PostgresDestination, action: str
) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    first = [Change("c", 1, ("1", "1", "a")), Change("c", 2, ("2", "2", "b"))]
    writer.write_changes(batch(10, (of, changes(THINGS, first))))
    postgres_lane.query(
        'ALTER TABLE "copy".things ADD UNIQUE (n); '
        f'CREATE TABLE hangs (thing bigint REFERENCES "copy".things ON DELETE {action}); '
        "INSERT INTO hangs VALUES (1), (2)"
    )
    swap = [Change("u", 11, ("1", "2", "x")), Change("u", 12, ("2", "1", "x"))]
    assert codes(writer.write_changes(batch(20, (of, changes(THINGS, swap))))) == ["PG_23505", "PG_23505"]
    assert postgres_lane.query("SELECT thing FROM hangs ORDER BY 1") == [(1,), (2,)]


def test_rows_that_are_referred_to_are_replaced_in_one_statement(
    postgres_lane: PostgresLane, writer: PostgresDestination
) -> None:
    of = target(THINGS)
    writer.ensure_table(of)
    first = [Change("c", 1, ("1", "1", "a")), Change("c", 2, ("2", "2", "b"))]
    writer.write_changes(batch(10, (of, changes(THINGS, first))))
    postgres_lane.query(
        'ALTER TABLE "copy".things ADD UNIQUE (n); '
        'CREATE TABLE refers (thing bigint REFERENCES "copy".things); INSERT INTO refers VALUES (1), (2)'
    )
    swap = [Change("u", 11, ("1", "2", "x")), Change("u", 12, ("2", "1", "x"))]
    assert codes(writer.write_changes(batch(20, (of, changes(THINGS, swap))))) == []
    assert postgres_lane.rows(of, "id", "n") == [("1", "2"), ("2", "1")]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ('DROP TABLE "copy".things', "PG_42P01"),
        ('ALTER TABLE "copy".things DROP COLUMN body', "PG_42703"),
        ('ALTER TABLE "copy".things DROP CONSTRAINT things_pkey', "PG_42P10"),
        ('ALTER TABLE "copy".things ALTER n TYPE boolean USING NULL', "PG_42804"),
    ],
)
def test_a_table_that_lost_what_it_needs_is_refused_whole(
    postgres_lane: PostgresLane, writer: PostgresDestination, sql: str, code: str
) -> None:
    of, other = target(THINGS), target(schema("others"), sync_id=2)
    for one in (of, other):
        writer.ensure_table(one)
    good = (other, changes(other.schema, [Change("c", 1, ("1", "a", "b"))]))
    assert codes(writer.write_changes(batch(5, (of, changes(THINGS, [Change("c", 1, ("1", "1", "a"))])), good))) == []
    postgres_lane.query(sql)
    its = [Change("c", 11, ("2", "none", "x")), Change("c", 12, ("3", "3", "x"))]
    more = (other, changes(other.schema, [Change("c", 13, ("2", "a", "b"))]))
    for end, poisoned in ((20, its), (30, its[1:])):
        result = writer.write_changes(batch(end, (of, changes(THINGS, poisoned)), more))
        assert {sync_id: error.code for sync_id, error in result.refusal.tables.items()} == {1: code}
        assert result.refusal.records == ()
    assert len(postgres_lane.rows(other)) == 2


class Calls:
    """Counts what a writer asks its server."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.count = 0
        for name in ("run", "rows", "copy"):
            patch.setattr(Session, name, self._counted(getattr(Session, name)))

    def _counted(self, method: object) -> object:
        def call(*arguments: object) -> object:
            self.count += 1
            return method(*arguments)  # type: ignore[operator]

        return call


def test_what_refusals_cost(
    postgres_lane: PostgresLane, writer: PostgresDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bounded: a batch without refusals takes one call; one bad row of 8,192 a logarithm more; all bad, an end."""
    of, rows = target(THINGS), 8_192
    writer.ensure_table(of)
    postgres_lane.constrain(constraints.check(of, "n >= 0", lambda _row: True))

    def cost(end: int, bad: set[int], value: str) -> tuple[int, WriteResult]:
        its = [Change("u", end - 9_000 + n, (str(n), value if n in bad else "1", "b")) for n in range(rows)]
        payload = changes(THINGS, its, folded=True)
        calls.count = 0
        result = writer.write_changes(batch(end, (of, payload)))
        return calls.count, result

    calls = Calls(monkeypatch)
    cost(10_000, set(), "-1")
    assert cost(20_000, set(), "-1")[0] == 1
    for end, value in ((30_000, "-1"), (40_000, "none")):
        count, result = cost(end, {5_000}, value)
        assert len(result.refusal.records) == 1
        assert count <= 70
    count, result = cost(50_000, set(range(0, rows, 82)), "-1")
    assert (len(result.refusal.records), count < 2_500) == (100, True)
    count, result = cost(60_000, set(range(rows)), "-1")
    assert ([error.code for error in result.refusal.tables.values()], count < 3 * HOPELESS_AFTER) == (
        ["PG_23514"],
        True,
    )
    assert result.refusal.records == ()


def test_a_transaction_leaves_nothing_behind(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    of = replace(target(THINGS), mode=SyncMode.CURRENT)
    writer.ensure_table(of)
    for end in (10, 20):
        its = [Change("c", end - 9, (str(end), "none", "x")), Change("c", end - 8, (str(end + 1), "1", "x"))]
        assert codes(writer.write_changes(batch(end, (of, changes(THINGS, its))))) == ["PG_22P02"]
    left = writer._session.rows(
        "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'v')", "looking"
    )
    assert left == [("rosetta_staging_1",)]


def test_two_shapes_of_a_table_and_a_refused_row(postgres_lane: PostgresLane, writer: PostgresDestination) -> None:
    wide = schema("things", (("id", "bigint"), ("n", "integer"), ("body", "text"), ("more", "text")))
    writer.ensure_table(target(wide))
    of = target(wide)
    narrow = changes(THINGS, [Change("c", 1, ("1", "1", "big")), Change("c", 2, ("2", "none", "x"))])
    later = changes(wide, [Change("u", 3, ("1", "11", UNCHANGED, "m")), Change("c", 4, ("3", "none", "x", "m"))])
    assert codes(writer.write_changes(batch(10, (of, narrow), (of, later)))) == ["PG_22P02", "PG_22P02"]
    assert postgres_lane.rows(of) == [("1", "11", "big", "m")]
