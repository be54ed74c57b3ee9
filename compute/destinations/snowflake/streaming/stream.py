"""Everything that one destination streams: a channel per table, and one that says how far all of them are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from typing import Final

from compute.destinations.snowflake.streaming.channel import Channel, Clock, Piece, Pipe
from compute.destinations.snowflake.streaming.channels import TableChannels, rows_skipped
from compute.destinations.snowflake.streaming.progress import StreamedProgress
from compute.destinations.snowflake.streaming.rest import StreamingRest
from compute.destinations.snowflake.streaming.rows import requests_of
from compute.destinations.snowflake.streaming.tokens import RowsToken
from rosetta.errors import DataError, OutageError
from rosetta.lsn import StreamPosition

# What may be under way at once; a writer that is further ahead waits for Snowflake to commit.
_MAX_UNDER_WAY_BYTES: Final = 64 << 20
_COMMIT_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 1.0
# Progress is a row, too: where no rows stand before it, it is written this rarely.
PROGRESS_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Part:
    """What a batch has for one table sync, as lines of NDJSON."""

    sync_id: int
    pipe: Pipe
    lines: Iterable[bytes]


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A batch on its way: durable once every channel has committed its token. One without parts is in no hurry."""

    end: StreamPosition
    awaited: tuple[tuple[Channel, str], ...]
    urgent: bool

    @property
    def committed(self) -> bool:
        """Whether all is there; what Snowflake took and skipped is not, until somebody was told."""
        return all(channel.has_committed(token) and not channel.hides_refusals for channel, token in self.awaited)


@dataclass(frozen=True, slots=True)
class Written:
    """Lines that were sent, and the tables that take none until they are copied anew."""

    rows: int
    refused: Mapping[int, DataError]


class Stream:
    """Rows into landing tables, at least once, in order per table, each with its change id; used by one thread.

    Rows are *accepted* when `write` returns. They are durable up to `durable_position`, which Snowflake itself keeps:
    the offset token of the progress channel, written only behind rows that are committed. What is accepted and not
    committed is kept here through `close` and `open`, and sent again. After a crash a batch comes again from there;
    where its rows were committed already it is passed over, unless the batches are cut otherwise this time: then some
    rows are there twice, under the same change id.

    Fencing: whoever opens the progress channel takes it from the one before, whose next token is then refused; a
    smaller epoch than the one in the token gives up for good (FencedError).
    """

    def __init__(self, rest: StreamingRest, progress: Pipe, name: str, clock: Clock | None = None) -> None:
        """`name` tells this pipeline's channels from those of others."""
        self._rest = rest
        self._name = name
        self.clock = clock or Clock()
        self._progress = StreamedProgress(rest, progress, name, self.clock)
        self.channels = TableChannels(self._made)
        self._accepted: deque[_Accepted] = deque()
        self._reached: StreamPosition | None = None
        self._urgent = False
        self._landed: StreamPosition | None = None
        self._looked_at = float("-inf")

    @property
    def has_landed(self) -> bool:
        """Whether everything that was sent is committed, as of the last look."""
        return all(batch.committed for batch in self._accepted)

    @property
    def landed(self) -> StreamPosition | None:
        """Up to where everything that was sent is; None: nothing was, or is."""
        ends = [batch.end for batch in takewhile(lambda batch: batch.committed, self._accepted)]
        return ends[-1] if ends else self._landed

    # -- the contract's steps ---------------------------------------------------------------------

    def open(self, epoch: int) -> None:
        """Signs in and takes the fence. Raises OutageError, FencedError."""
        self._progress.take(epoch)

    def close(self) -> None:
        """Gives the connection back; what is under way is kept. Safe to call twice."""
        self._progress.forget_connection()
        for channel in self._in_use():
            channel.forget_connection()
        self._rest.close()

    def write(self, end: StreamPosition, parts: Sequence[Part]) -> Written:
        """Sends a batch, or what of it was not committed before.

        Raises OutageError (then the same batch is written again), FencedError, and DataError when a request is refused.
        """
        rows, awaited, token = 0, [], str(RowsToken(end))
        refused: dict[int, DataError] = {}
        for sync_id, group in _by_sync(parts).items():
            channel = self.channels.opened(sync_id, group[0].pipe)
            if channel.refused_until is not None:
                refused[sync_id] = rows_skipped(channel)
                continue
            if channel.has_committed(token):
                continue
            for piece, lines in _pieces(end, requests_of(line for part in group for line in part.lines)):
                self.wait("what it accepted", partial(self._has_room, len(piece.body)))
                channel.append(piece)
                rows += lines
            awaited.append((channel, token))
        if not self._accepted or self._accepted[-1].end < end:
            self._accepted.append(_Accepted(end, tuple(awaited), urgent=bool(parts)))
        return Written(rows, refused)

    def check(self) -> None:
        """Raises DataError when rows were skipped, and nobody was told yet."""
        for channel in self._in_use():
            if channel.hides_refusals:
                raise rows_skipped(channel)

    def durable_position(self) -> StreamPosition | None:
        """Up to where everything is committed. None before the first batch. Raises as `settle` does."""
        self.settle()
        return self._progress.position

    def settle(self) -> None:
        """Looks, at most once a second, what is committed by now, and writes progress behind it.

        Raises OutageError, FencedError.
        """
        now = self.clock.now()
        if now < self._looked_at + _LOOK_SECONDS:
            return
        self._looked_at = now
        for channel in self._in_use():
            channel.refresh()
        while self._accepted and self._accepted[0].committed:
            batch = self._accepted.popleft()
            self._reached, self._urgent = batch.end, self._urgent or batch.urgent
            self._landed = batch.end
        if self._reached is not None and (self._urgent or now >= self._progress.told_at + PROGRESS_SECONDS):
            self._progress.tell(self._reached)
            self._reached, self._urgent = None, False
        self._progress.refresh()

    def wait(self, what: str, done: Callable[[], object]) -> None:
        """Returns once `done` says so; `what` Snowflake commits until then. Raises as `settle` does."""
        give_up_at = self.clock.now() + _COMMIT_SECONDS
        while not done():
            if self.clock.now() >= give_up_at:
                raise OutageError(f"Snowflake does not commit {what}", code="STREAMING_BEHIND")
            self.clock.pause(_LOOK_SECONDS)
            self.settle()

    def undo_beyond(self, sync_id: int, pipe: Pipe, position: StreamPosition | None) -> bool:
        """Forgets that a table's rows behind `position` were committed: they come again. Whether there may be any.

        Nobody who streamed here before can add to them when this returns. Raises OutageError, FencedError.
        """
        self.wait("that another instance streams now", lambda: self._progress.is_taken)
        channel = self._made(sync_id, pipe)
        channel.open()
        if channel.committed is None or (position is not None and channel.committed <= str(RowsToken(position))):
            return False
        channel.drop()
        return True

    def begin_anew(self, sync_id: int, pipe: Pipe) -> None:
        """A table is copied from the start, so that rows of it which Snowflake skipped mean nothing any more.

        Raises OutageError.
        """
        channel = self.channels.of(sync_id, pipe)
        channel.look()
        if channel.refused_until is None:
            return
        channel.drop()
        self.channels.forget(sync_id)
        self._accepted = deque(
            replace(batch, awaited=tuple(one for one in batch.awaited if one[0] is not channel))
            for batch in self._accepted
        )

    def remove(self) -> None:
        """Removes the channel of progress, so that nothing is left of how far this was. Raises OutageError."""
        self._progress.drop()

    # -- how --------------------------------------------------------------------------------------

    def _in_use(self) -> Iterable[Channel]:
        """Also those of tables that go elsewhere by now, while something of theirs is awaited."""
        awaited = (channel for batch in self._accepted for channel, _ in batch.awaited)
        return dict.fromkeys((*self.channels, *awaited))

    def _made(self, sync_id: int, pipe: Pipe) -> Channel:
        return Channel(self._rest, pipe, f"{self._name}_{sync_id}", self._progress.check_fence, self.clock)

    def _has_room(self, size_bytes: int) -> bool:
        return sum(channel.under_way_bytes for channel in self._in_use()) + size_bytes <= _MAX_UNDER_WAY_BYTES


def _by_sync(parts: Sequence[Part]) -> dict[int, list[Part]]:
    grouped: dict[int, list[Part]] = {}
    for part in parts:
        grouped.setdefault(part.sync_id, []).append(part)
    return grouped


def _pieces(end: StreamPosition, bodies: Iterable[bytes]) -> Iterator[tuple[Piece, int]]:
    """One piece per request, the last of them with the token of the whole batch; and its lines."""
    number, before = 0, None
    for body in bodies:
        if before is not None:
            yield Piece.of(str(RowsToken(end, number)), before), before.count(b"\n")
            number += 1
        before = body
    if before is not None:
        yield Piece.of(str(RowsToken(end)), before), before.count(b"\n")
