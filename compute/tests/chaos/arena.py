"""One case: databases of its own, a line to each server that can be broken, the services, and the judgement."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg2

from compute.tests.chaos import oracle
from compute.tests.chaos.proxy import Proxy
from compute.tests.chaos.servers import Servers
from compute.tests.chaos.workload import APPENDED, PUBLICATION, SCHEMA, Writer
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually, process_exists
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn

SECRET = "a secret key for tests"
_ROLES = ("source", "config", "a", "b")
_ticks = itertools.count(1)
_redis_numbers = itertools.cycle(range(1, 16))


class Arena:
    """A pipeline from `source` to the targets, its services, and what was seen of them.

    `lines` are the proxies by role (`source`, `config`, `redis`, `a`, `b`); what the case itself asks goes past them.
    """

    def __init__(
        self, servers: Servers, seed: int, changes: int, folder: Path, targets: Sequence[str] = ("a",)
    ) -> None:
        self.servers, self.seed, self.changes, self.folder = servers, seed, changes, folder
        self.targets = tuple(targets)
        self.databases = {role: servers.new_database(role) for role in ("source", "config", *self.targets)}
        ports = {role: servers[role].port for role in ("source", "config", *self.targets)}
        self.lines = {role: Proxy(port) for role, port in {**ports, "redis": servers.valkey.port}.items()}
        self.redis_number = next(_redis_numbers)
        self.settings: dict[str, object] = {}  # of every service of this case
        self.services: list[ComputeService] = []
        self.recoveries: list[float] = []
        self.pids: set[int] = set()
        self.log: list[str] = []
        self._start = oracle.Start()
        self._sessions: dict[tuple[str, str], Any] = {}
        self.destinations: dict[str, int] = {}
        self.pipeline = 0
        servers.valkey.client(self.redis_number).flushdb()
        self.run("source", SCHEMA)
        for role in self.targets:
            self.run(role, oracle.WATCH)
        url = servers["config"].dsn(self.databases["config"])
        self.config = ConfigSql(servers["config"].connect(self.databases["config"]), url, self.databases["config"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the services -----------------------------------------------------------------------------

    def service(self, line: Proxy | None = None, **settings: object) -> ComputeService:
        """A compute instance that is configured but not started; `line`: its own one to the config database."""
        config = f"{self._cluster('config').dsn(self.databases['config'])}"
        port = (line or self.lines["config"]).port
        through = config.replace(f":{self._cluster('config').port}/", f":{port}/")
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
            self._cluster("source"), self.databases["source"], PUBLICATION, pg_port=self.lines["source"].port
        )
        self.destinations = {
            role: config.add_destination(self._cluster(role), self.databases[role], pg_port=self.lines[role].port)
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
            eventually(lambda: self._slots()[0] == 1, 60, "the pipeline has its slot")
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

    # -- the data ---------------------------------------------------------------------------------

    def run(self, role: str, statements: str) -> None:
        """SQL in a role's database, past the proxy."""
        with closing(self._cluster(role).connect(self.databases[role])) as connection, connection.cursor() as cursor:
            cursor.execute(statements)

    def rows(self, role: str, query: str, *values: object) -> list[Any]:
        with closing(self._cluster(role).connect(self.databases[role])) as connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def one(self, role: str, query: str, *values: object) -> Any:
        found = self.rows(role, query, *values)
        return found[0][0] if found else None

    def writer(self, changes: int | None = None, per_second: int = 2000) -> Writer:
        """The seeded writer; without `changes` it goes on until its block ends."""
        return Writer(self._cluster("source"), self.databases["source"], self.seed, changes, per_second)

    def count_from_here(self) -> None:
        """The appended table's changes are counted from now; nothing may be writing."""
        number = self.one("source", "SELECT coalesce(max(n), 0) FROM audit.log")
        self._start = oracle.Start(number, int(self.source_lsn()))

    def source_lsn(self) -> Lsn:
        return Lsn.parse(self.one("source", "SELECT pg_current_wal_lsn()::text"))

    def confirmed(self) -> Lsn:
        """How far the slot has been told that everything is safe."""
        found = self.one(
            "source",
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()",
        )
        return Lsn.parse(found)

    def tick(self) -> int:
        """A row whose arrival shows that everything before it has arrived."""
        number = next(_ticks)
        self.run("source", f"INSERT INTO ticks VALUES ({number})")
        return number

    def arrives(self, tick: int, timeout_seconds: float = 60.0, targets: Sequence[str] | None = None) -> None:
        for role in self.targets if targets is None else targets:

            def probe(role: str = role) -> bool:
                try:
                    return bool(self.one(role, "SELECT count(*) FROM ticks WHERE id = %s", tick))
                except psycopg2.Error:  # the target is away, or has no such table yet
                    return False

            eventually(probe, timeout_seconds, f"what is committed arrives at {role}")

    @contextmanager
    def recovery(self, timeout_seconds: float = 90.0, targets: Sequence[str] | None = None) -> Iterator[None]:
        """The block removes the fault; how long it takes until all that is committed by then has arrived is kept."""
        started = time.monotonic()
        yield
        self.arrives(self.tick(), timeout_seconds, targets)
        self.recoveries.append(time.monotonic() - started)

    def pause(self, seconds: float) -> None:
        """Lets a fault last; a length and not a condition."""
        threading.Event().wait(seconds)

    def write_until_done(self, changes: int | None = None, per_second: int = 4000) -> None:
        """The case's changes (or so many of them), committed."""
        wanted = self.changes if changes is None else changes
        with self.writer(wanted, per_second) as writer:
            eventually(lambda: writer.done, 60 + 3 * wanted / per_second, "all changes are committed")

    # -- the judgement ----------------------------------------------------------------------------

    def judge(self, deadline_seconds: float = 60.0, *, slots: int = 1) -> oracle.Verdict:
        """Waits until everything arrived, compares, ends the services, and counts what is left behind."""
        verdict = oracle.Verdict()
        self.arrives(self.tick(), deadline_seconds)
        self._await_ledger(deadline_seconds)
        oracle.compare(verdict, self.config.url, SECRET, deadline_seconds)
        expected = oracle.committed(self._cluster("source"), self.databases["source"], self._start)
        for role in self.targets:
            found = oracle.history(self._cluster(role), self.databases[role], self._start)
            oracle.read_history(verdict, role, expected, found)
            back = oracle.gone_back(self._cluster(role), self.databases[role])
            verdict.count("gone_back", len(back), f"{role}: {back[:3]}")
        self.end(verdict, slots=slots)
        return verdict

    def end(self, verdict: oracle.Verdict, *, slots: int) -> None:
        """Ends the services, and counts what is left behind of them."""
        self._end_services(verdict)
        self._count_left_behind(verdict, slots)

    def _await_ledger(self, timeout_seconds: float) -> None:
        """Nothing waits in the ledger any more."""
        query = "SELECT count(*) FROM dlq_records WHERE state IN ('PARKED', 'RETRYING')"
        eventually(lambda: self.config.one(query) == 0, timeout_seconds, "the ledger is empty")

    def _end_services(self, verdict: oracle.Verdict) -> None:
        for service in self.services:
            self.pids.update(service.children())
            service.close()
        living = [pid for pid in self.pids if process_exists(pid)]
        verdict.count("orphans", len(living), f"processes {living}")

    def _count_left_behind(self, verdict: oracle.Verdict, slots: int) -> None:
        def settled() -> bool:
            return not self._sessions_left() and self._slots() == (slots, 0)

        deadline = time.monotonic() + 15
        while not settled() and time.monotonic() < deadline:
            self.pause(0.1)
        sessions, (kept, active) = self._sessions_left(), self._slots()
        verdict.count("orphans", len(sessions), f"sessions {sessions[:3]}")
        verdict.count("orphans", abs(kept - slots) + active, f"{kept} slots, {active} of them active")
        for role in self.targets:
            query = (
                "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE c.relkind = 'r' AND (c.relpersistence = 't' OR n.nspname = '_rosetta'"
                " AND c.relname NOT IN ('progress', 'tables'))"
            )
            tables = [name for (name,) in self.rows(role, query)]
            verdict.count("orphans", len(tables), f"tables at {role}: {tables[:3]}")

    def _sessions_left(self) -> list[str]:
        query = "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'rosetta%%'"
        return [name for role, database in self.databases.items() for (name,) in self.rows(role, query, database)]

    def _slots(self) -> tuple[int, int]:
        query = "SELECT count(*), count(active_pid) FROM pg_replication_slots WHERE database = current_database()"
        kept, active = self.rows("source", query)[0]
        return int(kept), int(active)

    def _cluster(self, role: str) -> PostgresCluster:
        return self.servers[role]

    def close(self) -> None:
        """Ends what the case started, however it went."""
        for line in self.lines.values():
            line.heal()
        for service in self.services:
            service.close()
        for line in self.lines.values():
            line.close()
        self.config.connection.close()
