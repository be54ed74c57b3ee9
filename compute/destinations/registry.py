"""From a destination's row to its writer; drivers are imported only when they are needed."""

from __future__ import annotations

from collections.abc import Mapping

from compute.destinations.base import Destination
from rosetta.enums import DestinationType
from rosetta.errors import ConfigurationError, UnsupportedError
from rosetta.postgres import PostgresEndpoint


def create_destination(
    kind: DestinationType, config: Mapping[str, object], pipeline_id: int, destination_id: int
) -> Destination:
    """A destination that is not open yet, from its config with secrets opened.

    Raises ConfigurationError when a key is missing or malformed, UnsupportedError for a kind that cannot be
    written yet.
    """
    if kind is not DestinationType.POSTGRESQL:
        raise UnsupportedError(f"destinations of type {kind} cannot be written yet")
    from compute.destinations.postgres import PostgresDestination

    schema = config.get("pg_schema")
    return PostgresDestination(
        postgres_endpoint(config), pipeline_id, destination_id, None if schema is None else str(schema)
    )


def postgres_endpoint(config: Mapping[str, object]) -> PostgresEndpoint:
    """Reads `pg_host, pg_port, pg_database, pg_username, pg_password, sslmode`. Raises ConfigurationError."""
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
