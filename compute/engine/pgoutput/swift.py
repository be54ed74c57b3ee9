"""The way of ordinary messages: framed and placed in one loop, with no more than one call for each.

It does what `StreamReader.read` does for the same messages, and leaves to that whatever is special.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, Protocol

from compute.core.batch import TableSpec
from compute.engine.pgoutput.protocol import BEGIN, COMMIT, EPOCH_MICROS, INSERT, NEW, ROWS, UPDATE, Relation
from compute.engine.pgoutput.tables import Table, table_for

NO_LSN: Final = -1
_FRAME: Final = Struct(">BiBQ16xB")  # of a message: "d", length, "w", LSN, end and time of sending, the message's kind
_DATA, _XLOG = b"dw"
_AT: Final = _FRAME.size - 1  # the message's place in its frame
_BEGIN: Final = Struct(">8xqI")
_END: Final = Struct(">Q")


class Room(NamedTuple):
    """What may still be taken into a batch: so many bytes and changes until a commit, and so many anywhere."""

    enough_bytes: int
    most_bytes: int
    enough_changes: int
    most_changes: int


class Place(Protocol):
    """Where the stream is.

    Attributes:
        base: where the newest transaction that is over ended.
        lsn, ordinal: of the last change; no LSN between transactions.
        in_transaction: whether one is open.
        xid, micros, transaction: of the transaction that is open: its 64-bit id, its commit time, and both as text.
        newest: commit time of the newest change; -1: none yet.
        grown, taken: bytes that changes have added since somebody took account of them, and how many those were.
        seen: LSN of the newest message.
    """

    base: int
    lsn: int
    ordinal: int
    in_transaction: bool
    xid: int
    micros: int
    newest: int
    grown: int
    taken: int
    seen: int

    @property
    def transaction(self) -> bytes: ...

    def begin(self, xid: int, micros: int) -> None:
        """A transaction begins; `xid` is the stream's, of 32 bits."""


@dataclass(slots=True)
class PlainPlace:
    """See `Place`."""

    base: int
    lsn: int = NO_LSN
    ordinal: int = 0
    in_transaction: bool = False
    xid: int = 0
    micros: int = 0
    transaction: bytes = b""
    newest: int = -1
    grown: int = 0
    taken: int = 0
    seen: int = 0

    def begin(self, xid: int, micros: int) -> None:
        """See `Place`."""
        self.xid, self.micros, self.in_transaction, self.lsn = widened(xid, self.xid), micros, True, NO_LSN
        self.transaction = b"%d\t%d" % (self.xid, micros)


def widened(xid: int, known: int) -> int:
    """A 32-bit id as one of 64 bits, like `known`: a stream's ids lie within 2^31 of each other, before or after."""
    return known + (xid - known + 0x8000_0000) % 0x1_0000_0000 - 0x8000_0000


class Machine(Protocol):
    """A way to take the ordinary messages of one stream."""

    def start(self, base: int) -> Place:
        """Where the stream begins: a place that `run` moves on."""

    def table(self, relation: Relation, spec: TableSpec) -> Table:
        """What keeps the changes of a table in one batch."""

    def run(self, tables: Mapping[bytes, Table | None], buffer: bytes, at: int, room: Room) -> int:
        """Takes ordinary frames from `at` on; returns where it stopped, which is no later than `room` says.

        `tables` by the ids of their relations; those that are None are passed over.
        """


class PlainMachine:
    """Needs nothing but Python."""

    def __init__(self) -> None:
        self._place = PlainPlace(0)

    def start(self, base: int) -> Place:
        self._place = PlainPlace(base)
        return self._place

    def table(self, relation: Relation, spec: TableSpec) -> Table:
        return table_for(relation, spec)

    def run(self, tables: Mapping[bytes, Table | None], buffer: bytes, at: int, room: Room) -> int:
        return run(self._place, tables, buffer, at, room)


def run(place: PlainPlace, tables: Mapping[bytes, Table | None], buffer: bytes, at: int, room: Room) -> int:
    """See `Machine.run`."""
    last, ordinal, transaction, micros = place.lsn, place.ordinal, place.transaction, place.micros
    grown, length, frame = place.grown, len(buffer), _FRAME.unpack_from
    (enough, most, enough_changes, most_changes), end, lsn = room, length - _FRAME.size, place.seen
    xid, inside, base, newest, taken = place.xid, place.in_transaction, place.base, place.newest, place.taken
    while at <= end and grown < most and taken < most_changes:
        mark, size, letter, seen, kind = frame(buffer, at)
        stop = at + size + 1
        if stop > length or letter != _XLOG or mark != _DATA:
            break
        if kind in ROWS:
            payload = buffer[at + _AT : stop]
            table = tables.get(payload[1:5])
            if (table is None and payload[1:5] not in tables) or (kind == UPDATE and payload[5] != NEW):
                break
            ordinal, last = ordinal + 1 if seen == last else 0, seen
            if table is not None:
                taken += 1
                newest = max(newest, micros)
                act = table.insert if kind == INSERT else table.update if kind == UPDATE else table.delete
                grown += act(payload, seen, ordinal, transaction)
        elif kind == BEGIN:
            since, short = _BEGIN.unpack_from(buffer, at + _AT + 1)
            xid, micros, last, inside = widened(short, xid), since + EPOCH_MICROS, NO_LSN, True
            transaction = b"%d\t%d" % (xid, micros)
        elif kind == COMMIT and grown < enough and taken < enough_changes:
            (over,) = _END.unpack_from(buffer, at + _AT + 10)
            base, last, inside = max(over, base), NO_LSN, False
        else:
            break
        at, lsn = stop, seen
    place.lsn, place.ordinal, place.transaction, place.micros, place.grown = last, ordinal, transaction, micros, grown
    place.xid, place.in_transaction, place.base, place.newest, place.taken = xid, inside, base, newest, taken
    place.seen = lsn
    return at
