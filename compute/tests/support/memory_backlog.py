"""A backlog in memory, with everything that can go wrong with a real one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from compute.core.exit_codes import Failure
from compute.dlq.parcels import Parcel, entries, joined
from compute.dlq.records import OpenRow
from rosetta.enums import DlqKind
from rosetta.errors import OutageError
from rosetta.lsn import StreamPosition

_ids = itertools.count(1)


class MemoryBacklog:
    """Outlives lanes, as a ledger does.

    `away` makes every call fail; `full` is the limit that is reached; with `mute` a park is done, and fails.
    """

    def __init__(self, destination_id: int = 1) -> None:
        self.destination_id = destination_id
        self.rows: dict[int, OpenRow] = {}
        self.reached: StreamPosition | None = None
        self.away: OutageError | None = None
        self.full: Failure | None = None
        self.mute: OutageError | None = None
        self.detaches = False
        self.alerts: list[str | None] = []
        self.transactions = 0
        self.superseded: list[int] = []
        self._lock = threading.Lock()

    def limit(self) -> Failure | None:
        self._answer()
        return self.full

    def park(self, parcels: Sequence[Parcel], reached: StreamPosition, cause: Failure) -> None:
        self._answer()
        with self._lock:
            for parcel in joined(parcels, 1_000_000):
                for entry in entries(parcel, self.destination_id, cause.code, cause.message):
                    row = OpenRow(
                        row_id=next(_ids),
                        destination_id=entry.destination_id,
                        sync_id=entry.sync_id,
                        table=entry.table,
                        kind=DlqKind.SEGMENT,
                        error_class=entry.error_class,
                        position=entry.position,
                        part=entry.part,
                        payload=entry.payload,
                        raw_bytes=len(entry.payload.data),
                        attempts=0,
                        error_code=entry.error_code,
                        commit_time=entry.commit_time,
                        created_at=datetime.now(UTC),
                        changed_at=datetime.now(UTC),
                    )
                    self.rows[row.row_id] = row
            self.reached = reached
            self.transactions += 1
        if self.mute is not None:
            raise self.mute

    def page(self, after: StreamPosition, upto: StreamPosition, max_bytes: int) -> list[OpenRow]:
        self._answer()
        with self._lock:
            found = [row for row in self.rows.values() if after < row.position <= upto]
        found.sort(key=lambda row: (row.position, row.part))
        taken: list[OpenRow] = []
        size = 0
        for row in found:
            if taken and size >= max_bytes and row.position != taken[-1].position:
                break
            taken.append(row)
            size += row.raw_bytes
        return taken

    def close(self, rows: Sequence[OpenRow], served: Iterable[int]) -> None:
        self._answer()
        wanted = set(served)
        with self._lock:
            for row in rows:
                del self.rows[row.row_id]
                if row.sync_id not in wanted:
                    self.superseded.append(row.row_id)

    def detach(self, failure: Failure) -> None:
        self._answer()
        self.alerts.append(failure.code)

    def alert(self, failure: Failure | None) -> None:
        self._answer()
        self.alerts.append(None if failure is None else failure.code)

    def _answer(self) -> None:
        if self.away is not None:
            raise self.away
