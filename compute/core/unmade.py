"""Rows that the rules of their table sync could not make: parked one by one, so that all others go on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from compute.core.batch import ChangeBatch
from compute.core.lines import lines, select
from compute.destinations.base import Refusal, RefusedRecord, TableWrite
from rosetta.errors import DataError

if TYPE_CHECKING:
    from compute.core.work import Desk
    from compute.dlq.entries import Divided

_NOT_MADE: Final = DataError(
    "the custom SQL cannot compute the row",
    code="CUSTOM_SQL_FAILED",
    remedy="Mend the row at the source, give its values by hand, or let the statement give NULL (TRY_CAST, CASE).",
)


def unmade_apart(write: TableWrite) -> tuple[TableWrite | None, list[RefusedRecord]]:
    """What is to be written of a write, and rows of it that the target's rules could not make, one by one."""
    rules = write.target.rules
    if rules is None or not rules.lacks_rows(write.changes):
        return write, []
    found = lines(write.changes)
    rest = [line for line in found if not line.has_unchanged]
    records = [
        RefusedRecord(write.target, select(write.changes, [line]), _NOT_MADE) for line in found if line.has_unchanged
    ]
    return TableWrite(write.target, select(write.changes, rest)) if rest else None, records


def park_unmade(desk: Desk, divided: Divided, batch: ChangeBatch | None = None) -> Divided:
    """Parks rows that rules could not make; returns what is left to be written.

    Where nothing can be parked their table fails. Raises OutageError while the ledger is away.
    """
    kept: list[tuple[int, TableWrite]] = []
    records: list[RefusedRecord] = []
    for number, write in enumerate(divided.writes, start=len(divided.truncated)):
        rest, unmade = unmade_apart(write)
        if unmade and desk.parking is None:
            desk.fail_table(write.target.sync_id, unmade[0].error)
            continue
        records += unmade
        if rest is not None:
            kept.append((number, rest))
    if not records and len(kept) == len(divided.writes):
        return divided
    desk.refused(Refusal(records=tuple(records)), divided, batch)
    numbers = (*range(len(divided.truncated)), *(number for number, _ in kept))
    parts = tuple(divided.parts[number] for number in numbers) if divided.parts else ()
    return replace(divided, writes=tuple(write for _, write in kept), parts=parts)
