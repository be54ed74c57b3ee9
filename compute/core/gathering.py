"""Destinations to which each write costs: batches lie in the lane for a while, and are written as one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from compute.core.batch import ChangeBatch, TableChanges
from compute.core.joining import joined
from compute.core.lane_queue import Carried, LaneQueue
from compute.core.work import ChangesWork, Desk
from compute.destinations.base import Gathering


class Gatherer:
    """Takes batches from a lane's queue when enough have gathered. Belongs to the writer's thread.

    What has gathered stays in the queue until it is durable: it can be parked like anything else, and comes again after
    a crash.
    """

    def __init__(self, queue: LaneQueue, limits: Gathering) -> None:
        """What gathers stays well below what may lie in memory, or the others would wait for it."""
        self._queue = queue
        bound = queue.bound_bytes
        self._limits = limits if bound is None else replace(limits, bytes=max(1, min(limits.bytes, bound // 2)))
        queue.gathering = self._limits

    def ripe(self) -> list[Carried]:
        """What is to be written now, all of it together; it stays in the queue until it is `done`."""
        run, ended = self._queue.run(self._limits)
        old = bool(run) and time.monotonic() - run[0].carried_at >= self._limits.seconds
        return run if old or ended else []

    def write(self, desk: Desk) -> bool:
        """Writes what is ripe; whether there was any."""
        ripe = self.ripe()
        fresh = [one.batch for one in ripe if desk.durable is None or one.batch.end > desk.durable]
        for one in ripe[: len(ripe) - len(fresh)]:
            desk.skip(one.batch)
        if fresh:
            ChangesWork(together(fresh)).run(desk)
        for one in ripe:
            self._queue.done(one)
        return bool(ripe)

    def may_wait(self, desk: Desk) -> bool:
        """Whether a position behind which nothing was written need not be written either, yet."""
        if desk.postponed is None or desk.durable is None:
            return False
        return int(desk.postponed.end.commit_lsn) - int(desk.durable.commit_lsn) < self._limits.idle_bytes


def together(batches: Sequence[ChangeBatch]) -> ChangeBatch:
    """Batches in stream order, of which only the first may empty tables, as one batch that ends where the last does."""
    if len(batches) == 1:
        return batches[0]
    parts: dict[object, list[list[TableChanges]]] = {}
    for batch in batches:
        for changes in batch.tables:
            runs = parts.setdefault((changes.table, changes.made_for), [])
            if runs and runs[-1][0].shape == changes.shape and runs[-1][0].key == changes.key:
                runs[-1].append(changes)
            else:
                runs.append([changes])
    first, last = batches[0], batches[-1]
    times = [batch.commit_time for batch in batches if batch.commit_time is not None]
    return ChangeBatch(
        sequence=last.sequence,
        start=first.start,
        end=last.end,
        truncated=first.truncated,
        tables=tuple(joined(run) for runs in parts.values() for run in runs),
        watermarks=last.watermarks,
        commit_time=max(times, default=None),
    )
