"""Sifting: exactly the bad ones, in order, in few tries."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from compute.destinations.sift import sift
from rosetta.errors import DataError


class Table:
    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.applied: list[int] = []
        self.tries = 0

    def __call__(self, first: int, end: int) -> DataError | None:
        self.tries += 1
        if self.bad & set(range(first, end)):
            return DataError("bad", code=f"of {end - first}")
        self.applied += range(first, end)
        return None


@given(st.integers(0, 60).flatmap(lambda count: st.tuples(st.just(count), st.sets(st.integers(0, max(0, count - 1))))))
def test_exactly_the_bad_ones_are_left_out(made: tuple[int, set[int]]) -> None:
    count, bad = made
    table = Table({item for item in bad if item < count})
    refused = sift(count, table)
    assert set(refused) == table.bad
    assert {error.code for error in refused.values()} <= {"of 1"}
    assert table.applied == [item for item in range(count) if item not in table.bad]


def test_one_bad_one_costs_a_logarithm_wherever_it_is() -> None:
    for place in (0, 1, 4095, 4096, 5000, 8191):
        table = Table({place})
        assert set(sift(8192, table)) == {place}
        assert table.tries <= 2 * math.log2(8192) + 3, place


def test_many_bad_ones_cost_less_than_two_tries_each() -> None:
    for step, limit in ((1, 1.01), (2, 1.7), (3, 1.7), (10, 0.8), (100, 0.14)):
        table = Table(set(range(0, 8192, step)))
        assert set(sift(8192, table)) == table.bad
        assert table.tries <= limit * 8192 + 30, step


def test_it_ends_when_it_is_told_to() -> None:
    table = Table(set(range(1000)))
    assert len(sift(1000, table, lambda taken, in_a_row, _error: taken == 0 and in_a_row == 100)) == 100
    assert table.tries <= 112
    table = Table(set(range(5, 1000)))
    assert len(sift(1000, table, lambda taken, in_a_row, _error: taken == 0 and in_a_row == 100)) == 995
    table = Table(set(range(5, 1000)))
    assert set(sift(1000, table, lambda taken, in_a_row, _error: (taken, in_a_row) == (5, 3))) == {5, 6, 7}
