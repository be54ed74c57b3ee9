"""Short sessions on other people's Snowflake accounts: bounded in time, to a checked address, with coarse errors."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import httpx

from app.core.exceptions import ApplicationError, ConnectionRejectedError, DatabaseUnreachableError
from app.domain.ports import TargetAddress
from app.infrastructure.network import ConnectPolicy
from app.infrastructure.snowflake.pinned import pinned
from rosetta.errors import ConfigurationError, RosettaError
from rosetta.snowflake import Patience, SnowflakeEndpoint, connect, snowflake_endpoint, translate_error
from rosetta.snowflake.trust import trust

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

T = TypeVar("T")
Row = tuple[Any, ...]

_PATIENCE: Final = Patience(login=15, request=20, statement=30)
# The connector blocks, so it gets threads of its own; who comes when all are taken waits.
_THREADS: Final = 4
# Snowflake refuses a signed token that it meets more than a minute after it was made.
_MAX_SKEW_SECONDS: Final = 55.0
# What only the destination's owner can mend; everything else can pass by itself.
_REJECTED: Final = frozenset(
    {
        "KEY_REJECTED",
        "TOKEN_EXPIRED",
        "USER_UNKNOWN",
        "USER_NOT_ALLOWED",
        "ROLE_NOT_GRANTED",
        "NETWORK_POLICY",
        "WAREHOUSE_MISSING",
        "ACCOUNT_NOT_FOUND",
        "TLS_FAILED",
        "HOST_NOT_FOUND",
    }
)


class SnowflakeSessions:
    """Opens sessions that end with the work that is done in them."""

    def __init__(self, policy: ConnectPolicy, connect_timeout_seconds: float) -> None:
        self._policy = policy
        self._connect_timeout_seconds = connect_timeout_seconds
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="snowflake")

    async def run(self, address: TargetAddress, work: Callable[[SnowflakeConnection], T]) -> T:
        """What `work` makes of a session; it runs in a thread. Raises only what `app.domain.ports` promises."""
        endpoint = await self._in_thread(_endpoint, address)
        async with _way(endpoint, await self._reach(endpoint)) as proxy_port:
            try:
                return await self._in_thread(_work, endpoint, proxy_port, work)
            except RosettaError as error:
                if error.code == "KEY_REJECTED":
                    raise await self._key_error(endpoint, proxy_port, error) from None
                raise application_error(error) from None

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(function, *arguments))

    async def _reach(self, endpoint: SnowflakeEndpoint) -> str:
        """The checked address. It is connected to once, so that the reason is plain when nobody is there."""
        ip = await self._policy.resolve(endpoint.host, endpoint.port, self._connect_timeout_seconds)
        encrypted = endpoint.scheme == "https"
        try:
            async with asyncio.timeout(self._connect_timeout_seconds):
                _, writer = await asyncio.open_connection(
                    ip,
                    endpoint.port,
                    ssl=trust() if encrypted else None,
                    server_hostname=endpoint.host if encrypted else None,
                )
        except (OSError, ValueError) as error:  # TLS errors and TimeoutError are OSErrors; ValueError: no name for TLS
            raise _unreachable(error) from None
        writer.transport.abort()
        return ip

    async def _key_error(
        self, endpoint: SnowflakeEndpoint, proxy_port: int | None, error: RosettaError
    ) -> ApplicationError:
        """Snowflake says of a wrong key and of a token that came too late that both are invalid; the clock decides."""
        url = f"{endpoint.scheme}://{endpoint.host}:{endpoint.port}/"
        proxy = None if proxy_port is None else f"http://127.0.0.1:{proxy_port}"
        seconds = self._connect_timeout_seconds
        try:
            async with httpx.AsyncClient(timeout=seconds, verify=trust(), proxy=proxy, trust_env=False) as client:
                said = (await client.head(url)).headers.get("Date", "")
            skew = abs((datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds())
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError):
            skew = 0.0  # nothing is known of its clock
        if skew <= _MAX_SKEW_SECONDS:
            return application_error(error)
        return ConnectionRejectedError(
            f"The signed token had expired when it arrived: the clock here is {skew:.0f} s away from Snowflake's.",
            code="TOKEN_EXPIRED",
            remedy="Set the clock of the machine that Rosetta runs on.",
        )


@asynccontextmanager
async def _way(endpoint: SnowflakeEndpoint, address: str) -> AsyncIterator[int | None]:
    """The port of a proxy to the checked address; None where that is this very machine, see `host_of`."""
    if endpoint.scheme != "https":
        yield None
        return
    async with pinned(endpoint.host, endpoint.port, address) as proxy_port:
        yield proxy_port


def application_error(error: RosettaError) -> ApplicationError:
    """As the API answers it."""
    if isinstance(error, ConfigurationError) or error.code in _REJECTED or not error.retryable:
        return ConnectionRejectedError.of(error)
    return DatabaseUnreachableError.of(error)


def rows(connection: SnowflakeConnection, sql: str, values: tuple[object, ...] = ()) -> list[Row]:
    """What a statement answers. Raises RosettaError, which repeats nothing of the statement."""
    from snowflake.connector.errors import Error

    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return [tuple(row) for row in cursor.fetchall()]
    except Error as error:
        raise translate_error(error, "asking Snowflake") from None


def _endpoint(address: TargetAddress) -> SnowflakeEndpoint:
    try:
        return snowflake_endpoint(address.config)
    except ConfigurationError as error:
        raise application_error(error) from None


def _work(endpoint: SnowflakeEndpoint, proxy_port: int | None, work: Callable[[SnowflakeConnection], T]) -> T:
    connection = connect(endpoint, application="rosetta-backend", patience=_PATIENCE, proxy_port=proxy_port)
    try:
        return work(connection)
    finally:
        connection.close(retry=False)


def _unreachable(error: OSError | ValueError) -> ApplicationError:
    if isinstance(error, ssl.SSLError | ValueError):
        return ConnectionRejectedError(
            "TLS could not be agreed on, or the certificate does not hold.",
            code="TLS_FAILED",
            remedy="Check snowflake_account (it is part of the host name) and any proxy that opens TLS.",
        )
    if isinstance(error, TimeoutError):
        return DatabaseUnreachableError(
            "Snowflake did not answer in time.",
            code="CONNECTION_TIMEOUT",
            remedy="Check the account's host, and any firewall between here and Snowflake.",
        )
    return DatabaseUnreachableError(
        "Nothing listens at the account's host and port.",
        code="CONNECTION_REFUSED",
        remedy="Check snowflake_account and snowflake_host.",
    )
