"""The state of everything, for the dashboard's first page."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# The worst of a pipeline's destinations speaks for it.
_WORST_FIRST: Final = (
    "ARRAY['FAILED','RESYNC_REQUIRED','BLOCKED','RETRYING','RESTARTING','STARTING','PAUSING','SNAPSHOTTING',"
    "'RUNNING','PAUSED']"
)
_COUNTS: Final = text(f"""
SELECT (SELECT count(*) FROM sources) AS sources, (SELECT count(*) FROM destinations) AS destinations,
    (SELECT count(*) FROM pipelines) AS pipelines,
    (SELECT COALESCE(jsonb_object_agg(status, n), '{{}}') FROM (
        SELECT status, count(*) AS n FROM (
            SELECT DISTINCT ON (pipeline_id) pipeline_id, status FROM pipeline_metadata
            ORDER BY pipeline_id, array_position({_WORST_FIRST}, status)) w GROUP BY status) s) AS pipelines_by_status,
    (SELECT COALESCE(jsonb_object_agg(health_status, n), '{{}}') FROM (
        SELECT health_status, count(*) AS n FROM pipeline_metadata GROUP BY 1) h) AS destinations_by_health,
    (SELECT COALESCE(jsonb_object_agg(state, n), '{{}}') FROM (
        SELECT state, count(*) AS n FROM table_syncs GROUP BY 1) t) AS table_syncs_by_state,
    (SELECT max(m.lag_seconds) FROM pipeline_metadata m JOIN pipelines p ON p.id = m.pipeline_id
        WHERE p.status = 'START' AND m.last_success_time > now() - interval '5 minutes') AS worst_lag_seconds,
    (SELECT max(wal_size) FROM pipeline_metadata) AS retained_wal_bytes,
    (SELECT COALESCE(sum(row_count), 0)::bigint FROM dlq_totals WHERE state IN ('PARKED', 'RETRYING'))
        AS parked_records,
    (SELECT count(*) FROM queue_backfill_data WHERE status = 'EXECUTING' AND backfill_id IS NULL) AS running_backfills,
    (SELECT count(*) FROM notifications WHERE read_at IS NULL) AS unread_notifications,
    (SELECT sum(credits) FROM (
        SELECT max(c.credits) AS credits FROM destination_credits c JOIN destinations d ON d.id = c.destination_id
        WHERE c.day > current_date - 30
        GROUP BY lower(d.config ->> 'snowflake_account'), c.warehouse, c.day) w) AS snowflake_credits""")
_FLOW: Final = text("""
SELECT COALESCE(sum(records), 0)::bigint AS records_last_hour, COALESCE(sum(bytes), 0)::bigint AS bytes_last_hour
FROM data_flow_record_monitoring WHERE minute > now() - interval '1 hour'""")
_INSTANCES: Final = text("""
SELECT i.id, i.hostname, i.version, i.heartbeat_at, i.heartbeat_at > now() - interval '60 seconds' AS alive,
    (SELECT count(*) FROM pipeline_leases l WHERE l.instance_id = i.id AND l.expires_at > now()) AS pipelines
FROM compute_instances i ORDER BY i.hostname, i.id""")
_PROBLEMS: Final = text("""
SELECT severity, kind AS code, title, message, remedy, pipeline_id, destination_id, source_id
FROM notifications WHERE resolved_at IS NULL AND (severity <> 'INFO' OR read_at IS NULL)
ORDER BY array_position(ARRAY['CRITICAL', 'WARNING', 'INFO'], severity), id DESC LIMIT :limit""")


class SummaryRepository:
    """A few set-based queries; none grows with the number of rows replicated."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def counts(self) -> dict[str, Any]:
        counts = (await self._session.execute(_COUNTS)).mappings().one()
        flow = (await self._session.execute(_FLOW)).mappings().one()
        return {**counts, **flow}

    async def instances(self) -> list[dict[str, Any]]:
        return [dict(row) for row in (await self._session.execute(_INSTANCES)).mappings()]

    async def problems(self, limit: int) -> list[dict[str, Any]]:
        """What is open, the worst first; a note until it was read."""
        return [dict(row) for row in (await self._session.execute(_PROBLEMS, {"limit": limit})).mappings()]
