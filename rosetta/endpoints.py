"""Where databases are, read from the config database's rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rosetta.errors import ConfigurationError
from rosetta.postgres import PostgresEndpoint
from rosetta.sealed import SourceSecrets, open_source_password
from rosetta.secrets import Keyring


class SourceRow(SourceSecrets, Protocol):
    """What is read of a row of `sources`."""

    @property
    def pg_host(self) -> str: ...
    @property
    def pg_port(self) -> int: ...
    @property
    def pg_database(self) -> str: ...
    @property
    def pg_username(self) -> str: ...
    @property
    def sslmode(self) -> str: ...


def is_one_host(host: str) -> bool:
    """Whether it is a name or an address: no list, of which libpq would try each, and no socket of this machine."""
    return bool(host) and "," not in host and not host.startswith(("/", "@"))


def source_endpoint(source: SourceRow, keyring: Keyring) -> PostgresEndpoint:
    """Raises SecretError when the password cannot be opened, ConfigurationError for a host that is not one."""
    return PostgresEndpoint(
        host=_one_host(source.pg_host),
        port=source.pg_port,
        database=source.pg_database,
        user=source.pg_username,
        password=open_source_password(source, keyring),
        sslmode=source.sslmode,
    )


def destination_endpoint(config: Mapping[str, object]) -> PostgresEndpoint:
    """Reads an opened config's `pg_host, pg_port, pg_database, pg_username, pg_password, sslmode`.

    Raises ConfigurationError for what is missing or malformed.
    """
    missing = [name for name in ("pg_host", "pg_database", "pg_username") if not config.get(name)]
    if missing:
        raise ConfigurationError(f"the destination lacks {', '.join(missing)}", remedy="Complete the destination.")
    try:
        port = int(str(config.get("pg_port") or 5432))
    except ValueError:
        raise ConfigurationError("pg_port is not a number", remedy="Correct the destination's port.") from None
    return PostgresEndpoint(
        host=_one_host(str(config["pg_host"])),
        port=port,
        database=str(config["pg_database"]),
        user=str(config["pg_username"]),
        password=str(config.get("pg_password") or ""),
        sslmode=str(config.get("sslmode") or "prefer"),
    )


def _one_host(host: str) -> str:
    if is_one_host(host):
        return host
    raise ConfigurationError(
        "a host is one name or one address, not a list and not a socket",
        code="ADDRESS_NOT_ALLOWED",
        remedy="Correct the host of the source or the destination.",
    )
