"""Retained WAL: when it is too much, when it will be, and that a warning does not come and go."""

from __future__ import annotations

import pytest

from compute.core.wal_budget import WalLevel, WalTrend, WalVerdict, judge_wal

MB = 1_000_000
CASES = {
    "nothing limits it": (500 * MB, None, None, 9e6, WalLevel.CALM, WalVerdict(WalLevel.CALM, 500 * MB)),
    "far from it": (10 * MB, 100 * MB, None, None, WalLevel.CALM, WalVerdict(WalLevel.CALM, 10 * MB, 100 * MB)),
    "most is used": (80 * MB, 100 * MB, None, None, WalLevel.CALM, WalVerdict(WalLevel.NEAR, 80 * MB, 100 * MB)),
    "used up": (100 * MB, 100 * MB, None, 0.0, WalLevel.NEAR, WalVerdict(WalLevel.REACHED, 100 * MB, 100 * MB)),
    "soon used up": (10 * MB, 100 * MB, None, 1e6, WalLevel.CALM, WalVerdict(WalLevel.NEAR, 10 * MB, 100 * MB, 90.0)),
    "not for long": (10 * MB, 100 * MB, None, 1e4, WalLevel.CALM, WalVerdict(WalLevel.CALM, 10 * MB, 100 * MB, 9e3)),
    "it shrinks": (10 * MB, 100 * MB, None, -1e6, WalLevel.CALM, WalVerdict(WalLevel.CALM, 10 * MB, 100 * MB)),
    "the server's limit is nearer": (
        80 * MB, 500 * MB, 10 * MB, None, WalLevel.CALM, WalVerdict(WalLevel.NEAR, 80 * MB, 90 * MB),
    ),
    "beyond the server's limit no budget acts": (
        80 * MB, None, -5, None, WalLevel.CALM, WalVerdict(WalLevel.NEAR, 80 * MB, 80 * MB),
    ),
    "still warned of": (75 * MB, 100 * MB, None, None, WalLevel.NEAR, WalVerdict(WalLevel.NEAR, 75 * MB, 100 * MB)),
    "over": (60 * MB, 100 * MB, None, None, WalLevel.NEAR, WalVerdict(WalLevel.CALM, 60 * MB, 100 * MB)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_verdict(name: str) -> None:
    retained, budget, safe, growth, before, expected = CASES[name]
    verdict = judge_wal(retained, budget_bytes=budget, safe_bytes=safe, growth=growth, before=before)
    assert verdict == expected


def test_growth_is_known_once_it_was_watched_for_a_while_and_forgets_what_is_long_ago() -> None:
    trend = WalTrend()
    trend.add(0.0, 0)
    trend.add(10.0, 50 * MB)
    assert trend.growth() is None
    trend.add(40.0, 80 * MB)
    assert trend.growth() == 2 * MB
    trend.add(400.0, 80 * MB)
    assert trend.growth() is None
    trend.add(500.0, 80 * MB)
    assert trend.growth() == 0
