"""Copies of tables (initial, resync, backfill) and verifications."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import CopyKind, CopyStatus, VerifyStatus
from rosetta.tables.base import Base, Id, Int4, JsonObject, Now, UpdatedAt, one_of


class CopyJob(Base):
    __tablename__ = "queue_backfill_data"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(filters) = 'array' AND jsonb_array_length(filters) <= 5"),
        Index("queue_backfill_data_open", "pipeline_id", "status"),
        Index("queue_backfill_data_table_sync_id", "table_sync_id"),
        Index("queue_backfill_data_backfill_id", "backfill_id"),
        Index(
            "queue_backfill_data_one_copy",
            "table_sync_id",
            unique=True,
            postgresql_where=text("kind <> 'BACKFILL' AND status IN ('PENDING', 'EXECUTING')"),
        ),
    )

    id: Mapped[Id]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    table_sync_id: Mapped[int | None] = mapped_column(ForeignKey("table_syncs.id", ondelete="CASCADE"))
    backfill_id: Mapped[int | None] = mapped_column(ForeignKey("queue_backfill_data.id", ondelete="CASCADE"))
    kind: Mapped[CopyKind] = one_of("kind", CopyKind, CopyKind.BACKFILL)
    schema_name: Mapped[str] = mapped_column(server_default="public")
    table_name: Mapped[str]
    filters: Mapped[list[Any]] = mapped_column(server_default=text("'[]'::jsonb"))
    destination_ids: Mapped[list[int] | None]
    status: Mapped[CopyStatus] = one_of("status", CopyStatus, CopyStatus.PENDING)
    status_reason: Mapped[str | None]
    cancel_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    batch_rows: Mapped[Int4 | None] = mapped_column(CheckConstraint("batch_rows > 0"))
    cursor_key: Mapped[JsonObject | None]
    chunks_done: Mapped[int] = mapped_column(server_default=text("0"))
    rows_done: Mapped[int] = mapped_column(server_default=text("0"))
    bytes_done: Mapped[int] = mapped_column(server_default=text("0"))
    rows_estimated: Mapped[int | None]
    rows_per_second: Mapped[float | None]
    seconds_left: Mapped[float | None]
    progress_at: Mapped[datetime | None]
    attempts: Mapped[Int4] = mapped_column(server_default=text("0"))
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    error_remedy: Mapped[str | None]
    requested_by: Mapped[int | None]
    created_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    updated_at: Mapped[UpdatedAt]


class VerifyRun(Base):
    __tablename__ = "verify_runs"
    __table_args__ = (
        Index("verify_runs_pipeline_id", "pipeline_id", "id"),
        Index(
            "verify_runs_one_at_a_time",
            "pipeline_id",
            unique=True,
            postgresql_where=text("status IN ('PENDING', 'EXECUTING')"),
        ),
    )

    id: Mapped[Id]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    destination_id: Mapped[int | None] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    status: Mapped[VerifyStatus] = one_of("status", VerifyStatus, VerifyStatus.PENDING)
    repair: Mapped[bool] = mapped_column(server_default=text("false"))
    instance_id: Mapped[str | None]
    report: Mapped[JsonObject | None]
    error_message: Mapped[str | None]
    created_at: Mapped[Now]
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
