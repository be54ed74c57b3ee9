"""One channel: rows in order into one table, each piece with its offset token, kept until it is committed."""

from __future__ import annotations

import gzip
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from compute.destinations.snowflake.streaming.rest import StaleChannelError, StreamingRest, UncommittedRowsError
from rosetta.errors import DataError, OutageError

# A channel takes 1 MB and 10 requests a second.
_BYTES_PER_SECOND: Final = 1_000_000
_SECONDS_PER_REQUEST: Final = 0.1
# How long rows that were under way when a channel was opened again are waited for: commits take 5 to 10 s.
_COMMIT_SECONDS: Final = 60.0
_REOPENINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Pipe:
    """What a table's channels hang on: every table has a pipe of its own for streaming."""

    database: str
    schema: str
    table: str

    @property
    def path(self) -> str:
        names = (self.database, self.schema, f"{self.table}-STREAMING")
        database, schema, pipe = (quote(name, safe="") for name in names)
        return f"databases/{database}/schemas/{schema}/pipes/{pipe}"


@dataclass(frozen=True, slots=True)
class Piece:
    """NDJSON of one request, with the token that stands for its last row. Tokens sort as pieces follow each other."""

    token: str
    body: bytes = field(repr=False)
    raw_bytes: int

    @classmethod
    def of(cls, token: str, lines: bytes) -> Piece:
        return cls(token, gzip.compress(lines, 1), len(lines))


@dataclass
class Clock:
    """The present and how to let it pass, both in seconds."""

    now: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep


class Channel:
    """Appends pieces; used by one thread.

    What was accepted is kept until it is committed, and sent again when the channel has to be opened again: nothing is
    lost and nothing doubled while this object lives.

    Attributes:
        committed: the offset token up to which rows are durable, as of the last look; None: nothing yet.
        refused_rows: how many rows Snowflake took and then skipped, ever.
        refused_until: the offset token behind the newest of them.
        hides_refusals: there are some of which nobody was told.
    """

    def __init__(
        self, rest: StreamingRest, pipe: Pipe, name: str, guard: Callable[[], None], clock: Clock | None = None
    ) -> None:
        """`guard` is called whenever the channel was opened, before anything is sent; what it raises ends the call."""
        self.pipe = pipe
        self.name = name
        self.committed: str | None = None
        self.refused_rows = 0
        self.refused_until: str | None = None
        self.hides_refusals = False
        self._rest = rest
        self._guard = guard
        self._clock = clock or Clock()
        self._continuation: str | None = None
        self._under_way: deque[Piece] = deque()
        self._free_at = 0.0
        self._channel_path = f"/v2/streaming/{pipe.path}/channels/{quote(name, safe='')}"
        self._rows_path = f"/v2/streaming/data/{pipe.path}/channels/{quote(name, safe='')}/rows"

    @property
    def under_way_bytes(self) -> int:
        """What was accepted and is not committed yet, as it was sent."""
        return sum(len(piece.body) for piece in self._under_way)

    @property
    def is_open(self) -> bool:
        return self._continuation is not None

    def has_committed(self, token: str) -> bool:
        return self.committed is not None and token <= self.committed

    def open(self) -> None:
        """Takes the channel over from whoever had it, once what they sent is committed; sends what is still missing.

        Raises OutageError.
        """
        doing = f"opening the channel {self.name}"
        answer = self._opened(doing)
        self._note(answer.get("channel_status"))
        self._guard()
        self._continuation = _continuation(answer, doing)
        for piece in list(self._under_way):
            self._send(piece)

    def append(self, piece: Piece) -> None:
        """Sends rows behind those that were sent before; a piece that was taken before is not taken twice.

        When it returns they are accepted, not durable. Raises OutageError (the piece is kept, and sent again when the
        channel is opened), DataError when Snowflake refuses the request; then the piece is not kept.
        """
        if self._has(piece.token) and self._continuation is not None:
            return
        for _ in range(_REOPENINGS):
            try:
                self._deliver(piece)
                return
            except StaleChannelError:
                self._continuation = None
            except DataError:
                self._under_way = deque(kept for kept in self._under_way if kept.token != piece.token)
                raise
        raise OutageError(f"the channel {self.name} is taken again and again", code="CHANNEL_CONTENDED")

    def _deliver(self, piece: Piece) -> None:
        new = not self._has(piece.token)
        if new:
            self._under_way.append(piece)
        if self._continuation is None:
            self.open()  # which sends the piece too
        elif new:
            self._send(piece)

    def _has(self, token: str) -> bool:
        newest = self._under_way[-1].token if self._under_way else self.committed
        return newest is not None and token <= newest

    def look(self) -> None:
        """Asks how far Snowflake is. Raises OutageError."""
        answer = self._rest.call(
            "POST",
            f"/v2/streaming/{self.pipe.path}:bulk-channel-status",
            f"asking for the channel {self.name}",
            json={"channel_names": [self.name]},
        )
        statuses = answer.get("channel_statuses") or {}
        self._note(statuses.get(self.name) or statuses.get(self.name.upper()))

    def refresh(self) -> None:
        """Looks, where anything is under way; what the connection was lost with is sent again. Raises OutageError."""
        if self._under_way and self._continuation is None:
            self.open()
        elif self._under_way:
            self.look()

    def forget_connection(self) -> None:
        """The next append opens the channel again; what is under way is kept."""
        self._continuation = None

    def drop(self) -> None:
        """Removes the channel and its offset token; nothing happens when it is gone. Raises OutageError."""
        try:
            self._rest.call("DELETE", self._channel_path, f"dropping the channel {self.name}")
        except OutageError as error:
            if error.code not in {StaleChannelError.code, "STREAMING_TARGET_MISSING"}:
                raise

    def _opened(self, doing: str) -> dict[str, Any]:
        """Whoever wrote before loses the channel; rows of theirs that are under way are waited for."""
        give_up_at = self._clock.now() + _COMMIT_SECONDS
        while True:
            try:
                return self._rest.call("PUT", self._channel_path, doing, json={"fail_on_uncommitted_rows": True})
            except UncommittedRowsError:
                if self._clock.now() >= give_up_at:
                    raise
                self._clock.pause(0.5)

    def _send(self, piece: Piece) -> None:
        self._pace(piece)
        doing = f"appending to the channel {self.name}"
        query = {
            "continuationToken": self._continuation or "",
            "startOffsetToken": piece.token,
            "endOffsetToken": piece.token,
        }
        try:
            answer = self._rest.call("POST", self._rows_path, doing, body=piece.body, query=query)
            self._continuation = _continuation(answer, doing)
        except OutageError:
            self._continuation = None  # whether it was accepted is not known: opening the channel again tells
            raise

    def _pace(self, piece: Piece) -> None:
        now = self._clock.now()
        if now < self._free_at:
            self._clock.pause(self._free_at - now)
            now = self._free_at
        self._free_at = now + max(_SECONDS_PER_REQUEST, piece.raw_bytes / _BYTES_PER_SECOND)

    def _note(self, status: object) -> None:
        """Takes note of a channel's status; a row that Snowflake skipped is counted there, and nowhere else."""
        if not isinstance(status, dict):
            return
        token = status.get("last_committed_offset_token")
        self.committed = str(token) if token else self.committed
        refused_rows = int(status.get("rows_error_count") or 0)
        self.hides_refusals = self.hides_refusals or refused_rows > self.refused_rows
        self.refused_rows = refused_rows
        until = status.get("last_error_offset_upper_bound")
        self.refused_until = str(until) if until else None
        while self._under_way and self.committed is not None and self._under_way[0].token <= self.committed:
            self._under_way.popleft()


def _continuation(answer: dict[str, Any], doing: str) -> str:
    token = answer.get("next_continuation_token")
    if not token:
        raise OutageError(f"{doing}: Snowflake's answer lacks a token", code="STREAMING_ANSWER")
    return str(token)
