"""Compute instances, who owns which pipeline, and what must still be undone elsewhere."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import CleanupKind
from rosetta.tables.base import Base, Id, Int4, Now, UpdatedAt, one_of


class ComputeInstance(Base):
    __tablename__ = "compute_instances"

    id: Mapped[str] = mapped_column(primary_key=True)
    hostname: Mapped[str]
    pid: Mapped[Int4]
    version: Mapped[str]
    started_at: Mapped[Now]
    heartbeat_at: Mapped[Now]


class PipelineLease(Base):
    __tablename__ = "pipeline_leases"

    pipeline_id: Mapped[int] = mapped_column(
        ForeignKey("pipelines.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    instance_id: Mapped[str | None]
    epoch: Mapped[int] = mapped_column(server_default=text("0"))
    expires_at: Mapped[datetime | None]
    updated_at: Mapped[UpdatedAt]


class CleanupTask(Base):
    __tablename__ = "cleanup_tasks"
    __table_args__ = (
        UniqueConstraint("kind", "source_id", "destination_id", "object_name", postgresql_nulls_not_distinct=True),
        Index("cleanup_tasks_due", "next_attempt_at"),
    )

    id: Mapped[Id]
    kind: Mapped[CleanupKind] = one_of("kind", CleanupKind)
    source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id", ondelete="RESTRICT"))
    destination_id: Mapped[int | None] = mapped_column(ForeignKey("destinations.id", ondelete="RESTRICT"))
    object_name: Mapped[str]
    attempts: Mapped[Int4] = mapped_column(server_default=text("0"))
    next_attempt_at: Mapped[Now]
    last_error: Mapped[str | None]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]
