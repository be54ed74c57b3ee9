"""Drains, latencies and memory, taken from outside of the contender's process."""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from compute.bench import contenders
from compute.bench.processor import Stopwatch
from compute.bench.stage import Stage
from compute.bench.workload import PUBLICATION
from rosetta.enums import Profile


@dataclass(frozen=True, slots=True)
class Drain:
    """`processor_s`: seconds of processor time by who took them (see `_watch`), of which other work takes nothing."""

    seconds: float
    resident_mb: int | None
    processor_s: Mapping[str, float] = field(default_factory=dict)


class Contender:
    """A child process and the pipe to it."""

    def __init__(self, process: Any, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe

    def answer(self, seconds: float) -> Any:
        """What the child says next. Raises when it says nothing in time or is dead."""
        if not self.pipe.poll(seconds):
            raise TimeoutError(f"{self.process.name} said nothing for {seconds:.0f} s")
        try:
            return self.pipe.recv()
        except EOFError:
            raise RuntimeError(f"{self.process.name} died; what it said is above") from None

    def require_alive(self) -> None:
        """Raises when the child ended before its work did."""
        if not self.process.is_alive():
            raise RuntimeError(f"{self.process.name} ended with {self.process.exitcode}; what it said is above")

    def resident_mb(self) -> int | None:
        """The most it ever held; None where the system does not tell."""
        if sys.platform != "linux":
            return None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))


@contextmanager
def running(target: Callable[..., None], *arguments: Any) -> Iterator[Contender]:
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(
        target=contenders.child, args=(target, theirs, *arguments), name=target.__name__, daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield Contender(process, pipe)
    finally:
        if process.is_alive():
            try:
                pipe.send("stop")
            except BrokenPipeError:
                process.kill()
        process.join(15)
        if process.is_alive():
            process.kill()
            process.join()


def drain_ours(stage: Stage, name: str, profile: Profile) -> Drain:
    return _drain(stage, name, contenders.ours, profile)


def drain_pgoutput(stage: Stage, name: str, *, accelerated: bool) -> Drain:
    return _drain(stage, name, contenders.pgoutput, accelerated)


def _drain(stage: Stage, name: str, target: Callable[..., None], *arguments: Any) -> Drain:
    databases = stage.databases(name)
    with _ours(stage, name, target, *arguments) as contender:
        begun = stage.wait_for_slot(name, contender.require_alive)
        watch = _watch(stage, contender)
        ended = max(stage.wait_for_marker(database, contender.require_alive) for database in databases)
        took = watch.seconds()
        contender.pipe.send("writers")
        writers = contender.answer(30)
        drain = Drain(
            ended - begun, contender.resident_mb(), took if writers is None else took | {"writers": round(writers, 2)}
        )
    for database in databases:
        stage.require_same(database)
    return drain


def _watch(stage: Stage, contender: Contender | None = None) -> Stopwatch:
    """Of both servers with all their backends, and of our process, from the moment at which the drain is timed."""
    pids = {name: cluster.process.pid for name, cluster in stage.servers.items() if cluster.process is not None}
    return Stopwatch(pids if contender is None else pids | {"ours": contender.process.pid})


@contextmanager
def _ours(stage: Stage, name: str, target: Callable[..., None], *arguments: Any) -> Iterator[Contender]:
    targets = [stage.target_endpoint(database) for database in stage.databases(name)]
    with running(target, stage.engine_source(name), stage.slots[name], targets, *arguments) as contender:
        yield contender


def drain_ceiling(stage: Stage, name: str, profile: Profile) -> Drain:
    with running(contenders.ceiling, stage.engine_source(name), stage.slots[name], profile) as contender:
        begun = stage.wait_for_slot(name, contender.require_alive)
        return Drain(contender.answer(600) - begun, contender.resident_mb())


def drain_naive(stage: Stage, name: str) -> Drain:
    with running(contenders.naive, stage.engine_source(name), stage.slots[name]) as contender:
        begun = stage.wait_for_slot(name, contender.require_alive)
        drain = Drain(contender.answer(1200) - begun, contender.resident_mb())
        contender.process.kill()
        return drain


def drain_native(stage: Stage, name: str) -> Drain:
    """A subscription, as a user would make it, on the same backlog and with its usual settings."""
    session = stage.target.connect(name)
    with session.cursor() as cursor:
        cursor.execute(
            f"CREATE SUBSCRIPTION {name} CONNECTION '{stage.source.dsn()}' PUBLICATION {PUBLICATION}"
            f" WITH (slot_name = {name}, create_slot = false, copy_data = false, enabled = false)"
        )
        cursor.execute(f"ALTER SUBSCRIPTION {name} ENABLE")
        begun = stage.wait_for_slot(name)
        watch = _watch(stage)
        drain = Drain(stage.wait_for_marker(name) - begun, None, watch.seconds())
        cursor.execute(f"ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
        cursor.execute(f"DROP SUBSCRIPTION {name}")
    session.close()
    stage.require_same(name)
    return drain


def debezium_latencies(stage: Stage, name: str, rates: list[int], seconds: float) -> dict[str, dict[str, float]]:
    with _ours(stage, name, contenders.ours, Profile.SMALL) as contender:
        return _latencies(stage, name, contender, rates, seconds)


def pgoutput_latencies(stage: Stage, name: str, rates: list[int], seconds: float) -> dict[str, dict[str, float]]:
    with _ours(stage, name, contenders.pgoutput, True) as contender:
        return _latencies(stage, name, contender, rates, seconds)


def _latencies(
    stage: Stage, name: str, contender: Contender, rates: list[int], seconds: float
) -> dict[str, dict[str, float]]:
    """Milliseconds from a commit at the source to its commit at the target, single-row transactions."""
    result = {}
    stage.wait_for_slot(name, contender.require_alive)
    stage.wait_for_marker(name, contender.require_alive)
    stage.settle()
    for rate in rates:
        _insert(stage, rate, seconds)  # the JVM compiles what it runs often
        contender.pipe.send("sample")
        _insert(stage, rate, seconds)
        time.sleep(1.0)
        contender.pipe.send("samples")
        late = contender.answer(30)
        cuts = statistics.quantiles(late, n=100)
        result[str(rate)] = {f"p{cut}": round(cuts[cut - 1] * 1000, 1) for cut in (50, 95, 99)}
    return result


def _insert(stage: Stage, rate: int, seconds: float) -> None:
    begun = time.monotonic()
    with stage.session.cursor() as cursor:
        for number in range(int(rate * seconds)):
            ahead = begun + number / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            cursor.execute(
                "INSERT INTO bench (id, ref, name, active) "
                "SELECT coalesce(max(id), 0) + 1, gen_random_uuid(), 'now', true FROM bench"
            )
