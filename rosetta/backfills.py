"""Backfills as people ask for them, by the API or by `rosetta backfill`; compute carries them out.

Every function works in its caller's transaction and never commits; the caller writes the audit entry.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from rosetta.enums import CopyKind, CopyStatus
from rosetta.errors import ConfigurationError
from rosetta.identifiers import TableId
from rosetta.tables import CopyJob, PipelineDestination, TableSync

OPEN: Final = frozenset({CopyStatus.PENDING, CopyStatus.EXECUTING})


class TableNotSyncedError(ConfigurationError):
    """No chosen destination has the table."""

    code = "TABLE_NOT_SYNCED"

    def __init__(self, table: TableId) -> None:
        super().__init__(
            f"No chosen destination of this pipeline has the table {table}.",
            remedy="Name a table that the pipeline syncs; one that was just published arrives within seconds.",
        )


class DestinationNotFedError(ConfigurationError):
    """The pipeline does not feed a destination that was named."""

    code = "DESTINATION_NOT_FED"

    def __init__(self, destination_id: int) -> None:
        super().__init__(
            f"The pipeline does not feed destination {destination_id}.",
            remedy="Name destinations of the pipeline, or none: then every one that has the table is backfilled.",
        )


class BackfillMissingError(ConfigurationError):
    """The pipeline has no backfill with this id."""

    code = "BACKFILL_NOT_FOUND"

    def __init__(self, job_id: int) -> None:
        super().__init__(f"There is no backfill {job_id}.", remedy="List the backfills of the pipeline.")
        self.job_id = job_id


class BackfillEndedError(ConfigurationError):
    """Nothing is left to cancel."""

    code = "BACKFILL_ENDED"

    def __init__(self, job_id: int, status: CopyStatus) -> None:
        super().__init__(f"Backfill {job_id} is {status}: it is at its end.", remedy="Nothing is left to cancel.")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to copy again: rows of `table` that meet every filter, to `destination_ids` (None: all that have it).

    `filters` are stored as they are; who asks has had them checked. `batch_rows` None: compute's own measure.
    """

    pipeline_id: int
    table: TableId
    filters: tuple[Any, ...] = ()
    destination_ids: tuple[int, ...] | None = None
    batch_rows: int | None = None


def asked_for() -> ColumnElement[bool]:
    """The condition of a job that a person asked for, not of a part of it."""
    return (CopyJob.kind == CopyKind.BACKFILL) & CopyJob.backfill_id.is_(None)


def ask(session: Session, wanted: Wanted, requested_by: int | None) -> CopyJob:
    """Queues a backfill. Raises DestinationNotFedError or TableNotSyncedError."""
    joins = session.scalars(
        select(PipelineDestination).where(PipelineDestination.pipeline_id == wanted.pipeline_id)
    ).all()
    fed = {join.destination_id for join in joins}
    for destination_id in wanted.destination_ids or ():
        if destination_id not in fed:
            raise DestinationNotFedError(destination_id)
    chosen = [join for join in joins if wanted.destination_ids is None or join.destination_id in wanted.destination_ids]
    if not _may_have(session, chosen, wanted.table):
        raise TableNotSyncedError(wanted.table)
    job = CopyJob(
        pipeline_id=wanted.pipeline_id,
        kind=CopyKind.BACKFILL,
        schema_name=wanted.table.schema,
        table_name=wanted.table.name,
        filters=list(wanted.filters),
        destination_ids=None if wanted.destination_ids is None else list(wanted.destination_ids),
        batch_rows=wanted.batch_rows,
        requested_by=requested_by,
    )
    session.add(job)
    session.flush()
    session.refresh(job)
    return job


def find(session: Session, job_id: int, pipeline_id: int | None = None, *, lock: bool = False) -> CopyJob:
    """The backfill with this id. Raises BackfillMissingError."""
    query = select(CopyJob).where(CopyJob.id == job_id, asked_for())
    if pipeline_id is not None:
        query = query.where(CopyJob.pipeline_id == pipeline_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise BackfillMissingError(job_id)
    return found


def cancel(session: Session, job_id: int, pipeline_id: int | None = None) -> CopyJob:
    """Ends one that has not begun at once, and asks compute to end one that has.

    Raises BackfillMissingError, BackfillEndedError.
    """
    job = find(session, job_id, pipeline_id, lock=True)
    if job.status not in OPEN:
        raise BackfillEndedError(job_id, job.status)
    job.cancel_requested = True
    session.flush()
    session.refresh(job)
    return job


def recent(session: Session, pipeline_id: int | None, limit: int) -> tuple[Sequence[CopyJob], int]:
    """The newest backfills, of one pipeline or of all, and how many there are."""
    conditions = [asked_for()] + ([] if pipeline_id is None else [CopyJob.pipeline_id == pipeline_id])
    total = session.scalar(select(func.count()).select_from(CopyJob).where(*conditions)) or 0
    return session.scalars(select(CopyJob).where(*conditions).order_by(CopyJob.id.desc()).limit(limit)).all(), total


def _may_have(session: Session, joins: Sequence[PipelineDestination], table: TableId) -> bool:
    """Whether one of the destinations has the table, or takes all and has not been told yet which there are."""
    ids = [join.id for join in joins]
    known = session.execute(
        select(
            TableSync.pipeline_destination_id,
            func.bool_or((TableSync.schema_name == table.schema) & (TableSync.table_name == table.name)),
        )
        .where(TableSync.pipeline_destination_id.in_(ids))
        .group_by(TableSync.pipeline_destination_id)
    ).all()
    untold = {join.id for join in joins if join.sync_all_tables} - {join_id for join_id, _ in known}
    return bool(untold) or any(has for _, has in known)
