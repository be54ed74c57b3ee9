"""A backend in a process of its own, as it is deployed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from rosetta.local.ports import free_port
from rosetta.tests.waiting import eventually

BACKEND = Path(__file__).parents[1]
MODULE = ("-m", "app.main")


@contextmanager
def running_backend(environment: Mapping[str, str], command: Sequence[str] = MODULE) -> Iterator[str]:
    """The address of a server started with `command`, in which `{port}` is its port; it is stopped at the end."""
    port = str(free_port())
    process = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in command)],
        cwd=BACKEND,
        env={**os.environ, "APP_ENV": "test", **environment, "PORT": port},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, "the server ended"
        try:
            return httpx.get(f"{url}/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        eventually(answers, 60, "the server answers")
        yield url
    finally:
        process.terminate()
        try:
            assert process.wait(60) in {0, -15}
        finally:
            process.kill()  # one that does not end is this test's trouble, and no other's
            process.wait()
