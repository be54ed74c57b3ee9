"""Applying what can be applied of tables that were refused whole: change by change, behind one another, together.

1. Each table's changes are staged anew, in a pool, without those that no row of it could ever hold, and tried whole.
2. What waits on other rows is tried in one piece, rows replacing one another: unique values handed around in any way.
3. Then in commit order and against it, by halves, as long as something is taken.
4. Then by source transaction, constraints checked at its end: rows that need one another. What is taken there may
   make room for others, so the rounds begin again, up to a bound; what is left at last is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from compute.destinations.base import RefusedRecord, WriteBatch
from compute.destinations.postgres.part import Part
from compute.destinations.postgres.session import Session
from compute.destinations.postgres.staging import Staging
from compute.destinations.postgres.sync_work import SyncWork
from compute.destinations.sift import sift
from rosetta.errors import DataError, RosettaError

# Rows of one transaction that need one another, one of them bad, are tried without each in turn.
_LEAVE_ONE_OUT: Final = 16
# Each round takes something, but a chain that is tangled enough would take one row a round.
_MAX_ROUNDS: Final = 16

Unit = tuple[int, int]  # a part, and a unit of it


class Rescue:
    """What became of the tables that were refused; the transaction stays open.

    Attributes:
        rows: changes that were applied.
        tables, records: what was refused, as in `Refusal`.
    """

    def __init__(self, session: Session, staging: Staging, batch: WriteBatch) -> None:
        self.rows = 0
        self.tables: dict[int, RosettaError] = {}
        self.records: list[RefusedRecord] = []
        self._session = session
        self._staging = staging
        self._batch = batch
        self._parts: list[Part] = []

    def run(self, work: Iterable[SyncWork]) -> None:
        for sync in work:
            self._open(sync)
        for part in self._parts:
            part.try_whole()
        if not any(part.whole_may_pass for part in self._parts) or not self._together(self._waiting()):
            self._rounds()
        for part in self._parts:
            self.rows += part.rows
            self.records += part.refused()

    def _open(self, sync: SyncWork) -> None:
        doing, parts = sync.doing, list[Part]()
        self._session.run("SAVEPOINT sync", doing)
        try:
            sync.truncate(self._session, self._staging, self._batch)
            for changes, table in sync.stage(self._staging):
                for earlier in parts[-1:]:  # a later shape may take values from what an earlier one wrote
                    earlier.try_waiting(backward=False)
                parts.append(Part(self._session, sync, changes, table, len(self._parts) + len(parts)))
                parts[-1].fill_pool()
        except DataError as error:
            self._session.run("ROLLBACK TO SAVEPOINT sync; RELEASE SAVEPOINT sync", doing)
            self.tables[sync.target.sync_id] = error
            return
        self._session.run("RELEASE SAVEPOINT sync", doing)
        self._parts += parts

    def _rounds(self) -> None:
        backward = patient = interrupted = False
        for _ in range(_MAX_ROUNDS):
            taken = [part.try_waiting(backward=backward, patient=patient) for part in self._parts]
            self._give_up_tables()
            if not self._waiting():
                return
            interrupted = any(part.interrupted for part in self._parts)
            if (interrupted or not any(taken)) and not self._by_transaction() and not any(taken):
                if not interrupted:
                    return
                patient = True
            backward = not backward
        if interrupted:  # so that each that is left has its reason
            for part in self._parts:
                part.try_waiting(backward=backward)
            self._give_up_tables()

    def _give_up_tables(self) -> None:
        for part in self._parts:
            if part.hopeless is not None:
                self.tables[part.sync.target.sync_id] = part.hopeless
        self._parts = [part for part in self._parts if part.sync.target.sync_id not in self.tables]

    def _waiting(self) -> list[Unit]:
        return [(number, unit) for number, part in enumerate(self._parts) for unit in part.waiting]

    def _by_transaction(self) -> bool:
        """Tries the units that wait on others together, then transaction by transaction; whether any were taken."""
        before = len(self._waiting())
        self._most_of([unit for unit in self._waiting() if self._parts[unit[0]].may_pass(unit[1])])
        gathered: dict[int, list[Unit]] = {}
        for number, unit in self._waiting():
            if self._parts[number].may_pass(unit):
                gathered.setdefault(self._parts[number].transaction(unit), []).append((number, unit))
        transactions = list(gathered.values())

        def attempt(first: int, end: int) -> DataError | None:
            units = [unit for transaction in transactions[first:end] for unit in transaction]
            return None if self._together(sorted(units)) else DataError("refused")

        for number in sift(len(transactions), attempt) if len(transactions) > 1 else ():
            self._most_of(sorted(transactions[number]))
        return len(self._waiting()) < before

    def _most_of(self, units: list[Unit]) -> None:
        """Applies units together, if need be without those that stand in the way of the others."""
        left = units
        for _ in range(_MAX_ROUNDS):
            if not left or self._together(left):
                return
            blocked = self._blocked(left)
            if not blocked:
                break
            left = [unit for unit in left if unit not in blocked]
        if 2 < len(left) <= _LEAVE_ONE_OUT:
            any(self._together([unit for unit in left if unit != one]) for one in left)

    def _blocked(self, units: Iterable[Unit]) -> set[Unit]:
        return {
            (number, unit) for number, chosen in _by_part(units).items() for unit in self._parts[number].blocked(chosen)
        }

    def _together(self, units: list[Unit]) -> bool:
        """Applies units in one piece, whatever order they need; or nothing."""
        return self._all_or_none({self._parts[number]: chosen for number, chosen in _by_part(units).items()})

    def _all_or_none(self, chosen: Mapping[Part, list[int]]) -> bool:
        doing = "writing refused changes together"
        statements = [part.together_sql(units) for part, units in chosen.items()]
        try:
            self._session.run(
                f"SAVEPOINT rescue; SET CONSTRAINTS ALL DEFERRED; {'; '.join(statements)}; "
                "SET CONSTRAINTS ALL IMMEDIATE; RELEASE SAVEPOINT rescue",
                doing,
            )
        except DataError:
            self._session.run("ROLLBACK TO SAVEPOINT rescue; RELEASE SAVEPOINT rescue", doing)
            return False
        for part, units in chosen.items():
            part.took(units)
        return True


def _by_part(units: Iterable[Unit]) -> dict[int, list[int]]:
    chosen: dict[int, list[int]] = {}
    for number, unit in units:
        chosen.setdefault(number, []).append(unit)
    return chosen
