"""Several supervisors share the pipelines: evenly, one process each, and none is left when an instance goes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compute.tests.integration.test_manager import Supervisor
from compute.tests.support.children import renewing
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.waiting import eventually, process_exists
from rosetta.enums import EngineKind
from rosetta.local.postgres import PostgresCluster

pytestmark = [pytest.mark.engine(EngineKind.PGOUTPUT), pytest.mark.integration]

Start = Callable[..., Supervisor]
_OWNERS = "SELECT instance_id, count(*) FROM pipeline_leases WHERE expires_at > now() GROUP BY 1 ORDER BY 1"


@pytest.fixture
def start(config: ConfigSql) -> Iterator[Start]:
    running: list[Supervisor] = []

    def begin(**settings: Any) -> Supervisor:
        # A lease long enough that no child misses its turn for want of a processor.
        supervisor = Supervisor(config.url, renewing, **{"lease_seconds": 12, "poll_seconds": 1, **settings})
        running.append(supervisor)
        supervisor.thread.start()
        return supervisor

    yield begin
    for supervisor in running:
        if supervisor.thread.is_alive():
            supervisor.stop()


@pytest.fixture
def pipelines(config: ConfigSql, cluster: PostgresCluster) -> list[int]:
    """Six scripted ones."""
    ends = config.add_source(cluster, config.database), config.add_destination(cluster, config.database)
    return [config.add_pipeline(f"p{number}", *ends) for number in range(6)]


def counts(config: ConfigSql) -> list[int]:
    """How many pipelines each instance holds, ascending."""
    with config.connection.cursor() as cursor:
        cursor.execute(_OWNERS)
        return sorted(row[1] for row in cursor.fetchall())


def streaming(*supervisors: Supervisor) -> list[int]:
    """The pipelines with a process, once for each process."""
    seen = [one for supervisor in supervisors for one in supervisor.manager.view.pipelines]
    return sorted(one["id"] for one in seen if one["state"] == "STREAMING")


def test_instances_that_join_get_their_share_and_keep_it(start: Start, config: ConfigSql, pipelines: list[int]) -> None:
    first = start()
    eventually(lambda: counts(config) == [6])
    second = start()
    eventually(lambda: counts(config) == [3, 3], 40, "two share evenly")
    third = start()
    eventually(lambda: counts(config) == [2, 2, 2], 40, "three share evenly")
    eventually(lambda: streaming(first, second, third) == pipelines, 60, "each has one process")
    epochs = "SELECT sum(epoch) FROM pipeline_leases"
    before = config.one(epochs)
    threading.Event().wait(4)  # several polls of everybody: rest is when nothing happens
    assert config.one(epochs) == before, "nothing goes back and forth"
    assert before <= 6 + 3 + 2, "no pipeline moved more often than it had to"


def test_what_a_leaving_instance_had_is_shared_by_the_others(
    start: Start, config: ConfigSql, pipelines: list[int]
) -> None:
    first, second = start(), start()
    eventually(lambda: counts(config) == [3, 3], 40)
    eventually(lambda: streaming(first, second) == pipelines, 60)
    second.stop()
    eventually(lambda: counts(config) == [6], what="the other took them at once")
    eventually(lambda: streaming(first) == pipelines, 60)


@pytest.mark.alone
def test_an_instance_that_stands_still_loses_its_share_within_two_leases(
    start: Start, config: ConfigSql, pipelines: list[int]
) -> None:
    """Its heartbeat and its leases are of another machine, so nothing but their age can tell."""
    for pipeline in pipelines[:3]:
        config.run(
            "INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch, expires_at)"
            " VALUES (%s, 'silent', 4, now() + interval '1 hour')",
            pipeline,
        )
    config.run("INSERT INTO compute_instances (id, hostname, pid, version) VALUES ('silent', 'far', 1, '1')")
    first = start(lease_seconds=3, poll_seconds=30)
    eventually(lambda: counts(config) == [3, 3], what="what is held is left alone")
    config.run("UPDATE pipeline_leases SET expires_at = now() + interval '3 seconds' WHERE instance_id = 'silent'")
    eventually(lambda: counts(config) == [6], 2 * 3, "taken over within two leases")
    eventually(lambda: streaming(first) == pipelines)
    assert config.one("SELECT min(epoch) FROM pipeline_leases WHERE pipeline_id = ANY(%s)", pipelines[:3]) == 5


def test_a_failing_pipeline_stays_with_its_owner_while_it_waits(
    start: Start, config: ConfigSql, cluster: PostgresCluster
) -> None:
    ends = config.add_source(cluster, config.database), config.add_destination(cluster, config.database)
    bad = config.add_pipeline("bad", *ends)
    first = start(lease_seconds=3)
    eventually(lambda: first.pipeline(bad).get("consecutive_failures", 0) >= 4, 60, "its delay is longer than a lease")
    owner = config.one("SELECT instance_id FROM pipeline_leases WHERE expires_at > now()")
    second = start(lease_seconds=3)
    eventually(lambda: second.pipeline(bad).get("state") == "ELSEWHERE")
    eventually(lambda: first.pipeline(bad)["consecutive_failures"] >= 5, 40)
    assert config.one("SELECT instance_id FROM pipeline_leases WHERE expires_at > now()") == owner


def test_a_given_pipeline_is_drained_before_another_instance_starts_it(
    start: Start, config: ConfigSql, pipelines: list[int]
) -> None:
    first = start()
    eventually(lambda: streaming(first) == pipelines)
    pids = {pipeline: first.streaming_pid(pipeline) for pipeline in pipelines}
    second = start()

    def moved() -> list[int]:
        there = [one for one in second.manager.view.pipelines if one["state"] == "STREAMING"]
        assert not any(process_exists(pids[one["id"]]) for one in there), "two processes of one pipeline"
        return [one["id"] for one in there]

    eventually(lambda: len(moved()) == 3, 40)
