"""What copying needs of the rest of compute; `core` implements it, tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from compute.destinations.base import Destination, TableTarget
from rosetta.enums import CopyKind, CopyStatus
from rosetta.errors import DataError, RosettaError
from rosetta.identifiers import TableId

ROWS_LACK_VALUES = DataError("rows have arrived without some of their values", code="ROWS_LACK_VALUES")
# Keys of rows of a table, as text; asked on the thread of the table's writer.
KeyQuestion = Callable[[Destination, TableTarget], list[tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class CopyJob:
    """An open row of `queue_backfill_data` (PENDING or EXECUTING).

    Attributes:
        sync_id: `table_sync_id`; None for a BACKFILL as it was asked for.
        cursor: key of the last row that is merged, as text per key column; None before the first.
        filters: conditions that a row must meet, as they were written.
        backfill_id: the BACKFILL that this job is a part of: its table streams, and goes on doing so.
    """

    job_id: int
    kind: CopyKind
    status: CopyStatus
    table: TableId
    sync_id: int | None
    batch_rows: int | None
    cursor: tuple[str, ...] | None
    cancel_requested: bool
    filters: tuple[Any, ...] = ()
    backfill_id: int | None = None


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
        """Has backfills carried out, by resyncs or by parts, and counts and ends them.

        Returns whether any is open, and the jobs of the copies that are to end where they are.
        """

    def start(self, job_id: int, rows_estimated: int) -> None:
        """EXECUTING: one attempt more, `started_at` if it is the first, no reason to wait any more."""

    def hold(self, job_id: int, reason: str | None) -> None:
        """Why the job does not move just now (`status_reason`), whatever its status; None: it does again."""

    def save_cursor(self, job_id: int, progress: CopyProgress) -> bool:
        """Adds progress to the job and to `table_syncs.rows_copied`; False when the job is no longer wanted."""

    def complete(self, job_id: int, *, early: bool = False) -> None:
        """COMPLETED, or CANCELLED if it ended `early`; the table of a whole copy streams from the same moment on."""

    def fail(self, job_id: int, error: RosettaError) -> None:
        """FAILED, with code, message and remedy."""

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

    def begin_backfill(self, sync_id: int, owner: str, begun: Callable[[RosettaError | None], None]) -> None:
        """Has the table's writer take chunks of a table that streams, until `end_copy` of the same `owner`.

        `begun`, on any thread, hears when it does, or why it cannot.
        """

    def end_copy(
        self, sync_id: int, owner: str | None, ended: Callable[[RosettaError | None], None], *, final: bool = True
    ) -> None:
        """Everything that was handed over before is merged, and the table only streams; `owner` None: a whole copy's.

        `ended`, on any thread, hears so, or why the table failed instead; or, unless it is `final`, that rows still
        lack values (ROWS_LACK_VALUES), and then nothing has ended. For an owner that has no backfill (any more) nothing
        changes.
        """

    def copied(self, sync_id: int) -> None:
        """The whole copy of the table has ended at its writer, and its job is complete."""

    def fail(self, sync_id: int, error: RosettaError) -> None:
        """The source table cannot be copied: it is written down as failed and no longer served.

        Raises OutageError when that cannot be written down now.
        """
