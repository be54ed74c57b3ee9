"""Finds the copy jobs of a pipeline and runs them beside its stream."""

from __future__ import annotations

import threading

from compute.backfill.flight import Budget, Pending, Watermarks
from compute.backfill.job import TableCopy
from compute.backfill.parts import CopyOptions, CopyParts
from compute.backfill.ports import CopyJob, CopyJobs, CopyTables
from compute.backfill.reader import Announce, SourceReader
from compute.backfill.scratch import Scratch, ScratchFolder
from compute.sources.postgres.source import PostgresSource
from rosetta.enums import CopyKind
from rosetta.errors import ConfigurationError, OutageError
from rosetta.logs import get_logger

_JOIN_SECONDS = 5.0
_BACKFILL_SECONDS = 1.0  # how often the progress of a backfill is counted
_log = get_logger("compute.backfill")


class BackfillManager:
    """Runs the copies of one pipeline.

    Promises: a job is COMPLETED only when all its chunks are merged, resumes behind its last saved chunk after
    any crash, and fails without touching others. Threads: readers only read; chunks are merged by whoever
    calls `take_chunks` and then `done` or `failed` of each.
    """

    def __init__(
        self,
        pipeline_id: int,
        source: PostgresSource,
        jobs: CopyJobs,
        tables: CopyTables,
        options: CopyOptions | None = None,
        announce: Announce | None = None,
    ) -> None:
        """`announce`: see `SourceReader`."""
        self._pipeline_id = pipeline_id
        self._announce = announce
        self._source = source
        options = options or CopyOptions()
        self._stopping = threading.Event()
        self._watermarks = Watermarks()
        self._parts = CopyParts(jobs, tables, self._watermarks, Budget(options.memory_bytes), options, self._stopping)
        self._folder: ScratchFolder | None = None
        self._copies: dict[int, TableCopy] = {}
        self._woken = threading.Event()
        self._silent = False
        self._backfilling = False
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)

    def start(self) -> None:
        """Begins to look for jobs. What processes that are gone left on disk is removed."""
        self._folder = ScratchFolder("rosetta-copy")
        self._thread.start()

    def wake(self) -> None:
        """There may be a new job, or one that is cancelled: look now, not at the next poll."""
        self._woken.set()

    def stop(self) -> None:
        """Ends all copies; they go on from their cursors after the next start. Safe to call twice."""
        self._stopping.set()
        self._woken.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_SECONDS)
        if self._folder is not None:
            self._folder.close()

    def take_chunks(self, watermark: str) -> list[Pending]:
        """The chunks that are to be merged now that `watermark` came down the stream."""
        return self._watermarks.take(watermark)

    # -- the manager's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._look()
                self._silent = False
            except OutageError as error:
                if not self._silent:
                    _log.warning("copy_jobs_not_read", code=error.code, error=error.message)
                self._silent = True
            poll_seconds = self._parts.options.poll_seconds
            self._woken.wait(min(poll_seconds, _BACKFILL_SECONDS) if self._backfilling else poll_seconds)
        for copy in self._copies.values():
            copy.interrupt()
        for copy in self._copies.values():
            copy.join(_JOIN_SECONDS)

    def _look(self) -> None:
        self._backfilling, ending = self._parts.jobs.advance_backfills(self._pipeline_id)
        self._copies = {job_id: copy for job_id, copy in self._copies.items() if copy.alive}
        jobs = {job.job_id: job for job in self._parts.jobs.open_jobs(self._pipeline_id)}
        for job_id, copy in self._copies.items():
            if job_id not in jobs or jobs[job_id].cancel_requested:
                copy.drop()
        for job in jobs.values():
            if job.sync_id is None or (job.kind is CopyKind.BACKFILL and job.backfill_id is None):
                continue  # as people asked for it: its parts, or resyncs, carry it out
            if job.cancel_requested:
                self._cancel(job)
            elif job.job_id not in self._copies:
                self._begin(job, job.sync_id, unwanted=job.job_id in ending)
            if job.job_id in ending and job.job_id in self._copies:
                self._copies[job.job_id].end_early()

    def _begin(self, job: CopyJob, sync_id: int, *, unwanted: bool) -> None:
        goal = self._parts.tables.copy_target(sync_id)
        if goal is None and unwanted:
            self._parts.jobs.cancelled(job.job_id)
        elif goal is None:
            self._parts.jobs.hold(job.job_id, "waits for its destination to serve the table")
        elif any(copy.job.sync_id == sync_id for copy in self._copies.values()):
            self._parts.jobs.hold(job.job_id, "waits for another copy of the table to end")
        elif len(self._copies) < self._parts.options.parallel_tables and self._folder is not None:
            scratch = Scratch(self._folder.path, self._parts.options.inline_bytes)
            reader = SourceReader(self._source.endpoint, scratch, self._announce)
            copy = TableCopy(job, goal, reader, self._parts, self.wake)
            self._copies[job.job_id] = copy
            copy.start()

    def _cancel(self, job: CopyJob) -> None:
        """The table first: half a copy must not look like a whole one."""
        if job.sync_id is not None:
            error = ConfigurationError(
                f"the copy of {job.table} was cancelled before it was whole",
                code="COPY_CANCELLED",
                remedy="Set desired_state = 'RESYNC' on this table sync to copy it again.",
            )
            self._parts.tables.fail(job.sync_id, error)
        self._parts.jobs.cancelled(job.job_id)
        _log.info("copy_cancelled", job_id=job.job_id, table=str(job.table))
