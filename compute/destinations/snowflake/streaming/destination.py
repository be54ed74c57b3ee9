"""Snowflake as a destination that changes are streamed into within seconds, without a warehouse."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

from compute.destinations.base import (
    Capabilities,
    Durability,
    Refusal,
    Refusals,
    RefusedRecord,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.options import DEFAULTS, Options
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.streaming.channel import Pipe
from compute.destinations.snowflake.streaming.landing_merge import LandingMerge
from compute.destinations.snowflake.streaming.landings import Landings
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.rows import encode, truncation
from compute.destinations.snowflake.streaming.stream import Part, Stream
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import OWN_SCHEMA, own
from rosetta.enums import SyncMode
from rosetta.lsn import StreamPosition
from rosetta.snowflake import SnowflakeEndpoint

# How long changes are loaded by files once a chunk was, at least.
_COPY_SECONDS: Final = 30.0
PROGRESS_TABLE: Final = "STREAMED"
_CREATE_PROGRESS: Final = f"CREATE TABLE IF NOT EXISTS {own(PROGRESS_TABLE)} (EPOCH NUMBER(38,0), POSITION VARCHAR)"


def progress_pipe(endpoint: SnowflakeEndpoint) -> Pipe:
    return Pipe(endpoint.database, OWN_SCHEMA, PROGRESS_TABLE)


def channel_name(pipeline_id: int, destination_id: int) -> str:
    return f"rosetta_{pipeline_id}_{destination_id}"


@dataclass
class _Parts:
    """A batch on its way: what is sent, the tables of which it lands, and changes that no request takes."""

    parts: list[Part] = field(default_factory=list)
    landing: list[TableTarget] = field(default_factory=list)
    records: list[RefusedRecord] = field(default_factory=list)


class StreamingDestination(SnowflakeDestination):
    """Changes are streamed; copies, replays of parked changes and tables go by statements, as they do otherwise.

    Tables in append mode are streamed into themselves: a row may be there twice after a crash, under the same change id
    (_ROSETTA_LSN, _ROSETTA_SEQ). Those that keep current rows are streamed into landings, and `catch_up` merges what
    has landed. Such a write is ACCEPTED, and durable once it has landed.

    A batch is loaded by files, behind all that has landed, where it empties a table that keeps current rows, or while
    one is copied: chunks find the target as the stream says.
    """

    capabilities = Capabilities()

    def __init__(
        self,
        endpoint: SnowflakeEndpoint,
        pipeline_id: int,
        destination_id: int,
        options: Options = DEFAULTS,
        session: Session | None = None,
    ) -> None:
        super().__init__(endpoint, pipeline_id, destination_id, options, session)
        self._limits = options.gathering
        self._loads_until = float("-inf")
        self._landings = Landings(self._session, self._progress, self._staging)
        self._merge = LandingMerge(
            self._session, self._progress, self._loads, self._landings, lambda: self.stream, options.gathering
        )

    @cached_property
    def stream(self) -> Stream:
        """The account's; tests put another one in its place before they open the destination."""
        endpoint = self._session.endpoint
        return Stream(StreamingRest(endpoint), progress_pipe(endpoint), channel_name(*self._owner))

    def open(self, epoch: int) -> None:
        super().open(epoch)
        self._session.run(_CREATE_PROGRESS, "creating Rosetta's own tables")
        self.stream.open(epoch)
        self._landings.open(self.stream, self.durable_position())

    def close(self) -> None:
        self.stream.close()
        super().close()

    def ping(self) -> None:
        super().ping()
        self.stream.check()

    def durable_position(self) -> StreamPosition | None:
        """What has landed, or was written by statements since."""
        places = (self.stream.durable_position(), self._progress.position)
        return max((place for place in places if place is not None), default=None)

    def ensure_table(self, target: TableTarget) -> bool | None:
        if target.mode is SyncMode.CURRENT:
            self._merge.serve(target)
        return super().ensure_table(target)

    def catch_up(self, refused: Refusals, /, *, wholly: bool = False) -> None:
        if wholly:
            self._merge.merge_all(refused)
        elif self._merge.due:
            self.stream.settle()
            self._merge.merge(refused)

    def start_copy(self, target: TableTarget) -> None:
        if target.mode is SyncMode.APPEND:
            table = self._staging.described(target, target.schema.column_names)
            self.stream.begin_anew(target.sync_id, _pipe_of(self._session.endpoint, table))
        for landing in self._landings.of(target.sync_id):
            self.stream.begin_anew(target.sync_id, self._landings.pipe(landing))
        super().start_copy(target)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        if chunk.target.mode is SyncMode.CURRENT:
            self._load_for_now()
        return super().write_rows(chunk, refused)

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        """As the contract says but for its durability, which `durable_position` tells later."""
        known = self.durable_position()
        if batch.end is not None and known is not None and batch.end <= known:
            return WriteResult(0, Durability.DURABLE, known)
        parts = None if self._is_loaded(batch) else self._parts(batch)
        if batch.end is None or parts is None:
            return self._load(batch, refused)
        return self._send(batch.end, parts, refused)

    def _is_loaded(self, batch: WriteBatch) -> bool:
        """Whether a batch goes by files."""
        current = [write for write in batch.writes if write.target.mode is SyncMode.CURRENT]
        if any(write.target.copying for write in current):
            self._load_for_now()
        return (
            batch.end is None
            or self.stream.clock.now() < self._loads_until
            or any(target.mode is SyncMode.CURRENT for target in batch.truncated)
            or len({write.target.sync_id for write in current}) < len(current)
            or any(
                self._merge.awaits(write.target) and not self._landings.is_last(write.target, write.changes)
                for write in current
            )
        )

    def _load_for_now(self) -> None:
        """A copy goes on: to wait for a landing with each of its chunks would take longer than to load some files."""
        self._loads_until = self.stream.clock.now() + max(self._limits.seconds, _COPY_SECONDS)

    def _load(self, batch: WriteBatch, refused: Refusals) -> WriteResult:
        if batch.end is not None:
            self._merge.wait(refused)  # or its position would stand before what was only accepted
        self._merge.merge_all(refused)
        result = super().write_changes(batch, refused)
        if batch.end is None:
            return replace(result, position=self.durable_position())
        self.stream.write(batch.end, [])
        return result

    def _send(self, end: StreamPosition, parts: _Parts, refused: Refusals) -> WriteResult:
        written = self.stream.write(end, parts.parts)
        if parts.landing:
            self._merge.sent(parts.landing, written.rows, sum(len(line) for part in parts.parts for line in part.lines))
        fit = tuple(record for record in parts.records if record.target.sync_id not in written.refused)
        refusal = Refusal(written.refused, fit)
        if refusal:
            refused(refusal)  # progress is not written before this returns
            self.stream.channels.told(written.refused)
        return WriteResult(written.rows, Durability.ACCEPTED, end, refusal)

    def _parts(self, batch: WriteBatch) -> _Parts | None:
        """None: something is too large for a landing."""
        made, endpoint = _Parts(), self._session.endpoint
        for target in batch.truncated:
            table = self._staging.described(target, target.schema.column_names)
            lines = [truncation(int(batch.truncation.commit_lsn))]
            made.parts.append(Part(target.sync_id, _pipe_of(endpoint, table), lines))
        for write in batch.writes:
            target, changes = write.target, write.changes
            if target.mode is SyncMode.CURRENT:
                part = self._landings.part(target, changes, batch.truncation)
                if part is None:
                    return None
                made.parts.append(part)
                made.landing.append(target)
                continue
            table = self._staging.described(target, changes.columns)
            encoded = encode(changes, table.columns)
            made.parts.append(Part(target.sync_id, _pipe_of(endpoint, table), encoded.lines))
            made.records += [RefusedRecord(target, changes, error) for changes, error in encoded.refused]
        return made


def _pipe_of(endpoint: SnowflakeEndpoint, table: MergeTable) -> Pipe:
    return Pipe(endpoint.database, table.target.schema, table.target.name)
