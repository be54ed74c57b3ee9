"""Starts the stack's processes, keeps them running, and stops all of them in order."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rosetta.backoff import Backoff
from rosetta.errors import OutageError
from rosetta.local.account import Account
from rosetta.local.process import CURRENT_ACCOUNT, STOP_SIGNALS, spawn, stop

RESTARTS = Backoff(1.0, 30.0)
STABLE_SECONDS = 60.0
TAIL_LINES = 6

Report = Callable[[str], None]


@dataclass(frozen=True)
class Service:
    """What to run and how to tell that it works."""

    name: str
    command: Callable[[], Sequence[str | Path]]
    answers: Callable[[], bool]
    log: Path
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    account: Account = CURRENT_ACCOUNT
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0


class _Running:
    """One service's process and its history of failures."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.failures = 0
        self.restart_at: float | None = None


class StopRequested(BaseException):
    """Ctrl-C, SIGTERM or SIGHUP arrived; like KeyboardInterrupt no error, so it passes every `except Exception`."""


@contextmanager
def stop_signals(handler: Callable[[int, FrameType | None], None] | signal.Handlers) -> Iterator[None]:
    """Inside, `handler` is called in the main thread for each of the signals that mean stop."""
    before = {number: signal.signal(number, handler) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def request_stop(_number: int, _frame: FrameType | None) -> None:
    """A handler for `stop_signals`."""
    raise StopRequested


class Supervisor:
    """Holds the processes of one stack; used by one thread, which must live as long as they shall.

    Services are stopped in the reverse order of their start. `keep` are descriptors that every child inherits.
    """

    def __init__(self, report: Report, keep: Sequence[int] = ()) -> None:
        self._report = report
        self._keep = tuple(keep)
        self._running: list[_Running] = []

    def launch(self, service: Service) -> None:
        """Starts the process and returns at once."""
        running = _Running(service)
        self._running.append(running)
        self._spawn(running)

    def wait(self, names: Sequence[str], timeout_seconds: float = 60.0) -> None:
        """Returns when these services answer; says every few seconds which one it waits for.

        Raises OutageError, with the end of the log, when one ends or stays silent.
        """
        waiting = [running for running in self._running if running.service.name in names]
        begin = time.monotonic()
        spoken = begin
        while waiting:
            waiting = [running for running in waiting if not self._ready(running)]
            now = time.monotonic()
            if waiting and now - begin > timeout_seconds:
                raise self._failure(waiting[0].service, f"did not answer within {timeout_seconds:g} s")
            if waiting and now - spoken > 3:
                spoken = now
                self._report(f"waiting for {', '.join(each.service.name for each in waiting)}")
            if waiting:
                time.sleep(0.05)

    def _ready(self, running: _Running) -> bool:
        if running.process is not None and running.process.poll() is not None:
            raise self._failure(running.service, f"ended with {running.process.returncode}")
        return running.service.answers()

    def watch(self) -> None:
        """Looks once after every process: one that ended is started again, later and later while it keeps ending."""
        now = time.monotonic()
        for running in self._running:
            if running.process is not None and running.process.poll() is not None:
                self._schedule(running, running.process, now)
            if running.restart_at is not None and now >= running.restart_at:
                running.restart_at = None
                self._spawn(running)

    def _schedule(self, running: _Running, ended: subprocess.Popen[bytes], now: float) -> None:
        stop(ended, signal.SIGKILL, 0)  # what it left behind in its group
        running.process = None
        running.failures = 1 if now - running.started_at > STABLE_SECONDS else running.failures + 1
        delay = RESTARTS.ceiling_seconds(running.failures)
        running.restart_at = now + delay
        self._report(f"{running.service.name} ended with {ended.returncode}; starting it again in {delay:g} s")

    def stop(self) -> None:
        """Stops everything, last started first; returns when no process is left. Safe to call twice."""
        with stop_signals(signal.SIG_IGN):
            while self._running:
                running = self._running[-1]
                service = running.service
                if running.process is not None and not stop(running.process, service.stop_signal, service.stop_seconds):
                    self._report(f"{service.name} did not stop within {service.stop_seconds:g} s and was killed")
                self._running.pop()

    def pids(self) -> list[int]:
        """Of every process that runs, or ended and was not looked after yet."""
        return [running.process.pid for running in self._running if running.process is not None]

    def pid(self, name: str) -> int | None:
        """Of the service's process, None while it waits to be started again."""
        for running in self._running:
            if running.service.name == name and running.process is not None:
                return running.process.pid
        return None

    def _spawn(self, running: _Running) -> None:
        service = running.service
        running.process = spawn(
            service.command(),
            log=service.log,
            death_signal=service.stop_signal,
            environment=service.environment,
            account=service.account,
            keep=self._keep,
        )
        running.started_at = time.monotonic()

    def _failure(self, service: Service, what: str) -> OutageError:
        lines = service.log.read_text(errors="replace").splitlines() if service.log.exists() else []
        tail = "".join(f"\n    {line[:300]}" for line in lines[-TAIL_LINES:])
        return OutageError(f"{service.name} {what}{tail}", remedy=f"The whole log is {service.log}.")
