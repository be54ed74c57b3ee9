"""One table's copy, from the handshake with the stream to the last merged chunk; runs on a thread of its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import replace

from compute.backfill.departures import Departures, Shipper
from compute.backfill.flight import Landings
from compute.backfill.handshake import Handshake
from compute.backfill.parts import CopyParts
from compute.backfill.patience import CopyEndedError, Patience
from compute.backfill.ports import CopyJob, CopyTarget, KeyQuestion
from compute.backfill.reader import SourceReader
from compute.backfill.repair import Repair
from compute.backfill.walk import Walk
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan
from rosetta.enums import CopyKind, SyncMode
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_FILL_ROUNDS = 20
_log = get_logger("compute.backfill")


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
        most_rows = job.batch_rows or parts.options.batch_rows
        self._walk = Walk(reader, self._chunks, self._patience, parts.options, most_rows)
        self._repair = Repair(goal.target.source_schema, reader, self._chunks, self._patience, self._walk, most_rows)
        self._plan: ReadPlan | None = None
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
        if self._compares(plan):
            self._repair.run(plan, self._ending)
        else:
            self._walk.run(plan, self._ending)
        self._chunks.land()
        self._fill(plan)
        if plan.key and not plan.portable and not self._ending.is_set():
            self._remove_surplus(plan)
        self._chunks.save()
        if self._ending.is_set():
            self._parts.jobs.cancelled(self.job.job_id)
        else:
            self._parts.jobs.complete(self.job.job_id)
        self._parts.tables.finish_copy(self._goal.target.sync_id)
        _log.info(
            "copy_completed",
            job_id=self.job.job_id,
            table=str(self.job.table),
            chunks=self._chunks.count,
            equal_rows=self._repair.equal_rows,
        )

    def _compares(self, plan: ReadPlan) -> bool:
        """Whether ranges are compared first: the target has rows already, and finds the same ones between two keys."""
        current = self._goal.target.mode is SyncMode.CURRENT
        return self.job.kind is CopyKind.RESYNC and current and bool(plan.key) and plan.portable

    def _prepare(self) -> ReadPlan:
        if self._plan is None:
            rules = self._goal.target.rules
            plan = self._reader.plan(self._goal.target.source_schema, None if rules is None else rules.view)
            cursor = self.job.cursor
            lower = cursor if cursor is not None and len(cursor) == len(plan.key) and plan.key else None
            self._walk.begin(lower)
            self._repair.begin(lower)
            self._parts.jobs.start(self.job.job_id, self._reader.estimate(plan))
            self._plan = plan
            _log.info("copy_started", job_id=self.job.job_id, table=str(plan.table), resumed=lower is not None)
        return self._plan

    def _fill(self, plan: ReadPlan) -> None:
        """Reads rows again that arrived without some value and whose range brought none.

        Their keys changed while the copy ran, from where no chunk had been yet to where one had; or they lie in
        a range that was equal, and were changed later. Each is noted once, so this ends as long as the notes
        change; what is left when they do not, `finish_copy` refuses.
        """
        stalled, known = 0, None
        while stalled < _FILL_ROUNDS:
            keys = self._asked(lambda destination, target: destination.unfilled_keys(target))
            if not keys:
                return
            stalled, known = (stalled + 1 if keys == known else 0), keys
            self._chunks.launch(plan.columns, self._reader.read_keys(plan, keys), complete=False)
            self._chunks.land()

    def _remove_surplus(self, plan: ReadPlan) -> None:
        """Removes rows that the source does not have, where ranges of keys cannot tell: see `unconfirmed_keys`.

        Every row of the source was in some chunk, or the stream has written it since; a row of the target that
        neither has touched is surplus, unless the clock deceives. So those are looked up at the source, and go by
        the test that a chunk's missing rows go by.
        """
        after: Key | None = None
        while True:
            keys = self._asked(_unconfirmed_behind(after))
            if not keys:
                return
            read = self._reader.read_keys(plan, keys)
            self._chunks.launch(plan.columns, replace(read, keys=tuple(keys)), complete=True)
            self._chunks.land()
            after = keys[-1]

    def _asked(self, question: KeyQuestion) -> list[Key]:
        answers: list[list[Key]] = []

        def answered(keys: list[Key]) -> None:
            answers.append(keys)
            self._landings.nudge()

        self._parts.tables.ask(self._goal.target.sync_id, question, answered)
        while not answers:
            self._patience.pause()
        return answers[0]

    def _fail(self, error: RosettaError) -> None:
        """The table first: it must never look well when its copy is not."""
        if self._landings.failure is None:
            self._parts.tables.fail(self._goal.target.sync_id, error)
        self._parts.jobs.fail(self.job.job_id, error)
        _log.error("copy_failed", job_id=self.job.job_id, table=str(self.job.table), code=error.code)


def _unconfirmed_behind(after: Key | None) -> KeyQuestion:
    return lambda destination, target: destination.unconfirmed_keys(target, after)
