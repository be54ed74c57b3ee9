"""Checks of a Snowflake account that rows are to be written to. None of them needs a warehouse that runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from rosetta.dialects.snowflake.names import OWN_SCHEMA, quoted
from rosetta.preflight.finding import Finding

# What the session really has: what was asked for and does not exist, or is not granted, is NULL.
SESSION_FACTS_SQL: Final = (
    "SELECT CURRENT_VERSION(), CURRENT_USER(), CURRENT_ROLE(), "
    "CURRENT_WAREHOUSE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
)  # A role inherits from the roles that are granted to it; more of them than this are not looked at.
MAX_ROLES: Final = 50


@dataclass(frozen=True, slots=True)
class SnowflakeSession:
    """What a session has, as `SESSION_FACTS_SQL` answers it."""

    version: str
    user: str
    role: str | None
    warehouse: str | None
    database: str | None
    schema: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the destination's config asks for; names as Snowflake has them."""

    warehouse: str | None
    database: str
    schema: str


@dataclass(frozen=True, slots=True)
class Grant:
    """One right of a role: `on` is TABLE, SCHEMA, ROLE, ...; `name` is qualified, without quotes."""

    privilege: str
    on: str
    name: str


def role_grants_sql(role: str) -> str:
    return f"SHOW GRANTS TO ROLE {quoted(role)}"


def check_snowflake(session: SnowflakeSession, wanted: Wanted, grants: Collection[Grant] | None) -> list[Finding]:
    """All findings, good ones too. `grants`: None where the role may not see its own."""
    findings = [_warehouse(session, wanted), _database(session, wanted)]
    if session.database is None:
        return findings
    findings.append(_schema(session, wanted))
    if grants is None:
        return [*findings, _unknown_rights(session)]
    if session.schema is not None:
        on_schema = ("SCHEMA", f"{session.database}.{session.schema}")
        findings += [_right(session, grants, right, *on_schema) for right in ("CREATE TABLE", "CREATE STAGE")]
    return [*findings, _own_schema(session, grants)]


def _warehouse(session: SnowflakeSession, wanted: Wanted) -> Finding:
    title = "Warehouse"
    if session.warehouse is not None:
        return Finding("WAREHOUSE", "ok", title, f"Loads run in {session.warehouse}.")
    if wanted.warehouse is None:
        return Finding(
            "WAREHOUSE_MISSING",
            "error",
            title,
            "The destination names no warehouse, and the user has no default one.",
            remedy="Give snowflake_warehouse.",
        )
    return Finding(
        "WAREHOUSE_NOT_FOUND",
        "error",
        title,
        f"The warehouse {wanted.warehouse} does not exist, or the role {session.role} may not use it.",
        remedy="Correct snowflake_warehouse, or grant the right.",
        sql=f"GRANT USAGE ON WAREHOUSE {quoted(wanted.warehouse)} TO ROLE {_role(session)};",
    )


def _database(session: SnowflakeSession, wanted: Wanted) -> Finding:
    title = "Database"
    if session.database is not None:
        return Finding("DATABASE", "ok", title, f"The database {session.database} is there.")
    return Finding(
        "DATABASE_NOT_FOUND",
        "error",
        title,
        f"The database {wanted.database} does not exist, or the role {session.role} may not use it.",
        remedy="Correct snowflake_database, or grant the right.",
        sql=f"GRANT USAGE ON DATABASE {quoted(wanted.database)} TO ROLE {_role(session)};",
    )


def _schema(session: SnowflakeSession, wanted: Wanted) -> Finding:
    title, name = "Schema", f"{quoted(wanted.database)}.{quoted(wanted.schema)}"
    if session.schema is not None:
        return Finding("SCHEMA", "ok", title, f"The schema {session.schema} is there.")
    return Finding(
        "SCHEMA_NOT_FOUND",
        "error",
        title,
        f"The schema {wanted.schema} does not exist, or the role {session.role} may not use it.",
        remedy="Create the schema, or grant the right.",
        sql=f"CREATE SCHEMA IF NOT EXISTS {name};\nGRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA {name} "
        f"TO ROLE {_role(session)};",
    )


def _right(session: SnowflakeSession, grants: Collection[Grant], right: str, on: str, name: str) -> Finding:
    title, code = f"Right to {right.lower()}", right.replace(" ", "_")
    if _has(grants, right, on, name):
        return Finding(code, "ok", title, f"The role {session.role} has {right} on {name}.")
    return Finding(
        f"{code}_RIGHT_MISSING",
        "error",
        title,
        f"The role {session.role} lacks {right} on {name}.",
        remedy="Grant the right.",
        sql=f"GRANT {right} ON {on} {_qualified(name)} TO ROLE {_role(session)};",
    )


def _own_schema(session: SnowflakeSession, grants: Collection[Grant]) -> Finding:
    """Rosetta keeps its own tables in a schema of its own, which it makes where it is missing."""
    name = f"{session.database}.{OWN_SCHEMA}"
    if any(grant.on == "SCHEMA" and grant.name == name for grant in grants):
        return _right(session, grants, "CREATE TABLE", "SCHEMA", name)
    return _right(session, grants, "CREATE SCHEMA", "DATABASE", str(session.database))


def _unknown_rights(session: SnowflakeSession) -> Finding:
    return Finding(
        "RIGHTS_UNKNOWN",
        "warning",
        "Rights",
        f"The role {session.role} may not look at its own grants, so they are not known.",
        remedy="Check that it has CREATE TABLE and CREATE STAGE on the schema, and CREATE SCHEMA on the database.",
    )


def _has(grants: Collection[Grant], right: str, on: str, name: str) -> bool:
    return any(
        grant.on == on and grant.name == name and grant.privilege in {right, "OWNERSHIP", "ALL PRIVILEGES"}
        for grant in grants
    )


def _role(session: SnowflakeSession) -> str:
    return quoted(session.role or "PUBLIC")


def _qualified(name: str) -> str:
    return ".".join(quoted(part) for part in name.split("."))


def inherited_roles(grants: Sequence[Grant]) -> list[str]:
    """Roles whose rights come with these grants."""
    return [grant.name for grant in grants if grant.on in {"ROLE", "DATABASE_ROLE"} and grant.privilege == "USAGE"]
