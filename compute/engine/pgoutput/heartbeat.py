"""Keeps the slot of a quiet database from holding WAL back."""

from __future__ import annotations

import threading

import psycopg2
import psycopg2.extensions

from compute.engine.base import EngineSource
from compute.engine.slot import quiet_slot_query
from rosetta.errors import RosettaError
from rosetta.logs import get_logger
from rosetta.postgres import connect, translate_error

BEAT_SECONDS = 1.0
_log = get_logger("compute.engine")


class Heartbeat:
    """Writes a message of ours into the WAL when the slot is far behind and nothing of ours comes.

    A position stands at a transaction's end; the bare word of a keepalive would be one that another engine, or
    the next start, does not find again in the stream.
    """

    def __init__(self, source: EngineSource) -> None:
        self._endpoint = source.endpoint
        self._query = quiet_slot_query(source.slot)
        self._stopped = threading.Event()
        self._session: psycopg2.extensions.connection | None = None
        self._code: str | None = None
        self._thread = threading.Thread(target=self._run, name="pgoutput-heartbeat", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends it without waiting; what it is just asking comes to nothing."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self._beat()
                self._code = None
            except RosettaError as error:  # the stream says so too when the source is away
                if error.code != self._code:
                    _log.warning("heartbeat_failed", code=error.code, error=error.message)
                self._code = error.code
        self._close()

    def _beat(self) -> None:
        if self._session is None:
            self._session = connect(self._endpoint, application="rosetta heartbeat", autocommit=True)
        try:
            with self._session.cursor() as cursor:
                cursor.execute(self._query)
        except psycopg2.Error as error:
            self._close()
            raise translate_error(error, "writing the heartbeat") from None

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
