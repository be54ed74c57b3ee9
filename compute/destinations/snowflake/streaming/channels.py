"""The channels of one stream's tables, by their table syncs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from compute.destinations.snowflake.streaming.channel import Channel, Pipe
from rosetta.errors import DataError


class TableChannels:
    """Used by one thread."""

    def __init__(self, make: Callable[[int, Pipe], Channel]) -> None:
        """`make`: one that is not open yet."""
        self._make = make
        self._channels: dict[int, Channel] = {}

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._channels.values())

    def of(self, sync_id: int, pipe: Pipe) -> Channel:
        """As it is; another one as soon as the table's rows go elsewhere."""
        channel = self._channels.get(sync_id)
        if channel is None or channel.pipe != pipe:
            channel = self._channels[sync_id] = self._make(sync_id, pipe)
        return channel

    def opened(self, sync_id: int, pipe: Pipe) -> Channel:
        """Raises OutageError, FencedError."""
        channel = self.of(sync_id, pipe)
        if not channel.is_open:
            channel.open()
        return channel

    def forget(self, sync_id: int) -> None:
        self._channels.pop(sync_id, None)

    @property
    def skipped(self) -> Mapping[int, DataError]:
        """Tables of which Snowflake took rows and skipped them, where nobody was told yet."""
        return {sync_id: rows_skipped(one) for sync_id, one in self._channels.items() if one.hides_refusals}

    def told(self, sync_ids: Iterable[int]) -> None:
        for sync_id in sync_ids:
            self._channels[sync_id].hides_refusals = False


def rows_skipped(channel: Channel) -> DataError:
    return DataError(
        f"Snowflake took rows of {channel.pipe.table} and skipped them ({channel.refused_rows} so far)",
        code="STREAMING_ROWS_SKIPPED",
        remedy="Compare the table's columns with the source's, then resynchronize the table.",
    )
