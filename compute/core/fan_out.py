"""Routes every batch to all writers, and acknowledges to the engine what the slowest of them holds durably."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from compute.backfill.flight import PendingChunk
from compute.core import failpoints
from compute.core.batch import ChangeBatch
from compute.core.work import ChangesWork, ChunkWork, Work
from compute.core.writer import Writer
from compute.engine.base import ChangeEngine
from rosetta.errors import ConfigurationError
from rosetta.lsn import Lsn

_PATIENCE_SECONDS = 0.5


class FanOut:
    """Where the stream splits and its acknowledgements meet again.

    Order: every writer sees the batches, and the chunks behind their watermarks, in stream order.
    Acknowledgement is cumulative and never ahead of any writer. `route` belongs to one thread; writers come
    and go, and report progress, from others.
    """

    def __init__(
        self, engine: ChangeEngine, take_chunks: Callable[[str], Iterable[PendingChunk]], pulse: Callable[[], None]
    ) -> None:
        """`pulse` is called while a full queue is waited for; what it raises ends the wait."""
        self._engine = engine
        self._take_chunks = take_chunks
        self._pulse = pulse
        self._lock = threading.Lock()
        self._writers: dict[int, Writer] = {}
        self._unacknowledged: deque[tuple[int, Lsn]] = deque()
        self._routed = 0
        self.acknowledged: Lsn | None = None

    @property
    def writers(self) -> dict[int, Writer]:
        with self._lock:
            return dict(self._writers)

    def add(self, destination_id: int, make: Callable[[int], Writer]) -> Writer:
        """Starts a writer for all that is routed from now on; `make` gets the sequence that lies behind it."""
        with self._lock:
            writer = self._writers[destination_id] = make(self._routed)
        writer.start()
        return writer

    def remove(self, destination_id: int) -> None:
        """Stops a writer at once: its destination no longer belongs to the pipeline and holds nothing back."""
        with self._lock:
            writer = self._writers.pop(destination_id)
        writer.stop(0.0)
        writer.join()
        self.acknowledge()

    def route(self, batch: ChangeBatch) -> None:
        """Hands a batch, and the chunks whose watermarks it carries, to the writers; waits while a queue is full."""
        with self._lock:
            self._routed = batch.sequence
            self._unacknowledged.append((batch.sequence, batch.end.commit_lsn))
            writers = dict(self._writers)
        for writer in writers.values():
            self._hand_over(writer, ChangesWork(batch))
        for watermark in batch.watermarks:
            failpoints.hit("after_watermark")
            for pending in self._take_chunks(watermark):
                self._hand_over_chunk(writers.get(pending.destination_id), pending)
        if not writers:
            self.acknowledge()

    def acknowledge(self) -> None:
        """Tells the engine what every writer has; called whenever one of them progressed."""
        with self._lock:
            covered = min((writer.covered for writer in self._writers.values()), default=self._routed)
            reached: tuple[int, Lsn] | None = None
            while self._unacknowledged and self._unacknowledged[0][0] <= covered:
                reached = self._unacknowledged.popleft()
            if reached is not None:
                failpoints.hit("before_flush")
                self._engine.acknowledge(reached[0])
                self.acknowledged = reached[1]

    def stop(self, drain_seconds: float) -> None:
        """Drains all writers side by side; what they cannot write in time is delivered again at the next start."""
        writers = self.writers.values()
        for writer in writers:
            writer.stop(drain_seconds)
        for writer in writers:
            writer.join()

    def _hand_over(self, writer: Writer, work: Work) -> None:
        while not writer.queue.wait_for_room(_PATIENCE_SECONDS):
            self._pulse()
        writer.queue.put(work)

    def _hand_over_chunk(self, writer: Writer | None, pending: PendingChunk) -> None:
        if writer is None:
            pending.failed(ConfigurationError("the destination was removed", code="DESTINATION_REMOVED"))
        else:
            self._hand_over(writer, ChunkWork(pending))
