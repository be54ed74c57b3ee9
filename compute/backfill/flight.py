"""Chunks between their read and their merge: found by their watermark, bounded by their bytes."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from compute.backfill.ports import CopyProgress
from compute.backfill.scratch import values_of
from compute.core import failpoints
from compute.core.batch import META_COLUMNS
from compute.core.lines import lines
from compute.destinations.base import (
    Destination,
    RangeCheck,
    Refusal,
    Refusals,
    RefusedRecord,
    RowChunk,
    TableTarget,
)
from rosetta.dialects.postgres.chunk_read import Key
from rosetta.enums import SyncMode
from rosetta.errors import RosettaError

_META: Final = len(META_COLUMNS)


class Pending(Protocol):
    """What a watermark releases: to be landed right behind the batch that carried it.

    Exactly one of `land`, which returns, and `failed` is to be called in the end. A `land` that raised may be called
    again.
    """

    @property
    def destination_id(self) -> int: ...

    @property
    def sync_id(self) -> int: ...

    @property
    def failed(self) -> Callable[[RosettaError], None]: ...

    def land(self, destination: Destination, target: TableTarget, refused: Refusals | None = None, /) -> None:
        """Does it at the destination, for the table as it is served there now; `refused` as for `write_rows`."""


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk to be merged; `done` hears how many rows were written.

    `unmade`: rows of its range that the rules cannot make. They wait in the ledger, and the target does not have them.
    """

    destination_id: int
    chunk: RowChunk
    done: Callable[[int], None]
    failed: Callable[[RosettaError], None]
    unmade: tuple[RefusedRecord, ...] = ()

    @property
    def sync_id(self) -> int:
        return self.chunk.target.sync_id

    def land(self, destination: Destination, target: TableTarget, refused: Refusals | None = None, /) -> None:
        chunk = replace(self.chunk, target=target)
        if self.unmade:
            if refused is None:
                raise self.unmade[0].error
            refused(Refusal(records=tuple(replace(record, target=target) for record in self.unmade)))
            if target.mode is SyncMode.CURRENT and not chunk.complete:
                destination.write_rows(self._without(chunk))
        rows = destination.write_rows(chunk, refused)
        failpoints.hit("before_cursor")
        self.done(rows)

    def _without(self, chunk: RowChunk) -> RowChunk:
        """What takes the rows away that cannot be made, by the test that all missing rows go by."""
        columns = chunk.columns
        keys = tuple(
            values_of(line.raw.rstrip(b"\n"), [_META + columns.index(name) for name in chunk.target.schema.key])
            for record in self.unmade
            for line in lines(record.changes)
        )
        return replace(chunk, data=b"", row_count=0, complete=True, keys=keys)


@dataclass(frozen=True, slots=True)
class PendingCheck:
    """A range to be compared; `answered` hears whether the target has it already."""

    destination_id: int
    check: RangeCheck
    answered: Callable[[bool], None]
    failed: Callable[[RosettaError], None]

    @property
    def sync_id(self) -> int:
        return self.check.target.sync_id

    def land(self, destination: Destination, target: TableTarget, _refused: Refusals | None = None, /) -> None:
        same = destination.matches(replace(self.check, target=target))
        failpoints.hit("before_cursor")
        self.answered(same)


class Watermarks:
    """The marks that are in the log, or will be in a moment, and what each of them releases. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: dict[str, tuple[str, Callable[[], list[Pending]]]] = {}

    def expect(self, owner: str, watermark: str, arrived: Callable[[], list[Pending]]) -> None:
        """To be called before the mark is written. `owner`: the copy that it belongs to."""
        with self._lock:
            self._expected[watermark] = (owner, arrived)

    def take(self, watermark: str) -> list[Pending]:
        """What `watermark` releases: once, and nothing for the mark of an earlier process."""
        with self._lock:
            expected = self._expected.pop(watermark, None)
        return [] if expected is None else expected[1]()

    def forget(self, owner: str) -> list[Pending]:
        """Expects nothing of `owner` any more; returns what was not released."""
        with self._lock:
            forgotten = {mark: expected for mark, expected in self._expected.items() if expected[0] == owner}
            for mark in forgotten:
                del self._expected[mark]
        return [pending for _, arrived in forgotten.values() for pending in arrived()]


class Budget:
    """Bytes that all copies of a process may have in memory together. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._lock = threading.Lock()

    def try_take(self, size_bytes: int) -> bool:
        """Takes bytes if they fit; something larger than the whole budget fits when nothing else is there."""
        with self._lock:
            if self._used_bytes and self._used_bytes + size_bytes > self._limit_bytes:
                return False
            self._used_bytes += size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._used_bytes -= size_bytes


@dataclass(frozen=True, slots=True)
class Landed:
    """A chunk that is merged; `cursor` is its upper end, None at the end of the table."""

    cursor: Key | None
    rows: int
    bytes: int


class Landings:
    """What became of a job's chunks: told by the writer's thread, read by the job's."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._landed: deque[Landed] = deque()
        self._in_flight = 0
        self._news = False
        self._failure: RosettaError | None = None

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def failure(self) -> RosettaError | None:
        return self._failure

    def launched(self) -> None:
        with self._changed:
            self._in_flight += 1

    def recalled(self) -> None:
        """A chunk that was launched will not come."""
        with self._changed:
            self._in_flight -= 1

    def landed(self, landed: Landed) -> None:
        with self._changed:
            self._landed.append(landed)
            self._in_flight -= 1
            self._tell()

    def failed(self, error: RosettaError) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._in_flight -= 1
            self._tell()

    def nudge(self) -> None:
        """Ends the `wait` that is under way, or the next one."""
        with self._changed:
            self._tell()

    def wait(self, timeout_seconds: float) -> None:
        """Waits until something landed, failed or was nudged since the last wait."""
        with self._changed:
            if not self._news:
                self._changed.wait(timeout_seconds)
            self._news = False

    def take(self) -> CopyProgress | None:
        """What landed since the last call, as one; chunks land in the order in which they were read."""
        with self._changed:
            landed = list(self._landed)
            self._landed.clear()
        if not landed:
            return None
        rows, size = sum(one.rows for one in landed), sum(one.bytes for one in landed)
        cursor = next((one.cursor for one in reversed(landed) if one.cursor is not None), None)
        return CopyProgress(cursor, len(landed), rows, size)

    def _tell(self) -> None:
        self._news = True
        self._changed.notify_all()


def combined(first: CopyProgress | None, second: CopyProgress | None) -> CopyProgress | None:
    """Two pieces of progress, the second after the first, as one."""
    if first is None or second is None:
        return first or second
    return CopyProgress(
        cursor=second.cursor or first.cursor,
        chunks=first.chunks + second.chunks,
        rows=first.rows + second.rows,
        bytes=first.bytes + second.bytes,
    )
