"""Whoever steers by SQL is never in a deadlock with compute: each test forces the order in which both lock rows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from compute.backfill.ports import CopyProgress
from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.catalog.database import Fence
from compute.core.catalog.notices import Notice
from compute.core.catalog.observations import Flow, Observation
from compute.core.exit_codes import Failure
from compute.dlq.ledger import Ledger
from compute.dlq.records import Entry, payload_of
from compute.dlq.replays import Replays, RetryPolicy
from compute.dlq.standing import Standing
from compute.sources.postgres import Origin
from compute.tests.contract.changes import changes
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.desk import THINGS, row
from compute.tests.support.waiting import eventually
from rosetta.enums import CopyKind, DlqKind, ErrorClass, HealthStatus, ObservedStatus, Severity, TableSyncState
from rosetta.errors import FencedError, RosettaError
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster
from rosetta.lsn import Lsn, StreamPosition

pytestmark = pytest.mark.integration

EPOCH = 7
COMPUTE, PERSON = "compute under test", "a person"
TABLE = TableId("public", "things")
END = StreamPosition(Lsn(1000))
COPY = "SELECT id FROM queue_backfill_data WHERE kind = 'INITIAL'"
FAILURE = Failure("SLOT_LOST", "it is gone", "Copy again.")


@dataclass
class Scene:
    """Two pipelines of the instance `me`, each with the same two destinations, and the first of them in all its parts.

    `owner` is the first one's process, `supervisor` the instance.
    """

    config: ConfigSql
    owner: Catalog
    supervisor: Catalog
    source: int
    pipelines: tuple[int, ...]
    destinations: tuple[int, ...]
    joined: tuple[int, ...]
    syncs: tuple[int, ...]

    @property
    def pipeline(self) -> int:
        return self.pipelines[0]

    def person(self) -> psycopg2.extensions.connection:
        return psycopg2.connect(self.config.url, application_name=PERSON, options="-c lock_timeout=30000")

    def waits(self, application: str) -> bool:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND wait_event_type = 'Lock'"
        return bool(self.config.one(query, application))

    def observations(self) -> list[Observation]:
        """The later destination first."""
        return [Observation(one, ObservedStatus.RUNNING, HealthStatus.HEALTHY) for one in reversed(self.destinations)]


@pytest.fixture
def scene(config: ConfigSql, cluster: PostgresCluster) -> Iterator[Scene]:
    source = config.add_source(cluster, config.database)
    destinations = tuple(config.add_destination(cluster, config.database) for _ in range(2))
    pipelines = tuple(config.add_pipeline(name, source, destinations[0]) for name in ("p", "q"))
    for pipeline in pipelines:
        config.run(
            "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, destinations[1]
        )
        config.run(
            "INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch, expires_at)"
            " VALUES (%s, 'me', %s, now() + interval '1 hour')",
            pipeline,
            EPOCH,
        )
    joins = "SELECT array_agg(id ORDER BY id) FROM pipeline_destinations WHERE pipeline_id = %s"
    joined = tuple(config.one(joins, pipelines[0]))
    sync = (
        "INSERT INTO table_syncs (pipeline_destination_id, schema_name, table_name) VALUES (%s, 'public', 'things')"
        " RETURNING id"
    )
    syncs = tuple(config.one(sync, one) for one in joined)
    for _ in range(2):
        config.run("INSERT INTO queue_backfill_data (pipeline_id, table_name) VALUES (%s, 'things')", pipelines[0])
    config.run("UPDATE pipelines SET slot_name = 'rosetta_1_' || id, acknowledged_lsn = '0/1'")
    config.run("INSERT INTO verify_runs (pipeline_id) VALUES (%s)", pipelines[0])
    settings = Settings(secret_key="a secret key for tests", config_database_url=config.url, log_folder=None)
    owner = Catalog(settings, "me", application=COMPUTE, fence=Fence(pipelines[0], EPOCH))
    supervisor = Catalog(settings, "me", application=COMPUTE)
    yield Scene(config, owner, supervisor, source, pipelines, destinations, joined, syncs)
    owner.close()
    supervisor.close()


class Actor:
    """One side of an interleaving, in a thread of its own."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self._act = act
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except (psycopg2.Error, RosettaError) as error:
            self.error = error

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def end(self) -> Exception | None:
        self._thread.join(60)
        assert self.done
        return self.error


def ledger_of(scene: Scene) -> Ledger:
    return Ledger(scene.supervisor.database, scene.supervisor.keyring, scene.pipeline, scene.source, EPOCH)


def replays_of(scene: Scene) -> Replays:
    return Replays(ledger_of(scene), scene.destinations[0], RetryPolicy(1.0, 10, 7))


def entry_of(scene: Scene, lsn: int = 100) -> Entry:
    """A part of a held table's batch."""
    payload = payload_of(changes(THINGS, [row(lsn, 1)]))
    where = scene.destinations[0], scene.syncs[0], TABLE
    position = StreamPosition(Lsn(lsn), Lsn(lsn), 0)
    return Entry(*where, DlqKind.SEGMENT, ErrorClass.DATA, position, payload, "PG_42P01", "no such table")


def notice_of(scene: Scene) -> Notice:
    return Notice("SLOT_LOST", Severity.CRITICAL, "lost", scene.pipeline, "lost", "lost", source_id=scene.source)


Act = Callable[[Scene], Any]

OWNERS: dict[str, Act] = {
    "renews its lease": lambda s: s.owner.leases.renew(s.pipeline, EPOCH),
    "observes": lambda s: s.owner.observations.observe(s.pipeline, s.observations()),
    "counts its flow": lambda s: s.owner.observations.add_flow(
        s.pipeline, [Flow(one, TABLE, 1, 1, None) for one in s.destinations]
    ),
    "acknowledges": lambda s: s.owner.plans.acknowledge(s.pipeline, Lsn(99)),
    "makes its slot": lambda s: s.owner.plans.slot_created(s.pipeline, Lsn(99), s.source, Origin("1", 1)),
    "finds tables": lambda s: s.owner.tables.add_missing(s.joined[0], [TABLE, TableId("public", "more")]),
    "begins a copy": lambda s: s.owner.tables.begin_copy(
        s.syncs[0], CopyKind.INITIAL, expected=TableSyncState.PENDING, anew=True
    ),
    "counts rows": lambda s: s.owner.tables.applied(dict.fromkeys(s.syncs, 1)),
    "advances backfills": lambda s: s.owner.copies.advance_backfills(s.pipeline),
    "detaches a destination": lambda s: Standing(ledger_of(s), s.destinations[0]).detach(FAILURE),
}
SUPERVISORS: dict[str, Act] = {
    "takes a lease": lambda s: s.supervisor.leases.acquire(s.pipeline),
    "keeps leases": lambda s: s.supervisor.leases.keep(s.pipelines),
    "gives a lease back": lambda s: s.supervisor.leases.release(s.pipeline),
    "leaves": lambda s: s.supervisor.leases.leave(),
    "declares": lambda s: s.supervisor.observations.declare(
        s.pipeline, ObservedStatus.FAILED, HealthStatus.ERROR, FAILURE
    ),
    "finds a slot lost": lambda s: s.supervisor.slots.lost(s.pipeline, FAILURE, notice_of(s)),
    "measures a slot": lambda s: s.supervisor.slots.found(s.pipeline, 1, ["SLOT_LOST"]),
    "suspends destinations": lambda s: s.supervisor.slots.detach_holders(s.pipeline, "over its budget"),
    "lets go": lambda s: s.supervisor.cleanup.let_go(s.pipeline, ()),
    "has ended": lambda s: s.supervisor.cleanup.ended(s.pipeline),
    "claims a verification": lambda s: s.supervisor.verify_runs.claim(),
}


@pytest.mark.parametrize("what", [*OWNERS, *SUPERVISORS])
def test_whoever_deletes_a_pipeline_is_never_in_a_deadlock_with_compute_that(scene: Scene, what: str) -> None:
    if what == "finds a slot lost":  # that is looked at where nothing runs
        scene.config.run("UPDATE pipelines SET status = 'PAUSE'")
        scene.config.run("UPDATE pipeline_metadata SET status = 'PAUSED'")
    with closing(scene.person()) as person, person.cursor() as cursor:
        # The first that a DELETE does; compute then acts between this and the rest.
        cursor.execute("SELECT FROM pipelines WHERE id = %s FOR UPDATE", (scene.pipeline,))
        compute = Actor(lambda: (OWNERS | SUPERVISORS)[what](scene))
        eventually(lambda: compute.done or scene.waits(COMPUTE), 30, "compute is done or waits")
        cursor.execute("DELETE FROM pipelines WHERE id = %s", (scene.pipeline,))
        person.commit()
    error = compute.end()
    assert error is None or isinstance(error, FencedError), error
    assert scene.config.one("SELECT count(*) FROM pipelines WHERE id = %s", scene.pipeline) == 0


TABLES: dict[str, Act] = {
    "begins a copy": OWNERS["begins a copy"],
    "starts its copy": lambda s: s.owner.copies.start(s.config.one(COPY), 5),
    "saves how far its copy is": lambda s: s.owner.copies.save_cursor(
        s.config.one(COPY), CopyProgress(("1",), 1, 1, 1)
    ),
    "has copied it": lambda s: s.owner.copies.complete(s.config.one(COPY)),
    "parks a change of it": lambda s: ledger_of(s).park([entry_of(s, 50), entry_of(s)], {s.destinations[0]: END}),
    "has written what waited for it": lambda s: replays_of(s).mark_held(
        s.syncs[0], replays_of(s).ledger.segments(s.destinations[0], 1_000, error_class=ErrorClass.DATA)
    ),
}


@pytest.mark.parametrize("what", TABLES)
def test_whoever_deletes_a_table_is_never_in_a_deadlock_with_compute_that(scene: Scene, what: str) -> None:
    scene.owner.tables.begin_copy(scene.syncs[0], CopyKind.INITIAL, expected=TableSyncState.PENDING, anew=False)
    if what not in {"begins a copy", "starts its copy"}:
        scene.owner.copies.start(scene.config.one(COPY), 5)
    else:
        scene.config.run("UPDATE table_syncs SET state = 'PENDING'")
    ledger_of(scene).park([entry_of(scene, 50)])
    if what == "has written what waited for it":
        scene.config.run("UPDATE table_syncs SET state = 'ERROR'")
    with closing(scene.person()) as person, person.cursor() as cursor:
        cursor.execute("SELECT FROM pipeline_destinations WHERE id = %s FOR UPDATE", (scene.joined[0],))
        cursor.execute("SELECT FROM table_syncs WHERE id = %s FOR UPDATE", (scene.syncs[0],))
        compute = Actor(lambda: TABLES[what](scene))
        eventually(lambda: compute.done or scene.waits(COMPUTE), 30, "compute is done or waits")
        cursor.execute("DELETE FROM pipeline_destinations WHERE id = %s", (scene.joined[0],))
        person.commit()
    error = compute.end()
    # A change of a table that is gone cannot be parked.
    assert error is None or (what.startswith("parks") and getattr(error, "code", None) == "PG_23503"), error
    assert scene.config.one("SELECT count(*) FROM table_syncs WHERE id = %s", scene.syncs[0]) == 0


def cross(scene: Scene, held: str, statement: str, act: Act) -> None:
    """A person's `statement` waits for a row that somebody else has `held`, compute acts, and the row becomes free."""
    with closing(psycopg2.connect(scene.config.url)) as holder, holder.cursor() as cursor:
        cursor.execute(held)
        with closing(scene.person()) as connection, connection.cursor() as theirs:

            def steer() -> None:
                theirs.execute(statement)
                connection.commit()

            person = Actor(steer)
            eventually(lambda: scene.waits(PERSON), 30, "the person waits")
            compute = Actor(lambda: act(scene))
            eventually(lambda: compute.done or scene.waits(COMPUTE), 30, "compute is done or waits")
            holder.rollback()
            assert (person.end(), compute.end()) == (None, None)


def test_whoever_pauses_a_pipeline_is_not_in_a_deadlock_with_what_it_observes(scene: Scene) -> None:
    first = f"pipeline_metadata WHERE pipeline_id = {scene.pipeline} AND destination_id = {scene.destinations[0]}"
    cross(
        scene,
        f"SELECT FROM {first} FOR UPDATE",
        f"UPDATE pipelines SET status = 'PAUSE' WHERE id = {scene.pipeline}",
        OWNERS["observes"],
    )
    states = scene.config.one(
        "SELECT array_agg(DISTINCT status || ' ' || health_status) FROM pipeline_metadata WHERE pipeline_id = %s",
        scene.pipeline,
    )
    assert states == ["PAUSING HEALTHY"]


def test_whoever_pauses_a_pipeline_is_not_in_a_deadlock_with_its_backfills(scene: Scene) -> None:
    jobs = scene.config.one("SELECT array_agg(id ORDER BY id) FROM queue_backfill_data")
    for status in ("EXECUTING", "PENDING"):  # so that whoever reads the table meets the second job first
        scene.config.run("UPDATE queue_backfill_data SET status = %s WHERE id = %s", status, jobs[0])
    cross(
        scene,
        f"SELECT FROM queue_backfill_data WHERE id = {jobs[1]} FOR UPDATE",
        f"UPDATE pipelines SET status = 'PAUSE' WHERE id = {scene.pipeline}",
        OWNERS["advances backfills"],
    )


def test_whoever_resyncs_several_tables_is_not_in_a_deadlock_with_what_they_applied(scene: Scene) -> None:
    cross(
        scene,
        f"SELECT FROM table_syncs WHERE id = {scene.syncs[0]} FOR UPDATE",
        "UPDATE table_syncs SET desired_state = 'RESYNC'",
        lambda s: s.owner.tables.applied({s.syncs[1]: 3, s.syncs[0]: 4}),
    )
    applied = "SELECT array_agg((desired_state, rows_applied)::text ORDER BY id) FROM table_syncs"
    assert scene.config.one(applied) == ["(RESYNC,4)", "(RESYNC,3)"]


@pytest.mark.parametrize("what", ["keeps leases", "leaves"])
def test_whoever_deletes_several_pipelines_is_not_in_a_deadlock_with_an_instance_that(scene: Scene, what: str) -> None:
    # So that whoever reads the table meets the second lease first.
    scene.config.run("UPDATE pipeline_leases SET epoch = epoch WHERE pipeline_id = %s", scene.pipeline)
    cross(
        scene,
        f"SELECT FROM pipeline_leases WHERE pipeline_id = {scene.pipeline} FOR UPDATE",
        "DELETE FROM pipelines",
        SUPERVISORS[what],
    )
    assert scene.config.one("SELECT count(*) FROM pipeline_leases") == 0
