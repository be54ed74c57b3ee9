"""The lanes of a pipeline, kept in line with its plan: made, removed, suspended, taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from compute.core.catalog.plan import DestinationPlan, PipelinePlan
from compute.core.dlq_manager import DLQManager
from compute.core.exit_codes import Failure
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import DeskEvents
from compute.destinations.base import Destination
from compute.destinations.registry import create_destination
from compute.dlq.backlog import LedgerBacklog, ParkLimits
from compute.dlq.standing import DETACHED, Standing
from rosetta.enums import ParkPolicy
from rosetta.lsn import Lsn, StreamPosition

_SETTLE_SECONDS = 15.0  # a destination that cannot be reached is known as such by then
_DETACHED = Failure(
    DETACHED,
    "more was parked for this destination than its bounds allow, so it was detached",
    "Mend it, then set desired_state = 'RESYNC' on its table syncs.",
)


@dataclass(frozen=True, slots=True)
class LaneParts:
    """What all lanes of a pipeline share.

    Attributes:
        confirmed: where the slot stood at the start.
        settled: returns once nothing that an earlier part of the pipeline left at a destination is being removed.
        log_end: where the source's log ends now; raises OutageError while the source is away.
        limits: of every destination's backlog; the policy is each destination's own.
    """

    epoch: int
    confirmed: Lsn
    settled: Callable[[int], None]
    log_end: Callable[[], Lsn]
    dlq: DLQManager
    limits: ParkLimits
    events: DeskEvents


class Lanes:
    """Every method raises OutageError while the config database is away, and may be called again then."""

    def __init__(self, fan_out: FanOut, parts: LaneParts) -> None:
        self._fan_out = fan_out
        self._parts = parts
        self._begun = False
        self.detached: dict[int, Failure] = {}

    def take_back(self, plan: PipelinePlan) -> bool:
        """Takes back suspended destinations of which a table is to be copied again; whether there were any."""
        asked = [one for one in plan.destinations if one.detached and one.resync_asked]
        for destination in asked:
            # The writer that it had must be gone before another one is made.
            if destination.destination_id in self._fan_out.lanes:
                self._fan_out.remove(destination.destination_id)
            self._backlog(destination).discard_stranded("its tables are copied again")
            Standing(self._parts.dlq.ledger, destination.destination_id).attach()
        return bool(asked)

    def part(self, plan: PipelinePlan) -> None:
        """Removes the lanes of destinations that have left, or are suspended; nothing is written to them any more."""
        active = {one.destination_id for one in plan.destinations if not one.detached}
        for destination_id in self._fan_out.lanes.keys() - active:
            self._fan_out.remove(destination_id)
            self._parts.dlq.leave(destination_id)

    def match(self, plan: PipelinePlan) -> PipelinePlan:
        """Makes and removes lanes; returns the plan without the destinations that are suspended."""
        self.part(plan)
        self.detached = {one.destination_id: _DETACHED for one in plan.destinations if one.detached}
        active = tuple(one for one in plan.destinations if not one.detached)
        for one in active:
            if one.destination_id not in self._fan_out.lanes:
                self._add(one)
        return replace(plan, destinations=active)

    def reached(self) -> list[StreamPosition]:
        """Per lane where the stream may go on, best first: durable, parked, or else where the slot is."""
        floor = StreamPosition(self._parts.confirmed)
        places: list[StreamPosition] = []
        for lane in self._fan_out.lanes.values():
            lane.wait_until_settled(_SETTLE_SECONDS)
            places.append(max(lane.reached, default=floor))
        return places

    def cuts(self) -> list[StreamPosition]:
        """Every position that no batch may span, so that each is applied, or parked, whole or not at all."""
        return [place for lane in self._fan_out.lanes.values() for place in lane.reached]

    def begin(self) -> None:
        """The stream is about to start: what was parked is written before it."""
        self._begun = True
        for lane in self._fan_out.lanes.values():
            lane.begin()

    def _add(self, destination: DestinationPlan) -> None:
        self._parts.settled(destination.destination_id)
        backlog = self._backlog(destination)
        if destination.parked is None:
            backlog.discard_stranded("the destination begins anew")
        resumption = Resumption(
            self._parts.confirmed,
            destination.established,
            destination.reported,
            destination.parked,
            log_end=self._parts.log_end(),
        )
        plan = LanePlan(
            destination_id=destination.destination_id,
            make=self._maker(destination),
            epoch=self._parts.epoch,
            resumption=resumption,
            bound_bytes=self._fan_out.lane_bytes,
            backlog=backlog,
            parking=self._parts.dlq.parking(destination.destination_id, backlog.limit),
        )

        def make(covered: int) -> Lane:
            origin = self._fan_out.routed_end or StreamPosition(self._parts.confirmed)
            begun = replace(resumption, origin=origin) if destination.begins_anew else resumption
            return Lane(replace(plan, resumption=begun), self._parts.events, self._fan_out, covered)

        lane = self._fan_out.add(destination.destination_id, make)
        if self._begun:
            lane.begin()

    def _maker(self, destination: DestinationPlan) -> Callable[[], Destination]:
        def make() -> Destination:
            if destination.problem is not None:
                raise destination.problem
            return create_destination(
                destination.type, destination.config, self._parts.dlq.ledger.pipeline_id, destination.destination_id
            )

        return make

    def _backlog(self, destination: DestinationPlan) -> LedgerBacklog:
        limits = replace(self._parts.limits, detach=destination.park_policy is ParkPolicy.DETACH)
        return LedgerBacklog(self._parts.dlq.ledger, self._parts.dlq.dispatcher, destination.destination_id, limits)
