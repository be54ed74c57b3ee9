"""Pauses between attempts: they grow, end growing, and differ from one another."""

from __future__ import annotations

import pytest

from rosetta.backoff import Backoff

BACKOFF = Backoff(first_seconds=1.0, longest_seconds=60.0)


@pytest.mark.parametrize(("failures", "seconds"), [(1, 1.0), (2, 2.0), (5, 16.0), (6, 32.0), (7, 60.0), (10**6, 60.0)])
def test_a_pause_doubles_up_to_the_longest(failures: int, seconds: float) -> None:
    assert BACKOFF.ceiling_seconds(failures) == seconds


def test_a_first_pause_beyond_the_longest_is_cut() -> None:
    assert Backoff(first_seconds=5.0, longest_seconds=2.0).ceiling_seconds(1) == 2.0


@pytest.mark.parametrize("failures", [1, 5, 50])
def test_delays_lie_between_half_of_the_pause_and_all_of_it(failures: int) -> None:
    ceiling = BACKOFF.ceiling_seconds(failures)
    delays = {BACKOFF.delay_seconds(failures) for _ in range(50)}
    assert len(delays) > 1
    assert all(ceiling / 2 <= delay <= ceiling for delay in delays)
