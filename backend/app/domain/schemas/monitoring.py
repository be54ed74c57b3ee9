"""What was measured, as the API answers it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from app.domain.schemas.base import Body, Id, Text, View
from rosetta.enums import WalMonitorStatus


class WalMetricView(View):
    id: int
    source_id: int
    slot_name: str | None
    wal_size_bytes: int | None
    retained_bytes: int | None
    lag_bytes: int | None
    wal_status: str | None
    active: bool | None
    recorded_at: datetime


class WalMetricQuery(Body):
    source_id: Id | None = None
    limit: int = Field(default=100, ge=1, le=10_000)


class WalMonitorView(View):
    """The newest check of one source; sizes are those of the last check that succeeded."""

    source_id: int
    status: WalMonitorStatus
    wal_size_bytes: int | None
    current_lsn: str | None
    retained_bytes: int | None
    wal_status: str | None
    consecutive_failures: int
    last_error: str | None
    checked_at: datetime | None
    next_check_at: datetime | None
    growth_bytes_per_second: float | None = Field(description="of the most retained WAL over the last hour")
    critical_in_seconds: float | None = Field(description="until wal.critical_bytes at this growth; null: never")


class FlowQuery(Body):
    minutes: int = Field(default=60, ge=1, le=60 * 24 * 90)
    step_minutes: int = Field(default=1, ge=1, le=60 * 24)
    destination_id: Id | None = None
    table_name: Text | None = Field(default=None, max_length=63)
    limit: int = Field(default=10_000, ge=1, le=50_000)


class FlowPoint(BaseModel):
    minute: datetime
    records: int
    bytes: int
    lag_seconds_max: float | None


class TableFlowPoint(FlowPoint):
    destination_id: int
    schema_name: str
    table_name: str


class FlowView(BaseModel):
    """Sums per step of time; `lag_seconds_max` is the worst lag from commit at the source to visible at the target."""

    minutes: int
    step_minutes: int
    points: list[FlowPoint]


class PipelineFlowView(BaseModel):
    minutes: int
    step_minutes: int
    points: list[TableFlowPoint]


class SystemMetricView(View):
    id: int
    service: str
    instance_id: str
    metrics: dict[str, Any]
    recorded_at: datetime


class SystemMetricQuery(Body):
    service: Text | None = Field(default=None, max_length=64)
    limit: int = Field(default=100, ge=1, le=1000)


class InstanceView(BaseModel):
    """A compute service as it last showed itself."""

    id: str
    hostname: str
    version: str
    heartbeat_at: datetime
    alive: bool
    pipelines: int


class ProblemView(BaseModel):
    """One thing that deserves attention, with where to look."""

    severity: str
    code: str | None
    title: str
    message: str
    remedy: str | None
    pipeline_id: int | None = None
    destination_id: int | None = None
    source_id: int | None = None


class SummaryView(BaseModel):
    """The state of everything, in one answer; counts are of now."""

    sources: int
    destinations: int
    pipelines: int
    pipelines_by_status: dict[str, int] = Field(description="observed, the worst of each pipeline's destinations")
    destinations_by_health: dict[str, int]
    table_syncs_by_state: dict[str, int]
    worst_lag_seconds: float | None
    records_last_hour: int
    bytes_last_hour: int
    retained_wal_bytes: int | None = Field(description="of the slot that retains most")
    parked_records: int
    running_backfills: int
    unread_notifications: int
    snowflake_credits: Decimal | None = Field(
        description="of 30 days, of all warehouses that destinations write with; none: nothing is known of them"
    )
    instances: list[InstanceView]
    problems: list[ProblemView]
