"""Backfills of whole tables: one job that people see, carried out by a resync of each table sync it is for."""

from __future__ import annotations

from typing import Final

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Row, Rows, Session
from rosetta.enums import CopyStatus

_OPEN: Final = """
    SELECT id, status, cancel_requested FROM queue_backfill_data
    WHERE pipeline_id = %(pipeline_id)s AND kind = 'BACKFILL' AND status IN ('PENDING', 'EXECUTING')
      AND filters = '[]'::jsonb
    ORDER BY id FOR UPDATE"""
# The newest copy of each table sync that began after the backfill was asked for, if any did.
_TABLES: Final = """
    SELECT t.id AS sync_id, t.state, t.desired_state, c.status, COALESCE(c.chunks_done, 0) AS chunks,
        COALESCE(c.rows_done, 0) AS rows, COALESCE(c.bytes_done, 0) AS bytes, c.rows_estimated, c.error_message
    FROM queue_backfill_data b
    JOIN pipeline_destinations pd ON pd.pipeline_id = b.pipeline_id
      AND (b.destination_ids IS NULL OR pd.destination_id = ANY (b.destination_ids))
    JOIN table_syncs t ON t.pipeline_destination_id = pd.id
      AND t.schema_name = b.schema_name AND t.table_name = b.table_name
    LEFT JOIN LATERAL (
        SELECT * FROM queue_backfill_data c
        WHERE c.table_sync_id = t.id AND c.kind = 'RESYNC' AND c.id > b.id ORDER BY c.id DESC LIMIT 1) AS c ON true
    WHERE b.id = %(id)s ORDER BY t.id"""
_BEGIN: Final = """
    UPDATE queue_backfill_data SET status = 'EXECUTING', started_at = now(), attempts = attempts + 1,
        status_reason = NULL
    WHERE id = %(id)s"""
_RESYNC: Final = "UPDATE table_syncs SET desired_state = 'RESYNC' WHERE id = ANY (%(ids)s)"
_PROGRESS: Final = """
    UPDATE queue_backfill_data SET chunks_done = %(chunks)s, rows_done = %(rows)s, bytes_done = %(bytes)s,
        rows_estimated = %(estimated)s
    WHERE id = %(id)s AND (chunks_done, rows_done, bytes_done) IS DISTINCT FROM (%(chunks)s, %(rows)s, %(bytes)s)"""
_HOLD: Final = """
    UPDATE queue_backfill_data SET status_reason = %(reason)s
    WHERE id = %(id)s AND status_reason IS DISTINCT FROM CAST(%(reason)s AS text)"""
_END: Final = """
    UPDATE queue_backfill_data SET status = %(status)s, completed_at = now(), status_reason = NULL,
        error_code = %(code)s, error_message = %(message)s
    WHERE id = %(id)s"""


class Backfills:
    """Raises OutageError while the config database is away; then nothing has changed."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    def advance(self, pipeline_id: int) -> tuple[bool, frozenset[int]]:
        """Begins, counts and ends the pipeline's backfills of whole tables.

        Returns whether any is open, and the table syncs whose copy is to end where it is: what it has not come to
        was right before. A job waits for tables that do not stream; it is COMPLETED when every copy is.
        """
        with self._database.transaction() as session:
            jobs = session.execute(_OPEN, {"pipeline_id": pipeline_id})
            ending: set[int] = set()
            for job in jobs:
                tables = session.execute(_TABLES, {"id": job.id})
                if job.status == CopyStatus.PENDING:
                    _begin(session, job, tables)
                else:
                    ending |= _follow(session, job, tables)
        return bool(jobs), frozenset(ending)


def _begin(session: Session, job: Row, tables: Rows) -> None:
    waiting = [table for table in tables if (table.state, table.desired_state) != ("STREAMING", "ACTIVE")]
    if job.cancel_requested:
        _end(session, job.id, CopyStatus.CANCELLED)
    elif not tables:
        session.execute(_HOLD, {"id": job.id, "reason": "no destination has the table"})
    elif waiting:
        session.execute(_HOLD, {"id": job.id, "reason": f"the table is {waiting[0].state} at a destination"})
    else:
        session.execute(_BEGIN, {"id": job.id})
        session.execute(_RESYNC, {"ids": [table.sync_id for table in tables]})


def _follow(session: Session, job: Row, tables: Rows) -> set[int]:
    """Counts what its copies have done; returns those that are to end."""
    estimates = [table.rows_estimated for table in tables if table.rows_estimated is not None]
    done = {
        "id": job.id,
        "chunks": sum(table.chunks for table in tables),
        "rows": sum(table.rows for table in tables),
        "bytes": sum(table.bytes for table in tables),
        "estimated": sum(estimates) if estimates else None,
    }
    session.execute(_PROGRESS, done)
    under_way = {table.sync_id for table in tables if table.status in {None, "PENDING", "EXECUTING"}}
    failed = [table for table in tables if table.status == CopyStatus.FAILED]
    if not under_way and job.cancel_requested:
        _end(session, job.id, CopyStatus.CANCELLED)
    elif not under_way and failed:
        _end(session, job.id, CopyStatus.FAILED, "COPY_FAILED", failed[0].error_message)
    elif not under_way and any(table.status == CopyStatus.CANCELLED for table in tables):
        _end(session, job.id, CopyStatus.FAILED, "COPY_CANCELLED", "the copy of a table was cancelled")
    elif not under_way:
        _end(session, job.id, CopyStatus.COMPLETED)
    return under_way if job.cancel_requested else set()


def _end(
    session: Session, job_id: int, status: CopyStatus, code: str | None = None, message: str | None = None
) -> None:
    session.execute(_END, {"id": job_id, "status": status, "code": code, "message": message})
