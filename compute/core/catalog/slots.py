"""The slots that this instance looks after from outside the pipelines' processes, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass

from compute.core.catalog.database import ConfigDatabase
from compute.core.catalog.notices import Notice, resolve
from compute.core.exit_codes import Failure
from compute.core.slot_state import KnownSlot
from compute.sources.postgres import Origin
from rosetta.enums import WalBudgetPolicy
from rosetta.lsn import Lsn

# Those whose lease is ours; those that nobody runs are looked after by one of the instances that live.
_WATCHED = """
    SELECT p.id, p.name, p.source_id, p.slot_name, p.slot_origin, p.slot_dropped_for, p.wal_budget_bytes,
           p.wal_budget_policy, p.status = 'PAUSE' AND COALESCE(l.expires_at <= now(), true) AS at_rest,
           GREATEST(p.acknowledged_lsn, (SELECT max(m.durable_lsn) FROM pipeline_metadata m
                                         WHERE m.pipeline_id = p.id))::text AS reached
    FROM pipelines p LEFT JOIN pipeline_leases l ON l.pipeline_id = p.id
    WHERE p.slot_name IS NOT NULL AND p.acknowledged_lsn IS NOT NULL
      AND CASE WHEN l.expires_at > now() THEN l.instance_id = %(instance_id)s
          ELSE %(instance_id)s = (SELECT min(i.id) FROM compute_instances i
                               WHERE i.heartbeat_at > now() - make_interval(secs => %(lease_seconds)s)) END
    ORDER BY p.id"""
# Only of a pipeline at rest: what a process runs or tries is its own to describe.
_LOST = """
    UPDATE pipeline_metadata SET status = 'RESYNC_REQUIRED', health_status = 'ERROR', last_error = %(message)s,
        last_error_code = %(code)s, last_error_remedy = %(remedy)s, last_error_time = now()
    WHERE id IN (
        SELECT m.id FROM pipelines p JOIN pipeline_metadata m ON m.pipeline_id = p.id
        WHERE p.id = %(pipeline_id)s AND p.status = 'PAUSE'
          AND (m.status = 'PAUSED' OR m.status = 'RESYNC_REQUIRED' AND m.last_error IS DISTINCT FROM %(message)s)
        FOR KEY SHARE OF p SKIP LOCKED FOR NO KEY UPDATE OF m SKIP LOCKED)
    RETURNING id"""
_FOUND = """
    UPDATE pipeline_metadata m SET wal_size = %(retained)s,
        status = CASE WHEN mended THEN 'PAUSED' ELSE m.status END,
        health_status = CASE WHEN mended THEN 'UNKNOWN' ELSE m.health_status END
    FROM (SELECT m2.id, m2.status = 'RESYNC_REQUIRED' AND m2.last_error_code = ANY(%(codes)s) AS mended
          FROM pipelines p JOIN pipeline_metadata m2 ON m2.pipeline_id = p.id
          WHERE p.id = %(pipeline_id)s AND p.status = 'PAUSE' FOR NO KEY UPDATE OF m2 SKIP LOCKED) AS was
    WHERE was.id = m.id"""
_DROPPED = "UPDATE pipelines SET slot_dropped_for = %(reason)s WHERE id = %(pipeline_id)s"
# A destination that writes catches up by itself; one that cannot keeps the slot for all others. Without a process
# that says so nothing is known of destinations, and suspending them would move nothing.
_HOLDERS = """
    WITH positions AS (
        SELECT pd.id, COALESCE(GREATEST(m.durable_lsn, pd.parked_commit_lsn), '0/0') AS covered, m.status,
               m.heartbeat_at > now() - interval '30 seconds' AS told
        FROM pipeline_destinations pd
        JOIN pipeline_metadata m ON m.pipeline_id = pd.pipeline_id AND m.destination_id = pd.destination_id
        WHERE pd.pipeline_id = %(pipeline_id)s AND pd.detached_at IS NULL)
    UPDATE pipeline_destinations pd SET detached_at = now(), error_message = %(reason)s
    FROM positions o
    WHERE o.id = pd.id AND pd.id IN (SELECT id FROM pipeline_destinations
                                     WHERE pipeline_id = %(pipeline_id)s FOR NO KEY UPDATE SKIP LOCKED)
      AND o.told AND o.status IN ('BLOCKED', 'RETRYING', 'FAILED')
      AND o.covered = (SELECT min(covered) FROM positions)
    RETURNING pd.destination_id"""


@dataclass(frozen=True, slots=True)
class WatchedSlot:
    """One pipeline's slot. `at_rest`: the pipeline is paused and no process of it runs."""

    known: KnownSlot
    pipeline: str
    source_id: int
    at_rest: bool
    budget_bytes: int | None
    policy: WalBudgetPolicy


class Slots:
    """Every method is one transaction and raises OutageError while the config database is away.

    What somebody is changing at that moment is left as it is: the next look finds it again.
    """

    def __init__(self, database: ConfigDatabase, instance_id: str, lease_seconds: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._lease_seconds = lease_seconds

    def watched(self) -> list[WatchedSlot]:
        """The slots that are this instance's to look after, now."""
        values = {"instance_id": self._instance_id, "lease_seconds": self._lease_seconds}
        with self._database.transaction() as session:
            rows = session.execute(_WATCHED, values)
        return [
            WatchedSlot(
                known=KnownSlot(
                    row.id,
                    row.slot_name,
                    None if row.slot_origin is None else Origin.parse(row.slot_origin),
                    None if row.reached is None else Lsn.parse(row.reached),
                    row.slot_dropped_for,
                ),
                pipeline=row.name,
                source_id=row.source_id,
                at_rest=row.at_rest,
                budget_bytes=row.wal_budget_bytes,
                policy=WalBudgetPolicy(row.wal_budget_policy),
            )
            for row in rows
        ]

    def lost(self, pipeline_id: int, failure: Failure, notice: Notice) -> bool:
        """A paused pipeline cannot go on; where that is news, True, and people are told."""
        values = {"pipeline_id": pipeline_id, "code": failure.code, "message": failure.message}
        with self._database.transaction() as session:
            news = bool(session.execute(_LOST, {**values, "remedy": failure.remedy}))
            if news:
                notice.tell(session)
        return news

    def found(self, pipeline_id: int, retained_bytes: int, codes: list[str]) -> None:
        """What the slot of a paused pipeline retains; that it was lost, by one of `codes`, is over."""
        with self._database.transaction() as session:
            session.execute(_FOUND, {"pipeline_id": pipeline_id, "retained": retained_bytes, "codes": codes})

    def dropped(self, pipeline_id: int, reason: str) -> None:
        """Written before the slot is dropped, so that its absence never lacks its reason."""
        with self._database.transaction() as session:
            session.execute(_DROPPED, {"pipeline_id": pipeline_id, "reason": reason})

    def detach_holders(self, pipeline_id: int, reason: str) -> list[int]:
        """Suspends the destinations that cannot write and so hold the slot back; they need a resync then."""
        with self._database.transaction() as session:
            return list(session.execute(_HOLDERS, {"pipeline_id": pipeline_id, "reason": reason}).scalars())

    def tell(self, notice: Notice) -> None:
        """Raises or renews it."""
        with self._database.transaction() as session:
            notice.tell(session)

    def resolve(self, dedup_key: str) -> None:
        """What was told is over."""
        with self._database.transaction() as session:
            resolve(session, dedup_key)
