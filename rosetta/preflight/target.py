"""Checks of a PostgreSQL server that rows are to be written to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosetta.dialects.postgres import literal, quoted
from rosetta.preflight.finding import Facts, Finding, read_facts, session_finding, version_finding

# Where Rosetta keeps its own tables at a target.
_OWN_SCHEMA = "_rosetta"


def target_facts_sql(schema: str | None) -> str:
    """One jsonb value for `check_target`. `schema`: where tables go; None: into schemas named as at the source."""
    return f"""
SELECT jsonb_build_object(
    'version', current_setting('server_version_num')::int,
    'search_path', current_setting('search_path'),
    'in_recovery', pg_is_in_recovery(),
    'read_only', current_setting('default_transaction_read_only')::bool,
    'encoding', current_setting('server_encoding'),
    'user', current_user,
    'database', current_database(),
    'may_create_schemas', has_database_privilege(current_database(), 'CREATE'),
    'may_create_temporary', has_database_privilege(current_database(), 'TEMPORARY'),
    'schema', {literal(schema)}::text,
    'schemas', (SELECT COALESCE(jsonb_object_agg(nspname, has_schema_privilege(oid, 'CREATE')
                                                          AND has_schema_privilege(oid, 'USAGE')), '{{}}')
                FROM pg_namespace WHERE nspname IN ({literal(schema)}, {literal(_OWN_SCHEMA)})))"""


def check_target(facts: Facts) -> list[Finding]:
    """All findings, good ones too."""
    known = read_facts(facts)
    schemas = [_OWN_SCHEMA] if known["schema"] is None else [_OWN_SCHEMA, known["schema"]]
    return [
        version_finding(known),
        session_finding(known),
        _writable(known),
        _encoding(known),
        _temporary(known),
        *(_schema(known, schema) for schema in schemas),
    ]


def _writable(facts: Mapping[str, Any]) -> Finding:
    title = "Writable server"
    if facts["in_recovery"] or facts["read_only"]:
        return Finding(
            "TARGET_READ_ONLY",
            "error",
            title,
            "The server is a standby." if facts["in_recovery"] else "Transactions are read-only by default.",
            remedy="Enter the host of the primary server, or turn default_transaction_read_only off for the user.",
        )
    return Finding("WRITABLE", "ok", title, "The server takes writes.")


def _encoding(facts: Mapping[str, Any]) -> Finding:
    encoding, title = facts["encoding"], "Encoding"
    if encoding == "UTF8":
        return Finding("ENCODING", "ok", title, "The database is encoded in UTF8.")
    return Finding(
        "TARGET_ENCODING",
        "warning",
        title,
        f"The database is encoded in {encoding}: rows with characters that it lacks will be refused.",
        remedy="Use a database that is encoded in UTF8.",
    )


def _temporary(facts: Mapping[str, Any]) -> Finding:
    user, database, title = facts["user"], facts["database"], "Temporary tables"
    if facts["may_create_temporary"]:
        return Finding("TEMPORARY_TABLES", "ok", title, f"The user {user} may create temporary tables.")
    return Finding(
        "TEMPORARY_RIGHT_MISSING",
        "error",
        title,
        f"The user {user} may not create temporary tables in {database}, through which rows are merged.",
        remedy="Grant the right.",
        sql=f"GRANT TEMPORARY ON DATABASE {quoted(database)} TO {quoted(user)};",
    )


def _schema(facts: Mapping[str, Any], schema: str) -> Finding:
    user, title, rights = facts["user"], "Right to create", facts["schemas"].get(schema)
    if rights or (rights is None and facts["may_create_schemas"]):
        how = "exists and takes tables" if rights else "will be created"
        return Finding("SCHEMA", "ok", title, f"The schema {schema} {how}.")
    if rights is None:
        return Finding(
            "CREATE_SCHEMA_RIGHT_MISSING",
            "error",
            title,
            f"The schema {schema} does not exist and the user {user} may not create it.",
            remedy="Create the schema for the user, or let the user create it.",
            sql=f"CREATE SCHEMA {quoted(schema)} AUTHORIZATION {quoted(user)};",
        )
    return Finding(
        "CREATE_TABLE_RIGHT_MISSING",
        "error",
        title,
        f"The user {user} may not create tables in the schema {schema}.",
        remedy="Grant the right.",
        sql=f"GRANT USAGE, CREATE ON SCHEMA {quoted(schema)} TO {quoted(user)};",
    )
