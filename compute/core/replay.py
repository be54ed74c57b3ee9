"""Trying again what a destination refused: records, oldest first per key, and the segments of held tables.

Done by the destination's writer, between two batches. The ledger is read here, at the last moment, so that what a
person edited or discarded meanwhile is respected; where it is away the destination goes on, and all is tried later.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ParamSpec, TypeVar

from compute.core import failpoints
from compute.core.batch import TableChanges
from compute.core.fitting import fitting_targets, make_fit
from compute.core.lines import lines
from compute.core.unmade import park_unmade, unmade_apart
from compute.core.work import Desk
from compute.destinations.base import Refusal, RefusedRecord, TableTarget, TableWrite, WriteBatch, WriteResult
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.entries import Divided
from compute.dlq.parcels import replayed
from compute.dlq.parking import Parking
from compute.dlq.records import OpenRow, Parked
from compute.dlq.replays import Failed, Outcome, Replays
from rosetta.enums import ErrorClass
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.logs import get_logger

# A target that is gone is not made anew: it would lack every row from before.
_MISSING = frozenset({"TARGET_MISSING", "PG_42P01", "PG_3F000"})
_HELD_SECONDS = 1.0  # of one turn at a held table's segments; live changes of other tables wait meanwhile
_log = get_logger("compute.dlq")
P = ParamSpec("P")
T = TypeVar("T")


class LedgerAwayError(Exception):
    """The ledger could not be asked or told: not the destination's fault."""


@dataclass(frozen=True, slots=True)
class ReplayTools:
    """What a replay works with. `done(progress)` ends it, whatever became of it: False, the ledger is away."""

    parking: Parking
    replays: Replays
    dispatcher: Dispatcher
    done: Callable[[bool], None]

    def ended_by(self, act: Callable[[], None]) -> None:
        """Does `act` and says that the replay has ended with it."""
        try:
            act()
        except LedgerAwayError:
            self.done(False)
        else:
            self.done(True)

    def ledger(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Asks or tells the ledger. Raises LedgerAwayError where it is away, FencedError as it is."""
        try:
            return act(*args, **kwargs)
        except FencedError:
            raise
        except RosettaError:
            raise LedgerAwayError from None

    def forget(self, rows: Iterable[Parked]) -> None:
        """Takes closed rows out of their streams; with Redis away the recovery does that later."""
        failpoints.hit("before_forget")
        try:
            self.dispatcher.forget(rows)
        except OutageError:
            return


@dataclass(frozen=True, slots=True)
class ReplayWork:
    """Tries due records of one table sync again, with everything of their keys that is older.

    `refresh`: the target's shape is looked at anew, for the cause may have been mended there.
    """

    sync_id: int
    row_ids: tuple[int, ...]
    tools: ReplayTools
    refresh: bool = False

    def run(self, desk: Desk) -> None:
        self.tools.ended_by(lambda: self._run(desk))

    def _run(self, desk: Desk) -> None:
        tools, target = self.tools, desk.targets.get(self.sync_id)
        if target is None or self.sync_id in tools.parking.held:
            tools.ledger(tools.replays.defer, self.row_ids)
            return
        rows = tools.ledger(tools.replays.chain, self.sync_id, self.row_ids)
        tools.ledger(self._mark, _Attempt(desk, target, refresh=self.refresh).run(rows))

    def _mark(self, outcome: Outcome) -> None:
        parking, rows = self.tools.parking, outcome.closed
        refused = {key for one in outcome.failed for key in one.key_hashes}
        waiting = set(parking.waiting(self.sync_id, [row.key_hashes for row in rows])) - refused
        closed = self.tools.replays.mark(self.sync_id, outcome, waiting)
        done = [row for row in rows if row.row_id in closed]
        parking.recovered(self.sync_id, [row.key_hashes for row in done])
        self.tools.forget([row.parked for row in done])


def _look_anew(desk: Desk, target: TableTarget) -> None:
    """Has the destination learn how the target is now. What it still cannot hold, it says of the rows themselves."""
    try:
        make_fit(desk, target)
    except OutageError:
        raise
    except RosettaError as error:
        _log.info("target_does_not_fit", sync_id=target.sync_id, code=error.code)


class _Attempt:
    """One page of records at the target, in as few transactions as their order allows."""

    def __init__(self, desk: Desk, target: TableTarget, *, refresh: bool) -> None:
        self._desk = desk
        self._target = target
        self._refresh = refresh
        self._outcome = Outcome()
        self._refused: set[bytes] = set()

    def run(self, rows: Sequence[OpenRow]) -> Outcome:
        for page in _in_order(rows):
            free = [row for row in page if self._refused.isdisjoint(row.key_hashes)]
            if free:
                self._try(free)
        return self._outcome

    def _try(self, rows: list[OpenRow]) -> None:
        errors = self._write(rows)
        if errors and self._refresh and not any(error.code in _MISSING for error in errors.values()):
            self._refresh = False
            _look_anew(self._desk, self._target)
            errors = self._write([row for row in rows if row.row_id in errors])
        for row in rows:
            if row.row_id in errors:
                self._outcome.failed.append(Failed(row.row_id, row.key_hashes, errors[row.row_id]))
                self._refused.update(row.key_hashes)

    def _write(self, rows: Sequence[OpenRow]) -> dict[int, RosettaError]:
        """Writes rows in one transaction; returns the errors of those that were refused, by row id."""
        changes = [_joined(list(shape)) for _, shape in groupby(rows, key=lambda row: row.payload.shape)]
        for one in changes:
            fitting_targets(self._desk, one)
        target = self._desk.targets.get(self._target.sync_id, self._target)
        try:
            made = [unmade_apart(TableWrite(target, _made(target, one))) for one in changes]
        except OutageError:
            raise
        except RosettaError as error:
            return {row.row_id: error for row in rows}
        writes = tuple(write for write, _ in made if write is not None)
        result = self._desk.destination.write_changes(WriteBatch(None, writes=writes))
        failpoints.hit("after_commit")
        unmade = [record for _, records in made for record in records]
        errors = dict(_refused(rows, target, result, unmade))
        for row in rows:
            if row.row_id not in errors:
                stale = all((target.sync_id, *version) in result.stale for version in _versions(row))
                (self._outcome.superseded if stale else self._outcome.recovered).append(row)
        return errors


def _made(target: TableTarget, changes: TableChanges) -> TableChanges:
    return changes if target.rules is None else target.rules.again(changes)


def _refused(
    rows: Sequence[OpenRow], target: TableTarget, result: WriteResult, unmade: Sequence[RefusedRecord]
) -> Iterator[tuple[int, RosettaError]]:
    whole = result.refusal.tables.get(target.sync_id)
    records = (*result.refusal.records, *unmade)
    single = {line.version: one.error for one in records for line in lines(one.changes)}
    for row in rows:
        errors = [single[version] for version in _versions(row) if version in single]
        if whole is not None or errors:
            yield row.row_id, whole or errors[0]


def _versions(row: OpenRow) -> list[tuple[int, int]]:
    return [line.version for line in lines(row.changes())]


def _in_order(rows: Iterable[OpenRow]) -> Iterator[list[OpenRow]]:
    """Pages without two records of one key: the later one is tried only once the earlier is in the target."""
    page: list[OpenRow] = []
    touched: set[bytes] = set()
    for row in rows:
        if not touched.isdisjoint(row.key_hashes):
            yield page
            page, touched = [], set()
        page.append(row)
        touched.update(row.key_hashes)
    if page:
        yield page


def _joined(rows: Sequence[OpenRow]) -> TableChanges:
    parts = [row.changes() for row in rows]
    if len(parts) == 1:
        return replace(parts[0], folded=False)
    return replace(
        parts[0],
        row_count=sum(part.row_count for part in parts),
        data=b"".join(bytes(part.data) for part in parts),
        folded=False,
        has_deletes=any(part.has_deletes for part in parts),
        has_unchanged=any(part.has_unchanged for part in parts),
        has_moved=any(part.has_moved for part in parts),
    )


@dataclass(frozen=True, slots=True)
class HeldWork:
    """Tries whether a held table is taken again, and writes what waits of it, in order."""

    sync_id: int
    tools: ReplayTools

    def run(self, desk: Desk) -> None:
        self.tools.ended_by(lambda: self._run(desk))

    def _run(self, desk: Desk) -> None:
        target = desk.targets.get(self.sync_id)
        if target is None or self.sync_id not in self.tools.parking.held:
            self.tools.ledger(self.tools.replays.defer_held, self.sync_id)
            return
        error = None
        if self.tools.ledger(self.tools.replays.held_for, self.sync_id) not in _MISSING:
            error = self._make_ready(desk, target)
        deadline = time.monotonic() + _HELD_SECONDS
        while error is None and time.monotonic() < deadline:
            rows = self._page(desk)
            if not rows:
                self.tools.parking.taken_again(self.sync_id)
                desk.events.table_taken(self.sync_id)
                return
            error = self._write(desk, rows)
            if error is None:
                self.tools.ledger(self._mark, rows)
        if error is not None:
            self.tools.ledger(self.tools.replays.failed_held, self.sync_id, error)
            desk.events.table_held(self.sync_id, error)

    def _make_ready(self, desk: Desk, target: TableTarget) -> RosettaError | None:
        schema = desk.events.current_schema(target.source)
        try:
            grown = target if schema is None else target.of(schema)
            make_fit(desk, grown)
        except OutageError:
            raise
        except RosettaError as error:
            return error
        desk.targets[self.sync_id] = grown
        return None

    def _page(self, desk: Desk) -> list[OpenRow]:
        replays = self.tools.replays
        return self.tools.ledger(
            replays.ledger.segments,
            desk.destination_id,
            replays.policy.page_bytes,
            error_class=ErrorClass.DATA,
            sync_id=self.sync_id,
        )

    def _write(self, desk: Desk, rows: Sequence[OpenRow]) -> RosettaError | None:
        """Writes a page; returns why the table is refused as a whole."""
        parking, target = self.tools.parking, desk.targets[self.sync_id]
        content = [row for row in rows if row.payload.truncate or row.payload.row_count]
        for batch in replayed(content, desk.covered, self.tools.replays.policy.page_bytes):
            truncated = (target,) if batch.truncated else ()
            if truncated:
                self.tools.ledger(parking.emptied, truncated)
            divided = parking.divide_replay([TableWrite(target, changes) for changes in batch.tables])
            self.tools.ledger(parking.park, divided.entries, None, None)
            divided = self.tools.ledger(park_unmade, desk, divided)
            write = WriteBatch(None, truncated, divided.writes, truncated_at=batch.end if truncated else None)
            result = desk.destination.write_changes(write, lambda refusal: self._refused_records(desk, refusal))
            failpoints.hit("after_commit")
            if self.sync_id in result.refusal.tables:
                return result.refusal.tables[self.sync_id]
        return None

    @staticmethod
    def _refused_records(desk: Desk, refusal: Refusal) -> None:
        desk.refused(Refusal(records=refusal.records), Divided((), ()))

    def _mark(self, rows: Sequence[OpenRow]) -> None:
        self.tools.replays.mark_held(self.sync_id, rows)
        self.tools.forget([row.parked for row in rows])
