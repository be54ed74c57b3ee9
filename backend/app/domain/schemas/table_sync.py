"""Bodies and answers of table syncs: one source table on its way to one target."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, Field

from app.domain.schemas.base import Body, Id, Identifier, Name, PageRequest, Stamped, Text
from rosetta.enums import DeleteMode, SchemaPolicy, SyncMode, TableSyncDesired, TableSyncState

OBSERVED = frozenset(
    {"id", "created_at", "updated_at", "pipeline_destination_id", "desired_state", "state", "rows_copied"}
    | {"rows_estimated", "rows_applied", "last_applied_at", "error_code", "error_message", "error_remedy"}
)


class TableSyncCreate(Body):
    """`target_schema` left out: the destination's schema, else `schema_name`; `target_name` left out: `table_name`."""

    read_only: ClassVar[frozenset[str]] = OBSERVED

    schema_name: Identifier = "public"
    table_name: Identifier
    target_schema: Identifier | None = None
    target_name: Identifier | None = None
    mode: SyncMode = SyncMode.CURRENT
    delete_mode: DeleteMode = DeleteMode.HARD
    schema_policy: SchemaPolicy = SchemaPolicy.EVOLVE
    columns: list[Identifier] | dict[Identifier, Identifier] | None = None
    filters: list[Any] = Field(default_factory=list, max_length=5)
    custom_sql: Text | None = Field(default=None, max_length=65_536)
    masks: dict[Identifier, Any] = Field(default_factory=dict)
    tags: list[Name] = Field(default_factory=list, max_length=50)


class TableSyncUpdate(Body):
    """What is left out stays as it is. The source table is fixed: another table is another sync."""

    read_only: ClassVar[frozenset[str]] = OBSERVED

    schema_name: Identifier | None = None
    table_name: Identifier | None = None
    target_schema: Identifier | None = None
    target_name: Identifier | None = None
    mode: SyncMode = SyncMode.CURRENT
    delete_mode: DeleteMode = DeleteMode.HARD
    schema_policy: SchemaPolicy = SchemaPolicy.EVOLVE
    columns: list[Identifier] | dict[Identifier, Identifier] | None = None
    filters: list[Any] = Field(default_factory=list, max_length=5)
    custom_sql: Text | None = Field(default=None, max_length=65_536)
    masks: dict[Identifier, Any] = Field(default_factory=dict)
    tags: list[Name] | None = Field(default=None, max_length=50)


class RulesCheck(Body):
    """Rules to be looked at before they are saved; `sync_id`: beside what this table sync does now."""

    sync_id: Id | None = None
    schema_name: Identifier = "public"
    table_name: Identifier
    columns: list[Identifier] | dict[Identifier, Identifier] | None = None
    filters: list[Any] = Field(default_factory=list, max_length=5)
    masks: dict[Identifier, Any] = Field(default_factory=dict)
    custom_sql: Text | None = Field(default=None, max_length=65_536)


class RulesPreview(BaseModel):
    """What rules would do to a table as it is now.

    Counts are null where counting took too long, and of custom SQL only `rows` is told; `rows_entering` and
    `rows_leaving` also where there is nothing to compare with. `sample` has up to 20 rows as the target would have
    them, none where finding them took too long.
    """

    rows: int | None
    rows_passing: int | None
    rows_entering: int | None
    rows_leaving: int | None
    columns: dict[str, str]
    key: list[str]
    sample: list[dict[str, str | None]]


class TableSyncView(Stamped):
    pipeline_destination_id: int
    schema_name: str
    table_name: str
    target_schema: str | None
    target_name: str | None
    mode: SyncMode
    delete_mode: DeleteMode
    schema_policy: SchemaPolicy
    columns: list[str] | dict[str, str] | None
    filters: list[Any]
    custom_sql: str | None
    masks: dict[str, Any]
    desired_state: TableSyncDesired
    state: TableSyncState
    rows_copied: int
    rows_estimated: int | None
    rows_applied: int
    last_applied_at: datetime | None
    error_code: str | None
    error_message: str | None
    error_remedy: str | None
    tags: Annotated[list[str], BeforeValidator(lambda tags: tags or [])]


class TableSyncQuery(PageRequest):
    schema_name: Identifier | None = None
    table_name: Identifier | None = None
    state: TableSyncState | None = None
    tag: list[Name] = Field(default_factory=list, max_length=50, description="has all of these tags")
