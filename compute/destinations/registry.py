"""From a destination's row to its writer; drivers are imported only when they are needed."""

from __future__ import annotations

from collections.abc import Mapping

from compute.destinations.base import Destination
from rosetta.endpoints import destination_endpoint
from rosetta.enums import DestinationType


def create_destination(
    kind: DestinationType, config: Mapping[str, object], pipeline_id: int, destination_id: int
) -> Destination:
    """A destination that is not open yet, from its config with secrets opened.

    Raises ConfigurationError when a key is missing or malformed.
    """
    if kind is DestinationType.SNOWFLAKE:
        return _snowflake(config, pipeline_id, destination_id)
    from compute.destinations.postgres import PostgresDestination

    return PostgresDestination(destination_endpoint(config), pipeline_id, destination_id)


def remove_traces(kind: DestinationType, config: Mapping[str, object], pipeline_id: int, destination_id: int) -> None:
    """Removes what a pipeline that has left a destination keeps there beside its tables; safe to do again.

    Raises OutageError while it cannot be reached, ConfigurationError when its config makes no sense.
    """
    if kind is DestinationType.SNOWFLAKE:
        from compute.destinations.snowflake.removal import remove_traces as remove_from_account
        from rosetta.snowflake import snowflake_endpoint

        remove_from_account(snowflake_endpoint(config), pipeline_id, destination_id)
        return
    from compute.destinations.postgres import removal

    removal.remove_traces(destination_endpoint(config), pipeline_id, destination_id)


def _snowflake(config: Mapping[str, object], pipeline_id: int, destination_id: int) -> Destination:
    from compute.destinations.snowflake.destination import SnowflakeDestination
    from compute.destinations.snowflake.options import options_of
    from compute.destinations.snowflake.streaming.destination import StreamingDestination
    from rosetta.snowflake import snowflake_endpoint

    made = StreamingDestination if config.get("snowflake_streaming") is True else SnowflakeDestination
    return made(snowflake_endpoint(config), pipeline_id, destination_id, options_of(config))
