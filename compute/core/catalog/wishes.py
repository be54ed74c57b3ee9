"""What is wanted: the poll's one query over all pipelines, and what belongs to reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text

from compute.core.catalog.database import ConfigDatabase
from compute.core.exit_codes import Failure
from compute.core.reconcile import Wish
from rosetta.enums import DesiredStatus
from rosetta.errors import ConfigurationError
from rosetta.sealing import seal_found_secrets
from rosetta.secrets import Keyring

_WISHES = text("""
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
           GREATEST(p.updated_at, l.updated_at, l.expires_at) < now() - make_interval(secs => :lease_seconds) AS overdue
    FROM pipelines p JOIN sources s ON s.id = p.source_id LEFT JOIN pipeline_leases l ON l.pipeline_id = p.id
    ORDER BY p.id""")
_INSTANCES = text("SELECT id FROM compute_instances WHERE heartbeat_at > now() - make_interval(secs => :lease_seconds)")
_REFRESHED = text("UPDATE pipelines SET status = 'START' WHERE id = :id AND status = 'REFRESH'")

_log = structlog.get_logger("compute.catalog")


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

    def __init__(self, database: ConfigDatabase, keyring: Keyring, instance_id: str, lease_seconds: float) -> None:
        self._database = database
        self._keyring = keyring
        self._instance_id = instance_id
        self._lease_seconds = lease_seconds

    def read(self) -> Reading:
        """All pipelines, those that can be understood and those that cannot; all times are the database's."""
        wishes: list[Wish] = []
        garbage: list[Garbage] = []
        with self._database.transaction() as session:
            rows = session.execute(_WISHES, {"lease_seconds": self._lease_seconds}).mappings().all()
            instances = session.execute(_INSTANCES, {"lease_seconds": self._lease_seconds}).scalars().all()
        for row in rows:
            try:
                wishes.append(_wish(row, self._instance_id))
            except ValueError:
                message = f"the row of pipeline {row['id']} has a status that does not exist"
                remedy = f"UPDATE pipelines SET status = 'PAUSE' WHERE id = {row['id']};"
                garbage.append(Garbage(row["id"], Failure("INVALID_CONFIGURATION", message, remedy)))
        return Reading(wishes, garbage, list(instances))

    def refreshed(self, pipeline_id: int) -> None:
        """A forced restart is under way: REFRESH goes back to START."""
        with self._database.transaction() as session:
            session.execute(_REFRESHED, {"id": pipeline_id})

    def seal_plaintext(self) -> None:
        """Seals, in place, every secret that someone wrote as plaintext.

        A row that makes no sense must not keep the others from running, so it is logged and left for the
        pipelines that use it to complain about.
        """
        try:
            with self._database.transaction() as session:
                sealed = seal_found_secrets(session, self._keyring)
        except (ConfigurationError, ValueError) as error:
            _log.warning("secrets_not_sealed", error_class=type(error).__name__)
            return
        if sealed:
            _log.info("plaintext_secrets_sealed", rows=sealed)


def _wish(row: Any, instance_id: str) -> Wish:
    return Wish(
        pipeline_id=row["id"],
        name=row["name"],
        status=DesiredStatus(row["status"]),
        fingerprint=row["fingerprint"],
        settled=row["settled"],
        owner=row["owner"],
        elsewhere=row["owner"] not in {None, instance_id},
        overdue=row["overdue"],
        destinations={int(key): value for key, value in row["destinations"].items()},
    )
