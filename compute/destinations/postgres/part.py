"""One table's changes of one shape, taken apart into units that are applied or refused each by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from compute.core.batch import TableChanges
from compute.core.lines import Line, groups, lines, select
from compute.destinations.base import RefusedRecord
from compute.destinations.postgres.refusals import is_about_uniqueness, may_pass
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import read_target
from compute.destinations.postgres.sync_work import SyncWork
from compute.destinations.postgres.writers import row_missing
from compute.destinations.sift import sift
from rosetta.dialects.postgres import ddl, merge, pool
from rosetta.dialects.postgres.merge_table import MergeTable
from rosetta.enums import SyncMode
from rosetta.errors import DataError

# So many changes, all there were so far, refused one by one: then it is the table that refuses, not a row.
HOPELESS_AFTER: Final = 2_048
_IMPATIENT_AFTER: Final = 64
_XID: Final = 3


class Part:
    """The units of a payload: single changes, or those that only make sense together (`compute.core.lines.groups`).

    In append mode each change is a unit. In a table with a key only the newest change of a key is applied.

    Attributes:
        waiting: numbers of the units that are neither applied nor beyond help, ascending.
        rows: changes applied so far.
        hopeless: set when the table as a whole refuses.
        interrupted: the last `try_waiting` left units untried.
    """

    def __init__(self, session: Session, sync: SyncWork, changes: TableChanges, table: MergeTable, number: int) -> None:
        self.sync = sync
        self.waiting: dict[int, None] = {}  # in this order, and cheap to take from
        self.rows = 0
        self.hopeless: DataError | None = None
        self.interrupted = False
        self._session = session
        self._changes = changes
        self._table = table
        self._pool = pool.pool_of(table, number)
        self._units = list(_units(changes, sync.target.mode))
        self._errors: dict[int, DataError] = {}
        self._refused_whole: DataError | None = None
        self._replace: str | None = None

    # -- filling ----------------------------------------------------------------------------------

    def fill_pool(self) -> None:
        """Stages all units that the table's types can hold, with what they left out taken from the target.

        Raises DataError when the table as it is refuses even a batch without rows.
        """
        session, doing, picked = self._session, self.sync.doing, self._pool.picked
        session.run(pool.create_pool_sql(self._table, self._pool), doing)
        session.run(f"{pool.pick_sql([0], dense=True)}; {self.sync.apply_sql(picked, self._changes)}", doing)
        self._errors = sift(len(self._units), self._stage_units, self._gives_up)
        if self.hopeless is not None:
            raise self.hopeless
        if not self._changes.folded:
            self.sync.writer.fold(session, self._pool.whole)
        if self._changes.has_unchanged and self.sync.target.mode is SyncMode.CURRENT:
            for (unit,) in session.rows(pool.take_lacking_sql(self._pool), doing):
                self._errors[unit] = row_missing(self._table)
        self.waiting = {number: None for number in range(len(self._units)) if number not in self._errors}
        self._replace = _replacement(session, self.sync, self._table, self._pool)

    def _stage_units(self, first: int, end: int) -> DataError | None:
        session, doing, whole = self._session, self.sync.doing, self._pool.whole
        payload = b"".join(
            b"%d\t%b" % (number, line.raw)
            for number in range(first, end)
            for line in self._counted(self._units[number])
        )
        session.run("SAVEPOINT rescue", doing)
        try:
            session.copy(pool.copy_pool_sql(self._pool), payload, doing)
            self.sync.find_stale(session, whole)
            self.sync.writer.fill(session, whole, self._changes, self.sync.target.copying)
        except DataError as error:
            session.run("ROLLBACK TO SAVEPOINT rescue; RELEASE SAVEPOINT rescue", doing)
            return error
        session.run("RELEASE SAVEPOINT rescue", doing)
        return None

    def _counted(self, unit: list[Line]) -> Iterator[Line]:
        """The lines that decide: of a row with a key the newest, so that an older one is not in the way."""
        if self.sync.target.mode is SyncMode.APPEND or not self._changes.key:
            return iter(unit)
        newest = {line.key: line for line in unit}
        return (line for line in unit if newest[line.key] is line)

    # -- trying -----------------------------------------------------------------------------------

    def try_whole(self) -> None:
        """Tries everything that waits in one piece."""
        if self.waiting:
            self._refused_whole = self._try_units(list(self.waiting))

    @property
    def whole_may_pass(self) -> bool:
        return self._refused_whole is not None and may_pass(self._refused_whole)

    def try_waiting(self, *, backward: bool, patient: bool = True) -> bool:
        """Tries what waits, by halves, in commit order or against it; whether any was taken.

        Not `patient`, it stops where unique values are in the way of all: that is sooner found out together.
        """
        if not self.waiting:
            return False
        order = list(reversed(self.waiting)) if backward else list(self.waiting)
        before = self.rows

        def attempt(first: int, end: int) -> DataError | None:
            return self._try_units(sorted(order[first:end]))

        def give_up(taken: int, in_a_row: int, error: DataError) -> bool:
            handed_on = self._replace is not None and is_about_uniqueness(error) and in_a_row >= _IMPATIENT_AFTER
            self.interrupted = handed_on and not patient
            return self.interrupted or self._gives_up(taken, in_a_row, error)

        self.interrupted = False
        for place, error in sift(len(order), attempt, give_up).items():
            self._errors[order[place]] = error
        return self.rows > before

    def _try_units(self, units: list[int], *, only_looking: bool = False) -> DataError | None:
        try:
            self._session.run(
                f"SAVEPOINT rescue; {pool.pick_sql(units, dense=True)}; "
                f"{self.sync.apply_sql(self._pool.picked, self._changes)}; {pool.drop_picked_sql(self._pool)}; "
                "RELEASE SAVEPOINT rescue",
                self.sync.doing,
            )
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT rescue; RELEASE SAVEPOINT rescue", self.sync.doing)
            return error
        if not only_looking:
            self.took(units)
        return None

    def blocked(self, units: list[int]) -> set[int]:
        """Which of `units` are refused even when the older rows of all of them are out of the way; applies nothing."""
        if self._replace is None or not self._hands_values_on(units):
            return set()
        doing, found = self.sync.doing, dict[int, DataError]()
        hopeless = False

        def attempt(first: int, end: int) -> DataError | None:
            return self._try_units(units[first:end], only_looking=True)

        def give_up(taken: int, in_a_row: int, _error: DataError) -> bool:
            nonlocal hopeless
            hopeless = taken == 0 and in_a_row >= _IMPATIENT_AFTER
            return hopeless

        self._session.run("SAVEPOINT look", doing)
        try:
            self._session.run(f"{pool.keep_only_sql(self._pool, units)}; {pool.take_out_sql(self._pool)}", doing)
            found = sift(len(units), attempt, give_up)
        except DataError:  # something refers to the rows: they cannot be taken out
            found = {}
        self._session.run("ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look", doing)
        return set(units) if hopeless else {units[place] for place in found}

    def _gives_up(self, taken: int, in_a_row: int, error: DataError) -> bool:
        """A table that has taken nothing of so many changes will take none; those that wait on others are not meant."""
        touched = taken > 0 or self.rows > 0 or self.sync.truncated or len(self.sync.changes) > 1
        if in_a_row < HOPELESS_AFTER or touched or may_pass(error):
            return False
        self.hopeless = DataError(
            f"{error.message}; so did each of the first {in_a_row} changes", code=error.code, remedy=error.remedy
        )
        return True

    def together_sql(self, units: list[int]) -> str:
        """Applies units in whatever order they need, rows replacing one another where that is without side effects."""
        dense = units == [unit for unit in self.waiting if units[0] <= unit <= units[-1]]
        picked, statements = self._pool.picked, [pool.pick_sql(units, dense=dense)]
        if self._replace is not None and self._hands_values_on(units):
            if self._changes.has_deletes:  # what they free may be handed on
                statements.append(merge.delete_sql(picked, copying=self.sync.target.copying))
            statements.append(self._replace)
        statements += [self.sync.apply_sql(picked, self._changes), pool.drop_picked_sql(self._pool)]
        return ";\n".join(statements)

    def _hands_values_on(self, units: Sequence[int]) -> bool:
        known = (self._refused_whole, *(self._errors.get(unit) for unit in units))
        return any(error is not None and is_about_uniqueness(error) for error in known)

    def took(self, units: Sequence[int]) -> None:
        """Units were applied."""
        for unit in units:
            del self.waiting[unit]
            self._errors.pop(unit, None)
            self.rows += len(self._units[unit])

    # -- what is left -----------------------------------------------------------------------------

    def may_pass(self, unit: int) -> bool:
        """Whether a unit that waits may be taken once others are written."""
        error = self._errors.get(unit)
        return error is None or may_pass(error)

    def transaction(self, unit: int) -> int:
        """The source transaction of a unit's last change."""
        return int(self._units[unit][-1].raw.split(b"\t", _XID + 1)[_XID])

    def refused(self) -> list[RefusedRecord]:
        """What nothing helped: every change that was not applied."""
        for unit in self.waiting:
            self._errors.setdefault(unit, self._refused_whole or DataError(f"{self.sync.doing}: refused with others"))
        return [
            RefusedRecord(self.sync.target, select(self._changes, self._units[unit]), error)
            for unit, error in sorted(self._errors.items())
        ]


def _units(changes: TableChanges, mode: SyncMode) -> Iterator[list[Line]]:
    """The changes that are applied or refused together, in commit order."""
    ordered = sorted(lines(changes), key=lambda line: line.version)
    return iter([[line] for line in ordered] if mode is SyncMode.APPEND else groups(ordered))


def _replacement(session: Session, sync: SyncWork, table: MergeTable, its_pool: pool.Pool) -> str | None:
    """How rows replace one another by being deleted and inserted again; None where that would do more than that."""
    target = sync.target
    if target.mode is not SyncMode.CURRENT or not table.key:
        return None
    if not session.rows(pool.replaceable_sql(table), sync.doing)[0][0]:
        return None
    present = read_target(session, target.target)
    if present is None or present.kind not in {"r", "p"}:
        return None
    written = {*(column.name for column in table.columns), *ddl.own_columns(target.mode, target.delete_mode)}
    others = [name for name, column in present.columns.items() if name not in written and not column.generated]
    return pool.replace_sql(its_pool.picked, others)
