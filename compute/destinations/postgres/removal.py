"""Takes from a target what a pipeline that no longer writes there has left beside its tables."""

from __future__ import annotations

import contextlib

import psycopg2

from rosetta.dialects.postgres import ddl, removal
from rosetta.postgres import PostgresEndpoint, connect, translate_error


def writer_application(pipeline_id: int, destination_id: int) -> str:
    """What a writer's session is called."""
    return f"rosetta writer {pipeline_id}/{destination_id}"


def remove_traces(endpoint: PostgresEndpoint, pipeline_id: int, destination_id: int) -> None:
    """Ends a writer that is still there, then removes position, fence, claims and side tables; tables of data stay.

    Raises OutageError or DataError; trying again is safe.
    """
    connection = connect(endpoint, application="rosetta cleanup", autocommit=True)
    with contextlib.closing(connection), connection.cursor() as cursor:
        try:
            cursor.execute(removal.own_tables_exist_sql())
            row = cursor.fetchone()
            if row is None or not row[0]:
                return
            cursor.execute(ddl.end_former_writers_sql(writer_application(pipeline_id, destination_id)))
            cursor.execute(removal.remove_traces_sql(pipeline_id, destination_id))
        except psycopg2.Error as error:
            raise translate_error(error, f"removing what pipeline {pipeline_id} left") from None
