"""What a batch holds for one table sync, and how it is applied whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from compute.core.batch import TableChanges
from compute.destinations.base import TableTarget, WriteBatch
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.writers import TableWriter, row_missing, writer_for
from rosetta.dialects.postgres import replay
from rosetta.dialects.postgres.merge_table import MergeTable, copy_changes_sql
from rosetta.enums import SyncMode

Version = tuple[int, int]
Owner = tuple[int, int]  # pipeline and destination


@dataclass
class SyncWork:
    """One sync's part of a batch.

    `replayed_by` is set for a replay. `stale` then names, by (_lsn, _seq), the changes whose rows are newer.
    """

    target: TableTarget
    replayed_by: Owner | None
    truncated: bool = False
    changes: list[TableChanges] = field(default_factory=list)
    stale: set[Version] = field(default_factory=set)

    @property
    def doing(self) -> str:
        return f"writing {self.target.target}"

    @property
    def writer(self) -> TableWriter:
        return writer_for(self.target)

    @property
    def row_count(self) -> int:
        return sum(changes.row_count for changes in self.changes)

    def stage(self, staging: Staging) -> Iterator[tuple[TableChanges, MergeTable]]:
        """Each payload with its staging table, which is made where it is missing."""
        for changes in self.changes:
            yield changes, staging.table(self.target, changes.columns, changes.key)

    def truncate(self, session: Session, staging: Staging, batch: WriteBatch) -> None:
        """Empties the table, if the batch does. A replay leaves what is newer than its truncation."""
        if not self.truncated:
            return
        table, end = staging.whole_table(self.target), batch.truncation
        if self.replayed_by is None or self.target.mode is SyncMode.APPEND:
            self.writer.truncate(session, table, end, self.target.copying)
        else:
            lsn = end.commit_lsn if end.at_boundary else end.change_lsn
            session.run(replay.empty_older_sql(table, int(lsn)), self.doing)

    def write(self, session: Session, staging: Staging, batch: WriteBatch) -> None:
        """Applies everything, or raises DataError somewhere in between."""
        self.truncate(session, staging, batch)
        for number, (changes, table) in enumerate(self.stage(staging)):
            if number:  # an earlier shape of the same table may have been staged in this transaction
                session.run(f"DELETE FROM {table.staging}", self.doing)
            session.copy(copy_changes_sql(table), changes.data, self.doing)
            self.find_stale(session, table)
            if not changes.folded:
                self.writer.fold(session, table)
            if self.writer.fill(session, table, changes, self.target.copying):
                raise row_missing(table)
            session.run(self.apply_sql(table, changes), self.doing)

    def find_stale(self, session: Session, table: MergeTable) -> None:
        """For a replay: notes the staged changes that are stale, and drops those that are there or must not be."""
        if self.replayed_by is None or self.target.mode is SyncMode.APPEND or not table.key:
            return
        sql = replay.stale_sql(table, copying=self.target.copying)
        self.stale.update((int(lsn), int(seq)) for lsn, seq in session.rows(sql, self.doing))
        session.run(replay.drop_known_sql(table, copying=self.target.copying), self.doing)

    def apply_sql(self, table: MergeTable, changes: TableChanges) -> str:
        """What applies the staged changes; a replay passes over those that it applied before."""
        applied = self.writer.apply_sql(table, changes, self.target.copying)
        if self.replayed_by is None or not self.needs_notes:
            return applied
        return f"{replay.note_sql(table, (*self.replayed_by, self.target.sync_id))};\n{applied}"

    @property
    def is_plain(self) -> bool:
        """Whether it is applied without a question in between."""
        target = self.target
        if self.truncated or target.copying or self.replayed_by is not None or len(self.changes) != 1:
            return False
        keyed = target.mode is SyncMode.CURRENT and bool(target.schema.key)
        return self.changes[0].folded and (keyed or not self.changes[0].has_unchanged)

    @property
    def needs_notes(self) -> bool:
        """Whether only a note can tell that a change was replayed: rows without a key have no version to compare."""
        target = self.target
        return target.mode is SyncMode.CURRENT and not target.schema.key and not target.copying


def by_sync(batch: WriteBatch, owner: Owner) -> dict[int, SyncWork]:
    """Groups a batch by table sync, in the order in which the syncs first appear."""
    work: dict[int, SyncWork] = {}
    replayed_by = owner if batch.end is None else None
    for target in batch.truncated:
        work.setdefault(target.sync_id, SyncWork(target, replayed_by)).truncated = True
    for write in batch.writes:
        work.setdefault(write.target.sync_id, SyncWork(write.target, replayed_by)).changes.append(write.changes)
    return work
