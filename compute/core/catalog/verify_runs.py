"""Verifications that were asked for, and what they found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from compute.core.catalog.database import ConfigDatabase
from rosetta.identifiers import TableId

# An instance that was not heard of for so long has ended, and its runs with it.
_SILENT_SECONDS = 120

_CLAIM = """
    UPDATE verify_runs r SET status = 'EXECUTING', instance_id = %(instance_id)s, started_at = now()
    FROM pipelines p
    WHERE p.id = r.pipeline_id
      AND r.id = (SELECT id FROM verify_runs WHERE status = 'PENDING' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING r.id, r.pipeline_id, p.name, r.repair,
        (SELECT d.name FROM destinations d WHERE d.id = r.destination_id) AS destination"""
_ABANDONED = """
    UPDATE verify_runs SET status = 'FAILED', completed_at = now(),
        error_message = 'it was broken off with the compute instance that ran it; start it again'
    WHERE id IN (SELECT r.id FROM verify_runs r
        WHERE r.status = 'EXECUTING' AND (r.instance_id = %(instance_id)s  -- which has none when it claims one
            OR r.started_at < now() - make_interval(secs => %(seconds)s)
              AND NOT EXISTS (SELECT FROM compute_instances i WHERE i.id = r.instance_id
                              AND i.heartbeat_at > now() - make_interval(secs => %(seconds)s)))
        FOR NO KEY UPDATE SKIP LOCKED)"""
_FINISH = """
    UPDATE verify_runs SET status = 'COMPLETED', report = CAST(%(report)s AS jsonb), completed_at = now()
    WHERE id = %(id)s AND status = 'EXECUTING'"""
_FAIL = """
    UPDATE verify_runs SET status = 'FAILED', error_message = %(message)s, completed_at = now()
    WHERE id = %(id)s AND status = 'EXECUTING'"""
_WANTED = "SELECT EXISTS (SELECT FROM verify_runs WHERE id = %(id)s AND status = 'EXECUTING')"
_PARKED = """
    SELECT d.name, sum(t.row_count)::bigint FROM dlq_totals t JOIN destinations d ON d.id = t.destination_id
    WHERE t.pipeline_id = %(pipeline_id)s AND t.state IN ('PARKED', 'RETRYING') GROUP BY d.name"""
# A paused table stays as it is; one that is copied again already needs no second wish.
_RESYNC = """
    UPDATE table_syncs s SET desired_state = 'RESYNC'
    FROM pipeline_destinations pd JOIN destinations d ON d.id = pd.destination_id
    WHERE s.pipeline_destination_id = pd.id AND pd.pipeline_id = %(pipeline_id)s AND d.name = %(destination)s
      AND s.schema_name = %(source_schema)s AND s.table_name = %(source_name)s
      AND COALESCE(s.target_schema, NULLIF(d.config ->> CASE d.type WHEN 'SNOWFLAKE' THEN 'snowflake_schema'
        ELSE 'pg_schema' END, ''), s.schema_name) = %(target_schema)s
      AND COALESCE(s.target_name, s.table_name) = %(target_name)s AND s.desired_state = 'ACTIVE'
    RETURNING s.id"""


@dataclass(frozen=True, slots=True)
class VerifyRun:
    """A verification to carry out; `destination` None: of all destinations of the pipeline."""

    run_id: int
    pipeline_id: int
    pipeline: str
    repair: bool
    destination: str | None


class VerifyRuns:
    """Every method raises OutageError while the config database is away."""

    def __init__(self, database: ConfigDatabase, instance_id: str) -> None:
        self._database = database
        self._instance_id = instance_id

    def claim(self) -> VerifyRun | None:
        """The oldest run that waits, ours from now on; None when none does."""
        with self._database.transaction() as session:
            session.execute(_ABANDONED, {"instance_id": self._instance_id, "seconds": _SILENT_SECONDS})
        with self._database.transaction() as session:
            row = session.execute(_CLAIM, {"instance_id": self._instance_id}).one_or_none()
        return None if row is None else VerifyRun(*row)

    def wanted(self, run_id: int) -> bool:
        """Whether a run that was claimed has no end yet; somebody may have cancelled it."""
        with self._database.transaction() as session:
            return bool(session.execute(_WANTED, {"id": run_id}).scalar())

    def parked(self, pipeline_id: int) -> dict[str, int]:
        """How many changes wait for each destination, by its name."""
        with self._database.transaction() as session:
            return {row[0]: row[1] for row in session.execute(_PARKED, {"pipeline_id": pipeline_id})}

    def resync(self, pipeline_id: int, tables: Iterable[tuple[str, TableId, TableId]]) -> set[tuple[str, TableId]]:
        """Asks for a resync of tables by destination, source and target; returns those that can have one."""
        asked = set()
        for destination, source, target in tables:
            values = {
                "pipeline_id": pipeline_id,
                "destination": destination,
                "source_schema": source.schema,
                "source_name": source.name,
                "target_schema": target.schema,
                "target_name": target.name,
            }
            with self._database.transaction() as session:
                if session.execute(_RESYNC, values):
                    asked.add((destination, target))
        return asked

    def finish(self, run_id: int, report: Mapping[str, Any]) -> None:
        with self._database.transaction() as session:
            session.execute(_FINISH, {"id": run_id, "report": json.dumps(report)})

    def fail(self, run_id: int, message: str) -> None:
        """Nothing happens when the run has an end already."""
        with self._database.transaction() as session:
            session.execute(_FAIL, {"id": run_id, "message": message})
