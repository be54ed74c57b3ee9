"""The data of a case: its databases, what is asked of them past the lines, and how changes are made and awaited."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from compute.tests.chaos import oracle
from compute.tests.chaos.servers import Servers
from compute.tests.chaos.workload import SCHEMA, Writer
from compute.tests.support.waiting import eventually
from rosetta.lsn import Lsn

_ticks = itertools.count(1)


class Data:
    """The databases of one case, by role: `source`, `config`, and the targets.

    `seed` and `changes` are those of the case, `recoveries` and `log` what it showed.
    """

    def __init__(self, servers: Servers, targets: Sequence[str]) -> None:
        self.servers = servers
        self.targets = tuple(targets)
        self.databases = {role: servers.new_database(role) for role in ("source", "config", *self.targets)}
        self.spared: set[tuple[str, int]] = set()  # temp tables that a killed server had, by role and oid
        self.new_case(0, 0)
        self.counted_from = oracle.Start()
        self.run("source", SCHEMA)
        for role in self.targets:
            self.run(role, oracle.WATCH)

    def new_case(self, seed: int, changes: int) -> None:
        """What is measured from now on belongs to another case."""
        self.seed, self.changes = seed, changes
        self.recoveries: list[float] = []
        self.log: list[str] = []

    def run(self, role: str, statements: str) -> None:
        """SQL in a role's database, past the proxy."""
        with closing(self.servers[role].connect(self.databases[role])) as connection, connection.cursor() as cursor:
            cursor.execute(statements)

    def rows(self, role: str, query: str, *values: object) -> list[Any]:
        with closing(self.servers[role].connect(self.databases[role])) as connection, connection.cursor() as cursor:
            cursor.execute(query, values or None)
            return cursor.fetchall()

    def one(self, role: str, query: str, *values: object) -> Any:
        found = self.rows(role, query, *values)
        return found[0][0] if found else None

    def writer(self, changes: int | None = None, per_second: int = 2000) -> Writer:
        """The seeded writer; without `changes` it goes on until its block ends."""
        return Writer(self.servers["source"], self.databases["source"], self.seed, changes, per_second)

    def count_from_here(self) -> None:
        """The appended table's changes are counted from now; nothing may be writing."""
        number = self.one("source", "SELECT coalesce(max(n), 0) FROM audit.log")
        self.counted_from = oracle.Start(number, int(self.source_lsn()))

    def source_lsn(self) -> Lsn:
        return Lsn.parse(self.one("source", "SELECT pg_current_wal_lsn()::text"))

    def confirmed(self) -> Lsn:
        """How far the slot has been told that everything is safe."""
        found = self.one(
            "source",
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE database = current_database()",
        )
        return Lsn.parse(found)

    def tick(self) -> int:
        """A row whose arrival shows that everything before it has arrived."""
        number = next(_ticks)
        self.run("source", f"INSERT INTO ticks VALUES ({number})")
        return number

    def arrives(self, tick: int, timeout_seconds: float = 60.0, targets: Sequence[str] | None = None) -> None:
        for role in self.targets if targets is None else targets:

            def probe(role: str = role) -> bool:
                try:
                    return bool(self.one(role, "SELECT count(*) FROM ticks WHERE id = %s", tick))
                except psycopg2.Error:  # the target is away, or has no such table yet
                    return False

            eventually(probe, timeout_seconds, f"what is committed arrives at {role}")

    @contextmanager
    def recovery(self, timeout_seconds: float = 90.0, targets: Sequence[str] | None = None) -> Iterator[None]:
        """The block removes the fault; how long it takes until all that is committed by then has arrived is kept."""
        started = time.monotonic()
        yield
        self.arrives(self.tick(), timeout_seconds, targets)
        self.recoveries.append(time.monotonic() - started)

    def pause(self, seconds: float) -> None:
        """Lets a fault last; a length and not a condition."""
        threading.Event().wait(seconds)

    def write_until_done(self, changes: int | None = None, per_second: int = 4000) -> None:
        """The case's changes (or so many of them), committed."""
        wanted = self.changes if changes is None else changes
        with self.writer(wanted, per_second) as writer:
            eventually(lambda: writer.done, 60 + 3 * wanted / per_second, "all changes are committed")
