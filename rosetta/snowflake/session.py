"""Sessions through Snowflake's connector, and the one translation of its errors into ours.

The connector is imported with the first session: it takes most of a second, and 30 MB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from rosetta.errors import DataError, OutageError, RosettaError
from rosetta.snowflake.causes import CAUSES, REFUSED, UNREACHABLE
from rosetta.snowflake.endpoint import SnowflakeEndpoint

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# SQLSTATE classes: data that the target refuses; statements that it refuses as they are.
_DATA_STATES: Final = frozenset({"22", "23"})
_STATEMENT_STATES: Final = frozenset({"0A", "42"})
# Snowflake's own numbers for values that cannot be converted or do not fit.
_DATA_NUMBERS: Final = frozenset({100038, 100040, 100069, 100078, 100080, 100132, 100145})


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one session waits, in seconds.

    Attributes:
        login: for signing in, with the connector's own repetitions.
        request: for one answer on the wire; a statement that runs longer is asked for again and again.
        statement: for one statement or file, with all of its repetitions.
    """

    login: int = 30
    request: int = 60
    statement: int = 900


def connect(
    endpoint: SnowflakeEndpoint,
    *,
    application: str,
    patience: Patience = Patience(),
    session: Mapping[str, object] = MappingProxyType({}),
    proxy_port: int | None = None,
) -> SnowflakeConnection:
    """Signs in, in autocommit, with UTC as time zone.

    `session`: further session parameters. `proxy_port`: of a proxy on this machine that everything goes through.

    Nobody but the account is asked or told anything: no probing for clouds, no telemetry.
    Raises OutageError, with a remedy where the cause is plain, when no session can be had.
    """
    import snowflake.connector

    try:
        connection: SnowflakeConnection = snowflake.connector.connect(
            **endpoint.parameters,
            application=application,
            autocommit=True,
            login_timeout=patience.login,
            socket_timeout=patience.request,
            network_timeout=patience.statement,
            platform_detection_timeout_seconds=0,
            **({} if proxy_port is None else {"proxy_host": "127.0.0.1", "proxy_port": proxy_port}),
            session_parameters={"TIMEZONE": "UTC", "CLIENT_TELEMETRY_ENABLED": False, **session},
        )
    except snowflake.connector.errors.Error as error:
        raise translate_error(error, f"connecting to {endpoint}") from None
    return connection


def translate_error(error: Exception, doing: str) -> RosettaError:
    """The error of `rosetta.errors` for one of the connector's; its text names no row value.

    What Snowflake says is never repeated: it quotes values, and pieces of statements.
    """
    said = str(error)
    number, state = getattr(error, "errno", None), str(getattr(error, "sqlstate", None) or "")
    for cause in CAUSES:
        if cause.fits(number, said):
            return cause.error(doing)
    for cause in REFUSED:
        if cause.fits(number, said):
            return cause.error(doing, DataError)
    if number in _DATA_NUMBERS or state[:2] in _DATA_STATES:
        return DataError(f"{doing}: Snowflake refuses a value", code=f"SF_{number}")
    for cause in UNREACHABLE:
        if cause.fits(None, said):
            return cause.error(doing)
    if state[:2] in _STATEMENT_STATES:
        return DataError(f"{doing}: Snowflake refuses the statement ({number})", code=f"SF_{number}")
    return OutageError(f"{doing}: Snowflake did not do it ({number or 'no answer'})", code="CONNECTION_FAILED")
