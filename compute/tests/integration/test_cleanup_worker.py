"""What is left behind is removed as soon as that is possible: what is due, who says so, and how soon again."""

from __future__ import annotations

import select
import threading
from collections.abc import Callable, Iterator

import pytest

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.catalog.cleanup import CleanupTasks
from compute.core.cleanup import CleanupWorker
from compute.dlq.dispatcher import Dispatcher
from compute.dlq.records import Parked
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.valkey import Valkey
from compute.tests.support.waiting import eventually
from rosetta.identifiers import TableId
from rosetta.local.postgres import PostgresCluster

pytestmark = pytest.mark.integration

LEFT = "SELECT count(*) FROM cleanup_tasks"
NOW_DUE = "SELECT count(*) FROM cleanup_tasks WHERE next_attempt_at <= now()"


@pytest.fixture
def settings(config: ConfigSql, stage_valkey: Valkey) -> Settings:
    return Settings(
        secret_key="a secret key for tests",
        config_database_url=config.url,
        log_folder=None,
        poll_seconds=3_600,
        redis_url=stage_valkey.url,
        dlq_key_prefix="a[*]:dlq",
    )


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    made = Catalog(settings, "test", application="rosetta compute test")
    yield made
    made.close()


@pytest.fixture
def tasks(catalog: Catalog) -> CleanupTasks:
    return catalog.cleanup


def leased_pipeline(config: ConfigSql, cluster: PostgresCluster, target: str = "none") -> tuple[int, int]:
    """A pipeline that somebody runs, and its destination."""
    source = config.add_source(cluster, "none")
    destination = config.add_destination(cluster, target)
    pipeline = config.add_pipeline("p", source, destination)
    config.run("UPDATE pipelines SET slot_name = 'rosetta_1_' || id")
    config.run(
        "INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch, expires_at)"
        " VALUES (%s, 'other', 1, now() + interval '1 hour')",
        pipeline,
    )
    return pipeline, destination


def test_what_a_process_lets_go_of_is_due_at_once_and_everybody_hears_of_it(
    config: ConfigSql, cluster: PostgresCluster, tasks: CleanupTasks
) -> None:
    pipeline, destination = leased_pipeline(config, cluster)
    config.run("DELETE FROM pipeline_destinations")
    assert (config.one(LEFT), config.one(NOW_DUE)) == (1, 0), "its process may still write there"
    assert tasks.claim() is None
    assert 50 < tasks.next_seconds() <= 60
    config.run("LISTEN rosetta_config")
    connection = config.connection

    def heard() -> int:
        connection.poll()
        count = len(connection.notifies)
        connection.notifies.clear()
        return count

    heard()
    tasks.let_go(pipeline, [destination])
    tasks.let_go(pipeline + 1, [])
    assert config.one(NOW_DUE) == 0
    tasks.let_go(pipeline, [destination + 1])
    assert select.select([connection], [], [], 5)[0], "the supervisor is told"
    assert heard() == 1
    assert tasks.next_seconds() == 0
    task = tasks.claim()
    assert task is not None
    assert task.destination_id == destination
    tasks.let_go(pipeline, [])
    assert tasks.claim() is None, "one that is under way is not begun a second time"
    assert heard() == 0


def test_the_end_of_a_process_makes_due_what_failed_because_of_it(
    config: ConfigSql, cluster: PostgresCluster, tasks: CleanupTasks
) -> None:
    pipeline, _ = leased_pipeline(config, cluster)
    config.run("DELETE FROM pipelines")
    slot = tasks.claim()
    assert slot is not None
    assert slot.object_name == f"rosetta_1_{pipeline}", "the destination's is not due yet"
    tasks.retry(slot.task_id, "in use", 60.0)
    assert tasks.claim() is None
    tasks.ended(10 * pipeline)
    assert tasks.claim() is None
    tasks.ended(pipeline)
    first, second = tasks.claim(), tasks.claim()
    assert first is not None
    assert second is not None
    assert (first.attempts, second.attempts) == (1, 2), "what was never tried comes first"


def parked(settings: Settings, valkey: Valkey, source: int, pipeline: int, destination: int) -> set[str]:
    """Streams as a pipeline makes them: of a table with an odd name, with a row that came late; their keys."""
    dispatcher = Dispatcher(valkey.url, settings.dlq_key_prefix, source, pipeline)
    table = TableId("public", "odd:7\nname")
    for row in (5, 3):
        dispatcher.announce([Parked(row, destination, table)])
    dispatcher.close()
    key = dispatcher.key(destination, table)
    return {key, f"{key}:late"}


def test_what_fails_is_tried_again_soon_until_side_tables_and_streams_are_gone(
    config: ConfigSql,
    cluster: PostgresCluster,
    catalog: Catalog,
    settings: Settings,
    stage_valkey: Valkey,
    new_database: Callable[[], str],
) -> None:
    """The worker is woken once; from then on only the clock of the tasks drives it."""
    target = new_database()
    pipeline, destination = leased_pipeline(config, cluster, target)
    other = config.add_source(cluster, "another")
    config.add_pipeline("other", other, destination)
    stage_valkey.flush()
    source = config.one("SELECT source_id FROM pipelines WHERE id = %s", pipeline)
    parked(settings, stage_valkey, source, pipeline, destination)
    kept = parked(settings, stage_valkey, other, pipeline + 1, destination)
    kept |= parked(settings, stage_valkey, source, pipeline, 10 * destination)
    worker = CleanupWorker(catalog, settings)
    with cluster.connect("postgres") as admin, admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {target} ALLOW_CONNECTIONS false")
    stage_valkey.kill()
    config.run("DELETE FROM pipeline_destinations WHERE pipeline_id = %s", pipeline)
    worker.start()
    catalog.cleanup.let_go(pipeline, [])
    worker.wake()
    failing = "SELECT max(attempts) FROM cleanup_tasks WHERE last_error IS NOT NULL"
    eventually(lambda: (config.one(failing) or 0) >= 3, 40, "it is tried again and again")
    stage_valkey.start()
    with stage_valkey.client() as client:
        eventually(lambda: set(client.keys("*")) == kept, 40, "an unreachable destination keeps no stream")
    assert config.one(LEFT) == 1
    with cluster.connect("postgres") as admin, admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {target} ALLOW_CONNECTIONS true")
    eventually(lambda: config.one(LEFT) == 0, 30, "nothing is left")
    worker.stop()


def test_who_begins_to_write_waits_for_what_is_being_removed(tasks: CleanupTasks) -> None:
    begun = threading.Event()

    def begin() -> None:
        tasks.settled(1, 2)
        begun.set()

    writer = threading.Thread(target=begin, daemon=True)
    with tasks.alone(1, 2):
        tasks.settled(1, 3)
        tasks.settled(2, 2)
        writer.start()
        assert not begun.wait(0.3)
    assert begun.wait(10)
    writer.join(10)
