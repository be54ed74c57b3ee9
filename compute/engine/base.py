"""The engine's contract: all that the rest of compute knows of how a WAL is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from compute.core.batch import ChangeBatch, TableSpec
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint


class EnginePhase(StrEnum):
    STARTING = "STARTING"
    STREAMING = "STREAMING"  # the slot is ours and a change or heartbeat came through it
    STOPPED = "STOPPED"  # by us
    FAILED = "FAILED"  # any end that nobody asked for


@dataclass(frozen=True, slots=True)
class EngineState:
    """Where an engine stands; `error` is set in FAILED and free of secrets and row values."""

    phase: EnginePhase
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EngineSource:
    """Where to read from."""

    endpoint: PostgresEndpoint
    publication: str
    slot: str


def cuts_behind(position: StreamPosition, cuts: Collection[StreamPosition]) -> list[StreamPosition]:
    """What is left of `cuts` for a stream that starts at `position`: ascending, each once."""
    return sorted({cut for cut in cuts if cut > position})


class ChangeEngine(Protocol):
    """Reads one slot from a position and hands out batches.

    Order: batches come in stream order and cover it without a gap. Delivery: whatever was not acknowledged
    before a stop or a crash is delivered again after the next `start`. Durability: the slot is never
    advanced beyond `end.commit_lsn` of an acknowledged batch. Memory: unacknowledged batches are bounded by
    `capacity_bytes`, which one batch alone may exceed; when the bound is reached the engine stops reading, it
    never drops. Threads: `take`, `acknowledge` and `set_tables` may be called from different threads.
    """

    @property
    def capacity_bytes(self) -> int:
        """Bytes of batches that may be unacknowledged before the engine stops reading."""

    def start(
        self, position: StreamPosition, tables: Mapping[TableId, TableSpec], cuts: Collection[StreamPosition] = ()
    ) -> None:
        """Begins to stream; returns at once, `state()` tells when it streams.

        Changes at or before `position` are not delivered again, also where it cuts a transaction. A batch ends at
        each of `cuts` that lies behind `position`, so that a destination that holds everything up to there takes
        a batch whole or not at all; a cut is the end of a batch of an earlier start, of this engine or another.

        Raises:
            ResyncRequiredError: the slot is lost or already beyond `position`.
            OutageError: the source cannot be reached.
        """

    def take(self, timeout_seconds: float) -> ChangeBatch | None:
        """The next batch, or None when none came in time. A batch may be empty: it then only moves the position.

        Raises OutageError when the engine failed; the message says why.
        """

    def acknowledge(self, sequence: int) -> None:
        """Says that every destination holds the batches up to and with `sequence` durably (or parked)."""

    def mark(self, content: str, lsn: Lsn, /) -> None:
        """Has `content` come as a watermark, once, at a point between transactions at or behind `lsn`.

        For a source that is a standby, into whose log nothing can be written; `lsn`: up to where it has replayed.
        What stands before that point was committed before a snapshot that is taken after the watermark came. May be
        called from any thread.
        """

    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None:
        """Replaces the tables whose changes are delivered, from the next batch on; others are passed over."""

    def state(self) -> EngineState:
        """What is so now."""

    def stop(self) -> None:
        """Ends the stream and frees the slot; what was acknowledged is flushed first. Safe to call twice."""
