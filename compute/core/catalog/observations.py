"""What is really so, written for people and for the other services: states, health, lag, flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from compute.core.catalog.database import ConfigDatabase
from compute.core.exit_codes import Failure
from rosetta.enums import HealthStatus, ObservedStatus
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn


@dataclass(frozen=True, slots=True)
class Observation:
    """One destination of a running pipeline, as its process sees it. Ages are seconds before now."""

    destination_id: int
    status: ObservedStatus
    health: HealthStatus
    failure: Failure | None = None
    durable: Lsn | None = None
    wal_bytes: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    success_age_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """Rows and bytes of one table to one destination since the last report."""

    destination_id: int
    table: TableId
    rows: int
    byte_count: int
    lag_seconds: float | None


# Held, so that nobody wishes otherwise until what is said of it is written.
_WISHED = "SELECT status FROM pipelines WHERE id = %(pipeline_id)s FOR SHARE"
# A wish that is on its way (PAUSING, RESTARTING) is not overwritten by the process that is about to end.
_OBSERVE = """
    UPDATE pipeline_metadata m SET
        status = CASE WHEN %(wished)s = 'START' THEN %(status)s ELSE m.status END,
        health_status = %(health)s,
        durable_lsn = COALESCE(CAST(%(durable)s AS pg_lsn), m.durable_lsn),
        wal_size = COALESCE(%(wal_bytes)s, m.wal_size), lag_bytes = COALESCE(%(lag_bytes)s, m.lag_bytes),
        lag_seconds = COALESCE(%(lag_seconds)s, m.lag_seconds),
        last_success_time = COALESCE(now() - make_interval(secs => %(success_age)s), m.last_success_time),
        last_error = %(message)s, last_error_code = %(code)s, last_error_remedy = %(remedy)s,
        last_error_time = CASE WHEN CAST(%(code)s AS text) IS NULL THEN m.last_error_time
                               WHEN m.last_error_code IS DISTINCT FROM %(code)s
                                 OR m.last_error IS DISTINCT FROM %(message)s
                               THEN now() ELSE m.last_error_time END,
        heartbeat_at = now()
    WHERE m.pipeline_id = %(pipeline_id)s AND m.destination_id = %(destination_id)s"""
_DESTINATION_ERROR = """
    UPDATE pipeline_destinations SET error_message = %(message)s
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s
      AND error_message IS DISTINCT FROM CAST(%(message)s AS text)"""
_DECLARE = """
    UPDATE pipeline_metadata SET
        status = %(status)s, health_status = %(health)s, restart_count = restart_count + %(restarts)s,
        last_error = COALESCE(%(message)s, last_error), last_error_code = COALESCE(%(code)s, last_error_code),
        last_error_remedy = CASE WHEN CAST(%(code)s AS text) IS NULL THEN last_error_remedy ELSE %(remedy)s END,
        last_error_time = CASE WHEN CAST(%(code)s AS text) IS NULL THEN last_error_time ELSE now() END
    WHERE pipeline_id = %(pipeline_id)s AND destination_id = %(destination_id)s
      -- somebody may have wished otherwise since
      AND (%(status)s <> 'PAUSED' OR %(wished)s = 'PAUSE')
      -- what another instance runs now is its own to describe
      AND NOT EXISTS (SELECT FROM pipeline_leases l WHERE l.pipeline_id = %(pipeline_id)s
                      AND l.instance_id <> %(instance_id)s AND l.expires_at > now())"""
_DESTINATIONS = """
    SELECT destination_id FROM pipeline_metadata WHERE pipeline_id = %(pipeline_id)s ORDER BY destination_id"""
_HOLD_DESTINATIONS = "SELECT id FROM destinations WHERE id = ANY(%(ids)s) ORDER BY id FOR KEY SHARE"
_FLOW = """
    INSERT INTO data_flow_record_monitoring AS d
        (pipeline_id, destination_id, schema_name, table_name, minute, records, bytes, lag_seconds_max)
    VALUES (%(pipeline_id)s, %(destination_id)s, %(schema)s, %(name)s, date_trunc('minute', now()),
        %(rows)s, %(bytes)s, %(lag)s)
    ON CONFLICT (pipeline_id, destination_id, schema_name, table_name, minute) DO UPDATE SET
        records = d.records + excluded.records, bytes = d.bytes + excluded.bytes,
        lag_seconds_max = GREATEST(d.lag_seconds_max, excluded.lag_seconds_max)"""


class Observations:
    """Each destination's part is a transaction of its own; all raise OutageError while the config database is away."""

    def __init__(self, database: ConfigDatabase, instance_id: str) -> None:
        self._database = database
        self._instance_id = instance_id

    def observe(self, pipeline_id: int, seen: Iterable[Observation]) -> None:
        """The running process says how its destinations are."""
        for one in seen:
            values: dict[str, Any] = {
                "pipeline_id": pipeline_id,
                "destination_id": one.destination_id,
                "status": one.status,
                "health": one.health,
                "durable": None if one.durable is None else str(one.durable),
                "wal_bytes": one.wal_bytes,
                "lag_bytes": one.lag_bytes,
                "lag_seconds": one.lag_seconds,
                "success_age": one.success_age_seconds,
                **_failure(one.failure),
            }
            with self._database.transaction() as session:
                values["wished"] = session.execute(_WISHED, values).scalar()
                session.execute(_DESTINATION_ERROR, values)
                session.execute(_OBSERVE, values)

    def declare(
        self,
        pipeline_id: int,
        status: ObservedStatus,
        health: HealthStatus,
        failure: Failure | None = None,
        restarts: int = 0,
    ) -> None:
        """The supervisor says how a pipeline is that has no process (any more); the last error stays until it runs.

        PAUSED is said only of a pipeline that is to be paused.
        """
        values = {
            "pipeline_id": pipeline_id,
            "status": status,
            "health": health,
            "restarts": restarts,
            "instance_id": self._instance_id,
            **_failure(failure),
        }
        with self._database.transaction() as session:
            destinations = session.execute(_DESTINATIONS, values).scalars()
        for destination_id in destinations:
            with self._database.transaction() as session:
                wished = session.execute(_WISHED, values).scalar()
                session.execute(_DECLARE, {**values, "destination_id": destination_id, "wished": wished})

    def add_flow(self, pipeline_id: int, flows: Iterable[Flow]) -> None:
        """Adds to this minute's counts."""
        rows = [
            {
                "pipeline_id": pipeline_id,
                "destination_id": flow.destination_id,
                "schema": flow.table.schema,
                "name": flow.table.name,
                "rows": flow.rows,
                "bytes": flow.byte_count,
                "lag": flow.lag_seconds,
            }
            for flow in flows
        ]
        if rows:
            with self._database.transaction() as session:
                session.execute(_HOLD_DESTINATIONS, {"ids": [row["destination_id"] for row in rows]})
                session.execute_each(_FLOW, rows)


def _failure(failure: Failure | None) -> dict[str, str | None]:
    if failure is None:
        return {"code": None, "message": None, "remedy": None}
    return {"code": failure.code, "message": failure.message, "remedy": failure.remedy}
