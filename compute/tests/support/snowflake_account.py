"""A real account of Snowflake's, for the live lane: the secret of the workflow `snowflake` says which."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from compute.destinations.snowflake.session import Session
from rosetta.dialects.snowflake.names import quoted
from rosetta.snowflake import SnowflakeEndpoint, snowflake_endpoint


class SnowflakeAccount:
    """Tests take databases of their own, which are gone afterwards; the role needs CREATE DATABASE.

    `config`: a destination's config, with `snowflake_warehouse`; its database is only signed in to.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._made: list[str] = []

    def new_database(self) -> str:
        name = f"ROSETTA_TEST_{uuid.uuid4().hex[:12].upper()}"
        self._run(f"CREATE TRANSIENT DATABASE {quoted(name)} DATA_RETENTION_TIME_IN_DAYS = 0")
        self._made.append(name)
        return name

    def endpoint(self, database: str) -> SnowflakeEndpoint:
        return snowflake_endpoint({**self._config, "snowflake_database": database, "snowflake_schema": "PUBLIC"})

    def stop(self) -> None:
        """Drops every database that was made."""
        while self._made:
            name = self._made[-1]
            self._run(f"DROP DATABASE IF EXISTS {quoted(name)}")
            self._made.pop()

    def _run(self, sql: str) -> None:
        session = Session(snowflake_endpoint(self._config), "rosetta tests")
        session.connect()
        try:
            session.run(sql, "preparing a test")
        finally:
            session.close()
