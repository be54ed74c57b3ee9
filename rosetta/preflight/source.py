"""Checks of a source server and its publication."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rosetta.dialects.postgres import quoted
from rosetta.dialects.postgres.catalog import parse_tables
from rosetta.preflight.failover import failover_findings
from rosetta.preflight.finding import Facts, Finding, read_facts, session_finding, version_finding
from rosetta.preflight.source_tables import check_tables, passed_over_findings

_STANDBY_SINCE: Final = 160_000


def check_source(facts: Facts) -> list[Finding]:
    """All findings, good ones too, the server's before the publication's before the tables'."""
    known = read_facts(facts)
    found = [
        version_finding(known),
        session_finding(known),
        _wal_level(known),
        *_recovery(known),
        _role(known),
        _slots(known),
        _senders(known),
        _wal_keep(known),
        *_slot_idle_timeout(known),
        *failover_findings(known),
        *_publication(known),
    ]
    if known["publication"] is not None:
        found += check_tables(parse_tables(known["tables"]), known["details"], known["user"])
        found += passed_over_findings(known)
    return found


def _wal_level(facts: Mapping[str, Any]) -> Finding:
    level, title = facts["wal_level"], "Logical decoding"
    if level == "logical":
        return Finding("WAL_LEVEL", "ok", title, "wal_level is logical.")
    return Finding(
        "WAL_LEVEL_NOT_LOGICAL",
        "error",
        title,
        f"wal_level is {level}, so the log does not hold what replication needs.",
        remedy="Set wal_level to logical and restart the server (on a managed service: its parameter group).",
        sql="ALTER SYSTEM SET wal_level = logical;",
    )


def _recovery(facts: Mapping[str, Any]) -> list[Finding]:
    title = "Primary or standby"
    if not facts["in_recovery"]:
        return [Finding("PRIMARY", "ok", title, "The server is not a standby.")]
    if facts["version"] < _STANDBY_SINCE:
        return [
            Finding(
                "STANDBY",
                "error",
                title,
                "The server is a standby, and its version cannot decode its log; PostgreSQL 16 and newer can.",
                remedy="Enter the host of the primary server.",
            )
        ]
    found = Finding(
        "STANDBY_READ",
        "warning",
        title,
        "The server is a standby: pipelines need the engine pgoutput there, and the first start waits until the "
        "primary writes down which transactions are running, as a busy one does every 15 seconds.",
        remedy="Choose pgoutput for the pipelines of this source. Where a start waits, on the primary: "
        "SELECT pg_log_standby_snapshot();",
    )
    return [found, *_feedback(facts, title)]


def _feedback(facts: Mapping[str, Any], title: str) -> list[Finding]:
    if facts["standby_feedback"]:
        return []
    return [
        Finding(
            "STANDBY_FEEDBACK_OFF",
            "warning",
            title,
            "hot_standby_feedback is off: when the primary removes old rows of its catalog, slots here are lost.",
            remedy="Turn it on, on this standby, and have it stream by a slot of the primary (primary_slot_name).",
            sql="ALTER SYSTEM SET hot_standby_feedback = on;\nSELECT pg_reload_conf();",
        )
    ]


def _role(facts: Mapping[str, Any]) -> Finding:
    user, title = facts["user"], "Replication right"
    if facts["may_replicate"]:
        return Finding("REPLICATION_ROLE", "ok", title, f"The user {user} may replicate.")
    return Finding(
        "REPLICATION_ROLE_MISSING",
        "error",
        title,
        f"The user {user} may not replicate.",
        remedy="Give the user the REPLICATION attribute (on Amazon RDS: GRANT rds_replication TO the user).",
        sql=f"ALTER ROLE {quoted(user)} REPLICATION;",
    )


def _slots(facts: Mapping[str, Any]) -> Finding:
    used, most, title = facts["slots"], facts["max_slots"], "Replication slots"
    if used < most or facts["own_slots"]:
        return Finding("SLOTS", "ok", title, f"{used} of {most} replication slots are taken.")
    return Finding(
        "SLOTS_EXHAUSTED",
        "error",
        title,
        f"All {most} replication slots are taken.",
        remedy="Drop slots that nobody uses, or raise max_replication_slots and restart the server.",
        sql=f"ALTER SYSTEM SET max_replication_slots = {max(10, 2 * most)};",
    )


def _senders(facts: Mapping[str, Any]) -> Finding:
    used, most, title = facts["senders"], facts["max_senders"], "WAL senders"
    if used < most or facts["own_senders"]:
        return Finding("WAL_SENDERS", "ok", title, f"{used} of {most} WAL senders are in use.")
    return Finding(
        "WAL_SENDERS_EXHAUSTED",
        "error",
        title,
        f"All {most} WAL senders are in use.",
        remedy="Raise max_wal_senders and restart the server.",
        sql=f"ALTER SYSTEM SET max_wal_senders = {max(10, 2 * most)};",
    )


def _wal_keep(facts: Mapping[str, Any]) -> Finding:
    keep, title = facts["wal_keep"], "Retained WAL"
    if keep == "-1":
        return Finding("WAL_KEEP", "ok", title, "A slot keeps all WAL it needs, as long as the disk has room.")
    return Finding(
        "WAL_KEEP_LIMITED",
        "warning",
        title,
        f"max_slot_wal_keep_size is {keep}: a pipeline that falls further behind, or is paused for longer, loses its "
        "slot and needs a resync.",
        remedy="Make max_slot_wal_keep_size larger than the WAL of the longest pause, within what the disk can hold.",
        sql="ALTER SYSTEM SET max_slot_wal_keep_size = '64GB';\nSELECT pg_reload_conf();",
    )


def _slot_idle_timeout(facts: Mapping[str, Any]) -> list[Finding]:
    timeout = facts["slot_idle_timeout"]
    if timeout in {"0", "0s", "0min"}:
        return []
    return [
        Finding(
            "SLOT_IDLE_TIMEOUT",
            "warning",
            "Idle slots",
            f"idle_replication_slot_timeout is {timeout}: a pipeline paused for longer loses its slot.",
            remedy="Turn idle_replication_slot_timeout off, or never pause for that long.",
            sql="ALTER SYSTEM SET idle_replication_slot_timeout = 0;\nSELECT pg_reload_conf();",
        )
    ]


def _publication(facts: Mapping[str, Any]) -> list[Finding]:
    publication, name, title = facts["publication"], facts["publication_name"], "Publication"
    if publication is None:
        return [
            Finding(
                "PUBLICATION_MISSING",
                "error",
                title,
                f"There is no publication {name} in the database {facts['database']}.",
                remedy="Create it for the tables that are to be replicated, or for all.",
                sql=f"CREATE PUBLICATION {quoted(name)} FOR ALL TABLES WITH (publish_via_partition_root = true);",
            )
        ]
    if not parse_tables(facts["tables"]):
        return [
            Finding(
                "PUBLICATION_EMPTY",
                "warning",
                title,
                f"The publication {name} has no table yet.",
                remedy=f"Add tables: ALTER PUBLICATION {quoted(name)} ADD TABLE ...",
            )
        ]
    options = [*_published_operations(publication, name), *_via_root(publication, name), *_generated(publication, name)]
    return options or [Finding("PUBLICATION", "ok", title, f"The publication {name} publishes every kind of change.")]


def _published_operations(publication: Mapping[str, Any], name: str) -> list[Finding]:
    missing = [what for what in ("insert", "update", "delete", "truncate") if not publication[f"pub{what}"]]
    if not missing:
        return []
    return [
        Finding(
            "PUBLICATION_INCOMPLETE",
            "error",
            "Publication",
            f"The publication {name} does not publish: {', '.join(missing)}.",
            remedy="Publish every kind of change.",
            sql=f"ALTER PUBLICATION {quoted(name)} SET (publish = 'insert, update, delete, truncate');",
        )
    ]


def _via_root(publication: Mapping[str, Any], name: str) -> list[Finding]:
    if publication["pubviaroot"]:
        return []
    return [
        Finding(
            "PUBLICATION_NOT_VIA_ROOT",
            "warning",
            "Publication",
            f"The publication {name} publishes partitions, not the partitioned tables they belong to.",
            remedy="Publish changes of partitions as changes of their partitioned table.",
            sql=f"ALTER PUBLICATION {quoted(name)} SET (publish_via_partition_root = true);",
        )
    ]


def _generated(publication: Mapping[str, Any], name: str) -> list[Finding]:
    # absent before PostgreSQL 18; 'n' is none
    if publication.get("pubgencols", "n") in {"n", False}:
        return []
    return [
        Finding(
            "PUBLICATION_GENERATED_COLUMNS",
            "warning",
            "Publication",
            f"The publication {name} publishes generated columns, which Rosetta leaves out.",
            remedy="Do not publish them.",
            sql=f"ALTER PUBLICATION {quoted(name)} SET (publish_generated_columns = none);",
        )
    ]
