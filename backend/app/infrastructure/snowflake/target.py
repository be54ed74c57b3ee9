"""`TargetDatabase` over Snowflake's connector; nothing here needs a warehouse to run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from app.core.exceptions import ConnectionRejectedError
from app.domain.ports import TargetAddress, TargetColumn, TargetInfo, TargetTable
from app.infrastructure.snowflake.session import SnowflakeSessions, rows
from rosetta.dialects.snowflake.names import quoted
from rosetta.errors import DataError, OutageError
from rosetta.identifiers import TableId
from rosetta.preflight import Finding
from rosetta.preflight.snowflake import (
    MAX_ROLES,
    SESSION_FACTS_SQL,
    Grant,
    SnowflakeSession,
    Wanted,
    check_snowflake,
    inherited_roles,
    role_grants_sql,
)

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class SnowflakeTarget:
    def __init__(self, sessions: SnowflakeSessions) -> None:
        self._sessions = sessions

    async def server(self, address: TargetAddress) -> TargetInfo:
        """Raises ConnectionRejectedError also for a warehouse, database or schema that the role does not have."""
        session = await self._sessions.run(address, _session)
        for finding in check_snowflake(session, _wanted(address.config), None):
            if finding.severity == "error":
                raise ConnectionRejectedError(finding.detail, code=finding.code, remedy=finding.sql or finding.remedy)
        return TargetInfo(
            product="Snowflake",
            version=session.version,
            database=str(session.database),
            user=session.user,
            tls=True,
            schema=session.schema,
            role=session.role,
            warehouse=session.warehouse,
        )

    async def preflight(self, address: TargetAddress) -> list[Finding]:
        session, grants = await self._sessions.run(address, _session_and_grants)
        return check_snowflake(session, _wanted(address.config), grants)

    async def tables(self, address: TargetAddress) -> list[TargetTable]:
        """Of the destination's schema; Snowflake lists at most 10,000 columns."""
        wanted = _wanted(address.config)
        sql = f"SHOW COLUMNS IN SCHEMA {quoted(wanted.database)}.{quoted(wanted.schema)}"
        found = await self._sessions.run(address, lambda connection: rows(connection, sql))
        listed = [((row[1], row[0]), _column(row)) for row in found]  # table_name, schema_name, column_name, data_type
        return [
            TargetTable(TableId(*place), tuple(column for _, column in group))
            for place, group in groupby(listed, key=lambda one: one[0])
        ]


def _session(connection: SnowflakeConnection) -> SnowflakeSession:
    return SnowflakeSession(*rows(connection, SESSION_FACTS_SQL)[0])


def _session_and_grants(connection: SnowflakeConnection) -> tuple[SnowflakeSession, list[Grant] | None]:
    session = _session(connection)
    return session, None if session.role is None else _grants(connection, session.role)


def _grants(connection: SnowflakeConnection, role: str) -> list[Grant] | None:
    """All rights of a role and of those granted to it; None when it may not look."""
    found: list[Grant] = []
    seen, waiting = {role}, [role]
    while waiting and len(seen) <= MAX_ROLES:
        try:
            listed = rows(connection, role_grants_sql(waiting.pop()))
        except (DataError, OutageError):
            if not found:
                return None
            continue  # of an inherited role that may not be looked at
        grants = [Grant(str(row[1]), str(row[2]), str(row[3]).replace('"', "")) for row in listed]
        found += grants
        fresh = [name for name in inherited_roles(grants) if name not in seen]
        seen.update(fresh)
        waiting += fresh
    return found


def _wanted(config: Mapping[str, Any]) -> Wanted:
    return Wanted(config.get("snowflake_warehouse"), config["snowflake_database"], config["snowflake_schema"])


def _column(row: tuple[Any, ...]) -> TargetColumn:
    kind = json.loads(row[3])
    limits = [str(kind[part]) for part in ("precision", "scale") if kind.get(part) is not None]
    limits = limits or ([str(kind["length"])] if kind.get("length") is not None else [])
    name = _NAMES.get(kind["type"], kind["type"])
    return TargetColumn(
        str(row[2]), f"{name}({','.join(limits)})" if limits else name, bool(kind.get("nullable", True))
    )


# As people write the types that SHOW COLUMNS calls by their storage.
_NAMES = {"FIXED": "NUMBER", "REAL": "FLOAT", "TEXT": "VARCHAR"}
