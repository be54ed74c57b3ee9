"""What a destination does with changes that its tables refuse: exactly these are left out, the rest is applied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compute.destinations.base import Destination, TableTarget
from compute.tests.contract import constraints
from compute.tests.contract.changes import UNCHANGED, Change, batch, changes, schema, target
from compute.tests.contract.conftest import Lane, constrained, written_at_once
from compute.tests.contract.refusals import BAD, THINGS, five_things, lines_of, made, refused, write
from rosetta.enums import DeleteMode, SyncMode

pytestmark = pytest.mark.integration

ITEMS = schema("items", (("id", "bigint"), ("n", "integer"), ("code", "character varying(5)"), ("doc", "jsonb")))
GOOD = ("7", "ok", '{"a": 1}')


@pytest.fixture
def items(destination: Destination) -> TableTarget:
    made = target(ITEMS)
    destination.ensure_table(made)
    return made


POISON: dict[str, tuple[tuple[str | None, ...], str]] = {
    "type": (("seven", "ok", None), "PG_22P02"),
    "overflow": (("2147483648", "ok", None), "PG_22003"),
    "too_long": (("1", "too long", None), "PG_22001"),
    "nul_in_jsonb": (("1", "ok", '{"a": "x\\u0000y"}'), "PG_22P05"),
    "not_null": ((None, "ok", None), "PG_23502"),
    "check": (("-1", "ok", None), "PG_23514"),
    "unique": (("1", "dup", None), "PG_23505"),
}


def constrain(lane: Lane, items: TableTarget) -> None:
    lane.constrain(constraints.not_null(items, "n"))
    lane.constrain(constraints.check(items, "n >= 0", lambda row: not str(row["n"]).startswith("-")))
    lane.constrain(constraints.unique(items, "code"))


@pytest.mark.parametrize("place", [0, 5, 20])
@pytest.mark.parametrize("kind", POISON)
@constrained
def test_f16_exactly_the_poisoned_record_is_refused(
    lane: Lane, destination: Destination, items: TableTarget, kind: str, place: int
) -> None:
    constrain(lane, items)
    assert not write(destination, 5, (items, made(("100", "1", "dup", None)))).refusal
    values, code = POISON[kind]
    its = made(*((str(number), str(number), f"c{number}", None) for number in range(20)), start=10)
    its.insert(place, Change("c", 9 + 50 * (place > 0), ("50", *values)))
    result = write(destination, 60, (items, its))
    assert refused(result) == [(code, lines_of(items, its[place]))]
    assert len(lane.rows(items)) == 21
    assert result.rows == 20
    assert values[0] is None or values[0] not in str(result.refusal.records[0].error.message).split()


@constrained
def test_f16_every_kind_of_poison_at_once(lane: Lane, destination: Destination, items: TableTarget) -> None:
    constrain(lane, items)
    write(destination, 5, (items, made(("100", "1", "dup", None))))
    bad = [Change("c", 10 + number, (str(number), *values)) for number, (values, _) in enumerate(POISON.values())]
    good = made(*((str(number), str(number), f"c{number}", None) for number in range(200, 230)), start=40)
    result = write(destination, 99, (items, [*good[:10], *bad, *good[10:]]))
    assert sorted(refused(result)) == sorted(
        (code, lines_of(items, change)) for change, (_, code) in zip(bad, POISON.values(), strict=True)
    )
    assert len(lane.rows(items)) == 31


@constrained
def test_f16_a_domain_refuses_only_its_value(lane: Lane, destination: Destination) -> None:
    of = target(schema("labels", (("id", "bigint"), ("label", "text"))))
    destination.ensure_table(of)
    lane.constrain(constraints.domain(of, "label", "length(VALUE) < 3", lambda row: len(row["label"] or "") < 3))
    its = made(("1", "ab"), ("2", "abc"), ("3", None))
    assert refused(write(destination, 9, (of, its))) == [("PG_23514", lines_of(of, its[1]))]
    assert lane.rows(of) == [("1", "ab"), ("3", None)]


@constrained
def test_f16_a_row_without_its_parent_is_refused(lane: Lane, destination: Destination) -> None:
    parent, child = family(lane, destination)
    its = made(("1", "10"), ("2", "11"), ("3", "10"))
    result = write(destination, 9, (child, its), (parent, made(("10",), start=8)))
    assert refused(result) == [("PG_23503", lines_of(child, its[1]))]
    assert lane.rows(child, "id") == [("1",), ("3",)]


def family(lane: Lane, destination: Destination, *, deferred: bool = False) -> tuple[TableTarget, TableTarget]:
    parent = target(schema("parents", (("id", "bigint"),)), sync_id=11)
    child = target(schema("children", (("id", "bigint"), ("parent", "bigint"))), sync_id=12)
    destination.ensure_table(parent)
    destination.ensure_table(child)
    lane.constrain(constraints.foreign_key(child, "parent", parent, deferred=deferred))
    return parent, child


@pytest.mark.parametrize("deferred", [False, True])
@constrained
def test_a_parent_further_on_in_the_batch_is_no_error(lane: Lane, destination: Destination, deferred: bool) -> None:
    parent, child = family(lane, destination, deferred=deferred)
    assert not write(destination, 5, (child, made(("1", "10"))), (parent, made(("10",)))).refusal
    gone = [Change("d", 11, ("10",))]
    assert not write(destination, 20, (parent, gone), (child, [Change("d", 12, ("1", None))])).refusal
    assert (lane.rows(parent), lane.rows(child)) == ([], [])


@constrained
def test_a_deferred_constraint_refuses_only_its_row(lane: Lane, destination: Destination) -> None:
    parent, child = family(lane, destination, deferred=True)
    its = made(("1", "10"), ("2", "11"))
    assert refused(write(destination, 5, (child, its), (parent, made(("10",))))) == [
        ("PG_23503", lines_of(child, its[1]))
    ]
    assert (lane.rows(parent), lane.rows(child)) == ([("10",)], [("1", "10")])


@constrained
def test_rows_that_need_one_another_go_together(lane: Lane, destination: Destination) -> None:
    left = target(schema("lefts", (("id", "bigint"), ("other", "bigint"))), sync_id=13)
    right = target(schema("rights", (("id", "bigint"), ("other", "bigint"))), sync_id=14)
    for of, other, name in ((left, right, "fk1"), (right, left, "fk2")):
        destination.ensure_table(of)
        destination.ensure_table(other)
        lane.constrain(constraints.foreign_key(of, "other", other, deferred=True, name=name))
    lefts = [Change("c", 1, ("1", "2")), Change("c", 3, ("7", "8"), xid=101)]
    assert refused(write(destination, 9, (left, lefts), (right, [Change("c", 2, ("2", "1"))]))) == [
        ("PG_23503", lines_of(left, lefts[1]))
    ]
    assert (lane.rows(left), lane.rows(right)) == ([("1", "2")], [("2", "1")])


CODES = schema("codes", (("id", "bigint"), ("code", "text"), ("body", "text")))


@pytest.fixture
def codes(lane: Lane, destination: Destination) -> TableTarget:
    made_ = target(CODES, sync_id=3)
    destination.ensure_table(made_)
    lane.constrain(constraints.unique(made_, "code"))
    return made_


def start(destination: Destination, codes: TableTarget, count: int) -> None:
    assert not write(destination, 100, (codes, made(*((str(n), f"c{n}", f"b{n}") for n in range(count))))).refusal


@constrained
def test_a_unique_value_is_handed_from_row_to_row(lane: Lane, destination: Destination, codes: TableTarget) -> None:
    start(destination, codes, 3)
    its = [Change("u", 111, ("0", "c1", "x")), Change("u", 110, ("1", "new", "x")), Change("d", 105, ("2", None, None))]
    its.append(Change("c", 112, ("9", "c2", "x")))
    assert not write(destination, 200, (codes, its)).refusal
    assert lane.rows(codes, "id", "code") == [("0", "c1"), ("1", "new"), ("9", "c2")]


@constrained
def test_unique_values_that_are_swapped_are_no_error(lane: Lane, destination: Destination, codes: TableTarget) -> None:
    start(destination, codes, 3)
    its = [Change("u", 110, ("0", "c1", UNCHANGED)), Change("u", 111, ("1", "c2", UNCHANGED))]
    its.append(Change("u", 112, ("2", "c0", UNCHANGED)))
    assert not write(destination, 200, (codes, its)).refusal
    assert lane.rows(codes) == [("0", "c1", "b0"), ("1", "c2", "b1"), ("2", "c0", "b2")]


@constrained
def test_a_swap_beside_a_refused_row(lane: Lane, destination: Destination, codes: TableTarget) -> None:
    start(destination, codes, 4)
    its = [
        Change("u", 110, ("0", "c1", "x")),
        Change("u", 111, ("1", "c0", "x")),
        Change("c", 112, ("8", "c3", "x"), xid=101),
        Change("c", 113, ("9", "free", "x"), xid=101),
    ]
    assert refused(write(destination, 200, (codes, its))) == [("PG_23505", lines_of(codes, its[2]))]
    assert lane.rows(codes, "id", "code") == [("0", "c1"), ("1", "c0"), ("2", "c2"), ("3", "c3"), ("9", "free")]


@pytest.mark.parametrize("step", [1, -1])
@constrained
def test_a_chain_of_values_is_no_error(lane: Lane, destination: Destination, codes: TableTarget, step: int) -> None:
    start(destination, codes, 12)
    its = [Change("u", 110 + number, (str(number), f"c{number + step}", "x")) for number in range(12)]
    assert not write(destination, 200, (codes, its)).refusal
    assert {row[1] for row in lane.rows(codes)} == {f"c{number + step}" for number in range(12)}


@pytest.fixture
def things(destination: Destination) -> TableTarget:
    return five_things(destination)


def test_f19_unchanged_values_are_kept_beside_a_refused_row(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    its = [Change("u", 20, ("1", "11", UNCHANGED)), Change("u", 21, ("7", "7", UNCHANGED)), BAD]
    found = refused(write(destination, 40, (things, its)))
    assert found == [("ROW_MISSING", lines_of(things, its[1])), (lane.misfit, lines_of(things, BAD))]
    assert lane.rows(things)[0] == ("1", "11", "big1")


def test_f19_key_changes_are_right_beside_a_refused_row(
    lane: Lane, destination: Destination, things: TableTarget
) -> None:
    its = [
        Change("d", 22, ("9", None, None), seq=1),
        Change("u", 23, ("1", "0", UNCHANGED), seq=1, moved_from=("2",)),
        Change("u", 24, ("2", "0", UNCHANGED), seq=1, moved_from=("1",)),
        Change("d", 25, ("3", None, None)),
        Change("u", 25, ("6", "0", UNCHANGED), seq=1, moved_from=("3",)),
        BAD,
    ]
    assert refused(write(destination, 40, (things, its))) == [(lane.misfit, lines_of(things, BAD))]
    assert lane.rows(things, "id", "body") == [
        ("1", "big2"),
        ("2", "big1"),
        ("4", "big4"),
        ("5", "big5"),
        ("6", "big3"),
    ]


def test_f19_a_refused_key_change_leaves_its_old_row(lane: Lane, destination: Destination, things: TableTarget) -> None:
    its = [
        Change("d", 25, ("3", None, None)),
        Change("u", 25, ("6", "none", UNCHANGED), seq=1, moved_from=("3",)),
        Change("u", 26, ("4", "0", UNCHANGED)),
    ]
    assert refused(write(destination, 40, (things, its))) == [(lane.misfit, lines_of(things, *its[:2]))]
    assert [row[2] for row in lane.rows(things)] == ["big1", "big2", "big3", "big4", "big5"]


def test_versions_guard_the_slow_path(lane: Lane, destination: Destination, things: TableTarget) -> None:
    write(destination, 50, (things, [Change("u", 45, ("1", "45", "new"))]))
    its = [Change("u", 20, ("1", "20", "old")), Change("d", 2, ("5", None, None)), BAD]
    assert refused(write(destination, 60, (things, its))) == [(lane.misfit, lines_of(things, BAD))]
    assert [lane.rows(things)[0], lane.rows(things)[4]] == [("1", "45", "new"), ("5", "5", "big5")]


def test_only_the_newest_change_of_a_key_counts(lane: Lane, destination: Destination, things: TableTarget) -> None:
    its = [Change("u", 20, ("1", "none", "x")), Change("u", 21, ("1", "21", "y")), Change("u", 22, ("2", "none", "x"))]
    its.insert(0, Change("u", 19, ("2", "19", "z")))
    result = write(destination, 40, (things, its))
    assert refused(result) == [(lane.misfit, lines_of(things, its[0], its[3]))]
    assert lane.rows(things)[:2] == [("1", "21", "y"), ("2", "2", "big2")]


def test_truncate_and_a_refused_row(lane: Lane, destination: Destination, things: TableTarget) -> None:
    its = [Change("c", 21, ("1", "1", "x")), BAD]
    result = destination.write_changes(batch(40, (things, changes(THINGS, its)), truncated=[things]))
    assert refused(result) == [(lane.misfit, lines_of(things, BAD))]
    assert lane.rows(things) == [("1", "1", "x")]


def test_soft_deletes_beside_a_refused_row(lane: Lane, destination: Destination) -> None:
    of = target(THINGS, delete_mode=DeleteMode.SOFT)
    destination.ensure_table(of)
    write(destination, 10, (of, made(("1", "1", "x"), ("2", "2", "x"))))
    its = [Change("d", 21, ("1", None, None)), BAD, Change("u", 22, ("2", "22", UNCHANGED))]
    assert refused(write(destination, 40, (of, its))) == [(lane.misfit, lines_of(of, BAD))]
    assert lane.rows(of, "id", "n", "_rosetta_deleted") == [("1", "1", "true"), ("2", "22", "false")]


@written_at_once
def test_append_mode_refuses_single_changes(lane: Lane, destination: Destination) -> None:
    of = target(THINGS, mode=SyncMode.APPEND)
    destination.ensure_table(of)
    its = [
        Change("c", 1, ("1", "1", "x")),
        Change("u", 2, ("1", "none", "x")),
        Change("u", 3, ("1", "3", UNCHANGED)),
        Change("d", 4, ("1", None, None)),
    ]
    assert refused(write(destination, 10, (of, its))) == [(lane.misfit, lines_of(of, its[1]))]
    assert lane.rows(of, "_rosetta_lsn", "_rosetta_op", "n") == [("1", "c", "1"), ("3", "u", "3"), ("4", "d", None)]


@constrained
def test_a_table_without_a_key_refuses_single_rows(lane: Lane, destination: Destination) -> None:
    of = target(schema("loose", (("n", "integer"), ("b", "text")), ()), sync_id=5)
    destination.ensure_table(of)
    write(destination, 10, (of, made(("1", "x"), ("1", "x"), ("2", "big"), ("4", "w"))))
    its = [
        Change("c", 20, ("3", "y")),
        Change("d", 21, ("1", "x")),
        Change("d", 22, ("2", "big")),
        Change("c", 22, ("5", UNCHANGED), seq=1),
        Change("d", 23, ("4", "w")),
        Change("c", 23, ("none", "w"), seq=1),
    ]
    assert refused(write(destination, 40, (of, its))) == [("PG_22P02", lines_of(of, *its[4:]))]
    assert lane.rows(of) == [("1", "x"), ("3", "y"), ("4", "w"), ("5", "big")]


def test_while_a_copy_runs_single_changes_are_refused(lane: Lane, destination: Destination) -> None:
    of = target(THINGS, copying=True)
    destination.ensure_table(replace(of, copying=False))
    destination.start_copy(of)
    its = [Change("u", 20, ("1", "11", UNCHANGED)), BAD, Change("d", 21, ("2", None, None))]
    assert refused(write(destination, 40, (of, its))) == [(lane.misfit, lines_of(of, BAD))]
    assert destination.unfilled_keys(of) == [("1",)]
