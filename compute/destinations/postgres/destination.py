"""PostgreSQL as a destination: one connection, one target transaction per batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from compute.core.batch import TableChanges
from compute.destinations.base import (
    Capabilities,
    Durability,
    RowChunk,
    TableTarget,
    WriteBatch,
    WriteResult,
)
from compute.destinations.postgres.copies import Copies
from compute.destinations.postgres.progress import Progress
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.tables import ensure_schema, ensure_table
from compute.destinations.postgres.writers import writer_for
from rosetta.dialects.postgres import ddl
from rosetta.dialects.postgres.merge_table import (
    OWN_SCHEMA,
    MergeTable,
    copy_changes_sql,
)
from rosetta.errors import ConfigurationError, DataError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import StreamPosition
from rosetta.postgres import PostgresEndpoint


@dataclass
class _SyncWork:
    """What a batch holds for one table sync, applied whole or not at all."""

    target: TableTarget
    truncated: bool = False
    changes: list[TableChanges] = field(default_factory=list)


class PostgresDestination:
    """Writes to one PostgreSQL database; the contract is `Destination`'s.

    `default_schema` is where tables go whose target names no schema of its own.
    """

    capabilities = Capabilities(
        transactional=True, truncate=True, current_state=True, append=True, soft_delete=True, max_value_bytes=1 << 30
    )

    def __init__(
        self, endpoint: PostgresEndpoint, pipeline_id: int, destination_id: int, default_schema: str | None = None
    ) -> None:
        self.default_schema = default_schema
        self._pipeline_id = pipeline_id
        self._destination_id = destination_id
        self._session = Session(endpoint, f"rosetta writer {pipeline_id}/{destination_id}")
        self._progress = Progress(self._session, pipeline_id, destination_id)
        self._staging = Staging(self._session, f"{pipeline_id}_{destination_id}")
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
        found = "SELECT to_regclass('_rosetta.progress') IS NOT NULL AND to_regclass('_rosetta.tables') IS NOT NULL"
        if self._session.rows(found, "looking for Rosetta's own tables")[0][0]:
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

    def ensure_table(self, target: TableTarget) -> None:
        placed = self._placed(target)
        self._staging.forget(placed.target)
        ensure_table(self._session, placed, self._pipeline_id, self._destination_id)

    def write_changes(self, batch: WriteBatch) -> WriteResult:
        work, failures = _by_sync(batch), dict[int, RosettaError]()
        self._stage(work.values(), failures)
        durable = self._progress.begin()
        if durable is not None and batch.end <= durable:
            self._session.rollback()
            return WriteResult(0, Durability.DURABLE, durable)
        try:
            rows = 0
            for sync_id, table_work in work.items():
                if sync_id not in failures:
                    rows += self._write_sync(table_work, batch.end, failures)
            self._progress.commit(batch.end)
        except BaseException:
            self._session.rollback()
            raise
        return WriteResult(rows, Durability.DURABLE, batch.end, failures)

    def _stage(self, work: Iterable[_SyncWork], failures: dict[int, RosettaError]) -> None:
        """Makes the staging tables, outside of the batch's transaction so that they outlive it."""
        for table_work in work:
            try:
                for changes in table_work.changes:
                    self._table(table_work.target, changes.columns, changes.key)
                if table_work.truncated:
                    self._whole_table(table_work.target)
            except DataError as error:
                failures[table_work.target.sync_id] = error

    def _write_sync(self, work: _SyncWork, end: StreamPosition, failures: dict[int, RosettaError]) -> int:
        """Applies one sync's part under a savepoint; a refusal is noted and undone. Returns the changes applied."""
        doing, rows = f"writing {work.target.target}", 0
        self._session.run("SAVEPOINT sync", doing)
        writer, copying = writer_for(work.target), work.target.copying
        try:
            if work.truncated:
                writer.truncate(self._session, self._whole_table(work.target), end, copying)
            for changes in work.changes:
                table = self._table(work.target, changes.columns, changes.key)
                if rows:  # an earlier shape of the same table was staged in this transaction
                    self._session.run(f"DELETE FROM {table.staging}", doing)
                rows += self._session.copy(copy_changes_sql(table), changes.data, doing)
                writer.changes(self._session, table, changes, copying)
            self._session.run("RELEASE SAVEPOINT sync", doing)
            return rows
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT sync; RELEASE SAVEPOINT sync", doing)
            failures[work.target.sync_id] = error
            return 0

    def write_rows(self, chunk: RowChunk) -> int:
        return self._copies.write_rows(replace(chunk, target=self._placed(chunk.target)))

    def start_copy(self, target: TableTarget) -> None:
        self._copies.start(self._placed(target))

    def unfilled_keys(self, target: TableTarget) -> list[tuple[str, ...]]:
        return self._copies.unfilled_keys(self._placed(target))

    def finish_copy(self, target: TableTarget) -> None:
        self._copies.finish(self._placed(target))

    def _whole_table(self, target: TableTarget) -> MergeTable:
        return self._table(target, target.schema.column_names, target.schema.key)

    def _table(self, target: TableTarget, columns: tuple[str, ...], key: tuple[str, ...]) -> MergeTable:
        return self._staging.table(self._placed(target), columns, key)

    def _placed(self, target: TableTarget) -> TableTarget:
        if target.target.schema or self.default_schema is None:
            return target
        return replace(target, target=TableId(self.default_schema, target.target.name))


def _by_sync(batch: WriteBatch) -> dict[int, _SyncWork]:
    """Groups a batch by table sync, in the order in which the syncs first appear."""
    work: dict[int, _SyncWork] = {}
    for target in batch.truncated:
        work.setdefault(target.sync_id, _SyncWork(target)).truncated = True
    for write in batch.writes:
        work.setdefault(write.target.sync_id, _SyncWork(write.target)).changes.append(write.changes)
    return work
