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


class Walk:
    """Copies key ranges, one after the other; used by the copy's thread.

    After an OutageError `run` may be called again: it goes on where it was.
    """

    def __init__(
        self, reader: SourceReader, chunks: Departures, patience: Patience, options: CopyOptions, most_rows: int
    ) -> None:
        self._reader = reader
        self._chunks = chunks
        self._patience = patience
        self._options = options
        self._most_rows = most_rows
        self._rows = min(_FIRST_ROWS, most_rows)
        self._lower: Key | None = None
        self._upper: Key | None = None
        self._ended = True

    def begin(self, lower: Key | None, upper: Key | None = None) -> None:
        """The next `run` copies lower < key <= upper; None is open."""
        self._lower, self._upper, self._ended = lower, upper, False

    def run(self, plan: ReadPlan, ending: threading.Event | None = None) -> None:
        """Copies what is left of the range; returns when its last chunk is on its way, or `ending` is set."""
        while not self._marked() or not (self._ended or (ending is not None and ending.is_set())):
            self._chunks.wait(_CHUNKS_IN_FLIGHT - 1)
            read = self._read(plan)
            failpoints.hit("after_chunk_read")
            self._chunks.launch(plan.columns, read, complete=not plan.key or plan.portable)
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
        if not plan.key:
            return self._reader.read_table(plan)
        try:
            read = self._reader.read_chunk(plan, self._lower, self._rows, self._upper)
        except OutageError as error:
            if error.code == STATEMENT_TIMEOUT:
                self._rows = max(1, self._rows // 4)
            raise
        if read.row_count:
            fitting = self._options.chunk_bytes * read.row_count // max(1, read.byte_count)
            self._rows = max(1, min(self._most_rows, fitting))
        return replace(read, lower=self._lower)
