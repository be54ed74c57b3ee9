"""An account of Snowflake's for tests: its emulator as a process, behind a gate that verifies who signs in."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from compute.tests.support.waiting import eventually
from rosetta.local import process
from rosetta.local.ports import free_port
from rosetta.snowflake import SnowflakeEndpoint, snowflake_endpoint

ROOT: Final = Path(__file__).resolve().parents[3]
_PROJECT: Final = ROOT / "compute/tests/doubles"
_ENVIRONMENT: Final = ROOT / ".tool/doubles"
ACCOUNT, USER = "testing", "ROSETTA"


def new_key() -> tuple[str, str]:
    """A private key and its public one, as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return private, public


class SnowflakeDouble:
    """One process for many tests: each takes a database of its own, which is there as soon as it is named."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.port = free_port()
        self.private_key, public = new_key()
        self._users = folder / "users.json"
        self._users.write_text(json.dumps({f"{ACCOUNT.upper()}.{USER}": [public]}))
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        """Returns once it answers."""
        python = _environment() / "bin/python"
        command = [str(python), str(_PROJECT / "server.py"), str(self.port), str(self._users)]
        self._process = process.spawn(command, log=self._folder / "server.log", death_signal=signal.SIGKILL)
        eventually(self._answers, 60, "the emulator of Snowflake answers")

    def stop(self) -> None:
        if self._process is not None:
            process.stop(self._process, signal.SIGKILL, 10)
            self._process = None

    def new_database(self) -> str:
        self._databases += 1
        return f"DB{self._databases}"

    def config(self, database: str, **other: object) -> dict[str, Any]:
        """A destination's config."""
        return {
            "snowflake_account": ACCOUNT,
            "snowflake_user": USER,
            "snowflake_database": database,
            "snowflake_schema": "PUBLIC",
            "snowflake_host": f"http://127.0.0.1:{self.port}",
            "snowflake_private_key": self.private_key,
            **other,
        }

    def endpoint(self, database: str) -> SnowflakeEndpoint:
        return snowflake_endpoint(self.config(database))

    def control(self, **asked: object) -> dict[str, Any]:
        """Sets faults, ends sessions; answers the statements so far."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/control", json.dumps(asked).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _answers(self) -> bool:
        try:
            self.control()
        except OSError:
            return False
        return True


def _environment() -> Path:
    """The emulator's own environment, made by uv the first time: it needs another DuckDB than the product."""
    command = [ROOT / ".tool/bin/uv", "sync", "--quiet", "--locked", "--project", _PROJECT]
    environment = {**_inherited(), "UV_PROJECT_ENVIRONMENT": str(_ENVIRONMENT)}
    subprocess.run([str(part) for part in command], check=True, timeout=300, env=environment)
    return _ENVIRONMENT


def _inherited() -> dict[str, str]:
    import os

    return {"UV_SYSTEM_CERTS": "true", **os.environ}
