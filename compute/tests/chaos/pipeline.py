"""The pipeline of a case as the config database shows it, and the lines between its servers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from compute.tests.chaos import leftovers
from compute.tests.chaos.data import Data
from compute.tests.chaos.proxy import Proxy
from compute.tests.chaos.servers import Servers
from compute.tests.chaos.workload import APPENDED, PUBLICATION
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.waiting import eventually
from rosetta.enums import EngineKind

_keys = itertools.count(100_000_000_000, 10_000_000)


class Pipeline(Data):
    """One pipeline over `engine`, and what is seen of it.

    `lines` are the proxies by role (`source`, `config`, `redis`, `a`, `b`); what the case itself asks goes past them.
    """

    def __init__(self, servers: Servers, targets: Sequence[str], engine: EngineKind) -> None:
        super().__init__(servers, targets)
        self.engine = engine
        ports = {role: servers[role].port for role in ("source", "config", *self.targets)}
        self.lines = {role: Proxy(port) for role, port in {**ports, "redis": servers.valkey.port}.items()}
        self.destinations: dict[str, int] = {}
        self.pipeline = 0
        url = servers["config"].dsn(self.databases["config"])
        self.config = ConfigSql(servers["config"].connect(self.databases["config"]), url, self.databases["config"])

    def add_pipeline(self, status: str = "START") -> int:
        """Source, destinations and pipeline by plain SQL; the table `events` keeps every change."""
        config = self.config
        source_id = config.add_source(
            self.servers["source"], self.databases["source"], PUBLICATION, pg_port=self.lines["source"].port
        )
        self.destinations = {
            role: config.add_destination(self.servers[role], self.databases[role], pg_port=self.lines[role].port)
            for role in self.targets
        }
        self.pipeline = config.add_pipeline("chaos", source_id, None, "PAUSE")
        for destination_id in self.destinations.values():
            config.run(
                "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)",
                self.pipeline,
                destination_id,
            )
        config.run(
            "INSERT INTO table_syncs (pipeline_destination_id, table_name, mode)"
            " SELECT id, %s, 'append' FROM pipeline_destinations",
            APPENDED,
        )
        config.run("UPDATE pipelines SET engine = %s WHERE id = %s", self.engine.value, self.pipeline)
        config.set_status(self.pipeline, status)
        return self.pipeline

    def keys(self) -> int:
        """The first of ten million keys that nobody else uses."""
        return next(_keys)

    def until_running(self, timeout_seconds: float = 60.0) -> None:
        """Every destination is RUNNING and healthy."""
        query = (
            "SELECT count(*) FROM pipeline_metadata WHERE pipeline_id = %s AND status = 'RUNNING'"
            " AND health_status = 'HEALTHY'"
        )
        eventually(
            lambda: self.config.one(query, self.pipeline) == len(self.targets), timeout_seconds, "everything runs"
        )

    def status(self, role: str) -> str:
        """What the pipeline says of a destination."""
        query = "SELECT status FROM pipeline_metadata WHERE pipeline_id = %s AND destination_id = %s"
        return str(self.config.one(query, self.pipeline, self.destinations[role]))

    def error_code(self, role: str) -> str | None:
        """The reason that a destination gives for its status."""
        query = "SELECT last_error_code FROM pipeline_metadata WHERE pipeline_id = %s AND destination_id = %s"
        found: str | None = self.config.one(query, self.pipeline, self.destinations[role])
        return found

    def open_rows(self, condition: str = "true") -> int:
        """Rows of the ledger that wait."""
        query = f"SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING') AND {condition}"
        return int(self.config.one(query))

    def until_slot_moves(self, timeout_seconds: float = 30.0) -> None:
        """The source is told that all which is committed by now is safe."""
        floor = self.source_lsn()
        self.tick()
        eventually(lambda: self.confirmed() > floor, timeout_seconds, "the slot moves on")

    def sessions(self, role: str) -> list[str]:
        """Rosetta's sessions at a role's database."""
        return leftovers.sessions_of(self, [role])

    def until_unwell(self, role: str, timeout_seconds: float = 30.0) -> None:
        """A destination is seen to have a problem, whichever."""
        query = "SELECT health_status FROM pipeline_metadata WHERE pipeline_id = %s AND destination_id = %s"
        values = (self.pipeline, self.destinations[role])
        eventually(lambda: self.config.one(query, *values) != "HEALTHY", timeout_seconds, f"{role} is not well")

    def until_status(self, status: str, role: str = "a", timeout_seconds: float = 30.0) -> None:
        eventually(lambda: self.status(role) == status, timeout_seconds, f"{role} is {status}")

    def until_ledger_is_empty(self, timeout_seconds: float) -> None:
        """Nothing waits in the ledger any more."""
        eventually(lambda: self.open_rows() == 0, timeout_seconds, "the ledger is empty")

    def until_copied(self, timeout_seconds: float) -> None:
        """No table is being copied any more: its rows may all be there before the copy knows it."""
        query = "SELECT count(*) FROM table_syncs WHERE state IN ('PENDING', 'COPYING')"
        eventually(lambda: self.config.one(query) == 0, timeout_seconds, "no table is being copied")
