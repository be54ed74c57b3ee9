"""What a pipeline costs its source in retained WAL: how long that can go on, and whether it is too much. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

_NEAR_SHARE = 0.8
_CALM_SHARE = 0.7  # below it a warning ends, so that it does not come and go
_NEAR_SECONDS = 3600.0
_WINDOW_SECONDS = 300.0
_SHORTEST_SECONDS = 30.0  # one checkpoint or one large transaction is no trend


class WalLevel(StrEnum):
    CALM = "CALM"
    NEAR = "NEAR"  # a limit is close, or will be soon
    REACHED = "REACHED"  # the pipeline's own budget is used up


@dataclass(frozen=True, slots=True)
class WalVerdict:
    """One look at one slot.

    Attributes:
        limit_bytes: the nearest limit: the budget, or what the server keeps for the slot; None: only the disk.
        seconds_left: until the limit is reached, as it grows now; None: it does not grow, or that is not known.
    """

    level: WalLevel
    retained_bytes: int
    limit_bytes: int | None = None
    seconds_left: float | None = None


@dataclass
class WalTrend:
    """How much a slot retained lately. Times are monotonic seconds."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def add(self, now: float, retained_bytes: int) -> None:
        self._seen.append((now, retained_bytes))
        while now - self._seen[0][0] > _WINDOW_SECONDS:
            self._seen.popleft()

    def growth(self) -> float | None:
        """Bytes a second; None until it was watched for long enough."""
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now - began >= _SHORTEST_SECONDS else None


def judge_wal(
    retained_bytes: int,
    *,
    budget_bytes: int | None,
    safe_bytes: int | None,
    growth: float | None,
    before: WalLevel = WalLevel.CALM,
) -> WalVerdict:
    """What to say of a slot.

    Args:
        budget_bytes: the pipeline's own limit.
        safe_bytes: what the server will still keep beyond what it retains (`safe_wal_size`).
        growth: of the retained WAL, in bytes a second.
        before: the level of the look before.
    """
    limits = [budget_bytes, None if safe_bytes is None else retained_bytes + max(0, safe_bytes)]
    limit = min((one for one in limits if one is not None), default=None)
    if limit is None:
        return WalVerdict(WalLevel.CALM, retained_bytes)
    seconds_left = max(0.0, limit - retained_bytes) / growth if growth is not None and growth > 0 else None
    if budget_bytes is not None and retained_bytes >= budget_bytes:
        return WalVerdict(WalLevel.REACHED, retained_bytes, limit, seconds_left)
    share = _NEAR_SHARE if before is WalLevel.CALM else _CALM_SHARE
    soon = seconds_left is not None and seconds_left < _NEAR_SECONDS * (1 if before is WalLevel.CALM else 2)
    level = WalLevel.NEAR if soon or retained_bytes >= share * limit else WalLevel.CALM
    return WalVerdict(level, retained_bytes, limit, seconds_left)
