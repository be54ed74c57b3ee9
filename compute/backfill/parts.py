"""What all copies of a pipeline share."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from compute.backfill.flight import Budget, Watermarks
from compute.backfill.ports import CopyJobs, CopyTables


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """Sizes of a copy.

    Attributes:
        batch_rows: most rows of a chunk, unless its job says otherwise.
        chunk_bytes: what a chunk aims at; wide rows make it have fewer of them.
        inline_bytes: a larger chunk is kept in a file, not in memory.
        memory_bytes: chunks in memory of all copies of the process together.
        parallel_tables: how many tables are copied at a time.
        rows_per_second: the most that each copy reads at the source; 0: no bound.
        poll_seconds: how often the job table is looked at; `wake` makes it sooner.
    """

    batch_rows: int = 10_000
    chunk_bytes: int = 2 << 20
    inline_bytes: int = 4 << 20
    memory_bytes: int = 16 << 20
    parallel_tables: int = 2
    rows_per_second: int = 0
    poll_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class CopyParts:
    """Handed to every copy."""

    jobs: CopyJobs
    tables: CopyTables
    watermarks: Watermarks
    budget: Budget
    options: CopyOptions
    stopping: threading.Event
