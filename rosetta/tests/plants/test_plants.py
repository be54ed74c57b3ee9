"""Planted bugs: armed in tests only, and only by names that exist."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rosetta import plants
from rosetta.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _bare() -> Iterator[None]:
    yield
    plants.arm("", "test")


def test_nothing_is_planted_by_itself() -> None:
    assert not any(plants.planted(name) for name in plants.PLANTS)


def test_what_is_named_is_planted_and_nothing_else() -> None:
    plants.arm("early_flush, no_tombstones", "test")
    assert [name for name in plants.PLANTS if plants.planted(name)] == ["no_tombstones", "early_flush"]


def test_arming_again_takes_back_what_was_planted() -> None:
    plants.arm("early_flush", "test")
    plants.arm("", "production")
    assert not plants.planted("early_flush")


@pytest.mark.parametrize("app_env", ["development", "production"])
def test_only_a_test_environment_can_be_planted(app_env: str) -> None:
    with pytest.raises(ConfigurationError, match="for tests"):
        plants.arm("early_flush", app_env)
    assert not plants.planted("early_flush")


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no_such_bug"):
        plants.arm("early_flush,no_such_bug", "test")
    assert not plants.planted("early_flush")
