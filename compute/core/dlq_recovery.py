"""The thread that has refused changes tried again: what is due, at most a page at a time, each by its own writer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from compute.core.replay import HeldWork, ReplayTools, ReplayWork
from compute.core.work import Desk, Work
from compute.dlq.alarm import Alarm
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.parking import Parking
from compute.dlq.replays import Replays
from compute.dlq.streams import Streams
from rosetta.errors import FencedError, OutageError, RosettaError
from rosetta.logs import get_logger

_AFTER_FAILURE_SECONDS = 5.0
_FEW_RECORDS = 10_000  # so many are read anew at once, more only when they still differ a pass later
_log = get_logger("compute.dlq")


@dataclass(frozen=True, slots=True)
class ReloadWork:
    """Has the writer learn from the ledger what is parked: at the start, or because rows were closed by hand."""

    parking: Parking
    done: Callable[[bool], None]

    def run(self, desk: Desk) -> None:
        del desk
        try:
            self.parking.load()
        except FencedError:
            raise
        except RosettaError:
            self.done(False)
        else:
            self.done(True)


@dataclass(frozen=True, slots=True)
class RecoveryParts:
    """What a destination's recovery works with."""

    parking: Parking
    replays: Replays
    dispatcher: Dispatcher
    hand_over: Callable[[int, Work], None]


class DestinationRecovery:
    """One destination's part. `step` belongs to the recovery's thread.

    A pass begins every interval or when it is asked for, and goes on as long as something is due: a record that was
    tried is due again only after its delay, so a pass ends. Never more than one piece of work is with the writer.
    """

    def __init__(
        self,
        destination_id: int,
        parts: RecoveryParts,
        interval_seconds: float,
        wake: Callable[[], None],
    ) -> None:
        self.destination_id = destination_id
        self._parking, self._replays, self._dispatcher = parts.parking, parts.replays, parts.dispatcher
        self._streams = Streams(parts.replays.ledger, parts.dispatcher, destination_id)
        self._alarm = Alarm(parts.replays.ledger, destination_id)
        self._hand_over = parts.hand_over
        self._interval_seconds = interval_seconds
        self._wake = wake
        self._busy = threading.Event()
        self._stuck = False
        self._passing = False
        self._pass_at = 0.0
        self._asked = False
        self._tried: set[int] = set()  # held tables without segments, in this pass
        self._refreshed: set[int] = set()  # tables whose target was looked at anew, in this pass
        self._first = True
        self._differed = False

    @property
    def pass_at(self) -> float:
        """When there is something to do, on the monotonic clock."""
        return float("inf") if self._busy.is_set() else 0.0 if self._passing else self._pass_at

    def ask(self) -> None:
        """A pass, as soon as possible; another one, where one is under way."""
        self._asked = True
        self._pass_at = 0.0

    def step(self) -> None:
        """Begins a pass that is due, or hands the next piece of the pass to the writer."""
        try:
            work = self._next()
        except FencedError:
            raise
        except RosettaError as error:
            _log.warning("recovery_waits", destination_id=self.destination_id, code=error.code, error=error.message)
            self._end(_AFTER_FAILURE_SECONDS)
            return
        if work is None:
            self._end(self._interval_seconds)
        else:
            self._busy.set()
            self._hand_over(self.destination_id, work)

    def clear(self) -> None:
        """Takes entries of closed rows out of the streams, once; they say nothing that anybody acts on."""
        try:
            self._streams.receive()
        except FencedError:
            raise
        except RosettaError as error:
            _log.warning("streams_left", destination_id=self.destination_id, code=error.code)

    def _next(self) -> Work | None:
        if self._stuck:
            self._stuck = False
            raise OutageError("the ledger was away", code="LEDGER_AWAY")
        if not self._parking.loaded:
            return ReloadWork(self._parking, self._done)
        if not self._passing:
            self._passing, self._asked = True, False
            self._tried.clear()
            self._refreshed.clear()
            if self._begin():
                return ReloadWork(self._parking, self._done)
        tools = ReplayTools(self._parking, self._replays, self._dispatcher, self._done)
        held = self._parking.held
        if held:
            empty = held - self._replays.with_segments() - self._tried
            self._tried |= empty
            for sync_id in sorted(empty | (held & self._replays.due_held())):
                return HeldWork(sync_id, tools)
        for sync_id, row_ids in self._replays.due(held).items():
            refresh = sync_id not in self._refreshed
            self._refreshed.add(sync_id)
            return ReplayWork(sync_id, tuple(row_ids), tools, refresh)
        self._alarm.look()
        return None

    def _begin(self) -> bool:
        """Looks at streams, requests and notifications; whether the writer must learn anew what is parked."""
        try:
            self._streams.receive()
        except FencedError:
            raise
        except OutageError as error:
            if error.code != "DLQ_DISPATCH_AWAY":
                raise
            _log.warning("dispatch_away", destination_id=self.destination_id)  # the ledger says what is due, too
        self._alarm.look()
        count = self._replays.record_count()
        differs = count != self._parking.record_count
        reload = differs and (self._differed or count <= _FEW_RECORDS)
        if reload or self._first:
            self._replays.free_all()
        self._first, self._differed = False, differs and not reload
        self._replays.take_requests()
        return reload

    def _end(self, after_seconds: float) -> None:
        self._passing = False
        self._pass_at = 0.0 if self._asked else time.monotonic() + after_seconds

    def _done(self, progress: bool) -> None:
        """On the writer's thread."""
        self._stuck = not progress
        self._busy.clear()
        self._wake()


class DlqRecovery:
    """One thread for all destinations of a pipeline; one that is stuck keeps no other from being recovered.

    A FencedError ends the thread, and with it the process.
    """

    def __init__(self, interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._lock = threading.Lock()
        self._destinations: dict[int, DestinationRecovery] = {}
        self._left: list[DestinationRecovery] = []
        self._changed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="dlq recovery", daemon=True)

    @property
    def interval_seconds(self) -> float:
        return self._interval_seconds

    def put(self, destination: DestinationRecovery) -> None:
        """Takes care of a destination, in place of whoever did before."""
        with self._lock:
            self._destinations[destination.destination_id] = destination
        self.signal()

    def drop(self, destination_id: int) -> None:
        """The destination is gone; what its streams still have is taken out of them."""
        with self._lock:
            left = self._destinations.pop(destination_id, None)
            if left is not None:
                self._left.append(left)
        self.signal()

    def start(self) -> None:
        self._thread.start()

    def ask(self) -> None:
        """A person may want something: every destination begins a pass."""
        with self._lock:
            for destination in self._destinations.values():
                destination.ask()
        self.signal()

    def signal(self) -> None:
        """Something may be ready to go on."""
        self._changed.set()

    def stop(self) -> None:
        self._ended = True
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join(5.0)

    def _run(self) -> None:
        while not self._ended:
            self._changed.clear()
            with self._lock:
                destinations = list(self._destinations.values())
                left, self._left = self._left, []
            for gone in left:
                gone.clear()
            for destination in destinations:
                if not self._ended and destination.pass_at <= time.monotonic():
                    destination.step()
            now = time.monotonic()
            next_at = min((one.pass_at for one in destinations), default=float("inf"))
            if next_at > now:
                self._changed.wait(min(self._interval_seconds, next_at - now))
