"""What a case leaves behind although it has ended: sessions, slots, tables."""

from __future__ import annotations

import time

from compute.tests.chaos.data import Data
from compute.tests.chaos.oracle import Verdict

_SETTLE_SECONDS = 15.0
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
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            # What a killed server had in temp schemas, it drops when it comes to it.
            " WHERE c.relkind = 'r' AND (c.relpersistence = 't' AND pg_postmaster_start_time() < %s"
            " OR n.nspname = '_rosetta'"
            f" AND c.relname NOT IN ({_KEPT}))"
        )
        tables = [name for (name,) in data.rows(role, query, data.began_at)]
        verdict.count("orphans", len(tables), f"tables at {role}: {tables[:3]}")


def sessions_of(data: Data) -> list[str]:
    """Sessions of Rosetta's in the case's databases."""
    query = "SELECT application_name FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'rosetta%%'"
    return [name for role, database in data.databases.items() for (name,) in data.rows(role, query, database)]


def slots_of(data: Data) -> tuple[int, int]:
    """Slots of the case's source, and how many of them are streamed."""
    query = "SELECT count(*), count(active_pid) FROM pg_replication_slots WHERE database = current_database()"
    kept, active = data.rows("source", query)[0]
    return int(kept), int(active)
