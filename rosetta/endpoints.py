"""Where databases are, read from the config database's rows or from a URL."""

from __future__ import annotations

from collections.abc import Mapping

from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn

from rosetta.database import libpq_url
from rosetta.errors import ConfigurationError
from rosetta.postgres import PostgresEndpoint
from rosetta.sealing import open_source_password
from rosetta.secrets import Keyring
from rosetta.tables import Source


def source_endpoint(source: Source, keyring: Keyring) -> PostgresEndpoint:
    """Raises SecretError when the password cannot be opened."""
    return PostgresEndpoint(
        host=source.pg_host,
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
        host=str(config["pg_host"]),
        port=port,
        database=str(config["pg_database"]),
        user=str(config["pg_username"]),
        password=str(config.get("pg_password") or ""),
        sslmode=str(config.get("sslmode") or "prefer"),
    )


def url_endpoint(url: str) -> PostgresEndpoint:
    """Reads `postgresql://user:password@host:port/database?sslmode=...`. Raises ConfigurationError."""
    try:
        parts = parse_dsn(libpq_url(url))
        return PostgresEndpoint(
            host=parts["host"],
            port=int(parts.get("port", 5432)),
            database=parts["dbname"],
            user=parts["user"],
            password=parts.get("password", ""),
            sslmode=parts.get("sslmode", "prefer"),
        )
    except (KeyError, ValueError, ProgrammingError):
        # the driver's message quotes the URL, and with it the password
        raise ConfigurationError(
            "the database URL lacks a host, a database or a user, or is malformed",
            code="DATABASE_URL_INVALID",
            remedy="Write postgresql://user:password@host:port/database; encode special characters of the password.",
        ) from None
