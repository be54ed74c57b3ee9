"""What a person decides about parked changes: try again, mend a value, or discard.

Nothing here writes to a target: compute does, when it is asked. Every function works in its caller's transaction and
never commits; the caller writes the audit entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import Session, aliased

from rosetta.dead_letters.payload import open_payload, seal_payload
from rosetta.dead_letters.rows import edit_row
from rosetta.dead_letters.search import OPEN, Criteria, Place, Sum, matching, summed
from rosetta.enums import DlqKind, DlqState
from rosetta.errors import ConfigurationError
from rosetta.secrets import Keyring
from rosetta.tables import DlqRecord, PipelineDestination

# Of one transaction: a selection that is larger is done in several.
AT_ONCE: Final = 20_000


class RecordClosedError(ConfigurationError):
    """The record was recovered, superseded or discarded already."""

    code = "DLQ_RECORD_CLOSED"

    def __init__(self, record_id: int, state: DlqState) -> None:
        super().__init__(
            f"Record {record_id} is {state}: nothing waits in it any more.",
            remedy="List the open records, and choose among them.",
        )


class RecordMissingError(ConfigurationError):
    """The destination has no record with this id."""

    code = "DLQ_RECORD_NOT_FOUND"

    def __init__(self, record_id: int) -> None:
        super().__init__(f"There is no parked record {record_id}.", remedy="List the records of this destination.")
        self.record_id = record_id


@dataclass(frozen=True, slots=True)
class Done:
    """How much was done, and what of the selection is still to be done by calling again."""

    done: Sum
    remaining: int = 0


def ask_for_all(session: Session, place: Place) -> Sum:
    """Asks compute to try everything that is open for a destination, now; returns how much that is."""
    session.execute(
        update(PipelineDestination)
        .where(
            PipelineDestination.pipeline_id == place.pipeline_id,
            PipelineDestination.destination_id == place.destination_id,
        )
        .values(recover_requested_at=func.now())
        .execution_options(synchronize_session=False)
    )
    return summed(session, place, Criteria())


def ask_for(session: Session, place: Place, criteria: Criteria) -> Done:
    """Asks compute to try open records again, now; at most AT_ONCE of them by one call.

    Those that were asked for already and not tried since are not asked for twice, so calling again goes on. Raises
    RecordMissingError or RecordClosedError when a record named by its id cannot be asked for.
    """
    require_open(session, place, criteria.ids)
    waiting = DlqRecord.retry_requested_at.is_(None) | (
        DlqRecord.last_attempt_at.is_not(None) & (DlqRecord.last_attempt_at > DlqRecord.retry_requested_at)
    )
    chosen = matching(place, replace(criteria, states=OPEN)).where(waiting)
    return _changed(session, chosen, update(DlqRecord).values(retry_requested_at=func.now()))


def discard(session: Session, place: Place, criteria: Criteria, reason: str, actor_id: int | None) -> Done:
    """Gives up open records, at most AT_ONCE of them by one call; their payload is forgotten.

    What waits behind them is asked for again, because nothing else would set it free. Raises RecordMissingError or
    RecordClosedError when a record named by its id cannot be discarded.
    """
    require_open(session, place, criteria.ids)
    chosen = matching(place, replace(criteria, states=OPEN))
    closing = update(DlqRecord).values(
        state=DlqState.DISCARDED,
        payload=b"",
        next_attempt_at=None,
        discard_reason=reason,
        discarded_by=actor_id,
    )
    ids = session.scalars(chosen.limit(AT_ONCE).with_for_update(skip_locked=True)).all()
    done = _update(session, closing, ids)
    _free(session, ids)
    return Done(done, _remaining(session, place, criteria) if len(ids) == AT_ONCE else 0)
