"""Batches between the thread that reads the stream and whoever takes them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from compute.core.batch import ChangeBatch
from compute.engine.pgoutput.gathering import Gathering
from rosetta.lsn import Lsn

_CHORE_SECONDS = 1.0
NO_BOUND = 2**62  # of changes


@dataclass(frozen=True, slots=True)
class _Sent:
    sequence: int
    retained_bytes: int
    changes: int
    commit_lsn: Lsn


class Outbox:
    """Bounded by the bytes and changes that are not acknowledged, in order; one batch always fits, however large.

    Behind the finished batches may lie one that is on offer: until it is taken, the reader may have it back and
    go on gathering.
    """

    def __init__(self, bound_bytes: int, start: Lsn, bound_changes: int = NO_BOUND) -> None:
        self._bound_bytes = bound_bytes
        self._bound_changes = bound_changes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[int, Gathering]] = deque()
        self._offered: Gathering | None = None
        self._unacknowledged: deque[_Sent] = deque()
        self._outstanding_bytes = self._outstanding_changes = 0
        self._sequences = 0
        self._acknowledged = start
        self._cramped = False  # somebody waits for what is acknowledged
        self._closed = False

    @property
    def acknowledged(self) -> Lsn:
        """The newest commit whose changes, and all before, are acknowledged."""
        return self._acknowledged

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether something was taken that is not acknowledged yet."""
        return bool(self._unacknowledged)

    def put(self, gathering: Gathering, chore: Callable[[], None]) -> None:
        """Queues a finished batch, waiting for room; `chore` runs about every second meanwhile.

        Once the outbox is closed batches are dropped: they come again at the next start.
        """
        while True:
            with self._changed:
                if self._closed:
                    return
                if self._fits(gathering):
                    self._waiting.append((self._send(gathering), gathering))
                    self._changed.notify_all()
                    return
                self._cramped = True
                self._changed.wait(_CHORE_SECONDS)
            chore()

    def offer(self, gathering: Gathering) -> None:
        """Lets the batch be taken by whoever asks."""
        with self._changed:
            self._offered = gathering
            self._changed.notify_all()

    def reclaim(self) -> bool:
        """Takes the offered batch back; False when there is none or it was taken."""
        with self._changed:
            offered, self._offered = self._offered is not None, None
            return offered

    def take(self, timeout_seconds: float) -> ChangeBatch | None:
        """The next batch, or None when none came in time or none will come. For one thread."""
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while (picked := self._pick()) is None:
                rest = deadline - time.monotonic()
                if rest <= 0 or self._closed:
                    return None
                self._changed.wait(rest)
        sequence, gathering = picked
        return gathering.build(sequence)  # outside of the lock, for this is where its text is written

    def acknowledge(self, sequence: int) -> None:
        with self._changed:
            while self._unacknowledged and self._unacknowledged[0].sequence <= sequence:
                sent = self._unacknowledged.popleft()
                self._outstanding_bytes -= sent.retained_bytes
                self._outstanding_changes -= sent.changes
                self._acknowledged = max(self._acknowledged, sent.commit_lsn)
            if self._cramped:
                self._cramped = False
                self._changed.notify_all()

    def close(self) -> None:
        """Nothing is queued any more; what waits can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _pick(self) -> tuple[int, Gathering] | None:
        if self._waiting:
            return self._waiting.popleft()
        offered = self._offered
        if offered is None or self._closed:
            return None
        if not self._fits(offered):
            self._cramped = True
            return None
        self._offered = None
        return self._send(offered), offered

    def _fits(self, gathering: Gathering) -> bool:
        return not self._outstanding_bytes or (
            self._outstanding_bytes + gathering.retained_bytes <= self._bound_bytes
            and self._outstanding_changes + gathering.changes <= self._bound_changes
        )

    def _send(self, gathering: Gathering) -> int:
        self._sequences += 1
        retained_bytes, changes = gathering.retained_bytes, gathering.changes
        self._unacknowledged.append(_Sent(self._sequences, retained_bytes, changes, gathering.end.commit_lsn))
        self._outstanding_bytes += retained_bytes
        self._outstanding_changes += changes
        return self._sequences
