"""The dead-letter ledger."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from rosetta.enums import DlqKind, DlqOperation, DlqState, ErrorClass
from rosetta.lsn import Lsn
from rosetta.tables.base import Base, Id, Int4, Now, UpdatedAt, one_of

_OPEN = text("state IN ('PARKED', 'RETRYING')")


class DlqRecord(Base):
    __tablename__ = "dlq_records"
    __table_args__ = (
        CheckConstraint("state <> 'DISCARDED' OR discard_reason IS NOT NULL"),
        Index(
            "dlq_records_open",
            "pipeline_id",
            "destination_id",
            "schema_name",
            "table_name",
            "id",
            postgresql_include=["row_count", "payload_bytes"],
            postgresql_where=_OPEN,
        ),
        Index("dlq_records_keys", "key_hashes", postgresql_using="gin", postgresql_where=_OPEN),
        Index(
            "dlq_records_order",
            "pipeline_id",
            "destination_id",
            "error_class",
            "kind",
            "commit_lsn",
            "change_lsn",
            "ordinal",
            "part",
            "table_sync_id",
            unique=True,
            postgresql_where=_OPEN,
        ),
        Index("dlq_records_due", "pipeline_id", "destination_id", "next_attempt_at", postgresql_where=_OPEN),
        Index(
            "dlq_records_asked",
            "pipeline_id",
            "destination_id",
            "retry_requested_at",
            postgresql_where=text("state IN ('PARKED', 'RETRYING') AND retry_requested_at IS NOT NULL"),
        ),
        Index("dlq_records_table_sync_id", "table_sync_id"),
        Index(
            "dlq_records_page",
            "pipeline_id",
            "destination_id",
            "id",
            postgresql_include=["state", "error_class", "error_code", "kind", "schema_name", "table_name"],
        ),
    )

    id: Mapped[Id]
    pipeline_id: Mapped[int] = mapped_column(ForeignKey("pipelines.id", ondelete="CASCADE"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id", ondelete="CASCADE"))
    destination_id: Mapped[int] = mapped_column(ForeignKey("destinations.id", ondelete="CASCADE"))
    table_sync_id: Mapped[int | None] = mapped_column(ForeignKey("table_syncs.id", ondelete="SET NULL"))
    schema_name: Mapped[str]
    table_name: Mapped[str]
    kind: Mapped[DlqKind] = one_of("kind", DlqKind)
    row_count: Mapped[int] = mapped_column(CheckConstraint("row_count >= 0"), server_default=text("1"))
    key_hashes: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
    operation: Mapped[DlqOperation | None] = one_of("operation", DlqOperation)
    commit_lsn: Mapped[Lsn]
    change_lsn: Mapped[Lsn]
    ordinal: Mapped[int]
    part: Mapped[Int4] = mapped_column(server_default=text("0"))
    source_xid: Mapped[int | None]
    commit_time: Mapped[datetime | None]
    columns: Mapped[list[str] | None]
    payload: Mapped[bytes]
    payload_bytes: Mapped[int]
    state: Mapped[DlqState] = one_of("state", DlqState, DlqState.PARKED)
    error_class: Mapped[ErrorClass] = one_of("error_class", ErrorClass)
    error_code: Mapped[str | None]
    error_message: Mapped[str]
    attempts: Mapped[Int4] = mapped_column(server_default=text("0"))
    last_attempt_at: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    retry_requested_at: Mapped[datetime | None]
    edited_by: Mapped[int | None]
    discarded_by: Mapped[int | None]
    discard_reason: Mapped[str | None]
    created_at: Mapped[Now]
    updated_at: Mapped[UpdatedAt]


class DlqTotal(Base):
    """A contribution to what the ledger holds, kept by triggers of `dlq_records`: only sums of them mean something."""

    __tablename__ = "dlq_totals"
    __table_args__ = (Index("dlq_totals_destination", "pipeline_id", "destination_id"),)

    id: Mapped[Id]
    pipeline_id: Mapped[int]
    destination_id: Mapped[int]
    schema_name: Mapped[str]
    table_name: Mapped[str]
    kind: Mapped[DlqKind] = one_of("kind", DlqKind)
    error_class: Mapped[ErrorClass] = one_of("error_class", ErrorClass)
    state: Mapped[DlqState] = one_of("state", DlqState)
    records: Mapped[int]
    row_count: Mapped[int]
    payload_bytes: Mapped[int]
    error_code: Mapped[str | None]
