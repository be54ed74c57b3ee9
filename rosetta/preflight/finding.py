"""One statement of a preflight, for a person to read and a program to tell apart by its code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from rosetta.identifiers import TableId

Level: TypeAlias = Literal["ok", "warning", "error"]

# As a driver hands a jsonb value over: decoded, or as text.
Facts: TypeAlias = Mapping[str, Any] | str


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        code: stable, for programs.
        severity: `error`: replication cannot work or would be wrong; `warning`: it works, but know this.
        title: the check in a few words, the same whatever it found.
        detail: what was found.
        remedy: what to do; None where there is nothing to do.
        sql: statements that mend it, ready to be run by someone who may.
        table: the table it is about, if it is about one.
    """

    code: str
    severity: Level
    title: str
    detail: str
    remedy: str | None = None
    sql: str | None = None
    table: TableId | None = None


def read_facts(facts: Facts) -> Mapping[str, Any]:
    """The facts as a mapping."""
    if isinstance(facts, str):
        decoded: Mapping[str, Any] = json.loads(facts)
        return decoded
    return facts


def session_finding(facts: Mapping[str, Any]) -> Finding:
    """Whether the session has the settings it asked for: a pooler between here and the server drops them.

    A direct session always has them, since the server itself reads them while it starts.
    """
    title = "Direct connection"
    if facts["search_path"] == "pg_catalog":
        return Finding("DIRECT_CONNECTION", "ok", title, "Sessions keep the settings they ask for.")
    return Finding(
        "POOLER_DETECTED",
        "error",
        title,
        "The settings of the session did not reach the server: a connection pooler seems to stand between. "
        "Replication does not pass through a pooler, and values would not print exactly.",
        remedy="Enter the host and port of the PostgreSQL server itself, not those of its pooler.",
    )


def version_finding(facts: Mapping[str, Any]) -> Finding:
    """Whether the server is one that Rosetta works with (snapshots as text came with PostgreSQL 13)."""
    version, title = int(facts["version"]), "Server version"
    if version >= 130_000:
        return Finding("SERVER_VERSION", "ok", title, f"PostgreSQL {version // 10_000}.")
    return Finding(
        "SERVER_TOO_OLD",
        "error",
        title,
        f"PostgreSQL {version // 10_000} is too old.",
        remedy="Upgrade the server to PostgreSQL 13 or newer.",
    )
