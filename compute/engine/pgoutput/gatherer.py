"""Where the stream is, and the batch that is being gathered from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from compute.core.batch import TableSpec
from compute.engine.base import cuts_behind
from compute.engine.pgoutput.gathering import Gathering
from compute.engine.pgoutput.marks import Marks
from compute.engine.pgoutput.outbox import NO_BOUND, Outbox
from compute.engine.pgoutput.protocol import Relation
from compute.engine.pgoutput.swift import NO_LSN, Machine, PlainMachine, Room
from compute.engine.pgoutput.tables import Table
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition


@dataclass(frozen=True, slots=True)
class Limits:
    """A batch is cut between transactions from `soft_bytes` on, anywhere from `hard_bytes` on.

    The same for its changes, of which there are never more than `most_changes`: between transactions from half of
    those on.
    """

    soft_bytes: int
    hard_bytes: int
    most_changes: int = NO_BOUND

    @property
    def enough_changes(self) -> int:
        """From how many on a batch is cut between transactions."""
        return (self.most_changes + 1) // 2

    def are_full(self, batch: Gathering) -> bool:
        """Whether it is to end here, wherever that is."""
        return batch.retained_bytes >= self.hard_bytes or batch.changes >= self.most_changes

    def are_enough(self, batch: Gathering) -> bool:
        """Whether it is to end here, which is between two transactions."""
        return batch.retained_bytes >= self.soft_bytes or batch.changes >= self.enough_changes


class Gatherer:
    """Gives changes their position, and ends batches where they are to end. For one thread but for `set_tables`."""

    def __init__(
        self,
        outbox: Outbox,
        limits: Limits,
        start: StreamPosition,
        cuts: Collection[StreamPosition],
        chore: Callable[[], None],
        machine: Machine | None = None,
    ) -> None:
        """`chore` is what is to be done now and then while the outbox is full; `machine` takes ordinary messages."""
        self._outbox = outbox
        self._limits = limits
        self._chore = chore
        self._specs: Mapping[TableId, TableSpec] = {}
        self._start = start
        self._cuts = deque(cuts_behind(start, cuts))
        # Whether a position is to be looked at before its change is: an old one passed over, a batch ended.
        self._watchful = self._behind = True
        self._machine = machine or PlainMachine()
        self._place = self._machine.start(start.commit_lsn)
        self._batch = Gathering(start, self._specs, start)
        self._on_offer = False  # from the end of one round of reading to the start of the next
        self._reached = start
        self.marks = Marks()
        # Tables of this batch by their relation's id; None: passed over.
        self._open: dict[bytes, Table | None] = {}
        self._relations: dict[bytes, Relation] = {}  # as the stream described them last

    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None:
        """May be called from any thread; what is not in a batch yet is read by the new tables."""
        self._specs = dict(tables)

    def go_on(self) -> None:
        """Called before a round of reading: goes on with the batch that was offered, unless it was taken."""
        if self._on_offer and not self._outbox.reclaim():
            self._renew()
        self._on_offer = False
        self._watchful = self._watchful or bool(self.marks)
        if self._batch.specs is not self._specs:
            self._publish()

    def reach(self, lsn: int, *, rest: bool) -> None:
        """Takes note that everything that was committed up to `lsn` has come; between rounds of reading.

        `rest`: that position is worth a batch of its own, for no transaction comes to bring one.
        """
        place = self._place
        lsn = max(lsn, place.base)
        due = self.marks.any_up_to(lsn)
        if place.in_transaction or not (due or rest) or self._is_inside(lsn):
            return
        self._cut_before(StreamPosition(Lsn(lsn)))
        place.base = lsn
        if due:
            self._batch.watermarks += self.marks.take(lsn)
            self._publish()

    def offer(self) -> None:
        """Called after a round of reading: what ends between transactions may be taken."""
        batch, position = self._batch, self._position()
        if self._on_offer or self._place.in_transaction or position <= batch.start:
            return
        batch.end = self._reached = position
        self._on_offer = True
        self._outbox.offer(batch)

    @property
    def seen(self) -> int:
        """LSN of the newest message that was read."""
        return self._place.seen

    def run(self, buffer: bytes, at: int) -> int:
        """Reads ordinary frames from `at` on, and returns where the first special or incomplete one is.

        Raises:
            StreamError: what a message says of a table cannot be followed.
        """
        if self._watchful:  # each position is to be looked at
            return at
        batch, place, limits = self._batch, self._place, self._limits
        held, changes = batch.retained_bytes, batch.changes
        room = Room(
            limits.soft_bytes - held,
            limits.hard_bytes - held,
            limits.enough_changes - changes,
            limits.most_changes - changes,
        )
        at = self._machine.run(self._open, buffer, at, room)
        batch.retained_bytes, place.grown = held + place.grown, 0
        batch.changes, place.taken = changes + place.taken, 0
        batch.micros, place.newest = max(batch.micros, place.newest), -1
        if limits.are_full(batch):
            self._publish()
        return at

    def _is_inside(self, lsn: int) -> bool:
        """Whether a transaction that begins before `lsn` is still to come, of which somebody holds a part.

        What it has behind that part is known by where the transaction before it ended, so that must stay as it was.
        """
        parts = [self._start] if self._behind else []
        return any(not one.at_boundary and one.commit_lsn <= lsn for one in (*parts, *self._cuts))

    def _next_ordinal(self, lsn: int) -> int:
        return self._place.ordinal + 1 if lsn == self._place.lsn else 0

    def _admit(self, lsn: int, ordinal: int) -> bool:
        """False for a change that an earlier start delivered; ends batches that are to end before it."""
        position = StreamPosition(Lsn(self._place.base), Lsn(lsn), ordinal)
        if self._batch.watermarks:
            self._publish()
        self._cut_before(position)
        self._behind = self._behind and position <= self._start
        self._watchful = self._behind or bool(self._cuts) or bool(self.marks)
        return not self._behind

    def _cut_before(self, position: StreamPosition) -> None:
        """Ends a batch at each cut that comes before `position`, an empty one where there is nothing new."""
        while self._cuts and self._cuts[0] < position:
            self._publish(self._cuts.popleft())

    def _position(self) -> StreamPosition:
        """The point behind everything that was read."""
        if self._place.in_transaction and self._place.lsn != NO_LSN:
            position = StreamPosition(Lsn(self._place.base), Lsn(self._place.lsn), self._place.ordinal)
        else:
            position = StreamPosition(Lsn(self._place.base))
        return max(position, self._reached)

    def _renew(self) -> None:
        self._batch = Gathering(self._reached, self._specs, self._reached)
        self._open = {}

    def _publish(self, end: StreamPosition | None = None) -> None:
        """Hands the batch on, with all that was read before the present message or up to `end`."""
        batch, position = self._batch, max(end or self._position(), self._reached)
        batch.end = self._reached = position
        self._renew()
        if position > batch.start or batch.watermarks:
            self._outbox.put(batch, self._chore)
