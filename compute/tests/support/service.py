"""The real compute service as a process, as a person would start it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from compute.tests.support.waiting import eventually, process_exists
from rosetta.local.ports import free_port

_ROOT = Path(__file__).resolve().parents[3]
# Most pipelines of tests end before the optimising compiler has paid for itself: it took two fifths of their time.
# For PYDBZ_JVM_OPTS; tests of throughput and memory go without.
SHORT_LIVED_JVM = "-XX:TieredStopAtLevel=1"


class ComputeService:
    """`python -m compute.main` with its own environment; `log` is what it prints."""

    def __init__(self, config_url: str, folder: Path, **settings: object) -> None:
        self.port = free_port()
        self.log = folder / "compute.log"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "SECRET_KEY": "a secret key for tests",
            "CONFIG_DATABASE_URL": config_url,
            "HEALTH_PORT": str(self.port),
            "LEASE_SECONDS": "3",
            "POLL_SECONDS": "2",
            "LOG_FOLDER": str(folder / "logs"),
            "LOG_STREAM_LINES": "0",
            **{name.upper(): str(value) for name, value in settings.items()},
        }
        self._client = httpx.Client(timeout=5, trust_env=False)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "compute.main"], cwd=_ROOT, env=self.environment, stdout=log, stderr=log
            )

    def last_lines(self, count: int) -> list[str]:
        """Of what it has printed."""
        return self.log.read_text().splitlines(keepends=True)[-count:] if self.log.exists() else []

    def health(self) -> dict[str, Any]:
        """The body of /health; empty while nothing answers."""
        try:
            body: dict[str, Any] = self._client.get(f"http://127.0.0.1:{self.port}/health").json()
        except httpx.TransportError:
            return {}
        return body

    def config_database(self) -> dict[str, Any]:
        """What /health says of it; empty while nothing answers."""
        found: dict[str, Any] = self.health().get("config_database", {})
        return found

    def pipeline(self, pipeline_id: int) -> dict[str, Any]:
        found = self.health().get("pipelines", [])
        return next((one for one in found if one["id"] == pipeline_id), {})

    def streaming_pid(self, pipeline_id: int, other_than: int | None = None, timeout_seconds: float = 60.0) -> int:
        """The pid of the pipeline's process once it streams."""

        def probe() -> int:
            one = self.pipeline(pipeline_id)
            return one["pid"] if one.get("state") == "STREAMING" and one["pid"] != other_than else 0

        return eventually(probe, timeout_seconds, f"pipeline {pipeline_id} streams")

    def children(self) -> list[int]:
        """Pids of the pipeline processes that it says it has."""
        return [one["pid"] for one in self.health().get("pipelines", []) if one["pid"]]

    def kill(self) -> None:
        self.process.kill() if self.process else None
        self.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(40)

    def close(self) -> None:
        """Ends it and all it started, however the test went."""
        try:
            self._end()
        finally:
            self._client.close()

    def _end(self) -> None:
        if not self.alive:
            return
        children = self.children()
        self.terminate()
        eventually(lambda: not any(process_exists(pid) for pid in children))
