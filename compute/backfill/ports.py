"""What copying needs of the rest of compute; `core` implements it, tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from compute.destinations.base import Destination, TableTarget
from rosetta.enums import CopyKind, CopyStatus
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId

# Keys of rows of a table, as text; asked on the thread of the table's writer.
KeyQuestion = Callable[[Destination, TableTarget], list[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class CopyJob:
    """An open row of `queue_backfill_data` (PENDING or EXECUTING).

    Attributes:
        sync_id: `table_sync_id`; None for a BACKFILL of several destinations.
        cursor: key of the last row that is merged, as text per key column; None before the first.
        filtered: only rows that meet conditions are asked for.
    """

    job_id: int
    kind: CopyKind
    status: CopyStatus
    table: TableId
    sync_id: int | None
    batch_rows: int | None
    cursor: tuple[str, ...] | None
    cancel_requested: bool
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """What was merged since the last save; `cursor` is where it ends (None: unchanged)."""

    cursor: tuple[str, ...] | None
    chunks: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class CopyTarget:
    """Where the rows of a job go."""

    destination_id: int
    target: TableTarget


class CopyJobs(Protocol):
    """The job table.

    Each method is one transaction, safe on any thread, and raises OutageError while the config database is
    away. A method that changes a job changes only an open one.
    """

    def open_jobs(self, pipeline_id: int) -> Sequence[CopyJob]:
        """PENDING and EXECUTING jobs of the pipeline, oldest first."""

    def advance_backfills(self, pipeline_id: int) -> tuple[bool, frozenset[int]]:
        """Has backfills of whole tables carried out by resyncs, and counts and ends them.

        Returns whether any is open, and the table syncs whose copy is to end where it is.
        """

    def start(self, job_id: int, rows_estimated: int) -> None:
        """EXECUTING: one attempt more, `started_at` if it is the first, no reason to wait any more."""

    def hold(self, job_id: int, reason: str | None) -> None:
        """Why the job does not move just now (`status_reason`), whatever its status; None: it does again."""

    def save_cursor(self, job_id: int, progress: CopyProgress) -> bool:
        """Adds progress to the job and to `table_syncs.rows_copied`; False when the job is no longer wanted."""

    def complete(self, job_id: int) -> None:
        """COMPLETED: every chunk is merged."""

    def fail(self, job_id: int, error: RosettaError) -> None:
        """FAILED, with code and message."""

    def cancelled(self, job_id: int) -> None:
        """CANCELLED, as `cancel_requested` asked."""


class CopyTables(Protocol):
    """The tables that writers serve; safe on any thread."""

    def copy_target(self, sync_id: int) -> CopyTarget | None:
        """The table sync as it is served now; None while it is not."""

    def ask(self, sync_id: int, question: KeyQuestion, answer: Callable[[list[tuple[str, ...]]], None]) -> None:
        """Has `answer` called, on any thread, with what the destination says behind everything merged so far.

        Nobody answers while the table is not served.
        """

    def finish_copy(self, sync_id: int) -> None:
        """Every chunk is merged and the job is complete: the table only streams from here on."""

    def fail(self, sync_id: int, error: RosettaError) -> None:
        """The source table cannot be copied: it is written down as failed and no longer served.

        Raises OutageError when that cannot be written down now.
        """
