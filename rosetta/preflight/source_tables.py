"""Checks of the tables that a publication holds, and of those it cannot hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rosetta.dialects.postgres import qualified, quoted
from rosetta.enums import ReplicaIdentity
from rosetta.identifiers import TableId
from rosetta.preflight.finding import Finding
from rosetta.types import TableSchema


def check_tables(
    tables: Mapping[TableId, TableSchema], details: Iterable[Mapping[str, Any]], user: str
) -> list[Finding]:
    """Per table one finding that it is fine, or all that stands against it."""
    found = []
    for detail in sorted(details, key=lambda detail: (detail["schema"], detail["name"])):
        schema = tables[TableId(detail["schema"], detail["name"])]
        problems = [
            *_identity(schema),
            *_collations(schema),
            *_partitions(schema, detail["other_partitions"]),
            *_rights(schema.table, detail, user),
            *_row_filter(schema.table, detail["row_filter"]),
        ]
        found += problems or [_fine(schema)]
    return found


def passed_over_findings(facts: Mapping[str, Any]) -> list[Finding]:
    """Tables that a publication of all tables leaves out, since they write no log."""
    if not facts["publication"]["puballtables"]:
        return []
    return [_passed_over(TableId(table["schema"], table["name"]), table["kind"]) for table in facts["passed_over"]]


def _passed_over(table: TableId, kind: str) -> Finding:
    unlogged = kind == "unlogged"
    return Finding(
        "TABLE_NOT_LOGGED",
        "warning",
        "Not replicated",
        f"{table} is {'an unlogged' if unlogged else 'a foreign'} table: its changes are in no log.",
        remedy="Make it an ordinary table, or accept that it is not replicated." if unlogged else None,
        sql=f"ALTER TABLE {qualified(table)} SET LOGGED;" if unlogged else None,
        table=table,
    )


def _fine(schema: TableSchema) -> Finding:
    by = f"rows are identified by {', '.join(schema.key)}"
    return Finding("TABLE", "ok", "Table", f"{schema.table}: {by}.", table=schema.table)


def _identity(schema: TableSchema) -> list[Finding]:
    if schema.key:
        return []
    table, title = schema.table, "Row identity"
    full = f"ALTER TABLE {qualified(table)} REPLICA IDENTITY FULL;"
    if schema.replica_identity is ReplicaIdentity.FULL:
        return [
            Finding(
                "TABLE_WITHOUT_KEY",
                "warning",
                title,
                f"{table} has no primary key; rows are told apart by all of their values (at least once, and slower).",
                remedy="Add a primary key.",
                table=table,
            )
        ]
    if schema.replica_identity is ReplicaIdentity.NOTHING:
        return [
            Finding(
                "REPLICA_IDENTITY_NOTHING",
                "error",
                title,
                f"{table} has REPLICA IDENTITY NOTHING: updates and deletes do not say which row they are about.",
                remedy="Identify rows by the primary key, or by all values where there is none.",
                sql=f"ALTER TABLE {qualified(table)} REPLICA IDENTITY DEFAULT;" if schema.primary_key else full,
                table=table,
            )
        ]
    return [
        Finding(
            "REPLICA_IDENTITY_MISSING",
            "error",
            title,
            f"{table} has no usable primary key and no other replica identity: updates and deletes would fail at the "
            "source or not say which row they are about.",
            remedy="Add a primary key (not deferrable, all of its columns published), or identify rows by all values.",
            sql=full,
            table=table,
        )
    ]


def _collations(schema: TableSchema) -> list[Finding]:
    """Keys of which nobody but the source can tell whether they are equal."""
    names = [name for name in schema.key if schema.column(name).nondeterministic]
    if not names:
        return []
    return [
        Finding(
            "KEY_NONDETERMINISTIC",
            "warning",
            "Row identity",
            f"By the collation of {', '.join(names)} different keys of {schema.table} may be equal: while a change "
            "of one of its rows is parked, all later changes of the table wait behind it.",
            remedy="Give the key a deterministic collation, or accept that.",
            table=schema.table,
        )
    ]


def _partitions(schema: TableSchema, others: Iterable[tuple[str, str]]) -> list[Finding]:
    """A change is logged as its partition says, whatever the partitioned table says."""
    leaves = [TableId(*other) for other in others]
    if not leaves:
        return []
    wanted = {ReplicaIdentity.FULL: "FULL", ReplicaIdentity.DEFAULT: "DEFAULT"}.get(schema.replica_identity)
    statements = [f"ALTER TABLE {qualified(leaf)} REPLICA IDENTITY {wanted};" for leaf in leaves if wanted]
    return [
        Finding(
            "PARTITION_IDENTITY_DIFFERS",
            "error",
            "Row identity",
            f"{len(leaves)} partitions of {schema.table} have another replica identity than it has.",
            remedy="Give every partition the replica identity of its partitioned table.",
            sql="\n".join(statements) or None,
            table=schema.table,
        )
    ]


def _rights(table: TableId, detail: Mapping[str, Any], user: str) -> list[Finding]:
    found = []
    grants = [
        *([] if detail["usage"] else [f"GRANT USAGE ON SCHEMA {quoted(table.schema)} TO {quoted(user)};"]),
        *([] if detail["select"] else [f"GRANT SELECT ON {qualified(table)} TO {quoted(user)};"]),
    ]
    if grants:
        found.append(
            Finding(
                "SELECT_RIGHT_MISSING",
                "error",
                "Right to read",
                f"The user {user} may not read {table}, so its rows cannot be copied.",
                remedy="Grant the right.",
                sql="\n".join(grants),
                table=table,
            )
        )
    if detail["row_security"]:
        found.append(
            Finding(
                "ROW_SECURITY_ACTIVE",
                "error",
                "Right to read",
                f"Row security hides rows of {table} from the user {user}, so a copy would not be whole.",
                remedy="Let the user see all rows.",
                sql=f"ALTER ROLE {quoted(user)} BYPASSRLS;",
                table=table,
            )
        )
    return found


def _row_filter(table: TableId, row_filter: str | None) -> list[Finding]:
    if row_filter is None:
        return []
    return [
        Finding(
            "PUBLICATION_ROW_FILTER",
            "error",
            "Publication",
            f"The publication holds only some rows of {table} (WHERE ...); a copy would hold all of them.",
            remedy="Publish the whole table, and give the filter to its table sync.",
            table=table,
        )
    ]
