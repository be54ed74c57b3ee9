"""What the API answers about databases that it looked at."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field, model_validator

from app.domain.ports import SourceTable
from app.domain.schemas.base import Body, Identifier, PageRequest
from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId


class ConnectionView(BaseModel):
    """A connection test that went well; one that did not is an error with its remedy."""

    ok: bool = True
    message: str
    server_version: int
    database: str
    user: str
    tls: bool
    wal_level: str


class TargetConnectionView(BaseModel):
    """A connection test of a destination that went well; what its kind does not have is null."""

    ok: bool = True
    message: str
    product: str
    version: str
    database: str
    user: str
    tls: bool
    server_version: int | None
    wal_level: str | None
    schema_name: str | None = Field(validation_alias="schema")
    role: str | None
    warehouse: str | None


class KeyView(BaseModel):
    """The key pair that a destination signs in with, as far as Snowflake has to know it.

    A user has two slots for public keys: `register_sql` fills the first, `rotate_sql` the second, so that a new key is
    known before the old one goes. `retire_sql` and `retire_rotated_sql` empty them again.
    """

    has_key: bool
    fingerprint: str | None = Field(description="as RSA_PUBLIC_KEY_FP or RSA_PUBLIC_KEY_2_FP of DESCRIBE USER shows it")
    register_sql: str | None
    rotate_sql: str | None
    retire_sql: str | None
    retire_rotated_sql: str | None
    problem: str | None = Field(description="why the key cannot be read here, if it cannot")
    remedy: str | None


class CreditDayView(BaseModel):
    warehouse: str
    day: date
    credits: Decimal


class CreditsView(BaseModel):
    """Credits by warehouse and day (UTC), newest first. Snowflake's own view of them is up to three hours behind."""

    readable: bool
    reason: str | None = Field(description="why it cannot be read")
    remedy: str | None
    read_at: datetime
    total: Decimal
    days: list[CreditDayView]


class FindingView(BaseModel):
    code: str
    severity: str
    title: str
    detail: str
    remedy: str | None
    sql: str | None
    table: str | None


class PreflightView(BaseModel):
    """`ready` is true when no finding is an error."""

    ready: bool
    findings: list[FindingView]


class SourceTableView(BaseModel):
    schema_name: str
    table_name: str
    size_bytes: int
    rows_estimated: int | None
    key: list[str]
    replica_identity: ReplicaIdentity
    partitioned: bool
    in_publication: bool


class SourceTableQuery(PageRequest):
    """Which tables of a source; sorted by name unless `size_bytes` is asked for."""

    limit: int = Field(default=500, ge=1, le=10_000)
    sort: Literal["table_name", "-table_name", "size_bytes", "-size_bytes"] | None = None
    schema_name: Identifier | None = None
    table_name: str | None = Field(default=None, max_length=63, description="part of the name, in any case")
    in_publication: bool | None = None

    def matches(self, table: TableId, in_publication: bool) -> bool:
        return (
            self.schema_name in {None, table.schema}
            and (self.table_name or "").lower() in table.name.lower()
            and self.in_publication in {None, in_publication}
        )

    def sorted(self, tables: list[SourceTable]) -> list[SourceTable]:
        by_size = self.sort is not None and self.sort.endswith("size_bytes")
        descending = self.sort is not None and self.sort.startswith("-")
        return sorted(tables, key=lambda table: table.size_bytes if by_size else table.table, reverse=descending)


class ColumnView(BaseModel):
    name: str
    type: str
    nullable: bool


class TableSchemaView(BaseModel):
    schema_name: str
    table_name: str
    columns: list[ColumnView]
    key: list[str] = Field(default_factory=list)


class SchemaView(BaseModel):
    tables: list[TableSchemaView]


class TableName(Body):
    schema_name: Identifier = "public"
    table_name: Identifier


class PublicationRequest(Body):
    """Which tables to publish. Nothing named: every table whose updates and deletes can be published."""

    tables: list[TableName] = Field(default_factory=list, max_length=10_000)
    schemas: list[Identifier] = Field(default_factory=list, max_length=1000, description="all their tables of now")
    all_tables: bool = Field(default=False, description="FOR ALL TABLES: later tables too; needs a superuser")

    @model_validator(mode="after")
    def _one_way(self) -> PublicationRequest:
        if self.all_tables and (self.tables or self.schemas):
            raise ValueError("all_tables stands alone")
        return self


class SkippedTable(BaseModel):
    """A table that was left out because publishing it would make its own updates fail."""

    schema_name: str
    table_name: str
    reason: str
    sql: str


class PublicationView(BaseModel):
    name: str
    created: bool
    owned: bool = Field(description="Rosetta made it, and drops it with the last pipeline")
    all_tables: bool
    tables: list[TableName]
    skipped: list[SkippedTable] = Field(default_factory=list)


class SlotView(BaseModel):
    """A slot that Rosetta made; an `orphan` belongs to no pipeline any more."""

    name: str
    pipeline_id: int | None
    pipeline_name: str | None
    orphan: bool
    active: bool
    wal_status: str | None
    retained_bytes: int | None
    confirmed_flush_lsn: str | None


class SlotsView(BaseModel):
    slots: list[SlotView]
    dropped: list[str] = Field(default_factory=list)
