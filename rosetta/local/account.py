"""The operating-system account that PostgreSQL runs as: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rosetta.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Account:
    """Whom to run a server as; `user` is None where the current user will do."""

    user: int | None
    group: int | None

    def run(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Runs a short command as this account, without any of the caller's groups. Raises OSError."""
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def can_enter(self, folder: Path) -> bool:
        """Whether this account reaches `folder` through every folder above it."""
        if self.user is None:
            return os.access(folder, os.X_OK)
        try:
            return self.run(["test", "-x", folder]).returncode == 0
        except OSError:
            return False

    def own(self, path: Path) -> None:
        """Gives `path` and everything below it to this account."""
        if self.user is None:
            return
        shutil.chown(path, self.user, self.group)
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                os.chown(Path(folder) / name, self.user, self.group or -1, follow_symlinks=False)


def server_account(preferred: str | None = None) -> Account:
    """The account for a PostgreSQL server: the current user, or as root `preferred`, `postgres` or `nobody`.

    Raises:
        ConfigurationError: `preferred` does not exist, or none of the usual accounts does.
    """
    if os.geteuid() != 0:
        return Account(None, None)
    names = [preferred] if preferred else ["postgres", "nobody"]
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        f"PostgreSQL refuses to run as root and there is no account {' or '.join(map(repr, names))}",
        remedy="Name an existing account in ROSETTA_PG_USER, or run as an ordinary user.",
    )
