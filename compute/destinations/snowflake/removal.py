"""Takes from an account what a pipeline that no longer writes there has left beside its tables."""

from __future__ import annotations

import contextlib

from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.streaming.destination import PROGRESS_TABLE
from compute.destinations.snowflake.streaming.removal import remove_progress
from rosetta.dialects.snowflake import landing, tables
from rosetta.dialects.snowflake.names import own
from rosetta.snowflake import SnowflakeEndpoint

_KINDS = ("STAGING", "TOMBSTONES", "UNFILLED", "LANDING")


def remove_traces(endpoint: SnowflakeEndpoint, pipeline_id: int, destination_id: int) -> None:
    """Removes position, fence, claims, side tables and files; tables of data stay.

    A writer that is still there can commit nothing more: the row that its fence checks is gone. Raises OutageError or
    DataError; trying again is safe.
    """
    session, doing = Session(endpoint, "rosetta cleanup"), f"removing what pipeline {pipeline_id} left"
    owner = f"{pipeline_id}_{destination_id}"
    session.connect()
    with contextlib.closing(session):
        present = {str(name) for (name,) in session.rows(tables.own_names_sql(), doing)}
        if not {"PROGRESS", "TABLES"} <= present:
            return
        if PROGRESS_TABLE in present:
            remove_progress(endpoint, pipeline_id, destination_id)
        session.run(tables.remove_progress_sql(pipeline_id, destination_id), doing)
        if "LANDINGS" in present:
            session.run(landing.forget_sql((pipeline_id, destination_id)), doing)
        for name in sorted(present):
            if name.startswith(tuple(f"{kind}_{owner}_" for kind in _KINDS)):
                session.run(f"DROP TABLE IF EXISTS {own(name)}", doing)
        session.run(f"REMOVE @{own('FILES')}/{owner}/", doing)
        session.run(tables.remove_claims_sql(pipeline_id, destination_id), doing)
