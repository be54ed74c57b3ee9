"""Bugs that a test can plant in the shipped code, to show that the chaos suite would catch them.

Each name is a mistake that systems of this kind have really made. The code that would make it asks `planted` at
that place, and the answer is no unless the process was started with `ROSETTA_PLANT=name,...` and `APP_ENV=test`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from rosetta.app_env import AppEnv
from rosetta.errors import ConfigurationError

PLANTS: Final = MappingProxyType(
    {
        "no_version_guard": "the merge overwrites and deletes rows that are newer than the change",
        "overtake_parked": "live changes are written while older ones of the destination are still parked",
        "chunk_by_lsn": "a backfill's chunk is merged by comparing LSNs instead of its snapshot with the rows' xids",
        "unguarded_chunk": "a backfill's chunk overwrites every row",
        "no_tombstones": "deletes leave nothing behind, so something older can bring the row back",
        "dedupe_by_global_lsn": "a change at or below the highest LSN seen is taken for a repetition",
        "early_flush": "the slot is advanced when a batch was handed over, before it is durable or parked",
        "discard_after_retries": "a parked change that has failed too often is thrown away",
        "ignore_dlq_failure": "a change that could not be parked counts as parked",
        "no_key_parking": "later changes of a parked key are applied",
    }
)

_armed: set[str] = set()


def arm(setting: str, app_env: str) -> None:
    """Plants the bugs that `setting` names, separated by commas, and only those.

    Raises ConfigurationError for an unknown name, and for any name where `app_env` is not `test`.
    """
    _armed.clear()
    names = {name for name in (part.strip() for part in setting.split(",")) if name}
    if names and app_env != AppEnv.TEST:
        raise ConfigurationError("ROSETTA_PLANT is for tests", remedy="Remove it, or set APP_ENV=test.")
    unknown = sorted(names - PLANTS.keys())
    if unknown:
        raise ConfigurationError(f"ROSETTA_PLANT does not know {', '.join(unknown)}")
    _armed.update(names)


def planted(name: str) -> bool:
    """Whether the bug `name`, one of `PLANTS`, is planted in this process. Costs one look into an empty set."""
    return name in _armed
