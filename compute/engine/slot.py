"""What must be so of a replication slot before its stream can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg2

from compute.engine.base import EngineSource
from rosetta.dialects.postgres.text import literal
from rosetta.errors import OutageError, ResyncRequiredError, RosettaError
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import connect, translate_error

_RESYNC = "Resync the pipeline: its tables are copied again and a new slot is made."
_SLOT = """
    SELECT confirmed_flush_lsn::text, wal_status, active,
           pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text, pg_catalog.pg_is_in_recovery()
      FROM (SELECT) AS always LEFT JOIN pg_catalog.pg_replication_slots ON slot_name = %s AND slot_type = 'logical'
"""

# WAL of other databases and tables does not move our slot; beyond this much we write a message that does.
QUIET_WAL_BYTES = 16 * 1024 * 1024


def quiet_slot_query(slot: str) -> str:
    """Writes an empty message of ours when the slot holds much WAL back, as it does when no change of ours comes."""
    return (
        "SELECT pg_catalog.pg_logical_emit_message(true, 'rosetta', '') FROM pg_catalog.pg_replication_slots"
        f" WHERE slot_name = {literal(slot)} AND CASE WHEN pg_catalog.pg_is_in_recovery() THEN false ELSE"
        f" pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), confirmed_flush_lsn) > {QUIET_WAL_BYTES} END"
    )


@dataclass(frozen=True, slots=True)
class _Slot:
    flushed: Lsn
    active: bool
    next_xid: int


class SlotWatch:
    """Looks at one slot, over a connection of its own each time; used by one thread at a time."""

    def __init__(self, source: EngineSource, position: StreamPosition) -> None:
        self._endpoint = source.endpoint
        self._name = source.slot
        self._position = position
        self.on_standby = False  # as it was at the last look

    def check_start(self) -> int:
        """Returns the source's next 64-bit transaction id.

        Raises ResyncRequiredError when the slot cannot give what comes behind the position, and OutageError
        when the source cannot be asked.
        """
        slot = self._look()
        self._check_position(slot)
        return slot.next_xid

    def check_streaming(self) -> None:
        """Raises unless the slot is in use and still where it was: Debezium makes a new one for one that is gone."""
        slot = self._look()
        self._check_position(slot)
        if not slot.active:
            raise OutageError(f"slot {self._name} is not active though its stream began", code="SLOT_INACTIVE")

    def explain(self, failure: str) -> RosettaError:
        """The error that a failed stream stands for: a slot that is lost, or an outage with this reason."""
        try:
            self._look()
        except ResyncRequiredError as lost:
            return lost
        except OutageError:
            pass  # the source is away, which the failure says already
        return OutageError(f"reading slot {self._name}: {failure}", code="ENGINE_FAILED")

    def _look(self) -> _Slot:
        flushed, status, active, xid, self.on_standby = self._read()
        if flushed is None:
            raise ResyncRequiredError(f"slot {self._name} does not exist", remedy=_RESYNC, code="SLOT_MISSING")
        if status == "lost":
            raise ResyncRequiredError(
                f"slot {self._name} is lost: the source removed WAL that it needs", remedy=_RESYNC, code="SLOT_LOST"
            )
        return _Slot(Lsn.parse(flushed), bool(active), int(xid))

    def _check_position(self, slot: _Slot) -> None:
        wanted = self._position.commit_lsn
        if slot.flushed > wanted:
            raise ResyncRequiredError(
                f"slot {self._name} stands at {slot.flushed}, beyond {wanted} where the stream must go on",
                remedy=_RESYNC,
                code="SLOT_AHEAD",
            )

    def _read(self) -> tuple[Any, ...]:
        doing = f"looking at slot {self._name}"
        connection = connect(self._endpoint, application="rosetta engine", autocommit=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SLOT, (self._name,))
                row: tuple[Any, ...] | None = cursor.fetchone()
        except psycopg2.Error as error:
            raise translate_error(error, doing) from None
        finally:
            connection.close()
        if row is None:
            raise OutageError(f"{doing}: the source gave no answer")
        return row
