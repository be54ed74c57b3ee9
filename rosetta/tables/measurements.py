"""What was measured: flow, WAL, machines, credits."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import WalMonitorStatus
from rosetta.lsn import Lsn
from rosetta.tables.base import Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of


class DataFlowRecord(Base):
    """Rows and bytes of one table of one destination in one minute."""

    __tablename__ = "data_flow_record_monitoring"
    __table_args__ = (Index("data_flow_record_monitoring_minute", "minute"),)

    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True)
    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True)
    schema_name: Mapped[str] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True)
    records: Mapped[int] = mapped_column(server_default=text("0"))
    bytes: Mapped[int] = mapped_column(server_default=text("0"))
    lag_seconds_max: Mapped[float | None]


class WalMetric(Base):
    __tablename__ = "wal_metrics"
    __table_args__ = (Index("wal_metrics_source_time", "source_id", text("recorded_at DESC")),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    slot_name: Mapped[str | None]
    wal_size_bytes: Mapped[int | None]
    retained_bytes: Mapped[int | None]
    lag_bytes: Mapped[int | None]
    wal_status: Mapped[str | None]
    active: Mapped[bool | None]
    recorded_at: Mapped[Now]


class WalMonitor(Base):
    """The newest check of one source."""

    __tablename__ = "wal_monitor"

    source_id: Mapped[int] = mapped_column(
        ForeignKey("sources.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    status: Mapped[WalMonitorStatus] = one_of("status", WalMonitorStatus, WalMonitorStatus.UNKNOWN)
    wal_size_bytes: Mapped[int | None]
    current_lsn: Mapped[Lsn | None]
    retained_bytes: Mapped[int | None]
    wal_status: Mapped[str | None]
    consecutive_failures: Mapped[Int4] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    next_check_at: Mapped[datetime | None]
    updated_at: Mapped[UpdatedAt]


class SystemMetric(Base):
    __tablename__ = "system_metrics"
    __table_args__ = (Index("system_metrics_time", text("recorded_at DESC")),)

    id: Mapped[Id]
    service: Mapped[str]
    instance_id: Mapped[str]
    metrics: Mapped[JsonObject]
    recorded_at: Mapped[Now]


class DestinationCredit(Base):
    __tablename__ = "destination_credits"

    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"), primary_key=True)
    warehouse: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    credits: Mapped[Decimal]
