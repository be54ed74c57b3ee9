"""Short sessions on other people's databases: bounded in time, to a checked address, with coarse errors."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from app.core.exceptions import ApplicationError, ConnectionRejectedError, DatabaseUnreachableError
from app.domain.ports import Endpoint, ServerInfo
from app.infrastructure.network import ConnectPolicy
from rosetta.enums import SslMode

STATEMENT_TIMEOUT_SECONDS = 20.0

_SERVER = """
SELECT current_setting('server_version_num')::int AS server_version, current_database() AS database,
       current_user AS "user", current_setting('wal_level') AS wal_level,
       COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS tls,
       has_function_privilege('pg_control_system()', 'EXECUTE') AS may_identify
"""


class Sessions:
    """Opens sessions that say who they are and end with their block."""

    def __init__(self, policy: ConnectPolicy, connect_timeout_seconds: float) -> None:
        self._policy = policy
        self._connect_timeout_seconds = connect_timeout_seconds

    @asynccontextmanager
    async def open(self, endpoint: Endpoint) -> AsyncIterator[asyncpg.Connection]:
        """A session in autocommit. Raises only what `app.domain.ports` promises, also for the block's statements."""
        try:
            connection = await self._connect(endpoint)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise connection_error(error) from None
        try:
            yield connection
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise statement_error(error) from None
        finally:
            connection.terminate()

    async def server(self, endpoint: Endpoint) -> ServerInfo:
        """Who answers at `endpoint`."""
        async with self.open(endpoint) as connection:
            row = await connection.fetchrow(_SERVER)
            identifier = None
            if row["may_identify"]:
                identifier = await connection.fetchval("SELECT system_identifier::text FROM pg_control_system()")
            return ServerInfo(
                server_version=row["server_version"],
                database=row["database"],
                user=row["user"],
                tls=row["tls"],
                wal_level=row["wal_level"],
                system_identifier=identifier,
            )

    async def _connect(self, endpoint: Endpoint) -> asyncpg.Connection:
        address = await self._policy.resolve(endpoint.host, endpoint.port, self._connect_timeout_seconds)
        # verify-full compares the certificate with the name, which also proves the address.
        host = endpoint.host if endpoint.sslmode is SslMode.VERIFY_FULL else address
        return await asyncpg.connect(
            host=host,
            port=endpoint.port,
            database=endpoint.database,
            user=endpoint.user,
            password=endpoint.password,  # never None: asyncpg would look for one in the environment
            ssl=endpoint.sslmode.value,
            timeout=self._connect_timeout_seconds,
            command_timeout=STATEMENT_TIMEOUT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": "rosetta-backend", "search_path": "pg_catalog"},
        )


def connection_error(error: Exception) -> ApplicationError:
    """Why no session could be had, without repeating what the server said."""
    for kinds, code, message, remedy in _REJECTED:
        if isinstance(error, kinds):
            return ConnectionRejectedError(message, code=code, remedy=remedy)
    for kinds, code, message, remedy in _UNREACHABLE:
        if isinstance(error, kinds):
            return DatabaseUnreachableError(message, code=code, remedy=remedy)
    if "SSL" in str(error):
        return ConnectionRejectedError(
            "The server does not offer TLS.",
            code="TLS_UNAVAILABLE",
            remedy="Choose sslmode `prefer` or `disable`, or turn TLS on at the server.",
        )
    return DatabaseUnreachableError(
        "The server was reached, but no session could be opened.",
        code="CONNECTION_FAILED",
        remedy="Check that a PostgreSQL server listens at this host and port; its log says more.",
    )


def statement_error(error: Exception) -> ApplicationError:
    """Why a statement failed on somebody else's database."""
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return ConnectionRejectedError(
            "The user may not do this.",
            code="INSUFFICIENT_PRIVILEGE",
            remedy="Grant the missing right to the user; the preflight names it with the SQL to run.",
        )
    if isinstance(error, asyncpg.DuplicateObjectError):
        return ConnectionRejectedError(
            "An object with this name exists already.", code="OBJECT_EXISTS", remedy="Look again, then repeat."
        )
    if isinstance(error, asyncpg.ObjectInUseError | asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
        return DatabaseUnreachableError(
            "The object is in use at the moment.", code="OBJECT_IN_USE", remedy="Try again when it is not."
        )
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        return DatabaseUnreachableError(
            "The database did not answer in time.",
            code="STATEMENT_TIMEOUT",
            remedy="Look for locks and load at the database, then try again.",
        )
    state = getattr(error, "sqlstate", None)
    if state is None or state[:2] in {"08", "53", "57", "58"}:
        return DatabaseUnreachableError(
            "The connection was lost.",
            code="CONNECTION_LOST",
            remedy="Check that the server is running, then try again.",
        )
    return ConnectionRejectedError(
        "The database refused the statement.", code=f"PG_{state}", remedy="The database's log says why."
    )


_REJECTED = (
    (
        asyncpg.InvalidPasswordError,
        "AUTHENTICATION_FAILED",
        "The user name or the password is wrong.",
        "Correct the user name or the password.",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        "NOT_ALLOWED",
        "The server does not let this user in from here, or not in this way.",
        "Check that the user exists and may log in, and the server's pg_hba.conf and sslmode.",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        "DATABASE_NOT_FOUND",
        "There is no such database.",
        "Correct the database's name.",
    ),
    (
        ssl.SSLError,
        "TLS_FAILED",
        "TLS could not be agreed on, or the certificate does not hold.",
        "Check sslmode and the server's certificate.",
    ),
)
_UNREACHABLE = (
    (
        ConnectionRefusedError,
        "CONNECTION_REFUSED",
        "Nothing listens at this host and port.",
        "Check host and port, and that the server is running and listens there.",
    ),
    (
        TimeoutError,
        "CONNECTION_TIMEOUT",
        "The server did not answer in time.",
        "Check host, port and any firewall between here and the server.",
    ),
    (
        asyncpg.CannotConnectNowError,
        "SERVER_NOT_READY",
        "The server is starting or stopping.",
        "Wait until it is ready, then try again.",
    ),
    (
        asyncpg.TooManyConnectionsError,
        "TOO_MANY_CONNECTIONS",
        "The server takes no more connections.",
        "Raise max_connections, or end sessions that are not needed.",
    ),
)
