"""Backfills: asked for here, carried out by compute."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field

from app.domain.schemas.base import Body, Id, Identifier, PageRequest, Text, View, storable_text
from rosetta.enums import CopyStatus
from rosetta.filters import MAX_CONDITIONS

FilterText = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(storable_text)]


class FilterCondition(Body):
    """One condition. IN and NOT IN take a list, BETWEEN two values, IS NULL and IS NOT NULL none."""

    read_only: ClassVar[frozenset[str]] = frozenset()

    column: Identifier
    operator: Text = Field(
        max_length=20, description="= != > < >= <= LIKE ILIKE IN, NOT IN, BETWEEN, IS NULL, IS NOT NULL"
    )
    value: Any = Field(default=None, description="a value, or a list of them; always bound, never part of any SQL")


class BackfillRequest(Body):
    """Rows of a table that are to be copied again. Without filters every row of the table is compared and mended."""

    schema_name: Identifier = "public"
    table_name: Identifier
    filters: list[FilterText | FilterCondition] = Field(
        default_factory=list,
        max_length=MAX_CONDITIONS,
        description="a row must meet all of them; each as text, such as `created_at >= '2026-01-01'`, or as an object",
    )
    destination_ids: list[Id] | None = Field(
        default=None, min_length=1, max_length=1000, description="left out: every destination that has the table"
    )
    batch_rows: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="most rows of a chunk; left out: BACKFILL_BATCH_SIZE of compute"
    )


class BackfillView(View):
    """A backfill and how far it is; over several destinations its figures are sums."""

    id: int
    pipeline_id: int
    schema_name: str
    table_name: str
    filters: list[Any]
    destination_ids: list[int] | None
    batch_rows: int | None
    status: CopyStatus
    status_reason: str | None = Field(description="why it does not move just now")
    cancel_requested: bool
    chunks_done: int
    rows_done: int
    bytes_done: int
    rows_estimated: int | None = Field(description="rows that it has to do with, as the source estimates them")
    rows_per_second: float | None
    seconds_left: float | None = Field(description="for the rest of the estimate, at the present rate")
    attempts: int
    error_code: str | None
    error_message: str | None
    error_remedy: str | None
    requested_by: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    updated_at: datetime


class BackfillQuery(PageRequest):
    status: CopyStatus | None = None
    schema_name: Identifier | None = None
    table_name: Identifier | None = None
