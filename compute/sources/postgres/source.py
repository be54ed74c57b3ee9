"""The control side of a source: tables of the publication, the slot, positions, and marks in the log."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable
from typing import Any

import psycopg2
import psycopg2.extensions

from compute.sources.postgres.slots import LOG_END, SlotInfo, Survey, slots_sql, survey_sql
from compute.sources.postgres.timelines import current_timeline
from rosetta.dialects.postgres import literal
from rosetta.dialects.postgres.catalog import parse_tables, publication_tables_sql
from rosetta.errors import ConfigurationError, OutageError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint, connect, translate_error
from rosetta.types import TableSchema

# Prefix of our messages in the log; everything else with it is ours.
MESSAGE_PREFIX = "rosetta"
_STATEMENT_SECONDS = 30
_RELEASE_SECONDS = 10.0
_FAILOVER_SINCE = 170_000
_PLUGIN = "pgoutput"


class PostgresSource:
    """One session for short questions, opened when it is first needed and anew after it was lost.

    Threads: all methods may be called from any thread; they take turns. Every method raises OutageError
    when the server cannot be reached or does not answer in 30 s, and asking again later is safe.
    """

    def __init__(self, endpoint: PostgresEndpoint, publication: str) -> None:
        self.endpoint = endpoint
        self.publication = publication
        self._lock = threading.Lock()
        self._connection: psycopg2.extensions.connection | None = None

    def close(self) -> None:
        """Gives the session back; safe to call twice, and later calls open another one."""
        with self._lock:
            self._disconnect()

    def tables(self) -> dict[TableId, TableSchema]:
        """Every table of the publication, as it is now. Raises ConfigurationError when there is no such publication."""
        found = parse_tables(self._value(publication_tables_sql(self.publication), "reading the publication"))
        if not found and not self._value(_PUBLICATION_EXISTS.format(literal(self.publication)), "finding it"):
            raise ConfigurationError(
                f"the source has no publication {self.publication}",
                code="PUBLICATION_MISSING",
                remedy="Create it, or name another one in the source.",
            )
        return found

    def system_identifier(self) -> str:
        """What tells this cluster from every other one; a restored copy has the same."""
        return str(self._value("SELECT system_identifier::text FROM pg_control_system()", "identifying the cluster"))

    def current_lsn(self) -> Lsn:
        """Up to where the log is written; on a standby, up to where it is replayed."""
        return Lsn.parse(self._value(f"SELECT ({LOG_END})::text", "reading the log's position"))

    def next_xid(self) -> int:
        """A transaction id that no transaction had yet, widened to 64 bits by its epoch."""
        return int(self._value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text", "reading the transaction id"))

    def emit(self, content: str) -> Lsn:
        """Writes a mark into the log, in a transaction of its own that is committed when this returns.

        After an OutageError it may be in the log or not; writing the same again is harmless.
        """
        query = f"SELECT pg_logical_emit_message(true, {literal(MESSAGE_PREFIX)}, {literal(content)})::text"
        return Lsn.parse(self._value(query, "writing a mark"))

    def slot(self, name: str) -> SlotInfo | None:
        """The slot called `name`; None when there is none."""
        value = self._value(slots_sql([name]), f"looking at slot {name}")
        return None if value is None else SlotInfo.read(value)

    def survey(self, names: Iterable[str]) -> Survey:
        """The log and the slots of these names, in one moment."""
        value = self._value(survey_sql(names), "looking at the slots")
        if value["timeline"] is None:
            value["timeline"] = f"{current_timeline(self.endpoint):X}"
        return Survey.read(value)

    def create_slot(self, name: str, *, failover: bool = True, timeout_seconds: float = 600.0) -> Lsn:
        """Makes a slot for pgoutput; the stream begins behind the position that is returned.

        With `failover` standbys may keep a copy of it, where the server knows that (PostgreSQL 17 and newer).
        The server waits for every transaction that is open now; a standby waits until its primary has written down
        which are. Raises OutageError when that takes longer than `timeout_seconds`; no slot is left then.
        """
        connection = connect(self.endpoint, application="rosetta slot", autocommit=True)
        with contextlib.closing(connection), connection.cursor() as cursor:
            try:
                cursor.execute(f"SET statement_timeout = {int(timeout_seconds * 1000)}")
                cursor.execute("SELECT pg_is_in_recovery()")
                on_standby = cursor.fetchone() == (True,)
                may_fail_over = failover and not on_standby and connection.server_version >= _FAILOVER_SINCE
                option = ", failover => true" if may_fail_over else ""
                cursor.execute(
                    "SELECT lsn::text FROM pg_create_logical_replication_slot("
                    f"{literal(name)}, {literal(_PLUGIN)}{option})"
                )
                row = cursor.fetchone()
            except psycopg2.errors.QueryCanceled:
                if on_standby:
                    raise standby_waits() from None
                raise OutageError(
                    f"slot {name} could not be made: transactions that are open at the source did not end in time",
                    code="OPEN_TRANSACTIONS",
                    remedy="SELECT pid, xact_start FROM pg_stat_activity WHERE backend_xid IS NOT NULL "
                    "ORDER BY xact_start; and end what is oldest.",
                ) from None
            except psycopg2.Error as error:
                raise translate_error(error, f"creating slot {name}") from None
        return Lsn.parse(row[0] if row else "")

    def end_stream(self, name: str) -> None:
        """Ends a stream of ours (same user) that holds the slot; the server does it a moment later."""
        self._value(_END_WALSENDER_SQL.format(literal(name)), f"ending the stream of slot {name}")

    def drop_slot(self, name: str, *, end_walsender: bool = False) -> None:
        """Drops a slot; one that is gone already is fine.

        Args:
            end_walsender: first end a stream of ours (same user) that still holds the slot. Without it, and
                for anybody else's stream, a slot in use raises OutageError.
        """
        drop = (
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
            f"WHERE slot_name = {literal(name)} AND active_pid IS NULL"
        )
        if end_walsender:
            self.end_stream(name)
        deadline = time.monotonic() + (_RELEASE_SECONDS if end_walsender else 0.0)
        while True:
            self._value(drop, f"dropping slot {name}")
            slot = self.slot(name)
            if slot is None:
                return
            if time.monotonic() >= deadline:
                raise OutageError(f"slot {name} is in use by process {slot.active_pid}", code="SLOT_IN_USE")
            time.sleep(0.05)

    def _value(self, query: str, doing: str) -> Any:
        """The first value of the first row; None without a row."""
        with self._lock:
            try:
                connection = self._session()
                with connection.cursor() as cursor:
                    cursor.execute(query)
                    row = cursor.fetchone()
            except psycopg2.Error as error:
                if error.pgcode is None or connection.closed:
                    self._disconnect()
                raise translate_error(error, doing) from None
        return None if row is None else row[0]

    def _session(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.endpoint, application="rosetta source", autocommit=True)
            with self._connection.cursor() as cursor:
                cursor.execute(f"SET statement_timeout = '{_STATEMENT_SECONDS}s'")
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def standby_waits() -> OutageError:
    """What a slot waits for that is made on a standby."""
    return OutageError(
        "the slot waits until the primary writes down which transactions are running, as it does now and then",
        code="STANDBY_WAITS",
        remedy="On the primary: SELECT pg_log_standby_snapshot();",
    )


_PUBLICATION_EXISTS = "SELECT EXISTS (SELECT FROM pg_publication WHERE pubname = {})"

_END_WALSENDER_SQL = """
SELECT pg_terminate_backend(a.pid)
FROM pg_replication_slots s JOIN pg_stat_activity a ON a.pid = s.active_pid
WHERE s.slot_name = {} AND a.usename = current_user"""
