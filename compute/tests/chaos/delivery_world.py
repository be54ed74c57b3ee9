"""Destinations and a ledger in memory, each failing whenever it likes, and the real lanes between them.

What must hold is looked at where it would break: at every commit of a target, and at every acknowledgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from compute.core.batch import ChangeBatch
from compute.core.exit_codes import Failure
from compute.core.fan_out import FanOut
from compute.core.lane import Lane, LanePlan
from compute.core.resumption import Resumption
from compute.core.work import PrepareWork
from compute.destinations.base import (
    Destination,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.memory import MemoryDestination, MemoryStore
from compute.dlq.parcels import Parcel
from compute.dlq.records import OpenRow
from compute.tests.contract.changes import chunk
from compute.tests.support.lanes import TARGET, Scene, ScriptedEngine
from compute.tests.support.memory_backlog import MemoryBacklog
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.lsn import Lsn, StreamPosition

KEYS = ("1", "2", "3", "4", "5")
NUMBERS = (1, 2)
CAPACITY_BYTES = 20_000
_COPYING = replace(TARGET, copying=True)
Rows = dict[str, str]


@dataclass
class World:
    """What outlives processes: the stream, the targets, the ledgers, and what was ever seen to be wrong."""

    stream: list[ChangeBatch] = field(default_factory=list)
    expected: list[Rows] = field(default_factory=lambda: [{}])
    stores: dict[int, MemoryStore] = field(default_factory=lambda: {one: MemoryStore() for one in NUMBERS})
    backlogs: dict[int, Ledger] = field(default_factory=lambda: {one: Ledger(one) for one in NUMBERS})
    away: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)  # the next commit's outcome is not learned
    epoch: int = 0  # of the process that owns the pipeline
    confirmed: int = 0  # batches that the slot no longer delivers
    versions: dict[int, dict[str, tuple[int, int]]] = field(default_factory=lambda: {one: {} for one in NUMBERS})
    chunks: dict[str, tuple[Rows, str]] = field(default_factory=dict)
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def place(self, position: StreamPosition | None) -> int:
        """How many batches of the stream lie at or before a position."""
        return 0 if position is None else sum(batch.end <= position for batch in self.stream)

    def rows(self, number: int) -> Rows:
        table = self.stores[number].tables.get(TARGET.target)
        rows = () if table is None else [row.values for row in table.rows.values() if not row.deleted]
        return {str(values["id"]): str(values["v"]) for values in rows}


class Ledger(MemoryBacklog):
    """Says at times that it failed although it did not."""

    forgetful = False

    def park(self, parcels: Sequence[Parcel], reached: StreamPosition, cause: Failure) -> None:
        super().park(parcels, reached, cause)
        if self.forgetful:
            self.forgetful = False
            raise OutageError("the answer was lost", code="LOST_ANSWER")


@dataclass
class Leased:
    """A ledger as one process sees it: refused once another process owns the pipeline (`compute.dlq.ledger`)."""

    world: World
    ledger: Ledger
    epoch: int
    detaches: bool = False

    def limit(self) -> Failure | None:
        return self._mine().limit()

    def park(self, parcels: Sequence[Parcel], reached: StreamPosition, cause: Failure) -> None:
        self._mine().park(parcels, reached, cause)

    def page(self, after: StreamPosition, upto: StreamPosition, max_bytes: int) -> list[OpenRow]:
        return self._mine().page(after, upto, max_bytes)

    def close(self, rows: Sequence[OpenRow], served: Iterable[int]) -> None:
        self._mine().close(rows, served)

    def detach(self, failure: Failure) -> None:
        self._mine().detach(failure)

    def alert(self, failure: Failure | None) -> None:
        self._mine().alert(failure)

    def _mine(self) -> Ledger:
        if self.epoch != self.world.epoch:
            raise FencedError("another process owns the pipeline now")
        return self.ledger


class Watched(MemoryDestination):
    """Fails as the world says, and looks at its store after each commit."""

    def __init__(self, world: World, number: int) -> None:
        super().__init__(world.stores[number], self._fail)
        self.world, self.number = world, number

    def _fail(self, step: str) -> None:
        if self.number in self.world.away:
            raise OutageError("away", code="AWAY")
        if step == "committed" and self.number in self.world.unknown:
            self.world.unknown.discard(self.number)
            self._look()
            raise OutageError("the answer was lost", code="LOST_ANSWER")

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        with self.store.alone:
            result = super().write_changes(batch, refused)
            self._look()
        return result

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        with self.store.alone:
            written = super().write_rows(chunk, refused)
            self._look("backfill_exact")
        return written

    def _look(self, name: str = "progress_atomic") -> None:
        world, store = self.world, self.store
        if self._epoch != store.epoch:
            world.wrong.append(("single_writer", f"epoch {self._epoch} wrote under the fence of {store.epoch}"))
        want, have = world.expected[world.place(store.position)], world.rows(self.number)
        if want != have:
            extra = have.keys() - want.keys()
            world.wrong.append(("no_resurrection" if extra else name, f"{have} instead of {want}"))
        now = {str(key[0]): row.version for key, row in store.tables[TARGET.target].rows.items()}
        for key, version in world.versions[self.number].items():
            if key in now and now[key] < version:
                world.wrong.append(("versions_monotone", f"{key} from {version} to {now[key]}"))
        world.versions[self.number] = now


@dataclass
class Pending:
    """A chunk on its way to one destination."""

    rows: Rows
    snapshot: str
    destination_id: int
    sync_id: int = TARGET.sync_id

    def land(self, destination: Destination, target: TableTarget, refused: Refusals | None = None) -> None:
        rows = [(key, value) for key, value in self.rows.items()]
        destination.write_rows(chunk(target, rows, self.snapshot), refused)

    def failed(self, error: RosettaError) -> None:
        """It is read again by whoever asked for it."""


class Engine(ScriptedEngine):
    """Checks every acknowledgement against what the targets and the ledgers really hold."""

    def __init__(self, world: World, first: int) -> None:
        super().__init__(CAPACITY_BYTES)
        self.world, self.first = world, first

    def acknowledge(self, sequence: int) -> None:
        super().acknowledge(sequence)
        covered = self.first + sequence
        for number in NUMBERS:
            held = [self.world.stores[number].position, self.world.backlogs[number].reached]
            reached = max((self.world.place(one) for one in held if one is not None), default=0)
            if reached < covered:
                self.world.wrong.append(("slot_safe", f"{covered} acknowledged, destination {number} has {reached}"))
        self.world.confirmed = max(self.world.confirmed, covered)


class Process(Scene):
    """One life of the pipeline's process; sequences begin at 1 with what the slot delivers first."""

    def __init__(self, world: World, epoch: int) -> None:
        super().__init__(CAPACITY_BYTES)
        self.world, self.epoch = world, epoch
        world.epoch = epoch
        self.first = min([world.confirmed, *(self._resumes(number) for number in NUMBERS)])
        self.engine = Engine(world, self.first)
        self.fan_out = FanOut(self.engine, self._take, lambda: None)
        self.lanes = {number: self._lane(number) for number in NUMBERS}
        self.delivered = self.first

    def _resumes(self, number: int) -> int:
        held = (self.world.stores[number].position, self.world.backlogs[number].reached)
        return max(self.world.place(one) for one in held)

    def _lane(self, number: int) -> Lane:
        backlog = self.world.backlogs[number]
        resumption = Resumption(Lsn(0), established=False, reported=None, parked=backlog.reached)
        plan = LanePlan(
            destination_id=number,
            make=lambda: Watched(self.world, number),
            epoch=self.epoch,
            resumption=resumption,
            bound_bytes=self.fan_out.lane_bytes,
            backlog=Leased(self.world, backlog, self.epoch),
        )
        lane = self.fan_out.add(number, lambda covered: Lane(plan, self, self.fan_out, covered))
        lane.put(PrepareWork(_COPYING, lambda _: None))
        lane.begin()
        return lane

    def deliver(self) -> None:
        """Routes everything that the stream has and this process has not seen."""
        while self.delivered < len(self.world.stream):
            batch = self.world.stream[self.delivered]
            self.delivered += 1
            self.fan_out.route(replace(batch, sequence=self.delivered - self.first))

    def _take(self, watermark: str) -> list[Pending]:
        rows, snapshot = self.world.chunks[watermark]
        return [Pending(rows, snapshot, number) for number in NUMBERS]

    def crash(self) -> None:
        """Ends at once; what was under way is lost, as far as it was not committed."""
        self.fan_out.stop(0.0)
