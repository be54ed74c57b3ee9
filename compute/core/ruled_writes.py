"""What a table's changes come to at each of its targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from compute.core.batch import MadeFor, TableChanges
from compute.destinations.base import TableTarget, TableWrite
from compute.dlq.parcels import UNFIT
from rosetta.errors import OutageError, RosettaError, SchemaMismatchError
from rosetta.logs import get_logger

_log = get_logger("compute.rules")

FailTable = Callable[[int, RosettaError], None]


def ruled_writes(targets: Iterable[TableTarget], changes: TableChanges, fail: FailTable) -> list[TableWrite]:
    """The changes for each target, as its rules make them, without those that come to nothing.

    `fail` hears of a table whose rules do not fit. Raises OutageError while the source, which rules may ask, is away.
    """
    return list(_writes(targets, changes, fail))


def _writes(targets: Iterable[TableTarget], changes: TableChanges, fail: FailTable) -> Iterator[TableWrite]:
    for target in targets:
        if changes.made_for is not None:
            if _is_due(target, changes.made_for, fail):
                yield TableWrite(target, changes)
        elif target.rules is None:
            yield TableWrite(target, changes)
        else:
            try:
                made = target.rules.apply(changes)
            except OutageError:
                raise
            except RosettaError as error:
                fail(target.sync_id, error)
                continue
            if made.row_count:
                yield TableWrite(target, made)


def _is_due(target: TableTarget, made_for: MadeFor, fail: FailTable) -> bool:
    """Whether changes from the ledger are for the target as it is now.

    Where its rules are others by now, a copy is under way that began after these changes and replaces what they say.
    """
    if made_for.rules == (None if target.rules is None else target.rules.made_for.rules):
        return True
    if made_for.rules == UNFIT:
        lost = f"changes of {target.source} were not kept while its target was away: its rules did not fit them"
        remedy = "Mend the table sync's columns, masks or filters, then resync the table."
        fail(target.sync_id, SchemaMismatchError(lost, code="TABLE_RULES_INVALID", remedy=remedy))
    elif target.copying:
        _log.info("parked_by_former_rules", sync_id=target.sync_id)
    else:
        other = f"changes of {target.source} were parked under other rules, or another masking key, than it has now"
        fail(target.sync_id, SchemaMismatchError(other, code="PARKED_BY_OTHER_RULES", remedy="Resync the table."))
    return False
