"""PostgreSQL as a destination: one connection, one target transaction per batch."""

from __future__ import annotations

from compute.destinations.base import (
    Capabilities,
    RangeCheck,
    Refusals,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
    ignore_refusals,
)
from compute.destinations.postgres.changes import Changes
from compute.destinations.postgres.copies import Copies
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.tables import ensure_schema, ensure_table
from rosetta.dialects.postgres import ddl
from rosetta.dialects.postgres.merge_table import OWN_SCHEMA
from rosetta.errors import ConfigurationError, DataError
from rosetta.lsn import StreamPosition
from rosetta.postgres import PostgresEndpoint


class PostgresDestination:
    """Writes to one PostgreSQL database; the contract is `Destination`'s."""

    capabilities = Capabilities(
        transactional=True, truncate=True, current_state=True, append=True, soft_delete=True, max_value_bytes=1 << 30
    )

    def __init__(self, endpoint: PostgresEndpoint, pipeline_id: int, destination_id: int) -> None:
        self._pipeline_id = pipeline_id
        self._destination_id = destination_id
        self._session = Session(endpoint, f"rosetta writer {pipeline_id}/{destination_id}")
        self._progress = Progress(self._session, pipeline_id, destination_id)
        self._staging = Staging(self._session, f"{pipeline_id}_{destination_id}")
        self._changes = Changes(self._session, self._progress, self._staging)
        self._copies = Copies(self._session, self._progress, self._staging)

    def open(self, epoch: int) -> None:
        self._staging.clear()
        self._session.connect()
        try:
            self._create_own_tables()
            self._progress.take_fence(epoch)
        except BaseException:
            self.close()
            raise

    def _create_own_tables(self) -> None:
        if self._session.rows(ddl.OWN_TABLES_FOUND, "looking for Rosetta's own tables")[0][0]:
            return
        try:
            with self._session.transaction("creating Rosetta's own tables"):
                self._session.run(ddl.DDL_LOCK, "creating Rosetta's own tables")
                ensure_schema(self._session, OWN_SCHEMA)
                self._session.run(ddl.OWN_TABLES, "creating Rosetta's own tables")
        except DataError as error:
            raise ConfigurationError(error.message, code=error.code, remedy=self._own_schema_grant()) from None

    def _own_schema_grant(self) -> str:
        endpoint = self._session.endpoint
        return ddl.own_schema_grant(endpoint.user, endpoint.database)

    def close(self) -> None:
        self._session.close()

    def ping(self) -> None:
        self._session.rows("SELECT 1", "asking the destination")

    def durable_position(self) -> StreamPosition | None:
        return self._progress.read()

    def ensure_table(self, target: TableTarget) -> bool:
        self._staging.forget(target.target)
        copy_name = self._staging.copy_name(target.sync_id)
        return ensure_table(self._session, target, self._pipeline_id, self._destination_id, copy_name)

    def write_changes(self, batch: WriteBatch, refused: Refusals = ignore_refusals) -> WriteResult:
        return self._changes.write(batch, refused)

    def write_rows(self, chunk: RowChunk, refused: Refusals | None = None) -> int:
        return self._copies.write_rows(chunk, refused)

    def matches(self, check: RangeCheck) -> bool:
        return self._copies.matches(check)

    def start_copy(self, target: TableTarget) -> None:
        self._copies.start(target)

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        return self._copies.unfilled_keys(target)

    def unconfirmed_keys(self, target: TableTarget, after: tuple[str, ...] | None) -> list[tuple[str, ...]]:
        return self._copies.unconfirmed_keys(target, after)

    def finish_copy(self, target: TableTarget) -> None:
        self._copies.finish(target)
