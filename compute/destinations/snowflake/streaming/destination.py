"""Snowflake as a destination that rows are streamed into: append mode without a warehouse, within seconds."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Final

from compute.destinations.base import (
    Capabilities,
    Durability,
    Refusal,
    Refusals,
    RefusedRecord,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.snowflake.destination import SnowflakeDestination
from compute.destinations.snowflake.streaming.channel import Pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.rows import encode, truncation
from compute.destinations.snowflake.streaming.stream import Part, Stream
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.dialects.snowflake.names import OWN_SCHEMA, own
from rosetta.enums import SyncMode
from rosetta.errors import UnsupportedError
from rosetta.lsn import StreamPosition
from rosetta.snowflake import SnowflakeEndpoint

PROGRESS_TABLE: Final = "STREAMED"
_CREATE_PROGRESS: Final = f"CREATE TABLE IF NOT EXISTS {own(PROGRESS_TABLE)} (EPOCH NUMBER(38,0), POSITION VARCHAR)"


def progress_pipe(endpoint: SnowflakeEndpoint) -> Pipe:
    return Pipe(endpoint.database, OWN_SCHEMA, PROGRESS_TABLE)


def channel_name(pipeline_id: int, destination_id: int) -> str:
    return f"rosetta_{pipeline_id}_{destination_id}"


class StreamingDestination(SnowflakeDestination):
    """Changes are streamed; copies, replays of parked changes and tables go by statements, as they do otherwise.

    A write is ACCEPTED. A row may be there twice after a crash, under the same change id (_ROSETTA_LSN, _ROSETTA_SEQ).
    """

    capabilities = Capabilities()

    @cached_property
    def stream(self) -> Stream:
        """The account's; tests put another one in its place before they open the destination."""
        endpoint = self._session.endpoint
        return Stream(StreamingRest(endpoint), progress_pipe(endpoint), channel_name(*self._owner))

    def open(self, epoch: int) -> None:
        super().open(epoch)
        self._session.run(_CREATE_PROGRESS, "creating Rosetta's own tables")
        self.stream.open(epoch)

    def close(self) -> None:
        self.stream.close()
        super().close()

    def ping(self) -> None:
        super().ping()
        self.stream.check()

    def durable_position(self) -> StreamPosition | None:
        return self.stream.durable_position()

    def ensure_table(self, target: TableTarget) -> bool | None:
        if target.mode is not SyncMode.APPEND:
            raise UnsupportedError(
                f"{target.source} is to be kept as it is, and streamed rows can only be appended",
                code="STREAMING_APPENDS",
                remedy="Set the table sync's mode to append, or turn snowflake_streaming off.",
            )
        return super().ensure_table(target)

    def start_copy(self, target: TableTarget) -> None:
        self.stream.begin_anew(target.sync_id, self._pipe(self._staging.described(target, target.schema.column_names)))
        super().start_copy(target)

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        """As the contract says but for its durability, which `durable_position` tells later."""
        if batch.end is None:
            return replace(super().write_changes(batch, refused), position=self.durable_position())
        parts, records = self._parts(batch)
        written = self.stream.write(batch.end, parts)
        fit = tuple(record for record in records if record.target.sync_id not in written.refused)
        refusal = Refusal(written.refused, fit)
        if refusal:
            refused(refusal)  # progress is not written before this returns
            self.stream.told(written.refused)
        return WriteResult(written.rows, Durability.ACCEPTED, batch.end, refusal)

    def _parts(self, batch: WriteBatch) -> tuple[list[Part], list[RefusedRecord]]:
        parts, records = [], []
        for target in batch.truncated:
            table = self._staging.described(target, target.schema.column_names)
            parts.append(Part(target.sync_id, self._pipe(table), [truncation(int(batch.truncation.commit_lsn))]))
        for write in batch.writes:
            table = self._staging.described(write.target, write.changes.columns)
            encoded = encode(write.changes, table.columns)
            parts.append(Part(write.target.sync_id, self._pipe(table), encoded.lines))
            records += [RefusedRecord(write.target, changes, error) for changes, error in encoded.refused]
        return parts, records

    def _pipe(self, table: MergeTable) -> Pipe:
        return Pipe(self._session.endpoint.database, table.target.schema, table.target.name)
