"""The change engine that reads pgoutput itself: the contract of `compute.engine.base` over one thread."""

from __future__ import annotations

import sys
import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from compute.core.batch import ChangeBatch, TableSpec
from compute.engine.base import EnginePhase, EngineSource, EngineState
from compute.engine.malloc import limit_malloc
from compute.engine.pgoutput.assembly import Assembler
from compute.engine.pgoutput.errors import StreamError
from compute.engine.pgoutput.gatherer import Limits
from compute.engine.pgoutput.heartbeat import Heartbeat
from compute.engine.pgoutput.native import library
from compute.engine.pgoutput.native.machine import NativeMachine
from compute.engine.pgoutput.outbox import NO_BOUND, Outbox
from compute.engine.pgoutput.pace import Pace
from compute.engine.pgoutput.reader import StreamReader
from compute.engine.pgoutput.session import ReplicationSession, is_busy
from compute.engine.pgoutput.swift import Machine, PlainMachine
from compute.engine.pgoutput.wire import WireError
from compute.engine.slot import QUIET_WAL_BYTES, SlotWatch
from rosetta.enums import Profile
from rosetta.errors import OutageError, RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition

STOP_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 0.2
# A source whose every message is read at once sends every message by itself, which costs it most of its speed. While
# much comes, and a destination is busy anyway, it is let gather.
_GATHER_SECONDS: Final = 0.01
# A writer's calls are short, and behind each it asks for the interpreter anew: with Python's 5 ms, eight times a
# batch, the reader's work would be its longest wait.
_SWITCH_SECONDS: Final = 0.0005
_ROUND_READS: Final = 4
# Somebody who stops reading the slot needs a moment.
_BUSY_ATTEMPTS: Final = 5
_BUSY_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Memory:
    """What a profile may take, in bytes: see `Limits`, and `ChangeEngine.capacity_bytes`."""

    soft_bytes: int
    hard_bytes: int
    outstanding_bytes: int


_MB: Final = 1024 * 1024

# More than twice what a batch may hold: while one is written, the text of the next is made.
MEMORY: Final = {
    Profile.SMALL: Memory(2 * _MB, 4 * _MB, 9 * _MB),
    Profile.FAST: Memory(8 * _MB, 32 * _MB, 68 * _MB),
}


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an engine consists of once it was started."""

    slot: SlotWatch
    outbox: Outbox
    reader: StreamReader
    intake: StreamReader | Assembler  # what messages go to; at last to the reader
    thread: threading.Thread


class PgoutputEngine:
    """Reads one slot over a replication connection; see `ChangeEngine` for what is promised."""

    def __init__(
        self,
        source: EngineSource,
        profile: Profile = Profile.SMALL,
        *,
        batch_rows: int | None = None,
        queue_rows: int | None = None,
        accelerated: bool = True,
        in_progress: bool = False,
    ) -> None:
        """Nothing is connected yet.

        Args:
            source: where to read from.
            profile: how much memory batches may take.
            batch_rows: the most changes of one batch; None: as many as the memory holds.
            queue_rows: the most changes that may be unacknowledged, beyond those of one batch; None likewise.
            accelerated: compiled code takes the ordinary messages, where this machine has it.
            in_progress: large transactions are read before their commit, and wait on this machine's disk for it.
        """
        self._source = source
        self._profile = profile
        self._memory = MEMORY[profile]
        self._batch_rows = batch_rows or NO_BOUND
        self._queue_rows = queue_rows or NO_BOUND
        self._machine = _machine(accelerated=accelerated)
        self._in_progress = in_progress
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._parts: _Parts | None = None
        self._session: ReplicationSession | None = None
        self._start = StreamPosition(Lsn(0))
        # Why the stream ended: an error, or words that are still to be held against the slot.
        self._error: RosettaError | None = None
        self._reason: str | None = None
        self._streaming = False
        self._stopped = False

    @property
    def capacity_bytes(self) -> int:
        """See the contract."""
        return self._memory.outstanding_bytes

    def start(
        self, position: StreamPosition, tables: Mapping[TableId, TableSpec], cuts: Collection[StreamPosition] = ()
    ) -> None:
        """Looks at the slot and starts the stream; see the contract.

        Raises:
            ResyncRequiredError: the slot is lost or already beyond `position`.
            OutageError: the source cannot be reached. That another process reads the slot shows in `take`.
        """
        if self._parts is not None:
            raise RuntimeError("an engine starts once; make a new one")
        if self._profile is Profile.SMALL:
            limit_malloc()
        sys.setswitchinterval(_SWITCH_SECONDS)
        slot = SlotWatch(self._source, position)
        reference_xid = slot.check_start()
        self._start = position
        outbox = Outbox(self._memory.outstanding_bytes, position.commit_lsn, self._queue_rows)
        limits = Limits(self._memory.soft_bytes, self._memory.hard_bytes, self._batch_rows)
        reader = StreamReader(outbox, limits, position, cuts, self._tell, self._machine)
        reader.set_reference(reference_xid)
        reader.set_tables(tables)
        intake = Assembler(reader, outbox, self._tell) if self._in_progress else reader
        thread = threading.Thread(target=self._run, name="pgoutput-engine", daemon=True)
        self._parts = _Parts(slot, outbox, reader, intake, thread)
        thread.start()

    def take(self, timeout_seconds: float) -> ChangeBatch | None:
        """The next batch or None; see the contract.

        Raises:
            ResyncRequiredError: the engine failed because its slot was lost, or stood beyond the position.
            OutageError: the engine failed; the message says why.
        """
        batch = self._started().outbox.take(timeout_seconds)
        if batch is None and not self._stopped:
            self._raise_failure()
        return batch

    def acknowledge(self, sequence: int) -> None:
        """See the contract; the slot follows within a quarter of a second, or when the engine stops."""
        self._started().outbox.acknowledge(sequence)

    def set_tables(self, tables: Mapping[TableId, TableSpec]) -> None:
        """See the contract."""
        self._started().reader.set_tables(tables)

    def mark(self, content: str, lsn: Lsn) -> None:
        """See the contract; comes within half a second of the source being there."""
        self._started().reader.marks.add(content, lsn)

    def state(self) -> EngineState:
        """What is so now; STREAMING once the slot is ours and still stands where it was looked at."""
        if self._stopped:
            return EngineState(EnginePhase.STOPPED)
        failure = self._error.message if self._error is not None else self._reason
        if failure is not None:
            return EngineState(EnginePhase.FAILED, failure)
        return EngineState(EnginePhase.STREAMING if self._streaming else EnginePhase.STARTING)

    def stop(self) -> None:
        """Ends the stream within `STOP_SECONDS`; see the contract.

        Raises:
            OutageError: the thread did not end in time; only the end of the process frees the slot then.
        """
        with self._lock:
            parts, stopped, self._stopped = self._parts, self._stopped, True
        if stopped or parts is None:
            return
        self._stopping.set()
        parts.outbox.close()
        parts.thread.join(STOP_SECONDS)
        if parts.thread.is_alive():
            raise OutageError(f"the engine did not end within {STOP_SECONDS:.0f} s", code="ENGINE_HANGS")

    def _raise_failure(self) -> None:
        if self._error is None and self._reason is not None:
            self._error = self._started().slot.explain(self._reason)
        if self._error is not None:
            raise self._error

    # -- the engine's thread ----------------------------------------------------------------------

    def _run(self) -> None:
        heartbeat = Heartbeat(self._source)
        try:
            self._session = self._connect()
            if self._session is not None:
                heartbeat.start()
                self._follow(self._session)
                self._finish(self._session)
        except (WireError, StreamError) as error:
            self._reason = str(error)
        except RosettaError as error:
            self._error = error
        except BaseException as error:
            self._reason = f"unexpected {type(error).__name__}"
            raise  # the thread hook writes down where
        finally:
            heartbeat.stop()
            parts = self._started()
            parts.outbox.close()
            if isinstance(parts.intake, Assembler):
                parts.intake.close()
            if self._session is not None:
                self._session.close()

    def _connect(self) -> ReplicationSession | None:
        """The stream, begun; None when the engine was stopped before that."""
        for attempt in range(1, _BUSY_ATTEMPTS + 1):
            session = ReplicationSession(self._source)
            try:
                session.stream(self._start.commit_lsn, in_progress=self._in_progress)
                # What the slot was asked for it gives only while it is not beyond that.
                self._started().slot.check_streaming()
                self._streaming = True
                return session
            except WireError as error:
                session.close()
                if not is_busy(error) or attempt == _BUSY_ATTEMPTS:
                    raise
            except RosettaError:
                session.close()
                raise
            if self._stopping.wait(_BUSY_SECONDS):
                return None
        return None

    def _follow(self, session: ReplicationSession) -> None:
        parts = self._started()
        reader, intake, outbox, pace = parts.reader, parts.intake, parts.outbox, Pace()
        while not self._stopping.is_set():
            reader.go_on()
            came, reads = True, 0
            while reads < _ROUND_READS and (came := session.read(intake)):
                reads += 1
            _rest(session, parts)
            reader.offer()
            session.tell(outbox.acknowledged, ask=reader.marks.any_beyond(session.sent))
            if came:
                continue
            if outbox.busy and pace.is_fast(session.received_bytes):
                self._stopping.wait(_GATHER_SECONDS)
            else:
                session.wait(_IDLE_SECONDS)

    def _tell(self) -> None:
        """Done while the outbox is full: the source must go on hearing of us."""
        if self._session is not None:
            self._session.tell(self._started().outbox.acknowledged)

    def _finish(self, session: ReplicationSession) -> None:
        """Has the slot take what was acknowledged, and ends the stream in good order."""
        session.tell(self._started().outbox.acknowledged, now=True)
        session.end()

    def _started(self) -> _Parts:
        if self._parts is None:
            raise RuntimeError("the engine was not started")
        return self._parts


def _rest(session: ReplicationSession, parts: _Parts) -> None:
    """Goes on to where the source has come though nothing came of it.

    On a primary a message in its log does that for a quiet database (see `Heartbeat`); a standby has only its word.
    """
    behind = session.sent - parts.outbox.acknowledged
    rest = parts.slot.on_standby and behind > QUIET_WAL_BYTES and not parts.outbox.busy
    parts.reader.reach(session.sent, rest=rest)


def _machine(*, accelerated: bool) -> Machine:
    found = library.load() if accelerated else None
    return PlainMachine() if found is None else NativeMachine(found)
