"""Objects of ours at sources and destinations that are given up, because what they lie on will not come back."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.exceptions import EntityInUseError
from app.domain.models import CleanupTask
from app.domain.schemas.cleanup import LeftBehindView
from rosetta.dialects.postgres.removal import remove_traces_sql
from rosetta.dialects.postgres.text import literal, quoted
from rosetta.enums import CleanupKind


def pending_error(what: str, entity_id: int, pending: Sequence[CleanupTask]) -> EntityInUseError:
    """Why a source or a destination (`what`) cannot be deleted yet, and both ways out."""
    return EntityInUseError(
        f"Rosetta still has to remove {len(pending)} object(s) of pipelines that left {what} {entity_id}.",
        code="CLEANUP_PENDING",
        remedy=f"Keep the {what} reachable and compute running until they are gone, then delete it. When it never "
        "comes back, delete it with `?force=true`: the answer says what must then be dropped by hand.",
        details={
            "objects": [
                {
                    "kind": task.kind.value,
                    "name": task.object_name,
                    "attempts": task.attempts,
                    "last_error": task.last_error,
                }
                for task in pending
            ]
        },
    )


def left_behind(task: CleanupTask) -> LeftBehindView:
    """The object of a task that is given up, with the SQL that removes it."""
    return LeftBehindView(kind=task.kind, object_name=task.object_name, sql=_sql(task))


def _sql(task: CleanupTask) -> str:
    if task.kind is CleanupKind.DROP_SLOT:
        return f"SELECT pg_drop_replication_slot({literal(task.object_name)})"
    if task.kind is CleanupKind.DROP_PUBLICATION:
        return f"DROP PUBLICATION IF EXISTS {quoted(task.object_name)}"
    return remove_traces_sql(int(task.object_name), task.destination_id or 0)
