"""A small PostgreSQL in Python: concurrent transactions, row locks, snapshots, and the stream they leave behind.

Transactions interleave, so LSNs in the stream are not monotonic across transactions and a transaction with a
smaller xid may commit later, as in a real server.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.tests.contract.changes import UNCHANGED, Change, Unchanged
from rosetta.lsn import Lsn, StreamPosition

Row = tuple[str, str | None]
Rows = dict[str, Row]


@dataclass(frozen=True)
class ChunkRead:
    """Rows of (lower, upper] as a snapshot saw them."""

    rows: Rows
    snapshot: str
    lower: str | None
    upper: str | None


@dataclass(frozen=True)
class Item:
    """One thing in the stream; `change` None: a truncate or a watermark. `position` is just behind it."""

    position: StreamPosition
    change: Change | None = None
    watermark: ChunkRead | None = None


@dataclass
class Transaction:
    xid: int
    seen: dict[str, Row | None] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


class SourceModel:
    """What a source does; every method leaves a consistent state and says nothing when it is not possible."""

    def __init__(self, rows: Rows) -> None:
        self.rows = dict(rows)
        self.open: dict[int, Transaction] = {}
        self.stream: list[Item] = []
        self._unsent: list[ChunkRead] = []
        self._xid = 100
        self._lsn = 1000
        self._counter = 0
        self._committed = StreamPosition(Lsn(1000))

    def begin(self) -> Transaction:
        transaction = Transaction(self._xid)
        self._xid += 1
        self.open[transaction.xid] = transaction
        return transaction

    def write(self, by: Transaction, key: str, *, keep: bool, empty: bool) -> None:
        """Inserts or updates a row; `keep`: the body is unchanged and not sent."""
        present = self._row(by, key)
        if self._locked(by, key):
            return
        if present is None:
            self._log(by, "c", key, (self._new("n"), None if empty else self._new("b")))
        else:
            body = present[1] if keep else None if empty else self._new("b")
            self._log(by, "u", key, (self._new("n"), body), hide=keep)

    def delete(self, by: Transaction, key: str) -> None:
        if not self._locked(by, key) and self._row(by, key) is not None:
            self._log(by, "d", key, None)

    def move(self, by: Transaction, key: str, to: str, *, keep: bool) -> None:
        """Changes a row's key."""
        present = self._row(by, key)
        if present is None or self._row(by, to) is not None or self._locked(by, key) or self._locked(by, to):
            return
        self._log(by, "d", key, None)
        self._log(by, "c", to, (self._new("n"), present[1] if keep else self._new("b")), hide=keep, moved_from=key)

    def commit(self, transaction: Transaction) -> None:
        del self.open[transaction.xid]
        for key, row in transaction.seen.items():
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        for change in transaction.changes[:-1]:
            place = StreamPosition(self._committed.commit_lsn, Lsn(change.lsn), change.seq)
            self.stream.append(Item(place, change))
        self._lsn += 10
        self._committed = StreamPosition(Lsn(self._lsn))
        self.stream += [Item(self._committed, change) for change in transaction.changes[-1:]]

    def truncate(self) -> None:
        """Needs the whole table, so it waits for every transaction and every chunk that is being read."""
        if self.open:
            return
        self.send_watermarks()
        self.rows.clear()
        self._next_position()
        self.stream.append(Item(self._committed))

    def read_chunk(self, lower: str | None, upper: str | None) -> ChunkRead:
        """Reads a range; its watermark comes later."""
        running = sorted(self.open)
        text = f"{running[0] if running else self._xid}:{self._xid}:{','.join(map(str, running))}"
        rows = {
            key: row for key, row in self.rows.items() if (not lower or key > lower) and (not upper or key <= upper)
        }
        chunk = ChunkRead(rows, text, lower, upper)
        self._unsent.append(chunk)
        return chunk

    def send_watermarks(self) -> None:
        for chunk in self._unsent:
            self._next_position()
            self.stream.append(Item(self._committed, watermark=chunk))
        self._unsent.clear()

    def _next_position(self) -> None:
        self._lsn += 10
        self._committed = StreamPosition(Lsn(self._lsn))

    def _row(self, by: Transaction, key: str) -> Row | None:
        return by.seen[key] if key in by.seen else self.rows.get(key)

    def _locked(self, by: Transaction, key: str) -> bool:
        return any(key in other.seen for other in self.open.values() if other is not by)

    def _new(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}{self._counter}"

    def _log(
        self, by: Transaction, op: str, key: str, row: Row | None, *, hide: bool = False, moved_from: str | None = None
    ) -> None:
        by.seen[key] = row
        same = moved_from is not None  # the new half of a key change shares the LSN of the old one
        self._lsn += 0 if same else 10
        values: list[str | Unchanged | None] = [key, None, None] if row is None else [key, row[0], row[1]]
        if hide:
            values[2] = UNCHANGED
        former = None if moved_from is None else (moved_from,)
        by.changes.append(Change(op, self._lsn, values, 1 if same else 0, by.xid, former))


def replay(rows: Rows, items: list[Item]) -> Rows:
    """The rows after `items`: what a target must hold at that point of the stream."""
    state = dict(rows)
    for item in items:
        change = item.change
        if change is None:
            if item.watermark is None:
                state.clear()
            continue
        key = str(change.values[0])
        if change.op == "d":
            gone = state.pop(key)
            moved = gone[1]
            continue
        name, body = change.values[1], change.values[2]
        if isinstance(body, Unchanged):
            body = moved if change.moved_from else state[key][1]
        state[key] = (str(name), body)
    return state


def resolved(changes: list[Change]) -> list[Change]:
    """A batch's changes as an engine hands them over, none folded away.

    A value stays unchanged only where the target's row of before the batch has it; the key of that row is
    `moved_from` when it is another.
    """
    newest: dict[str, Change] = {}
    made: list[Change] = []
    moving: Change | None = None
    for change in changes:
        key = str(change.values[0])
        known = moving if change.moved_from else newest.get(key)
        if change.op == "d":
            moving = known if known is not None and known.op != "d" else None
        elif known is not None and known.op != "d":
            change = _carried(known, change)  # noqa: PLW2901
        newest[key] = change
        made.append(change)
    return made


def fold(changes: list[Change]) -> list[Change]:
    """The newest change of each key."""
    newest = {str(change.values[0]): change for change in resolved(changes)}
    return sorted(newest.values(), key=lambda change: (change.lsn, change.seq))


def _carried(known: Change, change: Change) -> Change:
    values = [old if value is UNCHANGED else value for old, value in zip(known.values, change.values, strict=True)]
    origin = known.moved_from or (str(known.values[0]),)
    former = None if UNCHANGED not in values or tuple(origin) == (values[0],) else origin
    return Change(change.op, change.lsn, values, change.seq, change.xid, former)
