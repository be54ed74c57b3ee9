"""Counts rows and bytes on their way to the destinations, cheaply, until the reporter takes the counts."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass

from compute.core.batch import TableChanges
from compute.core.catalog.observations import Flow
from compute.destinations.base import TableTarget
from rosetta.identifiers import TableId


@dataclass
class _Count:
    rows: int = 0
    byte_count: int = 0
    lag_seconds: float | None = None


class FlowCounter:
    """Added to by every writer, emptied by the reporter.

    What is counted but not yet taken at a crash is lost: these are measurements, not the truth about the data.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tables: dict[tuple[int, TableId], _Count] = defaultdict(_Count)
        self._syncs: dict[int, int] = defaultdict(int)

    def add(self, destination_id: int, target: TableTarget, changes: TableChanges, commit_time: float | None) -> None:
        lag_seconds = None if commit_time is None else max(0.0, time.time() - commit_time)
        with self._lock:
            count = self._tables[destination_id, changes.table]
            count.rows += changes.row_count
            count.byte_count += len(changes.data)
            if lag_seconds is not None:
                count.lag_seconds = max(count.lag_seconds or 0.0, lag_seconds)
            self._syncs[target.sync_id] += changes.row_count

    def take(self) -> tuple[list[Flow], dict[int, int]]:
        """Counts per destination and table, and rows per table sync, since the last call."""
        with self._lock:
            tables, syncs = self._tables, self._syncs
            self._tables, self._syncs = defaultdict(_Count), defaultdict(int)
        flows = [
            Flow(destination_id, table, count.rows, count.byte_count, count.lag_seconds)
            for (destination_id, table), count in tables.items()
        ]
        return flows, dict(syncs)
