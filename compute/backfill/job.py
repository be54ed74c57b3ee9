"""One table's copy, from the handshake with the stream to the last merged chunk; runs on a thread of its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable

from compute.backfill.departures import Departures, Shipper
from compute.backfill.flight import Landings
from compute.backfill.handshake import Handshake
from compute.backfill.key_reads import KeyReads
from compute.backfill.opening import Opening
from compute.backfill.parts import CopyParts
from compute.backfill.patience import CopyEndedError, Patience
from compute.backfill.ports import CopyJob, CopyTarget
from compute.backfill.reader import SourceReader
from compute.backfill.repair import Repair
from compute.backfill.selection import passing_rows
from compute.backfill.walk import Walk
from rosetta.dialects.postgres.chunk_read import ReadPlan
from rosetta.enums import CopyKind, SyncMode
from rosetta.errors import OutageError, RosettaError
from rosetta.logs import get_logger

_log = get_logger("compute.backfill")


class TableCopy:
    """Copies one table, or as a part of a backfill the rows of it that pass its filters.

    Promises: the cursor is saved behind what is merged, never ahead of it; an outage of the source or of the
    config database delays the copy and nothing else; any other error fails this copy alone. The table of a part of a
    backfill goes on streaming, whatever becomes of the part.
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
        rate = parts.options.rows_per_second
        self._patience = Patience(job.job_id, parts.jobs, self._landings, parts.stopping, rate)
        token = uuid.uuid4().hex
        self._handshake = Handshake(goal.target, token, reader, parts.watermarks, self._landings.nudge)
        self._whole = job.backfill_id is None
        owner = None if self._whole else token
        self._opening = Opening(goal.target.sync_id, owner, parts, self._landings)
        self._chunks = Departures(Shipper(job.job_id, goal, token), reader, parts, self._landings, self._patience)
        most_rows = job.batch_rows or parts.options.batch_rows
        self._walk = Walk(reader, self._chunks, self._patience, parts.options, most_rows, whole=self._whole)
        self._repair = Repair(goal.target.source_schema, reader, self._chunks, self._patience, self._walk, most_rows)
        self._keys = KeyReads(goal.target.sync_id, reader, self._chunks, parts.tables, self._patience, self._landings)
        self._plan: ReadPlan | None = None
        self._chosen: ReadPlan | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"copy-{job.job_id}", daemon=True)

    # -- for the manager --------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def drop(self) -> None:
        """The job is no longer wanted: ends the copy, what is under way is forgotten."""
        self._patience.drop()
        self.interrupt()

    def end_early(self) -> None:
        """What the target has is wanted as it is: ends the copy, as cancelled, with the table in order."""
        self._ending.set()

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
            if not self._whole:
                self._opening.leave()
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
            fail = self._fail if self._whole else self._give_up
            self._patience.insist(lambda: fail(failure))

    def _copy(self) -> None:
        """Goes on where an outage ended the last attempt."""
        plan = self._prepare()
        self._opening.open(self._patience)
        if not self._handshake.complete(self._patience, self._unread):
            self._end(plan, filled=True)
            return
        if self._compares(plan):
            self._repair.run(plan, self._ending)
        else:
            self._walk.run(self._chosen or plan, self._ending)
        self._chunks.land()
        filled = self._keys.fill(plan)
        if plan.key and not plan.portable and not self._ending.is_set() and self._whole:
            self._keys.remove_surplus(plan)
        self._chunks.save()
        self._end(plan, filled=filled)

    def _unread(self) -> bool:
        """Whether a backfill is to end before its first chunk, and no row waits for one."""
        return not self._whole and self._ending.is_set() and not self._keys.unfilled()

    def _end(self, plan: ReadPlan, *, filled: bool) -> None:
        """`filled`: no row lacked values; those that do since are read, too."""
        while not self._opening.close(self._patience, final=not filled):
            filled = self._keys.fill(plan)
        self._parts.jobs.complete(self.job.job_id, early=self._ending.is_set())
        if self._whole:
            self._parts.tables.copied(self._goal.target.sync_id)
        _log.info(
            "copy_completed",
            job_id=self.job.job_id,
            table=str(self.job.table),
            chunks=self._chunks.count,
            equal_rows=self._repair.equal_rows,
        )

    def _compares(self, plan: ReadPlan) -> bool:
        """Whether ranges are compared first: the target has rows already, and finds the same ones between two keys."""
        rules = self._goal.target.rules
        current = self._goal.target.mode is SyncMode.CURRENT and (rules is None or rules.comparable)
        return self.job.kind is CopyKind.RESYNC and current and bool(plan.key) and plan.portable

    def _prepare(self) -> ReadPlan:
        if self._plan is None:
            rules = self._goal.target.rules
            target = self._goal.target
            view, appends = None if rules is None else rules.view, target.mode is SyncMode.APPEND
            plan = self._reader.plan(target.source_schema, view, by_pages=appends)
            cursor = self.job.cursor
            lower = cursor if cursor and len(cursor) == plan.cursor_width else None
            self._walk.begin(lower)
            self._repair.begin(lower)
            if not self._whole:
                self._chosen = passing_rows(plan, target, self.job.filters)
            self._parts.jobs.start(self.job.job_id, self._reader.estimate(self._chosen or plan))
            self._plan = plan
            _log.info("copy_started", job_id=self.job.job_id, table=str(plan.table), resumed=lower is not None)
        return self._plan

    def _give_up(self, error: RosettaError) -> None:
        """Ends a part of a backfill whose table is to stream on: what arrived without its values is read first."""
        if self._opening.is_open:
            try:
                if self._plan is not None and self._landings.failure is None:
                    self._chunks.land()
                    self._keys.fill(self._plan)
                self._opening.close(self._patience)
            except OutageError:
                raise
            except RosettaError as worse:
                # what its destination refused is the destination's to tell
                if self._landings.failure is None:
                    self._parts.tables.fail(self._goal.target.sync_id, worse)
        self._parts.jobs.fail(self.job.job_id, error)
        _log.error("backfill_failed", job_id=self.job.job_id, table=str(self.job.table), code=error.code)

    def _fail(self, error: RosettaError) -> None:
        """The table first: it must never look well when its copy is not."""
        if self._landings.failure is None and self._opening.failure is None:
            self._parts.tables.fail(self._goal.target.sync_id, error)
        self._parts.jobs.fail(self.job.job_id, error)
        _log.error("copy_failed", job_id=self.job.job_id, table=str(self.job.table), code=error.code)
