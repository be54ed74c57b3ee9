"""Bodies and answers of pipelines and of their destinations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import AliasChoices, BeforeValidator, Field

from app.domain.schemas.base import MAX_ID, Body, Id, Name, PageRequest, Stamped, View
from app.domain.schemas.destination import DestinationName
from app.domain.schemas.table_sync import TableSyncCreate, TableSyncView
from rosetta.enums import DesiredStatus, EngineKind, HealthStatus, ObservedStatus, ParkPolicy, Profile, WalBudgetPolicy

RowBound = Annotated[int, Field(ge=1, le=2**31 - 1)]
Count = Annotated[int, BeforeValidator(lambda count: count or 0)]
LsnText = Annotated[str | None, BeforeValidator(lambda lsn: None if lsn is None else str(lsn))]


class FanOutCreate(Body):
    """A destination joins a pipeline. Without `table_syncs` every table of the publication is synced."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "created_at", "updated_at", "destination", "metadata", "error_message", "pipeline_id"}
        | {"parked_records", "parked_changes", "parked_bytes", "parked_commit_lsn", "detached_at"}
        | {"recover_requested_at"}
    )

    destination_id: Id
    table_syncs: list[TableSyncCreate] = Field(default_factory=list, max_length=10_000)
    sync_all_tables: bool | None = Field(default=None, description="by default true when no table is named")
    park_policy: ParkPolicy = ParkPolicy.BLOCK


class FanOutUpdate(Body):
    """What is left out, or null, stays as it is. Which destination it is cannot change."""

    read_only: ClassVar[frozenset[str]] = FanOutCreate.read_only | {"destination_id", "table_syncs"}

    park_policy: ParkPolicy | None = Field(
        default=None, description="what happens when nothing more may be parked: wait (block), or leave it behind"
    )
    sync_all_tables: bool | None = None


class PipelineTuning(Body):
    engine: EngineKind = EngineKind.DEBEZIUM
    profile: Profile = Profile.SMALL
    max_batch_rows: RowBound | None = None
    max_queue_rows: RowBound | None = None
    wal_budget_bytes: Annotated[int, Field(ge=1, le=MAX_ID)] | None = None
    wal_budget_policy: WalBudgetPolicy = WalBudgetPolicy.WARN


class PipelineCreate(PipelineTuning):
    """Destinations may be given in any of the three ways, also in several at once."""

    name: Name
    source_id: Id
    status: DesiredStatus | None = Field(default=None, description="accepted; a new pipeline is always PAUSE")
    destination_id: Id | None = None
    destination_ids: list[Id] = Field(default_factory=list, max_length=1000)
    destinations: list[FanOutCreate] = Field(default_factory=list, max_length=1000)

    def fan_out(self) -> list[FanOutCreate]:
        """All destinations, in the order given, each of the plain ids once."""
        plain = [self.destination_id] if self.destination_id is not None else []
        return self.destinations + [
            FanOutCreate(destination_id=number) for number in dict.fromkeys(plain + self.destination_ids)
        ]


class PipelineUpdate(PipelineTuning):
    """What is left out stays as it is. `source_id` may be repeated but not changed: the slot belongs to the source."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "created_at", "updated_at", "source", "destinations", "slot_name", "acknowledged_lsn", "generation"}
        | {"slot_dropped_for", "warnings"}
    )

    name: Name | None = None
    source_id: Id | None = None
    status: DesiredStatus | None = None


class MetadataView(Stamped):
    """What really happens for one destination, as compute last saw it."""

    pipeline_id: int
    destination_id: int
    status: ObservedStatus
    health_status: HealthStatus
    wal_size: int | None
    lag_bytes: int | None
    lag_seconds: float | None
    durable_lsn: LsnText
    last_success_time: datetime | None
    last_error: str | None
    last_error_code: str | None
    last_error_remedy: str | None
    last_error_time: datetime | None
    heartbeat_at: datetime | None
    restart_count: int


class PipelineDestinationView(Stamped):
    pipeline_id: int
    destination_id: int
    sync_all_tables: bool
    park_policy: ParkPolicy
    parked_records: Count = Field(description="what is open in the dead-letter queue of this destination")
    parked_changes: Count = Field(description="the changes in these records, which dlq/count counts")
    parked_bytes: Count = Field(description="the size of these changes")
    parked_commit_lsn: LsnText = Field(description="how far the stream is parked for it; what it lacks is parked")
    detached_at: datetime | None = Field(description="since when nothing is written or parked for it: resync it")
    recover_requested_at: datetime | None
    error_message: str | None
    destination: DestinationName
    metadata: MetadataView | None = Field(validation_alias=AliasChoices("pipeline_metadata", "metadata"))
    table_syncs: list[TableSyncView]


class SourceName(View):
    id: int
    name: str


class PipelineView(Stamped):
    """A pipeline with everything below it. `warnings` speak about the request that this answers."""

    name: str
    source_id: int
    source: SourceName
    status: DesiredStatus
    engine: EngineKind
    profile: Profile
    max_batch_rows: int | None
    max_queue_rows: int | None
    wal_budget_bytes: int | None
    wal_budget_policy: WalBudgetPolicy
    acknowledged_lsn: LsnText
    slot_name: str | None
    slot_dropped_for: str | None = Field(description="why Rosetta gave the slot up: by the policy of its WAL budget")
    generation: int
    destinations: list[PipelineDestinationView] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class PipelineQuery(PageRequest):
    name: str | None = Field(default=None, max_length=200, description="part of the name, in any case")
    status: DesiredStatus | None = None
    source_id: Id | None = None
    destination_id: Id | None = None
