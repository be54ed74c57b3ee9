"""What is to be verified, and within which bounds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from rosetta.dialects.snowflake.names import Naming
from rosetta.enums import SyncMode
from rosetta.identifiers import TableId
from rosetta.postgres import PostgresEndpoint
from rosetta.snowflake import SnowflakeEndpoint
from rosetta.types.schema import TableSchema


@dataclass(frozen=True, slots=True)
class TablePair:
    """A source table and the table its rows go to.

    Attributes:
        schema: the source table as it is replicated; None: as the catalog has it, whole.
        columns: target name by source name; None: all of the schema's columns, under their own names.
        condition: SQL that the source's rows must meet to be replicated, or None.
        masked: what gives the text that the target has instead of a source's column, by its name, of a row `t`.
        not_comparable: why the two cannot be compared; None when they can.
    """

    source: TableId
    target: TableId
    schema: TableSchema | None = None
    mode: SyncMode = SyncMode.CURRENT
    columns: Mapping[str, str] | None = None
    condition: str | None = None
    masked: Mapping[str, str] = field(default_factory=dict)
    not_comparable: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why the two cannot be compared; None when they can."""
        if self.mode is SyncMode.APPEND:
            return "append mode keeps every change, so the target is not meant to equal the source"
        return self.not_comparable


@dataclass(frozen=True, slots=True)
class Target:
    """A destination's database.

    Attributes:
        pipeline: (pipeline id, destination id) in its progress table, where known.
        naming: how names of the source become names in an account.
        lag_seconds: how long changes are gathered before they are written there.
    """

    name: str
    endpoint: PostgresEndpoint | SnowflakeEndpoint
    pipeline: tuple[int, int] | None = None
    naming: Naming = field(default_factory=Naming)
    lag_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much; the defaults suit a running pipeline.

    Attributes:
        deadline_seconds: how long differences of a table may take to settle before they are judged as they stand.
        statement_timeout_seconds: of every statement on both sides.
        window_rows: source rows of one key range, which is the unit of one statement.
        leaf_rows: (key, hash) pairs to hold at once.
        max_differences: per table; counting stops there.
        jobs: tables compared at a time; each takes one connection to the source and one to the target.
        reveal_values: put the values that differ into the report.
        ends_at: on the monotonic clock; what is not compared by then is reported as not compared.
    """

    deadline_seconds: float = 30.0
    statement_timeout_seconds: int = 300
    window_rows: int = 100_000
    leaf_rows: int = 10_000
    max_differences: int = 10_000
    jobs: int = field(default=2)
    reveal_values: bool = False
    ends_at: float = math.inf
