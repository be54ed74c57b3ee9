"""Every planted bug has its place in the shipped code, and a case that is to catch it."""

from __future__ import annotations

import re
from pathlib import Path

from compute.tests.chaos.planting import SCENARIOS
from rosetta.plants import PLANTS

_ROOT = Path(__file__).resolve().parents[3]


def _asked_for() -> set[str]:
    """The names that the code outside of tests asks for."""
    files = [path for folder in ("rosetta", "compute") for path in (_ROOT / folder).rglob("*.py")]
    shipped = [path for path in files if "tests" not in path.relative_to(_ROOT).parts and path.name != "plants.py"]
    return {name for path in shipped for name in re.findall(r'planted\("(\w+)"\)', path.read_text(encoding="utf-8"))}


def test_the_shipped_code_can_make_each_of_the_ten_and_no_other() -> None:
    assert _asked_for() == set(PLANTS)


def test_each_has_a_case_that_must_catch_it() -> None:
    assert set(SCENARIOS) == set(PLANTS)
