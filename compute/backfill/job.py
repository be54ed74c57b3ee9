"""One table's copy, from the handshake with the stream to the last merged chunk; runs on a thread of its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

import structlog

from compute.backfill.departures import Departures, Shipper
from compute.backfill.flight import Landings
from compute.backfill.handshake import Handshake
from compute.backfill.parts import CopyParts
from compute.backfill.patience import CopyEndedError, Patience
from compute.backfill.ports import CopyJob, CopyTarget
from compute.backfill.reader import STATEMENT_TIMEOUT, ReadRows, SourceReader
from compute.core import failpoints
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan
from rosetta.enums import CopyKind
from rosetta.errors import OutageError, RosettaError

_CHUNKS_IN_FLIGHT = 8
_FIRST_ROWS = 1_000
_FILL_ROUNDS = 20
_log = structlog.get_logger("compute.backfill")


class TableCopy:
    """Copies one table.

    Promises: the cursor is saved behind what is merged, never ahead of it; an outage of the source or of the
    config database delays the copy and nothing else; any other error fails this copy alone.
    """

    def __init__(
        self, job: CopyJob, goal: CopyTarget, reader: SourceReader, parts: CopyParts, ended: Callable[[], None]
    ) -> None:
        """`ended` is called at the very end, on the copy's thread."""
        self.job = job
        self.alive = True
        self._goal = goal
        self._reader = reader
        self._parts = parts
        self._ended = ended
        self._landings = Landings()
        self._patience = Patience(job.job_id, parts.jobs, self._landings, parts.stopping)
        token = uuid.uuid4().hex
        self._handshake = Handshake(goal.target, token, reader, parts.watermarks, self._landings.nudge)
        self._chunks = Departures(Shipper(job.job_id, goal, token), reader, parts, self._landings, self._patience)
        self._plan: ReadPlan | None = None
        self._lower: Key | None = job.cursor
        self._exhausted = False
        self._most_rows = job.batch_rows or parts.options.batch_rows
        self._rows = min(_FIRST_ROWS, self._most_rows)
        self._thread = threading.Thread(target=self._run, name=f"copy-{job.job_id}", daemon=True)

    # -- for the manager --------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def drop(self) -> None:
        """The job is no longer wanted: ends the copy, what is under way is forgotten."""
        self._patience.drop()
        self.interrupt()

    def interrupt(self) -> None:
        """Ends a read that is under way; with `stopping` set the thread ends."""
        self._reader.cancel()
        self._landings.nudge()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    # -- the copy's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._copy_or_fail()
        except CopyEndedError:
            _log.info("copy_ended_early", job_id=self.job.job_id, table=str(self.job.table))
        finally:
            self._chunks.let_go()
            self._reader.close()
            self.alive = False
            self._ended()

    def _copy_or_fail(self) -> None:
        try:
            self._patience.insist(self._copy)
        except RosettaError as error:
            failure = error  # the name of an except clause does not outlive it
            self._patience.insist(lambda: self._fail(failure))

    def _copy(self) -> None:
        """Goes on where an outage ended the last attempt."""
        plan = self._prepare()
        self._handshake.complete(self._patience)
        while not self._marked() or not self._exhausted:
            self._chunks.wait(_CHUNKS_IN_FLIGHT - 1)
            read = self._read(plan)
            failpoints.hit("after_chunk_read")
            self._chunks.launch(plan.columns, read, complete=self._whole(plan) or plan.portable)
            self._lower, self._exhausted = read.upper, read.upper is None
            self._patience.succeeded()
        self._chunks.land()
        self._fill(plan)
        self._chunks.save()
        self._parts.jobs.complete(self.job.job_id)
        self._parts.tables.finish_copy(self._goal.target.sync_id)
        _log.info("copy_completed", job_id=self.job.job_id, table=str(self.job.table), chunks=self._chunks.count)

    def _marked(self) -> bool:
        """Marks the last chunk; False where its range must be read again."""
        recalled = self._chunks.mark()
        if recalled is None:
            return True
        self._lower, self._exhausted = recalled.lower, False
        return False

    def _prepare(self) -> ReadPlan:
        if self._plan is None:
            plan = self._reader.plan(self._goal.target.schema)
            if len(self._lower or plan.key) != len(plan.key) or self._whole(plan):
                self._lower = None
            self._parts.jobs.start(self.job.job_id, self._reader.estimate(plan))
            self._plan = plan
            _log.info("copy_started", job_id=self.job.job_id, table=str(plan.table), resumed=self._lower is not None)
        return self._plan

    def _whole(self, plan: ReadPlan) -> bool:
        """Whether the table is read in one piece.

        Without a key there are no ranges. And where the target may order keys otherwise than the source, the
        rows that a range lacks cannot be told there; a resync, which has rows to remove, compares all at once.
        """
        return not plan.key or (self.job.kind is CopyKind.RESYNC and not plan.portable)

    def _read(self, plan: ReadPlan) -> ReadRows:
        if self._whole(plan):
            return self._reader.read_table(plan)
        try:
            read = self._reader.read_chunk(plan, self._lower, self._rows)
        except OutageError as error:
            if error.code == STATEMENT_TIMEOUT:
                self._rows = max(1, self._rows // 4)
            raise
        if read.row_count:
            fitting = self._parts.options.chunk_bytes * read.row_count // max(1, read.byte_count)
            self._rows = max(1, min(self._most_rows, fitting))
        return read

    def _fill(self, plan: ReadPlan) -> None:
        """Reads rows again that the chunks could not complete: their keys changed while the copy ran.

        Such a row moved from where no chunk had been yet to where one had, and the change left out values
        that did not change. What is left after some rounds, `finish_copy` refuses.
        """
        for _ in range(_FILL_ROUNDS):
            keys = self._unfilled()
            if not keys:
                return
            self._chunks.launch(plan.columns, self._reader.read_keys(plan, keys), complete=False)
            self._chunks.land()

    def _unfilled(self) -> list[Key]:
        answers: list[list[Key]] = []

        def answered(keys: list[Key]) -> None:
            answers.append(keys)
            self._landings.nudge()

        self._parts.tables.ask_unfilled(self._goal.target.sync_id, answered)
        while not answers:
            self._patience.pause()
        return answers[0]

    def _fail(self, error: RosettaError) -> None:
        """The table first: it must never look well when its copy is not."""
        if self._landings.failure is None:
            self._parts.tables.fail(self._goal.target.sync_id, error)
        self._parts.jobs.fail(self.job.job_id, error)
        _log.error("copy_failed", job_id=self.job.job_id, table=str(self.job.table), code=error.code)
