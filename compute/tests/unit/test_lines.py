"""Payloads taken apart: keys, moves, groups, and putting together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.core.batch import TableChanges
from compute.core.lines import groups, lines, select
from compute.tests.contract.changes import UNCHANGED, Change, changes, schema
from rosetta.dialects.postgres.copy_text import parse_array, parse_lines

PAIR = schema("pairs", (("v", "text"), ("a", "text"), ("b", "text")), ("b", "a"))
LOOSE = schema("loose", (("a", "text"), ("b", "text")), ())
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6) | st.sampled_from(
    ["", "\\N", "\\", "\t\n\r\b\f\v", '"{},', "NULL", "a b"]
)
KEY = st.tuples(TEXT, TEXT)


@st.composite
def payloads(draw: st.DrawFn) -> tuple[list[Change], TableChanges]:
    items = [
        Change(
            draw(st.sampled_from("cud")),
            number,
            (draw(st.sampled_from([None, UNCHANGED, "v"])), *draw(KEY)),
            seq=draw(st.integers(0, 3)),
            moved_from=draw(st.none() | KEY),
        )
        for number in range(draw(st.integers(0, 8)))
    ]
    return items, changes(PAIR, items)


@given(payloads())
def test_lines_say_what_the_payload_says(made: tuple[list[Change], TableChanges]) -> None:
    items, payload = made
    found = lines(payload)
    assert b"".join(line.raw for line in found) == payload.data
    for line, item in zip(found, items, strict=True):
        assert (line.operation, line.lsn, line.seq) == (item.op, item.lsn, item.seq)
        assert line.has_unchanged == (item.values[0] is UNCHANGED)
        (key,) = parse_lines(b"\t".join(line.key) + b"\n")
        assert key == (item.values[2], item.values[1])
        assert (line.moved_from is None) == (item.moved_from is None)


@given(KEY)
def test_a_key_is_spelled_alike_in_its_columns_and_in_from(key: tuple[str, str]) -> None:
    item = Change("u", 1, ("v", key[1], key[0]), moved_from=key)
    (line,) = lines(changes(PAIR, [item]))
    assert line.moved_from == line.key
    assert parse_array("{" + ",".join('"' + part.replace("\\", r"\\").replace('"', r"\"") + '"' for part in key) + "}")


def test_spellings_of_one_key_are_one_key() -> None:
    head = b"u\t1\t0\t1\t1\t\\N\t\\N\t"
    data = head + b"v\ta\\b\\N\tx\n" + head + b"v\ta\x08N\tx\n"
    first, second = lines(TableChanges(PAIR.table, PAIR.column_names, PAIR.key, 2, data, True, False, False, False))
    assert first.key == second.key == (b"x", b"a\\bN")


@given(payloads(), st.data())
def test_a_selection_counts_itself_anew(made: tuple[list[Change], TableChanges], data: st.DataObject) -> None:
    items, payload = made
    chosen = data.draw(st.sets(st.sampled_from(range(len(items)))) if items else st.just(set()))
    kept = [item for number, item in enumerate(items) if number in chosen]
    part = select(payload, [line for number, line in enumerate(lines(payload)) if number in chosen])
    assert part == changes(PAIR, kept)


@given(payloads())
def test_groups_part_the_lines_by_what_hangs_together(made: tuple[list[Change], TableChanges]) -> None:
    _, payload = made
    found = lines(payload)
    parts = groups(found)
    assert sorted(map(id, found)) == sorted(id(line) for part in parts for line in part)
    place = {id(line): number for number, part in enumerate(parts) for line in part}
    assert all([found.index(line) for line in part] == sorted(found.index(line) for line in part) for part in parts)
    for one in found:
        for other in found:
            if other.key in {one.key, one.moved_from}:
                assert place[id(one)] == place[id(other)]
    keys = [{key for line in part for key in (line.key, line.moved_from) if key} for part in parts]
    assert sum(map(len, keys)) == len(set().union(*keys))


def test_unlinked_changes_are_groups_of_their_own() -> None:
    items = [Change("c", number, ("v", str(number), "k")) for number in range(4)]
    assert [len(part) for part in groups(lines(changes(PAIR, items)))] == [1, 1, 1, 1]


def test_both_halves_of_a_key_change_are_one_group() -> None:
    items = [
        Change("d", 7, (None, "a", "old")),
        Change("c", 9, ("v", "x", "other")),
        Change("u", 7, ("v", "a", "new"), seq=1),
    ]
    parts = groups(lines(changes(PAIR, items)))
    assert [[line.key[0] for line in part] for part in parts] == [[b"old", b"new"], [b"other"]]


def test_without_a_key_the_row_is_the_key_and_an_update_is_one_group() -> None:
    items = [
        Change("d", 7, ("a", "b\t1")),
        Change("c", 7, ("a", None), seq=1),
        Change("c", 8, ("z", "")),
        Change("d", 9, ("z", "")),
    ]
    found = lines(changes(LOOSE, items))
    assert [line.key for line in found] == [(b"a\tb\\t1",), (b"a\t\\N",), (b"z\t",), (b"z\t",)]
    assert [len(part) for part in groups(found)] == [2, 2]


def test_a_line_of_another_width_is_no_payload() -> None:
    payload = changes(PAIR, [Change("c", 1, ("v", "a", "b"))])
    short = TableChanges(PAIR.table, ("v", "a", "b", "more"), PAIR.key, 1, payload.data, True, False, False, False)
    with pytest.raises(ValueError, match="number of fields"):
        lines(short)
