"""How compute instances share the pipelines: who takes what is free, and who gives back. Pure: no clock, no I/O.

Every instance works this out by itself from the same rows, so that nobody leads. Two that see different
moments may both want a pipeline: the lease then goes to one of them. It comes to rest, since a pipeline
moves only from an instance to one that has at least two fewer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Holding:
    """A pipeline that is to run.

    Attributes:
        owner: the instance that holds its lease; None: nobody.
        overdue: it has been free for longer than a lease lasts, so whose turn it was did not take it.
    """

    pipeline_id: int
    owner: str | None
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """What one instance does now: `take` what is free, `give` back one that it runs."""

    take: frozenset[int] = frozenset()
    give: int | None = None


def share(me: str, instances: Iterable[str], holdings: Iterable[Holding], movable: Collection[int]) -> Share:
    """The share of the instance `me`.

    Args:
        instances: those that gave a sign of life lately; `me` counts in any case.
        movable: pipelines of ours that run well; one that fails is not handed around.
    """
    known = sorted(holdings, key=lambda one: one.pipeline_id)
    load = dict.fromkeys(sorted({*instances, me}), 0)
    for one in known:
        if one.owner in load:
            load[one.owner] += 1
    free = [one for one in known if one.owner is None]
    if free:
        return Share(take=_turns(me, load, free))
    heaviest = max(load, key=lambda name: load[name])  # the first of equals: one gives at a time
    if heaviest == me and load[me] - min(load.values()) >= 2 and movable:
        return Share(give=max(movable))
    return Share()


def _turns(me: str, load: dict[str, int], free: Iterable[Holding]) -> frozenset[int]:
    """Deals the free pipelines out, each to the instance with the fewest; what is overdue is anybody's."""
    mine: set[int] = set()
    for one in free:
        lightest = min(load, key=lambda name: load[name])
        load[lightest] += 1
        if lightest == me or one.overdue:
            mine.add(one.pipeline_id)
    return frozenset(mine)
