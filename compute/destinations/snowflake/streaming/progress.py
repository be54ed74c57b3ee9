"""How far everything is that a destination streams, as Snowflake keeps it; and who may stream."""

from __future__ import annotations

from typing import Final

import orjson

from compute.destinations.snowflake.streaming.channel import Channel, Clock, Piece, Pipe
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.tokens import ProgressToken
from rosetta.errors import FencedError
from rosetta.lsn import Lsn, StreamPosition

_START: Final = StreamPosition(Lsn(0))


class StreamedProgress:
    """A channel whose offset tokens are positions, each behind the epoch of who wrote it; used by one thread."""

    def __init__(self, rest: StreamingRest, pipe: Pipe, name: str, clock: Clock) -> None:
        self.told_at = float("-inf")
        self._clock = clock
        self._epoch = 0
        self._channel = Channel(rest, pipe, name, self._check, clock)

    def take(self, epoch: int) -> None:
        """Takes the channel from whoever had it, and says so to them. Raises OutageError, FencedError."""
        self._epoch = epoch
        self.check_fence()
        self._channel.open()
        self.tell(self.position or _START)

    @property
    def is_taken(self) -> bool:
        """Whether Snowflake keeps that we have the channel, so that nobody before us can send anything any more."""
        return self._channel.committed is not None and ProgressToken.parse(self._channel.committed).epoch == self._epoch

    @property
    def position(self) -> StreamPosition | None:
        """What Snowflake keeps, as of the last look; None before the first."""
        if self._channel.committed is None:
            return None
        position = ProgressToken.parse(self._channel.committed).position
        return position if position > _START else None

    def tell(self, position: StreamPosition) -> None:
        """Writes a row, whose token is the position. Raises OutageError, FencedError."""
        row = {"EPOCH": self._epoch, "POSITION": str(position.commit_lsn)}
        token = str(ProgressToken(self._epoch, position))
        self._channel.append(Piece.of(token, orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)))
        self.told_at = self._clock.now()

    def check_fence(self) -> None:
        """Raises FencedError when another one streams here by now."""
        self._channel.look()
        self._check()

    def refresh(self) -> None:
        self._channel.refresh()

    def forget_connection(self) -> None:
        self._channel.forget_connection()

    def drop(self) -> None:
        """Removes the channel and what it says. Raises OutageError."""
        self._channel.drop()

    def _check(self) -> None:
        committed = self._channel.committed
        if committed is not None and ProgressToken.parse(committed).epoch > self._epoch:
            raise FencedError("another instance streams into this destination now")
