"""Pipelines, their destinations and tables: what is wanted, and what was observed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, UniqueConstraint, and_, text
from sqlalchemy.orm import Mapped, foreign, mapped_column, query_expression, relationship

from rosetta.enums import (
    DeleteMode,
    DesiredStatus,
    EngineKind,
    HealthStatus,
    ObservedStatus,
    ParkPolicy,
    Profile,
    SchemaPolicy,
    SyncMode,
    TableSyncDesired,
    TableSyncState,
    WalBudgetPolicy,
)
from rosetta.lsn import Lsn
from rosetta.tables.base import JSON, Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of
from rosetta.tables.connections import Destination, Source


class Pipeline(Base):
    __tablename__ = "pipelines"
    __table_args__ = (Index("pipelines_source_id", "source_id"),)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="RESTRICT"))
    # An input column: a trigger makes a row of pipeline_destinations of it and empties it.
    destination_id: Mapped[int | None] = mapped_column(BigInteger, CheckConstraint("destination_id IS NULL"))
    status: Mapped[DesiredStatus] = one_of("status", DesiredStatus, DesiredStatus.PAUSE)
    engine: Mapped[EngineKind] = one_of("engine", EngineKind, EngineKind.DEBEZIUM)
    profile: Mapped[Profile] = one_of("profile", Profile, Profile.SMALL)
    max_batch_rows: Mapped[Int4 | None] = mapped_column(CheckConstraint("max_batch_rows > 0"))
    max_queue_rows: Mapped[Int4 | None] = mapped_column(CheckConstraint("max_queue_rows > 0"))
    wal_budget_bytes: Mapped[int | None] = mapped_column(CheckConstraint("wal_budget_bytes > 0"))
    wal_budget_policy: Mapped[WalBudgetPolicy] = one_of("wal_budget_policy", WalBudgetPolicy, WalBudgetPolicy.WARN)
    acknowledged_lsn: Mapped[Lsn | None]
    slot_name: Mapped[str | None]
    slot_origin: Mapped[str | None]
    slot_dropped_for: Mapped[str | None]
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]

    source: Mapped[Source] = relationship(lazy="raise")
    destinations: Mapped[list[PipelineDestination]] = relationship(
        back_populates="pipeline", lazy="raise", passive_deletes="all", order_by="PipelineDestination.id"
    )


class PipelineDestination(Base):
    __tablename__ = "pipeline_destinations"
    __table_args__ = (
        UniqueConstraint("pipeline_id", "destination_id"),
        Index("pipeline_destinations_destination_id", "destination_id"),
    )

    id: Mapped[Id]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="RESTRICT"))
    sync_all_tables: Mapped[bool] = mapped_column(server_default=text("true"))
    park_policy: Mapped[ParkPolicy] = one_of("park_policy", ParkPolicy, ParkPolicy.BLOCK)
    parked_commit_lsn: Mapped[Lsn | None]
    parked_change_lsn: Mapped[Lsn | None]
    parked_ordinal: Mapped[int | None]
    detached_at: Mapped[datetime | None]
    recover_requested_at: Mapped[datetime | None]
    error_message: Mapped[str | None]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]
    # No columns: what is open in the ledger, where a query asks for it.
    parked_records: Mapped[int | None] = query_expression()
    parked_changes: Mapped[int | None] = query_expression()
    parked_bytes: Mapped[int | None] = query_expression()

    pipeline: Mapped[Pipeline] = relationship(back_populates="destinations", lazy="raise")
    destination: Mapped[Destination] = relationship(lazy="raise")
    table_syncs: Mapped[list[TableSync]] = relationship(
        back_populates="pipeline_destination", lazy="raise", passive_deletes="all", order_by="TableSync.id"
    )
    pipeline_metadata: Mapped[PipelineMetadata | None] = relationship(
        primaryjoin=lambda: and_(
            PipelineDestination.pipeline_id == foreign(PipelineMetadata.pipeline_id),
            PipelineDestination.destination_id == foreign(PipelineMetadata.destination_id),
        ),
        lazy="raise",
        uselist=False,
        viewonly=True,
    )


class PipelineMetadata(Base):
    """Observed state of one destination of a pipeline."""

    __tablename__ = "pipeline_metadata"
    __table_args__ = (UniqueConstraint("pipeline_id", "destination_id"),)

    id: Mapped[Id]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    status: Mapped[ObservedStatus] = one_of("status", ObservedStatus, ObservedStatus.PAUSED)
    health_status: Mapped[HealthStatus] = one_of("health_status", HealthStatus, HealthStatus.UNKNOWN)
    wal_size: Mapped[int | None]
    lag_bytes: Mapped[int | None]
    lag_seconds: Mapped[float | None]
    durable_lsn: Mapped[Lsn | None]
    last_success_time: Mapped[datetime | None]
    last_error: Mapped[str | None]
    last_error_code: Mapped[str | None]
    last_error_remedy: Mapped[str | None]
    last_error_time: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    restart_count: Mapped[Int4] = mapped_column(server_default=text("0"))
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


class TableSync(Base):
    """One table of one destination."""

    __tablename__ = "table_syncs"
    __table_args__ = (
        UniqueConstraint(
            "pipeline_destination_id",
            "schema_name",
            "table_name",
            "target_schema",
            "target_name",
            postgresql_nulls_not_distinct=True,
        ),
        Index("table_syncs_pipeline_destination_id", "pipeline_destination_id"),
    )

    id: Mapped[Id]
    pipeline_destination_id: Mapped[int] = mapped_column(ForeignKey("pipeline_destinations.id", ondelete="CASCADE"))
    schema_name: Mapped[str] = mapped_column(server_default="public")
    table_name: Mapped[str]
    target_schema: Mapped[str | None]
    target_name: Mapped[str | None]
    mode: Mapped[SyncMode] = one_of("mode", SyncMode, SyncMode.CURRENT)
    delete_mode: Mapped[DeleteMode] = one_of("delete_mode", DeleteMode, DeleteMode.HARD)
    schema_policy: Mapped[SchemaPolicy] = one_of("schema_policy", SchemaPolicy, SchemaPolicy.EVOLVE)
    columns: Mapped[list[Any] | JsonObject | None] = mapped_column(
        JSON, CheckConstraint("jsonb_typeof(columns) IN ('array', 'object')")
    )
    filters: Mapped[list[Any]] = mapped_column(
        CheckConstraint("jsonb_typeof(filters) = 'array'"), server_default=text("'[]'::jsonb")
    )
    custom_sql: Mapped[str | None]
    masks: Mapped[JsonObject] = mapped_column(
        CheckConstraint("jsonb_typeof(masks) = 'object'"), server_default=text("'{}'::jsonb")
    )
    desired_state: Mapped[TableSyncDesired] = one_of("desired_state", TableSyncDesired, TableSyncDesired.ACTIVE)
    state: Mapped[TableSyncState] = one_of("state", TableSyncState, TableSyncState.PENDING)
    rows_copied: Mapped[int] = mapped_column(server_default=text("0"))
    rows_estimated: Mapped[int | None]
    rows_applied: Mapped[int] = mapped_column(server_default=text("0"))
    last_applied_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_remedy: Mapped[str | None]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]
    # No column: names of its tags, where a query asks for them.
    tags: Mapped[list[str] | None] = query_expression()

    pipeline_destination: Mapped[PipelineDestination] = relationship(back_populates="table_syncs", lazy="raise")
