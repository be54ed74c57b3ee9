"""What copies do otherwise where their source is a standby: it writes no log, and its snapshots do not tell all.

Whatever a standby has replayed up to a position, its snapshots see: there nothing is in the log and not visible yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg2.extensions

from rosetta.dialects.postgres import literal
from rosetta.lsn import Lsn

# A snapshot that is taken during recovery does not list what is in progress. What is, or was a moment ago, is asked one
# by one: the later read sees all that this one does, and what it sees beyond, the stream brings before the read's mark.
_SEEN = """
SELECT format('%s:%s:%s', first, last + 1, COALESCE((
           SELECT string_agg(xid::text, ',' ORDER BY xid) FROM generate_series(first, last) AS xid
           WHERE pg_xact_status(xid::text::xid8) = 'in progress'), '')),
       (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
FROM (SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint - 1
      FROM pg_current_snapshot() AS s WHERE pg_is_in_recovery()) AS bounds (first, last)"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What every later read of a standby sees at least: a snapshot's text, and a position in the log."""

    snapshot: str
    position: int


def seen_on_standby(cursor: psycopg2.extensions.cursor) -> Seen | None:
    """To be asked before a read's own transaction; None on a primary."""
    cursor.execute(_SEEN)
    row = cursor.fetchone()
    return None if row is None else Seen(*row)


def mark_sql(prefix: str, content: str) -> str:
    """Writes a mark into the log of a primary; of a standby the row's first value is how far it has replayed."""
    message = f"pg_logical_emit_message(true, {literal(prefix)}, {literal(content)})"
    return (
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END,"
        f" CASE WHEN NOT pg_is_in_recovery() THEN {message}::text END"
    )


def replayed_of(row: tuple[Any, ...] | None) -> Lsn | None:
    """The standby's position in the answer to `mark_sql`; None on a primary."""
    return None if row is None or row[0] is None else Lsn.parse(row[0])
