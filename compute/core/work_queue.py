"""The work that waits for one writer."""

from __future__ import annotations

import queue
import threading

from compute.core.work import Work

_FULL = 256  # bytes are bounded by the engine and the copies; this bounds the number of batches


class WorkQueue:
    """First in, first out; filled by any thread, emptied by the writer's.

    Only batches wait for room: the few pieces that prepare or release a table never block who hands them over.
    """

    def __init__(self) -> None:
        self._queue: queue.Queue[Work] = queue.Queue()
        self._room = threading.Event()
        self._closed = False

    def put(self, work: Work) -> None:
        """Hands over work; never blocks. A closed queue takes everything and keeps nothing."""
        if not self._closed:
            self._queue.put(work)

    def wait_for_room(self, timeout_seconds: float) -> bool:
        """Whether another batch may be handed over; waits for that at most so long."""
        if self._closed or self._queue.qsize() < _FULL:
            return True
        self._room.clear()
        return self._closed or self._queue.qsize() < _FULL or self._room.wait(timeout_seconds)

    def take(self, timeout_seconds: float) -> Work | None:
        """The oldest piece; None when none came in time, or at once when the queue is closed and empty."""
        try:
            work = self._queue.get(timeout=0.0 if self._closed else timeout_seconds)
        except queue.Empty:
            return None
        self._room.set()
        return work

    @property
    def empty(self) -> bool:
        return self._queue.empty()

    def close(self) -> None:
        """What is in it can still be taken."""
        self._closed = True
        self._room.set()
