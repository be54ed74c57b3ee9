"""What a person decides about parked changes: try again, mend a value, or discard.

Nothing here writes to a target: compute does, when it is asked. Every function works in its caller's transaction and
never commits; the caller writes the audit entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Select, bindparam, func, select, update
from sqlalchemy.orm import Session, aliased

from rosetta.dead_letters.payload import open_payload, seal_payload
from rosetta.dead_letters.rows import edit_row
from rosetta.dead_letters.search import OPEN, Criteria, Place, Sum, find, matching, summed
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


class SegmentNotEditableError(ConfigurationError):
    """A segment waits for its destination; its values are not what is wrong."""

    code = "DLQ_SEGMENT_NOT_EDITABLE"

    def __init__(self, record_id: int) -> None:
        super().__init__(
            f"Record {record_id} is a segment of a batch that waits for its destination: its values are not at fault.",
            remedy="Mend the destination; the segment is then written by itself.",
        )


class RecordMissingError(ConfigurationError):
    """The destination has no record with this id."""

    code = "DLQ_RECORD_NOT_FOUND"

    def __init__(self, record_id: int) -> None:
        super().__init__(f"There is no parked record {record_id}.", remedy="List the records of this destination.")
        self.record_id = record_id


@dataclass(frozen=True, slots=True)
class Done:
    """How much of a selection one call did; `complete` False: there is more of it, so call again."""

    done: Sum
    complete: bool


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

    What was asked for already and not tried since is not asked for twice, so that calling again goes on. Raises
    RecordMissingError or RecordClosedError when a record named by its id cannot be asked for.
    """
    _require_open(session, place, criteria)
    chosen = matching(place, replace(criteria, states=OPEN)).where(
        DlqRecord.retry_requested_at.is_(None) | (DlqRecord.last_attempt_at > DlqRecord.retry_requested_at)
    )
    return _change(session, chosen, {"retry_requested_at": func.now()})


def discard(session: Session, place: Place, criteria: Criteria, reason: str, actor_id: int | None) -> Done:
    """Gives up open records, at most AT_ONCE of them by one call; their payload is forgotten.

    What waits behind them is asked for, because nothing else would set it free. Raises RecordMissingError or
    RecordClosedError when a record named by its id cannot be discarded.
    """
    _require_open(session, place, criteria)
    chosen = matching(place, replace(criteria, states=OPEN))
    closed = {"state": DlqState.DISCARDED, "payload": b"", "next_attempt_at": None}
    return _change(session, chosen, {**closed, "discard_reason": reason, "discarded_by": actor_id}, free=True)


@dataclass(frozen=True, slots=True)
class Edit:
    """New values for one change of a record; `change` counts from 0."""

    record_id: int
    values: Mapping[str, str | None]
    change: int = 0


def edit(session: Session, place: Place, keyring: Keyring, wanted: Edit, actor_id: int | None) -> DlqRecord:
    """Puts values into one change of a RECORD, and asks compute to try it again.

    Values are in the text form of the source's types, None for NULL. Raises
    RecordMissingError, RecordClosedError, SegmentNotEditableError, and ConfigurationError for what cannot be edited
    so: a change or a column that the record does not have, a key, a delete.
    """
    record = find(session, place, wanted.record_id, lock=True)
    if record is None:
        raise RecordMissingError(wanted.record_id)
    if record.state not in OPEN:
        raise RecordClosedError(record.id, record.state)
    if record.kind is not DlqKind.RECORD:
        raise SegmentNotEditableError(record.id)
    payload = open_payload(record.payload, keyring, place.pipeline_id, place.destination_id)
    edited = edit_row(payload, wanted.change, wanted.values)
    record.payload = seal_payload(edited, keyring, place.pipeline_id, place.destination_id)
    record.payload_bytes = len(edited.data)
    record.retry_requested_at = session.execute(select(func.now())).scalar_one()
    record.edited_by = actor_id
    session.flush()
    return record


def _require_open(session: Session, place: Place, criteria: Criteria) -> None:
    if not criteria.ids:
        return
    named = matching(place, Criteria(ids=criteria.ids, states=tuple(DlqState))).add_columns(DlqRecord.state)
    found: dict[int, DlqState] = {row.id: row.state for row in session.execute(named)}
    for record_id in criteria.ids:
        if record_id not in found:
            raise RecordMissingError(record_id)
        if found[record_id] not in OPEN:
            raise RecordClosedError(record_id, found[record_id])


def _change(session: Session, chosen: Select[int], values: Mapping[str, Any], *, free: bool = False) -> Done:
    ids = session.scalars(chosen.order_by(DlqRecord.id).limit(AT_ONCE).with_for_update()).all()
    changed = session.execute(
        update(DlqRecord)
        .where(DlqRecord.id == func.any(bindparam("ids", ids, type_=ARRAY(BigInteger))))
        .values(**values)
        .returning(DlqRecord.row_count, DlqRecord.payload_bytes)
        .execution_options(synchronize_session=False)
    ).all()
    if free:
        _free(session, ids)
    done = Sum(len(changed), sum(row.row_count for row in changed), sum(row.payload_bytes for row in changed))
    return Done(done, complete=len(ids) < AT_ONCE)


def _free(session: Session, ids: Sequence[int]) -> None:
    """Asks for the open records that touch a row which one of these touched."""
    gone = aliased(DlqRecord)
    waiting = (
        select(DlqRecord.id)
        .join(gone, gone.table_sync_id == DlqRecord.table_sync_id)
        .where(
            gone.id == func.any(bindparam("ids", ids, type_=ARRAY(BigInteger))),
            DlqRecord.key_hashes.op("&&", is_comparison=True)(gone.key_hashes),
            DlqRecord.state.in_(OPEN),
        )
    )
    session.execute(
        update(DlqRecord)
        .where(DlqRecord.id.in_(waiting))
        .values(retry_requested_at=func.now())
        .execution_options(synchronize_session=False)
    )
