"""The folder that holds the embedded stack's data, secrets and logs, and the lock that says it is in use.

.rosetta/
├── lock            held by every process of the stack for as long as it lives
├── secrets.json    made once, readable by its owner only
├── ports.json      where the running stack listens
├── clusters/       PostgreSQL's data (a link to a folder elsewhere when its account cannot enter this one)
├── valkey/
└── logs/
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, Field

from rosetta.errors import ConfigurationError, OutageError
from rosetta.local.account import Account

ELSEWHERE = Path("/var/lib/rosetta")


def _password() -> str:
    return secrets.token_urlsafe(24)


def _secret_key() -> str:
    return base64.b64encode(secrets.token_bytes(48)).decode()


class Secrets(BaseModel):
    """Everything secret of one local stack."""

    secret_key: str = Field(default_factory=_secret_key, repr=False)
    superuser_password: str = Field(default_factory=_password, repr=False)
    config_password: str = Field(default_factory=_password, repr=False)
    source_password: str = Field(default_factory=_password, repr=False)
    target_password: str = Field(default_factory=_password, repr=False)
    valkey_password: str = Field(default_factory=_password, repr=False)
    api_token: str | None = Field(None, repr=False)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Home:
    """One stack's folder; nothing is made before `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.valkey = path / "valkey"
        self.clusters = path / "clusters"

    def is_new(self) -> bool:
        """Whether no stack was ever started here."""
        return not self.clusters.exists()

    def prepare(self, account: Account) -> None:
        """Makes the folders; `account` can enter the one for PostgreSQL's data afterwards.

        Raises ConfigurationError where nothing can be written, or `account` cannot enter.
        """
        try:
            self._make(account)
        except OSError as error:
            raise ConfigurationError(
                f"{error.filename or self.path} cannot be written: {error.strerror}",
                remedy="Set ROSETTA_HOME to a folder that this account can write to.",
            ) from None
        if not account.can_enter(self.clusters.resolve()):
            raise ConfigurationError(
                f"the account that runs PostgreSQL cannot enter {self.clusters.resolve()}",
                remedy="Open the folders above it for it, or set ROSETTA_HOME to a folder that it can enter.",
            )

    def _make(self, account: Account) -> None:
        for folder, mode in ((self.path, 0o711), (self.logs, 0o700), (self.valkey, 0o700)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)  # whatever the umask is
        (self.path / ".gitignore").write_text("*\n")
        if not self.clusters.exists():
            self.clusters.unlink(missing_ok=True)  # a link to a folder that is gone
            if account.can_enter(self.path):
                self.clusters.mkdir()
                self.clusters.chmod(0o711)
            else:
                self.clusters.symlink_to(self._elsewhere(account))

    def _elsewhere(self, account: Account) -> Path:
        """A folder for data that may not lie below a closed home: one for each checkout."""
        digest = hashlib.sha256(str(self.path).encode()).hexdigest()[:12]
        folder = ELSEWHERE / digest
        folder.mkdir(parents=True, exist_ok=True)
        ELSEWHERE.chmod(0o755)
        account.own(folder)
        return folder

    def lock(self, report: Callable[[str], None], timeout_seconds: float = 45.0) -> int:
        """Takes the lock and returns its descriptor, for the children to inherit: it is free when the last one ended.

        Waits, because the processes of a stack that was killed need a moment. Raises OutageError in the end.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout_seconds
        waiting = False
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise OutageError(
                    f"servers that run already use the data in {self.path}",
                    remedy="Stop them with Ctrl-C where they were started, or set ROSETTA_HOME to another folder.",
                )
            if not waiting:
                report(f"servers that run already use {self.path}; waiting for them to end")
            waiting = True
            time.sleep(0.2)
        return descriptor

    def in_use(self) -> bool:
        """Whether a process of the stack lives."""
        path = self.path / "lock"
        if not path.exists():
            return False
        with path.open("rb") as handle:
            return not _try_lock(handle.fileno())

    def secrets(self) -> Secrets:
        """The stack's secrets, made the first time. Raises ConfigurationError when the file was damaged."""
        path = self.path / "secrets.json"
        if not path.exists():
            made = Secrets()
            self.store_secrets(made)
            return made
        try:
            return Secrets.model_validate_json(path.read_bytes())
        except ValueError:
            raise ConfigurationError(
                f"{path} is damaged", remedy="Restore it, or remove the stack's data with `make clean`."
            ) from None

    def store_secrets(self, values: Secrets) -> None:
        """Replaces the file in one step; only its owner can read it."""
        path = self.path / "secrets.json"
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(values.model_dump_json())
            handle.flush()
            os.fsync(handle.fileno())
        partial.replace(path)

    def store_ports(self, ports: Mapping[str, int]) -> None:
        (self.path / "ports.json").write_text(json.dumps(dict(ports)))

    def ports(self) -> dict[str, int]:
        """Where the stack listens, or last did; empty when it never ran."""
        path = self.path / "ports.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}
