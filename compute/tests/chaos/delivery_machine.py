"""A state machine over the real lanes, with destinations and a ledger in memory, each failing whenever it likes.

What must hold is looked at where it would break: at every commit of a target, and at every acknowledgement.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from compute.core import parker, writer, writer_state
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
from compute.tests.contract.changes import Change, changes, chunk
from compute.tests.support.lanes import SCHEMA, TARGET, Scene, ScriptedEngine
from compute.tests.support.memory_backlog import MemoryBacklog
from compute.tests.support.waiting import eventually
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.lsn import Lsn, StreamPosition

KEYS = ("1", "2", "3", "4", "5")
NUMBERS = (1, 2)
CAPACITY_BYTES = 20_000
_COPYING = replace(TARGET, copying=True)
Rows = dict[str, str]


class BrokenError(Exception):
    """An invariant does not hold; named, so that each test is about its own."""


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
        result = super().write_changes(batch, refused)
        self._look()
        return result

    def write_rows(self, chunk: RowChunk) -> int:
        written = super().write_rows(chunk)
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

    def land(self, destination: Destination, target: TableTarget) -> None:
        destination.write_rows(chunk(target, [(key, value) for key, value in self.rows.items()], self.snapshot))

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


class Delivery(RuleBasedStateMachine):
    """Changes, outages, lost answers, crashes, rivals and copies in any order; all must be well in the end."""

    focus = ""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.epoch = 1
        self.fenced: list[BaseException] = []
        self._hook = threading.excepthook
        threading.excepthook = self._thread_failed
        self.process = Process(self.world, self.epoch)
        self.rivals: list[Process] = []
        self.unsent: dict[str, tuple[Rows, str]] = {}

    def _thread_failed(self, problem: threading.ExceptHookArgs) -> None:
        if isinstance(problem.exc_value, FencedError):
            self.fenced.append(problem.exc_value)  # the process would end by it
        else:
            self._hook(problem)

    # -- what happens -----------------------------------------------------------------------------

    @initialize(keys=st.lists(st.sampled_from(KEYS), unique=True))
    def begin(self, keys: list[str]) -> None:
        self._change(keys, [])

    @rule(written=st.lists(st.sampled_from(KEYS), unique=True), deleted=st.lists(st.sampled_from(KEYS), unique=True))
    def change(self, written: list[str], deleted: list[str]) -> None:
        self._change(written, [key for key in deleted if key not in written])

    @rule(number=st.sampled_from(NUMBERS))
    def target_leaves(self, number: int) -> None:
        self.world.away.add(number)

    @rule(number=st.sampled_from(NUMBERS))
    def target_is_back(self, number: int) -> None:
        self.world.away.discard(number)

    @rule(number=st.sampled_from(NUMBERS))
    def answer_is_lost(self, number: int) -> None:
        self.world.unknown.add(number)

    @rule(number=st.sampled_from(NUMBERS))
    def ledger_leaves(self, number: int) -> None:
        self.world.backlogs[number].away = OutageError("away", code="LEDGER_AWAY")

    @rule(number=st.sampled_from(NUMBERS))
    def ledger_is_back(self, number: int) -> None:
        self.world.backlogs[number].away = None

    @rule(number=st.sampled_from(NUMBERS))
    def ledger_forgets_to_answer(self, number: int) -> None:
        self.world.backlogs[number].forgetful = True

    @rule()
    def crash(self) -> None:
        self.process.crash()
        self.epoch += 1
        self.process = Process(self.world, self.epoch)
        self.process.deliver()

    @precondition(lambda self: len(self.rivals) < 2)
    @rule()
    def rival_takes_over(self) -> None:
        """The old process was only frozen: it goes on until the fence tells it."""
        self.rivals.append(self.process)
        self.epoch += 1
        self.process = Process(self.world, self.epoch)
        self.process.deliver()

    @rule()
    def read_chunk(self) -> None:
        """A copy reads all rows; its watermark comes down the stream later."""
        seen = len(self.world.stream) + 1
        self.unsent[f"chunk {len(self.world.chunks)}"] = (dict(self.world.expected[-1]), f"{seen}:{seen}:")
        self.world.chunks.update(self.unsent)

    # -- what must be so --------------------------------------------------------------------------

    @precondition(lambda self: 1 in self.world.away and 2 not in self.world.away)
    @rule(key=st.sampled_from(KEYS))
    def the_other_target_goes_on(self, key: str) -> None:
        self._change([key], [])
        wanted = len(self.world.stream)
        self._eventually("destinations_isolated", lambda: self.world.place(self.world.stores[2].position) == wanted)

    @precondition(lambda self: 1 in self.world.away and self.world.backlogs[1].away is None)
    @rule(key=st.sampled_from(KEYS))
    def what_cannot_be_written_is_parked(self, key: str) -> None:
        """Also what would not fit into memory many times over: the stream is never held up by it."""
        for _ in range(5):
            self._change([key], [], padding="x" * (CAPACITY_BYTES // 10))
        wanted = len(self.world.stream)
        self._eventually(
            "bounded_memory", lambda: self.world.place(self.world.backlogs[1].reached) == wanted or self._is_back(1)
        )

    def teardown(self) -> None:
        """Everything comes back, and then everything is where it belongs."""
        world = self.world
        try:
            world.away.clear()
            for backlog in world.backlogs.values():
                backlog.away, backlog.forgetful = None, False
            self._change(["1"], ["2"])
            self._all("converge", lambda one: world.rows(one) == world.expected[-1])
            self._all("no_loss", lambda one: world.place(world.stores[one].position) == len(world.stream))
            if any(world.backlogs[number].rows for number in NUMBERS):
                # Parked without being told so, and written by the lane itself: the next start closes them.
                self.crash()
            self._all("replay_idempotent", lambda one: not world.backlogs[one].rows)
            self._all("converge", lambda one: world.rows(one) == world.expected[-1])
            self._eventually("no_silent_completion", lambda: world.confirmed == len(world.stream))
            for name, what in world.wrong:
                raise BrokenError(f"{name}: {what}")
        finally:
            for process in (*self.rivals, self.process):
                process.crash()
            threading.excepthook = self._hook

    # ---------------------------------------------------------------------------------------------

    def _change(self, written: list[str], deleted: list[str], padding: str = "") -> None:
        """The source commits, and the process that is in charge is given it."""
        world, number = self.world, len(self.world.stream) + 1
        rows = dict(world.expected[-1])
        lines = []
        for order, key in enumerate([*deleted, *written]):
            lsn = number * 100 + order
            if key in written:
                lines.append(Change("u" if key in rows else "c", lsn, [key, f"{number}{padding}"], xid=number))
                rows[key] = f"{number}{padding}"
            elif rows.pop(key, None) is not None:
                lines.append(Change("d", lsn, [key, None], xid=number))
        tables = (changes(SCHEMA, lines, folded=True),) if lines else ()
        end = StreamPosition(Lsn((number + 1) * 100))
        start = StreamPosition(Lsn(number * 100))
        world.expected.append(rows)
        world.stream.append(ChangeBatch(number, start, end, tables=tables, watermarks=tuple(self.unsent)))
        self.unsent.clear()
        self.process.deliver()

    def _is_back(self, number: int) -> bool:
        return self.world.place(self.world.stores[number].position) == len(self.world.stream)

    def _all(self, name: str, probe: Callable[[int], bool]) -> None:
        """The same for every destination."""
        self._eventually(name, lambda: all(probe(number) for number in NUMBERS))

    def _eventually(self, name: str, probe: Callable[[], bool]) -> None:
        try:
            eventually(probe, 10, name)
        except AssertionError as error:
            raise BrokenError(f"{name}: {error}") from None


def hasten(setattr_: Callable[[object, str, object], None]) -> None:
    """Makes lanes look and try again within milliseconds instead of seconds."""
    for module, name, seconds in (
        (writer, "_IDLE_SECONDS", 0.005),
        (writer, "_PROGRESS_SECONDS", 0.005),
        (writer_state, "_FIRST_DELAY_SECONDS", 0.002),
        (writer_state, "_OUTAGE_DELAY_SECONDS", 0.01),
        (parker, "_TICK_SECONDS", 0.005),
        (parker, "_FAILING_SECONDS", 0.02),
        (parker, "_WAITED_FOR_SECONDS", 0.02),
        (parker, "_RETRY_SECONDS", 0.01),
    ):
        setattr_(module, name, seconds)
