"""Who runs which pipeline: leases with a fencing epoch, on the config database's clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from compute.core.catalog.database import ConfigDatabase
from rosetta.errors import FencedError, OutageError

_HOLD = "SELECT id FROM pipelines WHERE id = %(pipeline_id)s FOR KEY SHARE SKIP LOCKED"
_ACQUIRE = """
    INSERT INTO pipeline_leases AS l (pipeline_id, instance_id, epoch, expires_at)
    VALUES (%(pipeline_id)s, %(instance_id)s, 1, now() + make_interval(secs => %(seconds)s))
    ON CONFLICT (pipeline_id) DO UPDATE
    SET instance_id = excluded.instance_id, epoch = l.epoch + 1, expires_at = excluded.expires_at
    WHERE l.instance_id IS NULL OR l.instance_id = excluded.instance_id OR l.expires_at <= now()
    RETURNING epoch"""
_RENEW = """
    UPDATE pipeline_leases SET expires_at = now() + make_interval(secs => %(seconds)s)
    WHERE pipeline_id = %(pipeline_id)s AND instance_id = %(instance_id)s AND epoch = %(epoch)s
    RETURNING epoch"""
# Leases of an instance, in order, each with its pipeline: those whose pipeline is being deleted are left out.
_OWN = """
    WITH own AS MATERIALIZED (
        SELECT l.pipeline_id FROM pipelines p JOIN pipeline_leases l ON l.pipeline_id = p.id
        WHERE l.instance_id = %(instance_id)s
          AND (CAST(%(pipeline_ids)s AS bigint[]) IS NULL OR l.pipeline_id = ANY(%(pipeline_ids)s))
        ORDER BY l.pipeline_id FOR KEY SHARE OF p SKIP LOCKED FOR NO KEY UPDATE OF l)"""
_KEEP = f"""{_OWN}
    UPDATE pipeline_leases SET expires_at = now() + make_interval(secs => %(seconds)s)
    WHERE pipeline_id IN (SELECT pipeline_id FROM own)"""
# Whoever listens may take what is free now; the notification is heard once this is committed.
_RELEASE = f"""{_OWN}, freed AS (
        UPDATE pipeline_leases SET instance_id = NULL, expires_at = NULL
        WHERE pipeline_id IN (SELECT pipeline_id FROM own)
        RETURNING pipeline_id)
    SELECT count(pg_notify('rosetta_config', json_build_object(
        'table', 'pipeline_leases', 'op', 'UPDATE', 'pipeline_id', pipeline_id)::text)) FROM freed"""
_LEFT = "SELECT 1 FROM pipeline_leases WHERE pipeline_id = %(pipeline_id)s AND instance_id = %(instance_id)s"
_HEARTBEAT = """
    INSERT INTO compute_instances (id, hostname, pid, version) VALUES (%(id)s, %(hostname)s, %(pid)s, %(version)s)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = now()"""
_OTHERS = """
    SELECT instance_id FROM pipeline_leases WHERE instance_id <> %(id)s
    UNION SELECT id FROM compute_instances WHERE id <> %(id)s"""
_FORGET = "DELETE FROM compute_instances WHERE id = %(id)s"
_LOCK_QUICKLY = "SET LOCAL lock_timeout = '1s'"
_LOCK_NOT_AVAILABLE = "PG_55P03"
_FORGET_DEAD = "DELETE FROM compute_instances WHERE heartbeat_at < now() - interval '1 day'"


class Leases:
    """Every method is one transaction and raises OutageError while the config database is away."""

    def __init__(self, database: ConfigDatabase, instance_id: str, lease_seconds: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._lease_seconds = lease_seconds

    def acquire(self, pipeline_id: int) -> int | None:
        """Takes the pipeline and returns its new epoch, larger than any before.

        None while another holds it, or is in the midst of a transaction that began when it did; and while somebody
        deletes the pipeline.
        """
        values = {"pipeline_id": pipeline_id, "instance_id": self._instance_id, "seconds": self._lease_seconds}
        try:
            with self._database.transaction() as session:
                session.execute(_LOCK_QUICKLY)
                if not session.execute(_HOLD, values):
                    return None
                epoch: int | None = session.execute(_ACQUIRE, values).scalar()
                return epoch
        except OutageError as error:
            if error.code == _LOCK_NOT_AVAILABLE:
                return None
            raise

    def renew(self, pipeline_id: int, epoch: int) -> None:
        """Keeps the lease. Raises FencedError when a newer epoch exists: the caller must stop writing."""
        values = {
            "pipeline_id": pipeline_id,
            "instance_id": self._instance_id,
            "epoch": epoch,
            "seconds": self._lease_seconds,
        }
        with self._database.transaction() as session:
            renewed = session.execute(_RENEW, values).scalar()
        if renewed is None:
            raise FencedError(f"the lease of pipeline {pipeline_id} with epoch {epoch} belongs to another now")

    def keep(self, pipeline_ids: Iterable[int]) -> None:
        """Keeps leases of this instance for which no process of their own does so now."""
        values = {"pipeline_ids": list(pipeline_ids), "instance_id": self._instance_id, "seconds": self._lease_seconds}
        if values["pipeline_ids"]:
            with self._database.transaction() as session:
                session.execute(_KEEP, values)

    def release(self, pipeline_id: int) -> bool:
        """Gives a lease back; its epoch stays, so that it never falls.

        False, and nothing has changed, while somebody holds the pipeline's row: ask again.
        """
        values = {"pipeline_id": pipeline_id, "pipeline_ids": [pipeline_id], "instance_id": self._instance_id}
        with self._database.transaction() as session:
            session.execute(_RELEASE, values)
            return not session.execute(_LEFT, values)

    def beat(self, hostname: str, pid: int, version: str) -> None:
        """Says that this instance lives, and forgets those that have not said so for a day."""
        values = {"id": self._instance_id, "hostname": hostname, "pid": pid, "version": version}
        with self._database.transaction() as session:
            session.execute(_HEARTBEAT, values)
            session.execute(_FORGET_DEAD)

    def bury(self, has_died: Callable[[str], bool]) -> list[str]:
        """Forgets instances that are known to be gone, and frees their leases before their time has passed.

        A mistake costs no data: the next owner's epoch is larger, so the former one can no longer write.
        """
        with self._database.transaction() as session:
            others = session.execute(_OTHERS, {"id": self._instance_id}).scalars()
            dead = [other for other in others if has_died(other)]
            for other in dead:
                session.execute(_RELEASE, {"pipeline_ids": None, "instance_id": other})
                session.execute(_FORGET, {"id": other})
        return dead

    def leave(self) -> None:
        """The end of this instance: it has no row any more, and no lease but of what is being deleted."""
        with self._database.transaction() as session:
            session.execute(_RELEASE, {"pipeline_ids": None, "instance_id": self._instance_id})
            session.execute(_FORGET, {"id": self._instance_id})
