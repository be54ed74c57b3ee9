"""What is wanted: the poll's one query over all pipelines, and what belongs to reading it."""

from __future__ import annotations

from dataclasses import dataclass

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.session import Row
from compute.core.exit_codes import Failure
from compute.core.reconcile import Wish
from rosetta.enums import DesiredStatus

_WISHES = """
    SELECT p.id, p.name, p.status,
           md5(ROW(p.source_id, p.engine, p.profile, p.max_batch_rows, p.max_queue_rows, p.generation, s.pg_host,
                   s.pg_port, s.pg_database, s.pg_username, s.pg_password, s.sslmode, s.publication_name)::text)
               AS fingerprint,
           COALESCE((SELECT json_object_agg(d.id, md5(ROW(d.type, d.config)::text))
                     FROM pipeline_destinations pd JOIN destinations d ON d.id = pd.destination_id
                     WHERE pd.pipeline_id = p.id), '{}') AS destinations,
           NOT EXISTS (SELECT FROM pipeline_metadata m WHERE m.pipeline_id = p.id
                       AND m.status NOT IN ('PAUSED', 'RESYNC_REQUIRED')) AS settled,
           CASE WHEN l.expires_at > now() THEN l.instance_id END AS owner,
           GREATEST(p.updated_at, l.updated_at, l.expires_at)
               < now() - make_interval(secs => %(lease_seconds)s) AS overdue
    FROM pipelines p JOIN sources s ON s.id = p.source_id LEFT JOIN pipeline_leases l ON l.pipeline_id = p.id
    ORDER BY p.id"""
_INSTANCES = "SELECT id FROM compute_instances WHERE heartbeat_at > now() - make_interval(secs => %(lease_seconds)s)"
_REFRESHED = "UPDATE pipelines SET status = 'START' WHERE id = %(id)s AND status = 'REFRESH'"


@dataclass(frozen=True, slots=True)
class Garbage:
    """A pipeline whose row makes no sense; the others go on."""

    pipeline_id: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class Reading:
    """One moment of the config database: what is wanted, what makes no sense, and which instances live."""

    wishes: list[Wish]
    garbage: list[Garbage]
    instances: list[str]


class Wishes:
    """Reads what people want; raises OutageError while the config database is away, and then decides nothing."""

    def __init__(self, database: ConfigDatabase, instance_id: str, lease_seconds: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._lease_seconds = lease_seconds

    def read(self) -> Reading:
        """All pipelines, those that can be understood and those that cannot; all times are the database's."""
        wishes: list[Wish] = []
        garbage: list[Garbage] = []
        with self._database.transaction() as session:
            rows = session.execute(_WISHES, {"lease_seconds": self._lease_seconds})
            instances = session.execute(_INSTANCES, {"lease_seconds": self._lease_seconds}).scalars()
        for row in rows:
            try:
                wishes.append(_wish(row, self._instance_id))
            except ValueError:
                message = f"the row of pipeline {row.id} has a status that does not exist"
                remedy = f"UPDATE pipelines SET status = 'PAUSE' WHERE id = {row.id};"
                garbage.append(Garbage(row.id, Failure("INVALID_CONFIGURATION", message, remedy)))
        return Reading(wishes, garbage, instances)

    def refreshed(self, pipeline_id: int) -> None:
        """A forced restart is under way: REFRESH goes back to START."""
        with self._database.transaction() as session:
            session.execute(_REFRESHED, {"id": pipeline_id})


def _wish(row: Row, instance_id: str) -> Wish:
    return Wish(
        pipeline_id=row.id,
        name=row.name,
        status=DesiredStatus(row.status),
        fingerprint=row.fingerprint,
        settled=row.settled,
        owner=row.owner,
        elsewhere=row.owner not in {None, instance_id},
        overdue=row.overdue,
        destinations={int(key): value for key, value in row.destinations.items()},
    )
