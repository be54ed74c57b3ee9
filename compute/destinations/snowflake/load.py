"""What a batch holds for one table sync, sent to the stage once, and applied as often as it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Final

from compute.core.batch import TableChanges
from compute.core.lines import Line, groups, lines, select
from compute.destinations.base import RefusedRecord, TableTarget, WriteBatch
from compute.destinations.snowflake.payload import write_changes
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.staging import StagedFile, Staging
from rosetta.dialects.snowflake import history, merge
from rosetta.dialects.snowflake.merge_table import MergeTable
from rosetta.enums import SyncMode
from rosetta.errors import DataError, RosettaError

Version = tuple[int, int]
_UNFIT: Final = "VALUE_UNFIT"


@dataclass
class Load:
    """One payload on the stage.

    `refused`: by the line's number, why it is left out; its whole group is, with it.
    """

    changes: TableChanges
    table: MergeTable
    file: StagedFile
    refused: dict[int, DataError] = field(default_factory=dict)
    _lines: list[Line] | None = None

    @property
    def units(self) -> list[list[int]]:
        """Numbers of the lines that are applied or left out together."""
        found = self.lines
        numbers = {id(line): number for number, line in enumerate(found)}
        return [[numbers[id(line)] for line in group] for group in groups(found)]

    @property
    def lines(self) -> list[Line]:
        if self._lines is None:
            self._lines = lines(self.changes)
        return self._lines

    def left_out(self, *, alone: bool) -> dict[int, DataError]:
        """The refused lines and, unless each stands `alone`, those that only make sense together with them."""
        if alone or not self.refused:
            return self.refused
        together: dict[int, DataError] = {}
        for unit in self.units:
            error = next((self.refused[number] for number in unit if number in self.refused), None)
            if error is not None:
                together |= dict.fromkeys(unit, error)
        return together


@dataclass
class SyncLoad:
    """One sync's part of a batch.

    Attributes:
        careful: values are looked at before they are merged, since one of them was refused.
        stale: of a replay, the changes by (_lsn, _seq) whose rows are newer.
    """

    target: TableTarget
    replayed: bool
    truncated: bool = False
    changes: list[TableChanges] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    careful: bool = False
    stale: set[Version] = field(default_factory=set)

    @property
    def doing(self) -> str:
        return f"writing {self.target.target}"

    @property
    def appends(self) -> bool:
        return self.target.mode is SyncMode.APPEND

    @property
    def row_count(self) -> int:
        left_out = sum(len(load.left_out(alone=self.appends)) for load in self.loads)
        return sum(changes.row_count for changes in self.changes) - left_out

    def stage(self, staging: Staging) -> None:
        """Sends what is not on the stage yet."""
        for changes in self.changes[len(self.loads) :]:
            table = staging.table(self.target, changes.columns)
            file = staging.put(self.target, partial(write_changes, changes, table))
            load = Load(changes, table, file)
            error = DataError(f"{self.doing}: a key has a value that its type cannot hold", code=_UNFIT)
            load.refused |= dict.fromkeys(file.sent.unheld_keys, error)
            self.loads.append(load)

    def refused(self) -> list[RefusedRecord]:
        """What is left out, unit by unit."""
        return [record for load in self.loads for record in self._refused(load)]

    def _refused(self, load: Load) -> list[RefusedRecord]:
        if not load.refused:
            return []
        units = [[number] for number in range(len(load.lines))] if self.appends else load.units
        made = []
        for unit in units:
            error = next((load.refused[number] for number in unit if number in load.refused), None)
            if error is not None:
                chosen = select(load.changes, [load.lines[number] for number in unit])
                made.append(RefusedRecord(self.target, chosen, error))
        return made

    def give_up(self, _session: Session, _error: RosettaError, /) -> list[RefusedRecord]:
        """Nothing of it is applied: what its caller has not got is told, inside the transaction."""
        return []

    # -- inside the transaction -----------------------------------------------------------------------------------

    def apply(self, session: Session, staging: Staging, batch: WriteBatch, stamp: int, copied_since: int) -> None:
        """Applies everything that is not refused, or raises DataError somewhere in between."""
        self._truncate(session, staging, batch, stamp)
        for load in self.loads:
            if load.file.sent.rows == 0:
                continue
            staging.load(load.file, load.table, self.doing)
            self._leave_out(session, load)
            if self.appends:
                session.run(history.append_sql(load.table, stamp), self.doing)
            else:
                self._merge(session, load, stamp, copied_since)
            staging.clear(load.table, self.doing)

    def _truncate(self, session: Session, staging: Staging, batch: WriteBatch, stamp: int) -> None:
        if not self.truncated:
            return
        end = batch.truncation
        lsn = int(end.commit_lsn if end.at_boundary else end.change_lsn)
        table = staging.described(self.target, self.target.schema.column_names)
        if self.appends:
            session.run(history.append_truncate_sql(table, lsn, stamp), self.doing)
            return
        session.run(merge.truncate_sql(table, stamp, up_to=lsn if self.replayed else None), self.doing)
        if self.target.copying and not self.replayed:
            session.run(f"DELETE FROM {table.unfilled}", self.doing)

    def _leave_out(self, session: Session, load: Load) -> None:
        if self.careful:
            error = DataError(f"{self.doing}: Snowflake refuses a value", code=_UNFIT)
            unfit = session.rows(merge.unfit_sql(load.table), self.doing)
            decisive = self._decisive(load) if not self.appends else None
            for (number,) in unfit:
                if decisive is None or int(number) in decisive:
                    load.refused.setdefault(int(number), error)
        self._drop(session, load)

    def _decisive(self, load: Load) -> set[int]:
        """Numbers of the newest line of each key: an older one is not in its way."""
        newest: dict[tuple[bytes, ...], int] = {}
        for number, line in enumerate(load.lines):
            held = newest.get(line.key)
            if held is None or load.lines[held].version <= line.version:
                newest[line.key] = number
        return set(newest.values())

    def _drop(self, session: Session, load: Load) -> None:
        left_out = load.left_out(alone=self.appends)
        if left_out:
            session.run(merge.drop_lines_sql(load.table, sorted(left_out)), self.doing)

    def _merge(self, session: Session, load: Load, stamp: int, copied_since: int) -> None:
        table, changes, copying = load.table, load.changes, self.target.copying
        if self.replayed:
            found = session.rows(merge.stale_sql(table, copying=copying), self.doing)
            self.stale |= {(int(lsn), int(seq)) for lsn, seq in found}
            for sql in merge.drop_known_sql(table, copying=copying):
                session.run(sql, self.doing)
        if not changes.folded:
            session.run(merge.fold_sql(table), self.doing)
        if changes.has_unchanged:
            if copying:
                session.run(merge.note_missing_sql(table, copied_since), self.doing)
            else:
                self._refuse_missing(session, load)
        session.run(merge.merge_sql(table, stamp, filled=changes.has_unchanged), self.doing)
        if copying:
            if changes.has_deletes:
                session.run(merge.bury_sql(table), self.doing)
            for sql in merge.renew_notes_sql(table):
                session.run(sql, self.doing)

    def _refuse_missing(self, session: Session, load: Load) -> None:
        found = session.rows(merge.missing_sql(load.table), self.doing)
        if not found:
            return
        error = DataError(
            f"{self.target.target} lacks a row whose values a change left unchanged",
            code="ROW_MISSING",
            remedy="Resync the table.",
        )
        load.refused |= {int(number): error for (number,) in found}
        self._drop(session, load)


def by_sync(batch: WriteBatch) -> dict[int, SyncLoad]:
    """Groups a batch by table sync, in the order in which the syncs first appear."""
    work: dict[int, SyncLoad] = {}
    replayed = batch.end is None
    for target in batch.truncated:
        work.setdefault(target.sync_id, SyncLoad(target, replayed)).truncated = True
    for write in batch.writes:
        work.setdefault(write.target.sync_id, SyncLoad(write.target, replayed)).changes.append(write.changes)
    return work
