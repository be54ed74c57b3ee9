"""What waits for one destination because its data was refused: kept out of the way of everything else.

A refused change is parked with its key; later changes of that key are parked behind it. A table that is refused as it
is, is held: everything that comes for it is parked, in order, until it is taken again.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from compute.core.batch import ChangeBatch
from compute.core.catalog.session import Session
from compute.core.exit_codes import Failure
from compute.core.lines import groups, lines, select
from compute.destinations.base import TableTarget, TableWrite
from compute.dlq.book import Book, numbers_array
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.entries import START, Divided, Entries, keyed
from compute.dlq.keys import KeyCounts, KeyHasher
from compute.dlq.records import TRUNCATE_PAYLOAD, Entry, Parked, payload_of
from rosetta.enums import DlqKind, SyncMode
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.logs import get_logger
from rosetta.lsn import StreamPosition
from rosetta.plants import planted

_log = get_logger("compute.parking")


class Parking:
    """Used by the destination's writer thread; `held` and `record_count` may be read by others.

    Methods that write raise OutageError while the ledger is away: then nothing is parked, and the batch must not be
    committed. Redis is only told: what it was not, the recovery makes up for from the ledger.
    """

    def __init__(
        self,
        book: Book,
        dispatcher: Dispatcher,
        hasher: KeyHasher,
        limit: Callable[[], Failure | None] = lambda: None,
    ) -> None:
        """`limit`: why a held table's backlog may not grow now; the bounds are those of every parked change."""
        self._limit = limit
        self._book = book
        self._dispatcher = dispatcher
        self._hasher = hasher
        self.entries = Entries(book.destination_id, hasher)
        self._keys: dict[int, KeyCounts] = {}
        self._anything: frozenset[int] = frozenset()  # syncs with a hash that nobody can compare any more
        self._loaded = False
        self.held: frozenset[int] = frozenset()
        self.record_count = 0

    @property
    def loaded(self) -> bool:
        return self._loaded

    def load(self) -> None:
        """Learns from the ledger what is parked; before the first batch, and whenever memory may be wrong."""
        numbers: dict[int, array[int]] = defaultdict(numbers_array)
        anything, count = set[int](), 0
        for sync_id, hashes in self._book.parked_keys():
            count += 1
            if sync_id is None:
                continue
            known = self._hasher.numbers_of(hashes)
            if known is None:
                anything.add(sync_id)
            numbers[sync_id].extend(known or ())
        self.held |= self._book.held()
        self._keys = {sync_id: KeyCounts(found) for sync_id, found in numbers.items()}
        self._anything, self.record_count, self._loaded = frozenset(anything), count, True

    # -- live changes -----------------------------------------------------------------------------

    def divide(self, batch: ChangeBatch, truncated: Sequence[TableTarget], writes: Sequence[TableWrite]) -> Divided:
        """Takes out what waits: everything of a held table, and changes of parked keys. Writes nothing."""
        if not self._loaded:
            self.load()
        entries: list[Entry] = []
        fresh: set[int] = set()  # keys that this batch itself parks
        kept: list[tuple[int, TableWrite]] = []
        emptied: list[tuple[int, TableTarget]] = []
        for part, target in enumerate(truncated):
            if target.sync_id in self.held:
                entries.append(self.entries.segment(batch, target, TRUNCATE_PAYLOAD, part))
            else:
                emptied.append((part, target))
        for part, write in enumerate(writes, start=len(truncated)):
            target = write.target
            if target.sync_id in self.held:
                entries.append(self.entries.segment(batch, target, payload_of(write.changes), part))
                continue
            rest = self._split(write, fresh, entries)
            if rest is not None:
                kept.append((part, rest))
        parts = tuple(part for part, _ in (*emptied, *kept))
        return Divided(tuple(one for _, one in emptied), tuple(one for _, one in kept), parts, tuple(entries))

    def divide_replay(self, writes: Sequence[TableWrite]) -> Divided:
        """`divide` for changes of a table that was held: only keys are looked at."""
        entries: list[Entry] = []
        fresh: set[int] = set()
        rests = [self._split(write, fresh, entries) for write in writes]
        return Divided((), tuple(rest for rest in rests if rest is not None), entries=tuple(entries))

    def park(self, entries: Sequence[Entry], batch: ChangeBatch | None, reached: StreamPosition | None) -> None:
        """Writes entries down for good. `reached`: how far the destination is; `batch`: where they come from.

        Raises OutageError, too, where a held table has no room left: its destination then waits, within its policy.
        """
        if not entries:
            return
        held = {entry.sync_id for entry in entries if entry.kind is DlqKind.SEGMENT}
        full = self._limit() if held else None
        if full is not None:
            raise OutageError(full.message, code=full.code, remedy=full.remedy)

        def drop_leftovers(session: Session) -> None:
            if held and batch is not None:
                self._book.drop_leftovers(session, held, reached or START, batch.end)

        try:
            parked = self._book.ledger.park(entries, first=drop_leftovers)
        except FencedError:
            raise
        except RosettaError:
            self._loaded = False  # it may have been committed all the same
            if not planted("ignore_dlq_failure"):
                raise
            return
        self._count(entries, parked)
        self._tell(self._dispatcher.announce, parked)

    def begin_anew(self, sync_id: int) -> None:
        """A copy begins: what is parked of the table is superseded by it."""
        self._supersede(sync_id, None)
        self.held -= {sync_id}

    def emptied(self, targets: Iterable[TableTarget]) -> None:
        """A TRUNCATE is about to be written: parked changes of rows that it removes are superseded by it.

        Before the target's commit: a parked insert that was replayed behind the TRUNCATE would bring its row back.
        """
        if not self._loaded:
            self.load()
        for target in targets:
            known = self._keys.get(target.sync_id) or target.sync_id in self._anything
            if known and target.mode is SyncMode.CURRENT:
                self._supersede(target.sync_id, DlqKind.RECORD)

    # -- held tables, replays ---------------------------------------------------------------------

    def holds(self, sync_id: int) -> None:
        """From now on everything of the table waits; called once that is in the ledger."""
        self.held |= {sync_id}

    def taken_again(self, sync_id: int) -> None:
        """Nothing of the table waits as a segment any more."""
        self.held -= {sync_id}

    def recovered(self, sync_id: int, hashes: Iterable[Iterable[bytes]]) -> None:
        """Records were closed: their keys are free unless others wait for them."""
        for one in hashes:
            known = self._hasher.numbers_of(one)
            self.record_count -= 1
            if known is None:
                self._loaded = False
            elif sync_id in self._keys:
                self._keys[sync_id].remove(known)

    def waiting(self, sync_id: int, closing: Iterable[Iterable[bytes]]) -> list[bytes]:
        """Keys that others wait for, once the records with these hashes are closed."""
        counts = self._keys.get(sync_id)
        closed = Counter(one for hashes in closing for one in hashes)
        found: list[bytes] = []
        for one, times in closed.items():
            numbers = self._hasher.numbers_of([one])
            if numbers is None or (counts is not None and any(counts.count(number) > times for number in numbers)):
                found.append(one)
        return found

    # ---------------------------------------------------------------------------------------------

    def _split(self, write: TableWrite, fresh: set[int], entries: list[Entry]) -> TableWrite | None:
        """What is left of a write without the changes of parked keys, for which it adds entries."""
        target, changes = write.target, write.changes
        counts = self._keys.get(target.sync_id)
        whole = target.sync_id in self._anything
        idle = not counts and not fresh and not whole
        if idle or target.mode is SyncMode.APPEND or planted("no_key_parking"):
            return write
        schema = keyed(target.schema, changes)
        found = lines(changes)
        wild = any(counts is not None and counts.count(one) for one in self._hasher.whole_table(schema.table))
        if whole or wild:
            parked = set(range(len(found)))
        else:
            numbers = [self._hasher.numbers(schema, line) for line in found]
            parked = {
                index
                for index, some in enumerate(numbers)
                if any(one in fresh or (counts is not None and counts.count(one)) for one in some)
            }
        if not parked:
            return write
        waiting = {id(found[index]) for index in parked}
        rest: set[int] = set()
        for group in groups(found):
            if not any(id(line) in waiting for line in group):
                rest.update(id(line) for line in group)
                continue
            fresh.update(number for line in group for number in self._hasher.numbers(schema, line))
            entries.append(self.entries.behind(target, select(changes, group), group))
        if not rest:
            return None
        return TableWrite(target, select(changes, [line for line in found if id(line) in rest]))

    def _count(self, entries: Iterable[Entry], parked: Iterable[Parked]) -> None:
        fresh = {one.identity for one in parked if one.fresh}
        for entry in entries:
            if entry.kind is DlqKind.RECORD and entry.identity in fresh:
                self.record_count += 1
                numbers = self._hasher.numbers_of(entry.key_hashes or ()) or []
                self._keys.setdefault(entry.sync_id, KeyCounts()).add(numbers)

    def _supersede(self, sync_id: int, kind: DlqKind | None) -> None:
        self._loaded = False  # should it be cut short
        for rows in self._book.supersede(sync_id, kind):
            self._tell(self._dispatcher.forget, rows)
        self.load()

    def _tell(self, act: Callable[[list[Parked]], None], rows: list[Parked]) -> None:
        try:
            act(rows)
        except OutageError as error:
            _log.warning("dispatch_away", rows=len(rows), code=error.code)
