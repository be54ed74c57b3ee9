"""SNOWFLAKE_TIMEOUT_CONFIGURATION.md says what the code does."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from rosetta.snowflake import Patience

DOCUMENT = Path(__file__).parents[3] / "docs" / "SNOWFLAKE_TIMEOUT_CONFIGURATION.md"
ROW = re.compile(r"^\| .+ \| (\d+) \| `([\w.]+):([\w.]+)` \|$", re.MULTILINE)


def value_of(module: str, path: str) -> object:
    found: Any = import_module(module)
    for name in path.split("."):
        found = found[name] if isinstance(found, dict) else getattr(found, name)
    return getattr(Patience(), path.rpartition(".")[2]) if path.startswith("Patience.") else found


def test_every_number_of_the_table_is_the_codes() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = ROW.findall(text)
    assert len(rows) == text.count(":_") + text.count(":Patience.") + text.count(":PROGRESS_") == 10
    assert {place: value_of(module, place) for _, module, place in rows} == {
        place: int(value) for value, _, place in rows
    }
