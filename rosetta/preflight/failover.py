"""Checks of what happens to our slots when a standby takes over (failover slots, PostgreSQL 17 and newer)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rosetta.dialects.postgres import quoted
from rosetta.preflight.finding import Finding


def failover_facts_sql(slot_prefix: str) -> str:
    """Members of the one jsonb object of all facts; `slot_prefix` is SQL text."""
    # to_jsonb, because the column is as new as the setting
    return f"""
    'unfollowed_slots', (SELECT COALESCE(jsonb_agg(s.slot_name ORDER BY s.slot_name), '[]') FROM pg_replication_slots s
        WHERE starts_with(s.slot_name::text, {slot_prefix}) AND s.slot_type = 'logical'
          AND to_jsonb(s) -> 'failover' = 'false'),
    'awaited_standbys', COALESCE(current_setting('synchronized_standby_slots', true), ''),
    'active_standbys', (SELECT COALESCE(jsonb_agg(s.slot_name), '[]') FROM pg_replication_slots s
        WHERE s.slot_type = 'physical' AND s.active)"""


def failover_findings(facts: Mapping[str, Any]) -> list[Finding]:
    """Nothing on servers that do not know failover slots."""
    return [*_unfollowed(facts["unfollowed_slots"]), *_awaited(facts)]


def _unfollowed(slots: list[str]) -> list[Finding]:
    if not slots:
        return []
    return [
        Finding(
            "SLOT_NOT_FAILOVER",
            "warning",
            "Failover slots",
            f"No standby keeps a copy of {', '.join(slots)}: after a promotion the pipeline needs a resync.",
            remedy="Pause the pipeline; then, over a replication connection (psql 'replication=database ...'):",
            sql="\n".join(f"ALTER_REPLICATION_SLOT {quoted(slot)} (FAILOVER true);" for slot in slots),
        )
    ]


def _awaited(facts: Mapping[str, Any]) -> list[Finding]:
    named = [name.strip().strip('"') for name in facts["awaited_standbys"].split(",") if name.strip()]
    absent = [name for name in named if name not in facts["active_standbys"]]
    if not absent:
        return []
    return [
        Finding(
            "STANDBY_AWAITED",
            "warning",
            "Failover slots",
            f"synchronized_standby_slots names {', '.join(absent)}, and no standby streams from there now: failover "
            "slots deliver nothing until it does.",
            remedy="Bring the standby back, take it out of synchronized_standby_slots, or have Rosetta's slots of this "
            "source made without failover (UPDATE sources SET slot_failover = false ... before the first start).",
            sql="ALTER SYSTEM RESET synchronized_standby_slots;\nSELECT pg_reload_conf();",
        )
    ]
