"""A Valkey of a test's own, which it may kill, start again, and empty."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import redis

from compute.tests.support.waiting import eventually
from rosetta.local import process
from rosetta.local.ports import free_port
from rosetta.local.valkey import ValkeyServer

_PASSWORD = "a-test-password"


class Valkey:
    """Data survive `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._server = ValkeyServer(folder, free_port(), _PASSWORD)
        self._log = folder.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def url(self) -> str:
        return self._server.url()

    def url_through(self, port: int, number: int) -> str:
        """Of database `number`, by way of a proxy on `port`."""
        return f"redis://:{_PASSWORD}@127.0.0.1:{port}/{number}"

    def client(self, number: int = 0) -> redis.Redis:
        """A client of database `number`, past any proxy."""
        url = self.url_through(self.port, number)
        return redis.Redis.from_url(url, socket_timeout=5, decode_responses=True)

    def start(self) -> None:
        """Returns once it answers; one that runs already goes on."""
        if self._process is not None:
            return
        self._process = process.spawn(self._server.command(), log=self._log, death_signal=signal.SIGTERM)
        eventually(self._server.answers, 20, "Valkey answers")

    def kill(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGKILL, 10)
            self._process = None

    def flush(self) -> None:
        """Everything is gone."""
        with self.client() as client:
            client.flushall()
