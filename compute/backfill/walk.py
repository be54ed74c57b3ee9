"""Goes through a key range chunk by chunk: reads, sends on their way, marks."""

from __future__ import annotations

import threading
from dataclasses import replace

from compute.backfill.departures import Departures
from compute.backfill.parts import CopyOptions
from compute.backfill.patience import Patience
from compute.backfill.reader import STATEMENT_TIMEOUT, ReadRows, SourceReader
from compute.core import failpoints
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan
from rosetta.errors import OutageError

_CHUNKS_IN_FLIGHT = 8
_FIRST_ROWS = 1_000
_FIRST_PAGES = 8
_MOST_PAGES = 4_096  # for one chunk, where few rows pass
_FURTHEST = 16  # times the rows of a chunk are looked at for one, where few pass


class Walk:
    """Copies key ranges, one after the other; used by the copy's thread.

    After an OutageError `run` may be called again: it goes on where it was.
    """

    def __init__(
        self,
        reader: SourceReader,
        chunks: Departures,
        patience: Patience,
        options: CopyOptions,
        most_rows: int,
        *,
        whole: bool = True,
    ) -> None:
        """`whole`: rows of the target that a chunk lacks are gone; else the chunks are of some rows only."""
        self._reader = reader
        self._chunks = chunks
        self._patience = patience
        self._options = options
        self._most_rows = most_rows
        self._whole = whole
        self._rows = self._looked_at = min(_FIRST_ROWS, most_rows)
        self._pages = _FIRST_PAGES
        self._lower: Key | None = None
        self._upper: Key | None = None
        self._ended = True

    def begin(self, lower: Key | None, upper: Key | None = None) -> None:
        """The next `run` copies lower < key <= upper, or the pages behind the place `lower`; None is open."""
        self._lower, self._upper, self._ended = lower, upper, False

    def run(self, plan: ReadPlan, ending: threading.Event | None = None) -> None:
        """Copies what is left of the range; returns when its last chunk is on its way, or `ending` is set."""
        while not self._marked() or not (self._ended or (ending is not None and ending.is_set())):
            self._chunks.wait(_CHUNKS_IN_FLIGHT - 1)
            read = self._read(plan)
            failpoints.hit("after_chunk_read")
            self._chunks.launch(plan.columns, read, complete=self._whole and (not plan.key or plan.portable))
            self._lower, self._ended = read.upper, read.upper == self._upper
            self._patience.succeeded()

    def _marked(self) -> bool:
        """Marks the last chunk; False where its range must be read again."""
        recalled = self._chunks.mark()
        if recalled is None:
            return True
        self._lower, self._ended = recalled.lower, False
        return False

    def _read(self, plan: ReadPlan) -> ReadRows:
        if plan.by_pages:
            return self._read_pages(plan)
        if not plan.key:
            return self._reader.read_table(plan)
        self._patience.keep_pace()
        try:
            read = self._reader.read_chunk(plan, self._lower, self._rows, self._upper, self._looked_at)
        except OutageError as error:
            if error.code == STATEMENT_TIMEOUT:
                self._rows, self._looked_at = max(1, self._rows // 4), max(1, self._looked_at // 4)
            raise
        self._patience.was_read(read.row_count if plan.reads_key else max(read.row_count, self._looked_at))
        self._measure(read)
        return replace(read, lower=self._lower)

    def _read_pages(self, plan: ReadPlan) -> ReadRows:
        self._patience.keep_pace()
        try:
            read = self._reader.read_pages(plan, self._lower, self._pages)
        except OutageError as error:
            if error.code == STATEMENT_TIMEOUT:
                self._pages = max(1, self._pages // 4)
            raise
        self._patience.was_read(read.looked_at or read.row_count)
        fitting = _MOST_PAGES
        if read.row_count:
            rows = min(self._most_rows, self._options.chunk_bytes * read.row_count // max(1, read.byte_count))
            fitting = self._pages * rows // read.row_count
        self._pages = max(1, min(fitting, 4 * self._pages, _MOST_PAGES))
        return read

    def _measure(self, read: ReadRows) -> None:
        """How many rows the next chunk has, and how many are looked at for them."""
        passed, asked = read.row_count, self._rows
        if passed:
            fitting = self._options.chunk_bytes * passed // max(1, read.byte_count)
            self._rows = max(1, min(self._most_rows, fitting))
        if passed >= asked:
            wanted = self._rows
        else:
            wanted = min(self._looked_at * self._rows // max(1, passed), 4 * self._looked_at)
        self._looked_at = max(self._rows, min(wanted, _FURTHEST * self._rows))
