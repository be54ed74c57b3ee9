"""Connections to PostgreSQL through psycopg2, and the one translation of its errors into ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from rosetta.dialects.postgres import startup_options
from rosetta.errors import ConfigurationError, DataError, OutageError, RosettaError

# SQLSTATE classes after which trying again later can succeed without anyone changing the data:
# connection, transaction rollback, resources, locks and object state, operator intervention, system, authentication.
OUTAGE_CLASSES = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58", "XX"})


@dataclass(frozen=True, slots=True)
class PostgresEndpoint:
    """Where a database is and how to sign in; the password never appears in its repr."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "prefer"

    def __str__(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    @property
    def parameters(self) -> dict[str, Any]:
        """It as libpq's connection parameters, with the password."""
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
            "sslmode": self.sslmode,
        }


def connect(
    endpoint: PostgresEndpoint, *, application: str, autocommit: bool = False, timeout_seconds: int = 10
) -> psycopg2.extensions.connection:
    """Opens a session whose values print exactly (see `EXACT_TEXT_SETTINGS`).

    Raises OutageError, with a remedy where the cause is plain, when no session can be had.
    """
    try:
        connection: psycopg2.extensions.connection = psycopg2.connect(
            **endpoint.parameters,
            connect_timeout=timeout_seconds,
            application_name=application,
            client_encoding="UTF8",
            options=startup_options(),
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,
        )
    except psycopg2.Error as error:
        raise translate_error(error, f"connecting to {endpoint}") from None
    connection.autocommit = autocommit
    return connection


def translate_error(error: psycopg2.Error, doing: str) -> RosettaError:
    """The error of `rosetta.errors` for one of psycopg2's; its text names no row value.

    Only the primary message is kept: DETAIL and CONTEXT quote rows. Messages of class 22 quote the value
    itself, so they are replaced by the condition's name.
    """
    state = error.pgcode
    if state is None:
        return _connection_error(str(error), doing)
    condition = type(error).__name__
    primary = (error.diag.message_primary or condition).strip()
    if state[:2] in {"22", "23"}:
        where = ".".join(
            part for part in (error.diag.schema_name, error.diag.table_name, error.diag.column_name) if part
        )
        named = error.diag.constraint_name
        primary = condition + (f" on {where}" if where else "") + (f" (constraint {named})" if named else "")
    if state[:2] in OUTAGE_CLASSES:
        return OutageError(f"{doing}: {primary}", code=f"PG_{state}")
    return DataError(f"{doing}: {primary}", code=f"PG_{state}", remedy=_remedy(state))


def _remedy(state: str) -> str | None:
    if state == "42501":
        return "Grant the missing right to the user that Rosetta signs in as."
    return None


def _connection_error(text: str, doing: str) -> RosettaError:
    message = " ".join(text.split())
    known = (
        ("password authentication failed", "AUTHENTICATION_FAILED", "Correct the user name or the password."),
        ("no password supplied", "AUTHENTICATION_FAILED", "Set the password."),
        ("does not exist", "DATABASE_NOT_FOUND", "Correct the database name or the user."),
        ("could not translate host name", "HOST_NOT_FOUND", "Correct the host name."),
        (
            "Connection refused",
            "CONNECTION_REFUSED",
            "Check host and port, and that the server is running and listens there.",
        ),
        ("timeout expired", "CONNECTION_TIMEOUT", "Check host, port and any firewall between here and the server."),
        (
            "server does not support SSL",
            "TLS_UNAVAILABLE",
            "Choose sslmode `prefer` or `disable`, or turn TLS on at the server.",
        ),
        ("no pg_hba.conf entry", "NOT_ALLOWED", "Allow this host and user in the server's pg_hba.conf."),
    )
    for needle, code, remedy in known:
        if needle in message:
            return OutageError(f"{doing}: {needle}", code=code, remedy=remedy)
    if "invalid sslmode" in message:
        return ConfigurationError(f"{doing}: invalid sslmode", code="INVALID_SSLMODE")
    return OutageError(f"{doing}: connection lost or refused", code="CONNECTION_FAILED")
