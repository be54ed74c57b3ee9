"""What to do so that the processes that run become those that are wanted. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rosetta.enums import DesiredStatus


@dataclass(frozen=True, slots=True)
class Wish:
    """One row of `pipelines`, as the last poll read it.

    Attributes:
        fingerprint: changes whenever a running process must be rebuilt.
        destinations: a fingerprint for each; one that joins or leaves needs no rebuild, one that changes does.
        settled: every destination's observed state already says that the pipeline is at rest.
        owner: the instance that holds the lease; None: nobody.
        elsewhere: another instance holds the lease.
        overdue: nobody has held it for longer than a lease lasts.
        ours_to_take: False for one that is free and another instance's to take (see `balance`).
    """

    pipeline_id: int
    name: str
    status: DesiredStatus
    fingerprint: str
    settled: bool = False
    owner: str | None = None
    elsewhere: bool = False
    overdue: bool = False
    ours_to_take: bool = True
    destinations: Mapping[int, str] = field(default_factory=dict)

    def rebuilds(self, earlier: Wish) -> bool:
        """Whether a process that was started for `earlier` cannot take up this wish while it runs."""
        common = self.destinations.keys() & earlier.destinations.keys()
        return self.fingerprint != earlier.fingerprint or any(
            self.destinations[key] != earlier.destinations[key] for key in common
        )


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours that has not ended yet, and the wish it serves."""

    wish: Wish
    stopping: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pipeline whose process failed: no new start before `until`, unless what was wished then changes."""

    wish: Wish
    until: float


class ActionKind(StrEnum):
    START = "START"
    STOP = "STOP"
    SETTLE = "SETTLE"  # say PAUSED and give the lease back: no process of ours is left
    FORGET = "FORGET"  # the pipeline is gone: nothing of it is remembered


@dataclass(frozen=True, slots=True)
class Action:
    kind: ActionKind
    pipeline_id: int


def reconcile(
    wishes: Iterable[Wish], children: Mapping[int, Child], waiting: Mapping[int, Waiting], now: float
) -> list[Action]:
    """The actions for one pass, in order of pipeline; doing them and asking again ends in an empty list.

    At most one action per pipeline and pass: a pipeline is started only after its old process is gone.
    """
    wanted = {wish.pipeline_id: wish for wish in wishes}
    actions: list[Action] = []
    for pipeline_id in sorted(wanted.keys() | children.keys() | waiting.keys()):
        kind = _decide(wanted.get(pipeline_id), children.get(pipeline_id), waiting.get(pipeline_id), now)
        if kind is not None:
            actions.append(Action(kind, pipeline_id))
    return actions


def _decide(wish: Wish | None, child: Child | None, waiting: Waiting | None, now: float) -> ActionKind | None:
    if child is not None:
        return None if child.stopping or _may_run(wish, child) else ActionKind.STOP
    if wish is None:
        return ActionKind.FORGET
    if wish.status is DesiredStatus.PAUSE:
        return None if wish.elsewhere or (wish.settled and waiting is None) else ActionKind.SETTLE
    return ActionKind.START if _may_start(wish, waiting, now) else None


def _may_start(wish: Wish, waiting: Waiting | None, now: float) -> bool:
    if wish.elsewhere or not wish.ours_to_take:
        return False
    if wish.status is DesiredStatus.REFRESH or waiting is None:
        return True
    return now >= waiting.until or wish.rebuilds(waiting.wish)


def _may_run(wish: Wish | None, child: Child) -> bool:
    return (
        wish is not None and wish.status is DesiredStatus.START and not wish.rebuilds(child.wish) and not wish.elsewhere
    )
