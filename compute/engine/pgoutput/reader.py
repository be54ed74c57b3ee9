"""From messages to batches: gives every change its position, and ends batches where they are to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Final

from compute.engine.pgoutput import protocol
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.gatherer import Gatherer
from compute.engine.pgoutput.swift import NO_LSN
from compute.engine.pgoutput.tables import Table
from rosetta.lsn import Lsn, StreamPosition

_PREFIX: Final = "rosetta"


class StreamReader(Gatherer):
    """Reads one stream, message by message, into batches."""

    def set_reference(self, xid: int) -> None:
        """`xid` is any 64-bit transaction id of the source's present: it widens the stream's 32-bit ids."""
        self._place.xid = xid

    def read(self, payload: bytes, lsn: int) -> None:
        """Reads one message; `lsn` is where it stands in the WAL.

        Raises:
            StreamError: the message, or what it says of a table, cannot be followed.
        """
        handler = self._HANDLERS.get(payload[0]) if payload else None
        if handler is None:
            raise StreamError(f"a message of unknown kind {payload[:1]!r} came")
        self._place.seen = lsn
        handler(self, payload, lsn)

    # -- what stands around changes ---------------------------------------------------------------

    def _begin(self, payload: bytes, _lsn: int) -> None:
        transaction = protocol.begin(payload)
        self._place.begin(transaction.xid, transaction.micros)
        for cut in self._cuts:  # from a run in which the transaction before this one ended later for it
            if cut.commit_lsn > transaction.final_lsn:
                break
            self._place.base = max(self._place.base, cut.commit_lsn)

    def _commit(self, payload: bytes, _lsn: int) -> None:
        end = protocol.commit(payload).end_lsn
        if self._watchful:
            self._cut_before(StreamPosition(Lsn(max(self._place.base, end))))
        self._place.in_transaction = False
        self._place.lsn = NO_LSN
        self._place.base = max(self._place.base, end)
        if self.marks:
            self._batch.watermarks += self.marks.take(self._place.base)
        if self._limits.are_enough(self._batch) or self._batch.watermarks:
            self._publish()

    def _relation(self, payload: bytes, _lsn: int) -> None:
        relation = protocol.relation(payload)
        self._relations[payload[1:5]] = relation
        # Anew, so that whoever knows the tables of the old one looks again.
        self._open = {oid: table for oid, table in self._open.items() if oid != payload[1:5]}

    def _message(self, payload: bytes, lsn: int) -> None:
        message = protocol.message(payload)
        if message.prefix != _PREFIX:
            return
        if message.transactional:
            admitted = self._admit(lsn, self._next_ordinal(lsn)) if self._watchful else True
            self._place.lsn, self._place.ordinal = lsn, self._next_ordinal(lsn)
        else:
            boundary = StreamPosition(Lsn(max(self._place.base, message.lsn)))
            self._cut_before(boundary)
            admitted = boundary > self._start
            self._place.base = int(boundary.commit_lsn)
        if admitted and message.content:
            self._batch.watermarks.append(message.content.decode())
            self._watchful = True  # a watermark stands at the very end of its batch
            if not message.transactional:
                self._publish()

    # -- changes ----------------------------------------------------------------------------------

    def _insert(self, payload: bytes, lsn: int) -> None:
        table = self._step(payload, lsn)
        if table is not None:
            self._grow(table.insert(payload, lsn, self._place.ordinal, self._place.transaction))

    def _update(self, payload: bytes, lsn: int) -> None:
        table = self._step(payload, lsn)
        ordinal = self._place.ordinal
        if payload[5] != protocol.NEW:
            self._place.ordinal += 1  # the old row goes, the new one comes: two lines, two ids
        if table is not None:
            self._grow(table.update(payload, lsn, ordinal, self._place.transaction))

    def _delete(self, payload: bytes, lsn: int) -> None:
        table = self._step(payload, lsn)
        if table is not None:
            self._grow(table.delete(payload, lsn, self._place.ordinal, self._place.transaction))

    def _truncate(self, payload: bytes, lsn: int) -> None:
        for oid in protocol.truncate(payload):
            ordinal = self._next_ordinal(lsn)
            admitted = self._admit(lsn, ordinal) if self._watchful else True
            relation = self._known(oid.to_bytes(4, "big"))
            if admitted and relation.table in self._batch.specs:
                if self._batch.tables:
                    self._publish()
                batch = self._batch
                batch.truncated.append(relation.table)
                batch.micros = max(batch.micros, self._place.micros)
            self._place.lsn, self._place.ordinal = lsn, ordinal

    def _step(self, payload: bytes, lsn: int) -> Table | None:
        """Goes on to the change at `lsn`; returns its table, or None where it is passed over."""
        ordinal = self._place.ordinal + 1 if lsn == self._place.lsn else 0
        table = None
        if not self._watchful or self._admit(lsn, ordinal):
            oid = payload[1:5]
            table = self._open[oid] if oid in self._open else self._table(oid)
        self._place.lsn, self._place.ordinal = lsn, ordinal
        return table

    def _grow(self, grown: int) -> None:
        batch = self._batch
        batch.retained_bytes += grown
        batch.changes += 1
        batch.micros = max(batch.micros, self._place.micros)
        if self._limits.are_full(batch):
            self._publish()

    def _table(self, oid: bytes) -> Table | None:
        relation, batch = self._known(oid), self._batch
        spec = batch.specs.get(relation.table)
        if spec is None:
            self._open[oid] = None
            return None
        table = batch.tables.get(relation.table)
        if table is not None and table.shape != relation.shape:
            self._publish()
            return self._table(oid)
        if table is None:
            table = batch.tables[relation.table] = self._machine.table(relation, spec)
        self._open[oid] = table
        return table

    def _known(self, oid: bytes) -> protocol.Relation:
        relation = self._relations.get(oid)
        if relation is None:
            raise StreamError("a change came of a relation that was not described")
        return relation

    def _pass(self, _payload: bytes, _lsn: int) -> None:
        """Types and origins change nothing: rows are text, and whoever wrote them is no matter."""

    _HANDLERS: ClassVar[dict[int, Callable[[StreamReader, bytes, int], None]]] = {
        protocol.BEGIN: _begin,
        protocol.COMMIT: _commit,
        protocol.RELATION: _relation,
        protocol.INSERT: _insert,
        protocol.UPDATE: _update,
        protocol.DELETE: _delete,
        protocol.TRUNCATE: _truncate,
        protocol.MESSAGE: _message,
        protocol.TYPE: _pass,
        protocol.ORIGIN: _pass,
    }
