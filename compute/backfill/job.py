"""One table's copy, from the handshake with the stream to the last merged chunk; runs on a thread of its own."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import structlog

from compute.backfill.flight import Landed, Landings, PendingChunk, combined
from compute.backfill.handshake import Handshake
from compute.backfill.parts import CopyParts
from compute.backfill.ports import CopyJob, CopyProgress, CopyTarget
from compute.backfill.reader import STATEMENT_TIMEOUT, ReadRows, SourceReader
from compute.core import failpoints
from compute.destinations.base import RowChunk
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan
from rosetta.enums import CopyKind
from rosetta.errors import OutageError, RosettaError

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 5.0
_SAVE_SECONDS = 0.5
_WAIT_SECONDS = 0.2
_CHUNKS_IN_FLIGHT = 8
_FIRST_ROWS = 1_000
_FILL_ROUNDS = 20
_log = structlog.get_logger("compute.backfill")


class _CopyEndedError(Exception):
    """Raised inside a copy that is no longer wanted."""


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
        self._sync_id = goal.target.sync_id
        self._goal = goal
        self._reader = reader
        self._parts = parts
        self._ended = ended
        self._token = uuid.uuid4().hex
        self._landings = Landings()
        self._handshake = Handshake(goal.target, self._token, reader, parts.watermarks, self._landings.nudge)
        self._plan: ReadPlan | None = None
        self._lower: Key | None = job.cursor
        self._exhausted = False
        self._rows = min(_FIRST_ROWS, self._most_rows)
        self._unmarked: str | None = None
        self._sequence = 0
        self._unsaved: CopyProgress | None = None
        self._saved_at = 0.0
        self._attempts = 0
        self._reason: str | None = None
        self._unwanted = threading.Event()
        self.alive = True
        self._thread = threading.Thread(target=self._run, name=f"copy-{job.job_id}", daemon=True)

    # -- for the manager --------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()

    def drop(self) -> None:
        """The job is no longer wanted: ends the copy, what is under way is forgotten."""
        self._unwanted.set()
        self.interrupt()

    def interrupt(self) -> None:
        """Ends a read that is under way; with `stopping` set the thread ends."""
        self._reader.cancel()
        self._landings.nudge()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    # -- the copy's thread ------------------------------------------------------------------------

    @property
    def _most_rows(self) -> int:
        return self.job.batch_rows or self._parts.options.batch_rows

    def _run(self) -> None:
        try:
            self._copy_or_fail()
        except _CopyEndedError:
            _log.info("copy_ended_early", job_id=self.job.job_id, table=str(self.job.table))
        finally:
            # what the stream did not ask for yet is let go of, with its memory and its file
            for pending in self._parts.watermarks.forget(self._token):
                pending.failed(OutageError("the copy has ended", code="COPY_STOPPED"))
            self._reader.close()
            self.alive = False
            self._ended()

    def _copy_or_fail(self) -> None:
        try:
            self._insist(self._copy)
        except RosettaError as error:
            failure = error  # the name of an except clause does not outlive it
            self._insist(lambda: self._fail(failure))

    def _insist(self, act: Callable[[], None]) -> None:
        """Does `act` until no outage is in its way."""
        while True:
            try:
                act()
                return
            except OutageError as error:
                self._check_wanted()
                self._wait_after(error)

    def _copy(self) -> None:
        plan = self._prepare()
        self._handshake.complete(self)
        while not self._exhausted:
            self._mark()
            self._wait_for_chunks(_CHUNKS_IN_FLIGHT - 1)
            read = self._read(plan)
            self._launch(plan, read, complete=self._whole(plan) or plan.portable)
            self._lower, self._exhausted = read.upper, read.upper is None
            self._attempts = 0
        self._land()
        self._fill(plan)
        self._save()
        self._parts.jobs.complete(self.job.job_id)
        self._parts.tables.finish_copy(self._sync_id)
        _log.info("copy_completed", job_id=self.job.job_id, table=str(self.job.table), chunks=self._sequence)

    def _land(self) -> None:
        self._mark()
        self._wait_for_chunks(0)

    def _fill(self, plan: ReadPlan) -> None:
        """Reads rows again that the chunks could not complete: their keys changed while the copy ran.

        Such a row moved from where no chunk had been yet to where one had, and the change left out values
        that did not change. What is left after some rounds, `finish_copy` refuses.
        """
        for _ in range(_FILL_ROUNDS):
            answers: list[list[Key]] = []
            self._parts.tables.ask_unfilled(self._sync_id, lambda keys, answers=answers: self._answered(answers, keys))  # type: ignore[misc]
            while not answers:
                self.pause()
            if not answers[0]:
                return
            self._launch(plan, self._reader.read_keys(plan, answers[0]), complete=False)
            self._land()

    def _answered(self, answers: list[list[Key]], keys: list[Key]) -> None:
        answers.append(keys)
        self._landings.nudge()

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
        read = self._reader.read_chunk(plan, self._lower, self._rows)
        if read.row_count:
            fitting = self._parts.options.chunk_bytes * read.row_count // max(1, read.byte_count)
            self._rows = max(1, min(self._most_rows, fitting))
        return read

    def _launch(self, plan: ReadPlan, read: ReadRows, *, complete: bool) -> None:
        """Registers a chunk under its watermark, which `_mark` then writes."""
        failpoints.hit("after_chunk_read")
        held_bytes = 0 if isinstance(read.data, Path) else read.byte_count
        while not self._parts.budget.try_take(held_bytes):
            self.pause()
        self._sequence += 1
        watermark = f"chunk:{self.job.job_id}:{self._token}:{self._sequence}"
        pending = self._pending(plan, read, held_bytes, complete)
        self._landings.launched()
        self._parts.watermarks.expect(self._token, watermark, lambda: [pending])
        self._unmarked = watermark

    def _mark(self) -> None:
        if self._unmarked is not None:
            self._reader.emit(self._unmarked)
            self._unmarked = None

    def _pending(self, plan: ReadPlan, read: ReadRows, held_bytes: int, complete: bool) -> PendingChunk:
        chunk = RowChunk(
            target=replace(self._goal.target, copying=True),
            columns=plan.columns,
            data=read.data,
            row_count=read.row_count,
            snapshot=read.snapshot,
            lower=read.lower,
            upper=read.upper,
            complete=complete,
        )

        def settle() -> None:
            self._parts.budget.give_back(held_bytes)
            if isinstance(read.data, Path):
                read.data.unlink(missing_ok=True)

        def done(_written: int) -> None:
            settle()
            self._landings.landed(Landed(read.upper, read.row_count, read.byte_count))

        def failed(error: RosettaError) -> None:
            settle()
            self._landings.failed(error)

        return PendingChunk(self._goal.destination_id, chunk, done, failed)

    def _wait_for_chunks(self, most: int) -> None:
        """Waits until at most so many chunks are in flight, saving what has landed."""
        self._collect()
        while self._landings.in_flight > most:
            self.pause()
            self._collect()

    def _collect(self) -> None:
        self._unsaved = combined(self._unsaved, self._landings.take())
        if self._landings.failure is not None:
            raise self._landings.failure
        if self._unsaved is not None and time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self._saved_at = time.monotonic()
            with suppress(OutageError):  # the copy goes on; the end of it insists
                self._save()

    def _save(self) -> None:
        progress = combined(self._unsaved, self._landings.take())
        if progress is not None:
            self._unsaved = progress
            if not self._parts.jobs.save_cursor(self.job.job_id, progress):
                raise _CopyEndedError
            self._unsaved = None

    def _fail(self, error: RosettaError) -> None:
        """The table first: it must never look well when its copy is not."""
        if self._landings.failure is None:
            self._parts.tables.fail(self._sync_id, error)
        self._parts.jobs.fail(self.job.job_id, error)
        _log.error("copy_failed", job_id=self.job.job_id, table=str(self.job.table), code=error.code)

    # -- waiting ----------------------------------------------------------------------------------

    def pause(self) -> None:
        """Waits a moment, or until a chunk landed. Raises when the copy is to end."""
        self._check_wanted()
        self._landings.wait(_WAIT_SECONDS)
        self._check_wanted()

    def _check_wanted(self) -> None:
        if self._unwanted.is_set() or self._parts.stopping.is_set():
            raise _CopyEndedError

    def _wait_after(self, error: OutageError) -> None:
        self._attempts += 1
        longest = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2.0 ** min(self._attempts, 10))
        if self._attempts == 1:
            _log.warning("copy_waits", job_id=self.job.job_id, code=error.code, error=error.message)
        if error.code == STATEMENT_TIMEOUT:
            self._rows = max(1, self._rows // 4)
        with suppress(OutageError):  # it is the config database that is away: then nobody can be told
            self.say(f"waits: {error.message}")
        until = time.monotonic() + longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, protects nothing
        while time.monotonic() < until:
            self.pause()

    def say(self, reason: str | None) -> None:
        """Why the copy does not move; None: it does again."""
        if reason != self._reason:
            self._parts.jobs.hold(self.job.job_id, reason)
            self._reason = reason
