"""PipelineEngine: the life of one pipeline inside its process, from the first batch to the last."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Protocol

from compute.core import failpoints
from compute.core.control import Control
from compute.core.dlq_manager import DLQManager
from compute.core.fan_out import FanOut
from compute.core.process import ChildPhase, Command
from compute.core.reporter import Reporter
from compute.core.slot import SlotWatch
from compute.engine.base import ChangeEngine, EnginePhase
from rosetta.errors import RosettaError
from rosetta.logs import get_logger

_TAKE_SECONDS = 0.2
_BEAT_SECONDS = 1.0
_HEAR_SECONDS = 0.05  # asking whether something was said costs as much as half of a small batch
_log = get_logger("compute.pipeline")


class Copies(Protocol):
    """What a pipeline needs of its BackfillManager."""

    def start(self) -> None: ...
    def wake(self) -> None: ...
    def stop(self) -> None: ...


class StopRequestedError(Exception):
    """Raised where the pipeline waits for something, to make it end."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline consists of, built but not started; `begin` starts the engine at its position."""

    engine: ChangeEngine
    begin: Callable[[], None]
    fan_out: FanOut
    control: Control
    copies: Copies
    dlq: DLQManager
    reporter: Reporter
    slot_watch: SlotWatch


class PipelineEngine:
    """Runs until it is told to stop (`Command.STOP` or SIGTERM) or something ends it that it cannot mend."""

    def __init__(self, pipe: Connection, build: Callable[[Callable[[], None]], Parts], drain_seconds: float) -> None:
        """`build` gets the pipeline's pulse: what waits for long calls it, and ends when it raises."""
        self._pipe = pipe
        self._drain_seconds = drain_seconds
        self._stop_asked = False
        self._beat_at = self._heard_at = 0.0
        self._phase = ChildPhase.STARTING
        self._parts = build(self.pulse)

    def run(self) -> None:
        """Streams until the stop. Raises what ended the stream otherwise."""
        parts = self._parts
        parts.reporter.start()
        parts.begin()
        # Only now: a JVM that starts later would replace the handler with its own.
        signal.signal(signal.SIGTERM, self._on_terminate)
        parts.control.start()
        parts.slot_watch.start()
        parts.copies.start()
        parts.dlq.start()
        try:
            while not self._stop_asked:
                self.pulse()
                parts.fan_out.wait_for_room()
                batch = parts.engine.take(_TAKE_SECONDS)
                if batch is not None:
                    failpoints.hit("after_read")
                    parts.fan_out.route(batch)
        except StopRequestedError:
            _log.info("stop_while_waiting")
        self._stop()

    def pulse(self) -> None:
        """Says that we live and hears what we are told. Raises StopRequestedError once we are to stop."""
        now = time.monotonic()
        due = now - self._beat_at >= _BEAT_SECONDS
        begun = self._phase is ChildPhase.STARTING and self._parts.engine.state().phase is EnginePhase.STREAMING
        if begun:
            self._phase = ChildPhase.STREAMING
            _log.info("pipeline_streams")
        if due or begun:
            self._pipe.send(self._phase)
            self._beat_at = now
        if now - self._heard_at >= _HEAR_SECONDS:
            self._heard_at = now
            self._hear()
        if self._stop_asked:
            raise StopRequestedError

    def _hear(self) -> None:
        while self._pipe.poll():
            if self._pipe.recv() is Command.STOP:
                self._stop_asked = True
            else:
                self._parts.control.ask_reload()
                self._parts.copies.wake()
                self._parts.dlq.wake()

    def _on_terminate(self, *_: object) -> None:
        self._stop_asked = True

    def _stop(self) -> None:
        """Engine first, so that nothing more comes in; then what has been read is written, as far as time allows."""
        parts = self._parts
        self._pipe.send(ChildPhase.STOPPING)
        parts.control.stop()
        parts.copies.stop()
        parts.dlq.stop()
        try:
            parts.engine.stop()
        except RosettaError as error:  # the slot is freed by the end of this process then
            _log.warning("engine_stop_failed", code=error.code, error=error.message)
        parts.fan_out.stop(self._drain_seconds)
        parts.reporter.stop()
        parts.fan_out.spans.close()
        _log.info("pipeline_stopped")
