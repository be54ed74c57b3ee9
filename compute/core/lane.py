"""One destination's way from the stream: its queue, its writer, and the parker that keeps it out of others' way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from compute.core.exit_codes import Failure
from compute.core.lane_queue import LaneQueue
from compute.core.parker import Parker, ParkerEvents
from compute.core.resumption import Resumption
from compute.core.spans import Spans
from compute.core.work import Desk, DeskEvents, Work
from compute.core.writer import Writer
from compute.core.writer_state import WriterPhase, WriterState
from compute.destinations.base import Destination
from compute.dlq.backlog import Backlog
from compute.dlq.parking import Parking
from rosetta.errors import ConfigurationError
from rosetta.lsn import StreamPosition

_HARD_BATCHES = 1024  # of a lane that can neither write nor park; bytes are bounded by the engine


@dataclass(frozen=True, slots=True)
class LaneState:
    """One moment of a lane.

    Attributes:
        blocked: why nothing can be parked although it should be.
        detached: why the destination was suspended; it needs a resync.
        catching_up: what was parked is being written, or will be.
    """

    writer: WriterState
    blocked: Failure | None = None
    detached: Failure | None = None
    catching_up: bool = False


@dataclass(frozen=True, slots=True)
class LanePlan:
    """What a lane is made of.

    Attributes:
        make: connects to nothing yet; what it raises is retried like any failure to open.
        bound_bytes: batches in memory, beyond which they are parked as soon as somebody waits for them.
        backlog: None: nothing is ever parked, the lane holds everybody back.
        parking: None: a table that refuses a change fails.
    """

    destination_id: int
    make: Callable[[], Destination]
    epoch: int
    resumption: Resumption
    bound_bytes: int
    backlog: Backlog | None = None
    parking: Parking | None = None


class Junction(Protocol):
    """Where the lanes meet. Every method may be called on any thread."""

    @property
    def spans(self) -> Spans:
        """What follows the batches."""

    def relieved(self) -> None:
        """More is in the ledger, or a lane was detached."""

    def make_room(self) -> None:
        """A writer has taken from its queue."""

    def others_wait(self, destination_id: int) -> bool:
        """Whether another destination has nothing left to do."""


class Lane:
    """Promises: in stream order, each batch is durable at the destination or in the ledger before it is covered."""

    def __init__(
        self,
        plan: LanePlan,
        events: DeskEvents,
        junction: Junction,
        covered: int,
    ) -> None:
        """`covered`: the newest sequence that is routed already."""
        self.destination_id = plan.destination_id
        self._junction = junction
        self._parked = plan.resumption.parked
        self._detached: Failure | None = None
        self.queue = LaneQueue(covered, junction.make_room, plan.bound_bytes)

        def desk() -> Desk:
            return Desk(plan.destination_id, plan.make(), events, covered, plan.parking, junction.spans)

        self._writer = Writer(plan.destination_id, self.queue, plan.backlog, desk, plan.resumption, plan.epoch)
        self._parker: Parker | None = None
        if plan.backlog is not None:
            told = ParkerEvents(
                writer=lambda: self._writer.state,
                others_wait=lambda: junction.others_wait(plan.destination_id),
                parked=junction.relieved,
                detached=self._detach,
            )
            self._parker = Parker(plan.destination_id, self.queue, plan.backlog, plan.bound_bytes, told)

    @property
    def covered(self) -> int:
        """Sequence of the newest batch that is durable or parked with all before it."""
        return max(self.queue.stored, self._writer.covered)

    @property
    def reached(self) -> list[StreamPosition]:
        """Where the stream may go on here: how far the destination is, and how far the ledger."""
        return [place for place in (self._writer.state.durable, self._parked) if place is not None]

    @property
    def state(self) -> LaneState:
        blocked = None if self._parker is None else self._parker.blocked
        return LaneState(self._writer.state, blocked, self._detached, self.queue.has_gaps)

    @property
    def detached(self) -> bool:
        """Whether it holds nothing back any more, and needs a resync."""
        return self._detached is not None

    @property
    def live(self) -> bool:
        """Whether it writes what comes down the stream, and nothing older."""
        return self._writer.state.phase is WriterPhase.WRITING and not self.queue.has_gaps

    @property
    def idle(self) -> bool:
        """Whether it is live and waits for more."""
        return self.live and not self.queue.load().batches

    @property
    def has_room(self) -> bool:
        """Whether it would soon be done with another batch."""
        return self.queue.has_room(writing=self.live)

    @property
    def is_stuck(self) -> bool:
        """Whether it can neither write nor park, and has all it may have in memory."""
        blocked = self._parker is None or self._parker.blocked is not None
        return blocked and self.queue.load().batches >= _HARD_BATCHES

    def put(self, work: Work) -> None:
        """Puts work behind what was routed so far."""
        self.queue.put(work)

    def start(self) -> None:
        self._writer.start()
        if self._parker is not None:
            self._parker.start()

    def begin(self) -> None:
        """Has what earlier processes parked be written first; called once, before the first batch."""
        if self._parked is not None:
            self.queue.resume(self._parked)

    def wait_until_settled(self, timeout_seconds: float) -> None:
        """Returns once the destination was opened, or could not be at the first attempt."""
        self._writer.wait_until_settled(timeout_seconds)

    def stop(self, drain_seconds: float) -> None:
        """Ends after the work that is queued, or at the deadline; what is left comes again."""
        if self._parker is not None:
            self._parker.stop()
        self._writer.stop(drain_seconds)

    def join(self) -> None:
        self._writer.join()
        if self._parker is not None:
            self._parker.join()

    def _detach(self, failure: Failure) -> None:
        self._detached = failure
        self.stop(0.0)
        self.queue.abandon(
            ConfigurationError("the destination was detached", code="DESTINATION_DETACHED", remedy=failure.remedy)
        )
        self._junction.relieved()
