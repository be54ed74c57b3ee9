"""The config database's URL, in the form that each driver reads, and SQLAlchemy's errors on it as ours.

People write `postgres://`, `postgresql://`, `postgresql+asyncpg://` or `postgresql+psycopg2://`, and
either driver's parameters; every form is accepted everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from psycopg2 import ProgrammingError
from psycopg2.extensions import parse_dsn
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from rosetta.errors import ConfigurationError
from rosetta.postgres import PostgresEndpoint, translate_error

_SCHEMES: Final = frozenset({"postgres", "postgresql"})
# The parameters that asyncpg takes from SQLAlchemy's URL; `sslmode` it calls `ssl`.
_ASYNC_PARAMETERS: Final = frozenset(
    {"ssl", "host", "port", "timeout", "command_timeout", "prepared_statement_cache_size", "statement_cache_size"}
)
_ASYNC_ONLY: Final = _ASYNC_PARAMETERS - {"ssl", "host", "port"}
# libpq's, without which asyncpg connects just as safely.
_LIBPQ_COMFORTS: Final = frozenset(
    {
        "application_name",
        "client_encoding",
        "connect_timeout",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "tcp_user_timeout",
    }
)


def sync_url(url: str) -> str:
    """The URL for SQLAlchemy over psycopg2. Raises ConfigurationError when it is no PostgreSQL URL."""
    return _text(_for_libpq(url).set(drivername="postgresql+psycopg2"))


def libpq_url(url: str) -> str:
    """The URL for `psycopg2.connect` and `psql`. Raises ConfigurationError when it is no PostgreSQL URL."""
    return _text(_for_libpq(url).set(drivername="postgresql"))


def async_url(url: str) -> str:
    """The URL for SQLAlchemy over asyncpg.

    Raises ConfigurationError when it is no PostgreSQL URL, or has a parameter that asyncpg cannot honour
    and that must not be dropped silently (certificates, say).
    """
    parsed = _parsed(url)
    query = {"ssl" if name == "sslmode" else name: value for name, value in parsed.query.items()}
    query = {name: value for name, value in query.items() if name not in _LIBPQ_COMFORTS}
    unknown = sorted(query.keys() - _ASYNC_PARAMETERS)
    if unknown:
        raise ConfigurationError(
            f"the database URL has parameters that the backend's driver cannot honour: {', '.join(unknown)}",
            code="DATABASE_URL_PARAMETERS",
            remedy="Leave them out of the URL.",
        )
    return _text(parsed.set(drivername="postgresql+asyncpg", query=query))


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


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raises SQLAlchemy's errors as those of `rosetta.errors` (see `translate_error`)."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.Error):
            raise translate_error(error.orig, doing) from None
        raise


def _for_libpq(url: str) -> URL:
    parsed = _parsed(url)
    query = {"sslmode" if name == "ssl" else name: value for name, value in parsed.query.items()}
    return parsed.set(query={name: value for name, value in query.items() if name not in _ASYNC_ONLY})


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        # The driver's message quotes the URL, and with it the password.
        raise _unreadable() from None
    if parsed.drivername.partition("+")[0] not in _SCHEMES:
        raise _unreadable()
    return parsed


def _unreadable() -> ConfigurationError:
    return ConfigurationError(
        "the database URL is not a PostgreSQL URL",
        code="DATABASE_URL_INVALID",
        remedy="Write postgresql://user:password@host:port/database; encode special characters of the password.",
    )


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
