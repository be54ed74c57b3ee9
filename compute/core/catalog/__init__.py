"""The only access of compute to the config database, by area; see the modules."""

from __future__ import annotations

from compute.config.settings import Settings
from compute.core.catalog.cleanup import CleanupTasks
from compute.core.catalog.copies import Copies
from compute.core.catalog.database import ConfigDatabase, Fence
from compute.core.catalog.leases import Leases
from compute.core.catalog.measurements import Measurements
from compute.core.catalog.observations import Observations
from compute.core.catalog.plan import Plans
from compute.core.catalog.schemas import SchemaVersions
from compute.core.catalog.slots import Slots
from compute.core.catalog.tables import TableSyncs
from compute.core.catalog.verify_runs import VerifyRuns
from compute.core.catalog.wishes import Wishes
from rosetta.secrets import Keyring


class Catalog:
    """One pool and the areas that share it; safe to share between threads."""

    def __init__(
        self,
        settings: Settings,
        instance_id: str,
        *,
        application: str,
        connections: int = 2,
        fence: Fence | None = None,
    ) -> None:
        """`fence`: the lease of a pipeline's process; without it nothing of the process counts any more."""
        keyring = Keyring.from_secret_key(settings.secret_key, settings.secret_key_previous)
        self.keyring = keyring
        self.database = ConfigDatabase(
            settings.config_database_url,
            application=application,
            connections=connections,
            fence=fence,
        )
        self.wishes = Wishes(self.database, instance_id, settings.lease_seconds)
        self.plans = Plans(self.database, keyring)
        self.leases = Leases(self.database, instance_id, settings.lease_seconds)
        self.observations = Observations(self.database, instance_id)
        self.tables = TableSyncs(self.database)
        self.schemas = SchemaVersions(self.database)
        self.copies = Copies(self.database)
        self.slots = Slots(self.database, instance_id, settings.lease_seconds)
        self.cleanup = CleanupTasks(self.database)
        self.measurements = Measurements(self.database, instance_id)
        self.verify_runs = VerifyRuns(self.database, instance_id)

    def close(self) -> None:
        self.database.close()
