"""Copy jobs (`queue_backfill_data`): what compute/backfill asks of the config database (`ports.CopyJobs`)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from compute.backfill.ports import CopyJob, CopyProgress
from compute.core.catalog.backfills import Backfills
from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Row, Session
from rosetta.enums import CopyKind, CopyStatus
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId

_OPEN = """
    SELECT id, kind, status, schema_name, table_name, table_sync_id, backfill_id, batch_rows, cursor_key,
        cancel_requested, filters
    FROM queue_backfill_data WHERE pipeline_id = %(pipeline_id)s AND status IN ('PENDING', 'EXECUTING') ORDER BY id"""
# Of a whole table's copy, the table: held before its job, as by whoever deletes the table.
_HOLD_TABLE = """
    SELECT id FROM table_syncs
    WHERE id = (SELECT table_sync_id FROM queue_backfill_data WHERE id = %(id)s AND backfill_id IS NULL)
    FOR NO KEY UPDATE"""
_START = """
    UPDATE queue_backfill_data SET status = 'EXECUTING', attempts = attempts + 1, status_reason = NULL,
        started_at = COALESCE(started_at, now()), rows_estimated = %(rows_estimated)s
    WHERE id = %(id)s AND status IN ('PENDING', 'EXECUTING')
    RETURNING CASE WHEN backfill_id IS NULL THEN table_sync_id END"""
_ESTIMATE = "UPDATE table_syncs SET rows_estimated = %(rows_estimated)s WHERE id = %(id)s"
_HOLD = """
    UPDATE queue_backfill_data SET status_reason = %(reason)s
    WHERE id = %(id)s AND status IN ('PENDING', 'EXECUTING')
      AND status_reason IS DISTINCT FROM CAST(%(reason)s AS text)"""
_SAVE = """
    UPDATE queue_backfill_data SET cursor_key = COALESCE(CAST(%(cursor)s AS jsonb), cursor_key),
        chunks_done = chunks_done + %(chunks)s, rows_done = rows_done + %(rows)s, bytes_done = bytes_done + %(bytes)s
    WHERE id = %(id)s AND status = 'EXECUTING' AND NOT cancel_requested
    RETURNING CASE WHEN backfill_id IS NULL THEN table_sync_id END AS table_sync_id"""
_COPIED_ROWS = "UPDATE table_syncs SET rows_copied = rows_copied + %(rows)s WHERE id = %(id)s"
_STREAMS = """
    UPDATE table_syncs t SET state = 'STREAMING' FROM queue_backfill_data q
    WHERE q.id = %(id)s AND q.status IN ('PENDING', 'EXECUTING') AND q.backfill_id IS NULL
      AND t.id = q.table_sync_id AND t.state = 'COPYING'"""
_CLOSE = """
    UPDATE queue_backfill_data SET status = %(status)s, completed_at = now(), status_reason = NULL,
        error_code = %(code)s, error_message = %(message)s, error_remedy = %(remedy)s
    WHERE id = %(id)s AND status IN ('PENDING', 'EXECUTING')"""


class Copies:
    """Implements `compute.backfill.ports.CopyJobs`; the promises stand there."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._backfills = Backfills(database)

    def advance_backfills(self, pipeline_id: int) -> tuple[bool, frozenset[int]]:
        return self._backfills.advance(pipeline_id)

    def open_jobs(self, pipeline_id: int) -> Sequence[CopyJob]:
        with self._database.transaction() as session:
            return [_job(row) for row in session.execute(_OPEN, {"pipeline_id": pipeline_id})]

    def start(self, job_id: int, rows_estimated: int) -> None:
        with self._database.transaction() as session:
            values = {"id": job_id, "rows_estimated": rows_estimated}
            session.execute(_HOLD_TABLE, values)
            sync_id = session.execute(_START, values).scalar()
            if sync_id is not None:
                session.execute(_ESTIMATE, {"id": sync_id, "rows_estimated": rows_estimated})

    def hold(self, job_id: int, reason: str | None) -> None:
        with self._database.transaction() as session:
            session.execute(_HOLD, {"id": job_id, "reason": reason})

    def save_cursor(self, job_id: int, progress: CopyProgress) -> bool:
        values = {
            "id": job_id,
            "cursor": None if progress.cursor is None else json.dumps(progress.cursor),
            "chunks": progress.chunks,
            "rows": progress.rows,
            "bytes": progress.bytes,
        }
        with self._database.transaction() as session:
            session.execute(_HOLD_TABLE, values)
            saved = session.execute(_SAVE, values).one_or_none()
            if saved is not None and saved.table_sync_id is not None:
                session.execute(_COPIED_ROWS, {"id": saved.table_sync_id, "rows": progress.rows})
        return saved is not None

    def complete(self, job_id: int, *, early: bool = False) -> None:
        with self._database.transaction() as session:
            session.execute(_STREAMS, {"id": job_id})
            _close(session, job_id, CopyStatus.CANCELLED if early else CopyStatus.COMPLETED)

    def fail(self, job_id: int, error: RosettaError) -> None:
        with self._database.transaction() as session:
            _close(session, job_id, CopyStatus.FAILED, error)

    def cancelled(self, job_id: int) -> None:
        with self._database.transaction() as session:
            _close(session, job_id, CopyStatus.CANCELLED)


def _close(session: Session, job_id: int, status: CopyStatus, error: RosettaError | None = None) -> None:
    values = {
        "id": job_id,
        "status": status,
        "code": None if error is None else error.code,
        "message": None if error is None else error.message,
        "remedy": None if error is None else error.remedy,
    }
    session.execute(_CLOSE, values)


def _job(row: Row) -> CopyJob:
    return CopyJob(
        job_id=row.id,
        kind=CopyKind(row.kind),
        status=CopyStatus(row.status),
        table=TableId(row.schema_name, row.table_name),
        sync_id=row.table_sync_id,
        batch_rows=row.batch_rows,
        cursor=None if row.cursor_key is None else tuple(row.cursor_key),
        cancel_requested=row.cancel_requested,
        filters=tuple(row.filters),
        backfill_id=row.backfill_id,
    )
