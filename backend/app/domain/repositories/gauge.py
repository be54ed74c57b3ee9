"""The deployment's figures for Prometheus, in one query."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ALL: Final = text("""
WITH m AS (
    SELECT jsonb_build_object('pipeline', p.name, 'destination', d.name) AS labels, p.name AS pipeline, m.*
    FROM pipeline_metadata m JOIN pipelines p ON p.id = m.pipeline_id JOIN destinations d ON d.id = m.destination_id
)
SELECT 'rosetta_pipeline_wanted' AS name, jsonb_build_object('pipeline', name) AS labels,
    (status <> 'PAUSE')::int::float8 AS value FROM pipelines
UNION ALL SELECT 'rosetta_destination_healthy', labels, (health_status = 'HEALTHY')::int FROM m
UNION ALL SELECT 'rosetta_destination_lag_seconds', labels, lag_seconds FROM m WHERE lag_seconds IS NOT NULL
UNION ALL SELECT 'rosetta_destination_lag_bytes', labels, lag_bytes FROM m WHERE lag_bytes IS NOT NULL
UNION ALL SELECT 'rosetta_slot_retained_bytes', jsonb_build_object('pipeline', pipeline), max(wal_size) FROM m
    WHERE wal_size IS NOT NULL GROUP BY pipeline
UNION ALL SELECT 'rosetta_parked_rows', m.labels, COALESCE((
    SELECT sum(t.row_count) FROM dlq_totals t WHERE t.pipeline_id = m.pipeline_id
        AND t.destination_id = m.destination_id AND t.state IN ('PARKED', 'RETRYING')), 0) FROM m
UNION ALL SELECT 'rosetta_rows_applied_total', jsonb_build_object('pipeline', p.name, 'destination', d.name,
    'schema', s.schema_name, 'table', s.table_name), sum(s.rows_applied)
    FROM table_syncs s JOIN pipeline_destinations pd ON pd.id = s.pipeline_destination_id
    JOIN pipelines p ON p.id = pd.pipeline_id JOIN destinations d ON d.id = pd.destination_id
    GROUP BY p.name, d.name, s.schema_name, s.table_name
UNION ALL SELECT 'rosetta_backfills_running', '{}', count(*) FROM queue_backfill_data
    WHERE status = 'EXECUTING' AND backfill_id IS NULL
UNION ALL SELECT 'rosetta_alerts_open', jsonb_build_object('severity', s.severity), (
    SELECT count(*) FROM notifications n WHERE n.resolved_at IS NULL AND n.severity = s.severity)
    FROM (VALUES ('INFO'), ('WARNING'), ('CRITICAL')) AS s (severity)
UNION ALL SELECT 'rosetta_compute_instances', '{}', count(*) FROM compute_instances
    WHERE heartbeat_at > now() - interval '1 minute'""")


class GaugeRepository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> list[dict[str, Any]]:
        """Rows of name, labels and value; all rows of a name have the same labels."""
        return [dict(row) for row in (await self._session.execute(_ALL)).mappings()]
