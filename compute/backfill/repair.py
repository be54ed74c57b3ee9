"""A resync of a table that has its rows already: compares key ranges and copies only those that differ.

Why leaving a range out is exact while the stream goes on. A range is checked as a chunk is copied: the source
answers in one snapshot, then a watermark goes into the log, and the target is asked when it comes down the
stream, by the writer itself, with everything before it applied and nothing behind it. The target says that it
matches only if it has the same rows (by count and sum of 64-bit hashes of their exact texts) and each was written
by a transaction that the snapshot sees. Merging a chunk read in that snapshot would replace each of these rows by
itself, delete none and add none; so doing nothing leaves the target exactly as a copy of the range would, and a
copy is exact. What is noted of rows that lack values is settled as by a chunk.
Rows that are changed between the snapshot and the watermark make the range differ, whether they are wrong or
not; it is copied then. A check is never needed for exactness, so where most ranges differ they are not made.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field, replace

from compute.backfill.departures import Departures
from compute.backfill.patience import Patience
from compute.backfill.ports import CopyProgress
from compute.backfill.reader import STATEMENT_TIMEOUT, RangeDigest, SourceReader
from compute.backfill.walk import Walk
from compute.core import failpoints
from rosetta.dialects.postgres.chunk_read import Key, ReadPlan
from rosetta.errors import OutageError, RosettaError
from rosetta.types import TableSchema

_AT_ONCE = 8
_FIRST_ROWS = 1_000
_DIGEST_SECONDS = 0.25  # the writer needs about as long, and the stream waits for it
_LEAVES = 16  # into which a range that differs is split, where few do
_LEAF_ROWS = 500
_UNCHECKED_RANGES = 64


@dataclass
class _Checked:
    """A range, and whether the target has it; None until that is known."""

    digest: RangeDigest
    same: bool | None = None


@dataclass
class _Round:
    """Ranges that are checked together; a round that an outage ended is forgotten, its answers with it."""

    ranges: list[_Checked] = field(default_factory=list)
    failure: RosettaError | None = None

    @property
    def answered(self) -> bool:
        return all(checked.same is not None for checked in self.ranges)


class Repair:
    """Brings a table into line; used by the copy's thread. After an OutageError `run` may be called again."""

    def __init__(
        self,
        schema: TableSchema,
        reader: SourceReader,
        chunks: Departures,
        patience: Patience,
        walk: Walk,
        most_rows: int,
    ) -> None:
        self._schema = schema
        self._reader = reader
        self._chunks = chunks
        self._patience = patience
        self._walk = walk
        self._most_rows = most_rows
        self._rows = min(_FIRST_ROWS, most_rows)
        self._lower: Key | None = None
        self._ended = True
        self._unchecked_rows = 0
        self._stretch_end: Key | None = None
        self._todo: deque[_Checked] = deque()
        self._walking = False
        self._equal = CopyProgress(None, 0, 0, 0)
        self.equal_rows = 0

    def begin(self, lower: Key | None) -> None:
        """The next `run` begins behind `lower`; None: with the first row."""
        self._lower, self._ended = lower, False

    def run(self, plan: ReadPlan, ending: threading.Event) -> None:
        """Returns when every range is equal or its last chunk on its way; or, some ranges later, `ending` is set."""
        while self._todo or self._walking or not (self._ended or ending.is_set()):
            if self._todo:
                self._mend(plan)
            elif self._unchecked_rows:
                self._copy_unchecked(plan)
            else:
                self._begin_round(plan)

    def _begin_round(self, plan: ReadPlan) -> None:
        """Checks some ranges from `_lower` on."""
        found = self._check(plan, self._lower, None, self._rows, most=_AT_ONCE)
        different = sum(not checked.same for checked in found)
        todo: list[_Checked] = []
        for checked in found:
            digest = checked.digest
            if not checked.same and digest.row_count >= 2 * _LEAF_ROWS and different <= len(found) // 2:
                rows = max(_LEAF_ROWS, digest.row_count // _LEAVES)
                todo += self._check(plan, digest.lower, digest.upper, rows)
            else:
                todo.append(checked)
        if different == _AT_ONCE:
            self._unchecked_rows = _UNCHECKED_RANGES * self._rows
        self._todo.extend(todo)
        self._lower = found[-1].digest.upper
        self._ended = self._lower is None

    def _check(
        self, plan: ReadPlan, lower: Key | None, upper: Key | None, rows: int, most: int | None = None
    ) -> list[_Checked]:
        """Ranges of so many rows up to `upper`, `most` of them, each with its answer."""
        found = _Round()
        while not found.ranges or (lower != upper and len(found.ranges) != most):
            digest = self._digest(plan, lower, upper, rows)
            failpoints.hit("after_chunk_read")
            found.ranges.append(_Checked(digest))
            self._ask(plan, found, found.ranges[-1])
            lower = digest.upper
            rows = rows if most is None else self._rows
        while not found.answered:
            self._chunks.collect()
            self._patience.pause()
            if found.failure is not None:
                raise found.failure
        self._patience.succeeded()
        return found.ranges

    def _mend(self, plan: ReadPlan) -> None:
        """Copies the ranges that differ."""
        while self._todo:
            digest = self._todo[0].digest
            if self._todo[0].same:
                self._equal = CopyProgress(None, self._equal.chunks + 1, self._equal.rows + digest.row_count, 0)
            else:
                self._copy(plan, digest.lower, digest.upper)
            self._todo.popleft()
        self._chunks.land()
        # only now: what is equal counts as merged when everything before it is
        self.equal_rows += self._equal.rows
        self._chunks.note(replace(self._equal, cursor=self._lower))
        self._equal = CopyProgress(None, 0, 0, 0)

    def _copy(self, plan: ReadPlan, lower: Key | None, upper: Key | None) -> None:
        if not self._walking:
            self._walk.begin(lower, upper)
            self._walking = True
        self._walk.run(plan)
        self._walking = False

    def _copy_unchecked(self, plan: ReadPlan) -> None:
        """Copies the next ranges as they come: those before them all differed."""
        if not self._walking:
            self._stretch_end = self._reader.range_end(plan, self._lower, self._unchecked_rows)
        self._copy(plan, self._lower, self._stretch_end)
        self._lower, self._ended = self._stretch_end, self._stretch_end is None
        self._unchecked_rows = 0

    def _ask(self, plan: ReadPlan, asked: _Round, checked: _Checked) -> None:
        def answered(same: bool) -> None:
            checked.same = same

        def failed(error: RosettaError) -> None:
            asked.failure = error

        self._chunks.check(plan.columns, checked.digest, answered, failed)

    def _digest(self, plan: ReadPlan, lower: Key | None, upper: Key | None, rows: int) -> RangeDigest:
        self._patience.keep_pace()
        try:
            digest = self._reader.digest(plan, self._schema, lower, rows, upper)
        except OutageError as error:
            if error.code == STATEMENT_TIMEOUT:
                self._rows = max(1, self._rows // 4)
            raise
        self._patience.was_read(digest.row_count)
        if upper is None and digest.upper is not None:
            fitting = int(rows * _DIGEST_SECONDS / max(digest.seconds, 0.001))
            self._rows = max(1, min(self._most_rows, fitting, 4 * rows))
        return digest
