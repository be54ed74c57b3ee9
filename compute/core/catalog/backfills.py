"""Backfills: one job that people see, carried out at each table sync that it is for.

Of a whole table a resync does it, which also removes what the source does not have. One with filters is carried out
by parts, jobs of its own kind, beside a table that goes on streaming.
"""

from __future__ import annotations

from typing import Any, Final

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Row, Rows, Session
from rosetta.enums import CopyStatus
from rosetta.errors import ConfigurationError
from rosetta.filters import parse_filters

_OPEN: Final = """
    SELECT id FROM queue_backfill_data
    WHERE pipeline_id = %(pipeline_id)s AND kind = 'BACKFILL' AND status IN ('PENDING', 'EXECUTING')
      AND backfill_id IS NULL
    ORDER BY id"""
_JOB: Final = """
    SELECT id, status, cancel_requested, filters FROM queue_backfill_data
    WHERE id = %(id)s AND status IN ('PENDING', 'EXECUTING') FOR UPDATE"""
# Its table syncs, each with its part, or else with the newest resync that began after the backfill was asked for.
# A destination that joins while it is executed gets its own copy of the table, so it is none of them.
_TABLES: Final = """
    SELECT t.id AS sync_id, c.id AS copy_id, t.state, t.desired_state, c.status, COALESCE(c.chunks_done, 0) AS chunks,
        COALESCE(c.rows_done, 0) AS rows, COALESCE(c.bytes_done, 0) AS bytes, c.rows_estimated,
        c.status_reason, c.error_code, c.error_message, c.error_remedy,
        EXISTS (SELECT FROM queue_backfill_data o WHERE o.table_sync_id = t.id AND o.id IS DISTINCT FROM c.id
                AND o.status IN ('PENDING', 'EXECUTING')) AS busy
    FROM queue_backfill_data b
    JOIN pipeline_destinations pd ON pd.pipeline_id = b.pipeline_id
      AND (b.destination_ids IS NULL OR pd.destination_id = ANY (b.destination_ids))
    JOIN table_syncs t ON t.pipeline_destination_id = pd.id
      AND t.schema_name = b.schema_name AND t.table_name = b.table_name
      AND t.created_at <= COALESCE(b.started_at, now())
    LEFT JOIN LATERAL (
        SELECT * FROM queue_backfill_data c
        WHERE c.table_sync_id = t.id AND c.id > b.id
          AND CASE WHEN b.filters = '[]'::jsonb THEN c.kind = 'RESYNC' ELSE c.backfill_id = b.id END
        ORDER BY c.id DESC LIMIT 1) AS c ON true
    WHERE b.id = %(id)s ORDER BY t.id"""
_BEGIN: Final = """
    UPDATE queue_backfill_data SET status = 'EXECUTING', started_at = now(), attempts = attempts + 1,
        status_reason = NULL
    WHERE id = %(id)s"""
_PARTS: Final = """
    INSERT INTO queue_backfill_data (pipeline_id, table_sync_id, backfill_id, schema_name, table_name, filters,
                                     destination_ids, batch_rows)
    SELECT b.pipeline_id, t.id, b.id, b.schema_name, b.table_name, b.filters, ARRAY[pd.destination_id], b.batch_rows
    FROM queue_backfill_data b, table_syncs t JOIN pipeline_destinations pd ON pd.id = t.pipeline_destination_id
    WHERE b.id = %(id)s AND t.id = ANY (%(ids)s)"""
_RESYNC: Final = "UPDATE table_syncs SET desired_state = 'RESYNC' WHERE id = ANY (%(ids)s)"
# The rate is that of the last seconds, the older the less they count.
_PROGRESS: Final = """
    UPDATE queue_backfill_data q SET chunks_done = %(chunks)s, rows_done = %(rows)s, bytes_done = %(bytes)s,
        rows_estimated = %(estimated)s, progress_at = clock_timestamp(), rows_per_second = rate.now,
        seconds_left = CASE WHEN %(estimated)s IS NOT NULL
            THEN GREATEST(%(estimated)s - %(rows)s, 0) / NULLIF(rate.now, 0) END
    FROM (
        SELECT id, COALESCE(0.7 * b.rows_per_second, 0) + CASE WHEN b.rows_per_second IS NULL THEN 1 ELSE 0.3 END
            * (%(rows)s - b.rows_done) / GREATEST(
                extract(epoch FROM clock_timestamp() - COALESCE(b.progress_at, b.started_at))::float8, 0.001) AS now
        FROM queue_backfill_data b WHERE id = %(id)s) AS rate
    WHERE q.id = rate.id
      AND (chunks_done, rows_done, bytes_done) IS DISTINCT FROM (%(chunks)s, %(rows)s, %(bytes)s)"""
_HOLD: Final = """
    UPDATE queue_backfill_data SET status_reason = %(reason)s
    WHERE id = %(id)s AND status_reason IS DISTINCT FROM CAST(%(reason)s AS text)"""
_END: Final = """
    UPDATE queue_backfill_data SET status = %(status)s, completed_at = now(), status_reason = NULL,
        error_code = %(code)s, error_message = %(message)s, error_remedy = %(remedy)s,
        seconds_left = NULL
    WHERE id = %(id)s"""

_UNDER_WAY: Final = frozenset({"PENDING", "EXECUTING"})
_Why = tuple[str | None, str | None, str | None]  # code, message, remedy
_CUT_SHORT: Final[_Why] = (
    "COPY_CANCELLED",
    "the table was paused, removed or copied anew before the backfill was at its end",
    "Ask for the backfill again, once the table streams.",
)


class Backfills:
    """Raises OutageError while the config database is away; then nothing has changed."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    def advance(self, pipeline_id: int) -> tuple[bool, frozenset[int]]:
        """Begins, counts and ends the pipeline's backfills, each in a transaction of its own.

        Returns whether any is open, and the copies (by their job) that are to end where they are: what they have not
        come to is as it was. A job waits for tables that do not stream; it is COMPLETED when every copy is.
        """
        with self._database.transaction() as session:
            jobs = session.execute(_OPEN, {"pipeline_id": pipeline_id}).scalars()
        ending: set[int] = set()
        for job_id in jobs:
            with self._database.transaction() as session:
                ending |= _advance(session, job_id)
        return bool(jobs), frozenset(ending)


def _advance(session: Session, job_id: int) -> set[int]:
    job = session.execute(_JOB, {"id": job_id}).one_or_none()
    if job is None:  # cancelled or deleted since
        return set()
    tables = session.execute(_TABLES, {"id": job.id})
    if job.status == CopyStatus.PENDING:
        _begin(session, job, tables)
        return set()
    return _follow(session, job, tables)


def _begin(session: Session, job: Row, tables: Rows) -> None:
    refused = _refusal(job.filters)
    reason = _reason_to_wait(tables)
    if job.cancel_requested:
        _end(session, job.id, CopyStatus.CANCELLED)
    elif refused is not None:
        _end(session, job.id, CopyStatus.FAILED, (refused.code, refused.message, refused.remedy))
    elif reason is not None:
        session.execute(_HOLD, {"id": job.id, "reason": reason})
    else:
        session.execute(_BEGIN, {"id": job.id})
        values = {"id": job.id, "ids": [table.sync_id for table in tables]}
        session.execute(_PARTS if job.filters else _RESYNC, values)


def _refusal(filters: list[Any]) -> ConfigurationError | None:
    """What is wrong with filters that were written by hand."""
    try:
        parse_filters(filters)
    except ConfigurationError as error:
        return error
    return None


def _reason_to_wait(tables: Rows) -> str | None:
    waiting = [table for table in tables if (table.state, table.desired_state) != ("STREAMING", "ACTIVE")]
    if not tables:
        return "no destination has the table"
    if waiting:
        return f"the table is {waiting[0].state} at a destination"
    if any(table.busy for table in tables):
        return "another backfill of the table is under way"
    return None


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
    under_way = [table for table in tables if table.status in _UNDER_WAY or (table.status is None and not job.filters)]
    reason = next((table.status_reason for table in under_way if table.status_reason), None)
    session.execute(_HOLD, {"id": job.id, "reason": reason})
    failed = [table for table in tables if table.status == CopyStatus.FAILED]
    if under_way:
        return {table.copy_id for table in under_way if table.copy_id} if job.cancel_requested else set()
    if job.cancel_requested:
        _end(session, job.id, CopyStatus.CANCELLED)
    elif failed:
        first = failed[0]
        _end(session, job.id, CopyStatus.FAILED, (first.error_code, first.error_message, first.error_remedy))
    elif not tables or any(table.status != CopyStatus.COMPLETED for table in tables):
        _end(session, job.id, CopyStatus.FAILED, _CUT_SHORT)
    else:
        _end(session, job.id, CopyStatus.COMPLETED)
    return set()


def _end(session: Session, job_id: int, status: CopyStatus, why: _Why = (None, None, None)) -> None:
    code, message, remedy = why
    values = {"id": job_id, "status": status, "code": code, "message": message, "remedy": remedy}
    session.execute(_END, values)
