"""WAL monitor, flow, summary, notifications, audit log, alert channels and events."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from app.api.v1.endpoints.events import _lines
from app.core.config import Settings
from app.core.database import DatabaseManager
from app.domain.models import Notification
from app.domain.repositories import AlertRepository, NotificationRepository, WalRepository
from app.domain.services import AlertService, WalMonitorService
from app.domain.services.alert import AlertLimits
from app.domain.services.thresholds import Thresholds
from app.domain.services.wal_monitor import WalSchedule
from app.infrastructure.channels import SIGNATURE_HEADER, channels_of
from app.infrastructure.events import EventFeed
from app.infrastructure.postgres import AsyncpgSource
from app.infrastructure.tasks.leadership import Leadership
from app.infrastructure.tasks.passes import Passes
from fastapi import FastAPI
from pydantic import SecretStr
from tests.clients import API, Sql, counted

from rosetta.local.postgres import PostgresCluster
from rosetta.tests.waiting import eventually_async

SLOT = "rosetta_4_1"


@pytest.fixture
async def source_id(admin: httpx.AsyncClient, source_body: dict[str, Any]) -> int:
    answer = await admin.post(f"{API}/sources", json=source_body | {"replication_id": 4})
    found: int = answer.json()["id"]
    return found


@pytest.fixture
def slot(cluster: PostgresCluster) -> Iterator[str]:
    connection = cluster.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (SLOT,))
        yield SLOT
        cursor.execute("SELECT pg_drop_replication_slot(%s)", (SLOT,))
    connection.close()


def passes_of(app: FastAPI, settings: Settings, channels: Any = ()) -> Passes:
    return Passes(settings, app.state.database, app.state.keyring, AsyncpgSource(app.state.sessions), channels)


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


async def pipeline(sql: Sql, admin: httpx.AsyncClient, source_id: int, destination_body: dict[str, Any]) -> int:
    destination = (await admin.post(f"{API}/destinations", json=destination_body)).json()["id"]
    body = {"name": "p", "source_id": source_id, "destination_id": destination}
    found: int = (await admin.post(f"{API}/pipelines", json=body)).json()["id"]
    return found


async def test_flow_is_answered_by_table_and_in_sum(
    admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await pipeline(sql, admin, source_id, destination_body)
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


async def evaluate(app: FastAPI, limits: AlertLimits | None = None) -> None:
    async with app.state.database.transaction() as session:
        service = AlertService(AlertRepository(session), NotificationRepository(session), limits or AlertLimits())
        await service.evaluate()


async def test_an_alert_is_raised_once_and_resolved_when_it_passes(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await pipeline(sql, admin, source_id, destination_body)
    sql("UPDATE pipelines SET status = 'START'")
    sql(
        "UPDATE pipeline_metadata SET status = 'RETRYING', health_status = 'ERROR', last_error = 'away',"
        " last_error_remedy = 'start it'"
    )
    await evaluate(app)
    await evaluate(app)
    (row,) = (await admin.get(f"{API}/notifications")).json()["items"]
    assert (row["kind"], row["severity"], row["message"], row["remedy"]) == (
        "DESTINATION_ERROR",
        "CRITICAL",
        "away",
        "start it",
    )
    assert (row["pipeline_id"], row["occurrences"], row["resolved_at"]) == (pipeline_id, 1, None)
    assert (await admin.get(f"{API}/dashboard/summary")).json()["problems"][0]["code"] == "DESTINATION_ERROR"
    sql("UPDATE pipeline_metadata SET health_status = 'HEALTHY'")
    await evaluate(app)
    assert (await admin.get(f"{API}/notifications", params={"open": True})).json()["total"] == 0
    sql("UPDATE pipeline_metadata SET health_status = 'ERROR'")
    await evaluate(app)
    assert (await admin.get(f"{API}/notifications")).json()["total"] == 2, "what comes back is a new alert"


async def test_every_rule_can_be_asked(app: FastAPI, config_database: str) -> None:
    await evaluate(app)


async def test_every_rule_finds_what_it_is_for(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    await pipeline(sql, admin, source_id, destination_body)
    sql("UPDATE pipelines SET status = 'START', slot_name = 's'")
    sql("ALTER TABLE pipelines DISABLE TRIGGER touch")
    sql("UPDATE pipelines SET updated_at = now() - interval '1 hour'")
    sql("ALTER TABLE pipelines ENABLE TRIGGER touch")
    sql(
        "UPDATE pipeline_metadata SET health_status = 'ERROR', lag_seconds = 1000, heartbeat_at = now(),"
        " last_success_time = now()"
    )
    sql(
        "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind, commit_lsn,"
        " change_lsn, ordinal, payload, payload_bytes, error_class, error_message)"
        " VALUES (1, 1, 1, 'public', 't', 'RECORD', '0/1', '0/1', 0, '', 0, 'DATA', 'x')"
    )
    sql("INSERT INTO wal_monitor (source_id, status, retained_bytes, checked_at) VALUES (1, 'CRITICAL', 5, now())")
    for age in range(6):
        sql(
            "INSERT INTO wal_metrics (source_id, slot_name, retained_bytes, active, recorded_at)"
            " VALUES (1, 's', %s, false, now() - make_interval(mins => %s))",
            (10 - age) << 30,
            age * 5,
        )
    sql("INSERT INTO queue_backfill_data (pipeline_id, table_name, status) VALUES (1, 't', 'FAILED')")
    await evaluate(app)
    kinds = [row["kind"] for row in (await admin.get(f"{API}/notifications", params={"limit": 100})).json()["items"]]
    assert sorted(kinds) == [
        "BACKFILL_FAILED",
        "DESTINATION_ERROR",
        "DLQ",
        "LAG",
        "PIPELINE_DOWN",
        "SLOT_INACTIVE",
        "SLOT_STUCK",
        "WAL",
    ]


async def test_changes_that_wait_are_one_alert_from_the_limit_on_until_they_are_recovered(
    app: FastAPI, admin: httpx.AsyncClient, sql: Sql, source_id: int, destination_body: dict[str, Any]
) -> None:
    pipeline_id = await pipeline(sql, admin, source_id, destination_body)

    async def told(limits: AlertLimits | None = None) -> list[tuple[str, str, int]]:
        await evaluate(app, limits)
        items = (await admin.get(f"{API}/notifications", params={"open": True})).json()["items"]
        return [(row["kind"], row["message"], row["pipeline_id"]) for row in items]

    for error_class in ("DATA", "OUTAGE"):
        sql(
            "INSERT INTO dlq_records (pipeline_id, source_id, destination_id, schema_name, table_name, kind, row_count,"
            " commit_lsn, change_lsn, ordinal, payload, payload_bytes, error_class, error_message)"
            " VALUES (1, 1, 1, 'public', 't', 'RECORD', 2, '0/1', '0/1', 0, '', 0, %s, 'x')",
            error_class,
        )
    assert await told(AlertLimits(dlq_rows=5)) == []
    assert await told() == [("DLQ", "4 rows are parked.", pipeline_id)]
    sql("UPDATE dlq_records SET state = 'RECOVERED' WHERE error_class = 'OUTAGE'")
    assert await told() == [("DLQ", "2 rows are parked.", pipeline_id)]
    sql("UPDATE dlq_records SET state = 'RECOVERED'")
    assert await told() == []


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


class _Inbox(BaseHTTPRequestHandler):
    heard: list[tuple[str, bytes, str | None]]
    answer = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).heard.append((self.path, body, self.headers.get(SIGNATURE_HEADER)))
        self.send_response(type(self).answer)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def inbox() -> Iterator[tuple[type[_Inbox], str]]:
    """Whatever is posted to this address."""
    handler = type("Inbox", (_Inbox,), {"heard": [], "answer": 200})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    server.server_close()


async def test_channels_are_told_once_and_signed(
    app: FastAPI, settings: Settings, sql: Sql, inbox: tuple[type[_Inbox], str]
) -> None:
    handler, url = inbox
    told = settings.model_copy(
        update={
            "alert_webhook_url": SecretStr(f"{url}/hook"),
            "alert_webhook_secret": SecretStr("s3cret"),
            "alert_slack_url": SecretStr(f"{url}/slack"),
        }
    )
    passes = passes_of(app, told, channels_of(told))
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'k', 'Title', 'm')")
    await passes.alert()
    await passes.alert()
    assert sorted(path for path, _, _ in handler.heard) == ["/hook", "/slack"]
    body, signature = next((body, signature) for path, body, signature in handler.heard if path == "/hook")
    assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert json.loads(body)["title"] == "Title"
    sql("UPDATE notifications SET resolved_at = now()")
    await passes.alert()
    await passes.alert()
    assert len(handler.heard) == 4
    assert json.loads([body for path, body, _ in handler.heard if path == "/hook"][1])["resolved"] is True


async def test_a_channel_that_fails_is_tried_again_and_named_without_its_secret(
    app: FastAPI, settings: Settings, sql: Sql, inbox: tuple[type[_Inbox], str]
) -> None:
    handler, url = inbox
    handler.answer = 500
    told = settings.model_copy(update={"alert_slack_url": SecretStr(f"{url}/s3cret")})
    passes = passes_of(app, told, channels_of(told))
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'k', 't', 'm')")
    await passes.alert()
    pauses = []
    for _ in range(3):
        delivered = sql("SELECT delivered FROM notifications")[0][0]
        assert "status 500" in delivered["slack"]["error"]
        assert "s3cret" not in json.dumps(delivered)
        pauses.append(datetime.fromisoformat(delivered["slack"]["not_before"]) - datetime.now(UTC))
        await passes.alert()  # not due yet
        sql("UPDATE notifications SET delivered = jsonb_set(delivered, '{slack,not_before}', '\"2001-01-01\"')")
        await passes.alert()
    assert len(handler.heard) == 4
    assert [round(pause.total_seconds() / 30) for pause in pauses] == [1, 2, 4]
    handler.answer = 200
    sql("UPDATE notifications SET delivered = jsonb_set(delivered, '{slack,not_before}', '\"2001-01-01\"')")
    await passes.alert()
    assert set(sql("SELECT delivered FROM notifications")[0][0]["slack"]) == {"raised_at"}


class _Watcher:
    """A channel that looks, while it sends, at what its sender holds meanwhile."""

    name = "watcher"

    def __init__(self, sql: Sql, passes: Callable[[], Passes]) -> None:
        self._sql = sql
        self._passes = passes
        self.sent: list[int] = []

    async def send(self, notification: Notification, *, resolved: bool) -> None:
        self.sent.append(notification.id)
        self._sql("SELECT 1 FROM notifications FOR UPDATE NOWAIT")
        assert self._sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'") == [(0,)]
        if len(self.sent) == 1:  # another worker that takes itself for the leader
            other = _Watcher(self._sql, self._passes)
            await self._passes()._tell(other)
            self.sent += other.sent


async def test_a_message_on_its_way_holds_nothing_and_is_sent_by_one(
    app: FastAPI, settings: Settings, sql: Sql
) -> None:
    for key in ("a", "b", "c"):
        sql(
            "INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', %s, 't', 'm')",
            key,
        )
    watcher = _Watcher(sql, lambda: passes_of(app, settings))
    await passes_of(app, settings)._tell(watcher)
    assert sorted(watcher.sent) == [1, 2, 3]


async def test_old_messages_do_not_stand_in_the_way_of_new_ones(
    app: FastAPI, settings: Settings, sql: Sql, inbox: tuple[type[_Inbox], str]
) -> None:
    handler, url = inbox
    told = settings.model_copy(update={"alert_slack_url": SecretStr(url)})
    sql(
        "INSERT INTO notifications (kind, severity, dedup_key, title, message, delivered)"
        " SELECT 'K', 'INFO', n::text, 't', 'm', '{\"slack\": {\"raised_at\": \"2026-01-01\"}}'"
        " FROM generate_series(1, 300) n"
    )
    sql("INSERT INTO notifications (kind, severity, dedup_key, title, message) VALUES ('K', 'INFO', 'new', 'N', 'm')")
    await passes_of(app, told, channels_of(told)).alert()
    assert len(handler.heard) == 1


async def test_the_test_button_says_how_each_channel_took_it(
    app: FastAPI, admin: httpx.AsyncClient, inbox: tuple[type[_Inbox], str]
) -> None:
    _, url = inbox
    assert (await admin.post(f"{API}/settings/alerts/test")).json() == []
    app.state.settings = app.state.settings.model_copy(
        update={
            "alert_slack_url": SecretStr(f"{url}/slack"),
            "alert_smtp_url": SecretStr("smtp://127.0.0.1:1"),
            "alert_email_to": ["ops@example.org"],
        }
    )
    slack, email = (await admin.post(f"{API}/settings/alerts/test")).json()
    assert slack == {"channel": "slack", "error": None}
    assert "ConnectionRefusedError" in email["error"]


async def test_events_say_what_changed(cluster: PostgresCluster, sql: Sql, config_database: str) -> None:
    feed = EventFeed(cluster.dsn(config_database))
    lines = _lines(feed)
    async with asyncio.timeout(20):
        assert (await anext(lines)).startswith("retry:")
        first = asyncio.create_task(anext(lines))
        feed.start()
        assert await first == 'data: {"table": null}\n\n', "from now on everything is heard"
        sql("INSERT INTO settings VALUES ('k', '1')")
        assert json.loads((await anext(lines)).removeprefix("data: "))["op"] == "INSERT"
        interrupted = asyncio.create_task(anext(lines))
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
    await pipeline(sql, admin, source_id, destination_body)
    sql("UPDATE pipeline_metadata SET lag_seconds = 1.5, wal_size = 7, health_status = 'HEALTHY'")
    answer = await admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'rosetta_destination_lag_seconds{destination="warehouse",pipeline="p"} 1.5' in lines
    assert 'rosetta_destination_healthy{destination="warehouse",pipeline="p"} 1.0' in lines
    assert 'rosetta_parked_rows{destination="warehouse",pipeline="p"} 0.0' in lines
    assert "rosetta_compute_instances 0.0" in lines
    assert any(line.startswith("rosetta_http_request_seconds_count{") and "/api/v1/pipelines" in line for line in lines)
