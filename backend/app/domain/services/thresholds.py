"""Settings with a meaning of their own: their defaults and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_GIB: Final = 1 << 30
_LARGEST: Final = 1 << 53  # up to there every reader of JSON agrees on an integer
_LARGEST_DAYS: Final = 36_500


def positive(values: Mapping[str, object]) -> dict[str, int]:
    """Those that are positive numbers and can be reckoned with; `_days` of a century at most."""
    return {
        name: value
        for name, value in values.items()
        if type(value) is int and 0 < value <= (_LARGEST_DAYS if name.endswith("_days") else _LARGEST)
    }


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When something deserves attention. Read from the settings `wal.warning_bytes` and so on."""

    wal_warning_bytes: int = 5 * _GIB
    wal_critical_bytes: int = 20 * _GIB
    wal_metric_days: int = 30
    flow_days: int = 90
    system_metric_days: int = 7
    notification_days: int = 90

    @classmethod
    def of(cls, settings: Mapping[str, object]) -> Thresholds:
        """What the stored settings say; one that is not `positive` counts as not set."""
        return cls(**positive({name: settings.get(name.replace("_", ".", 1)) for name in cls.__slots__}))
