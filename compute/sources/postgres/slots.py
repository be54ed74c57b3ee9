"""What a source shows of its slots and its log, read in one question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from rosetta.dialects.postgres import literal
from rosetta.lsn import Lsn


@dataclass(frozen=True, slots=True)
class Origin:
    """Which log a position lies on: two clusters never share a system identifier, a restored one branches off."""

    system_identifier: str
    timeline: int

    @classmethod
    def parse(cls, value: str) -> Self:
        """Raises ValueError for anything that `str` did not make."""
        system_identifier, _, timeline = value.partition("/")
        return cls(system_identifier, int(timeline))

    def __str__(self) -> str:
        return f"{self.system_identifier}/{self.timeline}"


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """A slot as the server shows it.

    Attributes:
        active_pid: the walsender that streams it now.
        confirmed_flush: everything before it is never delivered again.
        wal_status: `reserved`, `extended`, `unreserved` or `lost`.
        retained_bytes: WAL that the server keeps because of the slot.
        safe_bytes: WAL that may still be written before the slot can be lost; None: as much as the disk holds.
        failover: standbys keep a copy of it (PostgreSQL 17 and newer).
        invalidation: why the server gave the slot up (PostgreSQL 17 and newer say so).
    """

    name: str
    plugin: str | None
    database: str | None
    active_pid: int | None
    confirmed_flush: Lsn | None
    wal_status: str | None
    retained_bytes: int | None
    safe_bytes: int | None = None
    failover: bool = False
    invalidation: str | None = None

    @property
    def lost(self) -> bool:
        """Whether changes are missing from it for ever."""
        return self.wal_status == "lost" or self.invalidation is not None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `SLOTS_SQL`."""
        confirmed = row["confirmed_flush_lsn"]
        return cls(
            name=row["slot_name"],
            plugin=row["plugin"],
            database=row["database"],
            active_pid=row["active_pid"],
            confirmed_flush=None if confirmed is None else Lsn.parse(confirmed),
            wal_status=row["wal_status"],
            retained_bytes=row["retained_bytes"],
            safe_bytes=row["safe_wal_size"],
            failover=bool(row.get("failover")),
            invalidation=row.get("invalidation_reason"),
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """One moment of a source.

    Attributes:
        current: up to where the log is written; on a standby, up to where it is replayed.
        slots: those of the names asked for that exist.
        oldest_transaction_seconds: age of the oldest transaction that writes; None without one.
    """

    origin: Origin
    current: Lsn
    slots: Mapping[str, SlotInfo]
    oldest_transaction_seconds: float | None = None
    on_standby: bool = False

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> Self:
        """From the answer to `survey_sql`, with the timeline of a standby, which does not tell it there."""
        slots = [SlotInfo.read(row) for row in value["slots"]]
        return cls(
            origin=Origin(value["system"], int(value["timeline"], 16)),
            current=Lsn.parse(value["current"]),
            slots={slot.name: slot for slot in slots},
            oldest_transaction_seconds=value["oldest"],
            on_standby=value["on_standby"],
        )


# Up to where there is a log that can be read.
LOG_END = "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"

# to_jsonb, because every other version adds a column
SLOTS_SQL = f"""
SELECT to_jsonb(s) || jsonb_build_object('retained_bytes', pg_wal_lsn_diff({LOG_END}, s.restart_lsn)::bigint)
FROM pg_replication_slots s WHERE s.slot_name = ANY (ARRAY[{{}}]::name[])"""


def slots_sql(names: Iterable[str]) -> str:
    """One row for each of `names` that is a slot."""
    return SLOTS_SQL.format(", ".join(map(literal, names)))


def survey_sql(names: Iterable[str]) -> str:
    """One value for `Survey.read`."""
    return f"""
SELECT jsonb_build_object(
    'system', (SELECT system_identifier::text FROM pg_control_system()),
    'on_standby', pg_is_in_recovery(),
    'timeline', CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END,
    'current', ({LOG_END})::text,
    'oldest', (SELECT extract(epoch FROM now() - min(xact_start))::float8
               FROM pg_stat_activity WHERE backend_xid IS NOT NULL),
    'slots', COALESCE((SELECT jsonb_agg(slot) FROM ({slots_sql(names)}) AS found (slot)), '[]'))"""
