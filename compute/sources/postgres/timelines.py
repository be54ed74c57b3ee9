"""Where the histories of a cluster part: a standby that was promoted, or a restored copy, begins a new timeline."""

from __future__ import annotations

import contextlib

import psycopg2
import psycopg2.extras

from rosetta.lsn import Lsn
from rosetta.postgres import PostgresEndpoint, translate_error


def branch_point(endpoint: PostgresEndpoint, timeline: int, current: int) -> Lsn | None:
    """Where the timeline `current` left `timeline`; None when it does not descend from it.

    Raises OutageError when the server's history of `current` cannot be read.
    """
    try:
        connection = psycopg2.connect(
            **endpoint.parameters,
            connect_timeout=10,
            application_name="rosetta source",
            connection_factory=psycopg2.extras.LogicalReplicationConnection,
        )
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute(f"TIMELINE_HISTORY {current:d}")
            row = cursor.fetchone()
    except psycopg2.Error as error:
        raise translate_error(error, f"reading the history of timeline {current}") from None
    history = row[1] if row else ""
    return find_branch(history if isinstance(history, str) else bytes(history).decode("utf-8", "replace"), timeline)


def find_branch(history: str, timeline: int) -> Lsn | None:
    """The end of `timeline` in the text of a history file; None when it is not in it."""
    for line in history.splitlines():
        fields = line.split()
        if len(fields) >= 2 and fields[0] == str(timeline):
            return Lsn.parse(fields[1])
    return None
