"""What copies do otherwise where their source is a standby: it writes no log, and its snapshots do not tell all.

Whatever a standby has replayed up to a position, its snapshots see: there nothing is in the log and not visible yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rosetta.dialects.postgres import literal
from rosetta.lsn import Lsn

_BOUNDS = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint,
       (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint
FROM pg_current_snapshot() AS s WHERE pg_is_in_recovery()"""
_OPEN = """
SELECT COALESCE(array_agg(xid ORDER BY xid), '{}')
FROM (SELECT unnest(%s::bigint[]) UNION ALL SELECT generate_series(%s::bigint, %s::bigint - 1)) AS candidates (xid)
WHERE pg_xact_status(xid::text::xid8) = 'in progress'"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What every later read of a standby sees at least: a snapshot's text, and a position in the log."""

    snapshot: str
    position: int


class Asked(Protocol):
    """A cursor, as far as it is needed here."""

    def execute(self, query: str, values: Sequence[Any] | None = None, /) -> None: ...
    def fetchone(self) -> tuple[Any, ...] | None: ...


class StandbyView:
    """Knows which transactions are in progress at a standby; used by one thread.

    A snapshot that is taken during recovery does not list them: they are asked for one by one, each until it is over.
    """

    def __init__(self) -> None:
        self._open: list[int] = []
        self._behind = 0  # the first transaction that was not looked at yet

    def seen(self, cursor: Asked) -> Seen | None:
        """To be asked before a read's own transaction; None on a primary.

        The read sees all that this tells, and perhaps more: that the stream brings before the read's mark.
        """
        cursor.execute(_BOUNDS)
        row = cursor.fetchone()
        if row is None:
            return None
        first, behind, position = row
        if self._behind > behind:
            self._open, self._behind = [], 0
        cursor.execute(_OPEN, (self._open, max(first, self._behind), behind))
        (found,) = cursor.fetchone() or ([],)
        self._open, self._behind = list(found), behind
        return Seen(f"{first}:{behind}:{','.join(str(xid) for xid in self._open if xid >= first)}", position)


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
