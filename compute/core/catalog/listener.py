"""LISTEN on the config database, so that a change is acted upon before the next poll."""

from __future__ import annotations

import contextlib
import json

import psycopg2
import psycopg2.extensions

from compute.core.catalog.database import ConfigDatabase
from rosetta.logs import get_logger

CHANNEL = "rosetta_config"
_log = get_logger("compute.catalog")


class ConfigListener:
    """One connection that hears notifications; used by one thread.

    A notification is a hint: losing one costs at most one poll interval, so a lost connection is logged
    and opened again at the next `ensure`.
    """

    def __init__(self, database: ConfigDatabase) -> None:
        self._url = database.url
        self._application = database.application
        self._connection: psycopg2.extensions.connection | None = None

    @property
    def waitables(self) -> tuple[int, ...]:
        """File descriptors that become readable when there is something to `drain`."""
        return () if self._connection is None else (self._connection.fileno(),)

    def ensure(self) -> None:
        """Connects when there is no connection; failing is no error, the poll itself will say what is wrong."""
        if self._connection is not None:
            return
        try:
            connection = psycopg2.connect(
                self._url, connect_timeout=5, application_name=f"{self._application} listen", keepalives_idle=5
            )
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")
            self._connection = connection
        except psycopg2.Error as error:
            _log.warning("config_listen_failed", error_class=type(error).__name__)

    def drain(self) -> set[str]:
        """The tables that were changed since the last call; empty when nothing was heard."""
        if self._connection is None:
            return set()
        try:
            self._connection.poll()
        except psycopg2.Error as error:
            _log.warning("config_listen_lost", error_class=type(error).__name__)
            self.close()
            return set()
        heard = {_table(notice.payload) for notice in self._connection.notifies}
        self._connection.notifies.clear()
        return heard

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None


def _table(payload: str) -> str:
    """The table's name; empty for a payload that someone else sent on the channel."""
    try:
        said = json.loads(payload)
    except ValueError:
        return ""
    return str(said.get("table", "")) if isinstance(said, dict) else ""
