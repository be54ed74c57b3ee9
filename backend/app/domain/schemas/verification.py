"""Verifications: asked for here, carried out by compute."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from app.domain.schemas.base import Body, Id, PageRequest, View
from rosetta.enums import VerifyStatus


class VerifyRequest(Body):
    """Without a destination all of the pipeline's are compared. `repair` asks for a resync of tables that differ."""

    destination_id: Id | None = None
    repair: bool = False


class VerifyRunView(View):
    """A verification. `report` comes with its end: counts of rows and of differing keys per table, never values."""

    id: int
    pipeline_id: int
    destination_id: int | None
    status: VerifyStatus
    repair: bool
    report: dict[str, Any] | None = Field(
        description="version, outcome (EQUAL, DIFFERENT, NOT_COMPARED), reason, and for each of `destinations`:"
        " outcome, reason, parked_changes and its `tables` with source_rows, target_rows, difference_count, missing,"
        " extra, changed, truncated, unsettled, resync_asked"
    )
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class VerifyQuery(PageRequest):
    status: VerifyStatus | None = None
