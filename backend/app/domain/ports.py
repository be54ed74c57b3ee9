"""What the services need of the world outside the config database; adapters stand in app.infrastructure.

Every method is bounded in time and raises only errors of `app.core.exceptions`: ConnectionRejectedError
when what was given does not fit the database, DatabaseUnreachableError when it does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Protocol

from rosetta.enums import DestinationType, ReplicaIdentity, SslMode
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.preflight import Finding
from rosetta.table_rules import SourceView
from rosetta.types.schema import TableSchema


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A PostgreSQL database and how to sign in; the password never appears in its repr."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: SslMode = SslMode.PREFER


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """A saved source, ready to be connected to."""

    source_id: int
    endpoint: Endpoint
    publication: str
    slot_prefix: str


@dataclass(frozen=True, slots=True)
class TargetAddress:
    """A destination, saved or not, ready to be connected to; its secrets never appear in its repr.

    Attributes:
        type: whose adapter reads `config`.
        config: a complete config with its secrets opened.
        destination_id: None for one that is not saved.
    """

    type: DestinationType
    config: Mapping[str, Any] = field(repr=False)
    destination_id: int | None = None


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Who answered. `system_identifier` is None where the user may not ask for it."""

    server_version: int
    database: str
    user: str
    tls: bool
    wal_level: str
    system_identifier: str | None

    @property
    def version(self) -> str:
        """As people say it, e.g. 18.1."""
        major, minor = divmod(self.server_version, 10_000)
        return f"{major}.{minor}"


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """Who answered at a destination, in its own words; what a kind of destination does not have is None."""

    product: str
    version: str
    database: str
    user: str
    tls: bool
    server_version: int | None = None
    wal_level: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None


@dataclass(frozen=True, slots=True)
class CreditUse:
    """What one warehouse used on one day (UTC), in Snowflake's credits."""

    warehouse: str
    day: date
    credits: Decimal


@dataclass(frozen=True, slots=True)
class CreditReport:
    """Use per warehouse and day, newest first; `hindrance` says why it cannot be read, in which case nothing is known.

    Attributes:
        read_at: when it was asked for; a report is kept for a while.
    """

    uses: tuple[CreditUse, ...]
    read_at: datetime
    hindrance: RosettaError | None = None


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table as an operator chooses it; `rows_estimated` None: never analysed."""

    table: TableId
    size_bytes: int
    rows_estimated: int | None
    key: tuple[str, ...]
    replica_identity: ReplicaIdentity
    partitioned: bool
    in_publication: bool

    @property
    def identifies_rows(self) -> bool:
        """Whether updates and deletes can be published."""
        if self.replica_identity is ReplicaIdentity.DEFAULT:
            return bool(self.key)
        return self.replica_identity is not ReplicaIdentity.NOTHING


@dataclass(frozen=True, slots=True)
class TargetColumn:
    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class TargetTable:
    table: TableId
    columns: tuple[TargetColumn, ...]


@dataclass(frozen=True, slots=True)
class Publication:
    name: str
    all_tables: bool
    tables: tuple[TableId, ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot; `retained_bytes` is the WAL it keeps from being removed."""

    name: str
    active: bool
    wal_status: str | None
    retained_bytes: int | None
    confirmed_flush_lsn: str | None


@dataclass(frozen=True, slots=True)
class SlotWal:
    """What one slot costs its source. `safe_bytes`: WAL that may still be written before it is lost; None: no limit."""

    name: str
    active: bool
    wal_status: str | None
    retained_bytes: int | None
    lag_bytes: int | None
    safe_bytes: int | None


@dataclass(frozen=True, slots=True)
class WalState:
    """The WAL of a source at one moment. `size_bytes` is None where the user may not look into the folder."""

    current_lsn: str
    size_bytes: int | None
    slots: tuple[SlotWal, ...]


@dataclass(frozen=True, slots=True)
class RuleQuestion:
    """What table rules show of a table, beside what they showed so far (None: nothing to compare with)."""

    table: TableSchema
    view: SourceView
    former: SourceView | None = None


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """How many rows there are, pass, come and go, and some that pass, as text.

    None, and an empty sample, where that took too long.
    """

    rows: int | None
    passing: int | None
    entering: int | None
    leaving: int | None
    sample: tuple[tuple[str | None, ...], ...]


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """Which lines of a pipeline's log; `before` and `after` are cursors of an earlier answer, at most one of them."""

    pipeline_id: int
    limit: int
    level: str = "debug"
    search: str | None = None
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class LogLine:
    timestamp: datetime
    level: str
    event: str
    logger: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """Lines, oldest first, and where to go on: `older` None when nothing is left there, `newer` None without logs."""

    lines: tuple[LogLine, ...]
    older: str | None
    newer: str | None


class PipelineLogs(Protocol):
    """What compute logged of its pipelines, redacted as it was written."""

    async def read(self, question: LogQuestion) -> LogExcerpt:
        """The newest lines that fit, those before `before`, or those after `after`.

        An answer may hold fewer lines than there are, when many had to be looked at; its cursors go on from there.
        Raises ServiceUnavailableError where the logs cannot be read.
        """


class SourceDatabase(Protocol):
    """A source, as the API looks at it and prepares it."""

    async def server(self, endpoint: Endpoint) -> ServerInfo:
        """Signs in and asks who answers: the connection test."""

    async def preflight(self, address: SourceAddress) -> list[Finding]:
        """Everything that stands in the way of replication, each with its remedy."""

    async def tables(self, address: SourceAddress) -> list[SourceTable]:
        """All tables of all schemas but the system's, a partitioned one by its root."""

    async def published_tables(self, address: SourceAddress) -> list[TableSchema]:
        """Columns and keys of the tables in the publication."""

    async def preview(self, address: SourceAddress, question: RuleQuestion) -> RuleFindings:
        """What rules would do to a table; reads it, bounded in time, and changes nothing."""

    async def publication(self, address: SourceAddress) -> Publication | None:
        """The source's publication, None when there is none."""

    async def create_publication(self, address: SourceAddress, tables: Sequence[TableId] | None) -> None:
        """Publishes these tables, or all (None), partitions by their root."""

    async def extend_publication(self, address: SourceAddress, tables: Sequence[TableId]) -> None:
        """Adds tables that are not in the publication yet."""

    async def drop_publication(self, address: SourceAddress) -> None:
        """Drops the publication; nothing happens when it is gone."""

    async def slots(self, address: SourceAddress) -> list[Slot]:
        """The slots in this source's database whose names are ours, by name."""

    async def wal(self, address: SourceAddress) -> WalState:
        """How much WAL there is, and what our slots make the server keep."""

    async def drop_slot(self, address: SourceAddress, name: str) -> bool:
        """Drops an inactive slot; False when it is gone or in use again."""


class TargetDatabase(Protocol):
    """A destination, as the API looks at it."""

    async def server(self, address: TargetAddress) -> TargetInfo:
        """Signs in and asks who answers: the connection test."""

    async def preflight(self, address: TargetAddress) -> list[Finding]:
        """Everything that stands in the way of writing, each with its remedy."""

    async def tables(self, address: TargetAddress) -> list[TargetTable]:
        """Tables and columns of the destination's schema, or of all schemas."""


class CreditMeter(Protocol):
    """What a destination that bills by use has cost."""

    async def report(self, address: TargetAddress, days: int) -> CreditReport:
        """Use of the last `days` days, asked for at most once an hour: asking costs, too."""
