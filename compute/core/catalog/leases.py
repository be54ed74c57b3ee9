"""Who runs which pipeline: leases with a fencing epoch, on the config database's clock."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from compute.core.catalog.database import ConfigDatabase
from rosetta.errors import FencedError

_ACQUIRE = text("""
    INSERT INTO pipeline_leases AS l (pipeline_id, instance_id, epoch, expires_at)
    VALUES (:pipeline_id, :instance_id, 1, now() + make_interval(secs => :seconds))
    ON CONFLICT (pipeline_id) DO UPDATE
    SET instance_id = excluded.instance_id, epoch = l.epoch + 1, expires_at = excluded.expires_at
    WHERE l.instance_id IS NULL OR l.instance_id = excluded.instance_id OR l.expires_at <= now()
    RETURNING epoch""")
_RENEW = text("""
    UPDATE pipeline_leases SET expires_at = now() + make_interval(secs => :seconds)
    WHERE pipeline_id = :pipeline_id AND instance_id = :instance_id AND epoch = :epoch
    RETURNING epoch""")
_RELEASE = text("""
    UPDATE pipeline_leases SET instance_id = NULL, expires_at = NULL
    WHERE instance_id = :instance_id AND (pipeline_id = :pipeline_id OR CAST(:pipeline_id AS bigint) IS NULL)""")
_HEARTBEAT = text("""
    INSERT INTO compute_instances (id, hostname, pid, version) VALUES (:id, :hostname, :pid, :version)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = now()""")
_OWNERS = text("SELECT DISTINCT instance_id FROM pipeline_leases WHERE instance_id <> :id")
_FORGET_DEAD = text("DELETE FROM compute_instances WHERE heartbeat_at < now() - interval '1 day'")


class Leases:
    """Every method is one transaction and raises OutageError while the config database is away."""

    def __init__(self, database: ConfigDatabase, instance_id: str, lease_seconds: float) -> None:
        self._database = database
        self._instance_id = instance_id
        self._lease_seconds = lease_seconds

    def acquire(self, pipeline_id: int) -> int | None:
        """Takes the pipeline and returns its new epoch, larger than any before; None while another holds it."""
        with self._database.transaction() as session:
            values = {"pipeline_id": pipeline_id, "instance_id": self._instance_id, "seconds": self._lease_seconds}
            epoch: int | None = session.execute(_ACQUIRE, values).scalar()
            return epoch

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

    def release(self, pipeline_id: int | None = None) -> None:
        """Gives back one lease, or all of this instance. The epoch stays, so that it never falls."""
        with self._database.transaction() as session:
            session.execute(_RELEASE, {"pipeline_id": pipeline_id, "instance_id": self._instance_id})

    def beat(self, hostname: str, pid: int, version: str) -> None:
        """Says that this instance lives, and forgets those that have not said so for a day."""
        values = {"id": self._instance_id, "hostname": hostname, "pid": pid, "version": version}
        with self._database.transaction() as session:
            session.execute(_HEARTBEAT, values)
            session.execute(_FORGET_DEAD)

    def bury(self, has_died: Callable[[str], bool]) -> list[str]:
        """Frees the leases of instances that are known to be gone, without waiting for their time to pass.

        A mistake costs no data: the next owner's epoch is larger, so the former one can no longer write.
        """
        with self._database.transaction() as session:
            owners = session.execute(_OWNERS, {"id": self._instance_id}).scalars()
            dead = [owner for owner in owners if has_died(owner)]
            for owner in dead:
                session.execute(_RELEASE, {"pipeline_id": None, "instance_id": owner})
        return dead

    def leave(self) -> None:
        """The end of this instance: no lease and no row of it is left."""
        with self._database.transaction() as session:
            session.execute(_RELEASE, {"pipeline_id": None, "instance_id": self._instance_id})
            session.execute(text("DELETE FROM compute_instances WHERE id = :id"), {"id": self._instance_id})
