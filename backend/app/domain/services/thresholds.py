"""Settings with a meaning of their own: their defaults and what they may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_GIB: Final = 1 << 30


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
        """What the stored settings say; one that is no positive number counts as not set."""
        found: dict[str, int] = {}
        for name in cls.__slots__:
            value = settings.get(name.replace("_", ".", 1))
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                found[name] = value
        return cls(**found)
