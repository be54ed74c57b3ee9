"""PipelineProcess: the supervisor's side of one pipeline's process, and what the two say to each other."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from compute.config.settings import Settings
from compute.core.exit_codes import ExitCode, Failure, describe
from rosetta.logs import get_logger

_log = get_logger("compute.process")

# Spawn, never fork: importing the engine starts a JVM, and forked children would share its sockets.
_spawn = multiprocessing.get_context("spawn")


class Command(StrEnum):
    """Said by the supervisor."""

    STOP = "STOP"
    RELOAD = "RELOAD"  # tables or destinations may have changed; a hint


class ChildPhase(StrEnum):
    """Said by the child with every heartbeat."""

    STARTING = "STARTING"
    STREAMING = "STREAMING"
    STOPPING = "STOPPING"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """All that a child is given; it reads the rest from the config database itself.

    `heap_scale` multiplies the engine's heap after an exit for lack of memory.
    """

    pipeline_id: int
    name: str
    epoch: int
    instance_id: str
    settings: Settings
    heap_scale: int = 1


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended; `streamed_seconds` tells a crash at start from one after a good run."""

    code: int
    failure: Failure
    streamed_seconds: float
    stopping: bool = False

    @property
    def asked_for(self) -> bool:
        """Whether it did what it was told; one that found its lease gone while it stopped did so, too."""
        return self.code == ExitCode.STOPPED or (self.stopping and self.code == ExitCode.FENCED)


class PipelineProcess:
    """One spawned process. All methods are called by the supervisor's thread; none of them blocks."""

    def __init__(self, spec: ChildSpec, entry: Callable[[ChildSpec, Connection], None]) -> None:
        self.spec = spec
        self.started_at = self.heard_at = time.monotonic()
        self.phase = ChildPhase.STARTING
        self.stopping = False
        self._stop_by: float | None = None
        self._streaming_since: float | None = None
        self._failure: Failure | None = None
        self._stuck = False
        self._pipe, self._their_pipe = _spawn.Pipe()
        self._process: SpawnProcess = _spawn.Process(
            target=entry, args=(spec, self._their_pipe), name=f"rosetta-pipeline-{spec.pipeline_id}"
        )

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def waitables(self) -> tuple[Connection | int, ...]:
        """What becomes ready when the child speaks or ends."""
        return (self._process.sentinel,) if self._pipe.closed else (self._process.sentinel, self._pipe)

    def start(self) -> None:
        self._process.start()
        self._their_pipe.close()
        self.started_at = self.heard_at = time.monotonic()

    def reload(self) -> None:
        """Tells the child that its plan may have changed."""
        self._say(Command.RELOAD)

    def stop(self, drain_seconds: float) -> None:
        """Asks the child to stop; `tick` kills it when it takes longer than `drain_seconds`."""
        if not self.stopping:
            self.stopping = True
            self._stop_by = time.monotonic() + drain_seconds
            self._say(Command.STOP)

    def tick(self, stuck_seconds: float, startup_seconds: float) -> None:
        """Reads what the child said, and kills one that is silent for too long or does not stop in time."""
        self._listen()
        now = time.monotonic()
        silence = stuck_seconds if self.phase is not ChildPhase.STARTING else max(stuck_seconds, startup_seconds)
        if self._stop_by is not None and now > self._stop_by:
            self.kill()
        elif now - self.heard_at > silence:
            self._stuck = True
            self.kill()

    def kill(self) -> None:
        """SIGKILL; the ending is seen by `ending` as soon as the kernel has done it."""
        self._process.kill()

    def ending(self) -> Ending | None:
        """How it ended, or None while it lives. The first answer frees all that the process held here."""
        code = self._process.exitcode
        if code is None:
            return None
        self._listen()
        streamed = 0.0 if self._streaming_since is None else time.monotonic() - self._streaming_since
        if self.stopping and code != ExitCode.FENCED:  # killed at the deadline or not: it is what was asked for
            code = ExitCode.STOPPED
        elif self._stuck:
            code = ExitCode.STUCK
        elif code == ExitCode.STOPPED:  # a return nobody asked for is a failure
            code = ExitCode.INTERNAL
        failure = self._failure or describe(code)
        self._pipe.close()
        self._process.close()
        return Ending(code, failure, streamed, self.stopping)

    def _say(self, command: Command) -> None:
        # A child that is ending hears nothing any more; `ending` will say how it went.
        with contextlib.suppress(OSError):
            self._pipe.send(command)

    def _listen(self) -> None:
        try:
            while not self._pipe.closed and self._pipe.poll():
                said = self._pipe.recv()
                self.heard_at = time.monotonic()
                if isinstance(said, Failure):
                    self._failure = said
                elif isinstance(said, ChildPhase):
                    self._enter(said)
        except (EOFError, OSError):
            self._pipe.close()

    def _enter(self, phase: ChildPhase) -> None:
        if phase is ChildPhase.STREAMING and self._streaming_since is None:
            self._streaming_since = time.monotonic()
            _log.info("pipeline_process_streams", pipeline_id=self.spec.pipeline_id)
        self.phase = phase
