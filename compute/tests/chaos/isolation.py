"""What one target's end costs the other: how late the other's changes are, with and without the fault."""

from __future__ import annotations

import select
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Self

import psycopg2.extensions

from compute.tests.chaos.arena import Arena
from compute.tests.support.side_load import SideLoad
from compute.tests.support.waiting import eventually

ROWS_PER_SECOND = 2_000
_INTERVAL_SECONDS = 0.02
_FIRST = 1_000_000_000  # tick numbers that no case uses
_CHANNEL = """
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_notify('ticks', NEW.id::text); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT ON ticks FOR EACH ROW EXECUTE FUNCTION tell();"""


@dataclass(frozen=True)
class Isolation:
    """Seconds from the commit at the source to the commit at the target that is well, and how many were measured."""

    quiet_p50: float
    quiet_p99: float
    fault_p50: float
    fault_p99: float
    samples: int

    @property
    def ratio(self) -> float:
        """p99 with the fault over p99 without."""
        return self.fault_p99 / self.quiet_p99


class Ticker(SideLoad):
    """Commits a row at the source every 20 ms, and hears from the target when it is committed there."""

    def __init__(self, arena: Arena, role: str) -> None:
        super().__init__(2)
        self._arena, self._role = arena, role
        self._sent: dict[int, float] = {}
        self._heard: dict[int, float] = {}

    def __enter__(self) -> Self:
        self._arena.run(self._role, _CHANNEL)
        return super().__enter__()

    def work(self, number: int) -> None:
        (self._listen, self._send)[number]()

    def lags(self, seconds: float) -> list[float]:
        """Of what is committed in the next `seconds`, once all of it has arrived; ascending."""
        first = max(self._sent, default=_FIRST)
        self._arena.pause(seconds)
        sent = {number: at for number, at in self._sent.copy().items() if number > first}
        eventually(lambda: sent.keys() <= self._heard.copy().keys(), 60, "every tick arrives")
        return sorted(self._heard[number] - at for number, at in sent.items())

    def _connect(self, role: str) -> psycopg2.extensions.connection:
        return self._arena.servers[role].connect(self._arena.databases[role])

    def _send(self) -> None:
        number, due = _FIRST, time.monotonic()
        with closing(self._connect("source")) as connection, connection.cursor() as cursor:
            while not self.ended.wait(max(0.0, due - time.monotonic())):
                number, due = number + 1, due + _INTERVAL_SECONDS
                cursor.execute("INSERT INTO ticks VALUES (%s)", (number,))
                self._sent[number] = time.monotonic()

    def _listen(self) -> None:
        with closing(self._connect(self._role)) as connection, connection.cursor() as cursor:
            cursor.execute("LISTEN ticks")
            while not self.ended.is_set():
                select.select([connection], [], [], 0.2)
                connection.poll()
                now = time.monotonic()
                while connection.notifies:
                    self._heard[int(connection.notifies.pop(0).payload)] = now


def measure(arena: Arena, seconds: float = 60.0) -> Isolation:
    """Target `a` is stopped for `seconds` under load; how much later do changes reach `b` than while `a` is well?

    The arena has the targets `a` and `b` and was not begun; it goes on afterwards, everything caught up.
    """
    arena.begin()
    with arena.writer(per_second=ROWS_PER_SECOND), Ticker(arena, "b") as ticker:
        ticker.lags(max(5.0, seconds / 6))  # the JVM is warm after that
        quiet = ticker.lags(seconds / 2)
        with arena.dead("a"):
            fault = ticker.lags(seconds)
        with arena.recovery():
            pass
        # Before and after, so that a machine that is busier in between does not look like the fault.
        quiet = sorted(quiet + ticker.lags(seconds / 2))
    return Isolation(
        quiet_p50=_percentile(quiet, 0.50),
        quiet_p99=_percentile(quiet, 0.99),
        fault_p50=_percentile(fault, 0.50),
        fault_p99=_percentile(fault, 0.99),
        samples=len(quiet) + len(fault),
    )


def _percentile(ascending: list[float], share: float) -> float:
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]
