"""What one destination could not take during an outage: its segments in the ledger, within bounds."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from compute.core import failpoints
from compute.core.exit_codes import Failure
from compute.dlq.ledger import OPEN_ROW, Ledger
from compute.dlq.parcels import Parcel, entries, joined
from compute.dlq.records import OpenRow, Parked
from compute.dlq.standing import Standing
from rosetta.enums import DlqState, ErrorClass
from rosetta.errors import OutageError
from rosetta.logs import get_logger
from rosetta.lsn import StreamPosition

_SUMS_SECONDS: Final = 5.0
_PAGE_ROWS: Final = 1_000
_PARCEL_BYTES: Final = 2_000_000
_UNFORGOTTEN_ROWS: Final = 100_000  # beyond that the recovery finds them when it compares streams and ledger
# Whole batches: rows that share a position are peers of the window and of the limit. The lower bound keeps the scan
# out of index entries of rows that were closed a moment ago.
_PAGE = f"""
    SELECT {OPEN_ROW} FROM dlq_records WHERE id = ANY(
        SELECT id FROM (
            SELECT id, sum(payload_bytes) OVER place - sum(payload_bytes) OVER (
                PARTITION BY commit_lsn, change_lsn, ordinal) AS before
            FROM (
                SELECT id, payload_bytes, commit_lsn, change_lsn, ordinal FROM dlq_records
                WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s
                  AND error_class = %(error_class)s AND kind = 'SEGMENT' AND state IN ('PARKED', 'RETRYING')
                  AND (commit_lsn, change_lsn, ordinal)
                      > (CAST(%(after_commit)s AS pg_lsn), CAST(%(after_change)s AS pg_lsn),
                         CAST(%(after_ordinal)s AS bigint))
                  AND (commit_lsn, change_lsn, ordinal)
                      <= (CAST(%(upto_commit)s AS pg_lsn), CAST(%(upto_change)s AS pg_lsn),
                          CAST(%(upto_ordinal)s AS bigint))
                ORDER BY commit_lsn, change_lsn, ordinal FETCH FIRST {_PAGE_ROWS} ROWS WITH TIES) AS first
            WINDOW place AS (ORDER BY commit_lsn, change_lsn, ordinal)) AS page
        WHERE before = 0 OR before < %(bytes)s)
    ORDER BY commit_lsn, change_lsn, ordinal, part, table_sync_id, id"""
_STRANDED = """
    SELECT id, destination_id, schema_name, table_name FROM dlq_records
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s AND error_class = %(error_class)s
      AND kind = 'SEGMENT' AND state IN ('PARKED', 'RETRYING') ORDER BY id LIMIT %(rows)s"""
_DATA_DIRECTORY = """
    SELECT current_setting('data_directory'),
        COALESCE(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true)
    WHERE pg_has_role(current_user, 'pg_read_all_settings', 'USAGE')"""


class Dispatch(Protocol):
    """The streams that say which row of the ledger is to be tried; a park counts only with its entry there."""

    def check(self) -> None:
        """Raises OutageError (DLQ_DISPATCH_AWAY) unless entries can be made now."""

    def announce(self, rows: Sequence[Parked]) -> None:
        """Makes the entries of open rows. Raises OutageError (DLQ_DISPATCH_AWAY)."""

    def forget(self, rows: Sequence[Parked]) -> None:
        """Takes away the entries of closed rows. Raises OutageError (DLQ_DISPATCH_AWAY)."""


class Backlog(Protocol):
    """What a lane needs of its destination's backlog. Every method raises OutageError while the ledger is away."""

    @property
    def detaches(self) -> bool:
        """Whether a destination beyond its limit is suspended; else it blocks."""

    def limit(self) -> Failure | None:
        """Why nothing more may be parked now; None within the bounds."""

    def park(self, parcels: Sequence[Parcel], reached: StreamPosition, cause: Failure) -> None:
        """Returns once the parcels are in the ledger and announced, and the stream is parked up to `reached`.

        Idempotent. Raises OutageError where that could not be done, FencedError when the pipeline is another's.
        """

    def page(self, after: StreamPosition, upto: StreamPosition, max_bytes: int) -> list[OpenRow]:
        """The oldest open segments behind `after` and not behind `upto`: whole batches, of so many bytes or one."""

    def close(self, rows: Sequence[OpenRow], served: Iterable[int]) -> None:
        """The destination has these; those of syncs that are not `served` were passed over, and are superseded."""

    def detach(self, failure: Failure) -> None:
        """Suspends the destination, for a person to copy it again."""

    def alert(self, failure: Failure | None) -> None:
        """Tells people that nothing can be parked, or that it can be again."""


@dataclass(frozen=True, slots=True)
class ParkLimits:
    """Bounds of one destination's backlog; see `compute.config.settings`. `detach`: what happens beyond them."""

    max_bytes: int
    max_age_seconds: float
    min_free_bytes: int
    detach: bool = False


class LedgerBacklog:
    """The `Backlog` that stands on the ledger and its dispatcher. Safe to share between threads."""

    def __init__(self, ledger: Ledger, dispatch: Dispatch, destination_id: int, limits: ParkLimits) -> None:
        self._ledger = ledger
        self._dispatch = dispatch
        self._destination_id = destination_id
        self._limits = limits
        self._standing = Standing(ledger, destination_id)
        self._log = get_logger("compute.backlog").bind(destination_id=destination_id)
        self._lock = threading.Lock()
        self._bytes = 0
        self._oldest_at = float("inf")
        self._summed_at = -float("inf")
        self._disk: _Disk | None = None
        self._unforgotten: list[Parked] = []

    @property
    def detaches(self) -> bool:
        return self._limits.detach

    def limit(self) -> Failure | None:
        now = time.monotonic()
        if now - self._summed_at >= _SUMS_SECONDS:
            self._sum(now)
        limits = self._limits
        if self._bytes >= limits.max_bytes:
            return _over(
                "PARK_LIMIT_BYTES", f"{self._bytes} bytes are parked, the limit is {limits.max_bytes}", "BYTES"
            )
        age_seconds = now - self._oldest_at
        if age_seconds >= limits.max_age_seconds:
            reason = f"changes are parked since {age_seconds:.0f} s, the limit is {limits.max_age_seconds:.0f} s"
            return _over("PARK_LIMIT_AGE", reason, "AGE_SECONDS")
        if self._disk is None:
            self._disk = self._find_disk()
        free_bytes = self._disk.free_bytes()
        if free_bytes is not None and free_bytes < limits.min_free_bytes:
            return Failure(
                "PARK_LIMIT_DISK",
                f"{free_bytes} bytes are free where the config database lies, the least is {limits.min_free_bytes}",
                "Free space there, or mend the destination so that its parked changes can be written.",
            )
        return None

    def park(self, parcels: Sequence[Parcel], reached: StreamPosition, cause: Failure) -> None:
        self._dispatch.check()
        rows = [
            entry
            for parcel in joined(parcels, _PARCEL_BYTES)
            for entry in entries(parcel, self._destination_id, cause.code, cause.message)
        ]
        parked = self._ledger.park(rows, {self._destination_id: reached})
        self._dispatch.announce(parked)
        with self._lock:
            self._bytes += sum(len(row.payload.data) for row in rows)
            if rows:
                self._oldest_at = min(self._oldest_at, time.monotonic())

    def page(self, after: StreamPosition, upto: StreamPosition, max_bytes: int) -> list[OpenRow]:
        values = self._place() | {
            "after_commit": str(after.commit_lsn),
            "after_change": str(after.change_lsn),
            "after_ordinal": after.ordinal,
            "upto_commit": str(upto.commit_lsn),
            "upto_change": str(upto.change_lsn),
            "upto_ordinal": upto.ordinal,
            "bytes": max_bytes,
        }
        with self._ledger.database.transaction() as session:
            rows = session.execute(_PAGE, values)
        return [self._ledger.opened(row) for row in rows]

    def close(self, rows: Sequence[OpenRow], served: Iterable[int]) -> None:
        failpoints.hit("before_mark")
        wanted = set(served)
        written = [row.row_id for row in rows if row.sync_id in wanted]
        passed = [row.row_id for row in rows if row.sync_id not in wanted]
        self._ledger.close(written, DlqState.RECOVERED)
        self._ledger.close(passed, DlqState.SUPERSEDED)
        failpoints.hit("before_forget")
        self._forget([row.parked for row in rows])
        with self._lock:
            self._bytes = max(0, self._bytes - sum(row.raw_bytes for row in rows))
            self._summed_at = min(self._summed_at, time.monotonic() - _SUMS_SECONDS)

    def _forget(self, rows: list[Parked]) -> None:
        """Entries of closed rows do no harm: with Redis away they are taken away at the next occasion."""
        with self._lock:
            rows, self._unforgotten = self._unforgotten + rows, []
        try:
            self._dispatch.forget(rows)
        except OutageError as error:
            self._log.warning("entries_not_forgotten", rows=len(rows), code=error.code)
            with self._lock:
                self._unforgotten = rows[-_UNFORGOTTEN_ROWS:]

    def discard_stranded(self, reason: str) -> None:
        """Supersedes every open segment: they belong to a past of this destination that is not continued."""
        values = self._place() | {"rows": _PAGE_ROWS}
        while True:
            with self._ledger.database.transaction() as session:
                rows = session.execute(_STRANDED, values)
            if not rows:
                return
            closed = self._ledger.close([row.id for row in rows], DlqState.SUPERSEDED)
            self._log.info("segments_superseded", rows=len(closed), reason=reason)

    def detach(self, failure: Failure) -> None:
        self._standing.detach(failure)

    def alert(self, failure: Failure | None) -> None:
        self._standing.alert(failure)

    def _place(self) -> dict[str, Any]:
        return {
            "pipeline_id": self._ledger.pipeline_id,
            "destination_id": self._destination_id,
            "error_class": ErrorClass.OUTAGE,
        }

    def _sum(self, now: float) -> None:
        found = self._ledger.sums(self._destination_id, ErrorClass.OUTAGE)
        everything = self._ledger.sums(self._destination_id)  # what was refused takes room, too
        with self._lock:
            self._bytes = everything.raw_bytes
            self._oldest_at = now - found.age_seconds if found.rows else float("inf")
            self._summed_at = now

    def _find_disk(self) -> _Disk:
        with self._ledger.database.transaction() as session:
            row = session.execute(_DATA_DIRECTORY).one_or_none()
        folder = Path(row[0]) if row is not None and row[1] else None
        disk = _Disk(folder)
        if disk.free_bytes() is None:
            self._log.info("config_database_disk_unknown", reason="its data directory is not on this machine")
        return disk


@dataclass(frozen=True, slots=True)
class _Disk:
    """The disk of the config database, where it can be looked at from here."""

    folder: Path | None

    def free_bytes(self) -> int | None:
        """None: it lies on another machine, or only its server may look there."""
        if self.folder is None or not os.access(self.folder, os.X_OK):
            return None
        try:
            return shutil.disk_usage(self.folder).free
        except OSError:
            return None


def _over(code: str, reason: str, setting: str) -> Failure:
    remedy = f"Mend the destination so that its parked changes can be written, or raise PARK_MAX_{setting}."
    return Failure(code, reason, remedy)
