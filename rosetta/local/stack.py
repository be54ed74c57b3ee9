"""The whole platform on one machine: which processes there are, how each is started, and in which order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from rosetta.enums import Role
from rosetta.local.access import create_sign_in_link, create_token, token_works
from rosetta.local.account import server_account
from rosetta.local.demo.bootstrap import Place, ensure_sample
from rosetta.local.demo.source import SOURCE, TARGETS, ensure_database, ensure_shop
from rosetta.local.home import Home, Secrets
from rosetta.local.orphans import Orphanage
from rosetta.local.ports import Reservation
from rosetta.local.postgres import PostgresCluster
from rosetta.local.settings import inherited_environment, local_settings
from rosetta.local.supervisor import Report, Service, Supervisor
from rosetta.local.valkey import ValkeyServer
from rosetta.migrate import upgrade
from rosetta.remote import Remote

CONFIG: Final = "rosetta"
PORTS: Final[Mapping[str, int]] = {
    "backend": 8000,
    "compute": 8001,
    "config database": 5433,
    "source database": 5434,
    "target database": 5435,
    "valkey": 6379,
}


@dataclass(frozen=True)
class Addresses:
    """Where everything listens, with passwords: for this stack's own processes."""

    ports: Mapping[str, int]
    secrets: Secrets

    @property
    def backend(self) -> str:
        return f"http://127.0.0.1:{self.ports['backend']}"

    @property
    def compute(self) -> str:
        return f"http://127.0.0.1:{self.ports['compute']}"

    @property
    def config(self) -> str:
        return self._database("config database", CONFIG, self.secrets.config_password)

    @property
    def source(self) -> str:
        return self._database("source database", SOURCE, self.secrets.source_password)

    @property
    def targets(self) -> dict[str, str]:
        """By name, in the order in which they are shown."""
        return {name: self._database("target database", name, self.secrets.target_password) for name in TARGETS}

    def _database(self, port: str, name: str, password: str) -> str:
        return f"postgresql://{name}:{password}@127.0.0.1:{self.ports[port]}/{name}?sslmode=disable"


def local_addresses(home: Home) -> Addresses | None:
    """Of the stack in `home`, running or not; None when none was ever started there."""
    ports = home.ports()
    return Addresses(ports, home.secrets()) if ports else None


def _responds(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


class Stack:
    """Started once by `running_stack`; the thread that started it must live as long as it shall."""

    def __init__(self, home: Home, lock: int, reservation: Reservation, report: Report) -> None:
        self.home = home
        self.supervisor = Supervisor(report, keep=(lock,))
        self._orphanage = Orphanage(self.supervisor.pids)
        self.addresses = addresses = Addresses(reservation.ports, home.secrets())
        self._reservation = reservation
        self.new_token: str | None = None
        self._report = report
        secrets, ports = addresses.secrets, addresses.ports
        account = server_account(local_settings().rosetta_pg_user)
        self._clusters = {
            name: PostgresCluster(
                home.clusters.resolve() / name.split()[0],
                ports[name],
                secrets.superuser_password,
                account=account,
                keep=(lock,),
            )
            for name in ("config database", "source database", "target database")
        }
        self._valkey = ValkeyServer(home.valkey, ports["valkey"], secrets.valkey_password)

    def start(self) -> None:
        """Servers, then databases, then the services. Raises OutageError or ConfigurationError."""
        self._report("starting PostgreSQL (config, source, target) and Valkey")
        with ThreadPoolExecutor() as pool:
            list(pool.map(PostgresCluster.initialise, self._clusters.values()))
        for name, cluster in self._clusters.items():
            self._launch(self._postgres(name, cluster))
        self._launch(self._redis())
        self.supervisor.wait([*self._clusters, "valkey"])
        secrets = self.addresses.secrets
        ensure_database(self._clusters["config database"], CONFIG, secrets.config_password)
        ensure_database(self._clusters["source database"], SOURCE, secrets.source_password, replication=True)
        for name in TARGETS:
            ensure_database(self._clusters["target database"], name, secrets.target_password)
        self._report("starting the backend and compute")
        upgrade(self.addresses.config)
        self._launch(self._backend())
        self._launch(self._compute())
        self._ensure_token()
        if ensure_shop(self.addresses.source):
            self._report("made the sample source")
        self._launch(self._generator())
        self.supervisor.wait(["backend", "compute"])

    def watch(self) -> None:
        """Looks once after every process; call it several times a second."""
        self.supervisor.watch()
        self._orphanage.collect()

    def stop(self) -> None:
        """Stops everything; safe to call twice."""
        self.supervisor.stop()
        if not self._orphanage.close():
            self._report("a process that a service left behind has not ended")

    def _launch(self, service: Service) -> None:
        self._reservation.release(service.name)
        self.supervisor.launch(service)

    def ensure_sample(self) -> int:
        """The sample pipeline through the API; returns its id."""
        ports, secrets = self.addresses.ports, self.addresses.secrets
        with self.api() as api:
            source = Place(SOURCE, ports["source database"], secrets.source_password)
            targets = [Place(name, ports["target database"], secrets.target_password) for name in TARGETS]
            return ensure_sample(api, source, targets)

    def api(self) -> Remote:
        return Remote(self.addresses.backend, self.addresses.secrets.api_token or "")

    def sign_in_link(self) -> str | None:
        """A link to the dashboard that signs in once, as an administrator; None when no dashboard was built."""
        if not _responds(f"{self.addresses.backend}/favicon.svg"):
            return None
        return f"{self.addresses.backend}/first-sign-in#token={create_sign_in_link(self.addresses.config)}"

    def _ensure_token(self) -> None:
        """The stack's own token, made the first time and kept with its secrets."""
        secrets = self.addresses.secrets
        if secrets.api_token is None or not token_works(self.addresses.config, secrets.api_token):
            secrets.api_token = self.new_token = create_token(self.addresses.config, "rosetta up", Role.ADMIN)
            self.home.store_secrets(secrets)

    def _postgres(self, name: str, cluster: PostgresCluster) -> Service:
        return Service(
            name,
            cluster.command,
            cluster.answers,
            self.home.logs / f"{name.replace(' ', '-')}.log",
            account=cluster.account,
            stop_signal=signal.SIGINT,
            stop_seconds=30,
        )

    def _redis(self) -> Service:
        return Service("valkey", self._valkey.command, self._valkey.answers, self.home.logs / "valkey.log")

    def _python(self, *arguments: str) -> list[str | Path]:
        return [sys.executable, *arguments]

    def _environment(self, service: str) -> dict[str, str]:
        secrets = self.addresses.secrets
        return {
            **inherited_environment(),
            "SECRET_KEY": secrets.secret_key,
            "APP_ENV": "development",
            "AUTH_ENABLED": "true",
            "REDIS_URL": self._valkey.url(),
            "DATABASE_URL": self.addresses.config,
            "CONFIG_DATABASE_URL": self.addresses.config,
            "LOG_FOLDER": str(self.home.logs / service),
        }

    def _backend(self) -> Service:
        port = str(self.addresses.ports["backend"])
        arguments = ("-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", port)
        return Service(
            "backend",
            lambda: self._python(*arguments, "--timeout-graceful-shutdown", "5", "--no-access-log"),
            lambda: _responds(f"{self.addresses.backend}/health"),
            self.home.logs / "backend.log",
            {**self._environment("backend"), "COMPUTE_LOG_FOLDER": str(self.home.logs / "compute")},
        )

    def _compute(self) -> Service:
        environment = {
            **self._environment("compute"),
            "HEALTH_PORT": str(self.addresses.ports["compute"]),
            "LOG_STREAM_LINES": "0",  # the backend reads the files
        }
        return Service(
            "compute",
            lambda: self._python("-m", "compute.main"),
            lambda: _responds(f"{self.addresses.compute}/health"),
            self.home.logs / "compute.log",
            environment,
            stop_seconds=30,
        )

    def _generator(self) -> Service:
        environment = {
            **inherited_environment(),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.addresses.ports["source database"]),
            "PGDATABASE": SOURCE,
            "PGUSER": SOURCE,
            "PGPASSWORD": self.addresses.secrets.source_password,
            "PGSSLMODE": "disable",
        }
        return Service(
            "sample generator",
            lambda: self._python("-m", "rosetta.local.demo.generator"),
            lambda: True,
            self.home.logs / "generator.log",
            environment,
        )


def _reserve(report: Report) -> Reservation:
    reservation = Reservation(PORTS)
    for name, port in PORTS.items():
        if reservation.ports[name] != port:
            report(f"port {port} ({name}) is taken by another program; using {reservation.ports[name]}")
    return reservation


@contextmanager
def running_stack(home: Home, report: Report) -> Iterator[Stack]:
    """The stack, started; whatever happens inside, no process of it is left afterwards, and the data stay."""
    home.prepare(server_account(local_settings().rosetta_pg_user))
    lock = home.lock(report)
    with _reserve(report) as reservation:
        stack = Stack(home, lock, reservation, report)
        try:
            stack.start()
            home.store_ports(stack.addresses.ports)
            yield stack
        finally:
            stack.stop()
