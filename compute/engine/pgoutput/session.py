"""A replication connection: messages come, status updates go."""

from __future__ import annotations

import os
import select
import time
from typing import Any, Final

import psycopg2
from psycopg2.extras import LogicalReplicationConnection, ReplicationMessage

from compute.engine.base import EngineSource
from rosetta.dialects.postgres import literal, quoted, startup_options
from rosetta.errors import RosettaError
from rosetta.lsn import Lsn
from rosetta.postgres import translate_error

# The source hears of us at least this often; its default patience is a minute.
_STATUS_SECONDS: Final = 2.0
_OBJECT_IN_USE: Final = "55006"


class ReplicationSession:
    """One stream of one slot. All methods but `wake` belong to one thread; each raises what `failure` describes."""

    def __init__(self, source: EngineSource) -> None:
        self._slot = source.slot
        self._flushed = Lsn(0)
        self._told_at = 0.0
        self._wake_read, self._wake_write = os.pipe()
        self._connection = psycopg2.connect(
            host=source.host,
            port=source.port,
            dbname=source.database,
            user=source.user,
            password=source.password,
            sslmode=source.sslmode,
            connect_timeout=10,
            application_name="rosetta engine",
            client_encoding="UTF8",
            options=startup_options(),
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,
            connection_factory=LogicalReplicationConnection,
        )
        self._cursor: Any = self._connection.cursor()
        self._publication = source.publication

    def stream(self, start: Lsn) -> None:
        """Begins to stream behind `start`. Raises psycopg2.Error; see `is_busy`."""
        options = {"proto_version": "1", "publication_names": quoted(self._publication), "messages": "true"}
        text = ", ".join(f"{quoted(name)} {literal(value)}" for name, value in options.items())
        command = f"START_REPLICATION SLOT {quoted(self._slot)} LOGICAL {start} ({text})"
        self._cursor.start_replication_expert(command, decode=False, status_interval=10)

    def read(self) -> ReplicationMessage | None:
        """The next message that is here already. Answers the source's questions by itself."""
        message: ReplicationMessage | None = self._cursor.read_message()
        return message

    def wait(self, timeout_seconds: float) -> None:
        """Returns when something came, after `wake`, or in time."""
        ready, _, _ = select.select([self._cursor, self._wake_read], [], [], timeout_seconds)
        if self._wake_read in ready:
            os.read(self._wake_read, 4096)

    def wake(self) -> None:
        """Ends a `wait`; may be called from any thread."""
        os.write(self._wake_write, b"w")

    def tell(self, flushed: Lsn, *, now: bool = False) -> None:
        """Says what is durable here, when that is news or it is time again."""
        moment = time.monotonic()
        if now or flushed > self._flushed or moment - self._told_at >= _STATUS_SECONDS:
            self._cursor.send_feedback(write_lsn=flushed, flush_lsn=flushed, apply_lsn=flushed, force=True)
            self._flushed = max(self._flushed, flushed)
            self._told_at = moment

    def close(self) -> None:
        self._connection.close()
        os.close(self._wake_read)
        os.close(self._wake_write)


def is_busy(error: psycopg2.Error) -> bool:
    """Whether somebody else reads the slot, as a process that is only just ending does."""
    return error.pgcode == _OBJECT_IN_USE


def failure(error: psycopg2.Error, slot: str) -> RosettaError:
    return translate_error(error, f"reading slot {slot}")
