"""What one pipeline consists of, with its secrets opened: read by its process at start and at every reload."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from compute.core.catalog.database import ConfigDatabase
from compute.sources.postgres import Origin
from rosetta.endpoints import source_endpoint
from rosetta.enums import (
    DeleteMode,
    DestinationType,
    EngineKind,
    ParkPolicy,
    Profile,
    SyncMode,
    TableSyncDesired,
    TableSyncState,
)
from rosetta.errors import ConfigurationError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint
from rosetta.sealing import open_config
from rosetta.secrets import Keyring
from rosetta.tables import Destination, Pipeline, PipelineDestination, PipelineMetadata, Source, TableSync


@dataclass(frozen=True, slots=True)
class TableSyncPlan:
    """One row of `table_syncs`; `transforms` names what it asks for beyond a plain copy of the table.

    `held`: its target refuses it, and what came since waits in the ledger.
    """

    sync_id: int
    source: TableId
    target_schema: str | None
    target_name: str | None
    mode: SyncMode
    delete_mode: DeleteMode
    desired: TableSyncDesired
    state: TableSyncState
    error_code: str | None = None
    transforms: tuple[str, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class DestinationPlan:
    """One destination of the pipeline.

    `problem`: why its configuration cannot be used; the others go on. `reported`: how far it once said it was.
    `parked`: how far its stream is in the ledger. `detached`: suspended, for having parked too much.
    """

    destination_id: int
    pipeline_destination_id: int
    name: str
    type: DestinationType
    config: dict[str, Any] = field(repr=False)
    sync_all_tables: bool
    tables: tuple[TableSyncPlan, ...]
    problem: RosettaError | None = None
    reported: Lsn | None = None
    parked: StreamPosition | None = None
    park_policy: ParkPolicy = ParkPolicy.BLOCK
    detached: bool = False

    @property
    def resync_asked(self) -> bool:
        """Whether a person wants any of its tables copied again."""
        return any(sync.desired is TableSyncDesired.RESYNC for sync in self.tables)

    @property
    def begins_anew(self) -> bool:
        """Whether every table of it will be copied from the beginning, and nothing is parked for it."""
        fresh = {TableSyncState.PENDING, TableSyncState.RESYNC}
        return self.parked is None and all(
            sync.state in fresh or sync.desired is TableSyncDesired.RESYNC for sync in self.tables
        )

    @property
    def established(self) -> bool:
        """Whether what it holds is to be continued, so that a gap in the stream would be a loss."""
        return any(
            (sync.state in {TableSyncState.COPYING, TableSyncState.STREAMING} or sync.held)
            and sync.desired is not TableSyncDesired.RESYNC
            for sync in self.tables
        )

    @property
    def default_schema(self) -> str | None:
        """The schema that tables go to unless they name one; None: the source table's own."""
        key = "pg_schema" if self.type is DestinationType.POSTGRESQL else "snowflake_schema"
        value = self.config.get(key)
        return str(value) if value else None


@dataclass(frozen=True, slots=True)
class PipelinePlan:
    """One pipeline.

    Attributes:
        acknowledged: None until its slot was created.
        origin: the cluster and timeline that its slot lives on, once it does.
        dropped_for: why Rosetta has dropped the slot itself.
        failover: slots are made for standbys to follow, where the server can.
    """

    pipeline_id: int
    name: str
    source_id: int
    endpoint: PostgresEndpoint
    publication: str
    slot: str
    acknowledged: Lsn | None
    origin: Origin | None
    dropped_for: str | None
    failover: bool
    engine: EngineKind
    profile: Profile
    max_batch_rows: int | None
    max_queue_rows: int | None
    destinations: tuple[DestinationPlan, ...]


class Plans:
    """Reads plans and keeps what is learnt of a pipeline's slot. Raises OutageError while the database is away."""

    def __init__(self, database: ConfigDatabase, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    def read(self, pipeline_id: int) -> PipelinePlan:
        """The plan as of now. Raises ConfigurationError when the pipeline is gone or its source makes no sense."""
        try:
            with self._database.transaction() as session:
                pipeline = session.get(Pipeline, pipeline_id)
                if pipeline is None:
                    raise ConfigurationError(f"pipeline {pipeline_id} does not exist any more", code="PIPELINE_DELETED")
                source = session.get_one(Source, pipeline.source_id)
                destinations = tuple(self._destinations(session, pipeline_id))
                session.expunge_all()
        except ValueError:  # a value that no enumeration knows: someone has removed a CHECK
            raise ConfigurationError(
                f"the configuration of pipeline {pipeline_id} holds a value that does not exist",
                code="INVALID_CONFIGURATION",
            ) from None
        return PipelinePlan(
            pipeline_id=pipeline_id,
            name=pipeline.name,
            source_id=source.id,
            endpoint=source_endpoint(source, self._keyring),
            publication=source.publication_name,
            slot=pipeline.slot_name or slot_name(source, pipeline_id),
            acknowledged=pipeline.acknowledged_lsn,
            origin=None if pipeline.slot_origin is None else Origin.parse(pipeline.slot_origin),
            dropped_for=pipeline.slot_dropped_for,
            failover=source.slot_failover,
            engine=pipeline.engine,
            profile=pipeline.profile,
            max_batch_rows=pipeline.max_batch_rows,
            max_queue_rows=pipeline.max_queue_rows,
            destinations=destinations,
        )

    def endpoint(self, source_id: int) -> PostgresEndpoint:
        """How to reach a source. Raises ConfigurationError (SecretError for its password) when that is not known."""
        with self._database.transaction() as session:
            source = session.get(Source, source_id)
            if source is None:
                raise ConfigurationError(f"source {source_id} does not exist any more", code="SOURCE_DELETED")
            session.expunge_all()
        return source_endpoint(source, self._keyring)

    def destination(self, destination_id: int) -> tuple[DestinationType, dict[str, Any]]:
        """Kind and opened config of a destination. Raises ConfigurationError (SecretError) when it is not known."""
        with self._database.transaction() as session:
            row = session.get(Destination, destination_id)
            if row is None:
                raise ConfigurationError(
                    f"destination {destination_id} does not exist any more", code="DESTINATION_DELETED"
                )
            session.expunge_all()
        return DestinationType(row.type), open_config(row, self._keyring)

    def name_slot(self, pipeline_id: int, slot: str) -> None:
        """Notes a slot's name; called before the slot is made, so that deleting the pipeline finds it."""
        with self._database.transaction() as session:
            session.execute(_NAME_SLOT, {"id": pipeline_id, "slot": slot})

    def slot_created(self, pipeline_id: int, lsn: Lsn, source_id: int, origin: Origin) -> None:
        """From now on a missing slot is a loss."""
        with self._database.transaction() as session:
            session.execute(_SLOT_MADE, {"id": pipeline_id, "lsn": str(lsn), "origin": str(origin)})
            session.execute(_CLUSTER, {"id": source_id, "system_identifier": origin.system_identifier})

    def followed(self, pipeline_id: int, origin: Origin) -> None:
        """The source goes on along another timeline, which holds all that was acknowledged."""
        with self._database.transaction() as session:
            session.execute(_FOLLOWED, {"id": pipeline_id, "origin": str(origin)})

    def acknowledge(self, pipeline_id: int, lsn: Lsn) -> None:
        """Notes how far every destination is, unless somebody has asked for a new beginning (NULL) meanwhile."""
        with self._database.transaction() as session:
            session.execute(_ADVANCE, {"id": pipeline_id, "lsn": str(lsn)})

    def _destinations(self, session: Session, pipeline_id: int) -> list[DestinationPlan]:
        query = (
            select(PipelineDestination, Destination)
            .join(Destination, Destination.id == PipelineDestination.destination_id)
            .where(PipelineDestination.pipeline_id == pipeline_id)
            .order_by(Destination.id)
        )
        return [self._destination(session, joined, row) for joined, row in session.execute(query).tuples()]

    def _destination(self, session: Session, joined: PipelineDestination, row: Destination) -> DestinationPlan:
        config: dict[str, Any] = {}
        problem: RosettaError | None = None
        try:
            config = open_config(row, self._keyring)
        except RosettaError as error:
            problem = error
        reported = session.scalar(
            select(PipelineMetadata.durable_lsn).where(
                PipelineMetadata.pipeline_id == joined.pipeline_id, PipelineMetadata.destination_id == row.id
            )
        )
        syncs = session.scalars(
            select(TableSync).where(TableSync.pipeline_destination_id == joined.id).order_by(TableSync.id)
        )
        return DestinationPlan(
            destination_id=row.id,
            pipeline_destination_id=joined.id,
            name=row.name,
            type=DestinationType(row.type),
            config=config,
            sync_all_tables=joined.sync_all_tables,
            tables=tuple(_table_sync(sync, held=_is_held(session, sync)) for sync in syncs),
            problem=problem,
            reported=reported,
            parked=_parked(joined),
            park_policy=ParkPolicy(joined.park_policy),
            detached=joined.detached_at is not None,
        )


_SLOT_MADE = text("""
    UPDATE pipelines SET acknowledged_lsn = GREATEST(acknowledged_lsn, CAST(:lsn AS pg_lsn)), slot_origin = :origin,
        slot_dropped_for = NULL
    WHERE id = :id""")
_FOLLOWED = text("UPDATE pipelines SET slot_origin = :origin WHERE id = :id AND slot_origin IS DISTINCT FROM :origin")
_HELD = text("""
    SELECT EXISTS (SELECT FROM dlq_records WHERE table_sync_id = :id AND kind = 'SEGMENT' AND error_class = 'DATA'
        AND state IN ('PARKED', 'RETRYING'))""")
_NAME_SLOT = text("UPDATE pipelines SET slot_name = :slot WHERE id = :id")
_ADVANCE = text("""
    UPDATE pipelines SET acknowledged_lsn = CAST(:lsn AS pg_lsn)
    WHERE id = :id AND acknowledged_lsn < CAST(:lsn AS pg_lsn)""")
_CLUSTER = text("""
    UPDATE sources SET system_identifier = :system_identifier
    WHERE id = :id AND system_identifier IS DISTINCT FROM :system_identifier""")


def slot_name(source: Source, pipeline_id: int) -> str:
    """`rosetta_{replication_id}_{pipeline_id}`, or with the prefix that the source names."""
    prefix = source.replication_name or f"rosetta_{source.replication_id}"
    return f"{prefix}_{pipeline_id}"


def _parked(joined: PipelineDestination) -> StreamPosition | None:
    if joined.parked_commit_lsn is None:
        return None
    return StreamPosition(joined.parked_commit_lsn, joined.parked_change_lsn or Lsn(0), joined.parked_ordinal or 0)


def _is_held(session: Session, sync: TableSync) -> bool:
    """Only of a table in error it matters: one that streams finds in the ledger what it has waiting."""
    return sync.state is TableSyncState.ERROR and bool(session.execute(_HELD, {"id": sync.id}).scalar())


def _table_sync(sync: TableSync, *, held: bool) -> TableSyncPlan:
    asked = {"columns": sync.columns, "filters": sync.filters, "custom_sql": sync.custom_sql, "masks": sync.masks}
    return TableSyncPlan(
        sync_id=sync.id,
        source=TableId(sync.schema_name, sync.table_name),
        target_schema=sync.target_schema,
        target_name=sync.target_name,
        mode=SyncMode(sync.mode),
        delete_mode=DeleteMode(sync.delete_mode),
        desired=TableSyncDesired(sync.desired_state),
        state=TableSyncState(sync.state),
        error_code=sync.error_code,
        transforms=tuple(name for name, value in asked.items() if value),
        held=held,
    )
