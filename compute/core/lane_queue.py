"""What waits for one destination, in stream order: batches, work that has its place between them, and gaps.

A gap stands for batches that are in the ledger instead of in memory. The writer takes from the front; the parker turns
the oldest batches into gaps, also the one that the writer is at. What a batch took up is free as soon as the
destination has it or the ledger does.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from compute.core.batch import ChangeBatch
from compute.core.work import ChunkWork, PrepareWork, ReleaseWork, Work
from compute.destinations.base import Gathering
from compute.dlq.parcels import Parcel, Rules, Served
from compute.transforms import RowRules
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition

# What is not handed over yet is gathered by the engine into larger batches, and each batch ahead is a commit that a
# change has to wait for: while small ones pass quickly, only one is. Behind a large one the next is made ready.
_LARGE_BYTES = 256 * 1024
_QUICK_SECONDS = 0.1
_AHEAD = 8  # of one that is slow, or does not write: they can be parked together


@dataclass(eq=False, slots=True)
class Carried:
    """A batch in memory, with what must be known to park it; `carried_at` is a monotonic time."""

    parcel: Parcel
    carried_at: float = field(default_factory=time.monotonic)

    @property
    def batch(self) -> ChangeBatch:
        return self.parcel.batch


@dataclass(eq=False, slots=True)
class Gap:
    """Everything behind what came before, up to `end`, is in the ledger. `sequence`: of the newest batch there."""

    sequence: int
    end: StreamPosition


@dataclass(eq=False, slots=True)
class Beside:
    """Work with its place in the stream."""

    work: Work


Item = Carried | Gap | Beside


@dataclass(frozen=True, slots=True)
class Load:
    """What is not covered: neither durable at the destination nor parked. `age_seconds` is that of the oldest."""

    batches: int = 0
    bytes: int = 0
    age_seconds: float = 0.0


class LaneQueue:
    """Filled by any thread, emptied by one writer, relieved by one parker. Nothing here blocks but `head`."""

    def __init__(self, covered: int, room: Callable[[], None], bound_bytes: int | None = None) -> None:
        """`covered`: the newest sequence that this destination need not be given. `room`: `has_room` is true again.

        `stored` is the sequence of the newest batch that the ledger has with all before it.
        `bound_bytes`: what may lie in memory; None: whatever comes. `gathering` and `patient` are set by the writer,
        once it knows its destination.
        """
        self._room = room
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._uncovered: deque[Carried] = deque()
        self._bytes = 0
        self._ahead = 0
        self._gaps = 0
        self._served: Served = {}
        self._rules: Rules = {}
        self._contiguous = False
        self.stored = covered
        self._stored_end: StreamPosition | None = None
        self._closed = False
        self.bound_bytes = bound_bytes
        self.gathering: Gathering | None = None
        self.patient = False

    # -- who fills it -------------------------------------------------------------------------------

    def put(self, work: Work) -> None:
        """Puts work behind all that was put before. A closed queue takes everything and keeps nothing."""
        with self._changed:
            if self._closed:
                return
            if isinstance(work, PrepareWork):
                self._served = _with(self._served, work.target.sync_id, work.target.source)
                self._rules = _ruled(self._rules, work.target.sync_id, work.target.rules)
            elif isinstance(work, ReleaseWork):
                self._served = _with(self._served, work.sync_id, None)
                self._rules = _ruled(self._rules, work.sync_id, None)
            self._items.append(Beside(work))
            self._contiguous = False
            self._changed.notify_all()

    def put_batch(self, batch: ChangeBatch) -> None:
        """Puts a batch; one that the ledger has already only counts as covered."""
        with self._changed:
            if self._closed:
                return
            if self._stored_end is not None and batch.end <= self._stored_end:
                self.stored = batch.sequence
                return
            carried = Carried(Parcel(batch, self._served, self._contiguous, self._rules))
            self._contiguous = True
            self._items.append(carried)
            self._uncovered.append(carried)
            self._bytes += batch.byte_count
            self._ahead += 1
            self._changed.notify_all()

    def resume(self, parked: StreamPosition) -> None:
        """Puts a gap up to `parked`, which earlier processes left in the ledger."""
        with self._changed:
            self._stored_end = parked
            _append_gap(self._items, Gap(self.stored, parked))
            self._ahead, self._gaps = _counts(self._items)
            self._changed.notify_all()

    def has_room(self, *, writing: bool) -> bool:
        """Whether one that is `writing` would soon be done with what is put now, or any other could take it."""
        with self._changed:
            if self.gathering is not None and writing:
                return self._bytes < self.gathering.bytes
            if self._ahead == 0 or self._ahead >= _AHEAD or not writing or not self._uncovered:
                return self._ahead < _AHEAD
            if time.monotonic() - self._uncovered[0].carried_at >= _QUICK_SECONDS:
                return True
            return self._ahead == 1 and self._bytes >= _LARGE_BYTES

    # -- the writer ---------------------------------------------------------------------------------

    def head(self, timeout_seconds: float, *, overtake: bool = False) -> Item | None:
        """The oldest item, which stays until it is `done`; None when there is none in time, or ever again.

        `overtake` passes over gaps: a bug, for tests that must see it.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_seconds)
            first = self._items[0] if self._items else None
            if overtake:
                return next((item for item in self._items if not isinstance(item, Gap)), first)
            return first

    def run(self, limits: Gathering) -> tuple[list[Carried], bool]:
        """The oldest batches that may be written together, and whether that run is at its end.

        They stay until they are `done`. None but the first empties tables.
        """
        with self._changed:
            run: list[Carried] = []
            rows = size = 0
            for item in self._items:
                if not isinstance(item, Carried) or (run and item.batch.truncated):
                    return run, True
                run.append(item)
                rows, size = rows + item.batch.row_count, size + item.batch.byte_count
                if rows >= limits.rows or size >= limits.bytes:
                    return run, True
            return run, self._closed

    def done(self, item: Item) -> None:
        """`item` need not be done again. A batch that went to the ledger meanwhile is no longer here."""
        with self._changed:
            if self._items and self._items[0] is item:
                self._items.popleft()
            elif item in self._items:  # the parker has put a gap before it
                self._items.remove(item)
            else:
                return
            self._gaps -= isinstance(item, Gap)
            if isinstance(item, Carried):
                self._ahead -= 1
                self._room()

    def cover(self, sequence: int) -> None:
        """Everything up to `sequence` is durable at the destination."""
        with self._changed:
            before = self._bytes
            while self._uncovered and self._uncovered[0].batch.sequence <= sequence:
                self._bytes -= self._uncovered.popleft().batch.byte_count
            if self._bytes < before and self.gathering is not None:
                self._room()

    @property
    def empty(self) -> bool:
        return not self._items

    # -- the parker ---------------------------------------------------------------------------------

    def load(self) -> Load:
        with self._changed:
            if not self._uncovered:
                return Load()
            age_seconds = time.monotonic() - self._uncovered[0].carried_at
            return Load(len(self._uncovered), self._bytes, age_seconds)

    def uncovered(self, limit_bytes: int) -> list[Carried]:
        """The oldest batches that are not covered: at most so many bytes of them, but at least one."""
        with self._changed:
            taken: list[Carried] = []
            size = 0
            for carried in self._uncovered:
                size += carried.batch.byte_count
                if taken and size > limit_bytes:
                    break
                taken.append(carried)
            return taken

    def store(self, stored: Sequence[Carried]) -> None:
        """The ledger has these, the oldest: they leave memory, and a gap stands in their place."""
        newest = stored[-1].batch
        with self._changed:
            left = set(stored)
            items: deque[Item] = deque()
            if not any(item in left for item in self._items):
                # Written, but not durable yet: they come before all that is left.
                items.append(Gap(newest.sequence, newest.end))
            for item in self._items:
                if isinstance(item, Carried) and item in left:
                    _append_gap(items, Gap(item.batch.sequence, item.batch.end))
                else:
                    items.append(item)
            self._items = items
            while self._uncovered and self._uncovered[0].batch.sequence <= newest.sequence:
                self._bytes -= self._uncovered.popleft().batch.byte_count
            self.stored = max(self.stored, newest.sequence)
            self._stored_end = newest.end
            self._ahead, self._gaps = _counts(self._items)
            self._changed.notify_all()

    @property
    def has_gaps(self) -> bool:
        """Whether something must be read back from the ledger before the newest batches."""
        return self._gaps > 0

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Takes nothing more; what is in it can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abandon(self, error: RosettaError) -> None:
        """Forgets everything; chunks that wait here fail with `error`."""
        with self._changed:
            self._closed = True
            items, self._items = self._items, deque()
            self._uncovered.clear()
            self._bytes = 0
            self._ahead, self._gaps = _counts(self._items)
            self._changed.notify_all()
        for item in items:
            if isinstance(item, Beside) and isinstance(item.work, ChunkWork):
                item.work.pending.failed(error)


def _counts(items: Iterable[Item]) -> tuple[int, int]:
    """Batches in memory, and gaps."""
    kinds = [type(item) for item in items]
    return kinds.count(Carried), kinds.count(Gap)


def _with(served: Served, sync_id: int, table: TableId | None) -> Served:
    """A new mapping each time: batches that are in the queue keep the one that was true for them."""
    changed = {one: tuple(sync for sync in syncs if sync != sync_id) for one, syncs in served.items()}
    if table is not None:
        changed[table] = (*changed.get(table, ()), sync_id)
    return {one: syncs for one, syncs in changed.items() if syncs}


def _ruled(known: Rules, sync_id: int, rules: RowRules | None) -> Rules:
    """As `_with`."""
    others = {one: its for one, its in known.items() if one != sync_id}
    return others if rules is None else others | {sync_id: rules}


def _append_gap(items: deque[Item], gap: Gap) -> None:
    """Gaps without anything between them are one."""
    if items and isinstance(items[-1], Gap):
        items[-1] = gap
    else:
        items.append(gap)
