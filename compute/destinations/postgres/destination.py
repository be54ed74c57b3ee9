"""PostgreSQL as a destination: one connection, one target transaction per batch."""

from __future__ import annotations

from compute.destinations.base import Capabilities, TableTarget
from compute.destinations.postgres.changes import Changes
from compute.destinations.postgres.copies import Copies
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.tables import ensure_schema, ensure_table
from compute.destinations.transactional import TransactionalDestination
from rosetta.dialects.postgres import ddl
from rosetta.dialects.postgres.merge_table import OWN_SCHEMA
from rosetta.lsn import StreamPosition
from rosetta.postgres import PostgresEndpoint


class PostgresDestination(TransactionalDestination):
    """Writes to one PostgreSQL database; the contract is `Destination`'s."""

    capabilities = Capabilities()

    _session: Session

    def __init__(self, endpoint: PostgresEndpoint, pipeline_id: int, destination_id: int) -> None:
        self._pipeline_id = pipeline_id
        self._destination_id = destination_id
        self._session = Session(endpoint, f"rosetta writer {pipeline_id}/{destination_id}")
        self._progress = Progress(self._session, pipeline_id, destination_id)
        self._staging = Staging(self._session, f"{pipeline_id}_{destination_id}")
        parts = self._session, self._progress, self._staging
        super().__init__(self._session, Changes(*parts), Copies(*parts))

    def open(self, epoch: int) -> None:
        self._staging.clear()
        super().open(epoch)

    def _create_own_tables(self) -> None:
        if self._session.rows(ddl.OWN_TABLES_FOUND, "looking for Rosetta's own tables")[0][0]:
            return
        with self._session.transaction("creating Rosetta's own tables"):
            self._session.run(ddl.DDL_LOCK, "creating Rosetta's own tables")
            ensure_schema(self._session, OWN_SCHEMA)
            self._session.run(ddl.OWN_TABLES, "creating Rosetta's own tables")

    def _own_tables_grant(self) -> str:
        endpoint = self._session.endpoint
        return ddl.own_schema_grant(endpoint.user, endpoint.database)

    def _take_over(self, epoch: int) -> None:
        self._progress.take_fence(epoch)

    def ping(self) -> None:
        self._session.rows("SELECT 1", "asking the destination")

    def durable_position(self) -> StreamPosition | None:
        return self._progress.read()

    def ensure_table(self, target: TableTarget) -> bool:
        self._staging.forget(target.target)
        copy_name = self._staging.copy_name(target.sync_id)
        return ensure_table(self._session, target, self._pipeline_id, self._destination_id, copy_name)
