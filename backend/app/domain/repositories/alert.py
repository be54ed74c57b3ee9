"""What deserves an alert now, each rule one query over the state that compute and the WAL monitor keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Every rule answers rows of: subject (tells its alerts apart), severity, title, message, remedy, pipeline_id,
# source_id, destination_id. Times are the database's. What only a pipeline's process can know, compute tells itself:
# that changes in the dead letter queue were given up, that a destination was suspended, that a slot is lost.
RULES: Final[Mapping[str, str]] = {
    "DESTINATION_ERROR": """
        SELECT m.pipeline_id || '/' || m.destination_id AS subject, 'CRITICAL' AS severity,
            p.name || ' -> ' || d.name || ' is ' || replace(lower(m.status), '_', ' ') AS title,
            COALESCE(m.last_error, 'no reason was given') AS message, m.last_error_remedy AS remedy,
            m.pipeline_id, NULL::bigint AS source_id, m.destination_id
        FROM pipeline_metadata m JOIN pipelines p ON p.id = m.pipeline_id JOIN destinations d ON d.id = m.destination_id
        WHERE p.status = 'START' AND m.health_status = 'ERROR'""",
    "PIPELINE_DOWN": """
        SELECT p.id::text AS subject, 'CRITICAL' AS severity, p.name || ' is not running' AS title,
            'It is wanted, and no compute service has shown a sign of it for more than a minute.' AS message,
            'Start the compute service, and look at its log.' AS remedy,
            p.id AS pipeline_id, NULL::bigint AS source_id, NULL::bigint AS destination_id
        FROM pipelines p LEFT JOIN pipeline_leases l ON l.pipeline_id = p.id
        WHERE p.status <> 'PAUSE' AND p.updated_at < now() - interval '1 minute'
          AND COALESCE(l.expires_at, '-infinity') < now() - interval '1 minute'
          AND EXISTS (SELECT FROM pipeline_destinations d WHERE d.pipeline_id = p.id)""",
    "LAG": """
        SELECT m.pipeline_id || '/' || m.destination_id AS subject, 'WARNING' AS severity,
            p.name || ' -> ' || d.name || ' is behind' AS title,
            'The newest change took ' || round(m.lag_seconds) || ' s from commit to target.' AS message,
            'Look at the load of the target, and at its locks.' AS remedy,
            m.pipeline_id, NULL::bigint AS source_id, m.destination_id
        FROM pipeline_metadata m JOIN pipelines p ON p.id = m.pipeline_id JOIN destinations d ON d.id = m.destination_id
        WHERE p.status = 'START' AND m.lag_seconds > :lag_seconds AND m.heartbeat_at > now() - interval '1 minute'
          AND m.last_success_time > now() - interval '5 minutes'""",
    "DLQ": """
        SELECT t.pipeline_id || '/' || t.destination_id AS subject, 'WARNING' AS severity,
            p.name || ' -> ' || d.name || ': changes wait in the dead letter queue' AS title,
            CASE sum(t.row_count) WHEN 1 THEN '1 change is parked.'
                ELSE sum(t.row_count) || ' changes are parked.' END AS message,
            'Mend what their errors say; they are tried again until their retries have ended.' AS remedy,
            t.pipeline_id, NULL::bigint AS source_id, t.destination_id
        FROM dlq_totals t JOIN pipelines p ON p.id = t.pipeline_id JOIN destinations d ON d.id = t.destination_id
        WHERE t.state IN ('PARKED', 'RETRYING')
        GROUP BY t.pipeline_id, t.destination_id, p.name, d.name HAVING sum(t.row_count) >= :dlq_rows""",
    "WAL": """
        SELECT w.source_id::text AS subject,
            CASE w.status WHEN 'WARNING' THEN 'WARNING' ELSE 'CRITICAL' END AS severity,
            s.name || ': WAL is ' || lower(w.status) AS title,
            CASE w.status WHEN 'ERROR' THEN COALESCE(w.last_error, 'the source cannot be asked')
                ELSE 'Slots make it keep ' || pg_size_pretty(w.retained_bytes) || COALESCE(', ' || w.wal_status, '') END
                AS message,
            'See which pipeline holds its slot back: a paused one, or one whose destination is away.' AS remedy,
            NULL::bigint AS pipeline_id, w.source_id, NULL::bigint AS destination_id
        FROM wal_monitor w JOIN sources s ON s.id = w.source_id WHERE w.status IN ('WARNING', 'CRITICAL', 'ERROR')""",
    "SLOT_INACTIVE": """
        SELECT m.source_id || '/' || m.slot_name AS subject, 'CRITICAL' AS severity,
            'Slot ' || m.slot_name || ' is not in use' AS title,
            'Nobody reads it, and the source keeps ' || pg_size_pretty(m.retained_bytes) || ' for it.' AS message,
            'Start its pipeline, or delete it: its slot goes with it.' AS remedy,
            p.id AS pipeline_id, m.source_id, NULL::bigint AS destination_id
        FROM wal_monitor w JOIN wal_metrics m ON m.source_id = w.source_id
            AND m.recorded_at >= w.checked_at - interval '5 seconds'
        LEFT JOIN pipelines p ON p.slot_name = m.slot_name AND p.source_id = m.source_id
        WHERE m.active IS FALSE AND p.status IS DISTINCT FROM 'PAUSE'""",
    "SLOT_STUCK": """
        SELECT m.source_id || '/' || m.slot_name AS subject, 'CRITICAL' AS severity,
            'Slot ' || m.slot_name || ' does not advance' AS title,
            'What it retains grew from ' || pg_size_pretty(min(m.retained_bytes)) || ' to '
                || pg_size_pretty(max(m.retained_bytes)) || ' without a break.' AS message,
            'Look for a destination that is away or blocked, and for a long transaction at the source.' AS remedy,
            NULL::bigint AS pipeline_id, m.source_id, NULL::bigint AS destination_id
        FROM (SELECT *, row_number() OVER (PARTITION BY source_id, slot_name ORDER BY recorded_at DESC) AS age,
                  retained_bytes > lag(retained_bytes) OVER (PARTITION BY source_id, slot_name ORDER BY recorded_at)
                      AS grew
              FROM wal_metrics WHERE slot_name IS NOT NULL AND recorded_at > now() - interval '1 day') m
        WHERE m.age <= 6 GROUP BY m.source_id, m.slot_name
        HAVING count(*) = 6 AND bool_and(m.grew) AND max(m.retained_bytes) - min(m.retained_bytes) > :stuck_bytes""",
    "BACKFILL_FAILED": """
        SELECT q.id::text AS subject, 'WARNING' AS severity,
            'Backfill of ' || q.schema_name || '.' || q.table_name || ' failed' AS title,
            COALESCE(q.error_message, 'no reason was given') AS message,
            COALESCE(q.error_remedy, 'Mend the cause, then start it again.') AS remedy,
            q.pipeline_id, NULL::bigint AS source_id, NULL::bigint AS destination_id
        FROM queue_backfill_data q
        WHERE q.status = 'FAILED' AND q.backfill_id IS NULL AND q.updated_at > now() - interval '1 day'""",
    "CREDITS": """
        SELECT DISTINCT ON (c.destination_id) c.destination_id::text AS subject, 'WARNING' AS severity,
            d.name || ' costs more than expected' AS title,
            'Its warehouses used ' || round(sum(c.credits), 1) || ' credits on ' || c.day || '.' AS message,
            'Let it gather longer before it loads, or choose a smaller warehouse.' AS remedy,
            NULL::bigint AS pipeline_id, NULL::bigint AS source_id, c.destination_id
        FROM destination_credits c JOIN destinations d ON d.id = c.destination_id WHERE c.day >= current_date - 1
        GROUP BY c.destination_id, d.name, c.day HAVING sum(c.credits) > :credits_per_day
        ORDER BY c.destination_id, c.day DESC""",
}


class AlertRepository:
    """Asks the rules; writes nothing."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def findings(self, kind: str, limits: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What the rule `kind` finds now, as values for a notification."""
        statement = text(RULES[kind])
        bound = {name: limits[name] for name in statement.compile().params}
        rows = await self._session.execute(statement, bound)
        return [dict(row) for row in rows.mappings()]
