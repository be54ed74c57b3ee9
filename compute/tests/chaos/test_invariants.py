"""The invariants of delivery on random histories of changes and faults, each by its name.

Every test looks for every one of them; each has histories of its own. What a destination promises by itself is held
to the same on real servers by `contract/test_properties.py`; `filter_exact` comes with filters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from compute.tests.chaos.delivery_machine import BrokenError, Delivery
from compute.tests.support.lanes import hasten
from rosetta import plants


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    hasten(monkeypatch.setattr)
    yield
    plants.arm("", "test")


def holds(examples: int = 15) -> None:
    # Without shrinking: real threads make a history different each time it is run.
    bounds = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Delivery, settings=bounds)


def test_converge() -> None:
    holds()


def test_no_loss() -> None:
    holds()


def test_versions_monotone() -> None:
    holds()


def test_slot_safe() -> None:
    holds()


def test_progress_atomic() -> None:
    holds()


def test_replay_idempotent() -> None:
    holds()


def test_destinations_isolated() -> None:
    holds()


def test_per_key_order() -> None:
    holds()


def test_no_resurrection() -> None:
    holds()


def test_single_writer() -> None:
    holds()


def test_bounded_memory() -> None:
    holds()


def test_backfill_exact() -> None:
    holds()


def test_no_silent_completion() -> None:
    holds()


@pytest.mark.parametrize(
    ("bug", "broken"),
    [
        ("early_flush", "slot_safe"),
        ("overtake_parked", "converge|no_loss|progress_atomic|no_resurrection"),
        ("ignore_dlq_failure", "slot_safe|converge|no_loss|progress_atomic|no_resurrection"),
    ],
)
def test_a_planted_bug_is_found(monkeypatch: pytest.MonkeyPatch, bug: str, broken: str) -> None:
    monkeypatch.setattr(Delivery, "patience_seconds", 3.0)
    plants.arm(bug, "test")
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - hypothesis wraps what it cannot repeat
        holds(200)
    found = list(_broken(caught.value))
    assert any(re.match(broken, text) for text in found), found


def _broken(error: BaseException) -> Iterator[str]:
    """The broken invariants that an error tells of, however deep."""
    if isinstance(error, BrokenError):
        yield str(error)
    for inner in getattr(error, "exceptions", ()):
        yield from _broken(inner)
