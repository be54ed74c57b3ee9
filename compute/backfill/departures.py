"""Sends a copy's chunks on their way: behind their watermarks, within the bounds, with the cursor saved behind them."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from compute.backfill.flight import Landed, Landings, Pending, PendingCheck, PendingChunk, combined
from compute.backfill.parts import CopyParts
from compute.backfill.patience import CopyEndedError, Patience
from compute.backfill.ports import CopyProgress, CopyTarget
from compute.backfill.reader import RangeDigest, ReadRows, SourceReader
from compute.core.unmade import unmade_apart
from compute.destinations.base import RangeCheck, RefusedRecord, RowChunk, TableWrite
from compute.transforms import CopiedRows
from rosetta.dialects.postgres.chunk_read import Key
from rosetta.errors import OutageError, RosettaError

_SAVE_SECONDS = 0.5
_ROWS_BITS = 24  # no chunk has more rows, and with the number of a page it fits into 63 bits


@dataclass(frozen=True, slots=True)
class Shipper:
    """Whose chunks they are. `token`: new for every copy, so that marks of an earlier one release nothing."""

    job_id: int
    goal: CopyTarget
    token: str


class Departures:
    """The chunks of one copy from their read to their merge; used by the copy's thread."""

    def __init__(
        self, shipper: Shipper, reader: SourceReader, parts: CopyParts, landings: Landings, patience: Patience
    ) -> None:
        self._shipper = shipper
        self._reader = reader
        self._parts = parts
        self._landings = landings
        self._patience = patience
        self._unmarked: tuple[str, ReadRows, Callable[[], None]] | None = None
        self._unsaved: CopyProgress | None = None
        self._saved_at = 0.0
        self._checks = 0
        self.count = 0

    def launch(self, columns: tuple[str, ...], read: ReadRows, *, complete: bool) -> None:
        """Registers a chunk under its watermark, which `mark` then writes."""
        held_bytes = 0 if isinstance(read.data, Path) else read.byte_count
        while not self._parts.budget.try_take(held_bytes):
            self._patience.pause()
        self.count += 1
        watermark = f"chunk:{self._shipper.job_id}:{self._shipper.token}:{self.count}"
        pending, settle = self._pending(columns, read, held_bytes, complete=complete)
        self._landings.launched()
        self._parts.watermarks.expect(self._shipper.token, watermark, lambda: [pending])
        self._unmarked = watermark, read, settle

    def check(
        self,
        columns: tuple[str, ...],
        digest: RangeDigest,
        answered: Callable[[bool], None],
        failed: Callable[[RosettaError], None],
    ) -> None:
        """Has a range compared at its watermark, which is written now; who waits is nudged by the answer."""
        check = RangeCheck(
            target=self._shipper.goal.target,
            columns=columns,
            row_count=digest.row_count,
            checksum=digest.checksum,
            snapshot=digest.snapshot,
            position=digest.position,
            lower=digest.lower,
            upper=digest.upper,
        )

        def told(same: bool) -> None:
            answered(same)
            self._landings.nudge()

        def refused(error: RosettaError) -> None:
            failed(error)
            self._landings.nudge()

        pending: Pending = PendingCheck(self._shipper.goal.destination_id, check, told, refused)
        self._checks += 1
        watermark = f"check:{self._shipper.job_id}:{self._shipper.token}:{self._checks}"
        self._parts.watermarks.expect(self._shipper.token, watermark, lambda: [pending])
        self._reader.emit(watermark)

    def mark(self) -> ReadRows | None:
        """Writes the watermark of the last chunk into the log, unless that is done.

        Returns the chunk when its rows were replaced meanwhile, by a TRUNCATE: it is to be read again.
        """
        if self._unmarked is None:
            return None
        watermark, read, settle = self._unmarked
        marked = self._reader.mark(watermark, self._shipper.goal.target.source, read.storage)
        self._unmarked = None
        if marked:
            return None
        self._parts.watermarks.take(watermark)
        self._landings.recalled()
        settle()
        return read

    def wait(self, most: int) -> None:
        """Waits until at most so many chunks are in flight, saving what has landed. Raises why one could not land."""
        self.collect()
        while self._landings.in_flight > most:
            self._patience.pause()
            self.collect()

    def land(self) -> None:
        """Returns when everything that was launched is merged; what could not be marked is left out."""
        self.mark()
        self.wait(0)

    def note(self, progress: CopyProgress) -> None:
        """Counts what needed no chunk; everything that was launched has landed."""
        self._unsaved = combined(combined(self._unsaved, self._landings.take()), progress)

    def save(self) -> None:
        """Saves what has landed. Raises CopyEndedError when the job is no longer wanted."""
        self._unsaved = combined(self._unsaved, self._landings.take())
        if self._unsaved is None:
            return
        if not self._parts.jobs.save_cursor(self._shipper.job_id, self._unsaved):
            raise CopyEndedError
        self._unsaved = None

    def let_go(self) -> None:
        """Forgets what the stream did not ask for yet, with its memory and its files."""
        for pending in self._parts.watermarks.forget(self._shipper.token):
            pending.failed(OutageError("the copy has ended", code="COPY_STOPPED"))

    def collect(self) -> None:
        """Takes note of what landed, and saves it when the last save is a while ago. Raises why one could not land."""
        if self._landings.failure is not None:
            raise self._landings.failure
        self._unsaved = combined(self._unsaved, self._landings.take())
        if self._unsaved is not None and time.monotonic() - self._saved_at >= _SAVE_SECONDS:
            self._saved_at = time.monotonic()
            with suppress(OutageError):  # the copy goes on; the end of it insists
                self.save()

    def _cursor(self, read: ReadRows) -> Key | None:
        """What is saved of how far the copy is; no key that the rules keep back: such a copy begins anew instead."""
        rules = self._shipper.goal.target.rules
        return None if rules is not None and rules.masks_key else read.upper

    def _pending(
        self, columns: tuple[str, ...], read: ReadRows, held_bytes: int, *, complete: bool
    ) -> tuple[PendingChunk, Callable[[], None]]:
        """The chunk on its way, and what gives back what it holds."""

        def settle() -> None:
            self._parts.budget.give_back(held_bytes)
            if isinstance(read.data, Path):
                read.data.unlink(missing_ok=True)

        target = self._shipper.goal.target
        rows = CopiedRows(columns, read.data, read.row_count)
        if target.rules is not None:
            try:
                rows = target.rules.copied(rows)
            except RosettaError:
                settle()
                raise
        by_pages = read.first_page is not None
        chunk = RowChunk(
            target=replace(target, copying=True),
            columns=rows.columns,
            data=rows.data,
            row_count=rows.row_count,
            snapshot=read.snapshot,
            lower=None if by_pages else read.lower,
            upper=None if by_pages else read.upper,
            complete=complete,
            keys=read.keys,
            numbered_behind=(read.first_page or 0) << _ROWS_BITS,
        )

        def done(_written: int) -> None:
            settle()
            self._landings.landed(Landed(self._cursor(read), read.row_count, read.byte_count))

        def failed(error: RosettaError) -> None:
            settle()
            self._landings.failed(error)

        return PendingChunk(self._shipper.goal.destination_id, chunk, done, failed, self._unmade(rows)), settle

    def _unmade(self, rows: CopiedRows) -> tuple[RefusedRecord, ...]:
        target = self._shipper.goal.target
        return () if rows.unmade is None else tuple(unmade_apart(TableWrite(target, rows.unmade))[1])
