"""The supervisor against a real config database and real processes, whose pipelines are scripted."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.manager import PipelineManager
from compute.core.process import ChildSpec
from compute.tests.support.children import by_name
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.waiting import eventually, process_exists
from rosetta.local.postgres import PostgresCluster

pytestmark = pytest.mark.integration


class Supervisor:
    """A manager in a thread, and questions to it."""

    def __init__(self, url: str, entry: Callable[[ChildSpec, Connection], None] = by_name, **settings: Any) -> None:
        values: dict[str, Any] = {
            "secret_key": "a secret key for tests",
            "config_database_url": url,
            "log_folder": None,
            "lease_seconds": 3,
            "drain_seconds": 2,
            "stuck_seconds": 20,
            "startup_seconds": 30,
            **settings,
        }
        self.settings = Settings(**values)
        self.catalog = Catalog(self.settings, f"test-{id(self)}", application="rosetta compute test")
        self.manager = PipelineManager(self.settings, self.catalog, f"test-{id(self)}", entry=entry)
        self.thread = threading.Thread(target=self.manager.run)

    def pipeline(self, pipeline_id: int) -> dict[str, Any]:
        return next((one for one in self.manager.view.pipelines if one["id"] == pipeline_id), {})

    def streaming_pid(self, pipeline_id: int, other_than: int | None = None) -> int:
        def probe() -> int | None:
            one = self.pipeline(pipeline_id)
            return one["pid"] if one.get("state") == "STREAMING" and one["pid"] != other_than else None

        return eventually(probe, what=f"pipeline {pipeline_id} streams") or 0

    def stop(self) -> None:
        self.manager.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        self.catalog.close()


Start = Callable[..., Supervisor]


@pytest.fixture
def start(config: ConfigSql) -> Iterator[Start]:
    running: list[Supervisor] = []

    def begin(**settings: Any) -> Supervisor:
        supervisor = Supervisor(config.url, **settings)
        running.append(supervisor)
        supervisor.thread.start()
        return supervisor

    yield begin
    for supervisor in running:
        if supervisor.thread.is_alive():
            supervisor.stop()


@pytest.fixture
def ends(config: ConfigSql, cluster: PostgresCluster) -> tuple[int, int]:
    """A source and a destination; the scripted pipelines connect to neither."""
    return config.add_source(cluster, config.database), config.add_destination(cluster, config.database)


def test_a_pipeline_follows_its_status_written_by_sql(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    supervisor = start()
    pipeline = config.add_pipeline("p", *ends, "PAUSE")
    eventually(lambda: supervisor.pipeline(pipeline).get("state") == "NOT_RUNNING")

    config.set_status(pipeline, "START")
    first = supervisor.streaming_pid(pipeline)

    config.set_status(pipeline, "REFRESH")
    second = supervisor.streaming_pid(pipeline, other_than=first)
    assert not process_exists(first)
    assert config.one("SELECT status FROM pipelines WHERE id = %s", pipeline) == "START"

    config.set_status(pipeline, "PAUSE")
    eventually(lambda: config.observed(pipeline) == "PAUSED")
    assert not process_exists(second)
    assert config.one("SELECT instance_id FROM pipeline_leases WHERE pipeline_id = %s", pipeline) is None


def test_paused_is_said_only_when_the_process_is_gone(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    supervisor = start(drain_seconds=1.5)
    pipeline = config.add_pipeline("deaf", *ends)
    pid = supervisor.streaming_pid(pipeline)
    config.set_status(pipeline, "PAUSE")

    def paused() -> bool:
        status = config.observed(pipeline)
        assert status != "PAUSED" or not process_exists(pid)
        return status == "PAUSED"

    assert config.observed(pipeline) == "PAUSING"
    eventually(paused)


@pytest.mark.alone
def test_a_killed_process_is_back_within_five_seconds(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    supervisor = start()
    pipeline = config.add_pipeline("p", *ends)
    other = config.add_pipeline("q", *ends)
    pid, bystander = supervisor.streaming_pid(pipeline), supervisor.streaming_pid(other)
    killed_at = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    supervisor.streaming_pid(pipeline, other_than=pid)
    assert time.monotonic() - killed_at <= 5.0
    assert supervisor.streaming_pid(other) == bystander
    row = config.row(
        "SELECT restart_count, last_error_code, health_status FROM pipeline_metadata WHERE pipeline_id = %s", pipeline
    )
    assert row == (1, "PROCESS_KILLED", "ERROR")


def test_a_crashing_pipeline_waits_longer_each_time_and_disturbs_no_other(
    start: Start, config: ConfigSql, ends: tuple[int, int]
) -> None:
    supervisor = start()
    good = config.add_pipeline("good", *ends)
    pid = supervisor.streaming_pid(good)
    config.run("CREATE TABLE starts (epoch bigint, at timestamptz)")
    config.run(
        "CREATE FUNCTION note_start() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO starts VALUES (NEW.epoch, now()); RETURN NULL; END'"
    )
    config.run(
        "CREATE TRIGGER note_start AFTER UPDATE ON pipeline_leases FOR EACH ROW"
        " WHEN (OLD.epoch < NEW.epoch) EXECUTE FUNCTION note_start()"
    )
    bad = config.add_pipeline("bad", *ends)
    between = "SELECT extract(epoch FROM max(at) - min(at)) FROM starts WHERE epoch IN (2, 3) HAVING count(*) = 2"
    assert eventually(lambda: config.one(between)) > 0.9, "the second delay is one to two seconds long"
    status = config.row(
        "SELECT status, health_status, last_error_code, last_error_remedy FROM pipeline_metadata"
        " WHERE pipeline_id = %s",
        bad,
    )
    assert status == ("RESTARTING", "ERROR", "SCRIPTED", "rename it")
    assert supervisor.streaming_pid(good) == pid


def test_a_return_that_nobody_asked_for_is_a_failure(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    start()
    pipeline = config.add_pipeline("quitter", *ends)
    eventually(lambda: config.observed(pipeline) == "RESTARTING")


def test_a_silent_process_is_ended_and_started_again(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    supervisor = start(stuck_seconds=2)
    pipeline = config.add_pipeline("mute", *ends)
    pid = supervisor.streaming_pid(pipeline)
    supervisor.streaming_pid(pipeline, other_than=pid)
    assert not process_exists(pid)
    code = config.one("SELECT last_error_code FROM pipeline_metadata WHERE pipeline_id = %s", pipeline)
    assert code == "PROCESS_STUCK"


def test_deleting_a_pipeline_ends_its_process(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    supervisor = start()
    pipeline = config.add_pipeline("p", *ends)
    pid = supervisor.streaming_pid(pipeline)
    config.run("DELETE FROM pipelines WHERE id = %s", pipeline)
    eventually(lambda: not process_exists(pid))
    eventually(lambda: supervisor.pipeline(pipeline) == {})


def test_nothing_is_decided_while_the_config_database_is_away(
    start: Start, config: ConfigSql, cluster: PostgresCluster, ends: tuple[int, int]
) -> None:
    supervisor = start(poll_seconds=0.5)
    pipeline = config.add_pipeline("p", *ends)
    pid = supervisor.streaming_pid(pipeline)
    admin = cluster.connect()
    with admin.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {config.database} ALLOW_CONNECTIONS false")
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND application_name LIKE 'rosetta%%'",
            (config.database,),
        )
        eventually(lambda: supervisor.manager.view.unreachable_since)
        assert not supervisor.manager.view.ready
        assert supervisor.streaming_pid(pipeline) == pid
        cursor.execute(f"ALTER DATABASE {config.database} ALLOW_CONNECTIONS true")
    admin.close()
    eventually(lambda: supervisor.manager.view.ready)
    assert supervisor.streaming_pid(pipeline) == pid


def test_f41_a_garbage_config_row_fails_alone_and_the_poll_survives(
    start: Start, config: ConfigSql, ends: tuple[int, int]
) -> None:
    supervisor = start()
    broken = config.add_pipeline("broken", *ends, "PAUSE")
    config.run("ALTER TABLE pipelines DROP CONSTRAINT pipelines_status_check")
    config.run("UPDATE pipelines SET status = 'BOGUS' WHERE id = %s", broken)
    good = config.add_pipeline("good", *ends)
    supervisor.streaming_pid(good)
    eventually(lambda: config.observed(broken) == "FAILED")
    remedy = config.one("SELECT last_error_remedy FROM pipeline_metadata WHERE pipeline_id = %s", broken)
    config.run(remedy)  # the remedy is the statement that mends it
    eventually(lambda: config.observed(broken) == "PAUSED")


def test_stopping_the_supervisor_leaves_no_process_and_no_lease(
    start: Start, config: ConfigSql, ends: tuple[int, int]
) -> None:
    supervisor = start()
    pipelines = [config.add_pipeline(name, *ends) for name in ("p", "q", "deaf")]
    pids = [supervisor.streaming_pid(pipeline) for pipeline in pipelines]
    asked_at = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - asked_at < 10
    assert not any(process_exists(pid) for pid in pids)
    assert config.one("SELECT count(*) FROM pipeline_leases WHERE instance_id IS NOT NULL") == 0
    assert config.one("SELECT count(*) FROM compute_instances") == 0
    assert config.one("SELECT count(*) FROM pipeline_metadata WHERE health_status = 'HEALTHY'") == 0


def test_a_lease_moves_only_when_it_has_expired(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    pipeline = config.add_pipeline("p", *ends)
    config.run(
        "INSERT INTO pipeline_leases (pipeline_id, instance_id, epoch, expires_at)"
        " VALUES (%s, 'another', 7, now() + interval '1 hour')",
        pipeline,
    )
    supervisor = start(poll_seconds=0.3)
    eventually(lambda: supervisor.pipeline(pipeline).get("state") == "ELSEWHERE")
    config.run("UPDATE pipeline_leases SET expires_at = now() + interval '1 second'")
    supervisor.streaming_pid(pipeline)
    owner = config.row("SELECT instance_id, epoch FROM pipeline_leases WHERE pipeline_id = %s", pipeline)
    assert owner == (f"test-{id(supervisor)}", 8)


def test_plaintext_secrets_are_sealed_on_sight(start: Start, config: ConfigSql, ends: tuple[int, int]) -> None:
    start()
    eventually(lambda: config.one("SELECT pg_password LIKE 'rsk1:%%' FROM sources"))
    eventually(lambda: config.one("SELECT config ->> 'pg_password' LIKE 'rsk1:%%' FROM destinations"))
