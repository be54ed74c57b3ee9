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
