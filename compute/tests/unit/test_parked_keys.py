"""Hashes of keys: equal keys are equal whatever they look like, and counts come out right."""

from __future__ import annotations

from collections import Counter
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.core.batch import META_COLUMNS
from compute.core.lines import lines
from compute.dlq import keys
from compute.dlq.keys import KeyCounts, KeyHasher, normal_form
from compute.tests.contract.changes import UNCHANGED, Change, changes, schema
from rosetta.dead_letters.rows import META_COLUMN_NAMES
from rosetta.secrets import Keyring
from rosetta.types import Column, UserType

HASHER = KeyHasher(Keyring.from_secret_key("a key for tests"))
LOOSE = schema("loose", (("a", "text"), ("b", "text")), ())


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("numeric", b"1.50", b"1.5"),
        ("numeric(10,2)", b"2.00", b"2"),
        ("character(5)", b"ab   ", b"ab"),
        ("public.citext", b"Ab", b"aB"),
        ("double precision", b"-0", b"0"),
        ("jsonb", b'{"a": 1.0}', b'{"a": 1.00}'),
    ],
)
def test_equal_values_that_print_differently_have_one_form(kind: str, one: bytes, other: bytes) -> None:
    assert normal_form(Column("k", kind), one) == normal_form(Column("k", kind), other)


def test_keys_that_a_collation_may_take_for_equal_wait_for_one_another() -> None:
    blind = Column("k", "text", nondeterministic=True)
    assert normal_form(blind, b"Ab") == normal_form(blind, b"aB")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("integer", b"10", b"1"),
        ("numeric", b"10", b"1"),
        ("numeric", b"100.10", b"100.01"),
        ("text", b"a", b"A"),
        ("character varying(20)", b"a ", b"a"),
        ("timestamp(3) with time zone", b"2026-01-01 00:00:00+00", b"2026-01-01 00:00:01+00"),
    ],
)
def test_values_that_differ_are_told_apart(kind: str, one: bytes, other: bytes) -> None:
    assert normal_form(Column("k", kind), one) != normal_form(Column("k", kind), other)


def test_an_enum_is_its_label() -> None:
    column = Column("k", "public.mood", user_types=(UserType("public", "mood", "enum", ("sad", "ok")),))
    assert normal_form(column, b"sad") != normal_form(column, b"ok")


def test_a_move_touches_both_keys_and_tables_differ() -> None:
    things, others = schema("things"), schema("others")
    moved, old, new = lines(
        changes(
            things,
            [
                Change("u", 3, ("2", "n", "b"), moved_from=("1",)),
                Change("d", 1, ("1", "", "")),
                Change("c", 2, ("2", "", "")),
            ],
        )
    )
    assert set(HASHER.numbers(things, moved)) == {*HASHER.numbers(things, old), *HASHER.numbers(things, new)}
    assert set(HASHER.numbers(things, old)).isdisjoint(HASHER.numbers(others, old))
    assert HASHER.numbers_of(HASHER.hashes(things, [moved])) == HASHER.numbers(things, moved)


def test_a_row_without_key_is_its_text_and_one_with_unknown_values_is_any() -> None:
    whole, other, partly = lines(
        changes(LOOSE, [Change("c", 1, ("x", "y")), Change("c", 2, ("x", "z")), Change("c", 3, ("x", UNCHANGED))])
    )
    assert HASHER.numbers(LOOSE, whole) != HASHER.numbers(LOOSE, other)
    assert HASHER.numbers(LOOSE, partly) == HASHER.whole_table(LOOSE.table)


def test_a_hash_of_a_former_key_is_found_and_one_of_an_unknown_key_is_told() -> None:
    (line,) = lines(changes(schema(), [Change("c", 1, ("1", "n", "b"))]))
    made = HASHER.hashes(schema(), [line])
    rotated = KeyHasher(Keyring.from_secret_key("the next key", ["a key for tests"]))
    assert set(rotated.numbers_of(made) or ()) <= set(rotated.numbers(schema(), line))
    assert rotated.hashes(schema(), [line]) != made
    assert KeyHasher(Keyring.from_secret_key("another key")).numbers_of(made) is None


@given(
    st.lists(st.integers(0, 5)),
    st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 5), max_size=4)), max_size=30),
)
def test_counts_are_those_of_a_multiset(first: list[int], steps: list[tuple[bool, list[int]]]) -> None:
    with patch.object(keys, "_MERGE_AT", 3):
        counts, model = KeyCounts(first), Counter(first)
        for adds, numbers in steps:
            if adds:
                counts.add(numbers)
                model.update(numbers)
            else:
                counts.remove(numbers)
                for number in numbers:
                    model[number] -= model[number] > 0
        assert [counts.count(number) for number in range(6)] == [model[number] for number in range(6)]
        assert bool(counts) == (sum(model.values()) > 0)


def test_a_line_begins_alike_for_compute_and_for_whoever_edits_it() -> None:
    assert tuple(META_COLUMNS) == META_COLUMN_NAMES
