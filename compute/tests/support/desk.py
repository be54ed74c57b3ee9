"""A writer's desk with real servers behind it, driven step by step: what a test hands over is written at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg2.extensions

from compute.core.batch import ChangeBatch, TableChanges
from compute.core.dlq_recovery import DestinationRecovery, RecoveryParts
from compute.core.work import ChangesWork, Desk, PrepareWork, Work
from compute.destinations.base import Destination, TableTarget
from compute.destinations.postgres import PostgresDestination
from compute.dlq.book import Book
from compute.dlq.keys import KeyHasher
from compute.dlq.parking import Parking
from compute.dlq.replays import Replays, RetryPolicy
from compute.tests.contract.changes import Change, changes, schema
from compute.tests.support.parked import Queue
from compute.transforms import RowRules
from rosetta.enums import SyncMode
from rosetta.errors import RosettaError
from rosetta.identifiers import TableId
from rosetta.lsn import Lsn, StreamPosition
from rosetta.postgres import PostgresEndpoint
from rosetta.types import TableSchema

THINGS = schema()
POLICY = RetryPolicy(first_seconds=600.0, max_attempts=3, max_age_days=7, page_rows=10)


@dataclass
class Told:
    """What the desk tells, kept."""

    held: list[tuple[int, str]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    def progressed(self) -> None:
        pass

    def table_failed(self, sync_id: int, error: RosettaError) -> None:
        self.failed.append(sync_id)

    def table_held(self, sync_id: int, error: RosettaError) -> None:
        self.held.append((sync_id, error.code))

    def table_taken(self, sync_id: int) -> None:
        self.taken.append(sync_id)

    def table_outdated(self, sync_id: int) -> None:
        pass

    def current_schema(self, table: TableId) -> TableSchema | None:
        return None

    def wrote(self, *_: object) -> None:
        pass


class Bench:
    """One destination, its desk and its recovery. `restart` is a new process."""

    def __init__(self, queue: Queue, endpoint: PostgresEndpoint, target: psycopg2.extensions.connection) -> None:
        self.queue = queue
        self.target = target
        self.told = Told()
        self._endpoint = endpoint
        self._sequence = itertools.count(1)
        self.policy = POLICY
        self.start()

    def start(self) -> None:
        queue = self.queue
        destination: Destination = PostgresDestination(self._endpoint, queue.pipeline_id, queue.destination_id)
        destination.open(7)
        self.parking = Parking(
            Book(queue.ledger, queue.destination_id), queue.dispatcher, KeyHasher(queue.ledger.keyring)
        )
        self.desk = Desk(queue.destination_id, destination, self.told, 0, self.parking)
        durable = destination.durable_position()
        if durable is not None:
            self.desk.cover(durable)
        replays = Replays(queue.ledger, queue.destination_id, self.policy)
        parts = RecoveryParts(self.parking, replays, queue.dispatcher, self._do)
        self.recovery = DestinationRecovery(queue.destination_id, parts, 30.0, lambda: None)

    def _do(self, destination_id: int, work: Work) -> None:
        work.run(self.desk)

    def restart(self) -> None:
        self.close()
        self.start()
        for target in list(self._served):
            PrepareWork(target, lambda _: None).run(self.desk)

    def close(self) -> None:
        self.desk.destination.close()

    _served: tuple[TableTarget, ...] = ()

    def serve(
        self,
        of: TableSchema = THINGS,
        mode: SyncMode = SyncMode.CURRENT,
        sync_id: int | None = None,
        rules: RowRules | None = None,
    ) -> TableTarget:
        shape = of if rules is None else rules.schema
        made = TableTarget(sync_id or self.queue.sync_id, shape, of.table, mode, rules=rules)
        self._served = (*self._served, made)
        PrepareWork(made, lambda _: None).run(self.desk)
        return made

    def batch(self, end: int, *tables: TableChanges, truncated: Sequence[TableId] = ()) -> ChangeBatch:
        return ChangeBatch(
            next(self._sequence), StreamPosition(Lsn(0)), StreamPosition(Lsn(end)), tuple(truncated), tables, (), 1.7e9
        )

    def write(self, end: int, *items: Change, of: TableSchema = THINGS, folded: bool = False) -> None:
        """A batch of one table that ends at `end`."""
        ChangesWork(self.batch(end, changes(of, items, folded=folded))).run(self.desk)

    def truncate(self, end: int, *items: Change) -> None:
        ChangesWork(self.batch(end, changes(THINGS, items), truncated=[THINGS.table])).run(self.desk)

    def recover(self, steps: int = 1_000) -> None:
        """One pass, from what is due to nothing due, in at most so many steps."""
        self.recovery.ask()
        self.recovery.step()
        for _ in range(steps):
            if self.recovery.pass_at > 0.0:
                return
            self.recovery.step()
        raise AssertionError("the pass does not end")

    def due_now(self) -> None:
        """As if the delay of everything that failed were over."""
        self.queue.config.run(
            "UPDATE dlq_records SET next_attempt_at = now()"
            " WHERE next_attempt_at < 'infinity' OR next_attempt_at IS NULL"
        )

    def sql(self, statement: str) -> None:
        with self.target.cursor() as cursor:
            cursor.execute(statement)

    def rows(self, query: str = "SELECT id, name, body FROM things ORDER BY id") -> list[tuple[object, ...]]:
        with self.target.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    def states(self) -> list[tuple[str, str, int]]:
        """Kind, state and attempts of every row of the ledger, oldest first."""
        with self.queue.config.connection.cursor() as cursor:
            cursor.execute(
                "SELECT kind, state, attempts FROM dlq_records ORDER BY commit_lsn, change_lsn, ordinal, part, id"
            )
            return list(cursor.fetchall())

    def open_rows(self) -> int:
        return self.queue.ledger.sums(self.queue.destination_id).rows

    def entries(self, table: TableId = THINGS.table) -> int:
        return self.queue.dispatcher.length(self.queue.destination_id, table)


def row(lsn: int, key: int, name: str | None = "n", body: str | None = "b", op: str = "c", seq: int = 0) -> Change:
    return Change(op, lsn, (str(key), name, body), seq=seq)


def gone(lsn: int, key: int) -> Change:
    return Change("d", lsn, (str(key), None, None))
