"""A state machine over the real lanes: whatever fails, and in whichever order, all must be well in the end."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from compute.core.batch import ChangeBatch
from compute.tests.chaos.delivery_world import CAPACITY_BYTES, KEYS, NUMBERS, Process, Rows, World
from compute.tests.contract.changes import Change, changes
from compute.tests.support.lanes import SCHEMA
from compute.tests.support.waiting import eventually
from rosetta.errors import FencedError, OutageError
from rosetta.lsn import Lsn, StreamPosition


class BrokenError(Exception):
    """An invariant does not hold; its text begins with the invariant's name."""


class Course(RuleBasedStateMachine):
    """A stream and the process that delivers it, and whether all is well in the end."""

    patience_seconds = 30.0

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

    def begin_again(self) -> None:
        """Another process owns the pipeline, and is given what the slot still has."""
        self.epoch += 1
        self.process = Process(self.world, self.epoch)
        self.process.deliver()

    def teardown(self) -> None:
        """Everything comes back, and then everything is where it belongs."""
        world = self.world
        try:
            world.away.clear()
            for backlog in world.backlogs.values():
                backlog.away, backlog.forgetful = None, False
            self.commit(["1"], ["2"])
            self._all("converge", lambda one: world.rows(one) == world.expected[-1])
            self._all("no_loss", lambda one: world.place(world.stores[one].position) == len(world.stream))
            if any(world.backlogs[number].rows for number in NUMBERS):
                # Parked without being told so, and written by the lane itself: the next start closes them.
                self.process.crash()
                self.begin_again()
            self._all("replay_idempotent", lambda one: not world.backlogs[one].rows)
            self._all("converge", lambda one: world.rows(one) == world.expected[-1])
            self.holds("no_silent_completion", lambda: world.confirmed == len(world.stream))
            for name, what in world.wrong:
                raise BrokenError(f"{name}: {what}")
        finally:
            for process in (*self.rivals, self.process):
                process.crash()
            threading.excepthook = self._hook

    def commit(self, written: list[str], deleted: list[str], padding: str = "") -> None:
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

    def is_back(self, number: int) -> bool:
        return self.world.place(self.world.stores[number].position) == len(self.world.stream)

    def _all(self, name: str, probe: Callable[[int], bool]) -> None:
        """The same for every destination."""
        self.holds(name, lambda: all(probe(number) for number in NUMBERS))

    def holds(self, name: str, probe: Callable[[], bool]) -> None:
        try:
            eventually(probe, self.patience_seconds, name)
        except AssertionError as error:
            raise BrokenError(f"{name}: {error}") from None


class Delivery(Course):
    """Changes, outages, lost answers, crashes, rivals and copies in any order."""

    # -- what happens -----------------------------------------------------------------------------

    @initialize(keys=st.lists(st.sampled_from(KEYS), unique=True))
    def begin(self, keys: list[str]) -> None:
        self.commit(keys, [])

    @rule(written=st.lists(st.sampled_from(KEYS), unique=True), deleted=st.lists(st.sampled_from(KEYS), unique=True))
    def change(self, written: list[str], deleted: list[str]) -> None:
        self.commit(written, [key for key in deleted if key not in written])

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
        self.begin_again()

    @precondition(lambda self: len(self.rivals) < 2)
    @rule()
    def rival_takes_over(self) -> None:
        """The old process was only frozen: it goes on until the fence tells it."""
        self.rivals.append(self.process)
        self.begin_again()

    @rule()
    def read_chunk(self) -> None:
        """A copy reads all rows; its watermark comes down the stream later."""
        seen = len(self.world.stream) + 1
        self.unsent[f"chunk {len(self.world.chunks)}"] = (dict(self.world.expected[-1]), f"{seen}:{seen}:")
        self.world.chunks.update(self.unsent)

    # -- what must be so --------------------------------------------------------------------------

    @precondition(lambda self: 1 in self.world.away and 2 not in self.world.away)
    @precondition(lambda self: self.world.backlogs[2].away is None)  # what it has parked comes first
    @rule(key=st.sampled_from(KEYS))
    def the_other_target_goes_on(self, key: str) -> None:
        self.commit([key], [])
        wanted = len(self.world.stream)
        self.holds("destinations_isolated", lambda: self.world.place(self.world.stores[2].position) == wanted)

    @precondition(lambda self: 1 in self.world.away and self.world.backlogs[1].away is None)
    @rule(key=st.sampled_from(KEYS))
    def what_cannot_be_written_is_parked(self, key: str) -> None:
        """Also what would not fit into memory many times over: the stream is never held up by it."""
        for _ in range(5):
            self.commit([key], [], padding="x" * (CAPACITY_BYTES // 10))
        wanted = len(self.world.stream)
        self.holds(
            "bounded_memory", lambda: self.world.place(self.world.backlogs[1].reached) == wanted or self.is_back(1)
        )

    @precondition(lambda self: 1 in self.world.away and self.world.backlogs[1].away is not None)
    @rule(key=st.sampled_from(KEYS))
    def what_can_be_neither_written_nor_parked_is_told(self, key: str) -> None:
        """And it is not acknowledged, which is looked at wherever that would be done."""
        self.commit([key], [])
        self.holds("no_silent_completion", lambda: self.process.lanes[1].state.blocked is not None)
