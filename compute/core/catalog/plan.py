"""What one pipeline consists of, with its secrets opened: read by its process at start and at every reload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Any

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Row
from compute.sources.postgres import Origin
from rosetta.endpoints import source_endpoint
from rosetta.enums import (
    DeleteMode,
    DestinationType,
    EngineKind,
    ParkPolicy,
    Profile,
    SchemaPolicy,
    SyncMode,
    TableSyncDesired,
    TableSyncState,
)
from rosetta.errors import ConfigurationError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint
from rosetta.sealed import open_config
from rosetta.secrets import Keyring
from rosetta.table_rules import TableRules


@dataclass(frozen=True, slots=True)
class TableSyncPlan:
    """One row of `table_syncs`.

    Attributes:
        held: its target refuses it, and what came since waits in the ledger.
        rules: what of the table is sent, and how.
        problem: why the row makes no sense; None when it does.
        policy: what becomes of the target when the table changes its shape.
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
    held: bool = False
    rules: TableRules = field(default_factory=TableRules)
    problem: RosettaError | None = None
    policy: SchemaPolicy = SchemaPolicy.EVOLVE


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


_PIPELINE = """
    SELECT p.id, p.name, p.source_id, p.slot_name, p.acknowledged_lsn, p.slot_origin, p.slot_dropped_for, p.engine,
        p.profile, p.max_batch_rows, p.max_queue_rows, s.publication_name, s.slot_failover,
        COALESCE(s.replication_name, 'rosetta_' || s.replication_id) AS slot_prefix
    FROM pipelines p JOIN sources s ON s.id = p.source_id WHERE p.id = %(id)s"""
_SOURCE = """
    SELECT id, pg_host, pg_port, pg_database, pg_username, pg_password, sslmode FROM sources WHERE id = %(id)s"""
_DESTINATION = "SELECT id, type, config FROM destinations WHERE id = %(id)s"
_DESTINATIONS = """
    SELECT d.id, d.name, d.type, d.config, pd.id AS joined_id, pd.sync_all_tables, pd.park_policy,
        pd.parked_commit_lsn, pd.parked_change_lsn, pd.parked_ordinal, pd.detached_at, m.durable_lsn
    FROM pipeline_destinations pd JOIN destinations d ON d.id = pd.destination_id
    LEFT JOIN pipeline_metadata m ON m.pipeline_id = pd.pipeline_id AND m.destination_id = pd.destination_id
    WHERE pd.pipeline_id = %(id)s ORDER BY d.id"""
# Only of a table in error it matters whether it is held: one that streams finds in the ledger what it has waiting.
_TABLES = """
    SELECT t.id, t.pipeline_destination_id, t.schema_name, t.table_name, t.target_schema, t.target_name, t.mode,
        t.delete_mode, t.desired_state, t.state, t.error_code, t.schema_policy, t.columns, t.filters,
        t.custom_sql, t.masks,
        t.state = 'ERROR' AND EXISTS (
            SELECT FROM dlq_records r WHERE r.table_sync_id = t.id AND r.kind = 'SEGMENT' AND r.error_class = 'DATA'
                AND r.state IN ('PARKED', 'RETRYING')) AS held
    FROM table_syncs t JOIN pipeline_destinations pd ON pd.id = t.pipeline_destination_id
    WHERE pd.pipeline_id = %(id)s ORDER BY t.pipeline_destination_id, t.id"""
_SLOT_MADE = """
    UPDATE pipelines SET acknowledged_lsn = GREATEST(acknowledged_lsn, CAST(%(lsn)s AS pg_lsn)),
        slot_origin = %(origin)s, slot_dropped_for = NULL
    WHERE id = %(id)s"""
_FOLLOWED = (
    "UPDATE pipelines SET slot_origin = %(origin)s WHERE id = %(id)s AND slot_origin IS DISTINCT FROM %(origin)s"
)
_NAME_SLOT = "UPDATE pipelines SET slot_name = %(slot)s WHERE id = %(id)s"
_ADVANCE = """
    UPDATE pipelines SET acknowledged_lsn = CAST(%(lsn)s AS pg_lsn)
    WHERE id = %(id)s AND acknowledged_lsn < CAST(%(lsn)s AS pg_lsn)"""
_CLUSTER = """
    UPDATE sources SET system_identifier = %(system_identifier)s
    WHERE id = %(id)s AND system_identifier IS DISTINCT FROM %(system_identifier)s"""


class Plans:
    """Reads plans and keeps what is learnt of a pipeline's slot. Raises OutageError while the database is away."""

    def __init__(self, database: ConfigDatabase, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    def read(self, pipeline_id: int) -> PipelinePlan:
        """The plan as of now. Raises ConfigurationError when the pipeline is gone or its source makes no sense."""
        with self._database.transaction() as session:
            pipeline = session.execute(_PIPELINE, {"id": pipeline_id}).one_or_none()
            if pipeline is None:
                raise ConfigurationError(f"pipeline {pipeline_id} does not exist any more", code="PIPELINE_DELETED")
            source = session.execute(_SOURCE, {"id": pipeline.source_id}).one()
            destinations = session.execute(_DESTINATIONS, {"id": pipeline_id})
            tables = session.execute(_TABLES, {"id": pipeline_id})
        endpoint = source_endpoint(source, self._keyring)
        try:
            return _pipeline(pipeline, endpoint, self._destinations(destinations, tables))
        except ValueError:  # a value that no enumeration knows: someone has removed a CHECK
            raise ConfigurationError(
                f"the configuration of pipeline {pipeline_id} holds a value that does not exist",
                code="INVALID_CONFIGURATION",
            ) from None

    def endpoint(self, source_id: int) -> PostgresEndpoint:
        """How to reach a source. Raises ConfigurationError (SecretError for its password) when that is not known."""
        with self._database.transaction() as session:
            source = session.execute(_SOURCE, {"id": source_id}).one_or_none()
        if source is None:
            raise ConfigurationError(f"source {source_id} does not exist any more", code="SOURCE_DELETED")
        return source_endpoint(source, self._keyring)

    def destination(self, destination_id: int) -> tuple[DestinationType, dict[str, Any]]:
        """Kind and opened config of a destination. Raises ConfigurationError (SecretError) when it is not known."""
        with self._database.transaction() as session:
            row = session.execute(_DESTINATION, {"id": destination_id}).one_or_none()
        if row is None:
            raise ConfigurationError(
                f"destination {destination_id} does not exist any more", code="DESTINATION_DELETED"
            )
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

    def _destinations(self, destinations: Iterable[Row], tables: Iterable[Row]) -> tuple[DestinationPlan, ...]:
        by_destination = {
            joined_id: tuple(map(_table_sync, rows))
            for joined_id, rows in groupby(tables, attrgetter("pipeline_destination_id"))
        }
        return tuple(self._destination(row, by_destination.get(row.joined_id, ())) for row in destinations)

    def _destination(self, row: Row, tables: tuple[TableSyncPlan, ...]) -> DestinationPlan:
        config: dict[str, Any] = {}
        problem: RosettaError | None = None
        try:
            config = open_config(row, self._keyring)
        except RosettaError as error:
            problem = error
        return DestinationPlan(
            destination_id=row.id,
            pipeline_destination_id=row.joined_id,
            name=row.name,
            type=DestinationType(row.type),
            config=config,
            sync_all_tables=row.sync_all_tables,
            tables=tables,
            problem=problem,
            reported=_lsn(row.durable_lsn),
            parked=_parked(row),
            park_policy=ParkPolicy(row.park_policy),
            detached=row.detached_at is not None,
        )


def _pipeline(row: Row, endpoint: PostgresEndpoint, destinations: tuple[DestinationPlan, ...]) -> PipelinePlan:
    return PipelinePlan(
        pipeline_id=row.id,
        name=row.name,
        source_id=row.source_id,
        endpoint=endpoint,
        publication=row.publication_name,
        slot=row.slot_name or f"{row.slot_prefix}_{row.id}",
        acknowledged=_lsn(row.acknowledged_lsn),
        origin=None if row.slot_origin is None else Origin.parse(row.slot_origin),
        dropped_for=row.slot_dropped_for,
        failover=row.slot_failover,
        engine=EngineKind(row.engine),
        profile=Profile(row.profile),
        max_batch_rows=row.max_batch_rows,
        max_queue_rows=row.max_queue_rows,
        destinations=destinations,
    )


def _lsn(text: str | None) -> Lsn | None:
    return None if text is None else Lsn.parse(text)


def _parked(row: Row) -> StreamPosition | None:
    if row.parked_commit_lsn is None:
        return None
    change = _lsn(row.parked_change_lsn) or Lsn(0)
    return StreamPosition(Lsn.parse(row.parked_commit_lsn), change, row.parked_ordinal or 0)


def _table_sync(row: Row) -> TableSyncPlan:
    rules, problem = TableRules(), None
    try:
        rules = TableRules.parse(row.columns, row.masks, row.filters, row.custom_sql)
    except RosettaError as error:
        problem = error
    return TableSyncPlan(
        sync_id=row.id,
        source=TableId(row.schema_name, row.table_name),
        target_schema=row.target_schema,
        target_name=row.target_name,
        mode=SyncMode(row.mode),
        delete_mode=DeleteMode(row.delete_mode),
        desired=TableSyncDesired(row.desired_state),
        state=TableSyncState(row.state),
        error_code=row.error_code,
        held=row.held,
        rules=rules,
        problem=problem,
        policy=SchemaPolicy(row.schema_policy),
    )
