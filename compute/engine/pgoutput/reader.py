"""From messages to batches: gives every change its position, and ends batches where they are to end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

from compute.core.batch import TableSpec
from compute.engine.base import cuts_behind
from compute.engine.pgoutput import protocol
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.gathering import Gathering
from compute.engine.pgoutput.outbox import Outbox
from compute.engine.pgoutput.tables import Table, table_for
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

_PREFIX: Final = "rosetta"
_NO_LSN: Final = -1


@dataclass(frozen=True, slots=True)
class Limits:
    """A batch is cut between transactions from `soft_bytes` on, anywhere from `hard_bytes` on."""

    soft_bytes: int
    hard_bytes: int


class StreamReader:
    """Reads one stream, message by message. All methods but `set_tables` belong to one thread."""

    def __init__(
        self,
        outbox: Outbox,
        limits: Limits,
        start: StreamPosition,
        cuts: Collection[StreamPosition],
        chore: Callable[[], None],
    ) -> None:
        """`chore` is what is to be done now and then while the outbox is full."""
        self._outbox = outbox
        self._limits = limits
        self._chore = chore
        self._specs: Mapping[TableId, TableSpec] = {}
        self._relations: dict[bytes, protocol.Relation] = {}
        self._start = start
        self._cuts = deque(cuts_behind(start, cuts))
        # Whether a position is to be looked at before its change is: an old one passed over, a batch ended.
        self._watchful = self._behind = True
        # The last change's position, as the numbers of a `StreamPosition`; no LSN between transactions.
        self._base: int = start.commit_lsn
        self._lsn = _NO_LSN
        self._ordinal = 0
        self._in_transaction = False
        self._micros = 0
        self._xid = 0
        self._transaction = b""
        self._batch: Gathering | None = Gathering(start, self._specs, start)
        self._reached = start
        # Tables of this batch by their relation's id; None: passed over.
        self._open: dict[bytes, Table | None] = {}
        self._read: Final[dict[int, Callable[[bytes, int], None]]] = {
            protocol.BEGIN: self._begin,
            protocol.COMMIT: self._commit,
            protocol.RELATION: self._relation,
            protocol.INSERT: self._insert,
            protocol.UPDATE: self._update,
            protocol.DELETE: self._delete,
            protocol.TRUNCATE: self._truncate,
            protocol.MESSAGE: self._message,
            protocol.TYPE: self._pass,
            protocol.ORIGIN: self._pass,
        }

    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None:
        """May be called from any thread; what is not in a batch yet is read by the new tables."""
        self._specs = dict(tables)

    def set_reference(self, xid: int) -> None:
        """`xid` is any 64-bit transaction id of the source's present: it widens the stream's 32-bit ids."""
        self._xid = xid

    def go_on(self) -> None:
        """Called before a round of reading: goes on with the batch that was offered, unless it was taken."""
        if self._batch is None:
            self._batch = self._outbox.reclaim()
            if self._batch is None:
                self._renew()
        if self._batch is not None and self._batch.specs is not self._specs:
            self._publish()

    def offer(self) -> None:
        """Called after a round of reading: what ends between transactions may be taken."""
        batch, position = self._batch, self._position()
        if batch is None or self._in_transaction or position <= batch.start:
            return
        batch.end = self._reached = position
        self._batch = None
        self._outbox.offer(batch)

    def read(self, payload: bytes, lsn: int) -> None:
        """Reads one message; `lsn` is where it stands in the WAL.

        Raises:
            StreamError: the message, or what it says of a table, cannot be followed.
        """
        handler = self._read.get(payload[0]) if payload else None
        if handler is None:
            raise StreamError(f"a message of unknown kind {payload[:1]!r} came")
        handler(payload, lsn)

    # -- what stands around changes ---------------------------------------------------------------

    def _begin(self, payload: bytes, _lsn: int) -> None:
        transaction = protocol.begin(payload)
        self._in_transaction = True
        self._lsn = _NO_LSN
        self._micros = transaction.micros
        # The stream's ids lie within 2^31 of each other, before or after.
        self._xid += (transaction.xid - self._xid + 0x8000_0000) % 0x1_0000_0000 - 0x8000_0000
        self._transaction = b"%d\t%d" % (self._xid, transaction.micros)
        for cut in self._cuts:  # from a run in which the transaction before this one ended later for it
            if cut.commit_lsn > transaction.final_lsn:
                break
            self._base = max(self._base, cut.commit_lsn)

    def _commit(self, payload: bytes, _lsn: int) -> None:
        end = protocol.commit(payload).end_lsn
        if self._watchful:
            self._cut_before(StreamPosition(Lsn(max(self._base, end))))
        self._in_transaction = False
        self._lsn = _NO_LSN
        self._base = max(self._base, end)
        batch = self._gathered()
        if batch.retained_bytes >= self._limits.soft_bytes or batch.watermarks:
            self._publish()

    def _relation(self, payload: bytes, _lsn: int) -> None:
        relation = protocol.relation(payload)
        self._relations[payload[1:5]] = relation
        self._open.pop(payload[1:5], None)

    def _message(self, payload: bytes, lsn: int) -> None:
        message = protocol.message(payload)
        if message.prefix != _PREFIX:
            return
        if message.transactional:
            admitted = self._admit(lsn, self._next_ordinal(lsn)) if self._watchful else True
            self._lsn, self._ordinal = lsn, self._next_ordinal(lsn)
        else:
            boundary = StreamPosition(Lsn(max(self._base, message.lsn)))
            self._cut_before(boundary)
            admitted = boundary > self._start
            self._base = int(boundary.commit_lsn)
        if admitted and message.content:
            self._gathered().watermarks.append(message.content.decode())
            self._watchful = True  # a watermark stands at the very end of its batch
            if not message.transactional:
                self._publish()

    def _pass(self, _payload: bytes, _lsn: int) -> None:
        """Types and origins change nothing: rows are text, and whoever wrote them is no matter."""

    # -- changes ----------------------------------------------------------------------------------

    def _insert(self, payload: bytes, lsn: int) -> None:
        table = self._place(payload, lsn)
        if table is not None:
            self._grow(table.insert(payload, lsn, self._ordinal, self._transaction))

    def _update(self, payload: bytes, lsn: int) -> None:
        table = self._place(payload, lsn)
        ordinal = self._ordinal
        if payload[5] != protocol.NEW:
            self._ordinal += 1  # the old row goes, the new one comes: two lines, two ids
        if table is not None:
            self._grow(table.update(payload, lsn, ordinal, self._transaction))

    def _delete(self, payload: bytes, lsn: int) -> None:
        table = self._place(payload, lsn)
        if table is not None:
            self._grow(table.delete(payload, lsn, self._ordinal, self._transaction))

    def _truncate(self, payload: bytes, lsn: int) -> None:
        for oid in protocol.truncate(payload).relations:
            ordinal = self._next_ordinal(lsn)
            admitted = self._admit(lsn, ordinal) if self._watchful else True
            relation = self._known(oid.to_bytes(4, "big"))
            if admitted and relation.table in self._gathered().specs:
                if self._gathered().tables:
                    self._publish()
                batch = self._gathered()
                batch.truncated.append(relation.table)
                batch.micros = max(batch.micros, self._micros)
            self._lsn, self._ordinal = lsn, ordinal

    def _place(self, payload: bytes, lsn: int) -> Table | None:
        """Goes on to the change at `lsn`; returns its table, or None where it is passed over."""
        ordinal = self._ordinal + 1 if lsn == self._lsn else 0
        table = None
        if not self._watchful or self._admit(lsn, ordinal):
            oid = payload[1:5]
            table = self._open[oid] if oid in self._open else self._table(oid)
        self._lsn, self._ordinal = lsn, ordinal
        return table

    def _grow(self, grown: int) -> None:
        batch = self._gathered()
        batch.retained_bytes += grown
        batch.micros = max(batch.micros, self._micros)
        if batch.retained_bytes >= self._limits.hard_bytes:
            self._publish()

    def _table(self, oid: bytes) -> Table | None:
        relation, batch = self._known(oid), self._gathered()
        spec = batch.specs.get(relation.table)
        if spec is None:
            self._open[oid] = None
            return None
        table = batch.tables.get(relation.table)
        if table is not None and table.columns != tuple(column.name for column in relation.columns):
            self._publish()
            return self._table(oid)
        if table is None:
            table = batch.tables[relation.table] = table_for(relation, spec)
        self._open[oid] = table
        return table

    def _known(self, oid: bytes) -> protocol.Relation:
        relation = self._relations.get(oid)
        if relation is None:
            raise StreamError("a change came of a relation that was not described")
        return relation

    # -- positions and batches --------------------------------------------------------------------

    def _next_ordinal(self, lsn: int) -> int:
        return self._ordinal + 1 if lsn == self._lsn else 0

    def _admit(self, lsn: int, ordinal: int) -> bool:
        """False for a change that an earlier start delivered; ends batches that are to end before it."""
        position = StreamPosition(Lsn(self._base), Lsn(lsn), ordinal)
        if self._gathered().watermarks:
            self._publish()
        self._cut_before(position)
        self._behind = self._behind and position <= self._start
        self._watchful = self._behind or bool(self._cuts)
        return not self._behind

    def _cut_before(self, position: StreamPosition) -> None:
        """Ends a batch at each cut that comes before `position`, an empty one where there is nothing new."""
        while self._cuts and self._cuts[0] < position:
            self._publish(self._cuts.popleft())

    def _position(self) -> StreamPosition:
        """The point behind everything that was read."""
        if self._in_transaction and self._lsn != _NO_LSN:
            position = StreamPosition(Lsn(self._base), Lsn(self._lsn), self._ordinal)
        else:
            position = StreamPosition(Lsn(self._base))
        return max(position, self._reached)

    def _gathered(self) -> Gathering:
        assert self._batch is not None, "nothing is read while a batch is on offer"  # noqa: S101 - go_on sees to it
        return self._batch

    def _renew(self) -> None:
        self._batch = Gathering(self._reached, self._specs, self._reached)
        self._open = {}

    def _publish(self, end: StreamPosition | None = None) -> None:
        """Hands the batch on, with all that was read before the present message or up to `end`."""
        batch, position = self._gathered(), max(end or self._position(), self._reached)
        batch.end = self._reached = position
        self._renew()
        if position > batch.start:
            self._outbox.put(batch, self._chore)
