"""What a pipeline that has left a destination keeps there of its streaming."""

from __future__ import annotations

from compute.destinations.snowflake.streaming.destination import channel_name, progress_pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.stream import Stream
from rosetta.snowflake import SnowflakeEndpoint


def remove_progress(endpoint: SnowflakeEndpoint, pipeline_id: int, destination_id: int) -> None:
    """Forgets how far a pipeline streamed; safe to do again. Raises OutageError while Snowflake cannot be reached.

    Channels of tables are left: they say nothing of another pipeline, and Snowflake drops what lies idle for 30 days.
    """
    rest = StreamingRest(endpoint)
    try:
        Stream(rest, progress_pipe(endpoint), channel_name(pipeline_id, destination_id)).remove()
    finally:
        rest.close()
