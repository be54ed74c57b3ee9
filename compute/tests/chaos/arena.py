"""One case: databases of its own, a line to each server that can be broken, the services, and the judgement."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from compute.tests.chaos import leftovers, oracle
from compute.tests.chaos.pipeline import Pipeline
from compute.tests.chaos.proxy import Proxy
from compute.tests.chaos.servers import Servers
from compute.tests.support.service import ComputeService
from compute.tests.support.waiting import eventually, peak_bytes, process_exists
from rosetta.enums import EngineKind

SECRET = "a secret key for tests"
LEASE_SECONDS = 3.0
_redis_numbers = itertools.cycle(range(1, 16))


class Arena(Pipeline):
    """A pipeline from `source` to the targets, its services, and what was seen of them.

    Several cases may follow one another here: each begins, and is checked, while the pipeline goes on.
    """

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        targets: Sequence[str] = ("a",),
        engine: EngineKind = EngineKind.DEBEZIUM,
    ) -> None:
        super().__init__(servers, targets, engine)
        self.folder = folder
        self.redis_number = next(_redis_numbers)
        self.settings: dict[str, object] = {}  # of every service of this case
        self.secret = SECRET  # that the services have
        self.services: list[ComputeService] = []
        self.own_lines: dict[ComputeService, Proxy] = {}  # each instance's to the config database
        self.pids: set[int] = set()
        self.peak_bytes = 0
        servers.valkey.client(self.redis_number).flushdb()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- the services -----------------------------------------------------------------------------

    def service(self, **settings: object) -> ComputeService:
        """A compute instance that is configured but not started; `own_lines` has its line to the config database."""
        config = self.servers["config"].dsn(self.databases["config"])
        line = Proxy(self.lines["config"].port)
        through = config.replace(f":{self.servers['config'].port}/", f":{line.port}/")
        folder = self.folder / f"service{len(self.services)}"
        folder.mkdir(parents=True)
        made = ComputeService(
            through,
            folder,
            **{
                "app_env": "test",
                "redis_url": self.servers.valkey.url_through(self.lines["redis"].port, self.redis_number),
                "dlq_check_interval": 1,
                "poll_seconds": 1,
                "lease_seconds": LEASE_SECONDS,
                "park_min_free_bytes": 0,
                **self.settings,
                **settings,
            },
        )
        self.services.append(made)
        self.own_lines[made] = line
        return made

    def begin(self, *, copied: bool = True, **settings: object) -> ComputeService:
        """The usual start: one service, one pipeline, and its first copy is done; not `copied`: its slot is there.

        Where a former case left a pipeline that runs, this one goes on with it.
        """
        if self.pipeline and not settings and copied:
            owner = self._go_on()
            for service in self.services:
                if service is not owner and service.alive:
                    service.terminate()
            return owner
        service = self.service(**settings)
        service.start()
        self.add_pipeline()
        if copied:
            self.until_running(200)
        else:
            eventually(lambda: leftovers.slots_of(self)[0] == 1, 60, "the pipeline has its slot")
        self.count_from_here()
        return service

    def begin_pair(self) -> tuple[ComputeService, ComputeService]:
        """The same with two instances: one that streams, and one that stands by."""
        owner = self._go_on() if self.pipeline else self.begin()
        self.streaming_pid(owner)
        other = next((one for one in self.services if one is not owner and one.health()), None)
        if other is None:
            other = self.service()
            other.start()
        eventually(lambda: other.health().get("status") == "ok", 60, "the other one is there")
        return owner, other

    def _go_on(self) -> ComputeService:
        """The instance that streams, once all is well."""
        self.until_running(200)
        self.arrives(self.tick())
        self.count_from_here()

        def probe() -> ComputeService | None:
            streams = (one for one in self.services if one.pipeline(self.pipeline).get("state") == "STREAMING")
            return next(streams, None)

        found = eventually(probe, 60, "an instance streams")
        assert found is not None
        return found

    @contextmanager
    def dead(self, role: str) -> Iterator[None]:
        """The server of `role` is killed as by a crash, and started again behind the block."""
        self.servers[role].kill()
        try:
            yield
        finally:
            self.servers[role].start()
            leftovers.spare(self, role)

    def streaming_pid(self, service: ComputeService, other_than: int | None = None, timeout_seconds: float = 60) -> int:
        pid = service.streaming_pid(self.pipeline, other_than, timeout_seconds)
        self.pids.add(pid)
        return pid

    # -- the judgement ----------------------------------------------------------------------------

    def judge(self, deadline_seconds: float = 60.0, *, slots: int = 1) -> oracle.Verdict:
        """`check`, then ends the services, and counts what is left behind."""
        verdict = self.check(deadline_seconds)
        self.end(verdict, slots=slots)
        return verdict

    def check(self, deadline_seconds: float = 60.0) -> oracle.Verdict:
        """Waits until everything arrived, and compares; the pipeline goes on."""
        verdict = oracle.Verdict()
        self.arrives(self.tick(), deadline_seconds)
        self.until_ledger_is_empty(deadline_seconds)
        self.until_copied(deadline_seconds)
        self._watch_memory()
        oracle.compare(verdict, self.config.url, self.secret, deadline_seconds)
        expected = oracle.committed(self.servers["source"], self.databases["source"], self.counted_from)
        for role in self.targets:
            found = oracle.history(self.servers[role], self.databases[role], self.counted_from)
            oracle.read_history(verdict, role, expected, found)
            back = oracle.gone_back(self.servers[role], self.databases[role])
            verdict.count("gone_back", len(back), f"{role}: {back[:3]}")
        return verdict

    def end(self, verdict: oracle.Verdict, *, slots: int) -> None:
        """Ends the services, and counts what is left behind of them."""
        self._watch_memory()
        self._end_services(verdict)
        leftovers.count(self, verdict, slots)

    def _watch_memory(self) -> None:
        """The most that a pipeline's process had resident, of those that live now."""
        living = [pid for service in self.services for pid in service.children()]
        self.peak_bytes = max([self.peak_bytes, *map(peak_bytes, living)])

    def _end_services(self, verdict: oracle.Verdict) -> None:
        for service in self.services:
            self.pids.update(service.children())
            service.close()
        living = [pid for pid in self.pids if process_exists(pid)]
        verdict.count("orphans", len(living), f"processes {living}")

    def close(self) -> None:
        """Ends what the case started, however it went."""
        lines = (*self.lines.values(), *self.own_lines.values())
        for line in lines:
            line.heal()
        for service in self.services:
            service.close()
        for line in lines:
            line.close()
        self.config.connection.close()
        self.servers.drop_databases(self.databases)
