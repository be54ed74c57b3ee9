"""What has landed for one table sync, merged where it lies; read back only where that is not enough."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.core import failpoints
from compute.core.lines import groups, lines, select
from compute.destinations.base import RefusedRecord, WriteBatch
from compute.destinations.snowflake.load import SyncLoad
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import Staging
from compute.destinations.snowflake.streaming.landed_rows import landed_changes
from rosetta.dialects.snowflake import landing, merge
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.errors import DataError, RosettaError

_NEEDED = "NEEDED_HERE"


@dataclass(frozen=True, slots=True)
class Landing:
    """A landing table: whose changes it takes, and the columns of the source that they have."""

    sync_id: int
    name: str
    columns: tuple[str, ...]


@dataclass(kw_only=True)
class LandedLoad(SyncLoad):
    """The changes of a landing up to the batch that ends at `until`; they are gone from there once they are merged.

    One MERGE applies them as they lie there, unless something needs them here: values that a change left out and an
    earlier one of them may have brought, or whatever the target refuses. Then they are read back, and are loaded like
    any batch (`careful`).
    """

    session: Session = field(repr=False)
    landing: Landing
    until: str
    _table: MergeTable | None = None

    def stage(self, staging: Staging) -> None:
        self._table = staging.table(self.target, self.landing.columns)
        if self.careful and not self.changes:
            self._read_back()
        super().stage(staging)

    def apply(self, session: Session, staging: Staging, batch: WriteBatch, stamp: int, copied_since: int) -> None:
        if self.careful:
            super().apply(session, staging, batch, stamp, copied_since)
        elif self._table is not None:
            self._merge_there(session, staging, self._table, stamp)
        self._empty(session)

    def give_up(self, session: Session, error: RosettaError, /) -> list[RefusedRecord]:
        """All of it, unit by unit: it lies nowhere else, and leaves the landing now."""
        if not self.changes:
            self._read_back()
        self._empty(session)
        return [
            RefusedRecord(self.target, select(changes, unit), error)
            for changes in self.changes
            for unit in groups(lines(changes))
        ]

    def _merge_there(self, session: Session, staging: Staging, table: MergeTable, stamp: int) -> None:
        session.run(landing.take_sql(table, self.landing.name, self.until), self.doing)
        failpoints.hit("after_load")
        ((lacking, leaning),) = session.rows(landing.facts_sql(table), self.doing)
        if leaning:
            raise DataError(f"{self.doing}: changes lean on each other", code=_NEEDED)
        session.run(merge.fold_sql(table), self.doing)
        if lacking and session.rows(merge.missing_sql(table), self.doing):
            raise DataError(f"{self.doing}: a row is missing", code=_NEEDED)
        session.run(merge.merge_sql(table, stamp, filled=bool(lacking)), self.doing)
        staging.clear(table, self.doing)

    def _read_back(self) -> None:
        sql = landing.read_sql(self.landing.name, len(self.landing.columns), self.until)
        rows = self.session.rows(sql, self.doing)
        if rows:
            self.changes.append(landed_changes(rows, self.target, self.landing.columns))

    def _empty(self, session: Session) -> None:
        session.run(landing.drop_merged_sql(self.landing.name, self.until), self.doing)
