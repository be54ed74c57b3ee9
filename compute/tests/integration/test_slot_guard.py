"""Slots of pipelines that nothing runs: losses are shown, retained WAL is warned of, budgets act."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compute.config.settings import Settings
from compute.core.catalog import Catalog
from compute.core.slot_guard import SlotGuard
from compute.sources.postgres import PostgresSource
from compute.tests.support.config_database import ConfigSql
from compute.tests.support.running_transactions import log_them
from compute.tests.support.waiting import eventually
from rosetta.local.ports import free_port
from rosetta.local.postgres import PostgresCluster
from rosetta.postgres import PostgresEndpoint

pytestmark = pytest.mark.integration

_OBSERVED = "SELECT status, health_status, last_error_code FROM pipeline_metadata WHERE pipeline_id = %s"
_OPEN = "SELECT severity, message, remedy FROM notifications WHERE dedup_key = %s AND resolved_at IS NULL"


@dataclass
class Guarded:
    """A source with slots, the config database, and a guard that looks five times a second."""

    cluster: PostgresCluster
    database: str
    config: ConfigSql

    def sql(self, *statements: str) -> Any:
        """The first value of the last statement's answer."""
        connection = self.cluster.connect(self.database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                row = cursor.fetchone() if cursor.description else None
                return row[0] if row else None
        finally:
            connection.close()

    def source(self) -> PostgresSource:
        there = self.cluster
        return PostgresSource(
            PostgresEndpoint("127.0.0.1", there.port, self.database, there.superuser, there.password, "disable"), "pub"
        )

    def pipeline(self, name: str, status: str = "PAUSE", observed: str = "PAUSED", **columns: Any) -> int:
        """A pipeline that has run before: its slot is there."""
        source_id = self.config.one("SELECT id FROM sources WHERE pg_database = %s", self.database)
        source_id = source_id or self.config.add_source(self.cluster, self.database)
        destination_id = self.config.add_destination(self.cluster, self.config.database)
        pipeline = self.config.add_pipeline(name, source_id, destination_id, status)
        with_slot = self.source()
        lsn = with_slot.create_slot(slot_of(pipeline))
        origin = with_slot.survey([]).origin
        with_slot.close()
        values = {"slot_name": slot_of(pipeline), "acknowledged_lsn": str(lsn), "slot_origin": str(origin), **columns}
        for column, value in values.items():
            self.config.run(f"UPDATE pipelines SET {column} = %s WHERE id = %s", value, pipeline)
        self.config.run("UPDATE pipeline_metadata SET status = %s WHERE pipeline_id = %s", observed, pipeline)
        return pipeline

    def observes(self, pipeline: int, *expected: str) -> None:
        eventually(lambda: self.config.row(_OBSERVED, pipeline) == expected, 30, f"{expected} is shown")

    def fill(self, megabytes: int) -> None:
        """Writes about so much WAL, in another table than any that is published."""
        self.sql(
            "CREATE TABLE IF NOT EXISTS filler (v text)",
            f"INSERT INTO filler SELECT repeat(md5(n::text), 30) FROM generate_series(1, {megabytes * 1000}) n",
        )

    def remedy(self, pipeline: int) -> str:
        return str(self.config.one("SELECT last_error_remedy FROM pipeline_metadata WHERE pipeline_id = %s", pipeline))


def slot_of(pipeline: int) -> str:
    return f"rosetta_1_{pipeline}"


def guard_of(config: ConfigSql) -> tuple[Catalog, SlotGuard]:
    settings = Settings(
        secret_key="a secret key for tests",
        config_database_url=config.url,
        log_folder=None,
    )
    catalog = Catalog(settings, "guard", application="rosetta compute test", connections=5)
    catalog.leases.beat("here", 1, "1")
    config.run("UPDATE compute_instances SET heartbeat_at = now() + interval '1 hour'")  # it lives through the test
    return catalog, SlotGuard(catalog, 0.2)


@pytest.fixture
def guarded(cluster: PostgresCluster, config: ConfigSql, new_database: Callable[[], str]) -> Iterator[Guarded]:
    catalog, guard = guard_of(config)
    guard.start()
    yield Guarded(cluster, new_database(), config)
    guard.stop()
    catalog.close()


@pytest.fixture
def short_of_wal(config: ConfigSql) -> Iterator[Guarded]:
    """A cluster of its own that keeps next to no WAL for its slots."""
    folder = Path(tempfile.mkdtemp(prefix="rosetta-test-"))
    folder.chmod(0o755)
    settings = {"max_slot_wal_keep_size": "96MB", "min_wal_size": "32MB", "max_wal_size": "64MB"}
    server = PostgresCluster(folder / "pg", free_port(), "cluster-password", settings)
    server.start()
    catalog, guard = guard_of(config)
    guard.start()
    yield Guarded(server, "postgres", config)
    guard.stop()
    catalog.close()
    server.stop()
    shutil.rmtree(folder)


def test_f22_a_slot_dropped_while_paused_is_shown_and_so_is_its_return(guarded: Guarded) -> None:
    pipeline, bystander = guarded.pipeline("p"), guarded.pipeline("q")
    guarded.sql(f"SELECT pg_drop_replication_slot('{slot_of(pipeline)}')")
    guarded.observes(pipeline, "RESYNC_REQUIRED", "ERROR", "SLOT_MISSING")
    assert f"acknowledged_lsn = NULL, status = 'REFRESH' WHERE id = {pipeline};" in guarded.remedy(pipeline)
    assert guarded.config.row(_OPEN, f"slot-lost:{pipeline}")
    assert guarded.config.row(_OBSERVED, bystander) == ("PAUSED", "UNKNOWN", None)
    assert guarded.sql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot_of(pipeline)}'") == 0

    guarded.sql(f"SELECT pg_create_logical_replication_slot('{slot_of(pipeline)}', 'pgoutput')")
    guarded.observes(pipeline, "PAUSED", "UNKNOWN", "SLOT_MISSING")
    eventually(lambda: guarded.config.row(_OPEN, f"slot-lost:{pipeline}") is None, what="the notification is resolved")


def test_f23_wal_removed_while_paused_is_warned_of_and_shown(short_of_wal: Guarded) -> None:
    guarded = short_of_wal
    pipeline = guarded.pipeline("p")
    guarded.fill(91)
    warning = eventually(lambda: guarded.config.row(_OPEN, f"wal-budget:{pipeline}"), 40, "warned before it is lost")
    assert warning
    assert warning[0] == "WARNING"
    assert "max_slot_wal_keep_size" in warning[1]
    for _ in range(4):
        guarded.fill(30)
        guarded.sql("SELECT pg_switch_wal()", "CHECKPOINT")
    guarded.observes(pipeline, "RESYNC_REQUIRED", "ERROR", "SLOT_LOST")


def test_f24_another_cluster_under_the_same_address_is_shown(guarded: Guarded) -> None:
    pipeline = guarded.pipeline("p", slot_origin="7000000000000000001/1")
    guarded.observes(pipeline, "RESYNC_REQUIRED", "ERROR", "OTHER_CLUSTER")
    assert f"DELETE FROM pipelines WHERE id = {pipeline};" in guarded.remedy(pipeline)


def test_f24_a_source_restored_from_an_older_copy_is_shown(guarded: Guarded) -> None:
    ahead = guarded.sql("SELECT (pg_current_wal_lsn() + 100000000000)::text")
    pipeline = guarded.pipeline("p", acknowledged_lsn=ahead)
    guarded.observes(pipeline, "RESYNC_REQUIRED", "ERROR", "SOURCE_WENT_BACK")


def test_retained_wal_of_a_paused_pipeline_is_measured(guarded: Guarded) -> None:
    pipeline = guarded.pipeline("p")
    retained = "SELECT wal_size FROM pipeline_metadata WHERE pipeline_id = %s"
    before = eventually(lambda: guarded.config.one(retained, pipeline), what="measured") or 0
    guarded.fill(5)
    eventually(lambda: guarded.config.one(retained, pipeline) > before + 4_000_000, what="it grows")


def test_a_budget_that_warns_says_so_once_and_takes_it_back(guarded: Guarded) -> None:
    pipeline = guarded.pipeline("p", wal_budget_bytes=20_000_000)
    key = f"wal-budget:{pipeline}"
    guarded.fill(30)
    row = eventually(lambda: (found := guarded.config.row(_OPEN, key)) and found[0] == "CRITICAL" and found, 40)
    assert row
    assert "The pipeline is paused." in row[1]
    assert f"SET status = 'START' WHERE id = {pipeline};" in row[2]
    assert guarded.sql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot_of(pipeline)}'") == 1

    log_running = log_them(guarded.cluster)

    def resolved() -> bool:
        advance = f"SELECT pg_replication_slot_advance('{slot_of(pipeline)}', pg_current_wal_lsn())"
        guarded.sql(log_running, advance)
        return guarded.config.row(_OPEN, key) is None

    eventually(resolved, 40, "it is resolved once the slot has moved on")
    assert guarded.config.one("SELECT count(*) FROM notifications WHERE dedup_key = %s", key) == 1


def test_a_budget_that_drops_the_slot_saves_the_source_and_says_why(guarded: Guarded) -> None:
    pipeline = guarded.pipeline("p", wal_budget_bytes=20_000_000, wal_budget_policy="drop_slot")
    bystander = guarded.pipeline("q")
    guarded.fill(30)
    guarded.observes(pipeline, "RESYNC_REQUIRED", "ERROR", "SLOT_DROPPED")
    names = "SELECT string_agg(slot_name, ',') FROM pg_replication_slots WHERE database = current_database()"
    assert guarded.sql(names) == slot_of(bystander)
    row = guarded.config.row(_OPEN, f"wal-budget:{pipeline}")
    assert row is not None
    assert row[0] == "CRITICAL"
    assert "Its slot was dropped" in row[1]
    assert "20000000" in guarded.config.one("SELECT slot_dropped_for FROM pipelines WHERE id = %s", pipeline)


def test_a_budget_that_pauses_suspends_what_holds_the_slot_back_and_nothing_else(guarded: Guarded) -> None:
    pipeline = guarded.pipeline("p", "START", "BLOCKED", wal_budget_bytes=20_000_000, wal_budget_policy="pause")
    good = guarded.config.add_destination(guarded.cluster, guarded.config.database)
    guarded.config.run(
        "INSERT INTO pipeline_destinations (pipeline_id, destination_id) VALUES (%s, %s)", pipeline, good
    )
    guarded.config.run(
        "UPDATE pipeline_metadata SET durable_lsn = %s, status = 'RUNNING' WHERE destination_id = %s",
        guarded.sql("SELECT pg_current_wal_lsn()::text"),
        good,
    )
    guarded.fill(30)
    key, detached = (
        f"wal-budget:{pipeline}",
        "SELECT array_agg(destination_id) FROM pipeline_destinations WHERE detached_at IS NOT NULL",
    )
    eventually(lambda: guarded.config.row(_OPEN, key), 40, "it is told")
    assert guarded.config.one(detached) is None, "no process has said how the destinations are"
    guarded.config.run("UPDATE pipeline_metadata SET heartbeat_at = now()")
    eventually(lambda: guarded.config.one(detached), 40, "the holder is suspended")
    assert good not in guarded.config.one(detached)
    assert guarded.sql(f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{slot_of(pipeline)}'") == 1
    eventually(lambda: "was suspended and needs a resync" in (guarded.config.row(_OPEN, key) or ("", ""))[1])


def test_a_source_that_cannot_be_reached_hides_no_other(guarded: Guarded) -> None:
    far = guarded.pipeline("far")
    guarded.config.run("UPDATE sources SET pg_port = 1, pg_database = 'nowhere', name = 'gone'")
    near = guarded.pipeline("near")
    guarded.sql(f"SELECT pg_drop_replication_slot('{slot_of(near)}')")
    guarded.observes(near, "RESYNC_REQUIRED", "ERROR", "SLOT_MISSING")
    assert guarded.config.row(_OBSERVED, far) == ("PAUSED", "UNKNOWN", None), "unknown is not lost"
