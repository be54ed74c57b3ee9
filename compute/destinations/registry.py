"""From a destination's row to its writer; drivers are imported only when they are needed."""

from __future__ import annotations

from collections.abc import Mapping

from compute.destinations.base import Destination
from rosetta.endpoints import destination_endpoint
from rosetta.enums import DestinationType
from rosetta.errors import UnsupportedError


def create_destination(
    kind: DestinationType, config: Mapping[str, object], pipeline_id: int, destination_id: int
) -> Destination:
    """A destination that is not open yet, from its config with secrets opened.

    Raises ConfigurationError when a key is missing or malformed, UnsupportedError for a kind that cannot be
    written yet.
    """
    if kind is not DestinationType.POSTGRESQL:
        raise UnsupportedError(f"destinations of type {kind} cannot be written yet")
    from compute.destinations.postgres import PostgresDestination

    return PostgresDestination(destination_endpoint(config), pipeline_id, destination_id)


def remove_traces(kind: DestinationType, config: Mapping[str, object], pipeline_id: int, destination_id: int) -> None:
    """Removes what a pipeline that has left a destination keeps there beside its tables; safe to do again.

    Raises OutageError while it cannot be reached, ConfigurationError when its config makes no sense.
    """
    if kind is not DestinationType.POSTGRESQL:
        return  # nothing was ever written there, see `create_destination`
    from compute.destinations.postgres import removal

    removal.remove_traces(destination_endpoint(config), pipeline_id, destination_id)
