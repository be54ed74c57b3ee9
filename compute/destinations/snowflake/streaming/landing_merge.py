"""The merge of what has landed into the tables that keep current rows: now and then, or before something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest

from compute.destinations.base import Gathering, Refusal, Refusals, TableTarget, WriteBatch
from compute.destinations.snowflake.changes import Changes
from compute.destinations.snowflake.progress import Progress
from compute.destinations.snowflake.session import Session
from compute.destinations.snowflake.streaming.landed_load import LandedLoad, Landing
from compute.destinations.snowflake.streaming.landings import Landings
from compute.destinations.snowflake.streaming.stream import Stream
from compute.destinations.snowflake.streaming.tokens import RowsToken


class _MoreUnderWayError(Exception):
    """A merge is refused something while more is on its way that may build on it."""


class LandingMerge:
    """Merges once enough has been sent, or some of it is old enough; used by one thread.

    One transaction takes the landings of all tables up to one position, with that position and the fence.
    """

    def __init__(
        self,
        session: Session,
        progress: Progress,
        changes: Changes,
        landings: Landings,
        stream: Callable[[], Stream],
        limits: Gathering,
    ) -> None:
        self._session = session
        self._progress = progress
        self._changes = changes
        self._landings = landings
        self._stream = stream
        self._limits = limits
        self._targets: dict[int, TableTarget] = {}
        self._waiting: set[int] = set()
        self._rows = self._bytes = 0
        self._since: float | None = None

    def serve(self, target: TableTarget) -> None:
        """Learns of a table, of which something may have landed before."""
        if target.sync_id not in self._targets and self._landings.of(target.sync_id):
            self.sent([target])
        self._targets[target.sync_id] = target

    def sent(self, targets: Iterable[TableTarget], rows: int = 0, size_bytes: int = 0) -> None:
        """Changes of these tables are on their way."""
        for target in targets:
            self._targets[target.sync_id] = target
            self._waiting.add(target.sync_id)
        if self._waiting and self._since is None:
            self._since = self._stream().clock.now()
        self._rows, self._bytes = self._rows + rows, self._bytes + size_bytes

    def awaits(self, target: TableTarget) -> bool:
        """Whether anything of the table may wait for its merge."""
        return target.sync_id in self._waiting

    @property
    def due(self) -> bool:
        """Whether enough has been sent, or long enough ago."""
        if self._since is None:
            return False
        full = self._rows >= self._limits.rows or self._bytes >= self._limits.bytes
        return full or self._stream().clock.now() >= self._since + self._limits.seconds

    def merge(self, refused: Refusals) -> None:
        """Merges what has landed by now; where something is refused, with all that was sent, which may build on it."""

        def unless_more_comes(refusal: Refusal) -> None:
            if not self._stream().has_landed:
                raise _MoreUnderWayError
            refused(refusal)

        try:
            self._merge(unless_more_comes)
        except _MoreUnderWayError:
            self.merge_all(refused)

    def merge_all(self, refused: Refusals) -> None:
        """Merges everything that was sent, once that has landed."""
        if self._waiting:
            self.wait(refused)
            self._merge(refused)

    def wait(self, refused: Refusals) -> None:
        """Returns once everything that was sent has landed, also what needs no merge."""
        stream = self._stream()
        while not stream.has_landed:
            stream.wait("what has been sent", lambda: stream.has_landed or stream.channels.skipped)
            if skipped := dict(stream.channels.skipped):
                refused(Refusal(skipped))
                stream.channels.told(skipped)

    def _merge(self, refused: Refusals) -> None:
        stream = self._stream()
        places = (stream.durable_position(), stream.landed, self._progress.position)
        wholly = stream.has_landed
        reached = max((place for place in places if place is not None), default=None)
        if reached is not None:
            for several in zip_longest(*(self._landings.of(sync_id) for sync_id in sorted(self._waiting))):
                loads = {one.sync_id: self._load(one, str(RowsToken(reached))) for one in several if one is not None}
                self._changes.apply(dict(loads), WriteBatch(None), refused, reached)
        if wholly:
            self._waiting.clear()
        self._rows = self._bytes = 0
        self._since = stream.clock.now() if self._waiting else None

    def _load(self, one: Landing, until: str) -> LandedLoad:
        return LandedLoad(self._targets[one.sync_id], replayed=False, session=self._session, landing=one, until=until)
