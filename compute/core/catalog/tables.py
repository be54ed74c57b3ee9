"""Table syncs: which there are, and the state each is in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from compute.core.catalog.database import ConfigDatabase
from compute.core.exit_codes import Failure
from rosetta.enums import CopyKind, TableSyncState
from rosetta.identifiers import TableId

_ADD_MISSING = """
    INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name)
    SELECT %(id)s, %(schema)s, %(name)s
    WHERE NOT EXISTS (SELECT FROM table_syncs
                      WHERE pipeline_destination_id = %(id)s AND schema_name = %(schema)s AND table_name = %(name)s)
    ON CONFLICT DO NOTHING"""
_SET_STATE = """
    UPDATE table_syncs SET state = %(state)s, error_code = %(code)s, error_message = %(message)s,
        error_remedy = %(remedy)s
    WHERE id = %(id)s"""
_BEGIN_COPY = """
    UPDATE table_syncs SET state = 'COPYING', rows_copied = CASE WHEN state = 'COPYING' THEN rows_copied ELSE 0 END,
        desired_state = CASE WHEN desired_state = 'RESYNC' THEN 'ACTIVE' ELSE desired_state END,
        error_code = NULL, error_message = NULL, error_remedy = NULL
    WHERE id = %(id)s AND state = %(expected)s
    RETURNING id"""
_TAKEN_AGAIN = """
    UPDATE table_syncs SET state = 'STREAMING', error_code = NULL, error_message = NULL, error_remedy = NULL
    WHERE id = %(id)s AND state IN ('ERROR', 'STREAMING') RETURNING id"""
_CANCEL_COPY = """
    UPDATE queue_backfill_data SET status = 'CANCELLED', completed_at = now(),
        status_reason = 'the table was paused or is copied anew'
    WHERE table_sync_id = %(id)s AND status IN ('PENDING', 'EXECUTING')"""
_QUEUE_COPY = """
    INSERT INTO queue_backfill_data (pipeline_id, table_sync_id, kind, schema_name, table_name, destination_ids,
                                     batch_rows)
    SELECT pd.pipeline_id, t.id, %(kind)s, t.schema_name, t.table_name, ARRAY[pd.destination_id],
        (SELECT b.batch_rows FROM queue_backfill_data b -- the backfill that this copy is for, if it is
         WHERE b.pipeline_id = pd.pipeline_id AND b.kind = 'BACKFILL' AND b.status = 'EXECUTING'
           AND (b.schema_name, b.table_name) = (t.schema_name, t.table_name)
           AND (b.destination_ids IS NULL OR pd.destination_id = ANY (b.destination_ids)) ORDER BY b.id LIMIT 1)
    FROM table_syncs t JOIN pipeline_destinations pd ON pd.id = t.pipeline_destination_id
    WHERE t.id = %(id)s
    ON CONFLICT (table_sync_id) WHERE kind <> 'BACKFILL' AND status IN ('PENDING', 'EXECUTING') DO NOTHING"""
_COPY_ALL_AGAIN = """
    UPDATE table_syncs t SET state = 'RESYNC' FROM pipeline_destinations pd
    WHERE pd.id = t.pipeline_destination_id AND pd.pipeline_id = %(pipeline_id)s
      AND t.state IN ('COPYING', 'STREAMING', 'ERROR')"""
# Positions of another stream mean nothing in the new one.
_FORGET_PARKED = """
    UPDATE pipeline_destinations SET parked_commit_lsn = NULL, parked_change_lsn = NULL, parked_ordinal = NULL
    WHERE pipeline_id = %(pipeline_id)s AND parked_commit_lsn IS NOT NULL"""
_ASK_RESYNC = "UPDATE table_syncs SET desired_state = 'RESYNC' WHERE id = %(id)s AND desired_state = 'ACTIVE'"
_PIN_COLUMNS = """
    UPDATE table_syncs SET columns = to_jsonb(CAST(%(columns)s AS text[])) WHERE id = %(id)s AND columns IS NULL"""
_APPLIED = """
    UPDATE table_syncs t SET rows_applied = t.rows_applied + free.rows, last_applied_at = now()
    FROM (SELECT t2.id, more.rows FROM unnest(%(ids)s, %(rows)s) AS more (id, rows)
          JOIN table_syncs t2 ON t2.id = more.id {locking}) AS free
    WHERE t.id = free.id RETURNING t.id"""
_APPLIED_FREE = _APPLIED.format(locking="FOR NO KEY UPDATE OF t2 SKIP LOCKED")
_APPLIED_ONE = _APPLIED.format(locking="")


class TableSyncs:
    """Every method is one transaction and raises OutageError while the config database is away."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    def add_missing(self, pipeline_destination_id: int, tables: Iterable[TableId]) -> None:
        """A destination that takes all tables has a sync for each; those that a person made are left alone."""
        rows = [{"id": pipeline_destination_id, "schema": table.schema, "name": table.name} for table in tables]
        if rows:
            with self._database.transaction() as session:
                session.execute_each(_ADD_MISSING, rows)

    def set_state(self, sync_id: int, state: TableSyncState, failure: Failure | None = None) -> None:
        values = {"id": sync_id, "state": state, "code": None, "message": None, "remedy": None}
        if failure is not None:
            values |= {"code": failure.code, "message": failure.message, "remedy": failure.remedy}
        with self._database.transaction() as session:
            session.execute(_SET_STATE, values)

    def begin_copy(self, sync_id: int, kind: CopyKind, *, expected: TableSyncState, anew: bool) -> None:
        """State COPYING and a copy job for it, together, unless the state is no longer `expected`.

        An open job is resumed, except when the copy is to begin `anew`.
        """
        with self._database.transaction() as session:
            if session.execute(_BEGIN_COPY, {"id": sync_id, "expected": expected}).scalar() is None:
                return
            if anew:
                session.execute(_CANCEL_COPY, {"id": sync_id})
            session.execute(_QUEUE_COPY, {"id": sync_id, "kind": kind})

    def taken_again(self, sync_id: int) -> bool:
        """From ERROR to STREAMING; False, and nothing changes, when the table was paused or is copied meanwhile."""
        with self._database.transaction() as session:
            return session.execute(_TAKEN_AGAIN, {"id": sync_id}).scalar() is not None

    def ask_resync(self, sync_id: int) -> None:
        """The table is to be copied again, as if a person had asked for it; one that is paused will be anyway."""
        with self._database.transaction() as session:
            session.execute(_ASK_RESYNC, {"id": sync_id})

    def pin_columns(self, sync_id: int, columns: Iterable[str]) -> None:
        """Selects these columns, unless a person has selected some; what was copied before is copied again."""
        with self._database.transaction() as session:
            session.execute(_PIN_COLUMNS, {"id": sync_id, "columns": list(columns)})

    def cancel_copy(self, sync_id: int) -> None:
        """An open copy of the table ends where it is."""
        with self._database.transaction() as session:
            session.execute(_CANCEL_COPY, {"id": sync_id})

    def copy_all_again(self, pipeline_id: int) -> None:
        """The pipeline begins a new stream: what was copied beside an older one is copied again."""
        with self._database.transaction() as session:
            session.execute(_COPY_ALL_AGAIN, {"pipeline_id": pipeline_id})
            session.execute(_FORGET_PARKED, {"pipeline_id": pipeline_id})

    def applied(self, rows: Mapping[int, int]) -> None:
        """Adds to the rows each sync has applied, by sync id; those that somebody has locked come last, one by one."""
        counts = {sync_id: count for sync_id, count in rows.items() if count}
        if not counts:
            return
        with self._database.transaction() as session:
            values = {"ids": list(counts), "rows": list(counts.values())}
            done = set(session.execute(_APPLIED_FREE, values).scalars())
        for sync_id in counts.keys() - done:
            with self._database.transaction() as session:
                session.execute(_APPLIED_ONE, {"ids": [sync_id], "rows": [counts[sync_id]]})
