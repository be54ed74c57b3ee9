"""Routes every batch to all lanes, and acknowledges to the engine what each of them has durably or parked."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from compute.backfill.flight import Pending
from compute.core import failpoints
from compute.core.batch import ChangeBatch
from compute.core.lane import Lane
from compute.core.spans import NoSpans, Spans
from compute.core.work import ChunkWork
from compute.engine.base import ChangeEngine
from rosetta.errors import ConfigurationError
from rosetta.lsn import Lsn, StreamPosition
from rosetta.plants import planted

_PATIENCE_SECONDS = 0.5


class FanOut:
    """Where the stream splits and its acknowledgements meet again.

    Order: every lane sees the batches, and the chunks behind their watermarks, in stream order.
    Acknowledgement is cumulative and never ahead of any lane. `route` belongs to one thread; lanes come
    and go, and report progress, from others.
    """

    def __init__(
        self,
        engine: ChangeEngine,
        take_chunks: Callable[[str], Iterable[Pending]],
        pulse: Callable[[], None],
        spans: Spans | None = None,
    ) -> None:
        """`pulse` is called while there is no room; what it raises ends the wait."""
        self._engine = engine
        self.spans = spans or NoSpans()
        self._take_chunks = take_chunks
        self._pulse = pulse
        self._lock = threading.Lock()
        self._room = threading.Event()
        self._lanes: dict[int, Lane] = {}
        self._unacknowledged: deque[tuple[int, Lsn]] = deque()
        self._routed = 0
        self.routed_end: StreamPosition | None = None
        self.acknowledged: Lsn | None = None

    @property
    def lane_bytes(self) -> int:
        """What one lane may have in memory before it is in the way: half of what the engine lends to all."""
        return self._engine.capacity_bytes // 2

    @property
    def lanes(self) -> dict[int, Lane]:
        with self._lock:
            return dict(self._lanes)

    def add(self, destination_id: int, make: Callable[[int], Lane]) -> Lane:
        """Starts a lane for all that is routed from now on; `make` gets the sequence that lies behind it."""
        with self._lock:
            lane = self._lanes[destination_id] = make(self._routed)
        lane.start()
        return lane

    def remove(self, destination_id: int) -> None:
        """Stops a lane at once: its destination no longer belongs to the pipeline and holds nothing back."""
        with self._lock:
            lane = self._lanes.pop(destination_id)
        lane.stop(0.0)
        lane.join()
        self.relieved()

    def wait_for_room(self) -> None:
        """Waits only while every lane is busy, or one can neither write nor park.

        To be called before the engine is asked for a batch: what it has not handed over yet it gathers on, and no
        change waits for the one before it to be written and for a batch that was ended too early.
        """
        while True:
            self._room.clear()
            if self._has_room():
                return
            if not self._room.wait(_PATIENCE_SECONDS):
                self._pulse()

    def route(self, batch: ChangeBatch) -> None:
        """Hands a batch, and the chunks whose watermarks it carries, to the lanes; waits for room."""
        self.wait_for_room()
        self.spans.taken(batch)
        with self._lock:
            self._routed, self.routed_end = batch.sequence, batch.end
            self._unacknowledged.append((batch.sequence, batch.end.commit_lsn))
            lanes = dict(self._lanes)
        for lane in lanes.values():
            lane.queue.put_batch(batch)
        for watermark in batch.watermarks:
            failpoints.hit("after_watermark")
            for pending in self._take_chunks(watermark):
                _hand_over_chunk(lanes.get(pending.destination_id), pending)
        self.acknowledge()

    def acknowledge(self) -> None:
        """Tells the engine what every lane has; called whenever one of them progressed."""
        with self._lock:
            attached = [lane.covered for lane in self._lanes.values() if not lane.detached]
            covered = self._routed if planted("early_flush") else min(attached, default=self._routed)
            reached: tuple[int, Lsn] | None = None
            while self._unacknowledged and self._unacknowledged[0][0] <= covered:
                reached = self._unacknowledged.popleft()
            if reached is not None:
                failpoints.hit("before_flush")
                self._engine.acknowledge(reached[0])
                self.spans.acknowledged(reached[0])
                self.acknowledged = reached[1]

    def relieved(self) -> None:
        """As `acknowledge`, for what no writer has done: more is in the ledger, or a lane holds nothing back."""
        self.acknowledge()
        self.make_room()

    def make_room(self) -> None:
        """Something has left a queue, or a lane has gone: `wait_for_room` may look again."""
        self._room.set()

    def others_wait(self, destination_id: int) -> bool:
        """Whether a destination other than this one has written all it was given."""
        return any(lane.idle for number, lane in self.lanes.items() if number != destination_id and not lane.detached)

    def stop(self, drain_seconds: float) -> None:
        """Drains all lanes side by side; what they cannot write in time is delivered again at the next start."""
        lanes = self.lanes.values()
        for lane in lanes:
            lane.stop(drain_seconds)
        for lane in lanes:
            lane.join()

    def _has_room(self) -> bool:
        lanes = [lane for lane in self.lanes.values() if not lane.detached]
        if any(lane.is_stuck for lane in lanes):
            return False
        # Those that are behind have the ledger; they do not decide how the others are fed.
        leading = [lane for lane in lanes if lane.live] or lanes
        return not leading or any(lane.has_room for lane in leading)


def _hand_over_chunk(lane: Lane | None, pending: Pending) -> None:
    if lane is None or lane.detached:
        pending.failed(ConfigurationError("the destination was removed", code="DESTINATION_REMOVED"))
    else:
        lane.put(ChunkWork(pending))
