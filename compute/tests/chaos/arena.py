"""One case: databases of its own, a line to each server that can be broken, the services, and the judgement."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from compute.tests.chaos import leftovers, oracle
from compute.tests.chaos.data import Data
from compute.tests.chaos.proxy import Proxy
from compute.tests.chaos.servers import Servers
from compute.tests.chaos.workload import APPENDED, PUBLICATION
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually, process_exists

SECRET = "a secret key for tests"
_redis_numbers = itertools.cycle(range(1, 16))


class Arena(Data):
    """A pipeline from `source` to the targets, its services, and what was seen of them.

    `lines` are the proxies by role (`source`, `config`, `redis`, `a`, `b`); what the case itself asks goes past them.
    """

    def __init__(
        self, servers: Servers, seed: int, changes: int, folder: Path, targets: Sequence[str] = ("a",)
    ) -> None:
        super().__init__(servers, seed, changes, targets)
        self.folder = folder
        ports = {role: servers[role].port for role in ("source", "config", *self.targets)}
        self.lines = {role: Proxy(port) for role, port in {**ports, "redis": servers.valkey.port}.items()}
        self.redis_number = next(_redis_numbers)
        self.settings: dict[str, object] = {}  # of every service of this case
        self.services: list[ComputeService] = []
        self.pids: set[int] = set()
        self.log: list[str] = []
        self.destinations: dict[str, int] = {}
        self.pipeline = 0
        servers.valkey.client(self.redis_number).flushdb()
        url = servers["config"].dsn(self.databases["config"])
        self.config = ConfigSql(servers["config"].connect(self.databases["config"]), url, self.databases["config"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the services -----------------------------------------------------------------------------

    def service(self, line: Proxy | None = None, **settings: object) -> ComputeService:
        """A compute instance that is configured but not started; `line`: its own one to the config database."""
        config = self.servers["config"].dsn(self.databases["config"])
        port = (line or self.lines["config"]).port
        through = config.replace(f":{self.servers['config'].port}/", f":{port}/")
        folder = self.folder / f"service{len(self.services)}"
        folder.mkdir(parents=True)
        made = ComputeService(
            through,
            folder,
            **{
                "app_env": "test",
                "redis_url": self.servers.valkey.url(self.lines["redis"].port, self.redis_number),
                "dlq_check_interval": 1,
                "poll_seconds": 1,
                "park_min_free_bytes": 0,
                **self.settings,
                **settings,
            },
        )
        self.services.append(made)
        return made

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
        config.set_status(self.pipeline, status)
        return self.pipeline

    def begin(self, *, copied: bool = True, **settings: object) -> ComputeService:
        """The usual start: one service, one pipeline, and its first copy is done; not `copied`: its slot is there."""
        service = self.service(None, **settings)
        service.start()
        self.add_pipeline()
        if copied:
            self.until_running(200)
        else:
            eventually(lambda: leftovers.slots_of(self)[0] == 1, 60, "the pipeline has its slot")
        self.count_from_here()
        return service

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

    def until_unwell(self, role: str, timeout_seconds: float = 30.0) -> None:
        """A destination is seen to have a problem, whichever."""
        query = "SELECT health_status FROM pipeline_metadata WHERE pipeline_id = %s AND destination_id = %s"
        values = (self.pipeline, self.destinations[role])
        eventually(lambda: self.config.one(query, *values) != "HEALTHY", timeout_seconds, f"{role} is not well")

    def until_status(self, status: str, role: str = "a", timeout_seconds: float = 30.0) -> None:
        eventually(lambda: self.status(role) == status, timeout_seconds, f"{role} is {status}")

    @contextmanager
    def dead(self, role: str) -> Iterator[None]:
        """The server of `role` is killed as by a crash, and started again behind the block."""
        self.servers[role].kill()
        try:
            yield
        finally:
            self.servers[role].start()

    def streaming_pid(self, service: ComputeService, other_than: int | None = None, timeout_seconds: float = 60) -> int:
        pid = service.streaming_pid(self.pipeline, other_than, timeout_seconds)
        self.pids.add(pid)
        return pid

    # -- the judgement ----------------------------------------------------------------------------

    def judge(self, deadline_seconds: float = 60.0, *, slots: int = 1) -> oracle.Verdict:
        """Waits until everything arrived, compares, ends the services, and counts what is left behind."""
        verdict = oracle.Verdict()
        self.arrives(self.tick(), deadline_seconds)
        self._await_ledger(deadline_seconds)
        self._await_copies(deadline_seconds)
        oracle.compare(verdict, self.config.url, SECRET, deadline_seconds)
        expected = oracle.committed(self.servers["source"], self.databases["source"], self.counted_from)
        for role in self.targets:
            found = oracle.history(self.servers[role], self.databases[role], self.counted_from)
            oracle.read_history(verdict, role, expected, found)
            back = oracle.gone_back(self.servers[role], self.databases[role])
            verdict.count("gone_back", len(back), f"{role}: {back[:3]}")
        self.end(verdict, slots=slots)
        return verdict

    def end(self, verdict: oracle.Verdict, *, slots: int) -> None:
        """Ends the services, and counts what is left behind of them."""
        self._end_services(verdict)
        leftovers.count(self, verdict, slots)

    def _await_ledger(self, timeout_seconds: float) -> None:
        """Nothing waits in the ledger any more."""
        query = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"
        eventually(lambda: self.config.one(query) == 0, timeout_seconds, "the ledger is empty")

    def _await_copies(self, timeout_seconds: float) -> None:
        """No table is being copied any more: its rows may all be there before the copy knows it."""
        query = "SELECT count(*) FROM table_syncs WHERE state IN ('PENDING', 'COPYING')"
        eventually(lambda: self.config.one(query) == 0, timeout_seconds, "no table is being copied")

    def _end_services(self, verdict: oracle.Verdict) -> None:
        for service in self.services:
            self.pids.update(service.children())
            service.close()
        living = [pid for pid in self.pids if process_exists(pid)]
        verdict.count("orphans", len(living), f"processes {living}")

    def close(self) -> None:
        """Ends what the case started, however it went."""
        for line in self.lines.values():
            line.heal()
        for service in self.services:
            service.close()
        for line in self.lines.values():
            line.close()
        self.config.connection.close()
