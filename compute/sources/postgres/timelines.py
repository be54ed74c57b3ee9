"""Where the histories of a cluster part: a standby that was promoted, or a restored copy, begins a new timeline."""

from __future__ import annotations

import contextlib
from typing import Any

import psycopg2
import psycopg2.extras

from rosetta.errors import OutageError
from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint, translate_error


def branch_point(endpoint: PostgresEndpoint, timeline: int, current: int) -> Lsn | None:
    """Where the timeline `current` left `timeline`; None when it does not descend from it.

    Raises OutageError when the server's history of `current` cannot be read.
    """
    row = _answer(endpoint, f"TIMELINE_HISTORY {current:d}", f"reading the history of timeline {current}")
    history = row[1] if row else ""
    return find_branch(history if isinstance(history, str) else bytes(history).decode("utf-8", "replace"), timeline)


def current_timeline(endpoint: PostgresEndpoint) -> int:
    """The one that a server writes, or as a standby replays. Raises OutageError when it cannot be asked."""
    row = _answer(endpoint, "IDENTIFY_SYSTEM", "reading the timeline")
    if row is None:
        raise OutageError("reading the timeline: the source gave no answer")
    return int(row[1])


def _answer(endpoint: PostgresEndpoint, command: str, doing: str) -> tuple[Any, ...] | None:
    """The row that a command of the replication protocol gives."""
    try:
        connection = psycopg2.connect(
            **endpoint.parameters,
            connect_timeout=10,
            application_name="rosetta source",
            connection_factory=psycopg2.extras.LogicalReplicationConnection,
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(command)
            row: tuple[Any, ...] | None = cursor.fetchone()
    except psycopg2.Error as error:
        raise translate_error(error, doing) from None
    return row


def find_branch(history: str, timeline: int) -> Lsn | None:
    """The end of `timeline` in the text of a history file; None when it is not in it."""
    for line in history.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0] == str(timeline):
            return Lsn.parse(fields[1])
    return None
