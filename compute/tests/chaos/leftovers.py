"""What a case leaves behind although it has ended: sessions, slots, tables."""

from __future__ import annotations

import time
from collections.abc import Sequence

from compute.tests.chaos.data import Data
from compute.tests.chaos.oracle import Verdict

_SETTLE_SECONDS = 40.0
# What stays at a target on purpose.
_KEPT = "'progress', 'tables', 'replays'"


def count(data: Data, verdict: Verdict, slots: int) -> None:
    """Counts as orphans what is there too much, once sessions had the time to end; `slots`: how many shall be left."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while (sessions_of(data) or slots_of(data) != (slots, 0)) and time.monotonic() < deadline:
        data.pause(0.1)
    sessions, (kept, active) = sessions_of(data), slots_of(data)
    verdict.count("orphans", len(sessions), f"sessions {sessions[:3]}")
    verdict.count("orphans", abs(kept - slots) + active, f"{kept} slots, {active} of them active")
    for role in data.targets:
        query = (
            "SELECT c.oid::bigint, c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND (c.relpersistence = 't'"
            f" OR n.nspname = '_rosetta' AND c.relname NOT IN ({_KEPT}))"
        )
        tables = [name for oid, name in data.rows(role, query) if (role, oid) not in data.spared]
        verdict.count("orphans", len(tables), f"tables at {role}: {tables[:3]}")


def spare(data: Data, role: str) -> None:
    """A server that was killed finds its temp tables again and drops them when it comes to it: they are not ours."""
    query = "SELECT oid::bigint FROM pg_class WHERE relkind = 'r' AND relpersistence = 't'"
    data.spared |= {(role, oid) for (oid,) in data.rows(role, query)}


def sessions_of(data: Data, roles: Sequence[str] | None = None) -> list[str]:
    """Sessions of Rosetta's in the case's databases, or those of some roles."""
    query = "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'rosetta%%'"
    asked = data.databases if roles is None else roles
    return [name for role in asked for (name,) in data.rows(role, query, data.databases[role])]


def slots_of(data: Data) -> tuple[int, int]:
    """Slots of the case's source, and how many of them are streamed."""
    query = "SELECT count(*), count(active_pid) FROM pg_replication_slots WHERE database = current_database()"
    kept, active = data.rows("source", query)[0]
    return int(kept), int(active)
