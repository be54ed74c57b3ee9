"""WAL monitor, flow, summary, notifications, audit log and events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from app.api.v1.endpoints.events import _lines
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.domain.repositories import WalRepository
from app.domain.services import WalMonitorService
from app.domain.services.thresholds import Thresholds
from app.domain.services.wal_monitor import WalSchedule
from app.infrastructure.events import EventFeed
from app.infrastructure.tasks.leadership import Leadership
from fastapi import FastAPI
from tests.clients import API, Sql, counted, make_pipeline, passes_of

from rosetta.local.postgres import PostgresCluster
from rosetta.tests.waiting import eventually_async

SLOT = "rosetta_4_1"


@pytest.fixture
def slot(cluster: PostgresCluster) -> Iterator[str]:
    connection = cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
        yield SLOT
        cursor.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
    connection.close()


async def test_the_wal_monitor_measures_every_slot_of_ours(
    app: FastAPI, settings: Settings, admin: httpx.AsyncClient, source_id: int, slot: str, sql: Sql
) -> None:
    await passes_of(app, settings).monitor_wal()
    monitor = (await admin.get(f"{API}/wal-monitor")).json()
    assert [(row["source_id"], row["status"], row["consecutive_failures"]) for row in monitor] == [(source_id, "OK", 0)]
    assert monitor[0]["wal_size_bytes"] > 0
    for path in ("wal-metrics", "metrics/wal"):
        metrics = (await admin.get(f"{API}/{path}", params={"source_id": source_id, "limit": 5})).json()
        assert [(row["slot_name"], row["active"], row["wal_status"]) for row in metrics] == [(slot, False, "reserved")]
    await passes_of(app, settings).monitor_wal()
    assert sql("SELECT count(*) FROM wal_metrics") == [(1,)], "the next check is not due yet"


async def test_thresholds_are_settings(
    app: FastAPI, settings: Settings, admin: httpx.AsyncClient, source_id: int, slot: str, sql: Sql
) -> None:
    await admin.put(f"{API}/settings", json={"wal.warning_bytes": 1, "wal.critical_bytes": 1 << 60})
    sql("SELECT pg_logical_emit_message(false, 'x', repeat('x', 10000))")
    await passes_of(app, settings).monitor_wal()
    assert (await admin.get(f"{API}/wal-monitor")).json()[0]["status"] == "WARNING"


async def test_a_source_that_is_away_is_asked_less_and_less_often(
    app: FastAPI, settings: Settings, admin: httpx.AsyncClient, source_id: int, sql: Sql
) -> None:
    sql("UPDATE sources SET pg_port = 1")
    pauses = []
    for _ in range(6):
        sql("UPDATE wal_monitor SET next_check_at = now()")
        await passes_of(app, settings).monitor_wal()
        pauses.append(sql("SELECT extract(epoch FROM next_check_at - checked_at)::int FROM wal_monitor")[0][0])
    assert pauses == [300, 300, 300, 600, 1200, 2400]
    row = (await admin.get(f"{API}/wal-monitor")).json()[0]
    assert (row["status"], row["consecutive_failures"]) == ("ERROR", 6)
    assert row["last_error"]


async def test_growth_tells_when_wal_becomes_critical(app: FastAPI, source_id: int, sql: Sql) -> None:
    for minutes, size in ((50, 1_000), (40, 601_000), (30, 1_201_000)):
        sql(
            "INSERT INTO wal_metrics (source_id, slot_name, retained_bytes, recorded_at)"
            " VALUES (%s, 's', %s, now() - make_interval(mins => %s))",
            source_id,
            size,
            minutes,
        )
    sql("INSERT INTO wal_monitor (source_id, status, retained_bytes) VALUES (%s, 'OK', 1201000)", source_id)
    async with app.state.database.transaction() as session:
        thresholds = Thresholds(wal_critical_bytes=2_201_000)
        service = WalMonitorService(WalRepository(session), thresholds, WalSchedule(timedelta(seconds=1), 3))
        (view,) = await service.views()
        # how many sources there are makes no difference
        sql(
            "INSERT INTO sources SELECT (jsonb_populate_record(s, jsonb_build_object('id', 99, 'name', 'o',"
            " 'replication_id', 99))).* FROM sources s"
        )
        sql("INSERT INTO wal_monitor (source_id, status) VALUES (99, 'OK')")
        with counted(app) as statements:
            assert [row.growth_bytes_per_second is None for row in await service.views()] == [False, True]
        assert len(statements) == 2
    # the rows were written a moment apart
    assert view.growth_bytes_per_second == pytest.approx(1000, rel=0.01)
    assert view.critical_in_seconds == pytest.approx(1000, rel=0.01)


async def test_one_worker_leads_and_another_takes_over(cluster: PostgresCluster, config_database: str) -> None:
    first, second = (Leadership(cluster.dsn(config_database)) for _ in range(2))
    assert await first.held()
    assert not await second.held()
    assert await first.held()
    first.release()
    await eventually_async(second.held)  # the server ends the first session in its own time
    assert not await first.held()
    second.release()


async def test_flow_is_answered_by_table_and_in_sum(
    admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await make_pipeline(admin, source_id, destination_body)
    for table, records in (("a", 3), ("b", 4)):
        sql(
            "INSERT INTO data_flow_record_monitoring (pipeline_id, destination_id, schema_name, table_name, minute,"
            " records, bytes, lag_seconds_max) VALUES (%s, 1, 'public', %s, date_trunc('minute', now()), %s, 10, 0.5)",
            pipeline_id,
            table,
            records,
        )
    answer = (await admin.get(f"{API}/pipelines/{pipeline_id}/monitoring")).json()
    assert [(point["table_name"], point["records"]) for point in answer["points"]] == [("a", 3), ("b", 4)]
    whole = (await admin.get(f"{API}/dashboard/flow", params={"minutes": 60, "step_minutes": 5})).json()
    assert [(point["records"], point["bytes"], point["lag_seconds_max"]) for point in whole["points"]] == [(7, 20, 0.5)]
    assert (await admin.get(f"{API}/pipelines/999/monitoring")).status_code == 404
    summary = (await admin.get(f"{API}/dashboard/summary")).json()
    assert summary["records_last_hour"] == 7
    assert summary["pipelines_by_status"] == {"PAUSED": 1}
    assert summary["problems"] == []
    for severity in ("INFO", "WARNING"):
        sql(
            "INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', %s, %s, 'T', 'm')",
            severity,
            severity,
        )
    told = []
    for _ in ("unread", "read"):
        open_now = (await admin.get(f"{API}/dashboard/summary")).json()["problems"]
        told.append([problem["severity"] for problem in open_now])
        sql("UPDATE notifications SET read_at = now()")
    assert told == [["WARNING", "INFO"], ["WARNING"]]  # a note is done with when it was read, a problem is not


async def test_what_is_older_than_the_settings_say_is_forgotten(
    app: FastAPI,
    admin: httpx.AsyncClient,
    settings: Settings,
    source_id: int,
    destination_body: dict[str, Any],
    sql: Sql,
) -> None:
    await make_pipeline(admin, source_id, destination_body)
    days = {"wal.metric_days": 3, "flow.days": 5, "system.metric_days": 2, "notification.days": 4}
    assert (await admin.put(f"{API}/settings", json=days)).status_code == 200
    for age in range(1, 8):
        sql("INSERT INTO wal_metrics (source_id, recorded_at) VALUES (1, now() - make_interval(days => %s))", age)
        sql(
            "INSERT INTO data_flow_record_monitoring (pipeline_id, destination_id, schema_name, table_name, minute)"
            " VALUES (1, 1, 's', 't', now() - make_interval(days => %s))",
            age,
        )
        sql(
            "INSERT INTO system_metrics (service, instance_id, metrics, recorded_at)"
            " VALUES ('x', 'y', '{}', now() - make_interval(days => %s))",
            age,
        )
        for resolved in ("NULL", "now() - make_interval(days => %s)"):
            values = (f"{age} {resolved}", age) if "%s" in resolved else (f"{age} {resolved}",)
            sql(
                "INSERT INTO notifications (kind, severity, dedup_key, title, message, resolved_at)"
                f" VALUES ('K', 'INFO', %s, 't', 'm', {resolved})",
                *values,
            )
    await passes_of(app, settings).forget()
    kept = {
        name: sql(f"SELECT count(*) FROM {name}")[0][0]
        for name in ("wal_metrics", "data_flow_record_monitoring", "system_metrics", "notifications")
    }
    # Of messages those that are open stay, however old.
    assert kept == {"wal_metrics": 2, "data_flow_record_monitoring": 4, "system_metrics": 1, "notifications": 7 + 3}


async def test_notifications_are_read_and_deleted(app: FastAPI, admin: httpx.AsyncClient, sql: Sql) -> None:
    for number in range(3):
        sql(
            "INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', %s, 't', 'm')",
            str(number),
        )
    newest = (await admin.get(f"{API}/notifications", params={"limit": 1})).json()["items"][0]["id"]
    assert (await admin.post(f"{API}/notifications/{newest}/read")).json()["read_at"]
    assert (await admin.get(f"{API}/notifications", params={"unread": True})).json()["total"] == 2
    assert (await admin.post(f"{API}/notifications/read-all")).json() == {"read": 2}
    assert (await admin.delete(f"{API}/notifications/{newest}")).status_code == 204
    assert (await admin.delete(f"{API}/notifications/{newest}")).status_code == 404


async def test_the_audit_log_is_searched(admin: httpx.AsyncClient, source_id: int) -> None:
    page = (await admin.get(f"{API}/audit-log", params={"action": "source.", "entity_id": str(source_id)})).json()
    assert [(row["actor_name"], row["action"]) for row in page["items"]] == [("admin", "source.create")]


async def test_events_say_what_changed(cluster: PostgresCluster, sql: Sql, config_database: str) -> None:
    async def still_allowed() -> bool:
        return True

    feed = EventFeed(cluster.dsn(config_database))
    lines = _lines(feed, still_allowed)
    async with asyncio.timeout(20):
        assert (await anext(lines)).startswith("retry:")
        first = asyncio.ensure_future(anext(lines))
        feed.start()
        assert await first == 'data: {"table": null}\n\n', "from now on everything is heard"
        sql("INSERT INTO settings VALUES ('k', '1')")
        assert json.loads((await anext(lines)).removeprefix("data: "))["op"] == "INSERT"
        interrupted = asyncio.ensure_future(anext(lines))
        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rosetta-backend events'")
        assert json.loads((await interrupted).removeprefix("data: ")) == {"table": None}
        await feed.stop()


async def test_the_tasks_of_a_worker_start_and_end_with_it(settings: Settings) -> None:
    from app.main import create_app

    database = DatabaseManager()
    app = create_app(settings, database)
    async with asyncio.timeout(60), app.router.lifespan_context(app), database.transaction() as session:
        assert await WalRepository(session).due() == []
    assert {task.get_name() for task in asyncio.all_tasks()} & {"wal monitor", "alerts", "event feed"} == set()


async def test_prometheus_reads_the_deployments_state(
    admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    await make_pipeline(admin, source_id, destination_body)
    sql("UPDATE pipeline_metadata SET lag_seconds = 1.5, wal_size = 7, health_status = 'HEALTHY'")
    answer = await admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'rosetta_destination_lag_seconds{destination="warehouse",pipeline="p"} 1.5' in lines
    assert 'rosetta_destination_healthy{destination="warehouse",pipeline="p"} 1.0' in lines
    assert 'rosetta_parked_rows{destination="warehouse",pipeline="p"} 0.0' in lines
    assert "rosetta_compute_instances 0.0" in lines
    assert any(line.startswith("rosetta_http_request_seconds_count{") and "/api/v1/pipelines" in line for line in lines)
