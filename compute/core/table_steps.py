"""What to do next with one table sync. Pure: a table of states, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from compute.core.catalog.plan import TableSyncPlan
from compute.core.exit_codes import Failure
from rosetta.enums import ReplicaIdentity, SyncMode, TableSyncDesired, TableSyncState
from rosetta.errors import RosettaError
from rosetta.types import TableSchema


class Step(StrEnum):
    NOTHING = "NOTHING"
    COPY = "COPY"  # from the beginning
    RESUME_COPY = "RESUME_COPY"  # where an earlier process left off
    STREAM = "STREAM"
    PAUSE = "PAUSE"
    REFUSE = "REFUSE"


@dataclass(frozen=True, slots=True)
class Decision:
    step: Step
    failure: Failure | None = None


# Refusals that end by themselves when their cause does; any other ERROR waits for a RESYNC, unless it is held.
_PASSING = frozenset(
    {"TABLE_NOT_PUBLISHED", "NO_REPLICA_IDENTITY", "UNSUPPORTED", "TARGET_CONFLICT"}
    | {"TABLE_RULES_INVALID", "FILTER_INVALID", "FILTER_UNSUPPORTED", "CUSTOM_SQL_REFUSED"}
)


def decide(sync: TableSyncPlan, schema: TableSchema | None, *, served: bool, conflict: bool = False) -> Decision:
    """The step for `sync`.

    Args:
        schema: the source's table; None when the publication does not have it.
        served: a writer of this process serves it already.
        conflict: another sync of the destination writes to the same target table.
    """
    if sync.desired is TableSyncDesired.PAUSED:
        at_rest = sync.state is TableSyncState.PAUSED and not served
        return Decision(Step.NOTHING if at_rest else Step.PAUSE)
    failure = refusal(sync, schema, conflict=conflict)
    if failure is not None:
        known = sync.state is TableSyncState.ERROR and sync.error_code == failure.code and not served
        return Decision(Step.NOTHING if known else Step.REFUSE, failure)
    if sync.desired is TableSyncDesired.RESYNC:
        return Decision(Step.COPY)
    if served:
        return Decision(Step.NOTHING)
    return Decision(_first_step(sync))


def _misfit(sync: TableSyncPlan, schema: TableSchema) -> RosettaError | None:
    try:
        sync.rules.check(schema)
    except RosettaError as error:
        return error
    return None


def _first_step(sync: TableSyncPlan) -> Step:
    if sync.state is TableSyncState.ERROR:
        if sync.error_code in _PASSING:
            return Step.COPY
        return Step.STREAM if sync.held else Step.NOTHING  # held: all that came since is in the ledger
    if sync.state is TableSyncState.COPYING:
        return Step.RESUME_COPY
    if sync.state is TableSyncState.STREAMING:
        return Step.STREAM
    # PENDING and RESYNC; and PAUSED, because what happened during a pause was not kept
    return Step.COPY


def refusal(sync: TableSyncPlan, schema: TableSchema | None, *, conflict: bool) -> Failure | None:
    """Why the table cannot be replicated as it is; None when it can."""
    if schema is None:
        return Failure(
            "TABLE_NOT_PUBLISHED",
            f"{sync.source} is not in the publication, or does not exist",
            f"At the source: ALTER PUBLICATION ... ADD TABLE {sync.source};",
        )
    error = sync.problem or _misfit(sync, schema)
    if error is not None:
        return Failure.of(error)
    if conflict:
        return Failure(
            "TARGET_CONFLICT",
            f"another table of this destination already writes to the target of {sync.source}",
            "Give one of them another target_schema or target_name.",
        )
    keyless = not schema.key and schema.replica_identity is not ReplicaIdentity.FULL
    if keyless and sync.mode is SyncMode.CURRENT:
        return Failure(
            "NO_REPLICA_IDENTITY",
            f"{sync.source} has no primary key, so its updates and deletes cannot be followed",
            f"At the source: ALTER TABLE {sync.source} REPLICA IDENTITY FULL; or add a primary key.",
        )
    return None
